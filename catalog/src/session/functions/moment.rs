//! Times by their fields, and what templates show of them.

use super::template::{Case, Field, Part, ordinal};
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// A time on the wall, or an interval by the same fields.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub micros: i64,
    pub date: Option<NaiveDate>,
    /// Seconds east of UTC, and what the zone is called.
    pub offset: i64,
    pub zone: String,
    pub interval: bool,
}

impl Moment {
    pub fn of(time: NaiveDateTime) -> Moment {
        Moment {
            year: time.year().into(),
            month: time.month().into(),
            day: time.day().into(),
            hour: time.hour().into(),
            minute: time.minute().into(),
            second: time.second().into(),
            micros: i64::from(time.nanosecond() / 1000 % 1_000_000),
            date: Some(time.date()),
            ..Moment::default()
        }
    }

    pub fn of_interval(months: i32, days: i32, nanoseconds: i64) -> Moment {
        let micros = nanoseconds / 1000;
        Moment {
            year: (months / 12).into(),
            month: (months % 12).into(),
            day: days.into(),
            hour: micros / 3_600_000_000,
            minute: micros / 60_000_000 % 60,
            second: micros / 1_000_000 % 60,
            micros: micros % 1_000_000,
            interval: true,
            ..Moment::default()
        }
    }

    pub fn iso_week(&self) -> (i64, i64) {
        self.date
            .map_or((self.year, 0), |d| (d.iso_week().year().into(), d.iso_week().week().into()))
    }
    pub fn day_of_year(&self) -> i64 {
        self.date.map_or((self.year * 12 + self.month) * 30 + self.day, |d| d.ordinal().into())
    }
    /// Sunday is 0.
    pub fn weekday(&self) -> usize {
        self.date.map_or(0, |d| d.weekday().num_days_from_sunday() as usize)
    }
    /// Monday is 1.
    pub fn iso_weekday(&self) -> i64 {
        self.date.map_or(0, |d| d.weekday().number_from_monday().into())
    }
    pub fn julian_day(&self) -> i64 {
        self.date.map_or(0, |d| i64::from(d.num_days_from_ce()) + 1_721_425)
    }
    pub fn offset_sign(&self) -> char {
        if self.offset < 0 { '-' } else { '+' }
    }
}

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// None: an interval has no such field.
pub fn shown(parts: &[Part], m: &Moment) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Field(field) => {
                let text = field_of(field, m)?;
                out.push_str(&text);
                let number = text.ends_with(|c: char| c.is_ascii_digit());
                let of_zone = matches!(field.name, "OF" | "TZ" | "TZH" | "TZM");
                if let (Some(case), true, false) = (field.ordinal, number, of_zone) {
                    out.push_str(&case.of(ordinal(&text)));
                }
            }
        }
    }
    Some(out)
}

fn field_of(field: &Field, m: &Moment) -> Option<String> {
    let number = |n: i64, width: usize| match (field.bare, n < 0) {
        (true, _) => n.to_string(),
        (false, true) => format!("-{:0width$}", n.unsigned_abs()),
        (false, false) => format!("{n:0width$}"),
    };
    // Names are as wide as the widest.
    let name = |text: &str, width: usize| match field.bare {
        true => field.case.of(text),
        false => format!("{:width$}", field.case.of(text)),
    };
    let tail = |n: i64, of: i64, width: usize| number(n % of, width);
    // A year before the first is counted from there.
    let counted = |year: i64| if year > 0 || m.interval { year } else { 1 - year };
    let year = counted(m.year);
    let (iso_year, iso_week) = m.iso_week();
    let iso_year = counted(iso_year);
    let fraction = |digits: u32| {
        let n = m.micros / 10i64.pow(6 - digits);
        format!("{n:0width$}", width = digits as usize)
    };
    let half = |am: &str, pm: &str| field.case.of(if m.hour % 24 < 12 { am } else { pm });
    let month = |i: i64| usize::try_from(i - 1).ok().and_then(|i| MONTHS.get(i));
    if m.interval
        && matches!(
            field.name,
            "MONTH"
                | "MON"
                | "DAY"
                | "DY"
                | "D"
                | "ID"
                | "AD"
                | "BC"
                | "A.D."
                | "B.C."
                | "TZ"
                | "TZH"
                | "TZM"
                | "OF"
        )
    {
        return None;
    }
    Some(match field.name {
        "YYYY" => number(year, 4),
        "Y,YYY" => format!("{},{:03}", year / 1000, year % 1000),
        "YYY" => tail(year, 1000, 3),
        "YY" => tail(year, 100, 2),
        "Y" => tail(year, 10, 1),
        "IYYY" => number(iso_year, 4),
        "IYY" => tail(iso_year, 1000, 3),
        "IY" => tail(iso_year, 100, 2),
        "I" => tail(iso_year, 10, 1),
        "BC" | "AD" => field.case.of(if m.year > 0 { "ad" } else { "bc" }),
        "B.C." | "A.D." => field.case.of(if m.year > 0 { "a.d." } else { "b.c." }),
        "CC" if m.interval => number(m.year / 100, 2),
        "CC" => number(if m.year > 0 { (m.year - 1) / 100 + 1 } else { m.year / 100 - 1 }, 2),
        "Q" if m.month == 0 => String::new(),
        "Q" => number((m.month - 1) / 3 + 1, 1),
        "MONTH" => name(month(m.month)?, 9),
        "MON" => name(&month(m.month)?[..3], 3),
        "RM" if m.month == 0 && m.year == 0 => String::new(),
        "RM" => name(ROMAN[usize::try_from((m.month + 11).rem_euclid(12)).unwrap_or(0)], 4),
        "MM" => number(m.month, 2),
        "WW" => number((m.day_of_year() - 1) / 7 + 1, 2),
        "W" => number((m.day - 1) / 7 + 1, 1),
        "IW" => number(iso_week, 2),
        "DAY" => name(DAYS[m.weekday()], 9),
        "DY" => name(&DAYS[m.weekday()][..3], 3),
        "DDD" => number(m.day_of_year(), 3),
        "IDDD" => number((iso_week - 1) * 7 + m.iso_weekday(), 3),
        "DD" => number(m.day, 2),
        "D" => number(m.weekday() as i64 + 1, 1),
        "ID" => number(m.iso_weekday(), 1),
        "J" => number(m.julian_day(), 1),
        "HH24" => number(m.hour, 2),
        "HH" | "HH12" => number(if m.hour % 12 == 0 { 12 } else { m.hour % 12 }, 2),
        "MI" => number(m.minute, 2),
        "SS" => number(m.second, 2),
        "SSSS" | "SSSSS" => (m.hour * 3600 + m.minute * 60 + m.second).to_string(),
        "MS" => fraction(3),
        "US" => fraction(6),
        "FF1" => fraction(1),
        "FF2" => fraction(2),
        "FF3" => fraction(3),
        "FF4" => fraction(4),
        "FF5" => fraction(5),
        "FF6" => fraction(6),
        "AM" | "PM" => half("am", "pm"),
        "A.M." | "P.M." => half("a.m.", "p.m."),
        "TZ" => match field.case {
            Case::Lower => m.zone.to_lowercase(),
            _ => m.zone.clone(),
        },
        "TZH" => format!("{}{:02}", m.offset_sign(), m.offset.abs() / 3600),
        "TZM" => format!("{:02}", m.offset.abs() / 60 % 60),
        "OF" => {
            let (hours, minutes) = (m.offset.abs() / 3600, m.offset.abs() / 60 % 60);
            let minutes = if minutes == 0 { String::new() } else { format!(":{minutes:02}") };
            format!("{}{hours:02}{minutes}", m.offset_sign())
        }
        other => other.to_owned(),
    })
}
