//! The functions that SQL can call, as `pg_proc` lists them: those of the engine and ours. What PostgreSQL 15 has under the
//! same name it describes, with its signatures and OIDs; the others take whatever they are given.

use super::oids::Oids;
use super::{context, function};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

/// Any type, as an argument and as a result.
const ANY: u32 = 2276;
const ANY_ELEMENT: u32 = 2283;

/// One function (or one of its signatures).
#[derive(Debug)]
pub struct Callable {
    pub oid: u32,
    pub name: String,
    /// `f`, `a` (aggregate) or `w` (window).
    pub kind: String,
    pub returns_set: bool,
    pub returns: u32,
    pub args: Vec<u32>,
    /// The element type of the last argument where it may be repeated; 0: it may not.
    pub variadic: u32,
    /// `i`, `s` or `v`.
    pub volatility: String,
    pub parallel: String,
    pub strict: bool,
    pub description: &'static str,
}

static ALL: LazyLock<Vec<Callable>> = LazyLock::new(|| {
    let kinds = kinds();
    let mut all: Vec<Callable> = include_str!("data/functions.txt")
        .lines()
        .filter_map(parse)
        .filter(|f| kinds.contains_key(&f.name))
        .collect();
    let known: HashSet<String> = all.iter().map(|f| f.name.clone()).collect();
    let mut oids = Oids::default();
    let others = kinds.into_iter().filter(|(name, _)| !known.contains(name));
    all.extend(others.map(|(name, kind)| Callable {
        oid: oids.give("function", &name),
        name,
        kind: kind.to_owned(),
        returns_set: false,
        returns: ANY_ELEMENT,
        args: vec![ANY],
        variadic: ANY,
        volatility: "s".to_owned(),
        parallel: "s".to_owned(),
        strict: false,
        description: "",
    }));
    all.sort_by(|a, b| (&a.name, a.oid).cmp(&(&b.name, b.oid)));
    all
});

/// By name and OID.
pub fn all() -> &'static [Callable] {
    &ALL
}

pub fn by_oid(oid: u32) -> Option<&'static Callable> {
    ALL.iter().find(|f| f.oid == oid)
}

/// The names that can be called, and as what; what stands for itself in a rewritten statement only is not among them.
fn kinds() -> BTreeMap<String, &'static str> {
    let engine = context::engine();
    let mut kinds = BTreeMap::new();
    kinds.extend(engine.scalar_functions().keys().map(|n| (n.clone(), "f")));
    kinds.extend(engine.window_functions().keys().map(|n| (n.clone(), "w")));
    kinds.extend(engine.aggregate_functions().keys().map(|n| (n.clone(), "a")));
    kinds.extend(function::names().map(|n| (n.to_owned(), "f")));
    let inner: BTreeSet<&str> = BTreeSet::from([function::SUBSCRIPTS, function::EXPAND_ARRAY]);
    kinds.retain(|name, _| !inner.contains(name.as_str()) && !name.starts_with("pg_arg_"));
    kinds
}

fn parse(line: &'static str) -> Option<Callable> {
    let mut cells = line.split('|');
    Some(Callable {
        oid: cells.next()?.parse().ok()?,
        name: cells.next()?.to_owned(),
        kind: cells.next()?.to_owned(),
        returns_set: cells.next()? == "1",
        returns: cells.next()?.parse().ok()?,
        args: cells.next()?.split_whitespace().filter_map(|a| a.parse().ok()).collect(),
        variadic: cells.next()?.parse().ok()?,
        volatility: cells.next()?.to_owned(),
        parallel: cells.next()?.to_owned(),
        strict: cells.next()? == "1",
        description: cells.next()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn functions_have_one_oid_each() {
        let oids: HashSet<u32> = all().iter().map(|f| f.oid).collect();
        assert_eq!(oids.len(), all().len());
        let lower: Vec<&Callable> = all().iter().filter(|f| f.name == "lower").collect();
        assert_eq!((lower.len(), lower[0].oid, lower[0].args.as_slice()), (1, 870, &[25][..]));
        assert!(all().iter().any(|f| f.name == "array_sort" && f.oid > 65_535));
    }
}
