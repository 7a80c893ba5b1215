//! A snapshot: root and tail at a basis. A value: cheap to clone, never changes.

mod closings;
mod merged;
mod point;
mod ranges;
mod read;
mod source;
mod span;

use crate::datom::Attr;
use crate::error::Result;
use crate::index::cache::Ascends;
use crate::index::root::Root;
use crate::index::segment::Files;
use crate::index::stat::Stat;
use crate::store::Requests;
use crate::tail::{Fresh, Tail};
use crate::value::{Value, ValueType};
use datafusion::arrow::array::ArrayRef;
use futures::future::BoxFuture;
use read::{Reading, Sight};
use source::{Group, Of};
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
    /// Whether `e` ascends, each entity with one row, to be found out once for all who have the same column. None: it is this
    /// one's own.
    pub ascends: Option<Ascends>,
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

/// One segment of the covered indexes, as `dao.segments` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    pub path: String,
    /// `aevt` or `avet`.
    pub order: &'static str,
    /// `current`, `history` or `closings`.
    pub kind: &'static str,
    /// Its run's place among the runs, 0 the oldest.
    pub run: usize,
    pub rows: u64,
    pub bytes: u64,
    pub row_groups: usize,
    /// Distinct ones, ascending.
    pub attributes: Vec<Attr>,
    /// The transactions of its run, both inclusive.
    pub first_t: i64,
    pub last_t: i64,
}

/// All that a stream holds at one moment. Never changes.
pub(crate) struct State {
    pub files: Arc<Files>,
    pub root: Arc<Root>,
    pub tail: Tail,
    pub basis: Basis,
    pub fresh: Fresh,
    /// Made when it is first asked for.
    attributes: OnceLock<Vec<AttributeStat>>,
}

impl State {
    pub fn new(
        files: Arc<Files>,
        root: Arc<Root>,
        tail: Tail,
        basis: Basis,
        fresh: Fresh,
    ) -> State {
        State { files, root, tail, basis, fresh, attributes: OnceLock::new() }
    }

    /// Of a root, with nothing after it yet.
    pub fn at(files: Arc<Files>, root: Arc<Root>) -> State {
        let (basis, fresh) = (root.basis.clone(), root.fresh);
        State::new(files, root, Tail::default(), basis, fresh)
    }

    /// What the sources hold of one attribute, oldest first, apart by type.
    fn groups(&self, a: &Attr) -> BTreeMap<ValueType, Vec<Group<'_>>> {
        let all = (a.clone(), ValueType::ALL[0])..=(a.clone(), ValueType::ALL[13]);
        let mut groups: BTreeMap<ValueType, Vec<Group<'_>>> = BTreeMap::new();
        for run in &self.root.runs {
            for ((_, ty), of) in run.groups.range(all.clone()) {
                let ts = run.entry.first_t..=run.entry.last_t;
                groups.entry(*ty).or_default().push(Group { ts, of: Of::Run(of) });
            }
        }
        for batch in self.tail.batches() {
            for ((_, ty), block) in batch.blocks.range(all.clone()) {
                let ts = batch.first_t..=batch.last_t;
                groups.entry(*ty).or_default().push(Group { ts, of: Of::Tail(block) });
            }
        }
        groups
    }

    fn attributes(&self) -> &[AttributeStat] {
        self.attributes.get_or_init(|| {
            let mut all: BTreeMap<&(Attr, ValueType), AttributeSum> = BTreeMap::new();
            for (key, stat) in &self.root.stats {
                all.entry(key).or_default().add(stat);
            }
            for (key, block) in self.tail.batches().flat_map(|b| &b.blocks) {
                all.entry(key).or_default().add(&block.stat);
            }
            all.into_iter().map(|(key, sum)| sum.finish(key)).collect()
        })
    }
}

/// The counts of an attribute and type over all sources.
#[derive(Default)]
struct AttributeSum<'a> {
    facts: u64,
    ended: u64,
    first_t: Option<i64>,
    min: Option<&'a Value>,
    max: Option<&'a Value>,
}

impl<'a> AttributeSum<'a> {
    fn add(&mut self, stat: &'a Stat) {
        self.facts += stat.facts;
        self.ended += stat.ended;
        if stat.facts == 0 {
            return;
        }
        self.first_t = Some(self.first_t.map_or(stat.first_t, |t| t.min(stat.first_t)));
        self.max = self.max.max(stat.max.as_ref());
        self.min = match (self.min, stat.min.as_ref()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn finish(self, (a, value_type): &(Attr, ValueType)) -> AttributeStat {
        AttributeStat {
            a: a.clone(),
            value_type: *value_type,
            facts: self.facts,
            open: self.facts.saturating_sub(self.ended),
            first_t: self.first_t.unwrap_or(i64::MAX),
            min: self.min.cloned(),
            max: self.max.cloned(),
        }
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
    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
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
    pub fn attributes(&self) -> impl Iterator<Item = &AttributeStat> {
        let t = self.t();
        self.state.attributes().iter().filter(move |s| s.first_t <= t)
    }

    /// About how many distinct entities and values the facts of an attribute and type have, open and closed.
    pub fn distinct(&self, a: &Attr, ty: ValueType) -> (u64, u64) {
        let key = (a.clone(), ty);
        let mut all = Stat::default();
        let tail = self.state.tail.batches().filter_map(|b| b.blocks.get(&key)).map(|b| &b.stat);
        self.state.root.stats.get(&key).into_iter().chain(tail).for_each(|stat| all.merge(stat));
        (all.entities.estimate(), all.values.estimate())
    }

    /// Rows in memory that no segment holds yet.
    pub fn tail_rows(&self) -> usize {
        self.state.tail.rows()
    }

    fn sight(&self) -> Sight {
        Sight {
            as_of: self.view.as_of.filter(|t| *t < self.state.basis.t),
            since: self.view.since,
            history: self.view.history,
            touched: None,
        }
    }

    /// Adjoining ranges of e that together hold all visible facts of these attributes within bounds, each with about `rows` of the
    /// largest one; they follow the row groups of the largest attribute, so that a range reads few of them. Empty where there are no
    /// facts. What is read is the footers of a few files at most.
    pub fn ranges<'a>(
        &'a self,
        attributes: &'a [Attr],
        within: Range<i64>,
        rows: usize,
    ) -> BoxFuture<'a, Result<Vec<Range<i64>>>> {
        Box::pin(async move {
            let wanted: BTreeSet<&Attr> = attributes.iter().collect();
            let groups: Vec<Vec<Group<'_>>> =
                wanted.iter().flat_map(|a| self.state.groups(a).into_values()).collect();
            ranges::of(&groups, &self.sight(), &within, rows).await
        })
    }
    /// The facts of a slice, one [`FactColumns`] for each value type that has any. Without a history view: those that
    /// hold at [`Snapshot::t`] (and, under `since`, were asserted after it); with it, superseded ones too.
    pub fn slice<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Vec<FactColumns>>> {
        Box::pin(async move {
            let sight = Sight { touched: slice.touched, ..self.sight() };
            let span = Span::Range(slice.e.clone());
            self.columns(&slice.a, span, sight, slice.values, slice.times).await
        })
    }
    /// The same of some entities (ascending, distinct).
    pub fn pick<'a>(
        &'a self,
        a: &'a Attr,
        es: &'a [i64],
        values: bool,
        times: bool,
    ) -> BoxFuture<'a, Result<Vec<FactColumns>>> {
        Box::pin(self.columns(a, Span::Points(es), self.sight(), values, times))
    }

    async fn columns(
        &self,
        a: &Attr,
        span: Span<'_>,
        sight: Sight,
        values: bool,
        times: bool,
    ) -> Result<Vec<FactColumns>> {
        let mut out = Vec::new();
        for (ty, groups) in self.state.groups(a) {
            let (span, cache) = (span.clone(), &self.state.files.cache);
            let rows = Reading { ty, span, values, times, sight, cache }.read(&groups).await?;
            if !rows.is_empty() {
                out.push(rows.into_columns(ty, times));
            }
        }
        Ok(out)
    }
    /// The segments of the covered indexes, by run; what the tail holds is in none yet.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let runs = self.state.root.runs.iter().enumerate();
        runs.flat_map(|(i, run)| run.infos(i)).collect()
    }

    /// The requests to the store that it lies in, since that was opened: by all databases there.
    pub fn requests(&self) -> Vec<Requests> {
        self.state.files.store.requests()
    }

    /// Equal for two attributes only if their visible facts within the range are about the same entities, as many facts
    /// each; known without reading anything. None: not known.
    pub fn same_entities(&self, a: &Attr, e: &Range<i64>) -> Option<u128> {
        let sight = self.sight();
        self.state.groups(a).values().try_fold(0u128, |sum, groups| {
            Some(sum.wrapping_add(read::fingerprint(groups, &sight, e)?))
        })
    }
}
