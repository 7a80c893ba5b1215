//! Plans tables that have a version clause. DataFusion's own planner ignores the clause and would read current data.

use super::clause;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{TableReference, plan_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, TableScan, TableSource};
use datafusion::sql::sqlparser::ast::TableFactor;
use std::fmt;
use std::sync::Arc;

/// The tables of a statement's version clauses, in the order of their numbers ([`clause::resolved`]).
pub struct VersionPlanner {
    pub tables: Vec<(TableReference, Arc<dyn TableSource>)>,
}

impl fmt::Debug for VersionPlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tables.iter().map(|(name, _)| name)).finish()
    }
}

impl RelationPlanner for VersionPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        _: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Table { version: Some(version), alias, .. } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let number = clause::number(version);
        let (Some(n), Some((name, source))) = (number, number.and_then(|n| self.tables.get(n)))
        else {
            return Err(plan_datafusion_err!("version clause was not resolved: {version}"));
        };
        let plan = LogicalPlanBuilder::scan(apart(name, n), Arc::clone(source), None)?;
        let plan = plan.alias(name.clone())?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

/// Plans compare scans by the table's name alone: without names of their own, two moments of one table would count as the
/// same subquery, and one would be answered with the other's rows.
fn apart(name: &TableReference, mark: impl fmt::Display) -> TableReference {
    TableReference::bare(format!("{name} #{mark}"))
}

/// A plan whose scans are told from those of the same tables at another moment.
pub fn told_apart(plan: LogicalPlan, mark: &str) -> Result<LogicalPlan> {
    let renamed = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::TableScan(scan) = plan else { return Ok(Transformed::no(plan)) };
        let TableScan { table_name, source, projection, filters, .. } = scan;
        let name = apart(&table_name, mark);
        let plan = LogicalPlanBuilder::scan_with_filters(name, source, projection, filters)?;
        Ok(Transformed::yes(plan.alias(table_name)?.build()?))
    })?;
    Ok(renamed.data)
}
