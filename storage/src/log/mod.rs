//! The log: create-only objects of whole transactions, chained by hash. The truth.

use crate::datom::Datom;
use crate::error::Result;
use crate::store::Store;
use crate::stream::NewTransaction;
use futures::stream::BoxStream;
use object_store::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// A head of another stream that a writer had seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub stream: String,
    pub t: i64,
    pub hash: [u8; 32],
}

/// What the log says of a transaction beside its datoms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub t: i64,
    /// Microseconds, UTC.
    pub instant: i64,
    pub parents: Vec<Parent>,
    pub previous: [u8; 32],
    /// blake3(previous, t, instant, parents, canonical bytes of the datoms).
    pub hash: [u8; 32],
    pub count: u64,
}

/// A whole transaction as the log holds it.
#[derive(Debug, Clone)]
pub struct Transaction {
    pub header: Header,
    pub datoms: Arc<[Datom]>,
}

/// Where the chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// FIRST_T - 1 where there is no transaction yet.
    pub t: i64,
    /// i64::MIN where there is no transaction yet.
    pub instant: i64,
    /// Zeros where there is no transaction yet.
    pub hash: [u8; 32],
}

/// The log of one stream; the one writer of it, and a reader.
pub struct Log {}

impl Log {
    /// `prefix` is the stream's folder; objects lie under `<prefix>/log/`.
    pub fn new(_store: Store, _prefix: Path, _stream: String) -> Log {
        unimplemented!()
    }
    /// All whole transactions after `head`, in order, checked against its hash; damage is an error that names the object.
    pub fn read_after(&self, _head: Head) -> BoxStream<'_, Result<Transaction>> {
        unimplemented!()
    }
    /// Writes a group as one object after `head`; durable when it returns, with headers made.
    /// The name taken by another writer: `Fenced`, with who (put-id) and what to do.
    pub async fn append(
        &self,
        _head: &Head,
        _group: Vec<NewTransaction>,
    ) -> Result<Vec<Transaction>> {
        unimplemented!()
    }
    /// Identifies this process's writes.
    pub fn writer(&self) -> Uuid {
        unimplemented!()
    }
}
