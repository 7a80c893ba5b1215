//! Joins whose one side names the entities of the other: where these are few, the scan of the other reads those alone.
//!
//! The engine has filters that a join sets for its other side, which wait until all partitions of the join were asked; where a plan
//! has several, two joins can wait for each other. This waits for nothing: a join of one first side has all of it before it asks
//! the other.

use crate::table::scan::{Keys, NotedExec, ScanExec};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, config::ConfigOptions};
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Probes;

impl PhysicalOptimizerRule for Probes {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let probing = |plan: Arc<dyn ExecutionPlan>| {
            let sides = match plan.downcast_ref::<HashJoinExec>() {
                Some(join) => sides(join)?,
                None => None,
            };
            Ok(match sides {
                Some(sides) => Transformed::yes(replace_children_if_necessary(plan, sides)?),
                None => Transformed::no(plan),
            })
        };
        plan.transform_up(probing).data()
    }

    fn name(&self) -> &str {
        "probes"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The sides of a join, the first one noted and the other one asked for what was noted; None: they stay as they are.
fn sides(join: &HashJoinExec) -> Result<Option<Vec<Arc<dyn ExecutionPlan>>>> {
    // Rows of the other side that meet none must be of no account.
    let dropped = matches!(
        join.join_type(),
        JoinType::Inner
            | JoinType::Left
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark
            | JoinType::RightSemi
    );
    let one = join.left().properties().output_partitioning().partition_count() == 1;
    let collected = *join.partition_mode() == PartitionMode::CollectLeft;
    if !(dropped && one && collected) || join.null_aware {
        return Ok(None);
    }
    for (left, right) in join.on() {
        let Some(column) = right.downcast_ref::<Column>() else { continue };
        if left.data_type(&join.left().schema())? != DataType::Int64 {
            continue;
        }
        let keys = Arc::new(Keys::default());
        if let Some(other) = asked(join.right(), column.index(), &keys)? {
            let first = NotedExec::new(Arc::clone(join.left()), Arc::clone(left), keys);
            return Ok(Some(vec![Arc::new(first), other]));
        }
    }
    Ok(None)
}

/// The plan, whose scan reads the noted entities alone; None: the column is not that of a scan's entities.
fn asked(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
    keys: &Arc<Keys>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return Ok(scan.among(column, keys).map(|scan| scan as _));
    }
    let (input, column) = if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let of = projection.expr().get(column).and_then(|e| e.expr.downcast_ref::<Column>());
        let Some(of) = of else { return Ok(None) };
        (projection.input(), of.index())
    } else if let Some(cooperative) = plan.downcast_ref::<CooperativeExec>() {
        (cooperative.input(), column)
    } else {
        return Ok(None);
    };
    match asked(input, column, keys)? {
        Some(input) => Ok(Some(replace_children_if_necessary(Arc::clone(plan), vec![input])?)),
        None => Ok(None),
    }
}
