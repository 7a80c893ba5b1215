//! Tuples, which also stand for lists, vectors and sets; a map is a tuple of its pairs.

use super::compare::{boolean, clojure_equal};
use super::text::long;
use super::{Function, Gives, MANY, function};
use crate::value::{Cell, told};
use daodb_storage::Value;

pub const ALL: &[Function] = &[
    function("tuple", 1..=MANY, Gives::Any, |a| Ok(Some(Value::Tuple(a.into())))),
    function("vector", 0..=MANY, Gives::Any, |a| Ok(Some(Value::Tuple(a.into())))),
    function("list", 0..=MANY, Gives::Any, |a| Ok(Some(Value::Tuple(a.into())))),
    function("untuple", 1..=1, Gives::Any, |a| Ok(a[0].clone())),
    function("ground", 1..=1, Gives::Any, |a| Ok(a[0].clone())),
    function("count", 1..=1, Gives::Long, |a| match &a[0] {
        None => long(0),
        Some(Value::String(s)) => long(s.chars().count()),
        v => long(items(v)?.len()),
    }),
    function("empty?", 1..=1, Gives::Boolean, |a| match &a[0] {
        None => boolean(true),
        Some(Value::String(s)) => boolean(s.is_empty()),
        v => boolean(items(v)?.is_empty()),
    }),
    function("contains?", 2..=2, Gives::Boolean, |a| {
        boolean(items(&a[0])?.iter().any(|x| clojure_equal(x, &a[1]) || is_pair_of(x, &a[1])))
    }),
    function("get", 2..=3, Gives::Any, |a| {
        Ok(get(&a[0], &a[1]).unwrap_or_else(|| a.get(2).cloned().flatten()))
    }),
    function("nth", 2..=3, Gives::Any, |a| {
        let at = match &a[1] {
            Some(Value::Long(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        match (at.and_then(|at| items(&a[0]).ok()?.get(at)), a.get(2)) {
            (Some(v), _) => Ok(v.clone()),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(format!("there is no item {}", told(&a[1]))),
        }
    }),
    function("first", 1..=1, Gives::Any, |a| Ok(items(&a[0])?.first().cloned().flatten())),
    function("second", 1..=1, Gives::Any, |a| Ok(items(&a[0])?.get(1).cloned().flatten())),
    function("last", 1..=1, Gives::Any, |a| Ok(items(&a[0])?.last().cloned().flatten())),
];

pub fn items(v: &Cell) -> Result<&[Cell], String> {
    match v {
        None => Ok(&[]),
        Some(Value::Tuple(parts)) => Ok(parts),
        other => Err(format!("{} is no collection", told(other))),
    }
}

/// Of a map what a key has, of a vector what stands in a place, of a set the member.
fn get(of: &Cell, key: &Cell) -> Option<Cell> {
    let Some(Value::Tuple(items)) = of else { return None };
    let pair = |x: &Cell| matches!(x, Some(Value::Tuple(pair)) if pair.len() == 2);
    if !items.is_empty() && items.iter().all(pair) {
        return items.iter().find_map(|x| match x {
            Some(Value::Tuple(pair)) if is_pair_of(x, key) => Some(pair[1].clone()),
            _ => None,
        });
    }
    match key {
        Some(Value::Long(at)) => items.get(usize::try_from(*at).ok()?).cloned(),
        _ => items.iter().find(|x| clojure_equal(x, key)).cloned(),
    }
}

/// Whether it is a pair of a map, under this key.
fn is_pair_of(x: &Cell, key: &Cell) -> bool {
    matches!(x, Some(Value::Tuple(pair)) if pair.len() == 2 && clojure_equal(&pair[0], key))
}

/// What no query can call: they pick among attribute and value, attribute and value, ..., default.
pub const INTERNAL: &[Function] = &[
    function("first-value", 1..=MANY, Gives::Any, |a| {
        Ok(chosen(a).map_or_else(|| a.last().cloned().flatten(), |p| p[1].clone()))
    }),
    function("text-score", 2..=2, Gives::Double, |a| match (&a[0], &a[1]) {
        (Some(Value::String(text)), Some(Value::String(wanted))) => {
            Ok(Some(Value::Double(score(text, wanted))))
        }
        (Some(Value::String(_)), other) => Err(format!("{} is no text", told(other))),
        _ => Ok(Some(Value::Double(0.0))),
    }),
    function("first-name", 1..=MANY, Gives::Any, |a| Ok(chosen(a).and_then(|p| p[0].clone()))),
];

/// The share of the wanted words that a text has; `pre*` stands for all words that begin so.
fn score(text: &str, wanted: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let apart = |c: char| !c.is_alphanumeric() && c != '*' && c != '_';
        text.split(apart).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
    };
    let (has, wanted) = (words(text), words(wanted));
    let found = wanted.iter().filter(|w| match w.strip_suffix('*') {
        Some(start) => has.iter().any(|h| h.starts_with(start)),
        None => has.contains(w),
    });
    found.count() as f64 / wanted.len().max(1) as f64
}

fn chosen(args: &[Cell]) -> Option<&[Cell]> {
    args.chunks_exact(2).find(|pair| pair[1].is_some())
}
