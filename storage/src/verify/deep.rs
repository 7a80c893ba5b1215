//! The index against the log: the events that its facts tell are exactly those of the log.
//!
//! ```text
//! for each attribute and type:
//!     merge all runs: every closing meets its fact, intervals of one [e a v] do not overlap
//!     sums of events equal -> the same events
//!     else cut the entities into ranges, compare their sums, and in a range that is small enough event by event
//! ```
//!
//! What the log says twice (asserting what holds, retracting what does not) is in no index; only the last step knows that.

use super::index::Index;
use super::log::Told;
use super::sums::{Event, EventSums, Facts, Key, event_hash};
use super::{Found, Reach, Stream};
use crate::datom::{Datom, FIRST_T};
use crate::error::Result;
use crate::fact::OPEN;
use crate::index::block::Kind;
use crate::index::build::Merging;
use crate::index::cache::Cache;
use crate::index::order::Order;
use crate::index::root;
use crate::index::row_group::{Bounds, Load};
use crate::index::rows::Rows;
use crate::index::run::Run;
use crate::index::segment::Files;
use crate::log::{Head, Log};
use crate::value::{Value, ValueType};
use futures::StreamExt;
use object_store::path::Path;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// So many events are compared one by one at once.
const EVENTS: u64 = if cfg!(test) { 64 } else { 1 << 19 };
/// Ranges that a range is cut into.
const PARTS: i128 = if cfg!(test) { 8 } else { 4096 };

/// Both sides of the comparison.
struct Both<'a> {
    log: Log,
    runs: &'a [Run],
    /// The last transaction of the index.
    t: i64,
}

pub async fn compare(
    of: &Stream<'_>,
    path: &Path,
    root: &root::Told,
    told: &Told,
    index: &Index,
    found: &mut Found,
) -> Result<()> {
    let reach = || Reach::Index { from: FIRST_T, to: root.basis.t };
    let files = Arc::new(Files::new(of.store.clone(), of.prefix.clone(), Cache::new(64 << 20)));
    let mut runs = Vec::with_capacity(root.runs.len());
    for name in &root.runs {
        runs.push(Run::open(&files, of.name, name.clone(), None).await?);
    }
    let log = Log::new(of.store.clone(), of.prefix.clone(), of.name.to_owned());
    let both = Both { log, runs: &runs, t: root.basis.t };
    let sums = &told.sums.sums;
    let keys: BTreeSet<&Key> = sums.keys().chain(index.events.keys()).collect();
    for key in keys {
        let name = format!("{} {}", key.0, key.1.name());
        let read = index.events.get(key).copied().unwrap_or_default();
        if let Some(what) = both.intervals(key, &read).await? {
            found.fault(path, format!("{name}: {what}"), reach());
            continue;
        }
        if sums.get(key).copied().unwrap_or_default() == read {
            continue;
        }
        if let Some(what) = both.difference(key).await? {
            found.fault(path, what, reach());
        }
    }
    Ok(())
}

impl Both<'_> {
    /// Whether the runs' facts fit together; `read` are the events that they tell one by one.
    async fn intervals(&self, key: &Key, read: &EventSums) -> Result<Option<String>> {
        let runs: Vec<&Run> = self.runs.iter().collect();
        let mut merging = Merging::new(&runs, key, Order::Aevt, &Kind::ALL)?;
        let mut sums = EventSums::default();
        // The last fact of the pieces before: (e, v, t_to).
        let mut before: Option<(i64, Value, i64)> = None;
        while let Some([open, closed, closings]) = merging.next().await? {
            if !closings.is_empty() {
                let facts = Facts::of(key.1, &closings)?;
                let (e, v) = (facts.e[0], facts.value(0)?);
                let t = facts.ends.map_or(OPEN, |ends| ends.0[0]);
                return Ok(Some(format!("[{e} {v}] ends at {t} without a fact that began")));
            }
            for (kind, rows) in [(Kind::Current, &open), (Kind::History, &closed)] {
                if !rows.is_empty() {
                    sums.merge(&Facts::of(key.1, rows)?.event_sums(kind)?);
                }
            }
            let mut last = before.take();
            for (e, v, t_from, t_to) in in_order(key.1, &open, &closed)? {
                let overlaps = last
                    .as_ref()
                    .is_some_and(|(e2, v2, end)| *e2 == e && *v2 == v && t_from < *end);
                if overlaps {
                    return Ok(Some(format!("[{e} {v}] holds twice at {t_from}")));
                }
                last = Some((e, v, t_to));
            }
            before = last;
        }
        // Closings bear the whole fact: its beginning must be the same in both places.
        Ok((sums != *read).then(|| "an end does not know how its fact began".to_owned()))
    }

    /// The first event that only one side has; None: there is none but what the log says twice.
    async fn difference(&self, key: &Key) -> Result<Option<String>> {
        // A stack: the lowest range on top.
        let mut ranges = vec![Part { range: i64::MIN..i64::MAX, count: u64::MAX }];
        while let Some(Part { range, count }) = ranges.pop() {
            let width = i128::from(range.end) - i128::from(range.start);
            if count <= EVENTS || width <= 1 {
                let (log, index) = self.events(key, &range).await?;
                if let Some(what) = first_difference(key, log, index) {
                    return Ok(Some(what));
                }
                continue;
            }
            let mut parts = self.parts(key, &range).await?;
            parts.reverse();
            ranges.append(&mut parts);
        }
        Ok(None)
    }

    /// The parts of a range whose sums differ, ascending; neighbours are joined where they are small.
    async fn parts(&self, key: &Key, range: &Range<i64>) -> Result<Vec<Part>> {
        // First what is there at all: ids of transactions and of entities lie far apart.
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        let mut see = |e: i64| (low, high) = (low.min(e), high.max(e));
        self.each_of_log(key, range, |d| see(d.e)).await?;
        self.each_of_index(key, range, |event| see(event.e)).await?;
        if low > high {
            return Ok(Vec::new());
        }
        let cut = Cut::of(low, high);
        let mut sums = vec![(EventSums::default(), EventSums::default()); cut.parts];
        let mut bytes = Vec::new();
        self.each_of_log(key, range, |d| {
            let hash = event_hash(&mut bytes, d.e, &d.v, d.t, d.m);
            add(&mut sums[cut.part(d.e)].0, d.added, hash);
        })
        .await?;
        self.each_of_index(key, range, |ev| {
            let hash = event_hash(&mut bytes, ev.e, &ev.v, ev.t, ev.m);
            add(&mut sums[cut.part(ev.e)].1, ev.added, hash);
        })
        .await?;
        let mut parts: Vec<Part> = Vec::new();
        for (n, (log, index)) in sums.iter().enumerate().filter(|(_, s)| s.0 != s.1) {
            let (range, count) = (cut.range(n), log.count() + index.count());
            match parts.last_mut() {
                Some(last) if last.range.end == range.start && last.count + count <= EVENTS => {
                    last.range.end = range.end;
                    last.count += count;
                }
                _ => parts.push(Part { range, count }),
            }
        }
        Ok(parts)
    }

    async fn each_of_log(
        &self,
        (a, ty): &Key,
        range: &Range<i64>,
        mut each: impl FnMut(&Datom),
    ) -> Result<()> {
        let mut transactions = self.log.read_after(Head::START);
        while let Some(transaction) = transactions.next().await {
            let transaction = transaction?;
            if transaction.header.t > self.t {
                break;
            }
            let mine = |d: &&Datom| d.a == *a && d.v.value_type() == *ty && range.contains(&d.e);
            transaction.datoms.iter().filter(mine).for_each(&mut each);
        }
        Ok(())
    }

    async fn each_of_index(
        &self,
        key: &Key,
        range: &Range<i64>,
        mut each: impl FnMut(Event),
    ) -> Result<()> {
        for group in self.runs.iter().filter_map(|run| run.groups.get(key)) {
            for kind in Kind::ALL {
                let near = |b: &Bounds| b.meet(range);
                let stretches = group.stretches(Order::Aevt, kind).iter();
                for stretch in stretches.filter(|s| near(&s.bounds)) {
                    for row_group in stretch.row_groups(false, near).await? {
                        let want = crate::index::build::want(kind);
                        let rows = row_group.load(key.1, want, &Load::Once).await?;
                        Facts::of(key.1, &rows)?.events(kind, |event| {
                            if range.contains(&event.e) {
                                each(event);
                            }
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The events of both sides within a range, in order of [e v t]; of the log's those that change something.
    async fn events(&self, key: &Key, range: &Range<i64>) -> Result<(Vec<Event>, Vec<Event>)> {
        let (mut log, mut index) = (Vec::new(), Vec::new());
        self.each_of_log(key, range, |d| {
            log.push(Event { e: d.e, v: d.v.clone(), t: d.t, m: d.m, added: d.added });
        })
        .await?;
        self.each_of_index(key, range, |event| index.push(event)).await?;
        // Stable: of one transaction the first stays the first.
        log.sort_by(|x, y| (x.e, &x.v, x.t).cmp(&(y.e, &y.v, y.t)));
        let mut holds = false;
        let mut of: Option<(i64, Value)> = None;
        log.retain(|event| {
            if of.as_ref().is_none_or(|(e, v)| *e != event.e || *v != event.v) {
                (of, holds) = (Some((event.e, event.v.clone())), false);
            }
            let changes = event.added != holds;
            holds = event.added;
            changes
        });
        index.sort();
        log.sort();
        Ok((log, index))
    }
}

struct Part {
    range: Range<i64>,
    /// Events on both sides together.
    count: u64,
}

fn add(sums: &mut EventSums, added: bool, hash: u128) {
    if added { sums.asserted.add(hash) } else { sums.retracted.add(hash) }
}

/// A range of entities in parts of one width.
struct Cut {
    low: i64,
    width: i128,
    parts: usize,
}

impl Cut {
    fn of(low: i64, high: i64) -> Cut {
        let all = i128::from(high) - i128::from(low) + 1;
        let width = (all + PARTS - 1) / PARTS;
        Cut { low, width, parts: ((all + width - 1) / width) as usize }
    }

    fn part(&self, e: i64) -> usize {
        ((i128::from(e) - i128::from(self.low)) / self.width) as usize
    }

    fn range(&self, part: usize) -> Range<i64> {
        let at = |n: i128| {
            let e = i128::from(self.low) + self.width * n;
            i64::try_from(e).unwrap_or(i64::MAX)
        };
        at(part as i128)..at(part as i128 + 1)
    }
}

/// Current and closed facts of a piece, together in order: (e, v, t_from, t_to).
fn in_order(ty: ValueType, open: &Rows, closed: &Rows) -> Result<Vec<(i64, Value, i64, i64)>> {
    let mut all = Vec::with_capacity(open.len() + closed.len());
    for rows in [open, closed].into_iter().filter(|rows| !rows.is_empty()) {
        let facts = Facts::of(ty, rows)?;
        for row in 0..rows.len() {
            let t_to = facts.ends.map_or(OPEN, |ends| ends.0[row]);
            all.push((facts.e[row], facts.value(row)?, facts.t_from[row], t_to));
        }
    }
    all.sort_by(|x, y| (x.0, &x.1, x.2).cmp(&(y.0, &y.1, y.2)));
    Ok(all)
}

fn first_difference((a, _): &Key, log: Vec<Event>, index: Vec<Event>) -> Option<String> {
    let at = log.iter().zip(&index).take_while(|(x, y)| x == y).count();
    let shown = |event: &Event| {
        let Event { e, v, t, m, added } = event;
        let op = if *added { "asserted" } else { "retracted" };
        format!("[{e} {a} {v} {t} {m}] ({op})")
    };
    match (log.get(at), index.get(at)) {
        (None, None) => None,
        (Some(x), Some(y)) if y < x => {
            Some(format!("the index holds {}, which the log does not", shown(y)))
        }
        (Some(x), _) => Some(format!("the index lacks {}, which the log holds", shown(x))),
        (None, Some(y)) => Some(format!("the index holds {}, which the log does not", shown(y))),
    }
}
