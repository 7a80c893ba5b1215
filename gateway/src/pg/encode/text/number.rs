//! Integers, floats and decimals.

use super::{Style, values};
use crate::pg::encode::Write;
use crate::pg::encode::decimal::Decimal;
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType};
use datafusion::arrow::datatypes::*;
use std::io::Write as _;

/// None: no number.
pub fn writer(array: &ArrayRef, style: &Style) -> Option<Write> {
    let digits = style.float_digits;
    let trimmed = style.trimmed;
    Some(match array.data_type() {
        DataType::Int8 => integer::<Int8Type>(array),
        DataType::Int16 => integer::<Int16Type>(array),
        DataType::Int32 => integer::<Int32Type>(array),
        DataType::Int64 => integer::<Int64Type>(array),
        DataType::UInt8 => integer::<UInt8Type>(array),
        DataType::UInt16 => integer::<UInt16Type>(array),
        DataType::UInt32 => integer::<UInt32Type>(array),
        DataType::UInt64 => integer::<UInt64Type>(array),
        DataType::Float16 => floats::<Float16Type>(array, digits, |v| Float::Single(v.to_f32())),
        DataType::Float32 => floats::<Float32Type>(array, digits, Float::Single),
        DataType::Float64 => floats::<Float64Type>(array, digits, Float::Double),
        DataType::Decimal32(_, s) => {
            let s = *s;
            decimals::<Decimal32Type>(array, trimmed, move |v| Decimal::from_i128(v.into(), s))
        }
        DataType::Decimal64(_, s) => {
            let s = *s;
            decimals::<Decimal64Type>(array, trimmed, move |v| Decimal::from_i128(v.into(), s))
        }
        DataType::Decimal128(_, s) => {
            let s = *s;
            decimals::<Decimal128Type>(array, trimmed, move |v| Decimal::from_i128(v, s))
        }
        DataType::Decimal256(_, s) => {
            let s = *s;
            decimals::<Decimal256Type>(array, trimmed, move |v| Decimal::from_i256(v, s))
        }
        _ => return None,
    })
}

fn integer<T: ArrowPrimitiveType>(array: &ArrayRef) -> Write
where
    T::Native: itoa::Integer,
{
    let array = values::<T>(array);
    Box::new(move |row, out| {
        out.put_slice(itoa::Buffer::new().format(array.value(row)).as_bytes());
        Ok(())
    })
}

fn floats<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    digits: i32,
    of: fn(T::Native) -> Float,
) -> Write {
    let array = values::<T>(array);
    Box::new(move |row, out| {
        of(array.value(row)).write(digits, out);
        Ok(())
    })
}

fn decimals<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    trimmed: bool,
    of: impl Fn(T::Native) -> Decimal + Send + Sync + 'static,
) -> Write {
    let array = values::<T>(array);
    Box::new(move |row, out| {
        let decimal = of(array.value(row));
        write_decimal(&if trimmed { decimal.trimmed() } else { decimal }, out);
        Ok(())
    })
}

fn write_decimal(decimal: &Decimal, out: &mut BytesMut) {
    let digits = decimal.digits();
    if decimal.negative && !digits.is_empty() {
        out.put_u8(b'-');
    }
    let whole = digits.len().saturating_sub(decimal.scale);
    let (before, after) = digits.split_at(whole);
    out.put_slice(if before.is_empty() { b"0" } else { before });
    if decimal.scale > 0 {
        out.put_u8(b'.');
        out.put_bytes(b'0', decimal.scale - after.len());
        out.put_slice(after);
    }
}

/// A float with the precision of its type.
#[derive(Debug, Clone, Copy)]
pub enum Float {
    Single(f32),
    Double(f64),
}

impl Float {
    /// As Postgres's float4out and float8out do; the bounds between plain and exponent are those of its own code.
    pub fn write(self, extra_digits: i32, out: &mut BytesMut) {
        let (wide, most) = match self {
            Float::Single(v) => (f64::from(v), 6),
            Float::Double(v) => (v, 15),
        };
        if wide.is_nan() {
            return out.put_slice(b"NaN");
        }
        if wide.is_infinite() {
            return out.put_slice(if wide > 0.0 { b"Infinity" } else { b"-Infinity" });
        }
        let mut buffer = [0u8; 64];
        let mut rest = buffer.as_mut_slice();
        let room = rest.len();
        // Never full: a sign, 17 digits and an exponent.
        let _ = match self {
            _ if extra_digits <= 0 => {
                let digits = usize::try_from((most + extra_digits).max(1)).unwrap_or(1);
                write!(rest, "{wide:.*e}", digits - 1)
            }
            Float::Single(v) => write!(rest, "{v:e}"),
            Float::Double(v) => write!(rest, "{v:e}"),
        };
        let length = room - rest.len();
        let most = if extra_digits <= 0 { (most + extra_digits).max(1) } else { most };
        plain_or_exponent(buffer.get(..length).unwrap_or_default(), most, out);
    }
}

/// `-1.25e3` as Postgres writes it: plain from 1e-4 up to 10^most, else with an exponent of two digits or more.
fn plain_or_exponent(text: &[u8], most: i32, out: &mut BytesMut) {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let e = text.iter().position(|b| *b == b'e').unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(e);
    let exponent: i32 = exponent
        .get(1..)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .unwrap_or(0);
    let mut digits = [0u8; 24];
    let mut count = 0;
    for (place, digit) in digits.iter_mut().zip(mantissa.iter().filter(|b| **b != b'.')) {
        *place = *digit;
        count += 1;
    }
    // Rounded to a number of digits it may end in zeros, which %g does not print.
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    let digits = digits.get(..count).unwrap_or_default();
    if negative {
        out.put_u8(b'-');
    }
    if (-4..most).contains(&exponent) {
        plain(digits, exponent, out)
    } else {
        scientific(digits, exponent, out)
    }
}

fn plain(digits: &[u8], exponent: i32, out: &mut BytesMut) {
    match usize::try_from(exponent) {
        Ok(exponent) if digits.len() > exponent + 1 => {
            let (before, after) = digits.split_at(exponent + 1);
            out.put_slice(before);
            out.put_u8(b'.');
            out.put_slice(after);
        }
        Ok(exponent) => {
            out.put_slice(digits);
            out.put_bytes(b'0', exponent + 1 - digits.len());
        }
        Err(_) => {
            out.put_slice(b"0.");
            out.put_bytes(b'0', exponent.unsigned_abs() as usize - 1);
            out.put_slice(digits);
        }
    }
}

fn scientific(digits: &[u8], exponent: i32, out: &mut BytesMut) {
    if let Some((first, after)) = digits.split_first() {
        out.put_u8(*first);
        if !after.is_empty() {
            out.put_u8(b'.');
            out.put_slice(after);
        }
    }
    out.put_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        out.put_u8(b'0');
    }
    out.put_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::check;
    use super::*;
    use datafusion::arrow::array::*;

    #[test]
    fn integers() {
        check(Int8Array::from(vec![i8::MIN, 0, i8::MAX]), &["-128", "0", "127"]);
        check(Int64Array::from(vec![i64::MIN]), &["-9223372036854775808"]);
        check(UInt64Array::from(vec![7]), &["7"]);
    }

    #[test]
    fn doubles_as_postgres_prints_them() {
        let check = |v: f64, expect: &str| check(Float64Array::from(vec![v]), &[expect]);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(0.1, "0.1");
        check(1.0 / 3.0, "0.3333333333333333");
        check(-123.456, "-123.456");
        check(100_000.0, "100000");
        check(1e14, "100000000000000");
        check(123_456_789_012_345.6, "123456789012345.6");
        check(1e15, "1e+15");
        check(1.5e15, "1.5e+15");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(1.25e-7, "1.25e-07");
        check(1e100, "1e+100");
        check(f64::MAX, "1.7976931348623157e+308");
        check(5e-324, "5e-324");
        check(f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-Infinity");
    }

    #[test]
    fn singles() {
        let check = |v: f32, expect: &str| check(Float32Array::from(vec![v]), &[expect]);
        check(0.1, "0.1");
        check(100_000.0, "100000");
        check(1_000_000.0, "1e+06");
        check(1_234_567.0, "1.234567e+06");
        check(f32::INFINITY, "Infinity");
    }

    #[test]
    fn fewer_digits_where_a_session_asks_for_them() {
        let check = |v: f64, extra: i32, expect: &str| {
            let mut out = BytesMut::new();
            Float::Double(v).write(extra, &mut out);
            assert_eq!(out, expect.as_bytes());
        };
        check(1.0 / 3.0, 0, "0.333333333333333");
        check(1.0 / 3.0, -12, "0.333");
        check(0.1 + 0.2, 0, "0.3");
        check(123_456.0, -12, "1.23e+05");
        check(1e14, 0, "100000000000000");
        check(1.0 / 3.0, -20, "0.3");
    }

    #[test]
    fn decimals() {
        let check = |v: i128, p, s, expect: &str| {
            let array = Decimal128Array::from(vec![v]).with_precision_and_scale(p, s).unwrap();
            check(array, &[expect]);
        };
        check(12345, 10, 2, "123.45");
        check(-5, 10, 3, "-0.005");
        check(0, 10, 2, "0.00");
        check(0, 10, 0, "0");
        check(7, 10, 0, "7");
        check(10i128.pow(38) - 1, 38, 0, "99999999999999999999999999999999999999");
        check(12, 5, -2, "1200");
    }
}
