//! Plans tables that have a version clause. DataFusion's own planner ignores the clause and would read current data.

use super::clause;
use datafusion::common::{TableReference, plan_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{LogicalPlanBuilder, TableSource};
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
        let Some((name, source)) = clause::number(version).and_then(|n| self.tables.get(n)) else {
            return Err(plan_datafusion_err!("version clause was not resolved: {version}"));
        };
        let plan = LogicalPlanBuilder::scan(name.clone(), Arc::clone(source), None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}
