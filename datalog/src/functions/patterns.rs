//! Regular expressions. A pattern is its text; it has no look-around, and takes time in proportion to what it reads.

use super::{Function, Gives, function};
use crate::value::{Cell, told};
use daodb_storage::Value;
use regex::{Captures, Regex};
use std::cell::RefCell;
use std::collections::HashMap;

pub const ALL: &[Function] = &[
    function("re-pattern", 1..=1, Gives::String, |a| {
        with(&a[0], |_| ())?;
        Ok(a[0].clone())
    }),
    function("re-find", 2..=2, Gives::Any, |a| {
        let text = text(&a[1])?;
        with(&a[0], |regex| regex.captures(text).map(|found| groups(&found)))
    }),
    function("re-matches", 2..=2, Gives::Any, |a| {
        let (pattern, text) = (text(&a[0])?, text(&a[1])?);
        let whole = Some(Value::string(format!("\\A(?:{pattern})\\z")));
        with(&whole, |regex| regex.captures(text).map(|found| groups(&found)))
    }),
    function("re-seq", 2..=2, Gives::Any, |a| {
        let text = text(&a[1])?;
        with(&a[0], |regex| {
            let all: Vec<Cell> = regex.captures_iter(text).map(|m| Some(groups(&m))).collect();
            (!all.is_empty()).then(|| Value::Tuple(all.into()))
        })
    }),
];

/// Between the matches; empty texts at the end are left out.
pub fn split<'t>(pattern: &Cell, text: &'t str) -> Result<Vec<&'t str>, String> {
    with(pattern, |regex| {
        let (mut parts, mut start) = (Vec::new(), 0);
        // Nothing that matches at the beginning leaves nothing before it.
        for found in regex.find_iter(text).filter(|found| found.end() > 0) {
            parts.push(&text[start..found.start()]);
            start = found.end();
        }
        if parts.is_empty() {
            return vec![text];
        }
        parts.push(&text[start..]);
        while parts.last().is_some_and(|p| p.is_empty()) {
            parts.pop();
        }
        parts
    })
}

/// Patterns that a thread keeps compiled.
const KEPT: usize = 64;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
}

fn text(v: &Cell) -> Result<&str, String> {
    match v {
        Some(Value::String(s)) => Ok(s),
        other => Err(format!("{} is no string", told(other))),
    }
}

fn with<T>(pattern: &Cell, f: impl FnOnce(&Regex) -> T) -> Result<T, String> {
    let pattern = text(pattern)?;
    COMPILED.with_borrow_mut(|kept| {
        if !kept.contains_key(pattern) {
            let regex = Regex::new(pattern).map_err(|e| format!("no regular expression: {e}"))?;
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(pattern.to_owned(), regex);
        }
        kept.get(pattern).map(f).ok_or_else(|| "the pattern is not kept".to_owned())
    })
}

/// The match; with groups, a tuple of it and them.
fn groups(found: &Captures<'_>) -> Value {
    let mut parts = found.iter().map(|m| m.map(|m| Value::string(m.as_str())));
    match found.len() {
        1 => parts.next().flatten().unwrap_or_else(|| Value::string("")),
        _ => Value::Tuple(parts.collect()),
    }
}
