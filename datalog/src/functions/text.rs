//! Strings, keywords, symbols and instants.

use super::compare::boolean;
use super::{Function, Gives, MANY, function};
use crate::value::{Cell, to_form, told};
use daodb_storage::Value;

pub const ALL: &[Function] = &[
    function("str", 0..=MANY, Gives::String, |a| text(a.iter().map(shown).collect())),
    function("subs", 2..=3, Gives::String, subs),
    function(".substring", 2..=3, Gives::String, subs),
    function("upper-case", 1..=1, Gives::String, |a| text(string(&a[0])?.to_uppercase())),
    function("lower-case", 1..=1, Gives::String, |a| text(string(&a[0])?.to_lowercase())),
    function("capitalize", 1..=1, Gives::String, |a| {
        let mut chars = string(&a[0])?.chars();
        let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        text(first + &chars.as_str().to_lowercase())
    }),
    function("trim", 1..=1, Gives::String, |a| text(string(&a[0])?.trim().to_owned())),
    function("triml", 1..=1, Gives::String, |a| text(string(&a[0])?.trim_start().to_owned())),
    function("trimr", 1..=1, Gives::String, |a| text(string(&a[0])?.trim_end().to_owned())),
    function("reverse-string", 1..=1, Gives::String, reversed),
    function("clojure.string/reverse", 1..=1, Gives::String, reversed),
    function("blank?", 1..=1, Gives::Boolean, |a| match &a[0] {
        None => boolean(true),
        v => boolean(string(v)?.trim().is_empty()),
    }),
    function("starts-with?", 2..=2, Gives::Boolean, |a| {
        boolean(string(&a[0])?.starts_with(string(&a[1])?))
    }),
    function("ends-with?", 2..=2, Gives::Boolean, |a| {
        boolean(string(&a[0])?.ends_with(string(&a[1])?))
    }),
    function("includes?", 2..=2, Gives::Boolean, |a| {
        boolean(string(&a[0])?.contains(string(&a[1])?))
    }),
    function(".startsWith", 2..=2, Gives::Boolean, |a| {
        boolean(string(&a[0])?.starts_with(string(&a[1])?))
    }),
    function(".endsWith", 2..=2, Gives::Boolean, |a| {
        boolean(string(&a[0])?.ends_with(string(&a[1])?))
    }),
    function(".contains", 2..=2, Gives::Boolean, |a| {
        boolean(string(&a[0])?.contains(string(&a[1])?))
    }),
    function(".toUpperCase", 1..=1, Gives::String, |a| text(string(&a[0])?.to_uppercase())),
    function(".toLowerCase", 1..=1, Gives::String, |a| text(string(&a[0])?.to_lowercase())),
    function(".trim", 1..=1, Gives::String, |a| text(string(&a[0])?.trim().to_owned())),
    function(".isEmpty", 1..=1, Gives::Boolean, |a| boolean(string(&a[0])?.is_empty())),
    function(".indexOf", 2..=2, Gives::Long, |a| Ok(index_of(a)?.or(Some(Value::Long(-1))))),
    function(".length", 1..=1, Gives::Long, |a| long(string(&a[0])?.chars().count())),
    function("index-of", 2..=2, Gives::Any, index_of),
    function("replace", 3..=3, Gives::String, |a| {
        let (s, from, to) = (string(&a[0])?, string(&a[1])?, string(&a[2])?);
        super::fits(s.matches(from).count(), to.len())?;
        text(s.replace(from, to))
    }),
    function("keyword", 1..=2, Gives::Any, |a| {
        let parts: Vec<&str> = a.iter().map(name_text).collect::<Result<_, _>>()?;
        Ok(Some(Value::keyword(parts.join("/"))))
    }),
    function("symbol", 1..=1, Gives::Any, |a| Ok(Some(Value::Symbol(name_text(&a[0])?.into())))),
    function("name", 1..=1, Gives::String, |a| {
        let s = name_text(&a[0])?;
        text(match &a[0] {
            Some(Value::String(_)) => s.to_owned(),
            _ => s.rsplit_once('/').map_or(s, |(_, name)| name).to_owned(),
        })
    }),
    function("namespace", 1..=1, Gives::Any, |a| {
        Ok(name_text(&a[0])?.rsplit_once('/').map(|(ns, _)| Value::string(ns)))
    }),
    function("inst-ms", 1..=1, Gives::Long, milliseconds),
    function(".getTime", 1..=1, Gives::Long, milliseconds),
    function(".before", 2..=2, Gives::Boolean, |a| {
        let (x, y) = instants(a)?;
        boolean(x < y)
    }),
    function(".after", 2..=2, Gives::Boolean, |a| {
        let (x, y) = instants(a)?;
        boolean(x > y)
    }),
];

fn index_of(args: &[Cell]) -> Result<Cell, String> {
    let (s, part) = (string(&args[0])?, string(&args[1])?);
    Ok(s.find(part).map(|at| Value::Long(s[..at].chars().count() as i64)))
}

fn reversed(args: &[Cell]) -> Result<Cell, String> {
    text(string(&args[0])?.chars().rev().collect())
}

fn text(s: String) -> Result<Cell, String> {
    Ok(Some(Value::string(s)))
}

pub fn long(n: usize) -> Result<Cell, String> {
    i64::try_from(n).map(|n| Some(Value::Long(n))).map_err(|e| e.to_string())
}

pub fn string(v: &Cell) -> Result<&str, String> {
    match v {
        Some(Value::String(s)) => Ok(s),
        other => Err(format!("{} is no string", told(other))),
    }
}

fn milliseconds(args: &[Cell]) -> Result<Cell, String> {
    match &args[0] {
        Some(Value::Instant(us)) => Ok(Some(Value::Long(us.div_euclid(1000)))),
        other => Err(format!("{} is no instant", told(other))),
    }
}

fn instants(args: &[Cell]) -> Result<(i64, i64), String> {
    match args {
        [Some(Value::Instant(x)), Some(Value::Instant(y))] => Ok((*x, *y)),
        _ => Err("two instants are needed".to_owned()),
    }
}

/// The text of a string, keyword or symbol, without a colon.
fn name_text(v: &Cell) -> Result<&str, String> {
    match v {
        Some(Value::Keyword(s)) => Ok(s.strip_prefix(':').unwrap_or(s)),
        Some(Value::String(s) | Value::Symbol(s)) => Ok(s),
        other => Err(format!("{} has no name", told(other))),
    }
}

/// As Clojure's `str` shows it.
pub fn shown(v: &Cell) -> String {
    match v {
        None => String::new(),
        Some(Value::String(s)) => s.to_string(),
        Some(Value::Uuid(u)) => u.to_string(),
        Some(Value::Uri(s)) => s.to_string(),
        Some(Value::Bigint(n)) => n.to_string(),
        Some(Value::Double(d)) => double(*d),
        Some(Value::Bigdec(d)) => daodb_storage::value::bigdec_text(d),
        Some(Value::Instant(us)) => daodb_storage::value::instant_text(*us),
        v => to_form(v).to_string(),
    }
}

/// As Java shows it: `5.0`, `1.0E10`.
fn double(d: f64) -> String {
    if d.is_nan() {
        return "NaN".to_owned();
    }
    if d.is_infinite() {
        return if d > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if d == 0.0 || (1e-3..1e7).contains(&d.abs()) {
        return format!("{d:?}");
    }
    let text = format!("{d:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

fn subs(args: &[Cell]) -> Result<Cell, String> {
    let s = string(&args[0])?;
    let place = |v: &Cell| match v {
        Some(Value::Long(n)) => {
            usize::try_from(*n).map_err(|_| format!("{n} is no place in a string"))
        }
        other => Err(format!("{} is no place in a string", told(other))),
    };
    let length = s.chars().count();
    let start = place(&args[1])?;
    let end = args.get(2).map_or(Ok(length), place)?;
    if start > end || end > length {
        return Err(format!("{start} to {end} is not within {length} characters"));
    }
    text(s.chars().skip(start).take(end - start).collect())
}
