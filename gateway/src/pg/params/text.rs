//! Parameters in text format.

use super::{array, decimal, invalid};
use crate::pg::encode::types;
use crate::pg::errors::{self, Result};
use daodb_catalog::session::{bytea, literals};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use std::str::FromStr;
use uuid::Uuid;

pub fn decode(ty: &Type, text: &str, zone: &str) -> Result<ScalarValue> {
    let trimmed = text.trim();
    Ok(match *ty {
        Type::BOOL => {
            ScalarValue::Boolean(Some(boolean(trimmed).ok_or_else(|| invalid("boolean", text))?))
        }
        Type::INT2 => ScalarValue::Int16(Some(integer(trimmed, "smallint")?)),
        Type::INT4 => ScalarValue::Int32(Some(integer(trimmed, "integer")?)),
        Type::INT8 => ScalarValue::Int64(Some(integer(trimmed, "bigint")?)),
        Type::OID => ScalarValue::Int64(Some(integer::<u32>(trimmed, "oid")?.into())),
        Type::FLOAT4 => ScalarValue::Float32(Some(float(trimmed, "real")?)),
        Type::FLOAT8 => ScalarValue::Float64(Some(float(trimmed, "double precision")?)),
        Type::NUMERIC => numeric(trimmed)?,
        Type::BYTEA => ScalarValue::Binary(Some(bytea::decode(text)?)),
        Type::UUID => {
            let uuid = Uuid::try_parse(trimmed).map_err(|_| invalid("uuid", text))?;
            ScalarValue::Utf8(Some(uuid.to_string()))
        }
        Type::TIMESTAMP => parsed(trimmed, &types::planned(ty), "timestamp")?,
        Type::TIMESTAMPTZ => {
            // Where no zone is said, it is the session's.
            let there = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
            let instant = parsed(trimmed, &Some(there), "timestamp with time zone")?;
            match instant {
                ScalarValue::TimestampMicrosecond(micros, _) => {
                    ScalarValue::TimestampMicrosecond(micros, Some("UTC".into()))
                }
                other => other,
            }
        }
        Type::DATE => parsed(trimmed, &types::planned(ty), "date")?,
        Type::TIME => parsed(trimmed, &types::planned(ty), "time")?,
        Type::INTERVAL => {
            let words = literals::interval_words(trimmed);
            parsed(words.as_deref().unwrap_or(trimmed), &types::planned(ty), "interval")?
        }
        ref array if types::item_of(array).is_some() => array::from_text(array, text, zone)?,
        _ => ScalarValue::Utf8(Some(text.to_owned())),
    })
}

/// Any beginning of the words that tells them apart.
fn boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    match text.as_str() {
        "1" => Some(true),
        "0" => Some(false),
        _ if begins("true", 1) || begins("yes", 1) || begins("on", 2) => Some(true),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Some(false),
        _ => None,
    }
}

fn integer<T: FromStr<Err = std::num::ParseIntError>>(text: &str, ty: &str) -> Result<T> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse().map_err(|e: std::num::ParseIntError| match e.kind() {
        PosOverflow | NegOverflow => {
            errors::error("22003", format!("value \"{text}\" is out of range for type {ty}"))
        }
        _ => invalid(ty, text),
    })
}

/// Rust reads `inf`, `infinity` and `nan` in any case, as Postgres does.
fn float<T: FromStr>(text: &str, ty: &str) -> Result<T> {
    text.parse().map_err(|_| invalid(ty, text))
}

/// `-12.50`, `1.5e3`.
fn numeric(text: &str) -> Result<ScalarValue> {
    let wrong = || invalid("numeric", text);
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().map_err(|_| wrong())?),
        None => (rest, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{before}{after}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let special = matches!(rest.to_ascii_lowercase().as_str(), "nan" | "inf" | "infinity");
        return Err(match special {
            true => errors::error("0A000", "numeric has no NaN and no infinity here"),
            false => wrong(),
        });
    }
    let scale = after.len() as i64 - i64::from(exponent);
    if scale < 0 && scale > -100 {
        digits.extend(std::iter::repeat_n('0', usize::try_from(-scale).unwrap_or(0)));
    }
    let scale = if scale <= -100 { usize::MAX } else { usize::try_from(scale).unwrap_or(0) };
    decimal(&digits, negative, scale)
}

fn parsed(text: &str, to: &Option<DataType>, name: &str) -> Result<ScalarValue> {
    let wrong = || {
        let mut e = invalid(name, text);
        e.state = daodb_catalog::SqlState::Code("22007");
        e
    };
    let to = to.as_ref().ok_or_else(wrong)?;
    let cast = |text: &str| ScalarValue::Utf8(Some(text.to_owned())).cast_to(to).ok();
    cast(text)
        .or_else(|| cast(&literals::with_seconds(text)?))
        .filter(|value| !value.is_null())
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(ty: Type, text: &str) -> ScalarValue {
        decode(&ty, text, "Europe/Berlin").unwrap()
    }

    #[test]
    fn values_of_every_family() {
        assert_eq!(of(Type::BOOL, "t"), ScalarValue::Boolean(Some(true)));
        assert_eq!(of(Type::BOOL, " OFF "), ScalarValue::Boolean(Some(false)));
        assert_eq!(of(Type::INT8, " 7 "), ScalarValue::Int64(Some(7)));
        assert_eq!(of(Type::FLOAT8, "-Infinity"), ScalarValue::Float64(Some(f64::NEG_INFINITY)));
        assert_eq!(of(Type::NUMERIC, "-1.50"), ScalarValue::Decimal128(Some(-150), 38, 2));
        assert_eq!(of(Type::NUMERIC, "1.5e3"), ScalarValue::Decimal128(Some(1500), 38, 0));
        assert_eq!(of(Type::NUMERIC, "15e-3"), ScalarValue::Decimal128(Some(15), 38, 3));
        assert_eq!(of(Type::BYTEA, "\\x01fF"), ScalarValue::Binary(Some(vec![1, 255])));
        assert_eq!(of(Type::BYTEA, "a\\\\\\001"), ScalarValue::Binary(Some(b"a\\\x01".to_vec())));
        assert_eq!(of(Type::DATE, "1970-01-02"), ScalarValue::Date32(Some(1)));
        let utc = Some("UTC".into());
        assert_eq!(
            of(Type::TIMESTAMPTZ, "1970-01-01 00:00:00+00"),
            ScalarValue::TimestampMicrosecond(Some(0), utc.clone())
        );
        assert_eq!(
            of(Type::TIMESTAMPTZ, "1970-01-01 01:00"),
            ScalarValue::TimestampMicrosecond(Some(0), utc)
        );
        assert_eq!(
            of(Type::TIMESTAMP, "1970-01-01"),
            ScalarValue::TimestampMicrosecond(Some(0), None)
        );
        assert_eq!(of(Type::TIME, "00:00:01"), ScalarValue::Time64Microsecond(Some(1_000_000)));
        assert_eq!(
            of(Type::INTERVAL, "1 mon 2 days 00:00:01"),
            ScalarValue::new_interval_mdn(1, 2, 1_000_000_000)
        );
        assert_eq!(
            of(Type::UUID, "{00112233-4455-6677-8899-AABBCCDDEEFF}"),
            ScalarValue::Utf8(Some("00112233-4455-6677-8899-aabbccddeeff".into()))
        );
    }

    #[test]
    fn what_is_no_value() {
        let check = |ty: Type, text: &str, code: &str| {
            let e = decode(&ty, text, "UTC").unwrap_err();
            assert_eq!(e.state.as_str(), code, "{ty} {text}: {e}");
        };
        check(Type::BOOL, "o", "22P02");
        check(Type::INT2, "70000", "22003");
        check(Type::INT4, "1.5", "22P02");
        check(Type::NUMERIC, "1e", "22P02");
        check(Type::NUMERIC, "1e30000", "22003");
        check(Type::NUMERIC, "NaN", "0A000");
        check(Type::NUMERIC, ".", "22P02");
        check(Type::BYTEA, "\\x0", "22023");
        check(Type::BYTEA, "\\9", "22P02");
        check(Type::UUID, "no", "22P02");
        check(Type::DATE, "soon", "22007");
        check(Type::TIMESTAMPTZ, "soon", "22007");
        check(Type::INTERVAL, "a while", "22007");
    }
}
