//! A run: the facts of adjoining transactions as segments, and where in them each attribute lies.

use super::block::Kind;
use super::cache::unique;
use super::order::Order;
use super::segment::{Files, RowGroup, Segment, SegmentEntry};
use crate::datom::Attr;
use crate::error::Result;
use crate::snapshot::SegmentInfo;
use crate::value::ValueType;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Footers that are read at the same time.
const OPENS: usize = 8;

/// What a root says of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunEntry {
    pub first_t: i64,
    pub last_t: i64,
    /// Attributes that lie in AVET order too.
    pub by_value: BTreeSet<String>,
    pub segments: Vec<SegmentEntry>,
}

pub struct Run {
    pub entry: RunEntry,
    pub segments: Vec<Arc<Segment>>,
    pub groups: BTreeMap<(Attr, ValueType), RunGroup>,
}

/// The row groups of one attribute and type, by order and kind, each in its order.
pub struct RunGroup {
    row_groups: [[Vec<RowGroup>; 3]; 2],
    pub id: u64,
    /// Whether there is an AVET order of it.
    pub by_value: bool,
}

impl RunGroup {
    pub fn row_groups(&self, order: Order, kind: Kind) -> &[RowGroup] {
        &self.row_groups[order as usize][kind as usize]
    }

    pub fn rows(&self, kind: Kind) -> u64 {
        self.row_groups(Order::Aevt, kind).iter().map(|g| g.rows as u64).sum()
    }
}

impl Run {
    /// `known` segments are the same ones in this run: whether anyone reads a segment shows in how often it is shared.
    pub async fn open(files: &Arc<Files>, entry: RunEntry, known: &[Arc<Segment>]) -> Result<Run> {
        let mut segments = Vec::with_capacity(entry.segments.len());
        let mut groups: BTreeMap<(Attr, ValueType), RunGroup> = BTreeMap::new();
        let opens = entry.segments.iter().map(|of| async {
            match known.iter().find(|s| s.entry.name == of.name) {
                Some(known) => Ok((Arc::clone(known), known.row_groups()?)),
                None => Segment::open(files, of.clone()).await,
            }
        });
        let opens = stream::iter(opens.collect::<Vec<_>>()).buffered(OPENS);
        let opened: Vec<_> = opens.try_collect().await?;
        for (of, (segment, row_groups)) in entry.segments.iter().zip(opened) {
            for (a, ty, row_group) in row_groups {
                let by_value = is_by_value(&entry.by_value, &a, ty);
                let group = groups.entry((a, ty)).or_insert_with(|| RunGroup {
                    row_groups: Default::default(),
                    id: unique(),
                    by_value,
                });
                group.row_groups[of.order as usize][of.kind as usize].push(row_group);
            }
            segments.push(segment);
        }
        for row_groups in groups.values_mut().flat_map(|g| g.row_groups.iter_mut().flatten()) {
            share(row_groups);
        }
        Ok(Run { entry, segments, groups })
    }

    /// What is shown of its segments; it is run number `run`.
    pub fn infos(&self, run: usize) -> Vec<SegmentInfo> {
        let info = |segment: &Arc<Segment>| {
            let of = &segment.entry;
            let mut attributes = Vec::new();
            let mut row_groups = 0;
            for ((a, _), group) in &self.groups {
                let all = group.row_groups(of.order, of.kind).iter();
                let here = all.filter(|g| Arc::ptr_eq(&g.segment, segment)).count();
                row_groups += here;
                if here > 0 && attributes.last() != Some(a) {
                    attributes.push(a.clone());
                }
            }
            SegmentInfo {
                path: segment.path().to_string(),
                order: of.order.name(),
                kind: of.kind.name(),
                run,
                rows: of.rows,
                bytes: of.bytes,
                row_groups,
                attributes,
                first_t: self.entry.first_t,
                last_t: self.entry.last_t,
            }
        };
        self.segments.iter().map(info).collect()
    }

    pub fn bytes(&self) -> u64 {
        self.entry.segments.iter().map(|s| s.bytes).sum()
    }

    /// Its facts of some kinds.
    pub fn rows(&self, kinds: &[Kind]) -> u64 {
        let of = |s: &&SegmentEntry| s.order == Order::Aevt && kinds.contains(&s.kind);
        self.entry.segments.iter().filter(of).map(|s| s.rows).sum()
    }
}

impl RunEntry {
    /// Whether all its facts are superseded. Runs of such facts may span the transactions of others.
    pub fn is_past(&self) -> bool {
        self.segments.iter().all(|s| s.kind == Kind::History)
    }

    /// What it has of superseded facts, as a run of its own.
    pub fn past(&self) -> Option<RunEntry> {
        let past = self.segments.iter().filter(|s| s.kind == Kind::History);
        let segments: Vec<SegmentEntry> = past.cloned().collect();
        (!segments.is_empty()).then(|| RunEntry { segments, ..self.clone() })
    }
}

/// References are always kept by value: they are read backwards.
pub fn is_by_value(by_value: &BTreeSet<String>, a: &Attr, ty: ValueType) -> bool {
    ty == ValueType::Ref || by_value.contains(a.as_str())
}

fn share(row_groups: &mut [RowGroup]) {
    for i in 1..row_groups.len() {
        let e = *row_groups[i].e.start();
        if *row_groups[i - 1].e.end() == e {
            row_groups[i].shared.0 = Some(e);
            row_groups[i - 1].shared.1 = Some(e);
        }
    }
}
