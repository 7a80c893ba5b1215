//! Days, microseconds and time zones, without a calendar library: this runs once a value.

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::TimeUnit;
use std::sync::Arc;

pub const DAY: i64 = 86_400_000_000;
/// 2000-01-01, where Postgres counts from, in days since 1970.
pub const EPOCH_DAYS: i64 = 10_957;

/// Year (0 is 1 BC), month and day of a day since 1970-01-01.
/// http://howardhinnant.github.io/date_algorithms.html#civil_from_days
pub fn civil(days: i64) -> (i64, u32, u32) {
    let z = i128::from(days) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u32;
    let year = (yoe + era * 400) as i64 + i64::from(month <= 2);
    (year, month, day)
}

/// Microseconds of a count of units; what is finer than a microsecond is cut off towards the past.
pub fn micros(unit: TimeUnit) -> fn(i64) -> Option<i64> {
    match unit {
        TimeUnit::Second => |v| v.checked_mul(1_000_000),
        TimeUnit::Millisecond => |v| v.checked_mul(1000),
        TimeUnit::Microsecond => Some,
        TimeUnit::Nanosecond => |v| Some(v.div_euclid(1000)),
    }
}

/// A session's time zone.
#[derive(Clone)]
pub enum Zone {
    Utc,
    Named(Arc<Tz>),
}

impl Zone {
    /// By the name of the setting; None where there is no such zone.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "UTC" | "Etc/UTC" | "GMT" | "Zulu" | "+00:00" => Some(Zone::Utc),
            _ => name.parse().ok().map(|tz| Zone::Named(Arc::new(tz))),
        }
    }

    /// Seconds east of Greenwich at an instant.
    pub fn offset(&self, micros: i64) -> i64 {
        use chrono::{DateTime, Offset, TimeZone};
        match (self, DateTime::from_timestamp_micros(micros)) {
            (Zone::Named(tz), Some(at)) => {
                i64::from(tz.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc())
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn civil_days() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(EPOCH_DAYS), (2000, 1, 1));
        assert_eq!(civil(EPOCH_DAYS + 59), (2000, 2, 29));
        assert_eq!(civil(-719_528), (0, 1, 1));
        assert_eq!(civil(-719_529), (-1, 12, 31));
        civil(i64::MAX);
        civil(i64::MIN);
    }

    #[test]
    fn zones() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        assert_eq!(berlin.offset(0), 3600);
        assert_eq!(Zone::parse("+05:30").unwrap().offset(0), 19_800);
        assert_eq!(berlin.offset(i64::MAX), 0);
        assert!(Zone::parse("Nowhere/Land").is_none());
    }
}
