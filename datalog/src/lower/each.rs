//! One row for each item of a collection.

use super::expressions::items;
use super::{all, column, lower};
use crate::algebra::Plan;
use crate::query::Var;
use crate::source::Source;
use crate::value::Kind;
use datafusion::common::Column;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

pub fn each(plan: &Plan, input: &Plan, of: &Var, sources: &[Source]) -> Result<LogicalPlan> {
    let Some(last) = plan.columns.last() else {
        return Err(DataFusionError::Internal("items without a column".to_owned()));
    };
    let kind = input.column(of).map_or(Kind::Any, |c| c.kind);
    let mut columns = all(input);
    columns.push(items(column(of), kind).alias(last.var.0.as_ref()));
    LogicalPlanBuilder::from(lower(input, sources)?)
        .project(columns)?
        .unnest_column(Column::new_unqualified(last.var.0.as_ref()))?
        .build()
}
