//! What columns decide others, kept from where the engine gets it wrong.
//!
//! A key of one side of a join decides that side's columns, and no others. Where rows are grouped after the join, the engine
//! takes it for one that decides the whole row: it groups and sorts by the key alone, or holds rows for distinct that are not.
//! So the planner is not told what derived tables know ([`Undetermined`]), nor is a rule that asks, of a plan in which this went
//! wrong ([`told`]).

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, FunctionalDependencies};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Projection};
use datafusion::sql::sqlparser::ast::TableFactor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A plan as a rule that asks what decides what may read it: without that where it is wrong.
pub fn told(plan: LogicalPlan) -> Result<LogicalPlan> {
    if is_wrong(&plan)? { forgotten(plan) } else { Ok(plan) }
}

/// The same of a rule that is given each node by itself, and asks at these.
pub fn told_of_node(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Sort(_) | LogicalPlan::Distinct(_) => told(plan),
        plan => Ok(plan),
    }
}

/// Whether somewhere less than all that rows are grouped by is held for their key. It may be, and is not worth to be told apart.
fn is_wrong(plan: &LogicalPlan) -> Result<bool> {
    let mut wrong = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            let keys = aggregate.group_expr_len()?;
            let known = aggregate.schema.functional_dependencies();
            wrong = known.iter().any(|dependency| dependency.source_indices.len() < keys);
        }
        Ok(if wrong { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(wrong)
}

/// The plan, none of whose nodes knows what decides what.
fn forgotten(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|mut node| {
        let Some(schema) = own_schema(&mut node) else { return Ok(Transformed::no(node)) };
        if schema.functional_dependencies().is_empty() {
            return Ok(Transformed::no(node));
        }
        *schema = plain(schema)?;
        Ok(Transformed::yes(node))
    })?;
    Ok(plan.data)
}

/// That of a node which does not have its input's.
fn own_schema(node: &mut LogicalPlan) -> Option<&mut DFSchemaRef> {
    match node {
        LogicalPlan::Projection(node) => Some(&mut node.schema),
        LogicalPlan::Window(node) => Some(&mut node.schema),
        LogicalPlan::Aggregate(node) => Some(&mut node.schema),
        LogicalPlan::Join(node) => Some(&mut node.schema),
        LogicalPlan::Union(node) => Some(&mut node.schema),
        LogicalPlan::TableScan(node) => Some(&mut node.projected_schema),
        LogicalPlan::SubqueryAlias(node) => Some(&mut node.schema),
        LogicalPlan::Unnest(node) => Some(&mut node.schema),
        LogicalPlan::Distinct(Distinct::On(node)) => Some(&mut node.schema),
        _ => None,
    }
}

fn plain(schema: &DFSchema) -> Result<DFSchemaRef> {
    let plain = schema.clone().with_functional_dependencies(FunctionalDependencies::empty())?;
    Ok(Arc::new(plain))
}

/// Plans each relation of a `FROM` as the engine does, and hands on its columns alone.
#[derive(Debug, Default)]
pub struct Undetermined {
    /// The engine asks again for what it is to plan itself.
    asked: AtomicBool,
}

impl RelationPlanner for Undetermined {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if self.asked.swap(false, Ordering::Relaxed) {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        self.asked.store(true, Ordering::Relaxed);
        let plan = context.plan(relation)?;
        let plan = match plan.schema().functional_dependencies().is_empty() {
            true => plan,
            false => {
                let columns = plan.schema().columns().into_iter().map(Expr::Column).collect();
                let schema = plain(plan.schema())?;
                let input = Arc::new(plan);
                LogicalPlan::Projection(Projection::try_new_with_schema(columns, input, schema)?)
            }
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}
