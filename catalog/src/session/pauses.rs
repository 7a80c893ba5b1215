//! Joins that pause.
//!
//! A join may make any number of rows of two batches that it has already. It is asked for one batch after the other by whoever
//! counts or sorts them, and none of these gives the runtime a turn: a product of tables could be ended by no timeout and no
//! cancel. So each batch of a join counts as a step after which others may have theirs; and a join whose filter may let nothing
//! through, which makes no batch at all, has its own input in [`super::pieces`].

use super::pieces::PiecesExec;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use std::sync::Arc;

#[derive(Debug)]
pub struct PausingJoins;

impl PhysicalOptimizerRule for PausingJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let pausing = |plan: Arc<dyn ExecutionPlan>| {
            if !is_join(plan.as_ref()) {
                return Ok(Transformed::no(plan));
            }
            let plan = if filters(plan.as_ref()) { in_pieces(plan)? } else { plan };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as _))
        };
        plan.transform_up(pausing).data()
    }

    fn name(&self) -> &str {
        "pausing_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a join may make nothing of the rows that it compares.
fn filters(plan: &dyn ExecutionPlan) -> bool {
    let nested = plan.downcast_ref::<NestedLoopJoinExec>().and_then(NestedLoopJoinExec::filter);
    let hashed = plan.downcast_ref::<HashJoinExec>().and_then(HashJoinExec::filter);
    nested.or(hashed).is_some()
}

/// The right side is the one that is asked for batch by batch.
fn in_pieces(join: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut children: Vec<_> = join.children().into_iter().map(Arc::clone).collect();
    if let Some(right) = children.pop() {
        children.push(Arc::new(PiecesExec::new(right)));
    }
    replace_children_if_necessary(join, children)
}

fn is_join(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<CrossJoinExec>() || plan.is::<NestedLoopJoinExec>() || plan.is::<HashJoinExec>()
}
