//! A session: one connection's settings, transaction and SessionContext; each statement sees exactly one snapshot.

use crate::database::{Catalog, Database};
use crate::error::Result;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

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
}

/// What system relations and functions may know of a session.
#[derive(Clone)]
pub struct SessionInfo {
    pub catalog: Arc<Catalog>,
    pub database: Arc<Database>,
    pub snapshot: daodb_storage::Snapshot,
    pub tables: Arc<Vec<Arc<crate::table::TableDef>>>,
    pub user: String,
    /// Settings as SHOW prints them, by lower-case name.
    pub settings: Arc<std::collections::BTreeMap<String, String>>,
    /// Views of this database by name, with their SQL.
    pub views: Arc<Vec<(String, String)>>,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    Active,
    Failed,
}

/// One statement, parsed and not yet bound to a snapshot.
#[derive(Clone)]
pub struct Statement {
    /// Its own text, for messages and positions.
    pub text: Arc<str>,
}

/// What Describe needs: parameter types and result columns (None: returns no rows).
pub struct Description {
    pub parameters: Vec<DataType>,
    pub columns: Option<SchemaRef>,
}

pub struct Session {}

impl Session {
    /// `extension` is asked at each statement. `options` are start-up settings (`application_name`, `daodb.as_of`).
    pub async fn open(
        _catalog: Arc<Catalog>,
        _database: &str,
        _user: &str,
        _options: Vec<(String, String)>,
        _extension: Arc<dyn Extension>,
    ) -> Result<Session> {
        unimplemented!()
    }
    /// Splits and parses; an empty text gives no statement.
    pub fn parse(&self, _sql: &str) -> Result<Vec<Statement>> {
        unimplemented!()
    }
    /// Parameter types that the client did not give (None) are inferred.
    pub async fn describe(
        &self,
        _statement: &Statement,
        _given: &[Option<DataType>],
    ) -> Result<Description> {
        unimplemented!()
    }
    /// Runs one statement at the snapshot of now (or of the open transaction, or of `daodb.as_of`).
    pub async fn execute(
        &mut self,
        _statement: &Statement,
        _params: &[ScalarValue],
    ) -> Result<Outcome> {
        unimplemented!()
    }
    pub fn status(&self) -> TransactionStatus {
        unimplemented!()
    }
    /// To be called when a statement failed, also while its rows were produced.
    pub fn fail(&mut self) {
        unimplemented!()
    }
    /// Warnings and notices since the last call, oldest first; the severity is the state's class (`00`, `01`, `25`: WARNING).
    pub fn take_notices(&mut self) -> Vec<crate::Error> {
        unimplemented!()
    }
    /// SHOW's text of a setting.
    pub fn setting(&self, _name: &str) -> Option<String> {
        unimplemented!()
    }
}
