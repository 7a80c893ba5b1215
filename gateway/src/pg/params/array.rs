//! Array parameters, of one dimension: a list of scalars.

use super::{binary, text};
use crate::pg::encode::types;
use crate::pg::errors::{self, Result};
use crate::pg::frontend::Fields;
use bytes::Bytes;
use daodb_catalog::Error;
use daodb_catalog::session::array_text;
use datafusion::common::ScalarValue;
use pgwire::api::Type;

/// `{1,NULL,"a b"}`
pub fn from_text(array: &Type, literal: &str, zone: &str) -> Result<ScalarValue> {
    let item = types::item_of(array).unwrap_or(Type::TEXT);
    let mut values = vec![];
    for element in array_text::elements(literal)? {
        values.push(element.map(|element| text::decode(&item, &element, zone)).transpose()?);
    }
    list(&item, values)
}

pub fn from_binary(array: &Type, bytes: &[u8]) -> Result<ScalarValue> {
    let item = types::item_of(array).unwrap_or(Type::TEXT);
    let mut fields = Fields(Bytes::copy_from_slice(bytes));
    let (dimensions, _has_null, oid) = (fields.u32()?, fields.u32()?, fields.u32()?);
    if oid != item.oid() {
        return Err(errors::error(
            "42804",
            format!(
                "binary data has array element type {oid} instead of expected {} ({item})",
                item.oid()
            ),
        ));
    }
    let length = match dimensions {
        0 => 0,
        1 => {
            let length = fields.u32()? as usize;
            fields.u32()?;
            length
        }
        _ => return Err(one_dimension()),
    };
    let mut values = vec![];
    for _ in 0..length {
        let value = fields.value()?;
        values.push(value.map(|value| binary::decode(&item, &value)).transpose()?);
    }
    fields.end()?;
    list(&item, values)
}

fn list(item: &Type, values: Vec<Option<ScalarValue>>) -> Result<ScalarValue> {
    let mut ty = types::planned(item)
        .ok_or_else(|| errors::error("0A000", format!("arrays of {item} are not supported")))?;
    if *item == Type::NUMERIC {
        ty = datafusion::arrow::datatypes::DataType::Decimal128(38, widest(&values));
    }
    let null = ScalarValue::try_from(&ty).map_err(errors::execution)?;
    let mut scalars = Vec::with_capacity(values.len());
    for value in values {
        let value = value.unwrap_or_else(|| null.clone());
        scalars.push(value.cast_to(&ty).map_err(errors::execution)?);
    }
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&scalars, &ty)))
}

/// Decimals of a list share one scale.
fn widest(values: &[Option<ScalarValue>]) -> i8 {
    let scale = |value: &Option<ScalarValue>| match value {
        Some(ScalarValue::Decimal128(_, _, scale) | ScalarValue::Decimal256(_, _, scale)) => *scale,
        _ => 0,
    };
    values.iter().map(scale).max().unwrap_or(0)
}

fn one_dimension() -> Box<Error> {
    errors::error("0A000", "array parameters of more than one dimension are not supported")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_formats_give_the_same_list() {
        let text = from_text(&Type::INT4_ARRAY, "{7,NULL}", "UTC").unwrap();
        let words = [1, 1, 23, 2, 1, 4, 7, -1];
        let bytes: Vec<u8> = words.iter().flat_map(|w: &i32| w.to_be_bytes()).collect();
        assert_eq!(from_binary(&Type::INT4_ARRAY, &bytes).unwrap(), text);
        for cut in 0..bytes.len() {
            assert!(from_binary(&Type::INT4_ARRAY, &bytes[..cut]).is_err());
        }
        assert!(from_binary(&Type::INT8_ARRAY, &bytes).is_err());
        let decimals = from_text(&Type::NUMERIC_ARRAY, "{1.5,2.25}", "UTC").unwrap();
        assert_eq!(decimals.to_string(), "[1.50, 2.25]");
    }
}
