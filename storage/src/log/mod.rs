//! The log: create-only objects of whole transactions, chained by hash. The truth.
//!
//! An object is named by its first t and holds a group of transactions; the next object is named by the t after its last.
//! Creating it *is* the commit. It is Parquet that a stranger can read (see [`object`]), sealed by a checksum, and its
//! transactions form one chain of hashes from the first of the stream.

mod chain;
mod hash;
mod object;
mod seal;
mod verify;

pub use verify::Verified;

use crate::datom::{Datom, FIRST_T};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Created, Store};
use crate::stream::NewTransaction;
use crate::world::{IdOf, World};
use chain::Chain;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object::{LogObject, Origin};
use object_store::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// Objects fetched and decoded ahead of the reader.
const READ_AHEAD: usize = 4;
/// From here on encoding or decoding is work for another thread than the caller's.
const LARGE_DATOMS: usize = 2_000;
const LARGE_BYTES: usize = 64 << 10;
/// How far before a head its object is looked for first: listing all of a long log is slow.
const NEAR: i64 = 100_000;

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

impl Head {
    /// Before the first transaction.
    pub const START: Head = Head { t: FIRST_T - 1, instant: i64::MIN, hash: [0; 32] };

    /// After this transaction.
    pub fn after(header: &Header) -> Head {
        Head { t: header.t, instant: header.instant, hash: header.hash }
    }
}

/// The log of one stream; the one writer of it, and a reader.
pub struct Log {
    store: Store,
    folder: Path,
    stream: String,
    writer: Uuid,
    world: World,
    /// A write of ours has no known outcome: nothing may follow it before the log is read again.
    in_doubt: AtomicBool,
}

impl Log {
    /// `prefix` is the stream's folder; objects lie under `<prefix>/log/`.
    pub fn new(store: Store, prefix: Path, stream: String) -> Log {
        Log::within(World::default(), store, prefix, stream)
    }

    /// The same with the ids and threads of a world.
    pub fn within(world: World, store: Store, prefix: Path, stream: String) -> Log {
        Log {
            store,
            folder: prefix.join("log"),
            stream,
            writer: world.id(IdOf::Writer),
            world,
            in_doubt: AtomicBool::new(false),
        }
    }

    /// Identifies this process's writes.
    pub fn writer(&self) -> Uuid {
        self.writer
    }

    /// The object whose first transaction is `t`.
    pub fn object_path(&self, t: i64) -> Path {
        self.folder.clone().join(format!("{t:020}.parquet"))
    }

    /// Writes a group as one object after `head`; durable when it returns, with headers made.
    ///
    /// The name taken by another writer: `Fenced`, with who (put-id) and what to do. After an `Io` error, or where the
    /// future is dropped, the outcome is not known and this `Log` refuses to write on.
    pub async fn append(
        &self,
        head: &Head,
        group: Vec<NewTransaction>,
    ) -> Result<Vec<Transaction>> {
        let path = self.object_path(head.t + 1);
        let put = self.world.id(IdOf::Put);
        let origin = Origin { stream: self.stream.clone(), writer: self.writer, put };
        let large = group.iter().map(|t| t.datoms.len()).sum::<usize>() >= LARGE_DATOMS;
        let after = head.clone();
        let encode = move || object::encode(&origin, &after, group);
        let (bytes, transactions) =
            if large { self.world.elsewhere(encode).await? } else { encode()? };
        if self.in_doubt.swap(true, Ordering::SeqCst) {
            return Err(doubtful(&path, "an earlier write has no known outcome"));
        }
        let created = self.store.create(&path, bytes).await;
        match created {
            Ok(Created::New) => {
                self.in_doubt.store(false, Ordering::SeqCst);
                Ok(transactions)
            }
            Ok(Created::Taken(there)) => {
                self.in_doubt.store(false, Ordering::SeqCst);
                Err(self.fenced(&path, &there))
            }
            Err(e) if e.kind == ErrorKind::Io => Err(doubtful(&path, &e.to_string())),
            Err(e) => {
                self.in_doubt.store(false, Ordering::SeqCst);
                Err(e)
            }
        }
    }

    fn fenced(&self, path: &Path, there: &bytes::Bytes) -> Error {
        let origin = match object::origin(path, there) {
            Ok(origin) => origin,
            Err(e) => return e,
        };
        let who = match origin.writer == self.writer {
            true => "an earlier write of this process".to_owned(),
            false => format!("writer {} (put {})", origin.writer, origin.put),
        };
        Error::new(ErrorKind::Fenced, format!("{path}: already written by {who}"))
            .hint("nothing was written; open the database again to go on after what is there")
    }

    /// All whole transactions after `head`, in order, checked against its hash; damage is an error that names the object.
    pub fn read_after(&self, head: Head) -> BoxStream<'_, Result<Transaction>> {
        let mut chain = Chain::at(head.clone());
        stream::once(self.objects_after(head))
            .map_ok(|ts| stream::iter(ts).map(|t| self.read_object(t)).buffered(READ_AHEAD))
            .try_flatten()
            .map(move |object| chain.follow(object?))
            .map_ok(|transactions| stream::iter(transactions.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    /// The first ts of the objects to read after `head`; the one that holds `head` itself comes first where none begins
    /// right after it, so that a log that has lost its end is found out.
    async fn objects_after(&self, head: Head) -> Result<Vec<i64>> {
        let mut ts = self.list_from(head.t + 1).await?;
        if head.t < FIRST_T || ts.first() == Some(&(head.t + 1)) {
            return Ok(ts);
        }
        for from in [head.t.saturating_sub(NEAR), 0] {
            let near = self.list_from(from.max(0)).await?;
            if let Some(holds) = near.into_iter().rfind(|t| *t <= head.t) {
                ts.insert(0, holds);
                return Ok(ts);
            }
        }
        Err(Error::data(&self.folder, format!("transaction {} is missing from the log", head.t))
            .hint(object::LOST))
    }

    /// The first ts of all objects from `t` on, in order.
    async fn list_from(&self, t: i64) -> Result<Vec<i64>> {
        let found = self.store.list_after(&self.folder, &self.object_path((t - 1).max(0))).await?;
        let mut ts = Vec::with_capacity(found.len());
        for object in found {
            match object.location.filename().and_then(first_t) {
                Some(first) => ts.push(first),
                None => tracing::warn!(path = %object.location, "not a log object; left alone"),
            }
        }
        Ok(ts)
    }

    async fn read_object(&self, t: i64) -> Result<LogObject> {
        let path = self.object_path(t);
        let bytes = self.store.read(&path).await?;
        let stream = self.stream.clone();
        let large = bytes.len() >= LARGE_BYTES;
        let decode = move || object::decode(path, t, &stream, &bytes);
        if large { self.world.elsewhere(decode).await } else { decode() }
    }
}

fn first_t(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".parquet")?;
    let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn doubtful(path: &Path, why: &str) -> Error {
    Error::io(path, format!("{why}; whether the transaction is there is not known"))
        .hint("open the database again: it then shows what was written")
}
