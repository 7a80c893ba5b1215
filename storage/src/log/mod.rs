//! The log: create-only objects of whole transactions, chained by hash. The truth.
//!
//! An object is named by its first t and holds a group of transactions; the next object is named by the t after its last.
//! Creating it *is* the commit. Small ones are joined later (see [`consolidate`]), with the same rows and headers. It is
//! Parquet that a stranger can read (see [`object`]), sealed by a checksum, and its transactions form one chain of hashes
//! from the first of the stream.

mod chain;
mod consolidate;
mod hash;
mod names;
mod object;
mod reading;
mod seal;
mod verify;

pub use consolidate::Joined;
pub(crate) use hash::hash;
pub(crate) use object::{datom_columns, datom_schema};
pub use verify::Verified;
pub(crate) use verify::decode;

use crate::datom::{Datom, FIRST_T};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Created, Store};
use crate::stream::NewTransaction;
use crate::value::Clock;
use crate::world::{IdOf, World};
use chain::Chain;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use names::{Name, cover};
use object::{LogObject, Origin};
use object_store::path::Path;
use reading::Reading;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use uuid::Uuid;

/// Objects fetched and decoded ahead of the reader.
const READ_AHEAD: usize = 4;
/// From here on encoding or decoding is work for another thread than the caller's.
const LARGE_DATOMS: usize = 2_000;
const LARGE_BYTES: usize = 64 << 10;
/// How far before a head its object is looked for first, and then: listing all of a long log is slow.
const NEAR: [i64; 3] = [100, 10_000, i64::MAX];

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

/// Who writes a log, and by which rules.
#[derive(Clone)]
pub struct Writing {
    /// Free text for whoever finds the place taken: a process and a machine.
    pub by: Arc<str>,
    pub clock: Clock,
    /// How long what nothing needs any more lies on a store that other processes share.
    pub grace: Duration,
    pub world: World,
}

/// The log of one stream; the one writer of it, and a reader.
pub struct Log {
    store: Store,
    folder: Path,
    stream: String,
    writer: Uuid,
    writing: Writing,
    /// A write of ours has no known outcome: nothing may follow it before the log is read again.
    in_doubt: AtomicBool,
    /// Another writer has taken over: nothing is tried any more.
    fenced: OnceLock<Error>,
    /// When the log's end was last known to be ours, in microseconds.
    known: AtomicI64,
}

impl Log {
    /// `prefix` is the stream's folder; objects lie under `<prefix>/log/`. For one who reads, or has the store alone.
    pub fn new(store: Store, prefix: Path, stream: String) -> Log {
        let writing = Writing {
            by: "an unnamed process".into(),
            clock: Arc::new(|| 0),
            grace: Duration::ZERO,
            world: World::default(),
        };
        Log::written_by(writing, store, prefix, stream)
    }

    /// For a writer beside whom there may be others.
    pub fn written_by(writing: Writing, store: Store, prefix: Path, stream: String) -> Log {
        let known = AtomicI64::new((writing.clock)());
        Log {
            store,
            folder: prefix.join("log"),
            stream,
            writer: writing.world.id(IdOf::Writer),
            writing,
            in_doubt: AtomicBool::new(false),
            fenced: OnceLock::new(),
            known,
        }
    }

    /// Why this process writes no more, where another has taken over.
    pub fn fenced(&self) -> Option<&Error> {
        self.fenced.get()
    }

    /// Identifies this process's writes.
    pub fn writer(&self) -> Uuid {
        self.writer
    }

    /// The object whose first transaction is `t`.
    pub fn object_path(&self, t: i64) -> Path {
        Name::commit(t).path(&self.folder)
    }

    fn origin(&self) -> Origin {
        Origin {
            stream: self.stream.clone(),
            writer: self.writer,
            put: self.writing.world.id(IdOf::Put),
            by: self.writing.by.to_string(),
        }
    }

    /// Writes a group as one object after `head`; durable when it returns, with headers made.
    ///
    /// The name taken by another writer: `Fenced`, with who and what to do, and so is every write after that. After an `Io`
    /// error, or where the future is dropped, the outcome is not known and this `Log` refuses to write on.
    pub async fn append(
        &self,
        head: &Head,
        group: Vec<NewTransaction>,
    ) -> Result<Vec<Transaction>> {
        if let Some(why) = self.fenced() {
            return Err(why.clone());
        }
        let path = self.object_path(head.t + 1);
        let origin = self.origin();
        let large = group.iter().map(|t| t.datoms.len()).sum::<usize>() >= LARGE_DATOMS;
        let after = head.clone();
        let encode = move || object::encode(&origin, &after, group);
        let (bytes, transactions) =
            if large { self.writing.world.elsewhere(encode).await? } else { encode()? };
        self.refuse_if_overtaken(head).await?;
        if self.in_doubt.swap(true, Ordering::SeqCst) {
            return Err(doubtful(&path, "an earlier write has no known outcome"));
        }
        let created = self.store.create(&path, bytes).await;
        match created {
            Ok(Created::New) => {
                self.refuse_if_superfluous(&path, &transactions).await?;
                self.in_doubt.store(false, Ordering::SeqCst);
                self.known.store((self.writing.clock)(), Ordering::SeqCst);
                Ok(transactions)
            }
            Ok(Created::Taken(there)) => {
                self.in_doubt.store(false, Ordering::SeqCst);
                Err(self.fence(self.taken(&path, &there)))
            }
            Err(e) if e.kind == ErrorKind::Io => Err(doubtful(&path, &e.to_string())),
            Err(e) => {
                self.in_doubt.store(false, Ordering::SeqCst);
                Err(e)
            }
        }
    }

    /// The name after `head` may be free again where it was taken, joined with others and removed: a writer that was away for
    /// a good part of the grace looks whether the log goes on without it.
    async fn refuse_if_overtaken(&self, head: &Head) -> Result<()> {
        let now = (self.writing.clock)();
        if !self.was_away(now, 4) {
            return Ok(());
        }
        let all = self.list_from(0).await?;
        if let Some(name) = all.iter().find(|n| n.last.unwrap_or(n.first) > head.t) {
            let path = name.path(&self.folder);
            let there = self.store.read(&path).await?;
            return Err(self.fence(self.taken(&path, &there)));
        }
        self.known.store(now, Ordering::SeqCst);
        Ok(())
    }

    /// Whether the log's end was last known longer ago than a part of the grace.
    fn was_away(&self, now: i64, parts: u32) -> bool {
        let away = now.saturating_sub(self.known.load(Ordering::SeqCst));
        let away = Duration::from_micros(u64::try_from(away).unwrap_or(0));
        self.store.shared && away > self.writing.grace / parts
    }

    /// Right after a create: that took long, the name may have been taken before, joined with others and removed. Then what
    /// joins them tells whose transaction it is. Where nothing does, it is ours, whoever may have gone on after it.
    async fn refuse_if_superfluous(&self, path: &Path, ours: &[Transaction]) -> Result<()> {
        let (Some(first), true) = (ours.first(), self.was_away((self.writing.clock)(), 2)) else {
            return Ok(());
        };
        let unknown = |e: Error| doubtful(path, &e.to_string());
        let all = self.list_from(0).await.map_err(unknown)?;
        let joins = |n: &&Name| n.first <= first.header.t && n.last >= Some(first.header.t);
        let Some(name) = all.iter().find(joins) else { return Ok(()) };
        let there = self.store.read(&name.path(&self.folder)).await.map_err(unknown)?;
        let object = self.read_object(*name).await.map_err(unknown)?;
        match object.transactions.iter().any(|t| t.header.hash == first.header.hash) {
            true => Ok(()),
            false => Err(self.fence(self.taken(&name.path(&self.folder), &there))),
        }
    }

    fn fence(&self, why: Error) -> Error {
        match why.kind {
            ErrorKind::Fenced => self.fenced.get_or_init(|| why).clone(),
            _ => why,
        }
    }

    fn taken(&self, path: &Path, there: &bytes::Bytes) -> Error {
        let origin = match object::origin(path, there) {
            Ok(origin) => origin,
            Err(e) => return e,
        };
        let who = match origin.writer == self.writer {
            true => "an earlier write of this process".to_owned(),
            false => format!("{} (writer {}, put {})", origin.by, origin.writer, origin.put),
        };
        Error::new(ErrorKind::Fenced, format!("{path}: already written by {who}"))
            .hint("nothing was written, and this process writes no more; stop the other writer, then start this one again")
    }

    /// All whole transactions after `head`, in order, checked against its hash; damage is an error that names the object.
    pub fn read_after(&self, head: Head) -> BoxStream<'_, Result<Transaction>> {
        self.read(Chain::at(head))
    }

    /// The same from transaction `t` on, for readers who know nothing of what was before it.
    pub fn read_from(&self, t: i64) -> BoxStream<'_, Result<Transaction>> {
        self.read(Chain::from(t))
    }

    fn read(&self, chain: Chain) -> BoxStream<'_, Result<Transaction>> {
        stream::try_unfold(Reading::new(self, chain), Reading::next)
            .map_ok(|transactions| stream::iter(transactions.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    /// The transactions of the commit right after `head`: one request, none of them a listing. None: there is none, or it was
    /// joined with others by now.
    pub async fn read_next(&self, head: &Head) -> Result<Option<Vec<Transaction>>> {
        let path = self.object_path(head.t + 1);
        let Some(bytes) = self.store.read_if_there(&path).await? else { return Ok(None) };
        let object = self.decode(path, head.t + 1, bytes, i64::MIN).await?;
        Chain::at(head.clone()).follow(object).map(Some)
    }

    /// The objects to read after `head`; the one that holds `head` itself comes first where none begins right after it, so
    /// that a log that has lost its end is found out.
    async fn objects_after(&self, head: Head) -> Result<Vec<Name>> {
        for near in NEAR {
            let from = head.t.saturating_sub(near).max(0);
            let mut names = cover(self.list_from(from).await?, |n| *n).0;
            if head.t < FIRST_T {
                return Ok(names);
            }
            if let Some(at) = names.iter().position(|n| n.first == head.t + 1) {
                return Ok(names.split_off(at));
            }
            if let Some(at) = names.iter().rposition(|n| n.first <= head.t) {
                return Ok(names.split_off(at));
            }
        }
        Err(Error::data(&self.folder, format!("transaction {} is missing from the log", head.t))
            .hint(object::LOST))
    }

    /// The names of all objects that begin at `t` or later.
    async fn list_from(&self, t: i64) -> Result<Vec<Name>> {
        // A name that joins stands before the commit that begins at the same t.
        let before = Name::joined((t - 1).max(0), i64::MAX).path(&self.folder);
        let found = self.store.list_after(&self.folder, &before).await?;
        Ok(found
            .iter()
            .filter_map(|object| self.name(&object.location))
            .filter(|n| n.first >= t)
            .collect())
    }

    fn name(&self, path: &Path) -> Option<Name> {
        let name = path.filename().and_then(Name::parse);
        if name.is_none() {
            tracing::warn!(%path, "not a log object; left alone");
        }
        name
    }

    async fn read_object(&self, name: Name) -> Result<LogObject> {
        let path = name.path(&self.folder);
        let bytes = self.store.read(&path).await?;
        self.decode_object(name, path, bytes, i64::MIN).await
    }

    /// None: it is not there. Of one that leads no further than to `known`, the headers alone: that it is there is all that
    /// is wanted, and it may be large.
    async fn read_object_if_there(&self, name: Name, known: i64) -> Result<Option<LogObject>> {
        let path = name.path(&self.folder);
        let Some(bytes) = self.store.read_if_there(&path).await? else { return Ok(None) };
        self.decode_object(name, path, bytes, known).await.map(Some)
    }

    async fn decode_object(
        &self,
        name: Name,
        path: Path,
        bytes: bytes::Bytes,
        known: i64,
    ) -> Result<LogObject> {
        let object = self.decode(path, name.first, bytes, known).await?;
        let last = object.transactions.last().map(|t| t.header.t);
        match name.last {
            Some(_) if name.last != last => {
                let text =
                    format!("ends with transaction {}, not as its name says", last.unwrap_or(0));
                Err(Error::data(object.path, text).hint(object::LOST))
            }
            _ => Ok(object),
        }
    }

    async fn decode(
        &self,
        path: Path,
        first: i64,
        bytes: bytes::Bytes,
        known: i64,
    ) -> Result<LogObject> {
        let stream = self.stream.clone();
        let large = bytes.len() >= LARGE_BYTES;
        let decode = move || object::decode_after(path, first, &stream, &bytes, known);
        if large { self.writing.world.elsewhere(decode).await } else { decode() }
    }
}

fn doubtful(path: &Path, why: &str) -> Error {
    Error::io(path, format!("{why}; whether the transaction is there is not known"))
        .hint("open the database again: it then shows what was written")
}
