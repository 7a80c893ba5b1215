//! `#inst`: RFC 3339 with parts left out, as `clojure.instant` reads it: the year alone is enough, and UTC where no zone is named.

use chrono::NaiveDate;

/// µs since 1970; further digits are left out. None where Clojure refuses it.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let mut rest = Rest(text);
    let year = rest.digits(4)?;
    // Each part needs the one before it.
    let month = rest.part("-")?;
    let day = month.map_or(Some(None), |_| rest.part("-"))?;
    let hour = day.map_or(Some(None), |_| rest.part("T"))?;
    let minute = hour.map_or(Some(None), |_| rest.part(":"))?;
    let second = minute.map_or(Some(None), |_| rest.part(":"))?;
    let micros = second.map_or(Some(0), |_| rest.micros())?;
    let offset = rest.offset()?;
    let (hour, minute, second) = (hour.unwrap_or(0), minute.unwrap_or(0), second.unwrap_or(0));
    // A leap second is the last of an hour's.
    let seconds = if minute == 59 { 60 } else { 59 };
    if !rest.0.is_empty() || hour > 23 || minute > 59 || second > seconds {
        return None;
    }
    let year = i32::try_from(year).ok()?;
    let date = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    let minutes = (days * 24 + i64::from(hour)) * 60 + i64::from(minute) - offset;
    Some((minutes * 60 + i64::from(second)) * 1_000_000 + micros)
}

/// What is not read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// So many digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        self.0 = rest;
        if all { digits.parse().ok() } else { None }
    }

    /// Two digits after a mark; Some(None): the mark is not there.
    fn part(&mut self, mark: &str) -> Option<Option<u32>> {
        let Some(rest) = self.0.strip_prefix(mark) else { return Some(None) };
        // After a date a zone may come, which begins alike.
        if mark == "-" && rest.as_bytes().get(2) == Some(&b':') {
            return Some(None);
        }
        self.0 = rest;
        self.digits(2).map(Some)
    }

    /// Parts of a second, at least one digit after the point.
    fn micros(&mut self) -> Option<i64> {
        let Some(rest) = self.0.strip_prefix('.') else { return Some(0) };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = rest.split_at(count);
        self.0 = rest;
        if digits.is_empty() {
            return None;
        }
        format!("{:0<6}", digits.get(..6).unwrap_or(digits)).parse().ok()
    }

    /// Minutes east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.chars().next() {
            None => return Some(0),
            Some('Z') => {
                self.0 = &self.0[1..];
                return Some(0);
            }
            Some('+') => 1,
            Some('-') => -1,
            Some(_) => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.digits(2)?;
        self.0 = self.0.strip_prefix(':')?;
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then_some(sign * i64::from(hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_zones() {
        let day = 86_400_000_000;
        for (text, expect) in [
            ("1970", Some(0)),
            ("1970-02", Some(31 * day)),
            ("1970-01-02", Some(day)),
            ("1970-01-02Z", Some(day)),
            ("1970-01-01T01", Some(3_600_000_000)),
            ("1970-01-01T01+01:00", Some(0)),
            ("1970-01-01T00:01", Some(60_000_000)),
            ("1970-01-01T00:00:01.5", Some(1_500_000)),
            ("1970-01-01T00:00:00.1234567891-00:00", Some(123_456)),
            ("1970-01-01T00:59:60Z", Some(3_600_000_000)),
            ("1970-01-01T02:00:00-05:30", Some(27_000_000_000)),
            ("1970-01-02-24:00", None),
            ("1969-12-31T23:59:59.999999Z", Some(-1)),
            ("0000-01-01", Some(-62_167_219_200_000_000)),
            ("1970-01-01T00:58:60Z", None),
            ("1970-01-01T24:00", None),
            ("2026-02-29", None),
            ("1970-13", None),
            ("1970-1-1", None),
            ("1970-01-01t00:00", None),
            ("1970-01-01 00:00", None),
            ("1970-01-01T00:00:00z", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00+0100", None),
            ("+1970", None),
            ("197é", None),
            ("", None),
        ] {
            assert_eq!(instant(text), expect, "{text}");
        }
    }
}
