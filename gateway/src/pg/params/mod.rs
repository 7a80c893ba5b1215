//! The values that Bind carries, by their declared or inferred type: in Postgres's [`text`] or [`binary`] format.

mod array;
mod binary;
mod text;

use super::encode::Format;
use super::errors::{self, Result};
use daodb_catalog::Error;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use pgwire::api::Type;

/// The `n`-th parameter, of Postgres type `ty`, for a statement that was planned with `planned`. `zone` is where instants
/// without a zone are.
pub fn decode(
    ty: &Type,
    planned: &DataType,
    format: Format,
    value: Option<&[u8]>,
    zone: &str,
    n: usize,
) -> Result<ScalarValue> {
    let Some(bytes) = value else {
        return ScalarValue::try_from(planned).map_err(errors::execution);
    };
    let value = match format {
        Format::Text => text::decode(ty, utf8(bytes)?, zone),
        Format::Binary => binary::decode(ty, bytes),
    };
    value.and_then(|value| fit(value, planned)).map_err(|mut e| {
        e.detail.get_or_insert_with(|| format!("This is parameter ${n}."));
        e
    })
}

/// As the plan has it; decimals keep the digits that came.
fn fit(value: ScalarValue, planned: &DataType) -> Result<ScalarValue> {
    let decimal = |ty: &DataType| matches!(ty, DataType::Decimal128(..) | DataType::Decimal256(..));
    let ty = value.data_type();
    if ty == *planned || *planned == DataType::Null || (decimal(&ty) && decimal(planned)) {
        return Ok(value);
    }
    let fitted = value.cast_to(planned).map_err(errors::execution)?;
    match fitted.is_null() && !value.is_null() {
        true => Err(errors::error("22003", format!("the value {value} does not fit {planned}"))),
        false => Ok(fitted),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|e| super::frontend::not_utf8(bytes, e))?;
    match text.contains('\0') {
        true => Err(errors::error("22021", "invalid byte sequence for encoding \"UTF8\": 0x00")),
        false => Ok(text),
    }
}

/// Postgres's words for a text that is no value of a type.
fn invalid(ty: &str, text: &str) -> Box<Error> {
    errors::error("22P02", format!("invalid input syntax for type {ty}: \"{text}\""))
}

/// Decimal digits with a point, as a decimal of just so many digits.
fn decimal(digits: &str, negative: bool, scale: usize) -> Result<ScalarValue> {
    use datafusion::arrow::datatypes::i256;
    use std::str::FromStr;
    let digits = digits.trim_start_matches('0');
    let sign = if negative { "-" } else { "" };
    let text = if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") };
    let out_of_range = || {
        let mut e = errors::error("22003", "numeric with more than 76 digits");
        e.hint = Some("DaoDB computes with numerics of at most 76 digits".into());
        e
    };
    let scale = i8::try_from(scale).map_err(|_| out_of_range())?;
    let precision = digits.len().max(usize::try_from(scale).unwrap_or(0)).max(1);
    match u8::try_from(precision) {
        Ok(_) if precision <= 38 => {
            let value = text.parse().map_err(|_| out_of_range())?;
            Ok(ScalarValue::Decimal128(Some(value), 38, scale))
        }
        Ok(_) if precision <= 76 => {
            let value = i256::from_str(&text).map_err(|_| out_of_range())?;
            Ok(ScalarValue::Decimal256(Some(value), 76, scale))
        }
        _ => Err(out_of_range()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pg::encode::types;

    #[test]
    fn values_are_fitted_to_the_plan() {
        let text = |ty: &Type, planned: &DataType, value: &str| {
            decode(ty, planned, Format::Text, Some(value.as_bytes()), "UTC", 2)
        };
        let value = text(&Type::INT8, &DataType::UInt64, "7").unwrap();
        assert_eq!(value, ScalarValue::UInt64(Some(7)));
        let e = text(&Type::INT8, &DataType::UInt64, "-7").unwrap_err();
        assert_eq!(e.state.as_str(), "22003");
        let e = text(&Type::INT8, &DataType::Int64, "x").unwrap_err();
        assert_eq!(e.message, "invalid input syntax for type bigint: \"x\"");
        assert_eq!(e.detail.as_deref(), Some("This is parameter $2."));
        let null = decode(&Type::TEXT, &DataType::Utf8, Format::Text, None, "UTC", 1).unwrap();
        assert_eq!(null, ScalarValue::Utf8(None));
        let digits = "123.4500";
        let value = text(&Type::NUMERIC, &types::planned(&Type::NUMERIC).unwrap(), digits).unwrap();
        assert_eq!(value, ScalarValue::Decimal128(Some(1_234_500), 38, 4));
    }

    #[test]
    fn decimals() {
        let nines = "9".repeat(76);
        assert!(matches!(
            decimal(&nines, false, 0).unwrap(),
            ScalarValue::Decimal256(Some(_), 76, 0)
        ));
        assert!(decimal(&"9".repeat(77), false, 0).is_err());
        assert!(decimal("1", false, 200).is_err());
        assert_eq!(decimal("000", true, 2).unwrap(), ScalarValue::Decimal128(Some(0), 38, 2));
        assert_eq!(decimal("15", true, 1).unwrap(), ScalarValue::Decimal128(Some(-15), 38, 1));
    }
}
