//! A point in time as people name it (a t, a transaction entity, an instant), and its resolution to a t.
//!
//! The rules, so that an answer never changes afterwards and never comes from another time than was asked for:
//! - a t (equally the transaction's entity id) that does not exist yet is an error; one before the first transaction is the
//!   empty database;
//! - an instant means the last transaction at or before it; before the first one that is the empty database; an instant that
//!   is yet to come is an error, because transactions may still be made before it.

use crate::error::{Error, Result, SqlState};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use daodb_storage::value::instant_text;
use daodb_storage::{FIRST_T, Snapshot};
use std::fmt;

/// The t of the empty database.
pub const EMPTY_T: i64 = FIRST_T - 1;

const ACCEPTED: &str = "accepted are a transaction number (1042) and an instant up to now \
    ('2026-01-01', '2026-01-01 12:30', '2026-01-01T12:30:00.5Z', '2026-01-01 12:30:00+02')";

/// A point in time, not yet resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A transaction: its t, which is also its entity id.
    T(i64),
    /// Microseconds, UTC.
    Instant(i64),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::T(t) => write!(f, "{t}"),
            Moment::Instant(us) => f.write_str(&instant_text(*us)),
        }
    }
}

impl Moment {
    /// Reads what people write; a time without an offset is UTC.
    pub fn parse(text: &str) -> Result<Moment> {
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return trimmed.parse().map(Moment::T).map_err(|_| unreadable(text));
        }
        instant(trimmed).map(Moment::Instant).ok_or_else(|| unreadable(text))
    }

    /// The t whose state this names. `now` (microseconds) is the database's clock.
    pub async fn resolve(self, snapshot: &Snapshot, now: i64) -> Result<i64> {
        let newest = snapshot.newest();
        match self {
            Moment::T(t) if t < 0 => Err(invalid(format!("there is no transaction {t}"))),
            Moment::T(t) if t > newest.t => {
                let what = match newest.t {
                    EMPTY_T => "there is no transaction yet".to_owned(),
                    newest => format!("the newest is {newest}"),
                };
                Err(invalid(format!("transaction {t} does not exist yet: {what}")))
            }
            Moment::T(t) => Ok(t.max(EMPTY_T)),
            Moment::Instant(us) if us > now.max(newest.instant) => {
                let us = instant_text(us);
                Err(invalid(format!("{us} is yet to come: its state is not known yet")))
            }
            Moment::Instant(us) => Ok(snapshot.t_at(us).await?.unwrap_or(EMPTY_T)),
        }
    }

    /// The t of the last transaction at or before this, for the ends of a range: they may lie in the future.
    pub async fn bound(self, snapshot: &Snapshot) -> Result<i64> {
        match self {
            Moment::T(t) => Ok(t),
            Moment::Instant(us) => Ok(snapshot.t_at(us).await?.unwrap_or(EMPTY_T)),
        }
    }
}

fn invalid(message: String) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message).hint(ACCEPTED)
}

fn unreadable(text: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    invalid(format!("\"{shown}\" is no point in time"))
}

/// Microseconds of RFC 3339 and of what Postgres prints, and of a date alone.
fn instant(text: &str) -> Option<i64> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
    }
    // `2026-01-01T12:30`: the hyphens of the date are no sign of an offset.
    let time_at = text.char_indices().nth(10)?.0;
    let (date, time) = text.split_at_checked(time_at)?;
    let time = time.strip_prefix(['T', 't', ' '])?.trim_start();
    let (time, offset) = match time.find(['+', '-', 'Z', 'z', 'U']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let local = format!("{date} {}", time.trim_end());
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let local = formats.iter().find_map(|f| NaiveDateTime::parse_from_str(&local, f).ok())?;
    let offset = match offset.trim() {
        "" | "Z" | "z" | "UTC" => 0,
        signed => offset_seconds(signed)?,
    };
    let utc = local.and_utc().timestamp_micros().checked_sub(offset * 1_000_000)?;
    DateTime::from_timestamp_micros(utc).map(|t| t.timestamp_micros())
}

/// Seconds of `+02`, `+0230`, `-02:30`.
fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let number = |s: &str| match s.len() {
        1 | 2 if s.bytes().all(|b| b.is_ascii_digit()) => s.parse::<i64>().ok(),
        _ => None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 15 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NEW_YEAR: i64 = 1_767_225_600_000_000;

    #[test]
    fn what_people_write() {
        let check = |text: &str, expect: Moment| {
            assert_eq!(Moment::parse(text).unwrap(), expect, "{text}");
        };
        check("1042", Moment::T(1042));
        check(" 1042 ", Moment::T(1042));
        check("-1", Moment::T(-1));
        check("2026-01-01", Moment::Instant(NEW_YEAR));
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01 00:00",
            "2026-01-01 00:00:00",
            "2026-01-01 02:00:00+02",
            "2026-01-01 02:00 +02:00",
            "2025-12-31 21:30:00-0230",
            "2026-01-01 00:00:00.000 UTC",
            "2026-01-01t00:00:00.000000z",
        ] {
            check(text, Moment::Instant(NEW_YEAR));
        }
        check("2026-01-01 00:00:00.5", Moment::Instant(NEW_YEAR + 500_000));
    }

    #[test]
    fn what_is_no_time_is_told_what_is() {
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-13-01",
            "2026-01-01 25:00",
            "2026-01-01 00:00+99",
            "2026-01-01X00:00",
            "99999999999999999999",
            "ééééééééééééé",
        ] {
            match Moment::parse(text) {
                Ok(moment) => assert_eq!((text, moment), ("2026", Moment::T(2026))),
                Err(e) => {
                    assert_eq!(e.state, SqlState::INVALID_PARAMETER_VALUE);
                    assert!(e.to_string().contains("accepted are"), "{e}");
                }
            }
        }
    }

    #[test]
    fn it_prints_what_it_reads() {
        for text in ["1042", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500Z"] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), text);
        }
    }
}
