//! Values in Postgres's binary formats (its `*send` functions).

mod array;
mod numeric;
mod record;

use super::calendar::{DAY, EPOCH_DAYS};
use super::decimal::Decimal;
use super::text::{self, Style, values};
use super::{Write, listed};
use crate::pg::errors::{self, Result};
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use datafusion::arrow::datatypes::*;
use pgwire::api::Type;
use uuid::Uuid;

/// Of an array that is neither a dictionary nor runs.
pub fn writer(array: &ArrayRef, ty: &Type, style: &Style) -> Result<Write> {
    use DataType as D;
    if *ty == Type::UUID {
        return uuid(array, style);
    }
    Ok(match array.data_type() {
        D::Boolean => {
            let array = array.as_boolean().clone();
            Box::new(move |row, out| {
                out.put_u8(array.value(row).into());
                Ok(())
            })
        }
        D::Int8 => put::<Int8Type>(array, |v, out| out.put_i16(v.into())),
        D::UInt8 => put::<UInt8Type>(array, |v, out| out.put_i16(v.into())),
        D::Int16 => put::<Int16Type>(array, |v, out| out.put_i16(v)),
        D::UInt16 => put::<UInt16Type>(array, |v, out| out.put_i32(v.into())),
        D::Int32 => put::<Int32Type>(array, |v, out| out.put_i32(v)),
        D::UInt32 => put::<UInt32Type>(array, |v, out| out.put_u32(v)),
        D::Int64 => put::<Int64Type>(array, |v, out| out.put_i64(v)),
        D::UInt64 => unsigned(array),
        D::Float16 => put::<Float16Type>(array, |v, out| out.put_f32(v.to_f32())),
        D::Float32 => put::<Float32Type>(array, |v, out| out.put_f32(v)),
        D::Float64 => put::<Float64Type>(array, |v, out| out.put_f64(v)),
        D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
            decimal(array, style.trimmed)
        }
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => bytea(array),
        D::Timestamp(unit, _) => timestamp(array, *unit),
        D::Date32 => put_date(values::<Date32Type>(array), |v| v.into()),
        D::Date64 => put_date(values::<Date64Type>(array), |v| v.div_euclid(86_400_000)),
        D::Time32(_) | D::Time64(_) => {
            let of_day = text::time_of_day(array);
            Box::new(move |row, out| {
                out.put_i64(of_day(row));
                Ok(())
            })
        }
        D::Interval(_) | D::Duration(_) => {
            let interval = text::intervals(array);
            Box::new(move |row, out| {
                let v = interval(row);
                out.put_i64(v.micros);
                out.put_i32(v.days);
                out.put_i32(v.months);
                Ok(())
            })
        }
        D::Struct(_) => record::writer(array, style)?,
        D::List(_) | D::LargeList(_) | D::FixedSizeList(..) | D::Map(..) => {
            array::writer(array, ty, style)?
        }
        D::ListView(_) | D::LargeListView(_) => array::writer(&listed(array)?, ty, style)?,
        // Text is the same both ways.
        D::Null | D::Utf8 | D::LargeUtf8 | D::Utf8View => text::writer(array, ty, style)?,
        other => return Err(errors::error("0A000", format!("cannot write {other} as binary"))),
    })
}

fn put<T: ArrowPrimitiveType>(array: &ArrayRef, put: fn(T::Native, &mut BytesMut)) -> Write {
    let array = values::<T>(array);
    Box::new(move |row, out| {
        put(array.value(row), out);
        Ok(())
    })
}

fn unsigned(array: &ArrayRef) -> Write {
    let array = values::<UInt64Type>(array);
    Box::new(move |row, out| {
        let value = i64::try_from(array.value(row))
            .map_err(|_| errors::error("22003", "bigint out of range"))?;
        out.put_i64(value);
        Ok(())
    })
}

fn bytea(array: &ArrayRef) -> Write {
    macro_rules! put {
        ($array:expr) => {{
            let array = $array.clone();
            Box::new(move |row, out: &mut BytesMut| {
                out.put_slice(array.value(row));
                Ok(())
            })
        }};
    }
    match array.data_type() {
        DataType::Binary => put!(array.as_binary::<i32>()),
        DataType::LargeBinary => put!(array.as_binary::<i64>()),
        DataType::FixedSizeBinary(_) => put!(array.as_fixed_size_binary()),
        _ => put!(array.as_binary_view()),
    }
}

fn uuid(array: &ArrayRef, style: &Style) -> Result<Write> {
    if array.as_fixed_size_binary_opt().is_some() {
        return Ok(bytea(array));
    }
    let text = text::writer(array, &Type::TEXT, style)?;
    Ok(Box::new(move |row, out| {
        let start = out.len();
        text(row, out)?;
        let uuid = Uuid::try_parse_ascii(out.get(start..).unwrap_or_default())
            .map_err(|e| errors::error("22P02", format!("invalid input for type uuid: {e}")))?;
        out.truncate(start);
        out.put_slice(uuid.as_bytes());
        Ok(())
    }))
}

fn timestamp(array: &ArrayRef, unit: TimeUnit) -> Write {
    let micros = text::timestamps(array, unit);
    Box::new(move |row, out| {
        let since_2000 = match micros(row) {
            Some(infinity @ (i64::MAX | i64::MIN)) => Some(infinity),
            value => value.and_then(|v| v.checked_sub(EPOCH_DAYS * DAY)),
        };
        let value = since_2000.ok_or_else(|| errors::error("22008", "timestamp out of range"))?;
        out.put_i64(value);
        Ok(())
    })
}

fn put_date<T: ArrowPrimitiveType>(
    array: datafusion::arrow::array::PrimitiveArray<T>,
    days: fn(T::Native) -> i64,
) -> Write {
    Box::new(move |row, out| {
        let days = i32::try_from(days(array.value(row)) - EPOCH_DAYS)
            .map_err(|_| errors::error("22008", "date out of range"))?;
        out.put_i32(days);
        Ok(())
    })
}

fn decimal(array: &ArrayRef, trimmed: bool) -> Write {
    fn of<T: ArrowPrimitiveType>(
        array: &ArrayRef,
        trimmed: bool,
        decimal: impl Fn(T::Native) -> Decimal + Send + Sync + 'static,
    ) -> Write {
        let array = values::<T>(array);
        Box::new(move |row, out| {
            let value = decimal(array.value(row));
            numeric::write(&if trimmed { value.trimmed() } else { value }, out);
            Ok(())
        })
    }
    match *array.data_type() {
        DataType::Decimal32(_, s) => {
            of::<Decimal32Type>(array, trimmed, move |v| Decimal::from_i128(v.into(), s))
        }
        DataType::Decimal64(_, s) => {
            of::<Decimal64Type>(array, trimmed, move |v| Decimal::from_i128(v.into(), s))
        }
        DataType::Decimal256(_, s) => {
            of::<Decimal256Type>(array, trimmed, move |v| Decimal::from_i256(v, s))
        }
        DataType::Decimal128(_, s) => {
            of::<Decimal128Type>(array, trimmed, move |v| Decimal::from_i128(v, s))
        }
        _ => of::<Decimal128Type>(array, trimmed, |v| Decimal::from_i128(v, 0)),
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pg::encode::{Cells, column, formatted, types};
    use datafusion::arrow::array::*;
    use std::sync::Arc;

    /// The bytes of the first value.
    pub fn bytes(array: ArrayRef, field: &Field) -> Result<Vec<u8>> {
        let columns = formatted(vec![column(field).unwrap()], &[1]).unwrap();
        let mut out = BytesMut::new();
        Cells::new(&array, &columns[0], &Style::default())?.write(0, &mut out)?;
        Ok(out.into())
    }

    pub fn check(array: impl Array + 'static, expect: &[u8]) {
        let field = Field::new("c", array.data_type().clone(), true);
        assert_eq!(bytes(Arc::new(array), &field).unwrap(), expect);
    }

    #[test]
    fn numbers() {
        check(BooleanArray::from(vec![true]), &[1]);
        check(Int8Array::from(vec![-1]), &[255, 255]);
        check(UInt16Array::from(vec![u16::MAX]), &[0, 0, 255, 255]);
        check(Int64Array::from(vec![258]), &[0, 0, 0, 0, 0, 0, 1, 2]);
        check(UInt64Array::from(vec![1]), &[0, 0, 0, 0, 0, 0, 0, 1]);
        check(Float64Array::from(vec![1.5]), &1.5f64.to_be_bytes());
        check(Float32Array::from(vec![1.5]), &1.5f32.to_be_bytes());
        let field = Field::new("c", DataType::UInt64, true);
        let e = bytes(Arc::new(UInt64Array::from(vec![u64::MAX])), &field).unwrap_err();
        assert_eq!(e.state.as_str(), "22003");
    }

    #[test]
    fn times() {
        let hour = 3_600_000_000i64;
        check(
            TimestampMicrosecondArray::from(vec![946_684_800_000_000 + hour]),
            &hour.to_be_bytes(),
        );
        check(TimestampMicrosecondArray::from(vec![i64::MAX]), &i64::MAX.to_be_bytes());
        check(Date32Array::from(vec![10_958]), &1i32.to_be_bytes());
        check(Time64MicrosecondArray::from(vec![hour]), &hour.to_be_bytes());
        let interval = IntervalMonthDayNanoType::make_value(1, 2, 3000);
        let expect = [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1];
        check(IntervalMonthDayNanoArray::from(vec![interval]), &expect);
    }

    #[test]
    fn uuids_of_text() {
        let field = Field::new("c", DataType::Utf8View, true)
            .with_metadata([(types::VALUE_TYPE.into(), "uuid".into())].into());
        let uuid = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        let array = StringViewArray::from(vec![uuid.to_string()]);
        assert_eq!(bytes(Arc::new(array), &field).unwrap(), uuid.as_bytes());
    }
}
