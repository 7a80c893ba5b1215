//! The newest root and what it names: every segment, the same facts in every order, and statistics that fit them.

use super::log::Told;
use super::segment::{self, Asked, Checked, Place};
use super::sums::{EventSums, Key, Sum};
use super::{Found, Reach, Steps, Stream, VerifyReport, deep, said};
use crate::datom::FIRST_T;
use crate::error::Result;
use crate::index::block::Kind;
use crate::index::order::Order;
use crate::index::root;
use crate::index::run::{self, RunEntry, is_by_value};
use crate::index::segment::SegmentEntry;
use crate::index::stat::Stat;
use crate::value::Value;
use futures::{StreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// Segments that are read and decoded at once; each is in memory as a whole.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8))
}

/// The root that an opening would read, and its path.
pub async fn newest_root(of: &Stream<'_>, found: &mut Found) -> Option<(Path, root::Told)> {
    let mut newest = None;
    for (n, meta) in of.objects.roots.iter().rev() {
        let path = &meta.location;
        if newest.is_some() {
            found.note(path, "an older index root; the next opening removes it");
            continue;
        }
        let read = async { root::parse(path, &of.store.read(path).await?) };
        match read.await {
            Ok(root) => newest = Some((path.clone(), root)),
            Err(e) => {
                let what = format!("{}; opening passes over index root {n} silently", said(&e));
                found.fault(path, what, Reach::Index { from: FIRST_T, to: last_t(of) });
            }
        }
    }
    newest
}

/// The last transaction that names tell of.
fn last_t(of: &Stream<'_>) -> i64 {
    of.objects.log.iter().map(|o| o.last.unwrap_or(o.first)).max().unwrap_or(FIRST_T)
}

/// What all segments of the index hold.
#[derive(Default)]
pub struct Index {
    pub events: BTreeMap<Key, EventSums>,
    stats: BTreeMap<Key, Stat>,
}

/// Checks the root and its segments against each other and against the log; says whether that was done fact by fact.
pub async fn check(
    of: &Stream<'_>,
    root: Option<(Path, root::Told)>,
    told: &Told,
    deep: bool,
    found: &mut Found,
    steps: &mut Steps<'_>,
    report: &mut VerifyReport,
) -> bool {
    let faults = found.faults.len();
    let runs = match &root {
        Some((_, root)) => lists(of, root, found).await,
        None => Vec::new(),
    };
    let all_lists = found.faults.len() == faults;
    leftovers(of, root.as_ref().map(|(_, root)| root), &runs, all_lists, found, steps);
    let Some((path, root)) = root else { return deep && told.is_whole };
    let all = Reach::Index { from: FIRST_T, to: root.basis.t };
    if root.stream != of.name {
        let what = format!("it is of stream {} instead of {}", root.stream, of.name);
        found.fault(&path, what, all.clone());
    }
    if told.is_whole {
        agrees_with_log(&path, &root, told, found);
    }
    let mut index = Index::default();
    let mut before = FIRST_T - 1;
    for run in &runs {
        let follows = run.is_past() || run.first_t > before;
        if !follows || run.last_t < run.first_t || root.basis.t < run.last_t {
            let what = format!(
                "its run of transactions {} to {} does not follow {before}, or lies beyond {}",
                run.first_t, run.last_t, root.basis.t
            );
            found.fault(&path, what, all.clone());
        }
        if !run.is_past() {
            before = run.last_t;
        }
        let met = found.faults.len();
        let sums = segments(of, run, deep, found, steps, &mut index, report).await;
        // What could not be read is not blamed on the root.
        if found.faults.len() == met {
            orders(&path, run, &sums, found);
        }
    }
    // Statistics of what could not be read would be wrong, too.
    if found.faults.len() == faults {
        statistics(&path, &root, &index, found);
    }
    let comparable = deep && told.is_whole && found.faults.is_empty();
    if !comparable {
        return false;
    }
    match deep::compare(of, &path, &root, told, &index, found).await {
        Ok(()) => true,
        Err(e) => {
            found.fault(&path, said(&e), all);
            false
        }
    }
}

/// The lists of the runs that a root names, as far as they can be read. What the root repeats of them says the same.
async fn lists(of: &Stream<'_>, root: &root::Told, found: &mut Found) -> Vec<RunEntry> {
    let mut runs = Vec::with_capacity(root.runs.len());
    for name in &root.runs {
        let path = run::path(&of.prefix, name.name);
        let reach = || Reach::Index { from: FIRST_T, to: root.basis.t };
        let repeated = root.lists.get(&name.name).map(|list| blake3::hash(list.as_bytes()));
        if repeated.is_some_and(|hash| hash.to_hex().as_str() != name.blake3) {
            found.fault(&path, "the root repeats it otherwise", reach());
        }
        let read = match of.objects.runs.contains_key(&name.name) {
            true => run::read(of.store, &of.prefix, of.name, name)
                .await
                .map_err(|e| said(&e).to_owned()),
            false => Err("the list of a run is missing".to_owned()),
        };
        match read {
            Ok(run) => runs.push(run),
            Err(what) => found.fault(&path, what, reach()),
        }
    }
    runs
}

/// Lists of runs and segments that no root names. Unless all lists could be read, any segment may be named.
fn leftovers(
    of: &Stream<'_>,
    root: Option<&root::Told>,
    runs: &[RunEntry],
    all_lists: bool,
    found: &mut Found,
    steps: &mut Steps<'_>,
) {
    let mut leftover = |meta: &ObjectMeta, what: &str| {
        let text = match root {
            Some(_) => format!(
                "the newest index root does not name this {what}; it is removed when its time has come"
            ),
            None => {
                format!("there is no index root to name this {what}; the next opening removes it")
            }
        };
        found.note(&meta.location, text);
    };
    let named: HashSet<Uuid> = root.iter().flat_map(|r| &r.runs).map(|run| run.name).collect();
    for (name, meta) in &of.objects.runs {
        steps.step(meta.size);
        if !named.contains(name) {
            leftover(meta, "list of a run");
        }
    }
    let named: HashSet<Uuid> = runs.iter().flat_map(|r| &r.segments).map(|s| s.name).collect();
    for (_, meta) in of.objects.segments.iter().filter(|(name, _)| !named.contains(name)) {
        if all_lists {
            leftover(meta, "segment");
        }
        steps.step(meta.size);
    }
}

fn agrees_with_log(path: &Path, root: &root::Told, told: &Told, found: &mut Found) {
    let all = || Reach::Index { from: FIRST_T, to: root.basis.t };
    if root.basis.t >= FIRST_T && told.at_root.as_ref() != Some(&root.basis) {
        let what = format!(
            "its transaction {} has another hash or time than in the log: it is of another history",
            root.basis.t
        );
        found.fault(path, what, all());
    } else if root.fresh != told.fresh {
        let what = "it is wrong about which entities were never used";
        found.fault(path, what, all());
    }
}

/// Facts by order and kind.
type Orders = [[Sum; 3]; 2];

/// Reads all segments of a run.
async fn segments(
    of: &Stream<'_>,
    run: &RunEntry,
    deep: bool,
    found: &mut Found,
    steps: &mut Steps<'_>,
    index: &mut Index,
    report: &mut VerifyReport,
) -> BTreeMap<Key, Orders> {
    let reach = || Reach::Index { from: run.first_t, to: run.last_t };
    let mut sums: BTreeMap<Key, Orders> = BTreeMap::new();
    let mut last: BTreeMap<(Key, Order, Kind), Place> = BTreeMap::new();
    let read = |n: usize| read(of, run, &run.segments[n], deep);
    let mut reads = stream::iter(0..run.segments.len()).map(read).buffered(at_once());
    let mut n = 0;
    while let Some((path, read)) = reads.next().await {
        let entry = &run.segments[n];
        n += 1;
        report.segments.objects += 1;
        report.segments.bytes += entry.bytes;
        steps.step(entry.bytes);
        let checked = match read {
            Ok(checked) => checked,
            Err(what) => {
                found.fault(&path, what, reach());
                continue;
            }
        };
        for group in checked {
            let Checked { a, ty, first, last: end, facts, stat, events } = group;
            let key = (a, ty);
            let place = (key.clone(), entry.order, entry.kind);
            if last.get(&place).is_some_and(|before| !before.is_before(&first, entry.order)) {
                let what = format!("{} does not follow what the segment before holds", key.0);
                found.fault(&path, what, reach());
            }
            last.insert(place, end);
            let of_key = sums.entry(key.clone()).or_default();
            of_key[entry.order as usize][entry.kind as usize].merge(&facts);
            if let Some(stat) = stat {
                index.events.entry(key.clone()).or_default().merge(&events);
                let none = || Stat { first_t: i64::MAX, ..Stat::default() };
                index.stats.entry(key).or_insert_with(none).merge(&stat);
            }
        }
    }
    sums
}

async fn read(
    of: &Stream<'_>,
    run: &RunEntry,
    entry: &Arc<SegmentEntry>,
    events: bool,
) -> (Path, Result<Vec<Checked>, String>) {
    let path = of.prefix.clone().join("segments").join(format!("{}.parquet", entry.name));
    if !of.objects.segments.contains_key(&entry.name) {
        return (path, Err("the segment is missing".to_owned()));
    }
    let stream = of.name;
    let asked = Asked { stream, path: path.clone(), entry, run, events };
    let read = async { segment::check(&asked, of.store.read(&path).await?).await };
    let read = read.await.map_err(|e| e.message);
    (path, read)
}

/// What is kept by value must be the same facts as by entity.
fn orders(path: &Path, run: &RunEntry, sums: &BTreeMap<Key, Orders>, found: &mut Found) {
    let reach = Reach::Index { from: run.first_t, to: run.last_t };
    for ((a, ty), [aevt, avet]) in sums {
        let expected = match is_by_value(&run.by_value, a, *ty) {
            true => *aevt,
            false => Default::default(),
        };
        if *avet != expected {
            let what = format!("{a} {} holds other facts by value than by entity", ty.name());
            found.fault(path, what, reach.clone());
        }
    }
}

fn statistics(path: &Path, root: &root::Told, index: &Index, found: &mut Found) {
    let reach = Reach::Index { from: FIRST_T, to: root.basis.t };
    let keys: std::collections::BTreeSet<&Key> =
        root.stats.keys().chain(index.stats.keys()).collect();
    for key in keys {
        let fits = match (root.stats.get(key), index.stats.get(key)) {
            (Some(told), Some(read)) => fits(told, read),
            _ => false,
        };
        if !fits {
            let what = format!("its statistics of {} {} do not fit", key.0, key.1.name());
            found.fault(path, what, reach.clone());
        }
    }
}

fn fits(told: &Stat, read: &Stat) -> bool {
    told.facts == read.facts
        && told.ended == read.ended
        && told.first_t == read.first_t
        && same_bound(&told.min, &read.min)
        && same_bound(&told.max, &read.max)
        && told.entities == read.entities
        && told.values == read.values
}

/// What a long text is shortened to may depend on how its facts were cut into runs.
fn same_bound(told: &Option<Value>, read: &Option<Value>) -> bool {
    const SURELY_WHOLE: usize = 100;
    let long = |v: &Value| v.as_str().is_some_and(|s| s.len() > SURELY_WHOLE);
    told == read || told.as_ref().is_some_and(long)
}
