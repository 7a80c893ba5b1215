//! A session: one connection's settings, transaction and SessionContext; each statement sees exactly one snapshot.
//!
//! In the order data flows: [`parse`] splits and reads a text; [`run`] tells queries from commands; [`plan`] collects the
//! [`references`] of a query, resolves each to a [`relations`] at one moment, and plans; [`rows`] runs the plan, a [`cursor`]
//! a few rows at a time. [`errors`] turns whatever fails into one of our errors with its SQLSTATE and place.

mod apart;
pub mod array_text;
mod as_table;
mod bare;
pub mod bytea;
mod calls;
mod checked;
mod columns;
mod copy;
mod correlated;
mod cursor;
mod dependencies;
mod doubles;
mod errors;
mod exists;
mod explain;
pub mod expressions;
mod functions;
mod grouped;
pub mod literals;
mod logical;
mod merged;
mod moments;
mod names;
mod operators;
mod outputs;
mod parse;
mod partitions;
mod parts;
mod pauses;
mod physical;
mod pieces;
mod plan;
mod prepared;
mod probes;
mod quantified;
mod references;
mod relations;
mod rounded;
mod rows;
mod run;
mod scalar;
mod seconds;
mod selects;
mod settings;
mod sum;
mod synonyms;
pub mod syntax;
mod transaction;
mod ungrouped;
mod variables;
mod views;
mod windows;
mod zoned;
mod zones;

pub use as_table::RESULT_NAME;
pub use calls::{Argument, TableCall};
pub use cursor::CursorInfo;
pub use logical::{LogicalRule, logical_rules};
pub use moments::Moments;
pub use physical::physical_rules;
pub use views::schema as view_schema;

use crate::database::{Catalog, Database};
use crate::error::Result;
use crate::timetravel::bound;
use crate::timetravel::clause::Kind;
use chrono::{DateTime, Utc};
use daodb_storage::Snapshot;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use relations::At;
use settings::{Level, Settings};
use std::sync::Arc;
use std::time::Duration;

/// What a front end adds to each statement's context: its system relations and functions.
pub trait Extension: Send + Sync {
    /// Once a session: functions that need nothing of a statement, planners, rules.
    fn open(&self, ctx: &SessionContext) -> Result<()>;
    /// Changes a parsed statement before it is planned (what psql asks and DataFusion cannot read).
    fn rewrite(
        &self,
        statement: &mut datafusion::sql::sqlparser::ast::Statement,
        info: &SessionInfo,
    ) -> Result<()>;
    /// The relations of a system schema (`pg_catalog`, `information_schema`); None: not ours.
    fn relation(
        &self,
        schema: &str,
        name: &str,
        info: &SessionInfo,
    ) -> Result<Option<Arc<dyn TableProvider>>>;
    /// The names of the relations of a system schema.
    fn relations(&self, schema: &str) -> Vec<String>;
    /// Called before each statement is planned: functions that answer from the session (`current_user`, `format_type`).
    fn bind(&self, ctx: &SessionContext, info: &SessionInfo) -> Result<()>;
    /// The functions in FROM that this front end answers itself, from the statement's snapshot.
    fn table_functions(&self) -> &'static [&'static str] {
        &[]
    }
    /// The rows of a call of one of them. Its columns depend on no parameter's value, only on their types.
    fn call<'a>(
        &'a self,
        call: &'a TableCall<'a>,
    ) -> BoxFuture<'a, Result<Arc<dyn TableProvider>>> {
        let unknown = format!("function {} does not exist", call.name);
        Box::pin(
            async move { Err(crate::Error::new(crate::SqlState::UNDEFINED_FUNCTION, unknown)) },
        )
    }
}

/// What system relations and functions may know of a session.
#[derive(Clone)]
pub struct SessionInfo {
    pub catalog: Arc<Catalog>,
    pub database: Arc<Database>,
    pub snapshot: daodb_storage::Snapshot,
    pub tables: Arc<Vec<Arc<crate::table::TableDef>>>,
    pub user: String,
    /// The number that the client knows its connection by; 0 where there is none.
    pub backend: i32,
    /// Settings as SHOW prints them, by lower-case name.
    pub settings: Arc<std::collections::BTreeMap<String, String>>,
    /// Views of this database by name, with their SQL.
    pub views: Arc<Vec<(String, String)>>,
    /// Open cursors by name.
    pub cursors: Arc<Vec<CursorInfo>>,
}

pub enum Outcome {
    Rows {
        schema: SchemaRef,
        stream: SendableRecordBatchStream,
        tag: RowsTag,
    },
    /// `COPY ... TO STDOUT`: the rows in COPY's own encoding.
    CopyOut {
        schema: SchemaRef,
        stream: SendableRecordBatchStream,
        options: CopyOptions,
    },
    /// A command without rows, and its tag: `SET`, `BEGIN`.
    Command {
        tag: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// How COPY writes rows; the defaults are Postgres's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: char,
    pub null: String,
    pub header: bool,
    /// CSV only.
    pub quote: char,
    /// CSV only.
    pub escape: char,
    /// CSV only: columns (by name) that are always quoted; `*` stands for all.
    pub force_quote: Vec<String>,
}

/// What the command tag of a row-returning statement starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsTag {
    Select,
    Show,
    Explain,
    /// Of a cursor. Of a binary one the simple protocol sends values in binary format.
    Fetch {
        binary: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    Active,
    Failed,
}

/// One statement, parsed and not yet bound to a snapshot.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its own text.
    pub text: Arc<str>,
    /// The whole text that it was parsed from: positions in errors count from its start.
    source: Arc<str>,
    /// Of DECLARE the query.
    ast: Arc<ast::Statement>,
    /// DECLARE, FETCH, MOVE or CLOSE.
    cursor: Option<Arc<cursor::grammar::Command>>,
    /// The text of the query of a CREATE VIEW.
    view_query: Option<Arc<str>>,
}

impl Statement {
    /// Whether its columns are those of a cursor, which may be another one each time that it runs.
    pub fn is_fetch(&self) -> bool {
        matches!(self.cursor.as_deref(), Some(cursor::grammar::Command::Fetch(_)))
    }
}

/// What Describe needs: parameter types and result columns (None: returns no rows).
pub struct Description {
    pub parameters: Vec<DataType>,
    pub columns: Option<SchemaRef>,
}

pub struct Session {
    catalog: Arc<Catalog>,
    database: Arc<Database>,
    user: String,
    backend: i32,
    extension: Arc<dyn Extension>,
    ctx: SessionContext,
    settings: Settings,
    transaction: transaction::State,
    prepared: prepared::Prepared,
    cursors: cursor::Cursors,
    notices: Vec<crate::Error>,
    /// The views as of a t, for as long as statements stay there.
    views: Mutex<Option<(i64, Views)>>,
}

/// Names and their SQL.
type Views = Arc<Vec<(String, String)>>;

/// One statement's surroundings, owned.
struct Bound {
    info: SessionInfo,
    at: At,
    state: SessionState,
    search_path: Vec<String>,
    zone: String,
    now: DateTime<Utc>,
    history: bool,
}

impl Bound {
    fn scope<'a>(
        &'a self,
        extension: &'a dyn Extension,
        parameters: plan::Parameters<'a>,
    ) -> plan::Scope<'a> {
        plan::Scope {
            info: &self.info,
            extension,
            state: &self.state,
            search_path: &self.search_path,
            zone: &self.zone,
            now: self.now,
            history: self.history,
            bare: false,
            parameters,
            depth: 0,
        }
    }
}

impl Session {
    /// `extension` is asked at each statement. `options` are start-up settings (`application_name`, `daodb.as_of`).
    /// `database` may be pinned to a time: `music@1042`, `music@2026-01-01`.
    pub fn open<'a>(
        catalog: Arc<Catalog>,
        database: &'a str,
        user: &'a str,
        options: Vec<(String, String)>,
        extension: Arc<dyn Extension>,
    ) -> BoxFuture<'a, Result<Session>> {
        Box::pin(async move {
            let (name, pinned) = match database.split_once('@') {
                Some((name, time)) if !catalog.names().iter().any(|n| n == database) => {
                    (name, Some(time))
                }
                _ => (database, None),
            };
            let database = catalog.database(name).await?;
            let mut options = options;
            options.extend(pinned.map(|time| (settings::AS_OF.to_owned(), time.to_owned())));
            Session::open_on(catalog, database, user, options, extension).await
        })
    }

    /// The same on a database that no catalog knows by its name: one that was imagined.
    pub fn open_on<'a>(
        catalog: Arc<Catalog>,
        database: Arc<Database>,
        user: &'a str,
        options: Vec<(String, String)>,
        extension: Arc<dyn Extension>,
    ) -> BoxFuture<'a, Result<Session>> {
        Box::pin(async move {
            let ctx = functions::context(catalog.runtime());
            extension.open(&ctx)?;
            let mut session = Session {
                catalog,
                database,
                user: user.to_owned(),
                backend: 0,
                extension,
                ctx,
                settings: Settings::new(user),
                transaction: transaction::State::default(),
                prepared: prepared::Prepared::default(),
                cursors: cursor::Cursors::default(),
                notices: Vec::new(),
                views: Mutex::new(None),
            };
            // The zone first: a time among them may be one of its clock.
            let (zone, others): (Vec<_>, Vec<_>) =
                options.into_iter().partition(|(name, _)| name.eq_ignore_ascii_case("timezone"));
            for (name, value) in zone.into_iter().chain(others) {
                session.assign(&name, &value, Level::Start).await?;
            }
            Ok(session)
        })
    }

    /// The same, of a connection that its client knows by a number.
    pub fn of_backend(self, backend: i32) -> Session {
        Session { backend, ..self }
    }

    /// Splits and parses; an empty text gives no statement.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        parse::statements(sql)
    }

    /// Parameter types that the client did not give (None) are inferred. `moments` are values of those that [`Session::moments`]
    /// lists, as far as they are known: a table has the columns that it had then.
    pub fn describe<'a>(
        &'a self,
        statement: &'a Statement,
        given: &'a [Option<DataType>],
        moments: &'a [Option<ScalarValue>],
    ) -> BoxFuture<'a, Result<Description>> {
        Box::pin(async move {
            self.refuse_if_failed(&statement.ast)?;
            self.describe_statement(statement, given, moments).await
        })
    }

    /// Runs one statement at the snapshot of now (or of the open transaction, or of `daodb.as_of`). Where it fails in an
    /// open transaction, that has failed.
    pub fn execute<'a>(
        &'a mut self,
        statement: &'a Statement,
        params: &'a [ScalarValue],
    ) -> BoxFuture<'a, Result<Outcome>> {
        Box::pin(async move {
            self.finish();
            self.refuse_if_failed(&statement.ast)?;
            let outcome = self.run(statement, params).await;
            if outcome.is_err() {
                self.fail();
            }
            outcome
        })
    }

    pub fn status(&self) -> TransactionStatus {
        self.transaction.status()
    }

    /// To be called when a statement failed, also while its rows were produced.
    pub fn fail(&mut self) {
        self.transaction.fail();
        self.fail_cursors();
    }

    /// To be called when all of a statement's rows were given on: what fails from then on is another statement.
    pub fn finish(&mut self) {
        self.cursors.finish();
    }

    /// Warnings and notices since the last call, oldest first; the severity is the state's class (`00`, `01`, `25`: WARNING).
    pub fn take_notices(&mut self) -> Vec<crate::Error> {
        std::mem::take(&mut self.notices)
    }

    /// SHOW's text of a setting.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings.get(name).map(str::to_owned)
    }

    /// The longest that a statement may run, its rows included; None: no limit.
    pub fn statement_timeout(&self) -> Option<Duration> {
        let ms = settings::milliseconds(self.settings.get("statement_timeout")?)?;
        u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
    }

    /// The newest snapshot, or that of the open transaction, before the session's own as-of.
    fn newest(&self) -> Snapshot {
        match self.transaction.snapshot() {
            Some(snapshot) => snapshot.clone(),
            None => self.database.snapshot(),
        }
    }

    /// The database's clock.
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.database.now()).unwrap_or_default()
    }

    /// Everything that planning a statement needs, at one snapshot.
    async fn bind(&self) -> Result<Bound> {
        let newest = self.newest();
        let schema = match self.settings.t(settings::AS_OF) {
            Some(t) => newest.as_of(t),
            None => newest,
        };
        let rows = match self.settings.t(settings::SINCE) {
            Some(t) => schema.since(t),
            None => schema.clone(),
        };
        let tables = self.database.tables(&schema).await?;
        let info = SessionInfo {
            catalog: Arc::clone(&self.catalog),
            database: Arc::clone(&self.database),
            snapshot: schema.clone(),
            tables: Arc::clone(&tables),
            user: self.user.clone(),
            backend: self.backend,
            settings: Arc::clone(self.settings.shown()),
            views: self.views_at(&schema).await?,
            cursors: Arc::clone(self.cursors.shown()),
        };
        let now = self.transaction.started().unwrap_or_else(|| self.now());
        let zone = self.settings.zone().to_owned();
        functions::bind(&self.ctx, &info);
        self.extension.bind(&self.ctx, &info)?;
        let state = functions::state(&self.ctx, now, &zone);
        Ok(Bound {
            search_path: names::search_path(
                self.settings.get("search_path").unwrap_or(names::PUBLIC),
                &self.user,
            ),
            at: At { rows, schema, tables },
            history: self.settings.is_on(settings::HISTORY),
            info,
            state,
            zone,
            now,
        })
    }

    async fn views_at(&self, snapshot: &Snapshot) -> Result<Views> {
        let t = snapshot.t();
        if let Some((at, views)) = self.views.lock().as_ref()
            && *at == t
        {
            return Ok(Arc::clone(views));
        }
        let views: Views =
            Arc::new(views::at(snapshot).await?.into_iter().map(|v| (v.name, v.sql)).collect());
        *self.views.lock() = Some((t, Arc::clone(&views)));
        Ok(views)
    }

    /// Checks a setting's value and sets it; a time is resolved now, once.
    async fn assign(&mut self, name: &str, value: &str, level: Level) -> Result<()> {
        let value = settings::check(name, value)?;
        let lower = name.to_ascii_lowercase();
        let t = match lower.as_str() {
            settings::AS_OF | settings::SINCE if !value.trim().is_empty() => {
                let zone = self.settings.zone();
                let moment = bound::of_text(&value, Kind::SystemTime, zone)?;
                Some(bound::as_of(moment, &self.newest(), self.database.now()).await?)
            }
            _ => None,
        };
        self.settings.set(name, value, t, level);
        Ok(())
    }
}
