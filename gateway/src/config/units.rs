//! Numbers with units: `512MiB`, `30s`.

use serde::{Deserialize, Deserializer, de};
use std::str::FromStr;

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub usize);

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub u64);

const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("kib", 1 << 10),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

/// As Postgres: a bare number is milliseconds.
const SPANS: [(&str, u64); 6] =
    [("", 1), ("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A number, digits with or without a fraction, and one of the units.
fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_lowercase();
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(*scale),
        Err(_) => {
            let scaled = number.parse::<f64>().ok()? * *scale as f64;
            (scaled.is_finite() && scaled < 9e18).then_some(scaled as u64)
        }
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        read(text, &SIZES)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .map(Size)
            .ok_or_else(|| format!("{text:?} is no size: 512MiB, 2GiB, 1000000"))
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        read(text, &SPANS)
            .map(Span)
            .ok_or_else(|| format!("{text:?} is no time: 500ms, 30s, 5min, 1h, 0"))
    }
}

/// A TOML string or a bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

fn written<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(input: D) -> Result<T, D::Error> {
    let text = match Written::deserialize(input)? {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map_err(de::Error::custom)
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        written(input)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        written(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expect: Option<usize>| {
            assert_eq!(text.parse::<Size>().ok(), expect.map(Size), "{text}");
        };
        check("1000", Some(1000));
        check("2GiB", Some(2 << 30));
        check("1.5 kib", Some(1536));
        check("10 MB", Some(10_000_000));
        check("ten", None);
        check("", None);
        check("-1", None);
        check("3 parsecs", None);
        check("99999999999TiB", None);
    }

    #[test]
    fn spans() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(text.parse::<Span>().ok(), expect.map(Span), "{text}");
        };
        check("0", Some(0));
        check("250", Some(250));
        check("30s", Some(30_000));
        check("5min", Some(300_000));
        check("5 minutes", None);
    }
}
