//! What the transactor reads: a snapshot, and on top of it the transactions that are prepared and not durable yet.

use crate::error::Result;
use daodb_storage::{Attr, Datom, Snapshot, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is known now, from one transaction to the next.
pub struct Db {
    base: Snapshot,
    /// Oldest first: a group that is being written, a group that gathers.
    layers: Vec<Layer>,
    pub next_entity: i64,
}

/// The datoms of a group, by attribute.
#[derive(Default)]
struct Layer {
    columns: HashMap<Attr, Events>,
}

/// In the order they were said. The indexes are made when something is asked, so that loading new entities pays for none.
#[derive(Default)]
struct Events {
    all: Vec<(i64, Value, bool)>,
    by_e: HashMap<i64, Vec<u32>>,
    by_v: BTreeMap<Value, Vec<u32>>,
    indexed_e: usize,
    indexed_v: usize,
}

impl Events {
    fn of(&mut self, e: i64) -> impl Iterator<Item = (&Value, bool)> {
        for at in self.indexed_e..self.all.len() {
            self.by_e.entry(self.all[at].0).or_default().push(at as u32);
        }
        self.indexed_e = self.all.len();
        let at = self.by_e.get(&e).map(Vec::as_slice).unwrap_or_default();
        at.iter().map(|at| &self.all[*at as usize]).map(|(_, v, added)| (v, *added))
    }

    fn with(&mut self, v: &Value) -> impl Iterator<Item = (i64, bool)> {
        for at in self.indexed_v..self.all.len() {
            self.by_v.entry(self.all[at].1.clone()).or_default().push(at as u32);
        }
        self.indexed_v = self.all.len();
        let at = self.by_v.get(v).map(Vec::as_slice).unwrap_or_default();
        at.iter().map(|at| &self.all[*at as usize]).map(|(e, _, added)| (*e, *added))
    }
}

/// A set of facts under events: an addition puts one in, a retraction takes it out.
fn apply<T: Ord>(set: &mut BTreeSet<T>, fact: T, added: bool) {
    if added {
        set.insert(fact);
    } else {
        set.remove(&fact);
    }
}

impl Db {
    pub fn new(base: Snapshot) -> Db {
        Db { next_entity: base.next_entity(), base, layers: vec![Layer::default()] }
    }

    pub fn base(&self) -> &Snapshot {
        &self.base
    }

    /// Puts a prepared transaction on top; within it retractions stand before additions of the same fact's place.
    pub fn push(&mut self, datoms: &[Datom]) {
        let Some(layer) = self.layers.last_mut() else { return };
        for run in datoms.chunk_by(|x, y| x.a == y.a) {
            let events = layer.columns.entry(run[0].a.clone()).or_default();
            events.all.extend(run.iter().map(|d| (d.e, d.v.clone(), d.added)));
        }
    }

    /// The gathered group is on its way; another one gathers.
    pub fn seal(&mut self) {
        self.layers.push(Layer::default());
    }

    /// The oldest group is durable: `base` holds it.
    pub fn rebase(&mut self, base: Snapshot) {
        self.layers.remove(0);
        if self.layers.is_empty() {
            self.layers.push(Layer::default());
        }
        self.next_entity = self.next_entity.max(base.next_entity());
        self.base = base;
    }

    /// The open facts of `a` about these entities (sorted, distinct), sorted by (e, v).
    pub async fn facts(&mut self, a: &Attr, es: &[i64]) -> Result<Vec<(i64, Value)>> {
        let facts = self.base.facts(a, es).await?.into_iter().map(|f| (f.e, f.v));
        let layers = self.layers.iter_mut().filter_map(|l| l.columns.get_mut(a));
        let layers: Vec<&mut Events> = layers.collect();
        if layers.is_empty() {
            return Ok(facts.collect());
        }
        let mut set: BTreeSet<(i64, Value)> = facts.collect();
        for events in layers {
            for e in es {
                events.of(*e).for_each(|(v, added)| apply(&mut set, (*e, v.clone()), added));
            }
        }
        Ok(set.into_iter().collect())
    }

    /// The open facts of `a` with one of these values (sorted, distinct), sorted by (v, e).
    pub async fn lookup(&mut self, a: &Attr, vs: &[Value]) -> Result<Vec<(Value, i64)>> {
        let facts = self.base.lookup(a, vs).await?.into_iter().map(|f| (f.v, f.e));
        let layers = self.layers.iter_mut().filter_map(|l| l.columns.get_mut(a));
        let layers: Vec<&mut Events> = layers.collect();
        if layers.is_empty() {
            return Ok(facts.collect());
        }
        let mut set: BTreeSet<(Value, i64)> = facts.collect();
        for events in layers {
            for v in vs {
                events.with(v).for_each(|(e, added)| apply(&mut set, (v.clone(), e), added));
            }
        }
        Ok(set.into_iter().collect())
    }

    /// The open facts about an entity.
    pub async fn entity(&mut self, e: i64) -> Result<BTreeSet<(Attr, Value)>> {
        let facts = self.base.entity(e).await?.into_iter();
        let mut set: BTreeSet<(Attr, Value)> = facts.map(|(a, f)| (a, f.v)).collect();
        for layer in &mut self.layers {
            for (a, events) in &mut layer.columns {
                let events = events.of(e);
                events.for_each(|(v, added)| apply(&mut set, (a.clone(), v.clone()), added));
            }
        }
        Ok(set)
    }

    /// Who refers to an entity, and by which attribute.
    pub async fn referrers(&mut self, e: i64) -> Result<BTreeSet<(Attr, i64)>> {
        let facts = self.base.referrers(e).await?.into_iter();
        let mut set: BTreeSet<(Attr, i64)> = facts.map(|(a, f)| (a, f.e)).collect();
        let v = Value::Ref(e);
        for layer in &mut self.layers {
            for (a, events) in &mut layer.columns {
                let events = events.with(&v);
                events.for_each(|(from, added)| apply(&mut set, (a.clone(), from), added));
            }
        }
        Ok(set)
    }
}
