//! From the tail to a run, and from several runs to one.
//!
//! Merging streams: of every run and kind one row group is in memory. In each round all rows up to the least of the last
//! rows that are in memory are taken, closings meet their facts, and what comes out is written.

use super::block::{Kind, resolve};
use super::order::{Keys, Order};
use super::row_group::{Load, RowGroup};
use super::rows::{Rows, Want};
use super::run::{Run, RunEntry, RunGroup, is_by_value};
use super::segment::{Files, SegmentEntry};
use super::stretch::Stretch;
use super::write::RunWriter;
use crate::datom::Attr;
use crate::error::Result;
use crate::tail::Batch;
use crate::value::ValueType;
use crate::world::Mutation;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;

type Key = (Attr, ValueType);

/// Where runs are written to.
pub struct Builder<'a> {
    pub files: &'a Arc<Files>,
    pub stream: &'a str,
    /// What is done between the pieces of long work: whoever writes must not wait for all of it.
    pub between: Between<'a>,
}

pub type Between<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<()>> + Send + Sync + 'a>;

impl Builder<'_> {
    pub fn writers(
        &self,
        order: Order,
        basis: i64,
        types: &BTreeSet<ValueType>,
    ) -> [RunWriter<'_>; 3] {
        Kind::ALL.map(|kind| RunWriter::new(self.files, self.stream, (order, kind), basis, types))
    }

    /// Lays a batch down as a run.
    pub async fn run(&self, batch: &Batch, by_value: &BTreeSet<String>) -> Result<RunEntry> {
        let mut segments = Vec::new();
        for order in Order::ALL {
            let kept = |(a, ty): &Key| order == Order::Aevt || is_by_value(by_value, a, *ty);
            let types = batch.blocks.keys().filter(|k| kept(k)).map(|k| k.1).collect();
            let mut writers = self.writers(order, batch.last_t, &types);
            for (key, block) in batch.blocks.iter().filter(|(key, _)| kept(key)) {
                for kind in Kind::ALL {
                    let rows = match order {
                        Order::Aevt => block.rows(kind).clone(),
                        Order::Avet => block.rows(kind).sorted(order, key.1)?,
                    };
                    writers[kind as usize].push(&key.0, key.1, rows).await?;
                }
            }
            for writer in writers {
                segments.extend(writer.finish().await?);
            }
        }
        Ok(RunEntry {
            first_t: batch.first_t,
            last_t: batch.last_t,
            by_value: by_value.clone(),
            segments,
        })
    }

    /// The facts of adjoining runs, oldest first, that hold, and the ends that meet no fact there, as one run. What they had of
    /// superseded facts is left as it is, in runs of its own, so that a long history is not written again and again; facts
    /// that turn out to be superseded make a further run.
    pub async fn merge(&self, runs: &[&Run]) -> Result<Vec<RunEntry>> {
        let mut out: Vec<RunEntry> = runs.iter().filter_map(|run| run.entry.past()).collect();
        let kinds = match self.files.world.has(Mutation::DroppedClosings) {
            false => &[Kind::Current, Kind::Closings][..],
            true => &[Kind::Current],
        };
        let [current, history, closings] = self.merge_kinds(runs, kinds).await?;
        let of = |segments| RunEntry { segments, ..spanning(runs) };
        out.extend((!history.is_empty()).then(|| of(history)));
        let segments: Vec<_> = current.into_iter().chain(closings).collect();
        out.extend((!segments.is_empty()).then(|| of(segments)));
        Ok(out)
    }

    /// Runs of nothing but superseded facts as one.
    pub async fn merge_past(&self, runs: &[&Run]) -> Result<Vec<RunEntry>> {
        let [_, segments, _] = self.merge_kinds(runs, &[Kind::History]).await?;
        Ok(vec![RunEntry { segments, ..spanning(runs) }])
    }

    /// The segments of each kind that come of the rows of some kinds.
    async fn merge_kinds(
        &self,
        runs: &[&Run],
        kinds: &[Kind],
    ) -> Result<[Vec<Arc<SegmentEntry>>; 3]> {
        let RunEntry { last_t, by_value, .. } = spanning(runs);
        let keys: BTreeSet<&Key> = runs.iter().flat_map(|r| r.groups.keys()).collect();
        let mut segments: [Vec<Arc<SegmentEntry>>; 3] = Default::default();
        for order in Order::ALL {
            let kept = |key: &&&Key| order == Order::Aevt || is_by_value(&by_value, &key.0, key.1);
            let types = keys.iter().filter(kept).map(|k| k.1).collect();
            let mut writers = self.writers(order, last_t, &types);
            for key in keys.iter().filter(kept) {
                self.merge_group(runs, key, order, kinds, &mut writers).await?;
            }
            for (writer, segments) in writers.into_iter().zip(&mut segments) {
                segments.extend(writer.finish().await?);
            }
        }
        Ok(segments)
    }

    async fn merge_group(
        &self,
        runs: &[&Run],
        key: &Key,
        order: Order,
        kinds: &[Kind],
        writers: &mut [RunWriter<'_>; 3],
    ) -> Result<()> {
        let mut merging = Merging::new(runs, key, order, kinds)?;
        while let Some(out) = merging.next().await? {
            for (writer, rows) in writers.iter_mut().zip(out) {
                writer.push(&key.0, key.1, rows).await?;
            }
            (self.between)().await?;
        }
        Ok(())
    }
}

/// An entry without segments for what comes of runs. What one of them does not have by value the result has not either; it is
/// added later.
fn spanning(runs: &[&Run]) -> RunEntry {
    let mut by_value = runs.first().map(|run| run.entry.by_value.clone()).unwrap_or_default();
    for run in runs {
        by_value.retain(|a| run.entry.by_value.contains(a));
    }
    RunEntry {
        first_t: runs.iter().map(|run| run.entry.first_t).min().unwrap_or(i64::MAX),
        last_t: runs.iter().map(|run| run.entry.last_t).max().unwrap_or(i64::MIN),
        by_value,
        segments: Vec::new(),
    }
}

/// The columns that facts of a kind have.
pub fn want(kind: Kind) -> Want {
    if kind == Kind::Current { Want::OPEN } else { Want::ALL }
}

/// One run's rows of one kind, of which the row group at hand is in memory.
struct Cursor<'a> {
    kind: Kind,
    stretches: std::slice::Iter<'a, Stretch>,
    /// Of the stretch at hand.
    row_groups: std::vec::IntoIter<RowGroup>,
    rows: Rows,
    keys: Keys,
}

impl Cursor<'_> {
    async fn next(&mut self) -> Result<Option<RowGroup>> {
        loop {
            if let Some(next) = self.row_groups.next() {
                return Ok(Some(next));
            }
            let Some(stretch) = self.stretches.next() else { return Ok(None) };
            self.row_groups = stretch.row_groups(false, |_| true).await?.into_iter();
        }
    }

    /// Whether all its rows are in memory.
    fn is_at_end(&self) -> bool {
        self.row_groups.as_slice().is_empty() && self.stretches.as_slice().is_empty()
    }
}

/// The facts of one attribute and type of adjoining runs, oldest first, becoming one: in order, a piece at a time.
pub struct Merging<'a> {
    ty: ValueType,
    order: Order,
    cursors: Vec<Cursor<'a>>,
}

impl<'a> Merging<'a> {
    /// Of the rows of some kinds.
    pub fn new(
        runs: &[&'a Run],
        (a, ty): &Key,
        order: Order,
        kinds: &[Kind],
    ) -> Result<Merging<'a>> {
        let groups = runs.iter().filter_map(|r| r.groups.get(&(a.clone(), *ty)));
        let of_group =
            |group: &'a RunGroup| kinds.iter().map(|kind| (*kind, group.stretches(order, *kind)));
        Merging::of(*ty, order, groups.flat_map(of_group))
    }

    /// Of these, each in order.
    pub fn of(
        ty: ValueType,
        order: Order,
        parts: impl Iterator<Item = (Kind, &'a [Stretch])>,
    ) -> Result<Merging<'a>> {
        let cursor = |(kind, stretches): (Kind, &'a [Stretch])| {
            let (stretches, row_groups) = (stretches.iter(), Vec::new().into_iter());
            let rows = Rows::empty(ty, want(kind));
            let keys = Keys::new(order, ty, &rows)?;
            Ok(Cursor { kind, stretches, row_groups, rows, keys })
        };
        Ok(Merging { ty, order, cursors: parts.map(cursor).collect::<Result<_>>()? })
    }

    /// The next rows by kind; what is a closing still has not met its fact in these runs. None: that was all.
    pub async fn next(&mut self) -> Result<Option<[Rows; 3]>> {
        let (ty, order) = (self.ty, self.order);
        for cursor in &mut self.cursors {
            if !cursor.rows.is_empty() {
                continue;
            }
            if let Some(next) = cursor.next().await? {
                cursor.rows = next.load(ty, want(cursor.kind), &Load::Once).await?;
                cursor.keys = Keys::new(order, ty, &cursor.rows)?;
            }
        }
        self.cursors.retain(|c| !c.rows.is_empty());
        if self.cursors.is_empty() {
            return Ok(None);
        }
        let ends = round(&self.cursors);
        let mut parts = Vec::with_capacity(self.cursors.len());
        for (cursor, end) in self.cursors.iter_mut().zip(ends) {
            parts.push((cursor.kind, cursor.rows.slice(0, end)));
            cursor.rows = cursor.rows.slice(end, cursor.rows.len() - end);
            cursor.keys = cursor.keys.after(end);
        }
        parts.retain(|(_, rows)| !rows.is_empty());
        if let [(kind, rows)] = parts.as_slice() {
            // Nothing meets: as it is.
            let mut out = Kind::ALL.map(|kind| Rows::empty(ty, want(kind)));
            out[*kind as usize] = rows.clone();
            return Ok(Some(out));
        }
        resolve(order, ty, parts).map(Some)
    }
}

/// How many rows of each cursor come before all rows that are not in memory.
fn round(cursors: &[Cursor<'_>]) -> Vec<usize> {
    let last = |c: &Cursor<'_>| c.rows.len() - 1;
    let unfinished = cursors.iter().filter(|c| !c.is_at_end());
    let bound = unfinished.reduce(|x, y| match x.keys.cmp(last(x), &y.keys, last(y)).is_le() {
        true => x,
        false => y,
    });
    let Some(bound) = bound else { return cursors.iter().map(|c| c.rows.len()).collect() };
    let up_to = |c: &Cursor<'_>| {
        let (mut low, mut high) = (0, c.rows.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match c.keys.cmp(middle, &bound.keys, last(bound)).is_le() {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    };
    cursors.iter().map(up_to).collect()
}
