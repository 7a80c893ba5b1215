//! `pg_catalog` and `information_schema`, computed from our own catalog.

mod builtin;
pub mod field_type;
mod oids;

use daodb_catalog::Result;
use daodb_catalog::session::{Extension, SessionInfo};
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use std::sync::Arc;

/// What makes a session look like Postgres to a client.
pub struct PgCatalog {}

impl PgCatalog {
    pub fn new() -> Self {
        Self {}
    }
}

impl Default for PgCatalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Extension for PgCatalog {
    fn open(&self, _ctx: &SessionContext) -> Result<()> {
        unimplemented!()
    }
    fn rewrite(&self, _statement: &mut Statement, _info: &SessionInfo) -> Result<()> {
        unimplemented!()
    }
    fn relation(
        &self,
        _schema: &str,
        _name: &str,
        _info: &SessionInfo,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        unimplemented!()
    }
    fn relations(&self, _schema: &str) -> Vec<String> {
        unimplemented!()
    }
    fn bind(&self, _ctx: &SessionContext, _info: &SessionInfo) -> Result<()> {
        unimplemented!()
    }
}
