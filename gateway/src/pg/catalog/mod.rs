//! `pg_catalog` and `information_schema`, computed from our own catalog.
//!
//! In the order a statement meets them: [`rewrite`] puts what clients write in words that the planner reads; [`statement`] is
//! what is known while it runs: the [`objects`] that our catalog amounts to, with [`oids`] made from their names; [`relation`]
//! shows them as relations beside what every PostgreSQL 15 has ([`builtin`]), [`function`] answers about them.

mod builtin;
mod callable;
mod context;
mod definition;
pub mod field_type;
mod function;
mod literal;
mod objects;
mod oids;
mod planner;
mod relation;
mod rewrite;
mod rows;
mod statement;
mod texts;

use daodb_catalog::Result;
use daodb_catalog::session::{Extension, SessionInfo, TableCall};
use daodb_datalog::sql;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use planner::ArrayPlanner;
use relation::SystemTable;
use statement::Bound;
use std::sync::{Arc, Weak};
use texts::TextCasts;

/// What makes a session look like Postgres to a client.
#[derive(Default)]
pub struct PgCatalog {
    /// The last statement's: its relations and functions share what they know. They alone keep it alive, for it holds a
    /// snapshot.
    bound: Mutex<Weak<Bound>>,
}

impl PgCatalog {
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known of this statement's session; made anew where the session or its snapshot is another.
    fn bound(&self, info: &SessionInfo) -> Arc<Bound> {
        let mut last = self.bound.lock();
        if let Some(bound) = last.upgrade().filter(|b| b.is_of(info)) {
            return bound;
        }
        let bound = Bound::new(info);
        *last = Arc::downgrade(&bound);
        bound
    }
}

impl Extension for PgCatalog {
    fn open(&self, ctx: &SessionContext) -> Result<()> {
        ArrayPlanner::register(&mut ctx.state_ref().write());
        ctx.register_udf(sql::edn());
        ctx.add_analyzer_rule(Arc::new(TextCasts::new()));
        Ok(())
    }
    fn table_functions(&self) -> &'static [&'static str] {
        &[sql::FUNCTION]
    }
    fn call<'a>(
        &'a self,
        call: &'a TableCall<'a>,
    ) -> BoxFuture<'a, Result<Arc<dyn TableProvider>>> {
        sql::table(call)
    }
    fn rewrite(&self, statement: &mut Statement, _: &SessionInfo) -> Result<()> {
        rewrite::rewrite(statement)
    }
    fn relation(
        &self,
        schema: &str,
        name: &str,
        info: &SessionInfo,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let table = SystemTable::find(schema, name, &self.bound(info));
        Ok(table.map(|t| Arc::new(t) as Arc<dyn TableProvider>))
    }
    fn relations(&self, schema: &str) -> Vec<String> {
        let all = builtin::relations().iter().filter(|r| r.schema == schema);
        all.map(|r| r.name.to_owned()).collect()
    }
    fn bind(&self, ctx: &SessionContext, info: &SessionInfo) -> Result<()> {
        // Most statements find the session as the last one left it.
        if function::bound_of(&ctx.state_ref().read()).is_some_and(|b| b.is_of(info)) {
            return Ok(());
        }
        for function in function::all(&self.bound(info)) {
            ctx.register_udf(function);
        }
        Ok(())
    }
}

/// The roles that PostgreSQL 15 always has, by OID.
fn relation_roles() -> &'static [(u32, &'static str)] {
    &relation::PREDEFINED_ROLES
}
