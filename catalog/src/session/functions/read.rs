//! A time read from a text by a template.

use super::moment::{DAYS, MONTHS};
use super::template::{Field, Part};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// What was read: a time on the wall, and its zone where that was said, in seconds east of UTC.
#[derive(Debug, PartialEq)]
pub struct Time {
    pub wall: NaiveDateTime,
    pub offset: Option<i64>,
}

/// What is wrong with a text.
#[derive(Debug, PartialEq)]
pub enum Wrong {
    /// Not a value of a field.
    Value(String),
    /// No time, though each of its fields has a value.
    Range,
    /// A field that cannot be read.
    Field(&'static str),
}

pub fn read(text: &str, parts: &[Part]) -> Result<Time, Wrong> {
    let mut found = Read::default();
    let mut rest = text.trim_start();
    for (i, part) in parts.iter().enumerate() {
        match part {
            Part::Text(between) => rest = past(rest, between),
            Part::Field(field) => {
                let signed = matches!(field.name, "TZH" | "YYYY" | "Y,YYY" | "IYYY");
                if !signed {
                    rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
                }
                rest = rest.trim_start();
                // What a text does not go on to say is left open.
                if rest.is_empty() {
                    break;
                }
                // Digits that another field follows at once are as many as the field has.
                let tight = matches!(parts.get(i + 1), Some(Part::Field(_)));
                rest = found.take(field, rest, tight, signed)?;
            }
        }
    }
    found.time().ok_or(Wrong::Range)
}

/// What stands between fields: a separator for any separator, as many letters as there are.
fn past<'t>(text: &'t str, between: &str) -> &'t str {
    let mut rest = text;
    for c in between.chars() {
        match rest.chars().next() {
            Some(r) if !c.is_alphanumeric() && r.is_alphanumeric() => {}
            Some(r) => rest = &rest[r.len_utf8()..],
            None => break,
        }
    }
    rest
}

/// The longer ones before those that they begin with.
const ROMAN: [&str; 12] =
    ["viii", "xii", "vii", "iii", "xi", "vi", "iv", "ix", "ii", "x", "v", "i"];
const ROMAN_MONTHS: [i64; 12] = [8, 12, 7, 3, 11, 6, 4, 9, 2, 10, 5, 1];

#[derive(Default)]
struct Read {
    year: Option<i64>,
    century: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    week_of_month: Option<i64>,
    day_of_year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    twelve: bool,
    minute: i64,
    second: i64,
    micros: i64,
    afternoon: Option<bool>,
    before_christ: bool,
    zone: Option<(i64, i64, i64)>,
}

impl Read {
    fn take<'t>(
        &mut self,
        field: &Field,
        text: &'t str,
        tight: bool,
        signed: bool,
    ) -> Result<&'t str, Wrong> {
        let wrong = || {
            let shown: String = text.chars().take(field.name.len()).collect();
            Wrong::Value(format!("invalid value \"{shown}\" for \"{}\"", field.name))
        };
        let sign = if signed && text.starts_with('-') { -1 } else { 1 };
        let number = |width: usize, free: bool| -> Result<(i64, &'t str), Wrong> {
            let from = usize::from(signed && text.starts_with(['-', '+']));
            let digits = text[from..].bytes().take_while(u8::is_ascii_digit).count();
            let digits = if free && !tight { digits } else { digits.min(width) };
            let n: i32 = text[from..from + digits].parse().map_err(|_| wrong())?;
            let rest = &text[from + digits..];
            // `5th`
            let rest = if field.ordinal.is_some() { rest.get(2..).unwrap_or("") } else { rest };
            Ok((i64::from(n) * sign, rest))
        };
        let word = |words: &[&str], letters: usize| -> Result<(i64, &'t str), Wrong> {
            let length = |w: &str| w.len().min(letters);
            let begins = |w: &&str| {
                text.get(..length(w)).is_some_and(|t| t.eq_ignore_ascii_case(&w[..length(w)]))
            };
            let at = words.iter().position(begins).ok_or_else(wrong)?;
            Ok((at as i64, &text[length(words[at])..]))
        };
        const ALL: usize = usize::MAX;
        let (n, rest) = match field.name {
            "YYYY" | "IYYY" => number(4, true)?,
            "Y,YYY" => {
                let (thousands, rest) = number(4, true)?;
                let digits = rest.strip_prefix(',').and_then(|r| r.get(..3)).ok_or_else(wrong)?;
                let ones: i64 = digits.parse().map_err(|_| wrong())?;
                (thousands * 1000 + ones * sign, &rest[4..])
            }
            "YYY" | "IYY" => number(3, true)?,
            "YY" | "IY" | "CC" => number(2, true)?,
            "Y" | "I" | "Q" | "D" | "ID" | "W" => number(1, true)?,
            "MONTH" => word(&MONTHS, ALL).or_else(|_| word(&MONTHS, 3))?,
            "MON" => word(&MONTHS, 3)?,
            "RM" => word(&ROMAN, ALL)?,
            "DAY" => word(&DAYS, ALL).or_else(|_| word(&DAYS, 3))?,
            "DY" => word(&DAYS, 3)?,
            "DDD" | "IDDD" | "MS" => number(3, field.name != "MS")?,
            "US" => number(6, false)?,
            "J" => number(7, true)?,
            "SSSS" | "SSSSS" => number(5, true)?,
            "AM" | "PM" => word(&["am", "pm"], ALL)?,
            "A.M." | "P.M." => word(&["a.m.", "p.m."], ALL)?,
            "AD" | "BC" => word(&["ad", "bc"], ALL)?,
            "A.D." | "B.C." => word(&["a.d.", "b.c."], ALL)?,
            "TZ" | "OF" => return Err(Wrong::Field(field.name)),
            name => match name.strip_prefix("FF").and_then(|n| n.parse().ok()) {
                Some(digits) => number(digits, false)?,
                None => number(2, true)?,
            },
        };
        let width = text.len() - rest.len();
        let fraction = || n * 10i64.pow(6u32.saturating_sub(u32::try_from(width).unwrap_or(6)));
        match field.name {
            "YYYY" | "Y,YYY" => self.year = Some(n),
            "YYY" | "YY" | "Y" => self.year = Some(near(n)),
            "CC" => self.century = Some(n),
            "IYYY" => self.iso_year = Some(n),
            "IYY" | "IY" | "I" => self.iso_year = Some(near(n)),
            "IW" => self.iso_week = Some(n),
            "ID" => self.iso_day = Some(n),
            "IDDD" => {
                self.iso_week = Some((n - 1).div_euclid(7) + 1);
                self.iso_day = Some((n - 1).rem_euclid(7) + 1);
            }
            "MONTH" | "MON" => self.month = Some(n + 1),
            "RM" => self.month = ROMAN_MONTHS.get(usize::try_from(n).unwrap_or(12)).copied(),
            "MM" => self.month = Some(n),
            "DD" => self.day = Some(n),
            "W" => self.week_of_month = Some(n),
            "DDD" => self.day_of_year = Some(n),
            "WW" => self.day_of_year = Some((n - 1) * 7 + 1),
            "J" => self.julian = Some(n),
            "HH" | "HH12" => {
                self.twelve = true;
                self.hour = n;
                if !(1..=12).contains(&n) {
                    return Err(Wrong::Value(format!(
                        "hour \"{n}\" is invalid for the 12-hour clock"
                    )));
                }
            }
            "HH24" => self.hour = n,
            "MI" => self.minute = n,
            "SS" => self.second = n,
            "SSSS" | "SSSSS" => {
                (self.hour, self.minute, self.second) = (n / 3600, n / 60 % 60, n % 60);
            }
            "MS" | "US" => self.micros = fraction(),
            "AM" | "PM" | "A.M." | "P.M." => self.afternoon = Some(n == 1),
            "BC" | "AD" | "B.C." | "A.D." => self.before_christ = n == 1,
            "TZH" => self.zone = Some((sign, n.abs(), 0)),
            "TZM" => {
                let (sign, hours, _) = self.zone.unwrap_or((1, 0, 0));
                self.zone = Some((sign, hours, n));
            }
            name if name.starts_with("FF") => self.micros = fraction(),
            // A day of the week and a quarter say nothing beside a date.
            _ => {}
        }
        Ok(rest)
    }

    fn time(&self) -> Option<Time> {
        let hour = match self.afternoon {
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None if self.twelve => self.hour % 12,
            None => self.hour,
        };
        let at = |n: i64, of: u32| u32::try_from(n).ok().filter(|n| *n < of);
        let micros = at(self.micros, 1_000_000)?;
        let time = NaiveTime::from_hms_micro_opt(
            at(hour, 24)?,
            at(self.minute, 60)?,
            at(self.second, 60)?,
            micros,
        )?;
        let offset = match self.zone {
            Some((sign, hours, minutes)) => {
                Some(sign * (i64::from(at(hours, 16)?) * 3600 + i64::from(at(minutes, 60)?) * 60))
            }
            None => None,
        };
        Some(Time { wall: self.date()?.and_time(time), offset })
    }

    fn date(&self) -> Option<NaiveDate> {
        let small = |n: i64| u32::try_from(n).ok();
        if let Some(julian) = self.julian {
            return NaiveDate::from_num_days_from_ce_opt(i32::try_from(julian - 1_721_425).ok()?);
        }
        if let Some(year) = self.iso_year {
            let day = u8::try_from(self.iso_day.unwrap_or(1) - 1).ok()?;
            let day = chrono::Weekday::try_from(day).ok()?;
            let week = small(self.iso_week.unwrap_or(1))?;
            return NaiveDate::from_isoywd_opt(i32::try_from(year).ok()?, week, day);
        }
        let year = match (self.year, self.century) {
            // Two digits are of the century that is said.
            (Some(year), Some(century)) => (century - 1) * 100 + year % 100,
            (Some(year), _) => year,
            (None, Some(century)) => (century - 1) * 100 + 1,
            // Nothing said: the year before the first.
            (None, None) => 0,
        };
        let year = if self.before_christ { 1 - year } else { year };
        let year = i32::try_from(year).ok()?;
        if let (Some(day), None) = (self.day_of_year, self.month) {
            return NaiveDate::from_yo_opt(year, small(day)?);
        }
        let or_first = |n: Option<i64>| n.filter(|n| *n != 0).unwrap_or(1);
        let day = match (self.day, self.week_of_month) {
            (None, Some(week)) => (week - 1) * 7 + 1,
            (day, _) => or_first(day),
        };
        NaiveDate::from_ymd_opt(year, small(or_first(self.month))?, small(day)?)
    }
}

/// A year of up to three digits is the one nearest to 2020.
fn near(n: i64) -> i64 {
    match n {
        0..70 => n + 2000,
        70..100 => n + 1900,
        100..520 => n + 2000,
        520..1000 => n + 1000,
        _ => n,
    }
}
