//! Values as Arrow columns, one column for each type, and back: the shape that log objects and segments share.
//!
//! Bigint, bigdec and uuid are their text, so that every reader of Parquet can cast them; a tuple is its canonical bytes.

use super::order::one_nan;
use super::text::bigdec_text;
use super::{Value, ValueType};
use crate::error::{Error, Result};
use bigdecimal::{BigDecimal, num_bigint::BigInt};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, BooleanArray, Float64Array,
    Int64Array, PrimitiveArray, StringViewArray, StringViewBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int64Type};
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

impl ValueType {
    /// The column of values of this type, as [`ValueType::arrow`] says; null where an item is None or of another type.
    pub fn array<'a>(self, values: impl ExactSizeIterator<Item = Option<&'a Value>>) -> ArrayRef {
        match self {
            ValueType::Boolean => Arc::new(BooleanArray::from_iter(values.map(|v| match v {
                Some(Value::Boolean(b)) => Some(*b),
                _ => None,
            }))),
            ValueType::Long | ValueType::Ref => {
                Arc::new(self.integers::<Int64Type>(values)) as ArrayRef
            }
            ValueType::Instant => {
                let array = self.integers::<TimestampMicrosecondType>(values);
                Arc::new(array.with_data_type(self.arrow()))
            }
            ValueType::Double => Arc::new(Float64Array::from_iter(values.map(|v| match v {
                Some(Value::Double(d)) => Some(one_nan(*d)),
                _ => None,
            }))),
            ValueType::Bytes | ValueType::Tuple => self.binary(values),
            _ => self.text(values),
        }
    }

    fn integers<'a, T: ArrowPrimitiveType<Native = i64>>(
        self,
        values: impl Iterator<Item = Option<&'a Value>>,
    ) -> PrimitiveArray<T> {
        values.map(|v| v.filter(|v| v.value_type() == self).and_then(Value::as_i64)).collect()
    }

    fn binary<'a>(self, values: impl ExactSizeIterator<Item = Option<&'a Value>>) -> ArrayRef {
        let mut out = BinaryViewBuilder::with_capacity(values.len());
        let mut bytes = Vec::new();
        for v in values {
            match v {
                Some(Value::Bytes(b)) if self == ValueType::Bytes => out.append_value(b),
                Some(v @ Value::Tuple(_)) if self == ValueType::Tuple => {
                    bytes.clear();
                    v.write_canonical(&mut bytes);
                    out.append_value(&bytes);
                }
                _ => out.append_null(),
            }
        }
        Arc::new(out.finish())
    }

    fn text<'a>(self, values: impl ExactSizeIterator<Item = Option<&'a Value>>) -> ArrayRef {
        let mut out = StringViewBuilder::with_capacity(values.len());
        let mut text = String::new();
        for v in values {
            let Some(v) = v.filter(|v| v.value_type() == self) else {
                out.append_null();
                continue;
            };
            if let Some(s) = v.as_str() {
                out.append_value(s);
                continue;
            }
            text.clear();
            // Writing to a String never fails.
            let _ = match v {
                Value::Bigint(n) => write!(text, "{n}"),
                Value::Bigdec(d) => text.write_str(&bigdec_text(d)),
                Value::Uuid(u) => write!(text, "{u}"),
                _ => Ok(()),
            };
            out.append_value(&text);
        }
        Arc::new(out.finish())
    }
}

/// A typed column to take values out of.
pub struct ValueColumn {
    value_type: ValueType,
    cells: Cells,
}

enum Cells {
    Boolean(BooleanArray),
    Integer(Int64Array),
    Double(Float64Array),
    Text(StringViewArray),
    Binary(BinaryViewArray),
}

impl ValueColumn {
    /// `array` as [`ValueType::arrow`] says.
    pub fn new(value_type: ValueType, array: &ArrayRef) -> Result<Self> {
        if *array.data_type() != value_type.arrow() {
            return Err(Error::data(
                format!("column of {} values", value_type.name()),
                format!("is {} instead of {}", array.data_type(), value_type.arrow()),
            ));
        }
        let cells = match array.data_type() {
            DataType::Boolean => Cells::Boolean(array.as_boolean().clone()),
            DataType::Float64 => Cells::Double(array.as_primitive::<Float64Type>().clone()),
            DataType::Utf8View => Cells::Text(array.as_string_view().clone()),
            DataType::BinaryView => Cells::Binary(array.as_binary_view().clone()),
            DataType::Timestamp(_, _) => {
                let instants: &TimestampMicrosecondArray = array.as_primitive();
                Cells::Integer(Int64Array::new(
                    instants.values().clone(),
                    instants.nulls().cloned(),
                ))
            }
            _ => Cells::Integer(array.as_primitive::<Int64Type>().clone()),
        };
        Ok(Self { value_type, cells })
    }

    /// None where the cell is null.
    pub fn value(&self, row: usize) -> Result<Option<Value>> {
        Ok(match &self.cells {
            Cells::Boolean(a) => a.is_valid(row).then(|| Value::Boolean(a.value(row))),
            Cells::Integer(a) => a.is_valid(row).then(|| match self.value_type {
                ValueType::Instant => Value::Instant(a.value(row)),
                ValueType::Ref => Value::Ref(a.value(row)),
                _ => Value::Long(a.value(row)),
            }),
            Cells::Double(a) => a.is_valid(row).then(|| Value::Double(a.value(row))),
            Cells::Text(a) if a.is_null(row) => None,
            Cells::Text(a) => Some(self.read_text(a.value(row))?),
            Cells::Binary(a) if a.is_null(row) => None,
            Cells::Binary(a) => Some(self.read_binary(a.value(row))?),
        })
    }

    fn read_binary(&self, bytes: &[u8]) -> Result<Value> {
        match self.value_type {
            ValueType::Bytes => Ok(Value::Bytes(bytes.into())),
            _ => match Value::from_canonical(bytes)? {
                v @ Value::Tuple(_) => Ok(v),
                other => Err(Error::data("tuple", format!("holds {other} instead"))),
            },
        }
    }

    fn read_text(&self, text: &str) -> Result<Value> {
        let bad = |e: &dyn std::fmt::Display| {
            Error::data(format!("{} value {text:?}", self.value_type.name()), e)
        };
        Ok(match self.value_type {
            ValueType::Bigint => {
                Value::Bigint(Arc::new(BigInt::from_str(text).map_err(|e| bad(&e))?))
            }
            ValueType::Bigdec => {
                Value::Bigdec(Arc::new(BigDecimal::from_str(text).map_err(|e| bad(&e))?))
            }
            ValueType::Uuid => Value::Uuid(uuid::Uuid::from_str(text).map_err(|e| bad(&e))?),
            ValueType::Keyword => Value::Keyword(text.into()),
            ValueType::Symbol => Value::Symbol(text.into()),
            ValueType::Uri => Value::Uri(text.into()),
            _ => Value::String(text.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(values: &[Value]) {
        let ty = values[0].value_type();
        let cells: Vec<_> = values.iter().map(Some).chain([None]).collect();
        let array = ty.array(cells.into_iter());
        assert_eq!(*array.data_type(), ty.arrow());
        let column = ValueColumn::new(ty, &array).unwrap();
        for (i, v) in values.iter().enumerate() {
            let mut bytes = (Vec::new(), Vec::new());
            v.write_canonical(&mut bytes.0);
            column.value(i).unwrap().unwrap().write_canonical(&mut bytes.1);
            assert_eq!(bytes.0, bytes.1, "{v}");
        }
        assert_eq!(column.value(values.len()).unwrap(), None);
    }

    fn decimal(digits: i64, scale: i64) -> Value {
        Value::Bigdec(Arc::new(BigDecimal::new(BigInt::from(digits), scale)))
    }

    #[test]
    fn every_type_comes_back() {
        check(&[Value::Boolean(true), Value::Boolean(false)]);
        check(&[Value::Long(i64::MIN), Value::Long(0), Value::Long(i64::MAX)]);
        check(&[Value::Ref(-1), Value::Ref(1 << 40)]);
        check(&[Value::Instant(i64::MIN), Value::Instant(i64::MAX)]);
        check(&[Value::Double(-0.0), Value::Double(f64::NAN), Value::Double(f64::NEG_INFINITY)]);
        check(&[Value::Bigint(Arc::new(BigInt::from(i128::MIN)))]);
        check(&[
            decimal(100, 2),
            decimal(1, -3),
            decimal(-5, 30),
            decimal(0, 4),
            decimal(12345, 5),
            decimal(-12345, 9),
            decimal(0, -7),
            decimal(7, 1_000_000_000_000),
        ]);
        check(&[Value::string(""), Value::string("a long one, longer than twelve \u{1F600}")]);
        check(&[Value::keyword(":a/b")]);
        check(&[Value::Symbol("x".into())]);
        check(&[Value::Uri("http://a".into())]);
        check(&[Value::Uuid(uuid::Uuid::from_u128(7))]);
        check(&[Value::Bytes([0, 255].as_slice().into()), Value::Bytes([].as_slice().into())]);
        check(&[Value::Tuple([Some(Value::Long(1)), None, Some(decimal(10, 1))].into())]);
    }

    #[test]
    fn another_type_is_null() {
        let v = Value::Long(1);
        assert_eq!(ValueType::Ref.array([Some(&v)].into_iter()).null_count(), 1);
        assert_eq!(ValueType::String.array([Some(&v)].into_iter()).null_count(), 1);
    }
}
