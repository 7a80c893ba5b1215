//! Index roots: which runs there are at a basis. Create-only, numbered; the newest readable one counts.
//!
//! A root that is lost or damaged, or whose runs are, costs time and no data: an older one, or none at all, and the log after
//! it, give the same facts. Whether its segments are all there is seen by their names and sizes alone: one that was changed
//! is an error when it is read.

use super::run::{self, Run, RunEntry, RunName};
use super::segment::{Files, damaged};
use super::stat::{Sketch, Stat};
use crate::datom::{Attr, FIRST_T};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::Basis;
use crate::store::Created;
use crate::tail::Fresh;
use crate::value::{Value, ValueType};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;
use uuid::Uuid;

const FORMAT: u64 = 2;
/// Lists of runs that are read at the same time.
const OPENS: usize = 8;
/// Roots, then lists, that are read at the same time to see what they name.
const COLLECTS: usize = 16;

/// The runs at a basis, oldest first.
pub struct Root {
    /// 0 where nothing was laid down yet.
    pub n: u64,
    pub basis: Basis,
    pub fresh: Fresh,
    pub by_value: BTreeSet<String>,
    pub runs: Vec<Arc<Run>>,
    pub stats: BTreeMap<(Attr, ValueType), Stat>,
}

impl Root {
    pub fn empty() -> Root {
        Root {
            n: 0,
            basis: Basis { t: FIRST_T - 1, instant: i64::MIN, hash: [0; 32] },
            fresh: Fresh::default(),
            by_value: BTreeSet::new(),
            runs: Vec::new(),
            stats: BTreeMap::new(),
        }
    }
}

/// `{"blake3":"...","root":{...}}`: the checksum is that of the root's text as it lies there.
const BEFORE_CHECKSUM: &[u8] = b"{\"blake3\":\"";
const AFTER_CHECKSUM: &[u8] = b"\",\"root\":";
const END: &[u8] = b"}";

#[derive(Deserialize)]
struct Format {
    format: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct RootEntry {
    format: u64,
    stream: String,
    t: i64,
    instant: i64,
    hash: String,
    next_entity: i64,
    next_transaction: i64,
    by_value: BTreeSet<String>,
    runs: Vec<RunName>,
    /// The texts of small lists once more, by the names of their runs: opening reads the root alone.
    #[serde(default)]
    lists: BTreeMap<Uuid, String>,
    attributes: Vec<StatEntry>,
}

#[derive(Serialize, Deserialize)]
struct StatEntry {
    a: String,
    value_type: String,
    facts: u64,
    ended: u64,
    first_t: i64,
    /// Canonical bytes in hexadecimal, as all values here.
    min: Option<String>,
    max: Option<String>,
    entities: Vec<u64>,
    values: Vec<u64>,
    sample: Vec<String>,
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        // Writing to a String never fails.
        let _ = write!(s, "{b:02x}");
        s
    })
}

fn value_to_hex(v: &Value) -> String {
    let mut bytes = Vec::new();
    v.write_canonical(&mut bytes);
    to_hex(&bytes)
}

fn value_from_hex(hex: &str) -> Option<Value> {
    Value::from_canonical(&super::segment::parse_hex(hex)?).ok()
}

impl StatEntry {
    fn new(a: &Attr, ty: ValueType, stat: &Stat) -> StatEntry {
        StatEntry {
            a: a.as_str().to_owned(),
            value_type: ty.name().to_owned(),
            facts: stat.facts,
            ended: stat.ended,
            first_t: stat.first_t,
            min: stat.min.as_ref().map(value_to_hex),
            max: stat.max.as_ref().map(value_to_hex),
            entities: stat.entities.lowest.clone(),
            values: stat.values.lowest.clone(),
            sample: stat.sample.iter().map(value_to_hex).collect(),
        }
    }

    fn stat(self) -> Option<((Attr, ValueType), Stat)> {
        let value = |hex: Option<String>| match hex {
            Some(hex) => value_from_hex(&hex).map(Some),
            None => Some(None),
        };
        let stat = Stat {
            facts: self.facts,
            ended: self.ended,
            first_t: self.first_t,
            min: value(self.min)?,
            max: value(self.max)?,
            entities: Sketch { lowest: self.entities },
            values: Sketch { lowest: self.values },
            sample: self.sample.iter().map(|v| value_from_hex(v)).collect::<Option<_>>()?,
        };
        Some(((Attr::new(&self.a), ValueType::parse(&self.value_type)?), stat))
    }
}

fn folder(files: &Files) -> Path {
    files.prefix.clone().join("index")
}

fn path(files: &Files, n: u64) -> Path {
    folder(files).join(format!("{n:020}.json"))
}

/// Stores a root; its runs lie there already. False: another one has its number.
pub async fn write(files: &Files, stream: &str, root: &Root) -> Result<bool> {
    let entry = RootEntry {
        format: FORMAT,
        stream: stream.to_owned(),
        t: root.basis.t,
        instant: root.basis.instant,
        hash: to_hex(&root.basis.hash),
        next_entity: root.fresh.entity,
        next_transaction: root.fresh.transaction,
        by_value: root.by_value.clone(),
        runs: root.runs.iter().map(|r| r.name.clone()).collect(),
        lists: root.runs.iter().filter_map(|r| Some((r.name.name, r.list.clone()?))).collect(),
        attributes: root.stats.iter().map(|(k, s)| StatEntry::new(&k.0, k.1, s)).collect(),
    };
    let json =
        serde_json::to_vec(&entry).map_err(|e| Error::internal(format!("writing a root: {e}")))?;
    let checksum = blake3::hash(&json).to_hex();
    let bytes = [BEFORE_CHECKSUM, checksum.as_bytes(), AFTER_CHECKSUM, &json, END].concat();
    match files.store.create(&path(files, root.n), bytes).await? {
        Created::New => Ok(true),
        Created::Taken(_) => Ok(false),
    }
}

/// The newest root that is whole, and whose segments are there; else an empty one. And the highest number that is taken.
/// Runs that are `known` are not read again.
pub async fn newest(files: &Arc<Files>, known: &[Arc<Run>]) -> Result<(Root, u64)> {
    let mut numbers = numbers(files).await?;
    numbers.sort_unstable();
    let highest = numbers.last().copied().unwrap_or(0);
    // Which attributes are kept by value the log does not tell: a root that is passed over does.
    let mut by_value = BTreeSet::new();
    for n in numbers.into_iter().rev() {
        let mut read = read(files, n, known, &mut by_value).await;
        if let Ok(root) = &mut read {
            root.by_value.append(&mut by_value);
        }
        match read {
            Ok(root) => return Ok((root, highest)),
            // It may be whole: who went on without it would take its segments for lost.
            Err(e) if e.kind == ErrorKind::Io => return Err(e),
            Err(e) => tracing::warn!("an index root is passed over: {e}"),
        }
    }
    Ok((Root { by_value, ..Root::empty() }, highest))
}

/// The t of the newest root, to tell how far its maker is; where it cannot be read, for roots come and go, before the first.
pub async fn reached(files: &Files) -> i64 {
    let newest = async {
        let n = numbers(files).await.ok()?.into_iter().max()?;
        let path = path(files, n);
        parse(&path, &files.store.read(&path).await.ok()?).ok()
    };
    newest.await.map_or(FIRST_T - 1, |told| told.basis.t)
}

async fn numbers(files: &Files) -> Result<Vec<u64>> {
    Ok(files.store.list(&folder(files)).await?.iter().filter_map(number).collect())
}

fn number(object: &ObjectMeta) -> Option<u64> {
    object.location.filename()?.strip_suffix(".json")?.parse().ok()
}

/// `wanted` gets what it says of attributes by value, though its runs cannot be read.
async fn read(
    files: &Arc<Files>,
    n: u64,
    known: &[Arc<Run>],
    wanted: &mut BTreeSet<String>,
) -> Result<Root> {
    let path = path(files, n);
    let told = parse(&path, &files.store.read(&path).await?)?;
    let Told { stream, basis, fresh, by_value, stats, runs, mut lists } = told;
    wanted.extend(by_value.iter().cloned());
    let opens = runs.into_iter().map(|name| {
        let (known, list) = (known.iter().find(|run| run.name == name), lists.remove(&name.name));
        let stream = &stream;
        async move {
            match known {
                Some(known) => Ok(Arc::clone(known)),
                None => Run::open(files, stream, name, list).await.map(Arc::new),
            }
        }
    });
    let opens = stream::iter(opens.collect::<Vec<_>>()).buffered(OPENS);
    let runs: Vec<Arc<Run>> = opens.try_collect().await?;
    are_there(files, &runs).await?;
    Ok(Root { n, basis, fresh, by_value, runs, stats })
}

/// Whether all segments of some runs are there, each as large as it was.
async fn are_there(files: &Files, runs: &[Arc<Run>]) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let listed = files.store.list(&files.segments()).await?;
    let sizes: HashMap<&Path, u64> = listed.iter().map(|o| (&o.location, o.size)).collect();
    for segment in runs.iter().flat_map(|run| &run.segments) {
        let (path, bytes) = (segment.path(), segment.entry.bytes);
        match sizes.get(path) {
            Some(size) if *size == bytes => {}
            Some(size) => {
                return Err(damaged(path, format!("it has {size} bytes instead of {bytes}")));
            }
            None => return Err(damaged(path, "the file is missing")),
        }
    }
    Ok(())
}

/// What a root tells; its runs are not looked at.
pub struct Told {
    pub stream: String,
    pub basis: Basis,
    pub fresh: Fresh,
    pub by_value: BTreeSet<String>,
    pub runs: Vec<RunName>,
    /// The texts of small lists, by the names of their runs.
    pub lists: BTreeMap<Uuid, String>,
    pub stats: BTreeMap<(Attr, ValueType), Stat>,
}

/// The checksum that a root's file has, and the root.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (checksum, rest) = bytes.strip_prefix(BEFORE_CHECKSUM)?.split_at_checked(64)?;
    Some((checksum, rest.strip_prefix(AFTER_CHECKSUM)?.strip_suffix(END)?))
}

pub fn parse(path: &Path, bytes: &[u8]) -> Result<Told> {
    let bad = |what: &dyn std::fmt::Display| Error::data(path, what);
    let changed = || bad(&"its contents are not those that were written");
    let (checksum, json) = split(bytes).ok_or_else(changed)?;
    if blake3::hash(json).to_hex().as_bytes() != checksum {
        return Err(changed());
    }
    let format: Format = serde_json::from_slice(json).map_err(|e| bad(&e))?;
    if format.format != Some(FORMAT) {
        let format = format.format.map_or("(none)".to_owned(), |format| format.to_string());
        return Err(bad(&format!("format {format} is not known")));
    }
    let entry: RootEntry = serde_json::from_slice(json).map_err(|e| bad(&e))?;
    let hash = super::segment::parse_hex(&entry.hash).and_then(|h| h.try_into().ok());
    let stats = entry.attributes.into_iter().map(StatEntry::stat).collect::<Option<_>>();
    Ok(Told {
        stream: entry.stream,
        basis: Basis {
            t: entry.t,
            instant: entry.instant,
            hash: hash.ok_or_else(|| bad(&"its hash is none"))?,
        },
        fresh: Fresh { entity: entry.next_entity, transaction: entry.next_transaction },
        by_value: entry.by_value,
        runs: entry.runs,
        lists: entry.lists,
        stats: stats.ok_or_else(|| bad(&"its statistics cannot be read"))?,
    })
}

/// Removes what nobody reads any more: roots that another one took the place of before `before` (microseconds), and runs and
/// segments that no root names which is left, as far as they are older than that. Only the stream's one writer may call it.
/// Returns how many objects were removed.
///
/// A root newer than `root` is that of a writer that took over: then nothing is removed.
pub async fn collect(files: &Files, root: &Root, before: i64) -> Result<u64> {
    let modified = |o: &ObjectMeta| o.last_modified.timestamp_micros();
    let mut all = files.store.list(&files.segments()).await?;
    all.extend(files.store.list(&run::folder(&files.prefix)).await?);
    let roots = files.store.list(&folder(files)).await?;
    let mut roots: Vec<(u64, ObjectMeta)> =
        roots.into_iter().filter_map(|o| Some((number(&o)?, o))).collect();
    roots.sort_by_key(|(n, _)| *n);
    if before < i64::MAX && roots.last().is_some_and(|(n, _)| *n > root.n) {
        return Ok(0);
    }
    let mut removed = 0;
    let mut kept = Vec::new();
    // Roots first: one that stays names runs that are there.
    for i in 0..roots.len() {
        let (n, object) = &roots[i];
        // The time that counts is when the next one took its place.
        let replaced = roots.get(i + 1).map_or(i64::MAX, |(_, next)| modified(next));
        if *n >= root.n {
            continue;
        } else if replaced < before || before == i64::MAX {
            files.store.delete(&object.location).await?;
            removed += 1;
        } else {
            kept.push(object.location.clone());
        }
    }
    let mut named = Named::default();
    root.runs.iter().for_each(|run| named.add(files, &run.name, &run.entry));
    match named.add_all(files, kept).await {
        Ok(true) => {}
        // Another process has just removed one: one of the two was overtaken, so neither goes on.
        Ok(false) => return Ok(removed),
        // What it names is not known: nothing but roots goes before it does.
        Err(e) => {
            tracing::warn!("segments are not collected for now: {e}");
            return Ok(removed);
        }
    }
    let lost = |o: &&ObjectMeta| !named.paths.contains(&o.location) && modified(o) < before;
    for object in all.iter().filter(lost) {
        files.store.delete(&object.location).await?;
        removed += 1;
    }
    Ok(removed)
}

/// Runs that roots name, and the objects of which they are made.
#[derive(Default)]
struct Named {
    runs: HashSet<Uuid>,
    paths: HashSet<Path>,
}

impl Named {
    fn add(&mut self, files: &Files, name: &RunName, entry: &RunEntry) {
        self.runs.insert(name.name);
        self.paths.insert(run::path(&files.prefix, name.name));
        self.paths.extend(entry.segments.iter().map(|s| files.segment_path(s.name)));
    }

    /// What these roots name; false: one of them is gone.
    async fn add_all(&mut self, files: &Files, roots: Vec<Path>) -> Result<bool> {
        let reads = roots.into_iter().map(|path| async move {
            let bytes = files.store.read_if_there(&path).await?;
            bytes.map(|bytes| parse(&path, &bytes)).transpose()
        });
        let reads = stream::iter(reads.collect::<Vec<_>>()).buffered(COLLECTS);
        let told: Vec<Option<Told>> = reads.try_collect().await?;
        let mut lists = Vec::new();
        for root in &told {
            let Some(root) = root else { return Ok(false) };
            for name in root.runs.iter().filter(|run| self.runs.insert(run.name)) {
                lists.push(async move {
                    let list = run::read(&files.store, &files.prefix, &root.stream, name).await;
                    list.map(|list| (name, list))
                });
            }
        }
        let mut lists = stream::iter(lists).buffered(COLLECTS);
        while let Some((name, list)) = lists.try_next().await? {
            self.add(files, name, &list);
        }
        Ok(true)
    }
}

/// Removes roots older than `n`.
pub async fn remove_older(files: &Files, n: u64) -> Result<()> {
    for older in numbers(files).await?.into_iter().filter(|older| *older < n) {
        files.store.delete(&path(files, older)).await?;
    }
    Ok(())
}

/// Statistics of what a new run adds to what a root knows.
pub fn add_stats(
    stats: &BTreeMap<(Attr, ValueType), Stat>,
    more: Vec<((Attr, ValueType), &Stat)>,
) -> BTreeMap<(Attr, ValueType), Stat> {
    let mut all = stats.clone();
    for (key, stat) in more {
        match all.entry(key) {
            Entry::Occupied(mut known) => known.get_mut().merge(stat),
            Entry::Vacant(new) => {
                new.insert(stat.clone());
            }
        }
    }
    all
}
