//! A snapshot: root and tail at a basis. A value: cheap to clone, never changes.

mod closings;
mod point;
mod ranges;
mod read;
mod source;
mod span;

use crate::datom::{Attr, FIRST_T};
use crate::error::Result;
use crate::index::rows::Rows;
use crate::tail::{Fresh, Tail};
use crate::value::{Value, ValueType};
use datafusion::arrow::array::ArrayRef;
use read::{Reading, Sight};
use source::Group;
use span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Which part of a snapshot's time a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct View {
    /// Only what was known at this t (inclusive); None: everything up to the newest.
    pub as_of: Option<i64>,
    /// Only facts asserted after this t (exclusive).
    pub since: Option<i64>,
    /// Superseded facts too.
    pub history: bool,
}

/// The newest transaction that a snapshot holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    /// 999 where there is no transaction yet.
    pub t: i64,
    /// Microseconds, UTC; i64::MIN where there is no transaction yet.
    pub instant: i64,
    pub hash: [u8; 32],
}

/// What is known of one value type of one attribute.
#[derive(Debug, Clone)]
pub struct AttributeStat {
    pub a: Attr,
    pub value_type: ValueType,
    /// Facts, open and closed.
    pub facts: u64,
    /// Facts that hold now (an estimate while closings wait for a merge).
    pub open: u64,
    /// The t of the first assertion.
    pub first_t: i64,
    pub min: Option<Value>,
    pub max: Option<Value>,
}

/// The visible facts of one attribute and one value type, as columns sorted by (e, v, t_from).
#[derive(Debug, Clone)]
pub struct FactColumns {
    pub value_type: ValueType,
    /// Int64.
    pub e: ArrayRef,
    /// As [`ValueType::arrow`] says; None where the values were not asked for.
    pub v: Option<ArrayRef>,
    /// None where the times were not asked for.
    pub times: Option<Times>,
}

/// Int64 each: when a fact held and by which metadata. `t_to` is [`crate::OPEN`] where it still holds at the view's as-of
/// (a retraction later than that is not seen; `m_to` is 0 there).
#[derive(Debug, Clone)]
pub struct Times {
    pub t_from: ArrayRef,
    pub m_from: ArrayRef,
    pub t_to: ArrayRef,
    pub m_to: ArrayRef,
}

/// Which facts of an attribute to read, and which columns of them.
#[derive(Debug, Clone)]
pub struct Slice {
    pub a: Attr,
    /// Bounds on e, `start` inclusive, `end` exclusive.
    pub e: Range<i64>,
    pub values: bool,
    pub times: bool,
    /// Only facts that began or ended at a t within these bounds (both inclusive).
    pub touched: Option<(i64, i64)>,
}

/// All that a stream holds at one moment. Never changes.
pub(crate) struct State {
    pub tail: Tail,
    pub basis: Basis,
    pub fresh: Fresh,
    pub attributes: OnceLock<Vec<AttributeStat>>,
}

impl State {
    pub fn empty() -> State {
        State {
            tail: Tail::default(),
            basis: Basis { t: FIRST_T - 1, instant: i64::MIN, hash: [0; 32] },
            fresh: Fresh::default(),
            attributes: OnceLock::new(),
        }
    }

    /// What the sources hold of one attribute, oldest first, apart by type.
    fn groups(&self, a: &Attr) -> BTreeMap<ValueType, Vec<Group<'_>>> {
        let all = (a.clone(), ValueType::ALL[0])..=(a.clone(), ValueType::ALL[13]);
        let mut groups: BTreeMap<ValueType, Vec<Group<'_>>> = BTreeMap::new();
        for batch in self.tail.batches() {
            for ((_, ty), block) in batch.blocks.range(all.clone()) {
                let group = Group { ts: batch.first_t..=batch.last_t, block };
                groups.entry(*ty).or_default().push(group);
            }
        }
        groups
    }

    fn attributes(&self) -> &[AttributeStat] {
        self.attributes.get_or_init(|| {
            let mut all: BTreeMap<&(Attr, ValueType), (AttributeStat, u64)> = BTreeMap::new();
            for (key, block) in self.tail.batches().flat_map(|b| &b.blocks) {
                let (stat, ended) = all.entry(key).or_insert_with(|| {
                    let stat = AttributeStat {
                        a: key.0.clone(),
                        value_type: key.1,
                        facts: 0,
                        open: 0,
                        first_t: i64::MAX,
                        min: None,
                        max: None,
                    };
                    (stat, 0)
                });
                stat.facts += block.stat.facts;
                *ended += block.stat.ended;
                stat.first_t = stat.first_t.min(block.stat.first_t);
                if block.stat.max > stat.max {
                    stat.max = block.stat.max.clone();
                }
                if block.stat.min.is_some() && (stat.min.is_none() || block.stat.min < stat.min) {
                    stat.min = block.stat.min.clone();
                }
            }
            let finish = |(mut stat, ended): (AttributeStat, u64)| {
                stat.open = stat.facts.saturating_sub(ended);
                stat
            };
            all.into_values().map(finish).collect()
        })
    }
}

#[derive(Clone)]
pub struct Snapshot {
    state: Arc<State>,
    view: View,
}

impl Snapshot {
    pub(crate) fn new(state: Arc<State>) -> Snapshot {
        Snapshot { state, view: View::default() }
    }
    /// The newest transaction, whatever the view.
    pub fn newest(&self) -> &Basis {
        &self.state.basis
    }
    /// The t that reads see: `as_of`, or the newest.
    pub fn t(&self) -> i64 {
        self.view.as_of.unwrap_or(self.state.basis.t)
    }
    pub fn view(&self) -> View {
        self.view
    }
    pub fn as_of(&self, t: i64) -> Snapshot {
        Snapshot { view: View { as_of: Some(t), ..self.view }, state: Arc::clone(&self.state) }
    }
    pub fn since(&self, t: i64) -> Snapshot {
        Snapshot { view: View { since: Some(t), ..self.view }, state: Arc::clone(&self.state) }
    }
    pub fn history(&self) -> Snapshot {
        Snapshot { view: View { history: true, ..self.view }, state: Arc::clone(&self.state) }
    }
    /// The lowest entity id (>= FIRST_ENTITY) never used.
    pub fn next_entity(&self) -> i64 {
        self.state.fresh.entity
    }
    /// One row for each attribute and value type asserted at or before the basis, ordered by both.
    pub fn attributes(&self) -> Vec<AttributeStat> {
        let t = self.t();
        self.state.attributes().iter().filter(|s| s.first_t <= t).cloned().collect()
    }

    fn sight(&self) -> Sight {
        Sight {
            as_of: self.view.as_of.filter(|t| *t < self.state.basis.t),
            since: self.view.since,
            history: self.view.history,
            touched: None,
        }
    }

    /// Adjoining ranges of e that together hold all facts of these attributes, each with about `rows` of the largest one;
    /// they follow the row groups of the largest run, so that a range reads few of them. Empty where there are no facts.
    pub fn ranges(&self, attributes: &[Attr], rows: usize) -> Vec<Range<i64>> {
        let wanted: BTreeSet<&Attr> = attributes.iter().collect();
        let groups: Vec<_> = wanted
            .iter()
            .flat_map(|a| self.state.groups(a).into_values().flatten().collect::<Vec<_>>())
            .collect();
        ranges::of(&groups, rows)
    }
    /// The facts of a slice, one [`FactColumns`] for each value type that has any. Without a history view: those that
    /// hold at [`Snapshot::t`] (and, under `since`, were asserted after it); with it, superseded ones too.
    pub async fn slice(&self, slice: &Slice) -> Result<Vec<FactColumns>> {
        let mut out = Vec::new();
        for (ty, groups) in self.state.groups(&slice.a) {
            let reading = Reading {
                ty,
                span: Span::Range(slice.e.clone()),
                values: slice.values,
                times: slice.times,
                sight: Sight { touched: slice.touched, ..self.sight() },
            };
            let rows = reading.read(&groups).await?;
            if !rows.is_empty() {
                out.push(rows.into_columns(ty, slice.times));
            }
        }
        Ok(out)
    }
    /// Equal for two attributes only if their visible facts within the range are about the same entities, as many facts
    /// each; known without reading their columns. None: not known.
    pub fn same_entities(&self, _a: &Attr, _e: &Range<i64>) -> Option<u128> {
        None
    }
}
