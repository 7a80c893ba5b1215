//! Values as Postgres prints them.

mod array;
mod interval;
mod number;
mod record;
mod time;

pub use interval::intervals;
pub use time::{time_of_day, timestamps};

use super::calendar::Zone;
use super::{Write, types};
use crate::pg::errors::{self, Result};
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::*;
use pgwire::api::Type;
use uuid::Uuid;

/// What a session's settings change in the text of values.
#[derive(Clone)]
pub struct Style {
    pub zone: Zone,
    /// `extra_float_digits`: 1 and up is the shortest text that reads back the same.
    pub float_digits: i32,
    /// Decimals without zeros at their end.
    pub trimmed: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { zone: Zone::Utc, float_digits: 1, trimmed: false }
    }
}

/// Of an array that is neither a dictionary nor runs.
pub fn writer(array: &ArrayRef, ty: &Type, style: &Style) -> Result<Write> {
    use DataType as D;
    if *ty == Type::UUID
        && let Some(write) = uuid(array)
    {
        return Ok(write);
    }
    Ok(match array.data_type() {
        D::Null => Box::new(|_, _| Ok(())),
        D::Boolean => {
            let array = array.as_boolean().clone();
            Box::new(move |row, out| {
                out.put_u8(if array.value(row) { b't' } else { b'f' });
                Ok(())
            })
        }
        D::Utf8 | D::LargeUtf8 | D::Utf8View => string(array),
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => bytea(array),
        D::Timestamp(unit, zone) => {
            time::timestamp(array, *unit, zone.is_some().then(|| style.zone.clone()))
        }
        D::Date32 | D::Date64 => time::date(array),
        D::Time32(_) | D::Time64(_) => time::time(array),
        D::Interval(_) | D::Duration(_) => interval::writer(array),
        D::Struct(_) => record::writer(array, style)?,
        D::List(_) | D::LargeList(_) | D::FixedSizeList(..) | D::Map(..) => {
            array::writer(array, ty, style)?
        }
        D::ListView(_) | D::LargeListView(_) => array::writer(&super::listed(array)?, ty, style)?,
        numeric => match number::writer(array, style) {
            Some(write) => write,
            None => return Err(errors::error("0A000", format!("cannot write {numeric} as text"))),
        },
    })
}

/// The n-th value of a primitive column.
pub fn values<T: ArrowPrimitiveType>(array: &ArrayRef) -> PrimitiveArray<T> {
    array.as_primitive::<T>().clone()
}

fn string(array: &ArrayRef) -> Write {
    macro_rules! put {
        ($array:expr) => {{
            let array = $array.clone();
            Box::new(move |row, out: &mut BytesMut| {
                out.put_slice(array.value(row).as_bytes());
                Ok(())
            })
        }};
    }
    match array.data_type() {
        DataType::Utf8 => put!(array.as_string::<i32>()),
        DataType::LargeUtf8 => put!(array.as_string::<i64>()),
        _ => put!(array.as_string_view()),
    }
}

fn bytea(array: &ArrayRef) -> Write {
    macro_rules! hex {
        ($array:expr) => {{
            let array = $array.clone();
            Box::new(move |row, out: &mut BytesMut| {
                hex(array.value(row), out);
                Ok(())
            })
        }};
    }
    match array.data_type() {
        DataType::Binary => hex!(array.as_binary::<i32>()),
        DataType::LargeBinary => hex!(array.as_binary::<i64>()),
        DataType::FixedSizeBinary(_) => hex!(array.as_fixed_size_binary()),
        _ => hex!(array.as_binary_view()),
    }
}

/// `\x0102ff`
fn hex(bytes: &[u8], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + 2 * bytes.len());
    out.put_slice(b"\\x");
    for byte in bytes {
        out.put_u8(DIGITS[usize::from(byte >> 4)]);
        out.put_u8(DIGITS[usize::from(byte & 15)]);
    }
}

/// Of sixteen bytes; a uuid that is kept as text is text already.
fn uuid(array: &ArrayRef) -> Option<Write> {
    let array = array.as_fixed_size_binary_opt().filter(|a| a.value_length() == 16)?.clone();
    Some(Box::new(move |row, out| {
        let uuid = Uuid::from_slice(array.value(row)).unwrap_or_default();
        out.put_slice(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        Ok(())
    }))
}

/// Fields of a struct with the types that they are written as.
fn fields_of(ty: &DataType) -> Result<Vec<Type>> {
    match ty {
        DataType::Struct(fields) => fields.iter().map(|f| types::of_field(f)).collect(),
        _ => Ok(vec![]),
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pg::encode::types::VALUE_TYPE;
    use crate::pg::encode::{Cells, Format, column, formatted};
    use datafusion::arrow::array::*;
    use std::sync::Arc;

    /// The texts of a column; a null is `None`.
    pub fn texts(array: ArrayRef, style: &Style) -> Vec<Option<String>> {
        let field = Field::new("c", array.data_type().clone(), true);
        tagged(array, field, style)
    }

    fn tagged(array: ArrayRef, field: Field, style: &Style) -> Vec<Option<String>> {
        let columns = formatted(vec![column(&field).unwrap()], &[]).unwrap();
        assert_eq!(columns[0].format, Format::Text);
        let cells = Cells::new(&array, &columns[0], style).unwrap();
        let text = |row| {
            let mut out = BytesMut::new();
            cells.write(row, &mut out).unwrap();
            String::from_utf8(out.into()).unwrap()
        };
        (0..array.len()).map(|row| (!cells.is_null(row)).then(|| text(row))).collect()
    }

    pub fn check(array: impl Array + 'static, expect: &[&str]) {
        let texts = texts(Arc::new(array), &Style::default());
        let texts: Vec<_> = texts.iter().map(|t| t.as_deref().unwrap_or("NULL")).collect();
        assert_eq!(texts, expect);
    }

    #[test]
    fn booleans_strings_and_bytes() {
        check(BooleanArray::from(vec![Some(true), Some(false), None]), &["t", "f", "NULL"]);
        check(StringViewArray::from(vec!["", "ä\t\0b"]), &["", "ä\t\0b"]);
        check(LargeStringArray::from(vec!["x"]), &["x"]);
        check(BinaryViewArray::from_iter_values([&b""[..], b"\x00\xff"]), &["\\x", "\\x00ff"]);
        check(NullArray::new(2), &["NULL", "NULL"]);
    }

    #[test]
    fn uuids_of_bytes_and_of_text() {
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        let bytes = Uuid::parse_str(uuid).unwrap().into_bytes();
        let field = |ty| {
            Field::new("c", ty, true).with_metadata([(VALUE_TYPE.into(), "uuid".into())].into())
        };
        let array: ArrayRef =
            Arc::new(FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).unwrap());
        let style = Style::default();
        let expect = [Some(uuid.to_owned())];
        assert_eq!(tagged(array, field(DataType::FixedSizeBinary(16)), &style), expect);
        let array: ArrayRef = Arc::new(StringViewArray::from(vec![uuid]));
        assert_eq!(tagged(array, field(DataType::Utf8View), &style), expect);
    }

    #[test]
    fn a_bigdec_has_no_zeros_that_nobody_wrote() {
        let array: ArrayRef = Arc::new(
            Decimal128Array::from(vec![15_000_000_000]).with_precision_and_scale(20, 10).unwrap(),
        );
        let field = Field::new("c", DataType::Decimal128(20, 10), true);
        let style = Style::default();
        let plain = tagged(Arc::clone(&array), field.clone(), &style);
        assert_eq!(plain, [Some("1.5000000000".to_owned())]);
        let field = field.with_metadata([(VALUE_TYPE.into(), "bigdec".into())].into());
        assert_eq!(tagged(array, field, &style), [Some("1.5".to_owned())]);
    }

    #[test]
    fn dictionaries_are_their_values() {
        let array: DictionaryArray<Int8Type> =
            vec![Some("a"), None, Some("a")].into_iter().collect();
        check(array, &["a", "NULL", "a"]);
    }
}
