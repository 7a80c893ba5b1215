//! The naive reading of a history: all its datoms in a list, every question answered by walking it.

use daodb_storage::{Attr, Datom, Fact, NewTransaction, OPEN, Value, ValueType, View};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default, Clone)]
pub struct Model {
    pub datoms: Vec<Datom>,
    /// (t, µs)
    pub instants: Vec<(i64, i64)>,
}

impl Model {
    pub fn push(&mut self, transaction: &NewTransaction, t: i64) {
        self.instants.push((t, transaction.instant));
        self.datoms.extend(transaction.datoms.iter().cloned());
    }

    pub fn newest_t(&self) -> i64 {
        self.instants.last().map_or(999, |(t, _)| *t)
    }

    pub fn newest_instant(&self) -> i64 {
        self.instants.last().map_or(i64::MIN, |(_, instant)| *instant)
    }

    /// What it was after transaction `t`.
    pub fn up_to(&self, t: i64) -> Model {
        Model {
            datoms: self.datoms.iter().filter(|d| d.t <= t).cloned().collect(),
            instants: self.instants.iter().filter(|(i, _)| *i <= t).copied().collect(),
        }
    }

    /// The visible facts, sorted by (a, e, v, t_from).
    pub fn facts(&self, view: View) -> Vec<(Attr, Fact)> {
        let t = view.as_of.unwrap_or(i64::MAX);
        let mut open: BTreeMap<(Attr, i64, Value), Fact> = BTreeMap::new();
        let mut facts = Vec::new();
        for d in self.datoms.iter().filter(|d| d.t <= t) {
            let key = (d.a.clone(), d.e, d.v.clone());
            if d.added {
                let (e, v) = (d.e, d.v.clone());
                open.entry(key).or_insert(Fact {
                    e,
                    v,
                    t_from: d.t,
                    m_from: d.m,
                    t_to: OPEN,
                    m_to: 0,
                });
            } else if let Some(fact) = open.remove(&key) {
                facts.push((d.a.clone(), Fact { t_to: d.t, m_to: d.m, ..fact }));
            }
        }
        facts.extend(open.into_iter().map(|((a, _, _), fact)| (a, fact)));
        facts.retain(|(_, f)| view.history || f.is_open());
        facts.retain(|(_, f)| view.since.is_none_or(|since| f.t_from > since));
        facts.sort_by(|(a, f), (b, g)| (a, f.e, &f.v, f.t_from).cmp(&(b, g.e, &g.v, g.t_from)));
        facts
    }

    /// All [e a v] that hold now.
    pub fn open(&self) -> BTreeSet<(i64, Attr, Value)> {
        let facts = self.facts(View::default()).into_iter();
        facts.map(|(a, f)| (f.e, a, f.v)).collect()
    }

    /// Every attribute and value type, with the t of its first assertion and the number of its facts.
    pub fn attributes(&self) -> BTreeMap<(Attr, ValueType), (i64, u64)> {
        let mut found = BTreeMap::new();
        for (a, f) in self.facts(View { history: true, ..View::default() }) {
            let entry = found.entry((a, f.v.value_type())).or_insert((f.t_from, 0));
            *entry = (entry.0.min(f.t_from), entry.1 + 1);
        }
        found
    }
}
