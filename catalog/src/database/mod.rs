//! A database: a stream, its transactor, and what is remembered of its schema.

mod catalog;
mod schemas;

pub use catalog::{Catalog, CatalogOptions};
pub(crate) use schemas::Schemas;

use crate::error::{Error, Result, SqlState};
use crate::schema::Schema;
use crate::table::{self, TableDef};
use crate::transact::writer::{Message, Writer};
use crate::transact::{Spoken, Transaction, TxReport, check_conditions, what_if};
use daodb_storage::value::Clock;
use daodb_storage::{Snapshot, Stream};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Bases whose tables are remembered.
const TABLES_KEPT: usize = 16;

type Tables = Arc<Vec<Arc<TableDef>>>;

pub struct Database {
    name: String,
    stream: Arc<Stream>,
    schemas: Arc<Schemas>,
    /// By t.
    tables: Mutex<BTreeMap<i64, Tables>>,
    /// Without a bound: what waits is held by its callers anyway, and the order of calls must be that of their first poll.
    /// None: another process writes.
    calls: Option<mpsc::UnboundedSender<Message>>,
    /// None once it is closed.
    writer: Mutex<Option<JoinHandle<()>>>,
    clock: Clock,
    /// Of a what-if: the snapshot that no log has.
    imagined: Option<Snapshot>,
    spoken: Spoken,
}

impl Database {
    async fn start(
        name: &str,
        stream: Arc<Stream>,
        clock: Clock,
        commit_wait: Duration,
        spoken: &Spoken,
    ) -> Result<Arc<Database>> {
        let snapshot = stream.snapshot();
        let schemas = Arc::new(Schemas::read(&snapshot, false).await?);
        let schema = schemas.at(&snapshot, snapshot.t()).await?;
        let (calls, queue) = mpsc::unbounded_channel();
        let (of, at) = (Arc::clone(&stream), Arc::clone(&schemas));
        let of_it = Database::reading(name, of, at, Arc::clone(&clock), spoken);
        let writer = Writer::new(of_it, schema, commit_wait);
        let writer = Mutex::new(Some(tokio::spawn(writer.run(queue))));
        let calls = Some(calls);
        Ok(Arc::new(Database {
            calls,
            writer,
            ..Database::reading(name, stream, schemas, clock, spoken)
        }))
    }

    /// One that only reads, while another process writes.
    async fn follow(
        name: &str,
        stream: Arc<Stream>,
        clock: Clock,
        spoken: &Spoken,
    ) -> Result<Arc<Database>> {
        let schemas = Arc::new(Schemas::read(&stream.snapshot(), true).await?);
        Ok(Arc::new(Database::reading(name, stream, schemas, clock, spoken)))
    }

    /// One that does not write.
    fn reading(
        name: &str,
        stream: Arc<Stream>,
        schemas: Arc<Schemas>,
        clock: Clock,
        spoken: &Spoken,
    ) -> Database {
        Database {
            name: name.to_owned(),
            stream,
            schemas,
            tables: Mutex::default(),
            calls: None,
            writer: Mutex::default(),
            clock,
            imagined: None,
            spoken: Arc::clone(spoken),
        }
    }

    /// This database as a what-if leaves it: `snapshot` is the newest there is, nothing can be written, and what is
    /// remembered of its schema and tables is its own.
    pub fn imagine(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<Arc<Database>>> {
        Box::pin(async move {
            let schemas = Arc::new(Schemas::read(&snapshot, false).await?);
            Ok(self.imagined(snapshot, schemas))
        })
    }

    /// The same with schemas that hold for it.
    pub(crate) fn imagined(&self, snapshot: Snapshot, schemas: Arc<Schemas>) -> Arc<Database> {
        let (stream, clock) = (Arc::clone(&self.stream), Arc::clone(&self.clock));
        let of = Database::reading(&self.name, stream, schemas, clock, &self.spoken);
        Arc::new(Database { imagined: Some(snapshot), ..of })
    }

    /// Whether this process only follows what another one writes.
    pub fn only_reads(&self) -> bool {
        self.calls.is_none()
    }
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }
    pub(crate) fn schemas(&self) -> &Arc<Schemas> {
        &self.schemas
    }
    pub(crate) fn spoken(&self) -> &Spoken {
        &self.spoken
    }
    /// The newest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.imagined.clone().unwrap_or_else(|| self.stream.snapshot())
    }
    /// Microseconds, UTC, by the database's clock.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }
    /// The schema at the snapshot's basis; cached.
    pub fn schema<'a>(&'a self, snapshot: &'a Snapshot) -> BoxFuture<'a, Result<Arc<Schema>>> {
        Box::pin(async move {
            // Not the given one: its view may hide when things were declared.
            self.schemas.at(&self.snapshot(), snapshot.t()).await
        })
    }
    /// The entity tables at the snapshot's basis, by name; cached.
    pub fn tables<'a>(&'a self, snapshot: &'a Snapshot) -> BoxFuture<'a, Result<Tables>> {
        Box::pin(async move {
            let t = snapshot.t();
            if let Some(known) = self.tables.lock().get(&t) {
                return Ok(Arc::clone(known));
            }
            let schema = self.schema(snapshot).await?;
            let tables = Arc::new(table::tables(snapshot, &schema));
            let mut kept = self.tables.lock();
            while kept.len() >= TABLES_KEPT {
                kept.pop_first();
            }
            kept.insert(t, Arc::clone(&tables));
            Ok(tables)
        })
    }
    /// Durable when it returns. Calls that wait at the same time share one log object; their order is that in which they
    /// were first polled. A call that is dropped goes on.
    pub fn transact<'a>(
        &'a self,
        transaction: impl Into<Transaction>,
    ) -> BoxFuture<'a, Result<TxReport>> {
        self.call(transaction.into())
    }
    fn call(&self, transaction: Transaction) -> BoxFuture<'_, Result<TxReport>> {
        Box::pin(async move {
            let Some(calls) = &self.calls else {
                let text = format!("database {} is only read by this server", self.name);
                return Err(Error::new(SqlState::READ_ONLY, text)
                    .hint("write through the server that was started without --read-only"));
            };
            let (reply, report) = oneshot::channel();
            let sent = calls.send(Message::Transact { transaction, reply });
            let stopped = || {
                let text = format!("database {} is closed for writing", self.name);
                Error::new(SqlState::SHUTTING_DOWN, text).hint("start the server again")
            };
            sent.map_err(|_| stopped())?;
            report.await.map_err(|_| stopped())?
        })
    }
    /// What a transaction would do to this snapshot, a newest one: checked as the transactor does, and written nowhere. Its
    /// `db_after` is read by [`Database::imagine`].
    pub fn with<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        transaction: impl Into<Transaction>,
    ) -> BoxFuture<'a, Result<TxReport>> {
        self.imagined_call(snapshot, transaction.into())
    }
    fn imagined_call<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        transaction: Transaction,
    ) -> BoxFuture<'a, Result<TxReport>> {
        Box::pin(async move {
            let schema = self.schema(snapshot).await?;
            let now = self.now();
            let (report, must) =
                what_if(snapshot, &schema, &transaction, now, &self.spoken).await?;
            if !must.is_empty() {
                let after = self.imagine(report.db_after.clone()).await?;
                check_conditions(must, &transaction.ops, &after).await?;
            }
            Ok(report)
        })
    }
    /// Writes what waits, and ends background work.
    async fn close(&self) -> Result<()> {
        let writer = self.writer.lock().take();
        if let (Some(writer), Some(calls)) = (writer, &self.calls) {
            // An error is a writer that is gone already.
            let _ = calls.send(Message::Close);
            if let Err(e) = writer.await {
                tracing::error!("the writer of database {} failed: {e}", self.name);
            }
        }
        Ok(self.stream.close().await?)
    }
}
