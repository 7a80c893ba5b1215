//! A context of system relations and functions alone, for subqueries that run by themselves.

use super::planner::ArrayPlanner;
use super::relation::SystemTable;
use super::statement::Bound;
use super::{builtin, function};
use async_trait::async_trait;
use daodb_catalog::session::{logical_rules, physical_rules};
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::fmt;
use std::sync::{Arc, LazyLock};

const CATALOG: &str = "system";
const SCHEMAS: [&str; 2] = ["pg_catalog", "information_schema"];

/// Made once: the engine's own functions are hundreds.
static STATE: LazyLock<SessionState> = LazyLock::new(|| {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_default_catalog_and_schema(CATALOG, "pg_catalog")
        .with_create_default_catalog_and_schema(false);
    SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules())
        .build()
});

/// The engine with its functions, and none of ours.
pub fn engine() -> &'static SessionState {
    &STATE
}

pub fn context(bound: &Arc<Bound>) -> SessionContext {
    let mut state = STATE.clone();
    ArrayPlanner::register(&mut state);
    let ctx = SessionContext::new_with_state(state);
    // Clones of a state share their catalog list: a new one for each.
    let list = Arc::new(datafusion::catalog::MemoryCatalogProviderList::new());
    ctx.register_catalog_list(list);
    ctx.register_catalog(CATALOG, Arc::new(SystemCatalog { bound: Arc::clone(bound) }));
    for function in function::all(bound) {
        ctx.register_udf(function);
    }
    ctx
}

struct SystemCatalog {
    bound: Arc<Bound>,
}

impl fmt::Debug for SystemCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CATALOG)
    }
}

impl CatalogProvider for SystemCatalog {
    fn schema_names(&self) -> Vec<String> {
        SCHEMAS.map(str::to_owned).to_vec()
    }
    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let name = SCHEMAS.into_iter().find(|s| *s == name)?;
        Some(Arc::new(SystemSchema { name, bound: Arc::clone(&self.bound) }))
    }
}

struct SystemSchema {
    name: &'static str,
    bound: Arc<Bound>,
}

impl fmt::Debug for SystemSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        let own = builtin::relations().iter().filter(|r| r.schema == self.name);
        own.map(|r| r.name.to_owned()).collect()
    }
    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let table = SystemTable::find(self.name, name, &self.bound);
        Ok(table.map(|t| Arc::new(t) as Arc<dyn TableProvider>))
    }
    fn table_exist(&self, name: &str) -> bool {
        builtin::relation(self.name, name).is_some()
    }
}
