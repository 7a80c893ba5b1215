//! SQL cursors: DECLARE, FETCH, MOVE, CLOSE. A cursor holds its query's running stream, and by it the snapshot that it was
//! declared at; so a result of any length takes the memory of a batch. WITH HOLD needs no copy of the rows, as Postgres makes
//! at COMMIT: what fails in them fails when it is fetched.
//!
//! In the order data flows: [`grammar`] reads the statements, this file keeps the session's cursors, [`reader`] gives out
//! the rows of one.

pub mod grammar;
mod reader;

use super::{Outcome, RowsTag, Session, Statement, TransactionStatus};
use crate::error::{Error, Result, SqlState};
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use grammar::{Command, Declare, Fetch};
use reader::Rows;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many can a session have; each may hold a running plan.
const MAX: usize = 1_000;

/// What `pg_cursors` tells of a cursor.
#[derive(Debug, Clone)]
pub struct CursorInfo {
    pub name: String,
    /// The text of its DECLARE.
    pub statement: Arc<str>,
    pub is_holdable: bool,
    pub is_binary: bool,
    pub created: DateTime<Utc>,
}

struct Cursor {
    info: CursorInfo,
    rows: Arc<Rows>,
    /// How many savepoints its open transaction had when it was declared; None: that transaction is committed.
    depth: Option<usize>,
}

/// The cursors of a session.
#[derive(Default)]
pub struct Cursors {
    open: BTreeMap<String, Cursor>,
    shown: Arc<Vec<CursorInfo>>,
    /// What the running statement reads: where it fails, the cursor has too.
    reading: Option<Arc<Rows>>,
}

impl Cursors {
    /// By name; the same list as long as nothing is declared or closed.
    pub fn shown(&self) -> &Arc<Vec<CursorInfo>> {
        &self.shown
    }

    /// The columns of a cursor; None: there is none of that name.
    pub fn columns(&self, name: &str) -> Option<SchemaRef> {
        self.open.get(name).map(|c| Arc::clone(c.rows.schema()))
    }

    fn get(&self, name: &str) -> Result<&Cursor> {
        self.open.get(name).ok_or_else(|| unknown(name))
    }

    /// False: there is none of that name.
    pub fn close(&mut self, name: &str) -> bool {
        let was = self.open.remove(name).is_some();
        self.changed(was);
        was
    }

    pub fn clear(&mut self) {
        self.keep(|_| false);
    }

    /// The transaction ends: of its cursors those WITH HOLD stay, where it is committed.
    pub fn end(&mut self, committed: bool) {
        self.keep(|c| c.depth.is_none() || (committed && c.info.is_holdable));
        self.open.values_mut().for_each(|c| c.depth = None);
    }

    /// What the open transaction declared with so many savepoints or more is gone.
    pub fn undo(&mut self, savepoints: usize) {
        self.keep(|c| c.depth.is_none_or(|depth| depth < savepoints));
    }

    /// Only so many savepoints are left; what was declared after them belongs to what is around them now.
    pub fn release(&mut self, savepoints: usize) {
        self.open.values_mut().for_each(|c| c.depth = c.depth.map(|d| d.min(savepoints)));
    }

    /// The statement that read is over, well.
    pub fn finish(&mut self) {
        self.reading = None;
    }

    fn keep(&mut self, stays: impl Fn(&Cursor) -> bool) {
        let before = self.open.len();
        self.open.retain(|_, c| stays(c));
        self.changed(self.open.len() != before);
    }

    fn changed(&mut self, really: bool) {
        if really {
            self.shown = Arc::new(self.open.values().map(|c| c.info.clone()).collect());
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_CURSOR, format!("cursor \"{name}\" does not exist"))
}

impl Session {
    pub(super) async fn run_cursor(
        &mut self,
        command: &Command,
        statement: &Statement,
        params: &[ScalarValue],
    ) -> Result<Outcome> {
        let tag = match command {
            Command::Declare(declare) => return self.declare(declare, statement, params).await,
            Command::Fetch(fetch) => return self.fetch(fetch).await,
            Command::Close(Some(name)) if self.cursors.close(name) => "CLOSE CURSOR",
            Command::Close(Some(name)) => return Err(unknown(name)),
            Command::Close(None) => {
                self.cursors.clear();
                "CLOSE CURSOR ALL"
            }
        };
        Ok(Outcome::Command { tag: tag.into() })
    }

    async fn declare(
        &mut self,
        declare: &Declare,
        statement: &Statement,
        params: &[ScalarValue],
    ) -> Result<Outcome> {
        let name = &declare.name;
        if declare.scroll {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "scrollable cursors are not supported",
            )
            .hint("leave SCROLL out: rows are read forward only"));
        }
        // Planned first, as in Postgres: a query that cannot be is the first thing to be told.
        let rows = self.query_later(statement, params).await?;
        let depth = self.transaction.savepoints();
        if depth.is_none() && !declare.hold {
            return Err(Error::new(
                SqlState::NO_ACTIVE_TRANSACTION,
                "DECLARE CURSOR can only be used in transaction blocks",
            ));
        }
        if self.cursors.open.contains_key(name) {
            return Err(Error::new(
                SqlState::DUPLICATE_CURSOR,
                format!("cursor \"{name}\" already exists"),
            ));
        }
        if self.cursors.open.len() >= MAX {
            return Err(Error::new(
                SqlState::Code("53400"),
                format!("a session has at most {MAX} cursors"),
            )
            .hint("CLOSE those that are done"));
        }
        let info = CursorInfo {
            name: name.clone(),
            statement: Arc::clone(&statement.text),
            is_holdable: declare.hold,
            is_binary: declare.binary,
            created: self.now(),
        };
        let rows = Arc::new(Rows::new(name, rows));
        self.cursors.open.insert(name.clone(), Cursor { info, rows, depth });
        self.cursors.changed(true);
        Ok(Outcome::Command { tag: "DECLARE CURSOR".into() })
    }

    async fn fetch(&mut self, fetch: &Fetch) -> Result<Outcome> {
        let cursor = self.cursors.get(&fetch.cursor)?;
        let (rows, binary) = (Arc::clone(&cursor.rows), cursor.info.is_binary);
        if fetch.moves {
            let moved = rows.pass(fetch.direction).await?;
            return Ok(Outcome::Command { tag: format!("MOVE {moved}") });
        }
        let stream = Arc::clone(&rows).fetch(fetch.direction)?;
        let schema = Arc::clone(rows.schema());
        self.cursors.reading = Some(rows);
        Ok(Outcome::Rows { schema, stream, tag: RowsTag::Fetch { binary } })
    }

    /// What an error takes with it: the cursor that was read, whose rows may be lost on their way, and the cursors of the
    /// transaction, or of its part since the last savepoint.
    pub(super) fn fail_cursors(&mut self) {
        if let Some(rows) = self.cursors.reading.take() {
            rows.fail();
        }
        if self.status() == TransactionStatus::Failed
            && let Some(savepoints) = self.transaction.savepoints()
        {
            self.cursors.undo(savepoints);
        }
    }

    /// The columns of the cursor of that name, if there is one.
    pub fn cursor_columns(&self, name: &str) -> Option<SchemaRef> {
        self.cursors.columns(name)
    }

    /// As CLOSE; closing what is not there is no error.
    pub fn close_cursor(&mut self, name: &str) {
        self.cursors.close(name);
    }
}
