//! Texts of values that Postgres reads and Arrow does not: times without seconds, intervals with a clock. Both are put in
//! words that Arrow reads, in literals here and in parameters by the wire. Likewise types and patterns that Postgres takes
//! otherwise than the planner does.

use super::{array_text, bytea};
use crate::error::{Error, Result, SqlState};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, ExactNumberInfo, Expr, Interval, Value, ValueWithSpan,
};

/// `12:34` as `12:34:00`. None: nothing is missing.
pub fn with_seconds(text: &str) -> Option<String> {
    let minutes = text.find(':')? + 1;
    let end = minutes + 2;
    let (before, after) = (text.get(..end)?, text.get(end..)?);
    let bare = before.get(minutes..)?.bytes().all(|b| b.is_ascii_digit());
    (bare && !after.starts_with(':')).then(|| format!("{before}:00{after}"))
}

/// A text of a time with the seconds that Arrow wants; any other value as it is.
pub fn whole(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Utf8(Some(text)) => {
            ScalarValue::Utf8(Some(with_seconds(&text).unwrap_or(text)))
        }
        value => value,
    }
}

/// `1 mon +2 days -04:05:06.7` as `1 months 2 days -04 hours -05 minutes -06.7 seconds`. None: it has no such part.
pub fn interval_words(text: &str) -> Option<String> {
    let ours = |word: &str| word.contains(':') || word.starts_with('+') || is_mon(word);
    if !text.split_whitespace().any(ours) {
        return None;
    }
    let words: Option<Vec<String>> = text.split_whitespace().map(interval_word).collect();
    Some(words?.join(" "))
}

fn is_mon(word: &str) -> bool {
    word.eq_ignore_ascii_case("mon") || word.eq_ignore_ascii_case("mons")
}

fn interval_word(word: &str) -> Option<String> {
    if is_mon(word) {
        return Some("months".to_owned());
    }
    let (sign, rest) = match word.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", word.strip_prefix('+').unwrap_or(word)),
    };
    let mut parts = rest.split(':');
    let first = parts.next()?;
    let Some(minutes) = parts.next() else { return Some(format!("{sign}{rest}")) };
    let seconds = parts.next().unwrap_or("0");
    let number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (parts.next().is_none() && [first, minutes, seconds].into_iter().all(number))
        .then(|| format!("{sign}{first} hours {sign}{minutes} minutes {sign}{seconds} seconds"))
}

/// `2026-7-1` as `2026-07-01`. None: nothing is missing, or it is no date.
fn padded(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, '-');
    let (year, month, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, rest) = rest.split_at(end);
    let number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let short = |s: &str| number(s) && s.len() <= 2;
    (year.len() >= 4 && number(year) && short(month) && short(day))
        .then(|| format!("{year}-{month:0>2}-{day:0>2}{rest}"))
        .filter(|padded| padded != text)
}

/// `float` is a double, but for `float(1)` to `float(24)`: the planner's own is a real. `dec` is numeric.
fn known(ty: &mut DataType) {
    match ty {
        DataType::Dec(info) => *ty = DataType::Numeric(*info),
        DataType::Float(ExactNumberInfo::Precision(..=24)) => *ty = DataType::Real,
        DataType::Float(_) => *ty = DataType::DoublePrecision,
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => known(item),
        _ => {}
    }
}

/// A timestamp counts microseconds, as in Postgres: the planner's own nanoseconds end in the year 2262.
fn in_micros(ty: &mut DataType) {
    if let DataType::Timestamp(precision @ None, _) = ty {
        *precision = Some(6);
    }
}

/// The regular expression of a pattern of SIMILAR TO, which matches a whole text: `%` is any text, `_` any character.
fn similar(pattern: &str) -> String {
    let mut regex = String::from("^(?s:");
    let mut chars = pattern.chars();
    let mut in_brackets = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                regex.push('\\');
                regex.extend(chars.next());
            }
            '[' | ']' => {
                in_brackets = c == '[';
                regex.push(c);
            }
            c if in_brackets => regex.push(c),
            '%' => regex += ".*",
            '_' => regex.push('.'),
            '.' | '^' | '$' => regex.extend(['\\', c]),
            c => regex.push(c),
        }
    }
    regex + ")$"
}

/// The planner takes a pattern of SIMILAR TO for a regular expression: it is made one here.
fn reread_similar(pattern: &mut Expr, escape: Option<&ValueWithSpan>) -> Result<()> {
    match (pattern, escape) {
        (Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }), None) => {
            *text = similar(text);
            Ok(())
        }
        _ => Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "SIMILAR TO is supported with a literal as its pattern, and without ESCAPE",
        )
        .hint("write LIKE, or ~ and a regular expression")),
    }
}

/// Puts a literal in words that the planner reads.
pub fn reread(e: &mut Expr) -> Result<()> {
    match e {
        Expr::Cast { data_type, .. } => {
            in_micros(data_type);
            known(data_type);
        }
        Expr::TypedString(typed) => {
            in_micros(&mut typed.data_type);
            known(&mut typed.data_type);
        }
        Expr::SimilarTo { pattern, escape_char, .. } => {
            return reread_similar(pattern, escape_char.as_ref());
        }
        _ => {}
    }
    if let Some(bytes) = bytea::literal(e) {
        *e = bytes?;
        return Ok(());
    }
    if let Expr::Cast { expr, data_type, .. } = e
        && let Expr::Value(value) = expr.as_mut()
    {
        match array_text::literal(value, data_type) {
            Some(array) => *e = array?,
            None => reword(value, data_type),
        }
        return Ok(());
    }
    match e {
        Expr::TypedString(typed) => reword(&mut typed.value, &typed.data_type),
        Expr::Interval(Interval { value, leading_field: None, .. }) => {
            if let Expr::Value(value) = value.as_mut() {
                replace(value, interval_words);
            }
        }
        _ => {}
    }
    Ok(())
}

fn reword(value: &mut ValueWithSpan, ty: &DataType) {
    match ty {
        DataType::Numeric(_) | DataType::Decimal(_) => exact(value),
        DataType::Timestamp(..) | DataType::Datetime(_) => {
            replace(value, padded);
            replace(value, with_seconds);
        }
        DataType::Date => replace(value, padded),
        DataType::Interval { .. } => replace(value, interval_words),
        _ => {}
    }
}

/// A number to become a numeric is read as one: the planner's own way is through a double, which has 15 digits.
fn exact(value: &mut ValueWithSpan) {
    if let Value::Number(digits, _) = &value.value
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && !digits.ends_with('.')
    {
        value.value = Value::SingleQuotedString(digits.to_string());
    }
}

fn replace(value: &mut ValueWithSpan, words: fn(&str) -> Option<String>) {
    if let Value::SingleQuotedString(text) = &mut value.value
        && let Some(words) = words(text)
    {
        *text = words;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_get_their_seconds() {
        let check = |text, expect: Option<&str>| {
            assert_eq!(with_seconds(text).as_deref(), expect, "{text}");
        };
        check("2026-07-01 02:00", Some("2026-07-01 02:00:00"));
        check("2026-07-01 02:00+02", Some("2026-07-01 02:00:00+02"));
        check("2026-07-01T02:00Z", Some("2026-07-01T02:00:00Z"));
        check("2026-07-01 02:00:01+05:30", None);
        check("2026-07-01", None);
        check("soon: now", None);
    }

    #[test]
    fn dates_get_their_zeros() {
        let check = |text, expect: Option<&str>| {
            assert_eq!(padded(text).as_deref(), expect, "{text}");
        };
        check("2026-7-1", Some("2026-07-01"));
        check("2026-7-01 2:00", Some("2026-07-01 2:00"));
        check("2026-07-01", None);
        check("2026-7", None);
        check("1-7-2026", None);
        check("2026-007-1", None);
        check("2026-07-01-02", None);
    }

    #[test]
    fn patterns_of_similar_to() {
        assert_eq!(similar("a%"), "^(?s:a.*)$");
        assert_eq!(similar("(a|b)_[%_]"), "^(?s:(a|b).[%_])$");
        assert_eq!(similar(r"a.b\%"), r"^(?s:a\.b\%)$");
    }

    #[test]
    fn intervals_in_words() {
        let check = |text, expect: Option<&str>| {
            assert_eq!(interval_words(text).as_deref(), expect, "{text}");
        };
        let words = "1 year 2 months 3 days 04 hours 05 minutes 06.789 seconds";
        check("1 year 2 mons 3 days 04:05:06.789", Some(words));
        let words = "-1 years 3 days -04 hours -05 minutes -0 seconds";
        check("-1 years +3 days -04:05", Some(words));
        check("1 day 3 hours", None);
        check("a:b", None);
        check("1:2:3:4", None);
    }
}
