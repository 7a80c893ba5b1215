//! Joins on the variables that both sides have; a side whose variable may be of any type is narrowed to the other's.

use super::{ONE, all, column, converted, lower, project};
use crate::algebra::Plan;
use crate::query::Var;
use crate::source::Source;
use crate::value::Kind;
use datafusion::common::{Column, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit};

/// What the right side's column of a variable is called while both are there.
fn right_name(v: &Var) -> String {
    format!("{}#r", v.0)
}

fn shared<'a>(left: &'a Plan, right: &Plan) -> Vec<&'a Var> {
    left.columns.iter().map(|c| &c.var).filter(|v| right.has(v)).collect()
}

fn kind(plan: &Plan, v: &Var) -> Kind {
    plan.column(v).map_or(Kind::Any, |c| c.kind)
}

pub fn join(
    plan: &Plan,
    left: &Plan,
    right: &Plan,
    outer: bool,
    sources: &[Source],
) -> Result<LogicalPlan> {
    let on = shared(left, right);
    let of_left = left.columns.iter().map(|c| match on.contains(&&c.var) {
        true => converted(column(&c.var), c.kind, kind(plan, &c.var)).alias(c.var.0.as_ref()),
        false => column(&c.var),
    });
    let of_right = right.columns.iter().map(|c| match on.contains(&&c.var) {
        true => converted(column(&c.var), c.kind, kind(plan, &c.var)).alias(right_name(&c.var)),
        false => column(&c.var),
    });
    let one_left = left.columns.is_empty().then(|| lit(true).alias(ONE));
    let one_right = right.columns.is_empty().then(|| lit(true).alias(format!("{ONE}#r")));
    let left_plan = LogicalPlanBuilder::from(lower(left, sources)?)
        .project(of_left.chain(one_left).collect::<Vec<Expr>>())?;
    let right_plan = LogicalPlanBuilder::from(lower(right, sources)?)
        .project(of_right.chain(one_right).collect::<Vec<Expr>>())?
        .build()?;
    let joined = match on.is_empty() {
        true => left_plan.cross_join(right_plan)?,
        false => {
            let how = if outer { JoinType::Left } else { JoinType::Inner };
            left_plan.join(right_plan, how, keys(&on), None)?
        }
    };
    project(joined, all(plan))
}

fn keys(on: &[&Var]) -> (Vec<Column>, Vec<Column>) {
    let left = on.iter().map(|v| Column::new_unqualified(v.0.as_ref())).collect();
    (left, on.iter().map(|v| Column::new_unqualified(right_name(v))).collect())
}

pub fn anti(left: &Plan, right: &Plan, sources: &[Source]) -> Result<LogicalPlan> {
    let on = shared(left, right);
    let common = |v: &Var| kind(left, v).join(kind(right, v));
    // Columns to join on of their own: what is converted here must not change the rows that stay.
    let key = |v: &Var| format!("{}#l", v.0);
    let mut of_left = all(left);
    of_left.extend(on.iter().map(|v| converted(column(v), kind(left, v), common(v)).alias(key(v))));
    let mut of_right: Vec<Expr> = on
        .iter()
        .map(|v| converted(column(v), kind(right, v), common(v)).alias(right_name(v)))
        .collect();
    let (mut left_keys, mut right_keys): (Vec<Column>, Vec<Column>) = on
        .iter()
        .map(|v| (Column::new_unqualified(key(v)), Column::new_unqualified(right_name(v))))
        .unzip();
    if on.is_empty() {
        // Whether there is any row at all.
        let (l, r) = (format!("{ONE}#l"), format!("{ONE}#r"));
        of_left.push(lit(1i64).alias(&l));
        of_right.push(lit(1i64).alias(&r));
        left_keys.push(Column::new_unqualified(l));
        right_keys.push(Column::new_unqualified(r));
    }
    let right = LogicalPlanBuilder::from(lower(right, sources)?).project(of_right)?.build()?;
    let joined = LogicalPlanBuilder::from(lower(left, sources)?).project(of_left)?.join_detailed(
        right,
        JoinType::LeftAnti,
        (left_keys, right_keys),
        None,
        NullEquality::NullEqualsNull,
    )?;
    project(joined, all(left))
}
