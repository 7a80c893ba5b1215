//! Parameters in binary format (Postgres's `*recv` functions).

use super::{array, decimal, utf8};
use crate::pg::encode::calendar::{DAY, EPOCH_DAYS};
use crate::pg::encode::types;
use crate::pg::errors::{self, Result};
use daodb_catalog::Error;
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use uuid::Uuid;

pub fn decode(ty: &Type, bytes: &[u8]) -> Result<ScalarValue> {
    Ok(match *ty {
        Type::BOOL => ScalarValue::Boolean(Some(fixed::<1>(bytes)? != [0])),
        Type::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(fixed(bytes)?))),
        Type::INT4 => ScalarValue::Int32(Some(i32::from_be_bytes(fixed(bytes)?))),
        Type::INT8 => ScalarValue::Int64(Some(i64::from_be_bytes(fixed(bytes)?))),
        Type::OID => ScalarValue::Int64(Some(u32::from_be_bytes(fixed(bytes)?).into())),
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(fixed(bytes)?))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(fixed(bytes)?))),
        Type::NUMERIC => numeric(bytes)?,
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::UUID => ScalarValue::Utf8(Some(Uuid::from_bytes(fixed(bytes)?).to_string())),
        Type::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(instant(bytes)?), None),
        Type::TIMESTAMPTZ => {
            ScalarValue::TimestampMicrosecond(Some(instant(bytes)?), Some("UTC".into()))
        }
        Type::DATE => {
            let days = i64::from(i32::from_be_bytes(fixed(bytes)?)) + EPOCH_DAYS;
            let days = i32::try_from(days).map_err(|_| out_of_range("date"))?;
            ScalarValue::Date32(Some(days))
        }
        Type::TIME => ScalarValue::Time64Microsecond(Some(i64::from_be_bytes(fixed(bytes)?))),
        Type::INTERVAL => interval(fixed(bytes)?)?,
        // A version, then the text.
        Type::JSONB => match bytes.split_first() {
            Some((1, text)) => ScalarValue::Utf8(Some(utf8(text)?.to_owned())),
            _ => return Err(errors::error("08P01", "unsupported jsonb version number")),
        },
        ref array if types::item_of(array).is_some() => array::from_binary(array, bytes)?,
        ref other => match types::planned(other) {
            Some(_) => ScalarValue::Utf8(Some(utf8(bytes)?.to_owned())),
            None => {
                let mut e = errors::error(
                    "0A000",
                    format!("parameters of type {other} are not read in binary format"),
                );
                e.hint = Some("send it as text, or cast it in the statement".into());
                return Err(e);
            }
        },
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| errors::error("22P03", "incorrect binary data format in bind parameter"))
}

fn out_of_range(what: &str) -> Box<Error> {
    errors::error("22008", format!("{what} out of range"))
}

fn instant(bytes: &[u8]) -> Result<i64> {
    match i64::from_be_bytes(fixed(bytes)?) {
        infinity @ (i64::MAX | i64::MIN) => Ok(infinity),
        since_2000 => {
            since_2000.checked_add(EPOCH_DAYS * DAY).ok_or_else(|| out_of_range("timestamp"))
        }
    }
}

fn interval(bytes: [u8; 16]) -> Result<ScalarValue> {
    let micros = i64::from_be_bytes(fixed(bytes.get(..8).unwrap_or_default())?);
    let days = i32::from_be_bytes(fixed(bytes.get(8..12).unwrap_or_default())?);
    let months = i32::from_be_bytes(fixed(bytes.get(12..).unwrap_or_default())?);
    let nanos = micros.checked_mul(1000).ok_or_else(|| out_of_range("interval"))?;
    Ok(ScalarValue::new_interval_mdn(months, days, nanos))
}

/// Count of digits, power of 10,000 of the first, sign, decimal digits after the point, digits of base 10,000.
fn numeric(bytes: &[u8]) -> Result<ScalarValue> {
    let wrong = || errors::error("22P03", "invalid external \"numeric\" value");
    let (words, rest) = bytes.as_chunks::<2>();
    let words: Vec<u16> = words.iter().map(|w| u16::from_be_bytes(*w)).collect();
    let [count, weight, sign, scale, digits @ ..] = words.as_slice() else {
        return Err(wrong());
    };
    if !rest.is_empty() || digits.len() != usize::from(*count) {
        return Err(wrong());
    }
    let negative = match sign {
        0 => false,
        0x4000 => true,
        0xc000 | 0xd000 | 0xf000 => {
            return Err(errors::error("0A000", "numeric has no NaN and no infinity here"));
        }
        _ => return Err(wrong()),
    };
    if digits.iter().any(|d| *d > 9999) {
        return Err(wrong());
    }
    let mut text: String = digits.iter().map(|d| format!("{d:04}")).collect();
    // Digits after the point that the text has now; made as many as the scale says.
    let scale = i64::from(*scale);
    let after = (digits.len() as i64 - 1 - i64::from(weight.cast_signed())) * 4;
    let missing = scale - after;
    if missing > 400 {
        return decimal("", negative, usize::MAX);
    }
    match usize::try_from(missing) {
        Ok(missing) => text.extend(std::iter::repeat_n('0', missing)),
        Err(_) => {
            let keep = text.len().saturating_sub(missing.unsigned_abs() as usize);
            if text.bytes().skip(keep).any(|b| b != b'0') {
                return Err(wrong());
            }
            text.truncate(keep);
        }
    }
    decimal(&text, negative, usize::try_from(scale).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pg::encode::Cells;
    use crate::pg::encode::text::Style;
    use crate::pg::encode::{columns, formatted};
    use bytes::BytesMut;
    use datafusion::arrow::datatypes::{Field, Schema};

    /// What we send and what we read are the same.
    #[test]
    fn every_type_comes_back() {
        let check = |value: ScalarValue| {
            let field = Field::new("c", value.data_type(), true);
            let column = columns(&Schema::new(vec![field])).unwrap();
            let column = formatted(column, &[1]).unwrap().remove(0);
            let mut out = BytesMut::new();
            let array = value.to_array().unwrap();
            Cells::new(&array, &column, &Style::default()).unwrap().write(0, &mut out).unwrap();
            assert_eq!(decode(&column.ty, &out).unwrap(), value);
        };
        check(ScalarValue::Boolean(Some(true)));
        check(ScalarValue::Int16(Some(-2)));
        check(ScalarValue::Int32(Some(i32::MIN)));
        check(ScalarValue::Int64(Some(i64::MAX)));
        check(ScalarValue::Float32(Some(0.1)));
        check(ScalarValue::Float64(Some(-0.1)));
        check(ScalarValue::Utf8(Some("ä".into())));
        check(ScalarValue::Binary(Some(vec![0, 255])));
        check(ScalarValue::Date32(Some(-1)));
        check(ScalarValue::Time64Microsecond(Some(1)));
        check(ScalarValue::TimestampMicrosecond(Some(-1), None));
        check(ScalarValue::TimestampMicrosecond(Some(i64::MAX), Some("UTC".into())));
        check(ScalarValue::new_interval_mdn(1, -2, 3000));
        for (value, scale) in
            [(0, 0), (1, 0), (-12345, 2), (5, 7), (10i128.pow(38) - 1, 0), (10_000, 0), (10_000, 4)]
        {
            check(ScalarValue::Decimal128(Some(value), 38, scale));
        }
    }

    #[test]
    fn wrong_lengths_and_values() {
        let check = |ty: Type, bytes: &[u8], code: &str| {
            assert_eq!(decode(&ty, bytes).unwrap_err().state.as_str(), code, "{ty}");
        };
        check(Type::INT4, &[0, 0, 1], "22P03");
        check(Type::INT8, &[], "22P03");
        check(Type::UUID, &[0; 15], "22P03");
        check(Type::NUMERIC, &[0, 1, 0, 0, 0, 0, 0, 0], "22P03");
        check(Type::NUMERIC, &[0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "22P03");
        check(Type::NUMERIC, &[0, 0, 0, 0, 0xc0, 0, 0, 0], "0A000");
        check(Type::NUMERIC, &[0, 1, 0x7f, 0xff, 0, 0, 0, 0, 0, 1], "22003");
        check(Type::NUMERIC, &[0, 0, 0, 0, 0, 0, 0x3f, 0xff], "22003");
        check(Type::TIMESTAMP, &(i64::MAX - 1).to_be_bytes(), "22008");
        check(Type::TEXT, &[0xff], "22021");
        check(Type::POINT, &[0; 16], "0A000");
    }
}
