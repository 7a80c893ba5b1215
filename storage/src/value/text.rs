//! A value's text, as EDN prints it; and instants as people write them.

use super::Value;
use bigdecimal::BigDecimal;
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(b) => write!(f, "{b}"),
            Value::Long(n) | Value::Ref(n) => write!(f, "{n}"),
            Value::Bigint(n) => write!(f, "{n}N"),
            Value::Double(d) if d.is_nan() => f.write_str("##NaN"),
            Value::Double(d) if d.is_infinite() => {
                f.write_str(if *d > 0.0 { "##Inf" } else { "##-Inf" })
            }
            Value::Double(d) => write!(f, "{d:?}"),
            Value::Bigdec(d) => write!(f, "{}M", bigdec_text(d)),
            Value::Instant(us) => write!(f, "#inst \"{}\"", instant_text(*us)),
            Value::String(s) => quoted(f, s),
            Value::Keyword(s) | Value::Symbol(s) => f.write_str(s),
            Value::Uri(s) => {
                f.write_str("#uri ")?;
                quoted(f, s)
            }
            Value::Uuid(u) => write!(f, "#uuid \"{u}\""),
            Value::Bytes(b) => {
                f.write_str("#bytes \"")?;
                b.iter().try_for_each(|x| write!(f, "{x:02x}"))?;
                f.write_str("\"")
            }
            Value::Tuple(parts) => {
                f.write_str("[")?;
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    match part {
                        Some(v) => write!(f, "{v}")?,
                        None => f.write_str("nil")?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, s: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in s.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// `2026-01-01T00:00:00Z`, with as many digits of a second as there are.
pub fn instant_text(us: i64) -> String {
    match DateTime::<Utc>::from_timestamp_micros(us) {
        Some(t) => t.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{us}us"),
    }
}

/// The shortest text that keeps the scale: `1.00` is not `1.0`. Scientific where the plain form would need many zeros.
pub fn bigdec_text(d: &BigDecimal) -> String {
    let (digits, scale) = d.as_bigint_and_exponent();
    let text = digits.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    match usize::try_from(scale) {
        Ok(0) => text,
        Ok(scale) if scale < digits.len() => {
            let (whole, part) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{part}")
        }
        Ok(scale) if scale <= digits.len() + 6 => format!("{sign}0.{digits:0>scale$}"),
        _ => format!("{sign}{digits}E{:+}", -i128::from(scale)),
    }
}
