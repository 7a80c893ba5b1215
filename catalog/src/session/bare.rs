//! What the engine holds for sorted or for constant, kept from where it is wrong: there a node says nothing of its rows
//! ([`BareExec`]), before sorts are chosen.
//!
//! - Of an outer join, a column that is one value on the side that may have no row is null beside it.
//! - Of `UNION ALL`, a column that is one value in each part may be several in all.
//! - Of grouping sets, a column that is one value is null where it is not grouped by.
//! - A running maximum begins with nulls, which are no least values; and what takes the first rows of a window's must not take
//!   them before the window has seen all.
//! - Of what skips rows (OFFSET), a sort above must not be done below.

use crate::table::scan::passed_on;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Statistics, config::ConfigOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, ReplaceChildrenOptions, replace_children_if_necessary,
};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, StatisticsArgs,
};
use std::fmt;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Bare;

impl PhysicalOptimizerRule for Bare {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let bare = |plan: Arc<dyn ExecutionPlan>| {
            let within = is_window(plan.as_ref());
            let wanted =
                |child: &dyn ExecutionPlan| is_wrong(child) || (is_window(child) && !within);
            if !plan.children().into_iter().any(|child| wanted(child.as_ref())) {
                return Ok(Transformed::no(plan));
            }
            let children = plan.children().into_iter().map(|child| match wanted(child.as_ref()) {
                true => Arc::new(BareExec::new(Arc::clone(child))) as _,
                false => Arc::clone(child),
            });
            let children = children.collect();
            Ok(Transformed::yes(replace_children_if_necessary(plan, children)?))
        };
        plan.transform_up(bare).data()
    }

    fn name(&self) -> &str {
        "bare"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn is_window(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<WindowAggExec>() || plan.is::<BoundedWindowAggExec>()
}

/// Whether a column counts as one value, and is not; or what sorts counts as done before rows are skipped.
fn is_wrong(plan: &dyn ExecutionPlan) -> bool {
    if let Some(limit) = plan.downcast_ref::<GlobalLimitExec>() {
        return limit.skip() > 0;
    }
    let constant =
        |child: &Arc<dyn ExecutionPlan>| !child.equivalence_properties().constants().is_empty();
    let children = plan.children();
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return !aggregate.group_expr().is_single();
    }
    if plan.is::<UnionExec>() {
        return children.into_iter().any(constant);
    }
    let (Some(join), [left, right]) = (join_type(plan), children.as_slice()) else { return false };
    match join {
        JoinType::Left => constant(right),
        JoinType::Right => constant(left),
        JoinType::Full => constant(left) || constant(right),
        _ => false,
    }
}

fn join_type(plan: &dyn ExecutionPlan) -> Option<JoinType> {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|join| *join.join_type());
    let nested = || plan.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type());
    let merge = || plan.downcast_ref::<SortMergeJoinExec>().map(|join| join.join_type());
    hash.or_else(nested).or_else(merge)
}

/// Its input's rows as they are, of which it says nothing.
#[derive(Debug)]
struct BareExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl BareExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> BareExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        BareExec { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for BareExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BareExec")
    }
}

impl ExecutionPlan for BareExec {
    fn name(&self) -> &str {
        "BareExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }
    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(BareExec::new(input))),
            None => Err(DataFusionError::Internal("BareExec has one input".to_owned())),
        }
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }
    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(passed_on(inputs, &self.schema()))
    }
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
