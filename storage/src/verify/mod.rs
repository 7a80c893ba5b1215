//! Reading all that lies in a database and saying what is wrong with it, and how far that reaches.
//!
//! In the order of reading: the objects are told apart by name ([`crate::layout`]); [`log`] walks the chain of hashes;
//! [`index`] takes the newest root, whose segments [`segment`] reads one by one; [`deep`] compares the index with the log,
//! first by [`sums`] that do not depend on the order, and where these differ fact by fact.
//!
//! **Invariant:** nothing is written, no stream is opened: opening would mend what is to be seen.

mod deep;
mod index;
mod log;
pub(crate) mod segment;
pub(crate) mod sums;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::layout::{self, Layout};
use crate::log::Head;
use crate::marker::Marker;
use crate::store::{Pile, Store};
use futures::future::BoxFuture;
use object_store::path::Path;
use std::collections::HashSet;
use std::fmt;
use uuid::Uuid;

/// So often a database that is written meanwhile is looked at.
const LOOKS: usize = 5;
/// So many faults and notes are told one by one; further ones are counted.
const TOLD: usize = 1000;

#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// Compare the index with the log, too: reads both once more.
    pub deep: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    pub objects: u64,
    pub of_objects: u64,
    pub bytes: u64,
    pub of_bytes: u64,
}

/// What is lost with a fault, and so what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Transactions of the log, both inclusive; up to the end where the last one is not known.
    Log { from: i64, to: Option<i64> },
    /// An object of the log that another one stands in for.
    Spare,
    /// What an index says of these transactions, both inclusive.
    Index { from: i64, to: i64 },
    /// `database.json`.
    Marker,
    /// A copy of the database, not the database.
    Backup,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Log { from, to: Some(to) } if from == to => {
                write!(f, "transaction {from} of the log: put it back from a backup")
            }
            Reach::Log { from, to: Some(to) } => {
                write!(f, "transactions {from} to {to} of the log: put them back from a backup")
            }
            Reach::Log { from, to: None } => {
                write!(f, "the log from transaction {from} on: put it back from a backup")
            }
            Reach::Spare => f.write_str("nothing: another object holds the same transactions"),
            Reach::Index { from, to } => write!(
                f,
                "the index only (transactions {from} to {to}): daodb rebuild-index mends it"
            ),
            Reach::Marker => f.write_str("the database is not found: put it back from a backup"),
            Reach::Backup => f.write_str("this backup only: make another one"),
        }
    }
}

/// Something that is not as it was written, or not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The object's path.
    pub object: String,
    pub what: String,
    pub reach: Reach,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)
    }
}

/// What was found in one database.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    pub database: String,
    /// None where `database.json` cannot be read.
    pub id: Option<Uuid>,
    /// The last transaction that was read.
    pub head: Head,
    pub transactions: u64,
    pub datoms: u64,
    pub log: Pile,
    /// Those that the newest root names.
    pub segments: Pile,
    /// All that lies in the database's folder.
    pub bytes: u64,
    /// The worst first: the log, then the index.
    pub faults: Vec<Fault>,
    /// Harmless, and worth knowing.
    pub notes: Vec<String>,
    /// Faults that are not among `faults`.
    pub more_faults: u64,
    /// Whether the index was compared with the log.
    pub compared: bool,
}

impl VerifyReport {
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Collects what is found.
#[derive(Default)]
struct Found {
    faults: Vec<Fault>,
    notes: Vec<String>,
    more_faults: u64,
}

impl Found {
    fn fault(&mut self, object: &Path, what: impl fmt::Display, reach: Reach) {
        if self.faults.len() >= TOLD {
            self.more_faults += 1;
            return;
        }
        // Our errors begin with the object's name, which stands there already.
        let (object, what) = (object.to_string(), what.to_string());
        let what = match what.strip_prefix(&object) {
            Some(rest) => rest.trim_start_matches([':', ' ']).to_owned(),
            None => what,
        };
        self.faults.push(Fault { object, what, reach });
    }

    fn note(&mut self, object: &Path, what: impl fmt::Display) {
        if self.notes.len() < TOLD {
            self.notes.push(format!("{object}: {what}"));
        }
    }

    fn append(&mut self, other: Found) {
        self.more_faults += other.more_faults;
        self.notes.extend(other.notes);
        self.faults.extend(other.faults);
        self.more_faults += self.faults.len().saturating_sub(TOLD) as u64;
        self.faults.truncate(TOLD);
        self.notes.truncate(TOLD);
    }
}

/// Tells how far it is after each object.
struct Steps<'a> {
    now: VerifyProgress,
    tell: &'a mut (dyn FnMut(VerifyProgress) + Send),
}

impl Steps<'_> {
    fn step(&mut self, bytes: u64) {
        self.now.objects += 1;
        self.now.bytes += bytes;
        (self.tell)(self.now);
    }
}

/// The databases of a store, also those of which only a part is left, by name.
pub fn databases(store: &Store) -> BoxFuture<'_, Result<Vec<String>>> {
    Box::pin(layout::databases(store))
}

/// Reads a whole database. An error is that its objects cannot be listed; all else is in the report.
///
/// A process may write it meanwhile: where something seems wrong and objects came or went, all is read again, and a fault is
/// what is found each time.
pub fn verify<'a>(
    store: &'a Store,
    database: &'a str,
    options: VerifyOptions,
    tell: &'a mut (dyn FnMut(VerifyProgress) + Send),
) -> BoxFuture<'a, Result<VerifyReport>> {
    Box::pin(async move {
        let folder = store.root.clone().join(database);
        // Those of every look up to now.
        let mut faults: Option<Vec<Fault>> = None;
        let mut looks = 0;
        loop {
            looks += 1;
            let layout = Layout::read(store, &folder).await?;
            let mut report = look(store, database, &layout, options, tell).await?;
            if report.is_whole() || !moved(&layout, &Layout::read(store, &folder).await?, &report) {
                return Ok(report);
            }
            if let Some(before) = &faults {
                report.faults.retain(|fault| before.contains(fault));
            }
            if looks == LOOKS {
                return Ok(report);
            }
            faults = Some(report.faults);
        }
    })
}

/// Whether another process moved what lies there, so that a fault may be none: what was there is gone, what was missed is
/// there, or transactions that were there before are in another object.
fn moved(before: &Layout, now: &Layout, report: &VerifyReport) -> bool {
    let names = |layout: &Layout| -> HashSet<Path> {
        layout.all().map(|object| object.location.clone()).collect()
    };
    let (was, is) = (names(before), names(now));
    let new = |path: &Path| is.contains(path) && !was.contains(path);
    let joined = now.streams.iter().any(|(name, stream)| {
        let log = before.streams.get(name).map(|stream| stream.log.as_slice());
        let end = log.into_iter().flatten().map(|o| o.last.unwrap_or(o.first)).max();
        stream.log.iter().any(|o| end.is_some_and(|end| o.first <= end) && new(&o.meta.location))
    });
    let appeared = |fault: &Fault| new(&Path::from(fault.object.as_str()));
    joined || was.iter().any(|path| !is.contains(path)) || report.faults.iter().any(appeared)
}

fn look<'a>(
    store: &'a Store,
    database: &'a str,
    layout: &'a Layout,
    options: VerifyOptions,
    tell: &'a mut (dyn FnMut(VerifyProgress) + Send),
) -> BoxFuture<'a, Result<VerifyReport>> {
    Box::pin(async move {
        let folder = store.root.clone().join(database);
        let mut report = VerifyReport {
            database: database.to_owned(),
            id: None,
            head: Head::START,
            transactions: 0,
            datoms: 0,
            log: Pile::default(),
            segments: Pile::default(),
            bytes: 0,
            faults: Vec::new(),
            notes: Vec::new(),
            more_faults: 0,
            compared: options.deep,
        };
        let mut found = Found::default();
        report.bytes = layout.all().map(|object| object.size).sum();
        report.id = marker(store, &folder, layout, &mut found).await;
        let mut steps = Steps { now: expected(layout), tell };
        for (name, objects) in &layout.streams {
            let prefix = folder.clone().join("streams").join(name.as_str());
            let of = Stream { store, name, prefix, objects };
            let mut of_index = Found::default();
            let root = index::newest_root(&of, &mut of_index).await;
            let told = log::walk(&of, root.as_ref(), options.deep, &mut found, &mut steps).await;
            report.compared &= index::check(
                &of,
                root,
                &told,
                options.deep,
                &mut of_index,
                &mut steps,
                &mut report,
            )
            .await;
            found.append(of_index);
            report.transactions += told.transactions;
            report.datoms += told.datoms;
            report.log.objects += objects.log.len() as u64;
            report.log.bytes += objects.log.iter().map(|o| o.meta.size).sum::<u64>();
            report.head = told.head;
        }
        backups(store, layout, &mut found).await;
        for foreign in &layout.foreign {
            found.note(&foreign.location, "not one of DaoDB's files; left alone");
        }
        (report.faults, report.notes) = (found.faults, found.notes);
        report.more_faults = found.more_faults;
        Ok(report)
    })
}

/// One stream of the database.
struct Stream<'a> {
    store: &'a Store,
    name: &'a str,
    /// Its folder.
    prefix: Path,
    objects: &'a layout::StreamObjects,
}

fn expected(layout: &Layout) -> VerifyProgress {
    let mut expected = VerifyProgress::default();
    for stream in layout.streams.values() {
        for meta in stream.log.iter().map(|o| &o.meta).chain(stream.parts_of_index()) {
            expected.of_objects += 1;
            expected.of_bytes += meta.size;
        }
    }
    expected
}

async fn marker(store: &Store, folder: &Path, layout: &Layout, found: &mut Found) -> Option<Uuid> {
    let path = folder.clone().join(crate::marker::MARKER);
    let Some(meta) = &layout.marker else {
        let what = match layout.is_empty() {
            true => "there is no such database",
            false => "it is missing, so that this folder is not taken for a database",
        };
        found.fault(&path, what, Reach::Marker);
        return None;
    };
    let read = async { Marker::parse_strictly(&path, &store.read(&meta.location).await?) };
    match read.await {
        Ok(marker) => Some(marker.id),
        Err(e) => {
            found.fault(&path, e.message, Reach::Marker);
            None
        }
    }
}

async fn backups(store: &Store, layout: &Layout, found: &mut Found) {
    for meta in layout.backups.values() {
        let path = &meta.location;
        let read = async { crate::backup::check_manifest(path, &store.read(path).await?) };
        if let Err(e) = read.await {
            found.fault(path, e.message, Reach::Backup);
        }
    }
}

/// What is told of an error: without its hint, which speaks of a server.
fn said(e: &Error) -> &str {
    &e.message
}
