//! `EXISTS (SELECT ...)` among what a SELECT gives: DataFusion plans it in conditions alone. Here it is a count that is above 0.

use super::grouped::has_keys;
use super::syntax::{call, expression, fill, number, outermost, query};
use super::ungrouped;
use crate::error::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, SelectItem, SetExpr, visit_expressions,
};
use std::ops::ControlFlow;

/// `dao_rows` stands for the query.
const COUNTED: &str =
    "SELECT count(*) FROM (SELECT 1 FROM (SELECT 1) AS dao_rows LIMIT 1) AS dao_row";

/// Those of a subquery come when it is walked itself.
pub fn reread(select: &mut Select) -> Result<()> {
    outermost(&mut select.projection, |e| {
        ungrouped::reread(e);
        if let Expr::Exists { subquery, negated } = e {
            let zero = || number("0");
            let count = Expr::Subquery(Box::new(counted(subquery)?));
            let op = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
            // Of no rows that fit an outer one the engine gives no count.
            let left = Box::new(call("coalesce", vec![count, zero()]));
            *e = Expr::Nested(Box::new(Expr::BinaryOp { left, op, right: Box::new(zero()) }));
        }
        Ok(())
    })
}

/// A query that counts another's rows, as far as whether there are any.
fn counted(of: &Query) -> Result<Query> {
    let mut plain = of.clone();
    // Its rows are those of its FROM and WHERE: it may name columns of the query around it.
    if let SetExpr::Select(select) = plain.body.as_mut()
        && of.limit_clause.is_none()
        && of.fetch.is_none()
        && select.distinct.is_none()
        && select.having.is_none()
        && !has_keys(select)
        && !select.from.is_empty()
        && !select.projection.iter().any(has_call)
    {
        plain.order_by = None;
        select.projection = vec![SelectItem::UnnamedExpr(expression("count(*)")?)];
        return Ok(plain);
    }
    let mut whole = query(COUNTED)?;
    fill(&mut whole, "dao_rows", of);
    Ok(whole)
}

/// A call may be an aggregate, which has a row where there is none.
fn has_call(item: &SelectItem) -> bool {
    visit_expressions(item, |e| match e {
        Expr::Function(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}
