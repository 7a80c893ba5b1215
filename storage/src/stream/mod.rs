//! A stream: one log with its covered indexes, one writer, any number of snapshots.
//!
//! Appending: the events are checked against what holds, become a batch of the tail, and once the log has them durably the
//! next state is published. A background task lays the tail down as runs and merges runs; it publishes states too, so whoever
//! publishes derives from the state that is current at that moment.

mod follow;
mod indexer;
mod jobs;
#[cfg(test)]
mod tests;

use crate::datom::Datom;
use crate::error::{Error, ErrorKind, Result};
use crate::index::cache::Cache;
use crate::index::root;
use crate::index::segment::Files;
use crate::log::{Head, Header, Log, Transaction, Writing};
use crate::snapshot::{Basis, Snapshot, State};
use crate::store::Store;
use crate::tail::{Batch, Events, Fresh};
use crate::value::Clock;
use crate::world::World;
use futures::StreamExt;
use futures::future::BoxFuture;
use indexer::Indexer;
use jobs::Jobs;
pub use jobs::{Job, JobKind};
use object_store::path::Path;
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Transactions of about so many datoms are replayed at once.
const REPLAYED_DATOMS: usize = 16_384;
/// So many datoms of the tail are left to the next opening, which replays them in milliseconds.
const LEFT_AT_CLOSE: usize = 2_000;
/// Above so many times the wanted size of the tail an append waits for the indexer.
const TAIL_LIMIT: usize = 4;

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
    /// Who writes, as another process that finds the place taken is to read it: a process and a machine.
    pub writer: Arc<str>,
    /// How long a write waits for room in the tail before it fails as `Busy`.
    pub write_wait: Duration,
    /// How long what nothing names any more lies on a store that other processes read too.
    pub grace: Duration,
    /// How often a stream that only reads looks for what is new.
    pub follow_every: Duration,
    /// After so long without a commit what still ends facts of older runs is written together with them.
    pub rest_after: Duration,
    pub world: World,
}

impl StreamOptions {
    pub fn new(tail_datoms: usize, cache_bytes: usize, clock: Clock) -> StreamOptions {
        StreamOptions {
            tail_datoms,
            cache_bytes,
            clock,
            writer: format!("process {}", std::process::id()).into(),
            write_wait: Duration::from_secs(30),
            grace: Duration::from_secs(24 * 60 * 60),
            follow_every: Duration::from_secs(1),
            rest_after: Duration::from_secs(2),
            world: World::default(),
        }
    }
}

/// A group that is durable.
#[derive(Clone)]
pub struct Appended {
    /// As the log holds them, with their headers, in the order given.
    pub transactions: Vec<Transaction>,
    /// The snapshot after the last of them.
    pub snapshot: Snapshot,
}

pub struct Stream {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    log: Log,
    files: Arc<Files>,
    options: StreamOptions,
    state: RwLock<Arc<State>>,
    /// One append at a time.
    writing: tokio::sync::Mutex<()>,
    indexer: Indexer,
    jobs: Jobs,
    /// Of a stream that only reads.
    following: Option<follow::Following>,
}

impl Stream {
    /// Starts a new stream under `prefix`; an error where there is one.
    pub fn create(
        store: Store,
        prefix: Path,
        options: StreamOptions,
    ) -> BoxFuture<'static, Result<Arc<Stream>>> {
        Box::pin(async move {
            let mut there = store.objects.list(Some(&prefix));
            if let Some(object) = there.next().await {
                let location = object.map_err(Error::from)?.location;
                return Err(Error::user(format!("there is a stream under {prefix} already"))
                    .hint(format!("open it, or remove what lies there ({location})")));
            }
            drop(there);
            Stream::open(store, prefix, options).await
        })
    }

    /// Reads the newest root and the log after it.
    pub fn open(
        store: Store,
        prefix: Path,
        options: StreamOptions,
    ) -> BoxFuture<'static, Result<Arc<Stream>>> {
        Box::pin(async move {
            let inner = Inner::read(store, prefix, options, None).await?;
            inner.collect_lost().await?;
            inner.replay().await?;
            indexer::start(&inner);
            Ok(Arc::new(Stream { inner }))
        })
    }

    /// Reads beside the process that writes: follows the log, and changes nothing.
    pub fn follow(
        store: Store,
        prefix: Path,
        options: StreamOptions,
    ) -> BoxFuture<'static, Result<Arc<Stream>>> {
        Box::pin(async move {
            let following = follow::Following::default();
            let inner = Inner::read(store, prefix, options, Some(following)).await?;
            follow::catch_up(&inner).await?;
            follow::start(&inner);
            Ok(Arc::new(Stream { inner }))
        })
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.inner.state())
    }

    /// The log, to read from: what it holds after a snapshot's basis is not in that snapshot.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// Writes a group of transactions as one log object. Returns once it is durable, with the snapshot after it.
    pub fn append<'a>(&'a self, group: Vec<NewTransaction>) -> BoxFuture<'a, Result<Appended>> {
        Box::pin(async move {
            let done = self.start_append(group).await;
            done.map_err(|e| Error::internal(format!("appending: {e}")))?
        })
    }

    /// As [`Stream::append`], on its way when this returns: a caller that goes away must not leave the state behind the log.
    pub fn start_append(&self, group: Vec<NewTransaction>) -> JoinHandle<Result<Appended>> {
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move { inner.append(group).await })
    }

    /// Lays the whole tail down as a run now, and waits for it.
    pub fn index_now<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.inner.refuse_if_following()?;
            indexer::pass(Arc::clone(&self.inner)).await
        })
    }

    /// Background work that goes on or ended lately.
    pub fn jobs(&self) -> Vec<Job> {
        self.inner.jobs.list()
    }

    /// When a stream that only reads last knew the log's end, in microseconds; None: it writes, so it always does.
    pub fn followed(&self) -> Option<i64> {
        self.inner.following.as_ref().map(|f| f.at())
    }

    /// Keeps these attributes by value from now on, so that looking values up does not read all of them. An attribute that
    /// was looked up once is kept so too.
    pub fn keep_by_value(&self, attributes: impl IntoIterator<Item = crate::Attr>) {
        self.inner.files.want_by_value(attributes.into_iter().map(|a| a.as_str().to_owned()));
    }

    /// Stops the background indexer, waits for it, and lays down what the next opening would otherwise replay.
    pub fn close<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            indexer::stop(&self.inner).await;
            if self.inner.following.is_some() {
                return Ok(());
            }
            let state = self.inner.state();
            // One that cannot be read is passed over at each opening until another one takes its place.
            let rootless = state.root.n == 0 && self.inner.indexer.has_roots();
            if (rootless || state.tail.rows() > LEFT_AT_CLOSE)
                && let Err(e) = indexer::pass(Arc::clone(&self.inner)).await
            {
                tracing::warn!("the next opening replays what could not be indexed: {e}");
            }
            match self.inner.collect_retired().await {
                // To remove takes a note in the journal.
                Err(e) if e.kind == ErrorKind::Full => {
                    tracing::warn!("the next opening removes what nothing needs any more: {e}");
                    Ok(())
                }
                done => done,
            }
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.inner.indexer.tell_to_stop();
    }
}

fn head(basis: &Basis) -> Head {
    Head { t: basis.t, instant: basis.instant, hash: basis.hash }
}

/// What transactions add to a state.
struct Added {
    batch: Arc<Batch>,
    fresh: Fresh,
}

impl Inner {
    /// With the newest root's state.
    async fn read(
        store: Store,
        prefix: Path,
        options: StreamOptions,
        following: Option<follow::Following>,
    ) -> Result<Arc<Inner>> {
        let name = prefix.filename().unwrap_or_default().to_owned();
        let writing = Writing {
            by: Arc::clone(&options.writer),
            clock: Arc::clone(&options.clock),
            grace: options.grace,
            world: options.world.clone(),
        };
        let log = Log::written_by(writing, store.clone(), prefix.clone(), name.clone());
        let files = Arc::new(Files::within(
            options.world.clone(),
            store,
            prefix,
            Cache::new(options.cache_bytes),
        ));
        let (root, highest) = root::newest(&files, &[]).await?;
        files.want_by_value(root.by_value.iter().cloned());
        let wake = Arc::clone(&files.wake);
        let state = State::at(Arc::clone(&files), Arc::new(root));
        Ok(Arc::new(Inner {
            name,
            log,
            files,
            jobs: Jobs::new(Arc::clone(&options.clock)),
            state: RwLock::new(Arc::new(state)),
            writing: tokio::sync::Mutex::default(),
            indexer: Indexer::new(highest, wake, (options.clock)()),
            following,
            options,
        }))
    }

    fn tail_datoms(&self) -> usize {
        self.options.tail_datoms.max(1)
    }

    fn refuse_if_following(&self) -> Result<()> {
        match self.following {
            None => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::Fenced, "this server only reads")
                .hint("write through the server that was started without --read-only")),
        }
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read())
    }

    /// Makes the next state from the current one; again where another was published meanwhile.
    fn publish(&self, next: impl Fn(&State) -> Result<State>) -> Result<Arc<State>> {
        loop {
            let current = self.state();
            let state = Arc::new(next(&current)?);
            let mut published = self.state.write();
            if Arc::ptr_eq(&published, &current) {
                *published = Arc::clone(&state);
                return Ok(state);
            }
        }
    }

    async fn append(&self, group: Vec<NewTransaction>) -> Result<Appended> {
        self.refuse_if_following()?;
        let _one = self.writing.lock().await;
        self.wait_for_room().await?;
        let state = self.state();
        if group.is_empty() {
            return Ok(Appended { transactions: Vec::new(), snapshot: Snapshot::new(state) });
        }
        check(&state.basis, &group)?;
        let datoms = || group.iter().flat_map(|tx| &tx.datoms);
        let added = state.added(datoms, state.basis.t + group.len() as i64).await?;
        let transactions = self.log.append(&head(&state.basis), group).await?;
        self.indexer.count_commit();
        let state = self.add(added, &transactions)?;
        Ok(Appended { transactions, snapshot: Snapshot::new(state) })
    }

    /// Publishes what the log holds.
    fn add(&self, added: Added, transactions: &[Transaction]) -> Result<Arc<State>> {
        let Some(last) = transactions.last().map(|tx| &tx.header) else {
            return Err(Error::internal("no transactions to add"));
        };
        let state = self.publish(|current| current.with(&added, last))?;
        if state.tail.live_rows() >= self.tail_datoms() {
            self.indexer.wake();
        }
        Ok(state)
    }

    /// The tail is bounded: where the indexer does not keep up, writers wait; where it cannot work, they are told why.
    async fn wait_for_room(&self) -> Result<()> {
        let limit = self.tail_datoms().saturating_mul(TAIL_LIMIT);
        let until = tokio::time::Instant::now() + self.options.write_wait;
        loop {
            let progress = self.indexer.progress();
            if self.state().tail.rows() < limit {
                return Ok(());
            }
            if let Some(why) = self.indexer.failure() {
                let text = format!("{limit} datoms wait to be indexed, and indexing fails: {why}");
                // A full disk is to be told as one, whatever it keeps from being written.
                let kind = match why.kind {
                    ErrorKind::Full => ErrorKind::Full,
                    _ => ErrorKind::Busy,
                };
                return Err(Error::new(kind, text)
                    .hint("reading goes on; indexing is tried again every few seconds"));
            }
            self.indexer.wake();
            if tokio::time::timeout_at(until, progress).await.is_err() {
                let text = format!(
                    "{limit} datoms wait to be indexed, and none of them was within {:?}",
                    self.options.write_wait
                );
                return Err(Error::new(ErrorKind::Busy, text).hint(
                    "nothing was written; reading goes on; try again later, with fewer writers",
                ));
            }
        }
    }

    /// Reads what the log holds after the state's basis.
    async fn replay(self: &Arc<Self>) -> Result<()> {
        let mut transactions = self.log.read_after(head(&self.state().basis));
        let (mut group, mut datoms) = (Vec::new(), 0);
        while let Some(transaction) = transactions.next().await {
            let transaction = transaction?;
            datoms += transaction.datoms.len();
            group.push(transaction);
            if datoms >= REPLAYED_DATOMS {
                self.replay_group(&std::mem::take(&mut group)).await?;
                datoms = 0;
            }
        }
        self.replay_group(&group).await
    }

    async fn replay_group(self: &Arc<Self>, group: &[Transaction]) -> Result<()> {
        let Some(last) = group.last() else { return Ok(()) };
        let state = self.state();
        let datoms = || group.iter().flat_map(|tx| tx.datoms.iter());
        let added = state.added(datoms, last.header.t).await?;
        let state = self.add(added, group)?;
        if state.tail.rows() >= self.tail_datoms().saturating_mul(TAIL_LIMIT) {
            indexer::pass(Arc::clone(self)).await?;
        }
        Ok(())
    }
}

/// Every datom must bear the t of its transaction.
fn check(basis: &Basis, group: &[NewTransaction]) -> Result<()> {
    for (t, transaction) in (basis.t + 1..).zip(group) {
        if let Some(datom) = transaction.datoms.iter().find(|d| d.t != t) {
            return Err(Error::user(format!("{datom} is part of transaction {t}"))
                .hint("all datoms of a transaction bear its t"));
        }
    }
    Ok(())
}

impl State {
    /// What further transactions, up to `last_t`, add to this state.
    async fn added<'a, I: Iterator<Item = &'a Datom>>(
        &self,
        datoms: impl Fn() -> I,
        last_t: i64,
    ) -> Result<Added> {
        let events = Events::new(datoms(), self.basis.t + 1, last_t)?;
        let held = self.all_held(events.doubtful(self.fresh)).await?;
        let batch = Arc::new(events.batch(&held)?);
        Ok(Added { batch, fresh: self.fresh.after(datoms()) })
    }

    /// With what was added, up to the transaction of this header.
    fn with(&self, added: &Added, last: &Header) -> Result<State> {
        let tail = self.tail.push(Arc::clone(&added.batch))?;
        let (files, root) = (Arc::clone(&self.files), Arc::clone(&self.root));
        let basis = Basis { t: last.t, instant: last.instant, hash: last.hash };
        Ok(State::new(files, root, tail, basis, added.fresh))
    }
}

impl Snapshot {
    /// What this would be with one more transaction, which no log has: it stands in memory, and goes with the last clone.
    /// Of views only the newest state can be gone on from.
    pub fn with<'a>(&'a self, transaction: &'a NewTransaction) -> BoxFuture<'a, Result<Snapshot>> {
        Box::pin(async move {
            let state = self.state();
            if self.t() != state.basis.t {
                let text = format!("transaction {} is not the newest", self.t());
                return Err(Error::user(text).hint("a transaction goes on from the newest one"));
            }
            check(&state.basis, std::slice::from_ref(transaction))?;
            let (t, datoms) = (state.basis.t + 1, &transaction.datoms);
            let added = state.added(|| datoms.iter(), t).await?;
            let (instant, previous) = (transaction.instant, state.basis.hash);
            let hash = crate::log::hash(previous, t, instant, datoms);
            let count = datoms.len() as u64;
            let header = Header { t, instant, parents: Vec::new(), previous, hash, count };
            Ok(Snapshot::new(Arc::new(state.with(&added, &header)?)))
        })
    }
}
