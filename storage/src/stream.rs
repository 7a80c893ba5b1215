//! A stream: one log with its covered indexes, one writer, any number of snapshots.

use crate::datom::Datom;
use crate::error::{Error, Result};
use crate::log::{Head, Log, Transaction};
use crate::snapshot::{Basis, Snapshot, State};
use crate::store::Store;
use crate::tail::{Events, Tail};
use crate::value::Clock;
use futures::StreamExt;
use object_store::path::Path;
use parking_lot::RwLock;
use std::sync::{Arc, OnceLock};

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

pub struct Stream {
    inner: Arc<Inner>,
}

struct Inner {
    log: Log,
    state: RwLock<Arc<State>>,
    /// One append at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Stream {
    /// Starts a new stream under `prefix`; an error where there is one.
    pub async fn create(store: Store, prefix: Path, options: StreamOptions) -> Result<Arc<Stream>> {
        let mut there = store.objects.list(Some(&prefix));
        if let Some(object) = there.next().await {
            let location = object.map_err(Error::from)?.location;
            return Err(Error::user(format!("there is a stream under {prefix} already"))
                .hint(format!("open it, or remove what lies there ({location})")));
        }
        drop(there);
        Stream::open(store, prefix, options).await
    }

    /// Reads the newest root and the log after it.
    pub async fn open(store: Store, prefix: Path, _options: StreamOptions) -> Result<Arc<Stream>> {
        let name = prefix.filename().unwrap_or_default().to_owned();
        let log = Log::new(store, prefix, name);
        let mut state = State::empty();
        {
            let mut transactions = log.read_after(head(&state.basis));
            while let Some(transaction) = transactions.next().await {
                state = state.after(&[transaction?]).await?;
            }
        }
        let inner = Inner {
            log,
            state: RwLock::new(Arc::new(state)),
            writing: tokio::sync::Mutex::default(),
        };
        Ok(Arc::new(Stream { inner: Arc::new(inner) }))
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(Arc::clone(&self.inner.state.read()))
    }

    /// Writes a group of transactions as one log object. Returns once it is durable, with the snapshot after it.
    pub async fn append(&self, group: Vec<NewTransaction>) -> Result<Appended> {
        let inner = Arc::clone(&self.inner);
        // A caller that goes away must not leave the state behind the log.
        let task = tokio::spawn(async move { inner.append(group).await });
        task.await.map_err(|e| Error::internal(format!("appending: {e}")))?
    }

    /// Lays the whole tail down as a run now, and waits for it.
    pub async fn index_now(&self) -> Result<()> {
        Ok(())
    }

    /// Stops the background indexer and waits for it.
    pub async fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn head(basis: &Basis) -> Head {
    Head { t: basis.t, instant: basis.instant, hash: basis.hash }
}

impl Inner {
    async fn append(&self, group: Vec<NewTransaction>) -> Result<Appended> {
        let _one = self.writing.lock().await;
        let state = Arc::clone(&self.state.read());
        if group.is_empty() {
            return Ok(Appended { transactions: Vec::new(), snapshot: Snapshot::new(state) });
        }
        check(&state.basis, &group)?;
        let datoms = || group.iter().flat_map(|tx| &tx.datoms);
        let (first_t, last_t) = (state.basis.t + 1, state.basis.t + group.len() as i64);
        let (tail, fresh) = state.extended(datoms, first_t, last_t).await?;
        let transactions = self.log.append(&head(&state.basis), group).await?;
        let Some(last) = transactions.last() else {
            return Err(Error::internal("the log returned no transaction"));
        };
        let basis =
            Basis { t: last.header.t, instant: last.header.instant, hash: last.header.hash };
        let state = Arc::new(State { tail, basis, fresh, attributes: OnceLock::new() });
        *self.state.write() = Arc::clone(&state);
        Ok(Appended { transactions, snapshot: Snapshot::new(state) })
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
    /// The tail with the events of further transactions, and what is fresh after them.
    async fn extended<'a, I: Iterator<Item = &'a Datom>>(
        &self,
        datoms: impl Fn() -> I,
        first_t: i64,
        last_t: i64,
    ) -> Result<(Tail, crate::tail::Fresh)> {
        let events = Events::new(datoms(), first_t, last_t)?;
        let held = self.all_held(events.doubtful(self.fresh)).await?;
        let tail = self.tail.push(events.batch(&held)?)?;
        Ok((tail, self.fresh.after(datoms())))
    }

    /// With transactions that the log holds.
    async fn after(&self, transactions: &[Transaction]) -> Result<State> {
        let Some(last) = transactions.last() else {
            return Err(Error::internal("no transactions to apply"));
        };
        let first_t = self.basis.t + 1;
        let datoms = || transactions.iter().flat_map(|tx| tx.datoms.iter());
        let (tail, fresh) = self.extended(datoms, first_t, last.header.t).await?;
        let basis =
            Basis { t: last.header.t, instant: last.header.instant, hash: last.header.hash };
        Ok(State { tail, basis, fresh, attributes: OnceLock::new() })
    }
}
