//! Columns by which a subquery is tied to the outer row. The engine takes them out of the subquery by their names alone: where two
//! of its relations have the name, it would tie by the other one. Here they get names of their own.

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};
use datafusion::optimizer::OptimizerConfig;
use std::sync::Arc;

/// Of the subqueries among one node's expressions.
pub fn told_apart(plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<LogicalPlan> {
    let plan = plan.map_subqueries(|plan| {
        plan.transform_up(|node| match node {
            LogicalPlan::Filter(filter) => tied(filter, config),
            node => Ok(Transformed::no(node)),
        })
    })?;
    Ok(plan.data)
}

fn tied(filter: Filter, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
    let schema = Arc::clone(filter.input.schema());
    let is_shared = |c: &Column| schema.fields().iter().filter(|f| *f.name() == c.name).count() > 1;
    let mut named: Vec<(Column, String)> = Vec::new();
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate.clone()) {
        if !condition.contains_outer() {
            conditions.push(condition);
            continue;
        }
        let condition = condition.transform_up(|e| match e {
            Expr::Column(c) if is_shared(&c) => {
                let name = match named.iter().find(|(known, _)| *known == c) {
                    Some((_, name)) => name.clone(),
                    None => {
                        let name = config.alias_generator().next("dao_tied");
                        named.push((c, name.clone()));
                        name
                    }
                };
                Ok(Transformed::yes(Expr::Column(Column::from_name(name))))
            }
            e => Ok(Transformed::no(e)),
        })?;
        conditions.push(condition.data);
    }
    let Some(predicate) = conjunction(conditions).filter(|_| !named.is_empty()) else {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    };
    let columns = schema.columns().into_iter().map(Expr::Column);
    let named = named.into_iter().map(|(c, name)| Expr::Column(c).alias(name));
    let input = Projection::try_new(columns.chain(named).collect(), filter.input)?;
    let filter = Filter::try_new(predicate, Arc::new(LogicalPlan::Projection(input)))?;
    Ok(Transformed::yes(LogicalPlan::Filter(filter)))
}
