//! The one writer of a database: calls are prepared one after the other and written in groups.
//!
//! While a group is on its way to the disk the next one gathers, so that each pays for a part of an fsync only.
//! Pseudo-code: take what waits and prepare it on top of what is prepared already; when no group is on its way, send what is
//! gathered; when a group is durable, answer its calls. Where a group fails, so does everything prepared on top of it.

use super::condition;
use super::pending::Db;
use super::prepare::{Place, Prepared, prepare};
use super::{Transaction, TxReport, repeated};
use crate::database::Database;
use crate::error::{Error, Result, SqlState};
use crate::schema::Schema;
use daodb_storage::{Appended, NewTransaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A group that has so many datoms takes no more transactions.
const DATOMS_A_GROUP: usize = 100_000;
const TRANSACTIONS_A_GROUP: usize = 1024;
/// Who was just answered often calls again at once: a group waits for them for this part of the time that the last one took.
const PATIENCE_PART: u32 = 8;

pub enum Message {
    Transact {
        transaction: Transaction,
        reply: Reply,
    },
    /// Writes what was taken before, and ends.
    Close,
}

type Reply = oneshot::Sender<Result<TxReport>>;

/// A call whose transaction is prepared.
struct Waiting {
    tempids: BTreeMap<Arc<str>, i64>,
    reply: Reply,
}

type Writing = JoinHandle<daodb_storage::Result<Appended>>;

pub struct Writer {
    /// As who reads has it.
    database: Database,
    db: Db,
    /// The schema, newest t and its instant after all that is prepared.
    schema: Arc<Schema>,
    t: i64,
    instant: i64,
    gathered: Vec<NewTransaction>,
    gathered_datoms: usize,
    waiting: Vec<Waiting>,
    on_the_way: Option<(Writing, Vec<Waiting>)>,
    /// How long a group waits for further calls when nothing else is on the way, and until when this one does.
    commit_wait: Duration,
    send_at: Instant,
    /// When the group on the way was sent, and how long the last one took.
    sent: Instant,
    took: Duration,
    /// Callers that there lately were: those of the last group, and who called meanwhile.
    callers: usize,
    /// Why nothing can be written any more.
    broken: Option<Error>,
}

impl Writer {
    pub fn new(database: Database, schema: Arc<Schema>, commit_wait: Duration) -> Writer {
        let db = Db::new(database.snapshot());
        let newest = db.base().newest();
        let (t, instant) = (newest.t, newest.instant);
        Writer {
            database,
            db,
            schema,
            t,
            instant,
            gathered: Vec::new(),
            gathered_datoms: 0,
            waiting: Vec::new(),
            on_the_way: None,
            commit_wait,
            send_at: Instant::now(),
            sent: Instant::now(),
            took: Duration::ZERO,
            callers: 0,
            broken: None,
        }
    }

    /// Ends when it is told to close, or when nobody can call any more.
    pub async fn run(mut self, mut calls: mpsc::UnboundedReceiver<Message>) {
        loop {
            let gathers = self.on_the_way.is_none() && !self.gathered.is_empty();
            let gathers = gathers && self.has_room() && Instant::now() < self.send_at;
            if self.on_the_way.is_none() && !gathers {
                if self.await_callers(&mut calls).await {
                    break;
                }
                self.send();
            }
            tokio::select! {
                biased;
                written = written(&mut self.on_the_way) => self.written(written).await,
                message = calls.recv(), if self.has_room() => match message {
                    Some(Message::Transact { transaction, reply }) => {
                        self.take(transaction, reply).await;
                        if self.take_waiting(&mut calls).await {
                            break;
                        }
                    }
                    Some(Message::Close) | None => break,
                },
                () = tokio::time::sleep_until(self.send_at), if gathers => {}
            }
        }
        self.flush().await;
    }

    /// Takes what waits now. True: it was told to close.
    async fn take_waiting(&mut self, calls: &mut mpsc::UnboundedReceiver<Message>) -> bool {
        while self.has_room() {
            match calls.try_recv() {
                Ok(Message::Transact { transaction, reply }) => self.take(transaction, reply).await,
                Ok(Message::Close) => return true,
                Err(_) => break,
            }
        }
        false
    }

    /// Lets those who lately called call again before their group is sent: else half of them would wait for each group of
    /// the others. A timer is too coarse for that. True: it was told to close.
    async fn await_callers(&mut self, calls: &mut mpsc::UnboundedReceiver<Message>) -> bool {
        // Not the runtime's clock: a test may hold it.
        let begun = std::time::Instant::now();
        while !self.gathered.is_empty()
            && self.gathered.len() < self.callers
            && self.has_room()
            && begun.elapsed() < self.took / PATIENCE_PART
        {
            tokio::task::yield_now().await;
            if self.take_waiting(calls).await {
                return true;
            }
        }
        false
    }

    fn has_room(&self) -> bool {
        self.gathered_datoms < DATOMS_A_GROUP && self.gathered.len() < TRANSACTIONS_A_GROUP
    }

    async fn take(&mut self, transaction: Transaction, reply: Reply) {
        match self.repeated(&transaction).await {
            Ok(None) => {}
            // Nobody waits any more where the caller gave up.
            Ok(Some(report)) => return drop(reply.send(Ok(report))),
            Err(e) => return drop(reply.send(Err(e))),
        }
        match self.prepare(&transaction).await {
            Ok(prepared) => self.gather(prepared, reply),
            Err(e) => drop(reply.send(Err(e))),
        }
    }

    /// The report of the transaction that this one repeats.
    async fn repeated(&mut self, transaction: &Transaction) -> Result<Option<TxReport>> {
        let Some(key) = &transaction.key else { return Ok(None) };
        if let Some(e) = &self.broken {
            return Err(e.clone());
        }
        if repeated::find(&mut self.db, key).await?.is_none() {
            return Ok(None);
        }
        // It may be on its way still, and may fail: then this one is the first.
        self.flush().await;
        match repeated::find(&mut self.db, key).await? {
            Some(t) => repeated::report(self.database.stream(), self.db.base(), t).await.map(Some),
            None => Ok(None),
        }
    }

    async fn prepare(&mut self, transaction: &Transaction) -> Result<Prepared> {
        if let Some(e) = &self.broken {
            return Err(e.clone());
        }
        let place = Place { t: self.t + 1, previous: self.instant, now: self.database.now() };
        let schema = Arc::clone(&self.schema);
        let prepared = prepare(&mut self.db, &schema, transaction, place).await?;
        let Transaction { ops, conditions, .. } = transaction;
        let must = condition::all(&prepared.asked, conditions, self.database.spoken(), ops)?;
        if !prepared.checks.is_empty() || !must.is_empty() {
            // What is asked reads a snapshot, which must hold all that was before.
            self.flush().await;
            if self.t + 1 != place.t {
                let text = "the transaction before this one could not be written";
                return Err(Error::new(SqlState::IO, text).hint("try again"));
            }
            for (attribute, checks) in &prepared.checks {
                let checked = checks.run(self.db.base(), attribute).await;
                checked.map_err(|e| Error {
                    message: format!("transaction refused: {}", e.message),
                    ..e
                })?;
            }
        }
        if !must.is_empty() {
            let after = self.after(&prepared).await?;
            condition::check(must, ops, &after).await?;
        }
        Ok(prepared)
    }

    /// The database as a prepared transaction leaves it, on top of what is written.
    async fn after(&self, prepared: &Prepared) -> Result<Arc<Database>> {
        let (instant, datoms) = (prepared.instant, prepared.datoms.clone());
        let after = self.db.base().with(&NewTransaction { instant, datoms }).await?;
        match prepared.schema {
            None => Ok(self.database.imagined(after, Arc::clone(self.database.schemas()))),
            Some(_) => self.database.imagine(after).await,
        }
    }

    fn gather(&mut self, prepared: Prepared, reply: Reply) {
        let Prepared { instant, datoms, tempids, next_entity, schema, .. } = prepared;
        self.t += 1;
        self.instant = instant;
        self.db.next_entity = next_entity;
        if let Some(schema) = schema {
            self.schema = Arc::new(schema);
            // Before any snapshot has it.
            self.database.schemas().changed(self.t, &self.schema);
        }
        self.db.push(&datoms);
        if self.gathered.is_empty() {
            self.send_at = Instant::now() + self.commit_wait;
        }
        self.gathered_datoms += datoms.len();
        self.gathered.push(NewTransaction { instant, datoms });
        self.waiting.push(Waiting { tempids, reply });
    }

    /// Starts to write what is gathered.
    fn send(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let group = std::mem::take(&mut self.gathered);
        let waiting = std::mem::take(&mut self.waiting);
        self.gathered_datoms = 0;
        self.sent = Instant::now();
        self.db.seal();
        self.on_the_way = Some((self.database.stream().start_append(group), waiting));
    }

    /// Waits until all that is prepared is durable, or has failed.
    async fn flush(&mut self) {
        loop {
            if self.on_the_way.is_none() {
                self.send();
            }
            if self.on_the_way.is_none() {
                return;
            }
            let written = written(&mut self.on_the_way).await;
            self.written(written).await;
        }
    }

    async fn written(&mut self, (written, waiting): (Result<Appended>, Vec<Waiting>)) {
        match written {
            Ok(appended) => {
                self.took = self.sent.elapsed();
                self.callers = waiting.len() + self.gathered.len();
                self.db.rebase(appended.snapshot.clone());
                answer(appended, waiting);
            }
            Err(e) => {
                tracing::error!("a group of {} transactions failed: {e}", waiting.len());
                let later = std::mem::take(&mut self.waiting);
                for waiting in waiting.into_iter().chain(later) {
                    let _ = waiting.reply.send(Err(e.clone()));
                }
                self.restart().await;
            }
        }
    }

    /// Goes on from what the stream holds.
    async fn restart(&mut self) {
        self.gathered.clear();
        self.gathered_datoms = 0;
        self.db = Db::new(self.database.snapshot());
        let newest = self.db.base().newest().clone();
        self.database.schemas().forget_after(newest.t);
        match Schema::read(self.db.base()).await {
            Ok(schema) => {
                self.schema = Arc::new(schema);
                (self.t, self.instant) = (newest.t, newest.instant);
            }
            Err(e) => {
                tracing::error!("the schema could not be read again: {e}");
                let hint = "start the server again";
                self.broken = Some(Error { hint: Some(hint.to_owned()), ..e });
            }
        }
    }
}

/// The result of the group that is on its way; never, where there is none.
async fn written(
    on_the_way: &mut Option<(Writing, Vec<Waiting>)>,
) -> (Result<Appended>, Vec<Waiting>) {
    let Some((writing, _)) = on_the_way else { return std::future::pending().await };
    let written = match writing.await {
        Ok(written) => written.map_err(Error::from),
        Err(e) => Err(Error::new(SqlState::INTERNAL, format!("writing the log failed: {e}"))),
    };
    let waiting = on_the_way.take().map(|(_, waiting)| waiting).unwrap_or_default();
    (written, waiting)
}

fn answer(appended: Appended, waiting: Vec<Waiting>) {
    let Appended { transactions, snapshot } = appended;
    let newest = snapshot.newest().t;
    for (transaction, waiting) in transactions.into_iter().zip(waiting) {
        let header = transaction.header;
        let report = TxReport {
            t: header.t,
            instant: header.instant,
            hash: header.hash,
            tempids: waiting.tempids,
            datoms: transaction.datoms,
            db_before: snapshot.as_of(header.t - 1),
            db_after: match header.t == newest {
                true => snapshot.clone(),
                false => snapshot.as_of(header.t),
            },
        };
        let _ = waiting.reply.send(Ok(report));
    }
}
