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
pub(super) struct PausingJoins;

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
            let plan = in_pieces(plan)?;
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

/// The sides of a join that need it: where it may make nothing of the rows that it compares, the right one, which it asks for
/// batch by batch; of a nested loop the left one, too, which it may read again.
fn in_pieces(join: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let filters = join.downcast_ref::<HashJoinExec>().is_some_and(|join| join.filter().is_some());
    let sides = match join.is::<NestedLoopJoinExec>() {
        true => [true, true],
        false => [false, filters],
    };
    let children = join.children().into_iter().zip(sides);
    let children = children.map(|(child, wanted)| match wanted {
        true => Arc::new(PiecesExec::new(Arc::clone(child))) as _,
        false => Arc::clone(child),
    });
    let children = children.collect();
    replace_children_if_necessary(join, children)
}

fn is_join(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<CrossJoinExec>() || plan.is::<NestedLoopJoinExec>() || plan.is::<HashJoinExec>()
}
