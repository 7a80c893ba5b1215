//! Stored types as SQL shows them, and the conversion of stored columns to them.

use bigdecimal::{BigDecimal, ToPrimitive};
use daodb_storage::{Value, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};
use std::str::FromStr;
use std::sync::Arc;

/// Digits of a Decimal128.
const PRECISION: u8 = 38;
/// Digits after the point of a bigdec column.
const SCALE: i8 = 10;

/// The narrowest type that holds all of these; nothing observed or declared shows as text.
pub fn shown(stored: &[ValueType]) -> ValueType {
    use ValueType::*;
    let within = |set: &[ValueType]| stored.iter().all(|t| set.contains(t));
    match stored {
        [] => String,
        [one] => *one,
        _ if within(&[Long, Ref]) => Long,
        _ if within(&[Long, Bigint]) => Bigint,
        _ if within(&[Long, Double]) => Double,
        _ if within(&[Long, Bigint, Bigdec]) => Bigdec,
        _ => String,
    }
}

/// The Arrow type of a SQL column that shows `ty`.
pub fn sql_type(ty: ValueType) -> DataType {
    match ty {
        ValueType::Bigint => DataType::Decimal128(PRECISION, 0),
        ValueType::Bigdec => DataType::Decimal128(PRECISION, SCALE),
        _ => ty.arrow(),
    }
}

/// The same, as a list for cardinality many.
pub fn column_type(ty: ValueType, many: bool) -> DataType {
    if many { DataType::List(Arc::new(item_field(sql_type(ty)))) } else { sql_type(ty) }
}

pub fn item_field(ty: DataType) -> Field {
    Field::new_list_field(ty, true)
}

/// A stored column as the SQL column that shows `to`. `e` says whom a value that does not fit belongs to.
pub fn convert(from: ValueType, v: &ArrayRef, to: ValueType, e: &[i64]) -> Result<ArrayRef> {
    use ValueType::*;
    if from.arrow() == sql_type(to) && (from == to || from != Tuple) {
        return Ok(Arc::clone(v));
    }
    match (from, to) {
        (Long, Double) => Ok(cast(v, &DataType::Float64)?),
        (Long | Bigint, Bigint) => decimal(v, 0, e),
        (Long | Bigint | Bigdec, Bigdec) => decimal(v, SCALE, e),
        (_, String) => text(from, v),
        (from, to) => Err(DataFusionError::Internal(format!(
            "a stored {} cannot be shown as {}",
            from.name(),
            to.name()
        ))),
    }
}

fn decimal(v: &ArrayRef, scale: i8, e: &[i64]) -> Result<ArrayRef> {
    let mut out: Vec<Option<i128>> = Vec::with_capacity(v.len());
    if v.data_type() == &DataType::Int64 {
        let factor = 10i128.pow(scale.unsigned_abs().into());
        out.extend(v.as_primitive::<Int64Type>().iter().map(|n| n.map(|n| i128::from(n) * factor)));
    } else {
        for (row, s) in v.as_string_view().iter().enumerate() {
            out.push(match s {
                Some(s) => Some(
                    decimal_digits(s, scale).ok_or_else(|| does_not_fit(s, scale, e.get(row)))?,
                ),
                None => None,
            });
        }
    }
    let array: Decimal128Array = out.into_iter().collect();
    Ok(Arc::new(array.with_precision_and_scale(PRECISION, scale)?))
}

/// The digits of a decimal text at this scale; None where any would be lost or there are more than 38.
fn decimal_digits(s: &str, scale: i8) -> Option<i128> {
    let exact = BigDecimal::from_str(s).ok()?;
    let scaled = exact.with_scale(scale.into());
    let digits = scaled.as_bigint_and_exponent().0.to_i128()?;
    (scaled == exact && digits.unsigned_abs() < 10u128.pow(PRECISION.into())).then_some(digits)
}

fn does_not_fit(s: &str, scale: i8, e: Option<&i64>) -> DataFusionError {
    let whose = e.map(|e| format!(" of entity {e}")).unwrap_or_default();
    crate::Error::new(
        crate::SqlState::Code("22003"),
        format!("the value {s}{whose} does not fit numeric({PRECISION},{scale})"),
    )
    .hint("read it as text from dao.datoms")
    .into()
}

/// A stored column as text: strings raw, numbers in digits, instants in ISO 8601, bytes as Postgres prints them (`\x0102`).
pub fn text(from: ValueType, v: &ArrayRef) -> Result<ArrayRef> {
    if v.data_type() == &DataType::Utf8View {
        return Ok(Arc::clone(v));
    }
    let mut out = StringViewBuilder::with_capacity(v.len());
    for row in 0..v.len() {
        if v.is_null(row) {
            out.append_null();
        } else {
            out.append_value(text_at(from, v, row)?);
        }
    }
    Ok(Arc::new(out.finish()))
}

fn text_at(from: ValueType, v: &ArrayRef, row: usize) -> Result<String> {
    Ok(match from {
        ValueType::Boolean => v.as_boolean().value(row).to_string(),
        ValueType::Long | ValueType::Ref => v.as_primitive::<Int64Type>().value(row).to_string(),
        ValueType::Double => Value::Double(v.as_primitive::<Float64Type>().value(row)).to_string(),
        ValueType::Instant => {
            value_text(&Value::Instant(v.as_primitive::<TimestampMicrosecondType>().value(row)))
        }
        ValueType::Bytes => bytes_text(v.as_binary_view().value(row)),
        ValueType::Tuple => Value::from_canonical(v.as_binary_view().value(row))?.to_string(),
        _ => v.as_string_view().value(row).to_owned(),
    })
}

fn bytes_text(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |mut s, b| {
        use std::fmt::Write;
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// A value's text as a column shows it.
pub fn value_text(v: &Value) -> String {
    match v {
        Value::Bigint(n) => n.to_string(),
        Value::Bigdec(d) => d.to_plain_string(),
        Value::Instant(us) => daodb_storage::value::instant_text(*us),
        Value::Uuid(u) => u.to_string(),
        Value::Bytes(b) => bytes_text(b),
        v => v.as_str().map_or_else(|| v.to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn narrowest_types() {
        use ValueType::*;
        let check = |stored: &[ValueType], expect| assert_eq!(shown(stored), expect, "{stored:?}");
        check(&[], String);
        check(&[Uuid], Uuid);
        check(&[Long, Ref], Long);
        check(&[Long, Double], Double);
        check(&[Long, Bigint], Bigint);
        check(&[Long, Bigint, Bigdec], Bigdec);
        check(&[Double, Bigdec], String);
        check(&[String, Keyword], String);
        check(&[Boolean, Long], String);
        check(&[Bytes, Tuple], String);
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(decimal_digits("1.5", 10), Some(15_000_000_000));
        assert_eq!(decimal_digits("-12", 0), Some(-12));
        assert_eq!(decimal_digits("1.50000000000", 10), Some(15_000_000_000));
        assert_eq!(decimal_digits("1.00000000001", 10), None);
        assert_eq!(decimal_digits(&"9".repeat(39), 0), None);
        assert_eq!(decimal_digits(&"9".repeat(38), 0), Some(10i128.pow(38) - 1));
    }

    #[test]
    fn a_value_too_large_names_its_entity() {
        let v = Value::Bigdec(Arc::new("1e-11".parse().unwrap()));
        let v = ValueType::Bigdec.array(std::iter::once(Some(&v)));
        let e = convert(ValueType::Bigdec, &v, ValueType::Bigdec, &[77]).unwrap_err();
        assert!(e.to_string().contains("entity 77"), "{e}");
    }

    #[test]
    fn mixed_types_as_text() {
        let values = [
            Value::Long(1),
            Value::Double(0.5),
            Value::Instant(0),
            Value::Bytes([1, 255].into()),
            Value::keyword("a"),
        ];
        let expect = ["1", "0.5", "1970-01-01T00:00:00Z", "\\x01ff", ":a"];
        for (v, expect) in values.iter().zip(expect) {
            let column = v.value_type().array(std::iter::once(Some(v)));
            let shown = convert(v.value_type(), &column, ValueType::String, &[1]).unwrap();
            assert_eq!(shown.as_string_view().value(0), expect);
            assert_eq!(value_text(v), expect);
        }
    }
}
