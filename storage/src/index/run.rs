//! A run: the facts of adjoining transactions as segments, and where in them each attribute lies.
//!
//! Its list is an object of its own that never changes, so that a root need only name it: however much there is, a new root
//! is small, and opening reads the lists and no segment. A list tells of a segment what every reader asks, in about a kilobyte; the
//! segment's own footer has the rest. The text of a small list stands in the root, too, so that opening what is no larger
//! than tens of millions of facts reads the root alone.

use super::block::Kind;
use super::cache::unique;
use super::order::Order;
use super::segment::{Files, Segment, SegmentEntry};
use super::stretch::Stretch;
use crate::datom::Attr;
use crate::error::{Error, Result};
use crate::snapshot::SegmentInfo;
use crate::store::{Created, Store};
use crate::value::ValueType;
use crate::world::IdOf;
use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

const FORMAT: u32 = 2;
/// Roots repeat lists up to this size, in bytes: there are a few runs of each size, and each size is eight times the one before.
const SMALL: usize = 16 << 10;

/// What a root says of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunName {
    pub name: Uuid,
    /// Of the list's bytes, in hexadecimal.
    pub blake3: String,
}

/// The list of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunEntry {
    pub first_t: i64,
    pub last_t: i64,
    /// Attributes that lie in AVET order too.
    pub by_value: BTreeSet<String>,
    #[serde(with = "entries")]
    pub segments: Vec<Arc<SegmentEntry>>,
}

/// Entries as if nobody shared them.
mod entries {
    use super::{Arc, SegmentEntry};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        entries: &[Arc<SegmentEntry>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(entries.iter().map(AsRef::as_ref))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Arc<SegmentEntry>>, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().map(Arc::new).collect())
    }
}

/// What every list has, whatever its format.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct File<R> {
    format: u32,
    stream: String,
    run: R,
}

/// The folder of the lists of a stream.
pub fn folder(stream: &Path) -> Path {
    stream.clone().join("runs")
}

pub fn path(stream: &Path, name: Uuid) -> Path {
    folder(stream).join(format!("{name}.json"))
}

/// The list of a run of a stream, as it was written.
pub async fn read(store: &Store, prefix: &Path, stream: &str, of: &RunName) -> Result<RunEntry> {
    let path = path(prefix, of.name);
    parse(&path, stream, of, &store.read(&path).await?)
}

pub fn parse(path: &Path, stream: &str, of: &RunName, bytes: &[u8]) -> Result<RunEntry> {
    let bad = |what: &dyn std::fmt::Display| Error::data(path, what);
    if blake3::hash(bytes).to_hex().as_str() != of.blake3 {
        return Err(bad(&"its contents are not those that were written"));
    }
    let Format { format } = serde_json::from_slice(bytes).map_err(|e| bad(&e))?;
    if format != FORMAT {
        return Err(bad(&format!("format {format} is not known")));
    }
    let file: File<RunEntry> = serde_json::from_slice(bytes).map_err(|e| bad(&e))?;
    match file.stream == stream {
        true => Ok(file.run),
        false => Err(bad(&format!("it is of stream {} instead of {stream}", file.stream))),
    }
}

/// The text of a list that roots repeat.
fn small(list: &[u8]) -> Option<String> {
    let text = (list.len() <= SMALL).then(|| std::str::from_utf8(list));
    text?.ok().map(str::to_owned)
}

pub struct Run {
    pub name: RunName,
    pub entry: RunEntry,
    /// The text of its list, where that is small.
    pub list: Option<String>,
    pub segments: Vec<Arc<Segment>>,
    pub groups: BTreeMap<(Attr, ValueType), RunGroup>,
}

/// The stretches of one attribute and type, by order and kind, each in its order.
pub struct RunGroup {
    stretches: [[Vec<Stretch>; 3]; 2],
    pub id: u64,
    /// Whether there is an AVET order of it.
    pub by_value: bool,
}

impl RunGroup {
    pub fn stretches(&self, order: Order, kind: Kind) -> &[Stretch] {
        &self.stretches[order as usize][kind as usize]
    }

    pub fn rows(&self, kind: Kind) -> u64 {
        self.stretches(Order::Aevt, kind).iter().map(|s| s.bounds.rows as u64).sum()
    }
}

impl Run {
    /// Stores the list of a run whose segments are stored. `known` segments are the same ones in this run: whether anyone
    /// reads a segment shows in how often it is shared.
    pub async fn create(
        files: &Arc<Files>,
        stream: &str,
        entry: RunEntry,
        known: &[Arc<Segment>],
    ) -> Result<Run> {
        let file = File { format: FORMAT, stream: stream.to_owned(), run: &entry };
        let bytes = serde_json::to_vec(&file)
            .map_err(|e| Error::internal(format!("writing the list of a run: {e}")))?;
        let bytes = Bytes::from(bytes);
        let list = small(&bytes);
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        let name = RunName { name: files.world.id(IdOf::Run), blake3 };
        let path = path(&files.prefix, name.name);
        if let Created::Taken(_) = files.store.create(&path, bytes).await? {
            return Err(Error::internal(format!("{path}: a name drawn at random is taken")));
        }
        Run::new(files, name, entry, list, known)
    }

    /// Reads its list, unless a root gave its text, and nothing of its segments.
    pub async fn open(
        files: &Arc<Files>,
        stream: &str,
        name: RunName,
        list: Option<String>,
    ) -> Result<Run> {
        let path = path(&files.prefix, name.name);
        let bytes = match list {
            Some(list) => list.into(),
            None => files.store.read(&path).await?,
        };
        let entry = parse(&path, stream, &name, &bytes)?;
        Run::new(files, name, entry, small(&bytes), &[])
    }

    fn new(
        files: &Arc<Files>,
        name: RunName,
        entry: RunEntry,
        list: Option<String>,
        known: &[Arc<Segment>],
    ) -> Result<Run> {
        let mut segments = Vec::with_capacity(entry.segments.len());
        let mut groups: BTreeMap<(Attr, ValueType), RunGroup> = BTreeMap::new();
        for of in &entry.segments {
            let segment = match known.iter().find(|s| s.entry.name == of.name) {
                Some(known) => Arc::clone(known),
                None => Segment::new(files, Arc::clone(of))?,
            };
            for (a, ty, stretch) in Stretch::all(&segment)? {
                let by_value = is_by_value(&entry.by_value, &a, ty);
                let group = groups.entry((a, ty)).or_insert_with(|| RunGroup {
                    stretches: Default::default(),
                    id: unique(),
                    by_value,
                });
                group.stretches[of.order as usize][of.kind as usize].push(stretch);
            }
            segments.push(segment);
        }
        groups.values_mut().flat_map(|g| g.stretches.iter_mut().flatten()).for_each(|s| share(s));
        Ok(Run { name, entry, list, segments, groups })
    }

    /// What is shown of its segments; it is run number `run`.
    pub fn infos(&self, run: usize) -> Vec<SegmentInfo> {
        let info = |segment: &Arc<Segment>| {
            let of = &segment.entry;
            let mut attributes = Vec::new();
            let mut row_groups = 0;
            for ((a, _), group) in &self.groups {
                let all = group.stretches(of.order, of.kind).iter();
                let here = all.filter(|s| Arc::ptr_eq(&s.segment, segment));
                let here: usize = here.map(|s| s.row_groups).sum();
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

    /// Its facts of some kinds.
    pub fn rows(&self, kinds: &[Kind]) -> u64 {
        let of = |s: &&Arc<SegmentEntry>| s.order == Order::Aevt && kinds.contains(&s.kind);
        self.entry.segments.iter().filter(of).map(|s| s.rows).sum()
    }
}

impl RunEntry {
    /// Of its segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// Whether all its facts are superseded. Runs of such facts may span the transactions of others.
    pub fn is_past(&self) -> bool {
        self.segments.iter().all(|s| s.kind == Kind::History)
    }

    /// What it has of superseded facts, as a run of its own.
    pub fn past(&self) -> Option<RunEntry> {
        let past = self.segments.iter().filter(|s| s.kind == Kind::History);
        let segments: Vec<Arc<SegmentEntry>> = past.cloned().collect();
        (!segments.is_empty()).then(|| RunEntry { segments, ..self.clone() })
    }
}

/// References are always kept by value: they are read backwards.
pub fn is_by_value(by_value: &BTreeSet<String>, a: &Attr, ty: ValueType) -> bool {
    ty == ValueType::Ref || by_value.contains(a.as_str())
}

fn share(stretches: &mut [Stretch]) {
    for i in 1..stretches.len() {
        let e = *stretches[i].bounds.e.start();
        if *stretches[i - 1].bounds.e.end() == e {
            stretches[i].shared.0 = Some(e);
            stretches[i - 1].shared.1 = Some(e);
        }
    }
}
