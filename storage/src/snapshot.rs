//! A snapshot: root and tail at a basis. A value: cheap to clone, never changes.

use crate::datom::Attr;
use crate::error::Result;
use crate::fact::Fact;
use crate::value::{Value, ValueType};
use datafusion::arrow::array::ArrayRef;
use std::ops::Range;

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

#[derive(Clone)]
pub struct Snapshot {}

impl Snapshot {
    /// The newest transaction, whatever the view.
    pub fn newest(&self) -> &Basis {
        unimplemented!()
    }
    /// The t that reads see: `as_of`, or the newest.
    pub fn t(&self) -> i64 {
        unimplemented!()
    }
    pub fn view(&self) -> View {
        unimplemented!()
    }
    pub fn as_of(&self, _t: i64) -> Snapshot {
        unimplemented!()
    }
    pub fn since(&self, _t: i64) -> Snapshot {
        unimplemented!()
    }
    pub fn history(&self) -> Snapshot {
        unimplemented!()
    }
    /// The lowest entity id (>= FIRST_ENTITY) never used.
    pub fn next_entity(&self) -> i64 {
        unimplemented!()
    }
    /// One row for each attribute and value type asserted at or before the basis, ordered by both.
    pub fn attributes(&self) -> Vec<AttributeStat> {
        unimplemented!()
    }
    /// Adjoining ranges of e that together hold all facts of these attributes, each with about `rows` of the largest one;
    /// they follow the row groups of the largest run, so that a range reads few of them. Empty where there are no facts.
    pub fn ranges(&self, _attributes: &[Attr], _rows: usize) -> Vec<Range<i64>> {
        unimplemented!()
    }
    /// The facts of a slice, one [`FactColumns`] for each value type that has any. Without a history view: those that
    /// hold at [`Snapshot::t`] (and, under `since`, were asserted after it); with it, superseded ones too.
    pub async fn slice(&self, _slice: &Slice) -> Result<Vec<FactColumns>> {
        unimplemented!()
    }
    /// Equal for two attributes only if their visible facts within the range are about the same entities, one fact each;
    /// known without reading their columns. None: not known.
    pub fn same_entities(&self, _a: &Attr, _e: &Range<i64>) -> Option<u128> {
        unimplemented!()
    }
    /// The visible facts of `a` about these entities (any order, duplicates allowed), sorted by (e, v, t_from).
    pub async fn facts(&self, _a: &Attr, _es: &[i64]) -> Result<Vec<Fact>> {
        unimplemented!()
    }
    /// All visible facts of `a`, sorted by (e, v, t_from): for small attributes such as the schema's.
    pub async fn all(&self, _a: &Attr) -> Result<Vec<Fact>> {
        unimplemented!()
    }
    /// The visible facts of `a` with one of these values, sorted by (v, e, t_from).
    pub async fn lookup(&self, _a: &Attr, _vs: &[Value]) -> Result<Vec<Fact>> {
        unimplemented!()
    }
    /// The visible facts about one entity, sorted by attribute.
    pub async fn entity(&self, _e: i64) -> Result<Vec<(Attr, Fact)>> {
        unimplemented!()
    }
    /// The visible facts whose value is a ref to `e`, sorted by attribute.
    pub async fn referrers(&self, _e: i64) -> Result<Vec<(Attr, Fact)>> {
        unimplemented!()
    }
    /// The last transaction at or before this instant (µs); None: none is that old.
    pub async fn t_at(&self, _instant: i64) -> Result<Option<i64>> {
        unimplemented!()
    }
    /// The instant (µs) of transaction t; None: no such transaction.
    pub async fn instant_of(&self, _t: i64) -> Result<Option<i64>> {
        unimplemented!()
    }
}
