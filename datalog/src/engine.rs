//! The query engine's own state, once for each pool of memory.

use daodb_catalog::Catalog;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// A state that plans for this catalog's pool.
pub fn state(catalog: &Catalog) -> SessionState {
    of_runtime(catalog.runtime())
}

fn of_runtime(runtime: Arc<RuntimeEnv>) -> SessionState {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    // A union's columns come from several attributes, whose names stand in the metadata of fields: they differ, and the
    // engine's logical and physical schemas of a union keep different ones of them.
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build()
}
