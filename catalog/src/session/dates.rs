//! A date and an interval make a timestamp, as in Postgres: DataFusion's own is a date, and loses the hours.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Makes the date a timestamp; what follows is DataFusion's.
#[derive(Debug)]
pub struct Dates;

impl ExprPlanner for Dates {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, mut left, mut right } = expr;
        if matches!(op, BinaryOperator::Plus | BinaryOperator::Minus) {
            let is_date = |e: &Expr| matches!(e.get_type(schema), Ok(DataType::Date32));
            let is_interval = |e: &Expr| matches!(e.get_type(schema), Ok(DataType::Interval(_)));
            // The right side first: in a long sum it is the short one.
            if is_interval(&right) && is_date(&left) {
                left = at_midnight(left);
            } else if op == BinaryOperator::Plus && is_date(&right) && is_interval(&left) {
                right = at_midnight(right);
            }
        }
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

fn at_midnight(date: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(date), DataType::Timestamp(TimeUnit::Microsecond, None)))
}
