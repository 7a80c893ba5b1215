//! Tuples made of others: as lists, sets and maps are tuples here, so are what these give.

use super::compare::{to_decimal, to_double};
use super::text::string;
use super::{Function, Gives, MANY, collection::items, function};
use crate::source::whole;
use crate::value::{Cell, told};
use daodb_storage::{Value, ValueType};

/// Items that one call may make.
const MAX_ITEMS: i64 = 1_000_000;

pub const ALL: &[Function] = &[
    function("vec", 1..=1, Gives::Any, |a| tuple(of(&a[0])?)),
    function("set", 1..=1, Gives::Any, |a| set(of(&a[0])?)),
    function("hash-set", 0..=MANY, Gives::Any, |a| set(a.to_vec())),
    function("hash-map", 0..=MANY, Gives::Any, |a| match a.len() % 2 {
        0 => {
            // Of several values of a key the last.
            let pairs = a.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
            let pairs: std::collections::BTreeMap<Cell, Cell> = pairs.collect();
            tuple(pairs.into_iter().map(|(k, v)| Some(Value::Tuple([k, v].into()))).collect())
        }
        _ => Err("a key has no value".to_owned()),
    }),
    function("conj", 1..=MANY, Gives::Any, |a| {
        tuple(of(&a[0])?.into_iter().chain(a[1..].iter().cloned()).collect())
    }),
    function("concat", 0..=MANY, Gives::Any, |a| {
        tuple(a.iter().map(of).collect::<Result<Vec<_>, _>>()?.concat())
    }),
    function("rest", 1..=1, Gives::Any, |a| tuple(of(&a[0])?.into_iter().skip(1).collect())),
    function("take", 2..=2, Gives::Any, |a| {
        let n = number(&a[0])?;
        tuple(of(&a[1])?.into_iter().take(usize::try_from(n).unwrap_or(0)).collect())
    }),
    function("drop", 2..=2, Gives::Any, |a| {
        let n = number(&a[0])?;
        tuple(of(&a[1])?.into_iter().skip(usize::try_from(n).unwrap_or(0)).collect())
    }),
    function("subvec", 2..=3, Gives::Any, |a| {
        let items = of(&a[0])?;
        let end = a.get(2).map_or(Ok(items.len() as i64), number)?;
        let (start, end) = (usize::try_from(number(&a[1])?), usize::try_from(end));
        let within = start.ok().zip(end.ok()).and_then(|(start, end)| items.get(start..end));
        within.map(|w| w.to_vec()).map_or_else(|| Err("it has no such places".to_owned()), tuple)
    }),
    function("reverse", 1..=1, Gives::Any, |a| tuple(of(&a[0])?.into_iter().rev().collect())),
    function("sort", 1..=1, Gives::Any, |a| {
        let mut items = of(&a[0])?;
        sort(&mut items)?;
        tuple(items)
    }),
    function("distinct", 1..=1, Gives::Any, |a| tuple(distinct(of(&a[0])?))),
    function("range", 1..=3, Gives::Any, range),
    function("keys", 1..=1, Gives::Any, |a| pairs(&a[0], 0)),
    function("vals", 1..=1, Gives::Any, |a| pairs(&a[0], 1)),
    function("split", 2..=2, Gives::Any, |a| {
        let parts = super::patterns::split(&a[1], string(&a[0])?)?;
        tuple(parts.into_iter().map(|p| Some(Value::string(p))).collect())
    }),
    function("split-lines", 1..=1, Gives::Any, |a| {
        let text = string(&a[0])?;
        let kept = text.trim_end_matches(['\n', '\r']);
        let lines = if text.is_empty() { vec![""] } else { kept.lines().collect() };
        tuple(lines.into_iter().map(|line| Some(Value::string(line))).collect())
    }),
    function("join", 1..=2, Gives::String, |a| {
        let (separator, items) = match a {
            [separator, items] => (string(separator)?, of(items)?),
            items => ("", of(&items[0])?),
        };
        super::fits(items.len(), separator.len())?;
        let texts: Vec<String> = items.iter().map(super::text::shown).collect();
        Ok(Some(Value::string(texts.join(separator))))
    }),
];

/// A set has no order: sorted, so that equal ones are equal.
fn set(items: Vec<Cell>) -> Result<Cell, String> {
    let mut items = distinct(items);
    items.sort();
    tuple(items)
}

fn tuple(items: Vec<Cell>) -> Result<Cell, String> {
    Ok(Some(Value::Tuple(items.into())))
}

/// The items of a collection; a string's are its characters.
fn of(v: &Cell) -> Result<Vec<Cell>, String> {
    match v {
        Some(Value::String(s)) => {
            Ok(s.chars().map(|c| Some(Value::string(c.to_string()))).collect())
        }
        v => items(v).map(<[Cell]>::to_vec),
    }
}

/// Values of one type, or numbers.
fn sort(items: &mut [Cell]) -> Result<(), String> {
    let types: std::collections::BTreeSet<_> =
        items.iter().flatten().map(Value::value_type).collect();
    // nil is before all others.
    if types.len() < 2 {
        items.sort();
        return Ok(());
    }
    // As doubles where one is among them: their order with exact numbers is none that can be sorted by.
    let inexact = types.contains(&ValueType::Double);
    let none = "its items have no common order";
    let mut keyed = Vec::with_capacity(items.len());
    for item in items.iter() {
        let Some(v) = item else {
            keyed.push((false, None, 0.0, None));
            continue;
        };
        let exact = if inexact { None } else { to_decimal(v) };
        let double = to_double(v).filter(|d| !d.is_nan()).ok_or(none)?;
        keyed.push((true, exact, double, item.clone()));
    }
    keyed.sort_by(|x, y| x.0.cmp(&y.0).then(x.1.cmp(&y.1)).then(x.2.total_cmp(&y.2)));
    for (place, (.., item)) in items.iter_mut().zip(keyed) {
        *place = item;
    }
    Ok(())
}

/// Each once, where it came first.
fn distinct(items: Vec<Cell>) -> Vec<Cell> {
    let mut seen = std::collections::BTreeSet::new();
    let key = |item: &Cell| item.as_ref().map(|v| whole(v, ValueType::Long));
    items.into_iter().filter(|item| seen.insert(key(item))).collect()
}

fn number(v: &Cell) -> Result<i64, String> {
    match v {
        Some(Value::Long(n)) => Ok(*n),
        other => Err(format!("{} is no long", told(other))),
    }
}

/// `(range end)`, `(range start end)`, `(range start end step)`.
fn range(args: &[Cell]) -> Result<Cell, String> {
    let numbers = args.iter().map(number).collect::<Result<Vec<i64>, _>>()?;
    let (start, end, step) = match numbers.as_slice() {
        [end] => (0, *end, 1),
        [start, end] => (*start, *end, 1),
        [start, end, step, ..] => (*start, *end, *step),
        [] => (0, 0, 1),
    };
    if step == 0 {
        return Err("a step of 0 has no end".to_owned());
    }
    let (mut items, mut at) = (Vec::new(), start);
    while if step > 0 { at < end } else { at > end } {
        if items.len() as i64 == MAX_ITEMS {
            return Err(format!("it has more than {MAX_ITEMS} items"));
        }
        items.push(Some(Value::Long(at)));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    tuple(items)
}

/// The keys or the values of a map.
fn pairs(map: &Cell, which: usize) -> Result<Cell, String> {
    let part = |item: &Cell| match item {
        Some(Value::Tuple(pair)) if pair.len() == 2 => Ok(pair[which].clone()),
        other => Err(format!("{} is no entry of a map", told(other))),
    };
    tuple(items(map)?.iter().map(part).collect::<Result<_, _>>()?)
}
