//! The query engine's own state.

use crate::algebra::{Node, Place, Plan, Star};
use crate::resolve::Slot;
use crate::source::Source;
use daodb_catalog::session::{logical_rules, physical_rules};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::combine_partial_final_agg::CombinePartialFinalAggregate;
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// A plan of fewer rows, none of whose stars goes through more, runs on one thread: dividing the work costs more than it saves.
const SMALL: f64 = 100_000.0;

/// What a plan asks of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Few rows of one relation, on one thread: what the engine's physical rules look at (joins, how rows are divided and
    /// ordered) is not there, and asking them takes longer than the rows do.
    Plain,
    OneThread,
    ManyThreads,
}

impl Work {
    pub fn of(plan: &Plan, sources: &[Source]) -> Work {
        let is_large = |star: &Star| scanned(star, sources) >= SMALL;
        match plan.reads() < SMALL && !plan.any_star(&is_large) {
            true if is_plain(plan) => Work::Plain,
            true => Work::OneThread,
            false => Work::ManyThreads,
        }
    }
}

/// The facts that a star's filters go through: all of its largest attribute, but where a value or the entity finds the rows.
fn scanned(star: &Star, sources: &[Source]) -> f64 {
    let Some(Source::Database(db)) = sources.get(star.source) else { return 0.0 };
    let is_found =
        |place: &Place| matches!(place.v, Slot::Const(_)) && db.finds_by_value(&place.a, place.ty);
    if matches!(star.e, Slot::Const(_)) || star.places.iter().any(is_found) {
        return 0.0;
    }
    star.places.iter().map(|place| db.facts(&place.a)).fold(0.0, f64::max)
}

/// One relation, and what is done with its rows in turn.
fn is_plain(plan: &Plan) -> bool {
    match &plan.node {
        Node::Unit | Node::Empty { .. } | Node::Values { .. } | Node::Star(_) | Node::Datoms(_) => {
            true
        }
        Node::Filter { input, .. } | Node::Extend { input, .. } | Node::Distinct { input } => {
            is_plain(input)
        }
        Node::Join { .. }
        | Node::Anti { .. }
        | Node::Each { .. }
        | Node::Union { .. }
        | Node::Nested { .. }
        | Node::Table(_)
        | Node::Rule { .. } => false,
    }
}

/// A state that plans for a catalog's pool.
pub fn state(runtime: Arc<RuntimeEnv>, work: Work) -> SessionState {
    let config = match work {
        Work::Plain | Work::OneThread => config().with_target_partitions(1),
        // A join's filter for its other side waits until all its partitions are asked. A join above that has nothing on its
        // own side of one partition does not ask that one, and both would wait for ever.
        Work::ManyThreads => {
            let mut config = config();
            config.options_mut().optimizer.enable_join_dynamic_filter_pushdown = false;
            config
        }
    };
    let rules: Vec<Rule> = match work {
        // Makes one of the two steps in which the engine counts what is divided.
        Work::Plain => vec![Arc::new(CombinePartialFinalAggregate::new())],
        Work::OneThread | Work::ManyThreads => physical_rules(),
    };
    made(config, runtime, rules)
}

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

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

fn made(config: SessionConfig, runtime: Arc<RuntimeEnv>, physical: Vec<Rule>) -> SessionState {
    let needed = logical_rules().into_iter().filter(|rule| !NEEDLESS.contains(&rule.name()));
    // Not the engine's functions by name: our plans have those that they call, and each query would copy the names of all.
    // Only what a plan of one row a key becomes is looked up.
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_optimizer_rules(needed.collect())
        .with_aggregate_functions(vec![first_value_udaf()])
        .with_physical_optimizer_rules(physical)
        .build()
}
