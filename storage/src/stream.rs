//! A stream: one log with its covered indexes, one writer, any number of snapshots.

use crate::datom::Datom;
use crate::error::Result;
use crate::log::Transaction;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::value::Clock;
use object_store::path::Path;
use std::sync::Arc;

/// A transaction ready to be written: its t is the newest t + 1 (and so on for the following ones of a group).
#[derive(Debug, Clone)]
pub struct NewTransaction {
    /// Microseconds, UTC; not before the instant of the transaction before.
    pub instant: i64,
    /// All with the transaction's t; includes its `:db/txInstant`.
    pub datoms: Vec<Datom>,
}

#[derive(Clone)]
pub struct StreamOptions {
    /// The indexer starts when the tail holds this many datoms.
    pub tail_datoms: usize,
    /// Bytes of decoded segment columns kept in memory.
    pub cache_bytes: usize,
    pub clock: Clock,
}

/// A group that is durable.
#[derive(Clone)]
pub struct Appended {
    /// As the log holds them, with their headers, in the order given.
    pub transactions: Vec<Transaction>,
    /// The snapshot after the last of them.
    pub snapshot: Snapshot,
}

pub struct Stream {}

impl Stream {
    /// Starts a new stream under `prefix`; an error where there is one.
    pub async fn create(
        _store: Store,
        _prefix: Path,
        _options: StreamOptions,
    ) -> Result<Arc<Stream>> {
        unimplemented!()
    }
    /// Reads the newest root and the log after it.
    pub async fn open(
        _store: Store,
        _prefix: Path,
        _options: StreamOptions,
    ) -> Result<Arc<Stream>> {
        unimplemented!()
    }
    /// The newest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        unimplemented!()
    }
    /// Writes a group of transactions as one log object. Returns once it is durable, with the snapshot after it.
    pub async fn append(&self, _group: Vec<NewTransaction>) -> Result<Appended> {
        unimplemented!()
    }
    /// Lays the whole tail down as a run now, and waits for it.
    pub async fn index_now(&self) -> Result<()> {
        unimplemented!()
    }
    /// Stops the background indexer and waits for it.
    pub async fn close(&self) -> Result<()> {
        unimplemented!()
    }
}
