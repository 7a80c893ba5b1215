//! A time as a statement, a parameter or a setting gives it, and the transaction that it names.

use super::clause::{Kind, RangeKind};
use crate::error::{Error, Result, SqlState};
use crate::table::VersionRange;
use chrono::{DateTime, Duration, Utc};
use daodb_storage::{FIRST_T, OPEN, Snapshot};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

/// What a time says, before it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A transaction's t, which is also its entity.
    T(i64),
    /// Microseconds, UTC.
    Instant(i64),
}

/// What a relation is read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
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

impl Point {
    /// Reads a value; texts without an offset, and instants without a zone, are taken in `zone`.
    pub fn of(value: &ScalarValue, kind: Kind, zone: &str, now: DateTime<Utc>) -> Result<Point> {
        if value.is_null() {
            return Err(invalid("a time cannot be null").hint(ACCEPTED));
        }
        let point = match value {
            ScalarValue::Utf8(Some(s))
            | ScalarValue::Utf8View(Some(s))
            | ScalarValue::LargeUtf8(Some(s)) => return Point::of_text(s, kind, zone, now),
            v if v.data_type().is_integer() || is_whole(v) => match v.cast_to(&DataType::Int64) {
                Ok(ScalarValue::Int64(Some(t))) => Point::T(t),
                _ => return Err(invalid(format!("no transaction has the t {v}")).hint(ACCEPTED)),
            },
            v @ (ScalarValue::Date32(_) | ScalarValue::Date64(_)) => {
                return Point::of_text(&v.to_string(), kind, zone, now);
            }
            v if matches!(v.data_type(), DataType::Timestamp(..)) => {
                Point::Instant(micros(v, zone)?)
            }
            v => {
                let ty = v.data_type();
                return Err(invalid(format!("a value of type {ty} is not a time")).hint(ACCEPTED));
            }
        };
        point.checked(kind)
    }

    pub fn of_text(text: &str, kind: Kind, zone: &str, now: DateTime<Utc>) -> Result<Point> {
        let text = text.trim();
        if let Ok(t) = text.parse::<i64>() {
            return Point::T(t).checked(kind);
        }
        let day = |days: i64| (now + Duration::days(days)).format("%Y-%m-%d").to_string();
        let text = match text.to_ascii_lowercase().as_str() {
            "now" => now.to_rfc3339(),
            "today" => day(0),
            "yesterday" => day(-1),
            _ => text.to_owned(),
        };
        let value = ScalarValue::Utf8(Some(text.clone()));
        match micros(&value, zone) {
            Ok(us) => Point::Instant(us).checked(kind),
            Err(_) => Err(invalid(format!("\"{text}\" is not a time")).hint(ACCEPTED)),
        }
    }

    fn checked(self, kind: Kind) -> Result<Point> {
        match (self, kind) {
            (Point::Instant(_), Kind::Version) => {
                Err(invalid("VERSION AS OF takes a transaction's t, not an instant")
                    .hint("write TIMESTAMP AS OF or FOR SYSTEM_TIME AS OF"))
            }
            (Point::T(t), Kind::Timestamp) => {
                Err(invalid(format!("TIMESTAMP AS OF takes an instant, not the number {t}"))
                    .hint("write VERSION AS OF or FOR SYSTEM_TIME AS OF"))
            }
            (point, _) => Ok(point),
        }
    }

    /// The transaction that a reader as of this point stands at.
    pub async fn as_of(self, snapshot: &Snapshot, now: DateTime<Utc>) -> Result<i64> {
        let newest = snapshot.t();
        match self {
            Point::T(t) if t < FIRST_T || t > newest => Err(no_transaction(snapshot, t)),
            Point::T(t) => Ok(t),
            Point::Instant(us) => {
                let newest_instant = snapshot.instant_of(newest).await?.unwrap_or(i64::MIN);
                if us > now.timestamp_micros().max(newest_instant) {
                    return Err(invalid(format!("the instant {} lies in the future", text(us)))
                        .hint("what will be known then is not known yet; use now()"));
                }
                match snapshot.t_at(us).await? {
                    Some(t) => Ok(t.min(newest)),
                    None => Err(before_all(snapshot, us).await?),
                }
            }
        }
    }

    /// The last transaction before this point, or at it.
    async fn last(self, snapshot: &Snapshot, inclusive: bool) -> Result<i64> {
        Ok(match (self, inclusive) {
            (Point::T(t), true) => t,
            (Point::T(t), false) => t.saturating_sub(1),
            (Point::Instant(us), true) => snapshot.t_at(us).await?.unwrap_or(FIRST_T - 1),
            (Point::Instant(us), false) => {
                snapshot.t_at(us.saturating_sub(1)).await?.unwrap_or(FIRST_T - 1)
            }
        })
    }
}

/// The versions that a range form asks for. A version holds from its first instant up to, not including, its last.
pub async fn versions(
    kind: RangeKind,
    from: Point,
    to: Point,
    snapshot: &Snapshot,
) -> Result<VersionRange> {
    let ordered = match (from, to) {
        (Point::T(a), Point::T(b)) | (Point::Instant(a), Point::Instant(b)) => a <= b,
        _ => true,
    };
    if !ordered {
        return Err(invalid("the range ends before it begins").hint("write the earlier time first"));
    }
    let after = |t: i64| t.saturating_add(1);
    Ok(match kind {
        RangeKind::FromTo => VersionRange {
            t_from: (i64::MIN, to.last(snapshot, false).await?),
            t_to: (after(from.last(snapshot, true).await?), OPEN),
        },
        RangeKind::Between => VersionRange {
            t_from: (i64::MIN, to.last(snapshot, true).await?),
            t_to: (after(from.last(snapshot, true).await?), OPEN),
        },
        RangeKind::ContainedIn => VersionRange {
            t_from: (after(from.last(snapshot, false).await?), i64::MAX),
            t_to: (i64::MIN, to.last(snapshot, true).await?.min(OPEN - 1)),
        },
    })
}

fn no_transaction(snapshot: &Snapshot, t: i64) -> Error {
    let newest = snapshot.t();
    if newest < FIRST_T {
        return invalid(format!("there is no transaction {t}: the database is empty"));
    }
    let e = invalid(format!("there is no transaction {t}: they go from {FIRST_T} to {newest}"));
    match snapshot.view().as_of {
        Some(t) => e.hint(format!("the session is as of {t}; RESET daodb.as_of to see later ones")),
        None => e.hint("dao.transactions lists them"),
    }
}

async fn before_all(snapshot: &Snapshot, us: i64) -> Result<Error> {
    let first = match snapshot.instant_of(FIRST_T).await? {
        Some(first) => format!("the first is of {}", text(first)),
        None => "the database is empty".to_owned(),
    };
    Ok(invalid(format!("no transaction is as old as {}: {first}", text(us))))
}

fn text(us: i64) -> String {
    daodb_storage::value::instant_text(us)
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
        _ => Err(invalid(format!("{v} is not a time")).hint(ACCEPTED)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }
    fn instant(s: &str) -> Point {
        Point::Instant(s.parse::<DateTime<Utc>>().unwrap().timestamp_micros())
    }

    #[test]
    fn texts() {
        let check = |text: &str, zone: &str, expect: Point| {
            let found = Point::of_text(text, Kind::SystemTime, zone, now()).unwrap();
            assert_eq!(found, expect, "{text} in {zone}");
        };
        check("1042", "UTC", Point::T(1042));
        check(" 2026-01-01 ", "UTC", instant("2026-01-01T00:00:00Z"));
        check("2026-01-01", "Europe/Berlin", instant("2025-12-31T23:00:00Z"));
        check("2026-01-01 10:00:00+02", "UTC", instant("2026-01-01T08:00:00Z"));
        check("2026-01-01T10:00:00.5Z", "Asia/Tokyo", instant("2026-01-01T10:00:00.5Z"));
        check("now", "UTC", instant("2026-03-01T12:00:00Z"));
        check("yesterday", "UTC", instant("2026-02-28T00:00:00Z"));
        for text in ["", "soon", "2026-13-01", "1042x"] {
            let e = Point::of_text(text, Kind::SystemTime, "UTC", now()).unwrap_err();
            assert_eq!(e.state, SqlState::INVALID_PARAMETER_VALUE, "{text}");
            assert!(e.hint.is_some(), "{text}");
        }
    }

    #[test]
    fn values() {
        let check = |v: ScalarValue, expect: Point| {
            assert_eq!(Point::of(&v, Kind::SystemTime, "Europe/Berlin", now()).unwrap(), expect);
        };
        check(ScalarValue::Int32(Some(1042)), Point::T(1042));
        check(ScalarValue::UInt64(Some(1042)), Point::T(1042));
        check(ScalarValue::Decimal128(Some(1042), 10, 0), Point::T(1042));
        let us = 1_767_225_600_000_000; // 2026-01-01T00:00:00Z
        let zoned = Some("UTC".into());
        check(ScalarValue::TimestampMicrosecond(Some(us), zoned), Point::Instant(us));
        check(
            ScalarValue::TimestampNanosecond(Some(us * 1000), None),
            Point::Instant(us - 3_600_000_000),
        );
        check(ScalarValue::Date32(Some(20_454)), Point::Instant(us - 3_600_000_000));
        for bad in [
            ScalarValue::Utf8(None),
            ScalarValue::Null,
            ScalarValue::Boolean(Some(true)),
            ScalarValue::Float64(Some(1042.0)),
        ] {
            let e = Point::of(&bad, Kind::SystemTime, "UTC", now()).unwrap_err();
            assert_eq!(e.state, SqlState::INVALID_PARAMETER_VALUE, "{bad}");
        }
    }

    #[test]
    fn kinds_are_held_apart() {
        let t = ScalarValue::Int64(Some(1042));
        let day = ScalarValue::from("2026-01-01");
        assert!(Point::of(&t, Kind::Version, "UTC", now()).is_ok());
        assert!(Point::of(&day, Kind::Timestamp, "UTC", now()).is_ok());
        assert!(Point::of(&t, Kind::Timestamp, "UTC", now()).is_err());
        assert!(Point::of(&day, Kind::Version, "UTC", now()).is_err());
    }
}
