//! Operators whose meaning Postgres tells by the types of both sides, and DataFusion otherwise or not at all.

use super::functions::{divided, multiplied};
use crate::error::{Error, SqlState};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

#[derive(Debug)]
pub struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Multiply, NotEq, Plus};
        let RawBinaryExpr { op, left, right } = expr;
        let (left, right) = match op {
            Plus | Minus => of_dates(&op, left, right, schema),
            Multiply | Divide => match scaled(&op, &left, &right, schema) {
                Some(function) => return Ok(PlannerResult::Planned(function)),
                None => (left, right),
            },
            Eq | NotEq | Lt | LtEq | Gt | GtEq => compared(&op, left, right, schema)?,
            _ => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// A date and an interval make a timestamp: DataFusion's own is a date, and loses the hours.
fn of_dates(op: &BinaryOperator, left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    let is_date = |e: &Expr| matches!(e.get_type(schema), Ok(DataType::Date32));
    // The right side first: in a long sum it is the short one.
    if is_interval(&right, schema) && is_date(&left) {
        (at_midnight(left), right)
    } else if *op == BinaryOperator::Plus && is_date(&right) && is_interval(&left, schema) {
        (left, at_midnight(right))
    } else {
        (left, right)
    }
}

fn at_midnight(date: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(date), DataType::Timestamp(TimeUnit::Microsecond, None)))
}

fn is_interval(e: &Expr, schema: &DFSchema) -> bool {
    matches!(e.get_type(schema), Ok(DataType::Interval(_)))
}

/// An interval times or through a number.
fn scaled(op: &BinaryOperator, left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let is_number = |e: &Expr| e.get_type(schema).is_ok_and(|ty| ty.is_numeric());
    let (function, interval, number) = if is_number(right) && is_interval(left, schema) {
        (if *op == BinaryOperator::Divide { divided() } else { multiplied() }, left, right)
    } else if *op == BinaryOperator::Multiply && is_interval(right, schema) && is_number(left) {
        (multiplied(), right, left)
    } else {
        return None;
    };
    Some(function.call(vec![interval.clone(), number.clone()]))
}

/// A literal is of the other side's type; a text and a number are not compared.
fn compared(
    op: &BinaryOperator,
    left: Expr,
    right: Expr,
    schema: &DFSchema,
) -> Result<(Expr, Expr)> {
    if let Some(right) = as_other(&right, &left, schema)? {
        return Ok((left, right));
    }
    if let Some(left) = as_other(&left, &right, schema)? {
        return Ok((left, right));
    }
    let (Ok(l), Ok(r)) = (left.get_type(schema), right.get_type(schema)) else {
        return Ok((left, right));
    };
    // A parameter is what the client sends.
    let open = |e: &Expr| text_literal(e).is_some() || matches!(e, Expr::Placeholder(_));
    let is_text = |e: &Expr, ty: &DataType| ty.is_string() && !open(e);
    if (is_text(&left, &l) && r.is_numeric()) || (l.is_numeric() && is_text(&right, &r)) {
        let name = |ty: &DataType| match ty {
            ty if ty.is_string() => "text",
            ty if ty.is_integer() => "bigint",
            ty if ty.is_floating() => "double precision",
            _ => "numeric",
        };
        let text = format!("operator does not exist: {} {op} {}", name(&l), name(&r));
        return Err(Error::new(SqlState::UNDEFINED_FUNCTION, text)
            .hint("cast one of them, or write the number in quotes")
            .into());
    }
    Ok((left, right))
}

fn text_literal(e: &Expr) -> Option<&str> {
    match e {
        Expr::Literal(text, _) => text.try_as_str().flatten(),
        _ => None,
    }
}

/// A text literal beside a boolean or a uuid. None: it is none, or needs no other spelling.
fn as_other(e: &Expr, other: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let Some(text) = text_literal(e) else { return Ok(None) };
    if let Ok(DataType::Boolean) = other.get_type(schema) {
        return Ok(Some(Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Boolean))));
    }
    let Expr::Column(_) = other else { return Ok(None) };
    let (_, field) = other.to_field(schema)?;
    if field.metadata().get("daodb:type").is_none_or(|tag| tag != "uuid") {
        return Ok(None);
    }
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}');
    match uuid::Uuid::try_parse(bare) {
        Ok(uuid) => Ok(Some(Expr::Literal(ScalarValue::Utf8(Some(uuid.to_string())), None))),
        Err(_) => {
            let text = format!("invalid input syntax for type uuid: \"{text}\"");
            Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, text).into())
        }
    }
}
