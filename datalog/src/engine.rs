//! The query engine's own state.

use crate::algebra::Plan;
use daodb_catalog::session::physical_rules;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// A plan that reads fewer rows runs on one thread: dividing the work costs more than it saves.
const SMALL: f64 = 100_000.0;

pub fn is_small(plan: &Plan) -> bool {
    plan.reads() < SMALL
}

/// A state that plans for a catalog's pool, for small plans or for others.
pub fn state(runtime: Arc<RuntimeEnv>, small: bool) -> SessionState {
    let config = match small {
        true => config().with_target_partitions(1),
        // A join's filter for its other side waits until all its partitions are asked. A join above that has nothing on its
        // own side of one partition does not ask that one, and both would wait for ever.
        false => {
            let mut config = config();
            config.options_mut().optimizer.enable_join_dynamic_filter_pushdown = false;
            config
        }
    };
    made(config, runtime)
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    // A union's columns come from several attributes, whose names stand in the metadata of fields: they differ, and the
    // engine's logical and physical schemas of a union keep different ones of them.
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    // A second pass finds little in plans that come in order.
    config.options_mut().optimizer.max_passes = 1;
    config
}

/// Rules for what our plans never have: subqueries, fields of structures, unions of one table.
const NEEDLESS: [&str; 8] = [
    "rewrite_set_comparison",
    "decorrelate_predicate_subquery",
    "scalar_subquery_to_join",
    "decorrelate_lateral_join",
    "unions_to_filter",
    "extract_leaf_expressions",
    "push_down_leaf_projections",
    "single_distinct_aggregation_to_group_by",
];

fn made(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionState {
    let rules = Optimizer::new().rules;
    let needed = rules.into_iter().filter(|rule| !NEEDLESS.contains(&rule.name()));
    // Not the engine's functions by name: our plans have those that they call, and each query would copy the names of all.
    // Only what a plan of one row a key becomes is looked up.
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_optimizer_rules(needed.collect())
        .with_aggregate_functions(vec![first_value_udaf()])
        .with_physical_optimizer_rules(physical_rules())
        .build()
}
