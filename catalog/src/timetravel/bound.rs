//! A time as a statement, a parameter or a setting gives it, and the transaction that it names.

use super::clause::{Kind, RangeKind};
use crate::basis::Moment;
use crate::error::{Error, Result, SqlState};
use crate::session::literals;
use crate::table::VersionRange;
use daodb_storage::{OPEN, Snapshot};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

/// When a relation is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    AsOf(i64),
    Versions(VersionRange),
}

const ACCEPTED: &str = "give a transaction's t (1042) or an instant ('2026-01-01', '2026-01-01 12:00:00+00', \
                        now() - interval '1 day')";

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// What is wrong with a time that is no constant.
pub fn not_constant(what: &str) -> Error {
    invalid(format!("a time must be a constant or a bound parameter: {what}")).hint(ACCEPTED)
}

/// Reads a value; texts without an offset, and instants without a zone, are taken in `zone`.
pub fn of_value(value: &ScalarValue, kind: Kind, zone: &str) -> Result<Moment> {
    if value.is_null() {
        return Err(invalid("a time cannot be null").hint(ACCEPTED));
    }
    let moment = match value {
        ScalarValue::Utf8(Some(s))
        | ScalarValue::Utf8View(Some(s))
        | ScalarValue::LargeUtf8(Some(s)) => return of_text(s, kind, zone),
        v if v.data_type().is_integer() || is_whole(v) => match v.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(t))) => Moment::T(t),
            _ => return Err(invalid(format!("no transaction has the t {v}")).hint(ACCEPTED)),
        },
        ScalarValue::Date32(_) | ScalarValue::Date64(_) => {
            return of_text(&value.to_string(), kind, zone);
        }
        v if matches!(v.data_type(), DataType::Timestamp(..)) => Moment::Instant(micros(v, zone)?),
        v => {
            let ty = v.data_type();
            return Err(invalid(format!("a value of type {ty} is not a time")).hint(ACCEPTED));
        }
    };
    checked(moment, kind)
}

/// Reads `1042`, `2026-01-01`, `2026-01-01 12:00`, `2026-01-01T12:00:00Z`.
pub fn of_text(text: &str, kind: Kind, zone: &str) -> Result<Moment> {
    let text = text.trim();
    let moment = match text.parse::<i64>() {
        Ok(t) => Moment::T(t),
        Err(_) => {
            // Arrow wants seconds where people write hours and minutes.
            let with_seconds = literals::with_seconds(text);
            let text = with_seconds.as_deref().unwrap_or(text);
            Moment::Instant(micros(&ScalarValue::from(text), zone)?)
        }
    };
    checked(moment, kind)
}

fn checked(moment: Moment, kind: Kind) -> Result<Moment> {
    match (moment, kind) {
        (Moment::Instant(_), Kind::Version) => {
            Err(invalid("VERSION AS OF takes a transaction's t, not an instant")
                .hint("write TIMESTAMP AS OF or FOR SYSTEM_TIME AS OF"))
        }
        (Moment::T(t), Kind::Timestamp) => {
            Err(invalid(format!("TIMESTAMP AS OF takes an instant, not the number {t}"))
                .hint("write VERSION AS OF or FOR SYSTEM_TIME AS OF"))
        }
        (moment, _) => Ok(moment),
    }
}

/// The t that a reader of `snapshot` stands at as of this moment: never later than the snapshot itself.
pub async fn as_of(moment: Moment, snapshot: &Snapshot, now: i64) -> Result<i64> {
    let t = moment.resolve(snapshot, now).await?;
    match snapshot.view().as_of {
        Some(end) if t > end => Err(invalid(format!(
            "{moment} lies after t {end}, which this session or view is read as of"
        ))
        .hint("RESET daodb.as_of shows what came later")),
        _ => Ok(t),
    }
}

/// The last transaction before this moment, or at it.
async fn last(moment: Moment, snapshot: &Snapshot, inclusive: bool) -> Result<i64> {
    let moment = match (moment, inclusive) {
        (moment, true) => moment,
        (Moment::T(t), false) => Moment::T(t.saturating_sub(1)),
        (Moment::Instant(us), false) => Moment::Instant(us.saturating_sub(1)),
    };
    moment.bound(snapshot).await
}

/// The versions that a range form asks for. A version holds from its first instant up to, not including, its last.
pub async fn versions(
    kind: RangeKind,
    from: Moment,
    to: Moment,
    snapshot: &Snapshot,
) -> Result<VersionRange> {
    let ordered = match (from, to) {
        (Moment::T(a), Moment::T(b)) | (Moment::Instant(a), Moment::Instant(b)) => a <= b,
        _ => true,
    };
    if !ordered {
        return Err(invalid("the range ends before it begins").hint("write the earlier time first"));
    }
    let after = |t: i64| t.saturating_add(1);
    Ok(match kind {
        RangeKind::FromTo => {
            let (first, end) =
                (last(from, snapshot, true).await?, last(to, snapshot, false).await?);
            match from == to || end < first {
                // There is no time within, not even of a version that began before and ends later.
                true => VersionRange::NONE,
                false => VersionRange { t_from: (i64::MIN, end), t_to: (after(first), OPEN) },
            }
        }
        RangeKind::Between => VersionRange {
            t_from: (i64::MIN, last(to, snapshot, true).await?),
            t_to: (after(last(from, snapshot, true).await?), OPEN),
        },
        RangeKind::ContainedIn => VersionRange {
            t_from: (after(last(from, snapshot, false).await?), i64::MAX),
            t_to: (i64::MIN, last(to, snapshot, true).await?.min(OPEN - 1)),
        },
    })
}

/// 1042 as a numeric.
fn is_whole(v: &ScalarValue) -> bool {
    matches!(v, ScalarValue::Decimal128(_, _, 0))
}

/// Microseconds, UTC.
fn micros(v: &ScalarValue, zone: &str) -> Result<i64> {
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    let us = match v.data_type() {
        // Already a point on the line, whatever zone it is printed in.
        DataType::Timestamp(_, Some(_)) => v.cast_to(&plain),
        // The time on the wall in `zone`.
        _ => v.cast_to(&zoned),
    };
    match us {
        Ok(ScalarValue::TimestampMicrosecond(Some(us), _)) => Ok(us),
        _ => Err(invalid(format!("\"{v}\" is not a time")).hint(ACCEPTED)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::{DateTime, Utc};

    fn instant(s: &str) -> Moment {
        Moment::Instant(s.parse::<DateTime<Utc>>().unwrap().timestamp_micros())
    }

    #[test]
    fn texts() {
        let check = |text: &str, zone: &str, expect: Moment| {
            assert_eq!(of_text(text, Kind::SystemTime, zone).unwrap(), expect, "{text} in {zone}");
        };
        check("1042", "UTC", Moment::T(1042));
        check(" 2026-01-01 ", "UTC", instant("2026-01-01T00:00:00Z"));
        check("2026-01-01", "Europe/Berlin", instant("2025-12-31T23:00:00Z"));
        check("2026-01-01 10:00", "UTC", instant("2026-01-01T10:00:00Z"));
        check("2026-01-01 10:00+02", "UTC", instant("2026-01-01T08:00:00Z"));
        check("2026-01-01 10:00:00+02", "UTC", instant("2026-01-01T08:00:00Z"));
        check("2026-01-01T10:00:00.5Z", "Asia/Tokyo", instant("2026-01-01T10:00:00.5Z"));
        for text in ["", "soon", "yesterday", "2026-13-01", "1042x"] {
            let e = of_text(text, Kind::SystemTime, "UTC").unwrap_err();
            assert_eq!(e.state, SqlState::INVALID_PARAMETER_VALUE, "{text}");
            assert!(e.hint.is_some(), "{text}");
        }
    }

    #[test]
    fn values() {
        let check = |v: ScalarValue, expect: Moment| {
            assert_eq!(of_value(&v, Kind::SystemTime, "Europe/Berlin").unwrap(), expect);
        };
        check(ScalarValue::Int32(Some(1042)), Moment::T(1042));
        check(ScalarValue::UInt64(Some(1042)), Moment::T(1042));
        check(ScalarValue::Decimal128(Some(1042), 10, 0), Moment::T(1042));
        let us = 1_767_225_600_000_000; // 2026-01-01T00:00:00Z
        let local = Moment::Instant(us - 3_600_000_000);
        check(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())), Moment::Instant(us));
        check(ScalarValue::TimestampNanosecond(Some(us * 1000), None), local);
        check(ScalarValue::Date32(Some(20_454)), local);
        for bad in [
            ScalarValue::Utf8(None),
            ScalarValue::Null,
            ScalarValue::Boolean(Some(true)),
            ScalarValue::Float64(Some(1042.0)),
        ] {
            let e = of_value(&bad, Kind::SystemTime, "UTC").unwrap_err();
            assert_eq!(e.state, SqlState::INVALID_PARAMETER_VALUE, "{bad}");
        }
    }

    #[test]
    fn kinds_are_held_apart() {
        let t = ScalarValue::Int64(Some(1042));
        let day = ScalarValue::from("2026-01-01");
        assert!(of_value(&t, Kind::Version, "UTC").is_ok());
        assert!(of_value(&day, Kind::Timestamp, "UTC").is_ok());
        assert!(of_value(&t, Kind::Timestamp, "UTC").is_err());
        assert!(of_value(&day, Kind::Version, "UTC").is_err());
    }
}
