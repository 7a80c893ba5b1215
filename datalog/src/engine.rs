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
    let config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build()
}
