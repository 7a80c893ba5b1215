//! Random transactions: what they say, and which datoms must come of it.

use super::cell::Val;
use super::world::{Datom, World};
use crate::engine::EPOCH;
use daodb_catalog::{EntityRef, Op, TxValue};
use daodb_storage::{Attr, Value};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use std::collections::BTreeSet;

/// What one op says. Entities are numbered; `World` knows them by id once they have one.
#[derive(Debug, Clone)]
pub enum Said {
    Add(usize, &'static str, Val),
    Retract(usize, &'static str, Option<Val>),
    Delete(usize),
    /// The attribute has many values from now on, or one.
    Declare(&'static str, bool),
}

/// Entities of a history.
pub const ENTITIES: usize = 9;

/// What the generator knows.
#[derive(Debug, Default)]
pub struct Actors {
    /// Ids by number.
    pub ids: [Option<i64>; ENTITIES],
}

const ONE: [&str; 9] = [
    ":thing/name",
    ":thing/size",
    ":thing/mixed",
    ":thing/link",
    ":thing/last-seen",
    ":thing/flag",
    ":other-kind/name",
    ":other-kind/score",
    ":other-kind/mixed-numbers",
];
/// These have many values at one time and one at another.
const TURNING: [&str; 3] = [":thing/tags", ":other-kind/things", ":thing/mixed"];

fn value(a: &str, actors: &Actors, rng: &mut SmallRng) -> Option<Val> {
    let small = rng.random_range(-3..6i64);
    let words = ["", "a", "b b", "Ünï", "it's", "x,\"y\"", "{z}", "null", "long long long text"];
    let word = words.choose(rng).copied().unwrap_or("a").to_owned();
    let known: Vec<i64> = actors.ids.iter().flatten().copied().collect();
    let link = known.choose(rng).copied().map(Val::Ref);
    Some(match a {
        ":thing/name" | ":other-kind/name" => Val::Text(word),
        ":thing/size" => Val::Long(small),
        ":thing/tags" => Val::Keyword(format!(":tag/{}", small + 3)),
        ":thing/link" | ":other-kind/things" => return link,
        ":thing/last-seen" => Val::Instant(EPOCH + small * 3_600_000_000 + small.abs() * 250_000),
        ":thing/flag" => Val::Boolean(small > 0),
        ":other-kind/score" => Val::Double(small as f64 / 2.0),
        ":other-kind/mixed-numbers" if rng.random_bool(0.5) => Val::Double(small as f64 / 4.0),
        ":other-kind/mixed-numbers" => Val::Long(small),
        _ => match rng.random_range(0..5) {
            0 => Val::Long(small),
            1 => Val::Text(word),
            2 => Val::Boolean(small > 0),
            3 => Val::Double(small as f64 / 2.0),
            _ => Val::Keyword(":k/w".into()),
        },
    })
}

/// One transaction that must be accepted, unless a declaration does not fit the data.
pub fn transaction(world: &World, actors: &Actors, rng: &mut SmallRng) -> Vec<Said> {
    let newest = world.newest();
    if rng.random_bool(0.08) {
        let a = TURNING.choose(rng).copied().unwrap_or(TURNING[0]);
        return vec![Said::Declare(a, rng.random_bool(0.6))];
    }
    let mut said = Vec::new();
    let deleted = (0..ENTITIES)
        .filter(|i| actors.ids[*i].is_some())
        .collect::<Vec<_>>()
        .choose(rng)
        .copied()
        .filter(|_| rng.random_bool(0.1));
    said.extend(deleted.map(Said::Delete));
    let mut touched: BTreeSet<(usize, &str)> = BTreeSet::new();
    for _ in 0..rng.random_range(usize::from(deleted.is_none())..8) {
        let e = rng.random_range(0..ENTITIES);
        let a = match rng.random_bool(0.7) {
            true => ONE.choose(rng),
            false => TURNING.choose(rng),
        };
        let a = a.copied().unwrap_or(ONE[0]);
        // Deleting takes references to the deleted along: nothing else may be said of them.
        let refers = [":thing/link", ":other-kind/things"].contains(&a);
        let spoilt = deleted.is_some() && (refers || deleted == Some(e));
        if spoilt || !touched.insert((e, a)) {
            continue;
        }
        let known = actors.ids[e].map(|id| world.values(id, a)).unwrap_or_default();
        let retracts = actors.ids[e].is_some() && rng.random_bool(0.25);
        if retracts {
            let one = known.choose(rng).cloned().or_else(|| value(a, actors, rng));
            said.push(Said::Retract(e, a, one.filter(|_| rng.random_bool(0.7))));
            continue;
        }
        let count = if world.is_many(a, newest) { rng.random_range(1..4) } else { 1 };
        let mut values: Vec<Val> = (0..count).filter_map(|_| value(a, actors, rng)).collect();
        values.sort_by(Val::order);
        values.dedup();
        said.extend(values.into_iter().map(|v| Said::Add(e, a, v)));
    }
    said
}

fn stored(v: &Val) -> TxValue {
    TxValue::Value(match v {
        Val::Boolean(b) => Value::Boolean(*b),
        Val::Long(n) => Value::Long(*n),
        Val::Double(d) => Value::Double(*d),
        Val::Instant(us) => Value::Instant(*us),
        Val::Ref(e) => return TxValue::Entity(EntityRef::Id(*e)),
        Val::Text(s) => Value::string(s),
        Val::Keyword(s) => Value::keyword(s),
    })
}

/// The same for the product.
pub fn ops(said: &[Said], actors: &Actors) -> Vec<Op> {
    let entity = |i: &usize| match actors.ids[*i] {
        Some(id) => EntityRef::Id(id),
        None => EntityRef::Temp(i.to_string().into()),
    };
    let op = |said: &Said| match said {
        Said::Add(e, a, v) => Op::Add { e: entity(e), a: Attr::new(a), v: stored(v) },
        Said::Retract(e, a, v) => {
            Op::Retract { e: entity(e), a: Attr::new(a), v: v.as_ref().map(stored) }
        }
        Said::Delete(e) => Op::RetractEntity { e: entity(e) },
        Said::Declare(a, many) => {
            let keyword = |name: &str| TxValue::Value(Value::keyword(name));
            let cardinality = if *many { ":db.cardinality/many" } else { ":db.cardinality/one" };
            Op::Map {
                id: None,
                attrs: vec![
                    (Attr::new(":db/ident"), keyword(a)),
                    (Attr::new(":db/cardinality"), keyword(cardinality)),
                ],
            }
        }
    };
    said.iter().map(op).collect()
}

/// Whether a declaration must be refused: some entity has several values.
pub fn refused(world: &World, said: &[Said], actors: &Actors) -> bool {
    let several = |a: &str| actors.ids.iter().flatten().any(|e| world.values(*e, a).len() > 1);
    said.iter().any(|op| matches!(op, Said::Declare(a, false) if several(a)))
}

/// The datoms that must come of it, with t. New entities have their ids by now.
pub fn expected(world: &World, said: &[Said], actors: &Actors, t: i64) -> Vec<Datom> {
    let mut out: Vec<Datom> = Vec::new();
    let many = |a: &str| world.is_many(a, t - 1);
    for op in said {
        match op {
            Said::Declare(..) => {}
            Said::Add(i, a, v) => {
                let Some(e) = actors.ids[*i] else { continue };
                let known = world.values(e, a);
                if known.contains(v) {
                    continue;
                }
                out.push(Datom { e, a, v: v.clone(), t, added: true });
                if !many(a) {
                    out.extend(known.into_iter().map(|v| Datom { e, a, v, t, added: false }));
                }
            }
            Said::Retract(i, a, v) => {
                let Some(e) = actors.ids[*i] else { continue };
                let known = world.values(e, a).into_iter();
                let gone = known.filter(|known| v.as_ref().is_none_or(|v| v == known));
                out.extend(gone.map(|v| Datom { e, a, v, t, added: false }));
            }
            Said::Delete(i) => {
                let Some(id) = actors.ids[*i] else { continue };
                for a in super::world::ATTRIBUTES {
                    for e in actors.ids.iter().flatten().copied() {
                        let gone = world.values(e, a).into_iter();
                        let gone = gone.filter(|v| e == id || *v == Val::Ref(id));
                        out.extend(gone.map(|v| Datom { e, a, v, t, added: false }));
                    }
                }
            }
        }
    }
    out
}
