//! Operators whose meaning Postgres tells by the types of both sides, and DataFusion otherwise or not at all.

use super::apart::told_apart;
use super::functions::{Numeric, divided, multiplied};
use crate::error::{Error, SqlState};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawWindowExpr,
};
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
            Plus | Minus | Multiply | Divide | Eq | NotEq | Lt | LtEq | Gt | GtEq => {
                exact(left, right, schema)
            }
            _ => (left, right),
        };
        let (left, right) = match op {
            Plus | Minus => of_dates(&op, left, right, schema),
            Multiply | Divide => {
                let function = scaled(&op, &left, &right, schema);
                match function.or_else(|| numeric(&op, &left, &right, schema)) {
                    Some(function) => return Ok(PlannerResult::Planned(function)),
                    None => (left, right),
                }
            }
            Eq | NotEq | Lt | LtEq | Gt | GtEq => compared(&op, left, right, schema)?,
            _ => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }

    fn plan_aggregate(&self, mut e: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        e.args = e.args.into_iter().map(told_apart).collect::<Result<_>>()?;
        Ok(PlannerResult::Original(e))
    }

    fn plan_window(&self, mut e: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        e.args = e.args.into_iter().map(told_apart).collect::<Result<_>>()?;
        Ok(PlannerResult::Original(e))
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

/// A literal with a point beside a numeric is one; what is beside a double is a double.
fn exact(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    // The right side first: in a long sum it is the short one.
    let is = |e: &Expr, of: fn(&DataType) -> bool| e.get_type(schema).is_ok_and(|ty| of(&ty));
    if is(&right, DataType::is_floating) && is(&left, DataType::is_decimal) {
        beside(left, right, schema)
    } else if is(&right, DataType::is_decimal) && is(&left, DataType::is_floating) {
        let (right, left) = beside(right, left, schema);
        (left, right)
    } else {
        (left, right)
    }
}

fn beside(decimal: Expr, float: Expr, schema: &DFSchema) -> (Expr, Expr) {
    let places = match decimal.get_type(schema) {
        Ok(DataType::Decimal128(_, scale)) => scale,
        _ => 0,
    };
    match as_decimal(&float, places) {
        Some(literal) => (decimal, literal),
        None => (Expr::Cast(Cast::new(Box::new(decimal), DataType::Float64)), float),
    }
}

/// A literal as it was written. None: it is none, or has more digits than a numeric of so many places.
fn as_decimal(e: &Expr, places: i8) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Float64(Some(x)), _) = e else { return None };
    let text = x.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i8::try_from(fraction.len()).ok().filter(|scale| *scale <= 38)?;
    let precision = digits.unsigned_abs().to_string().len().max(fraction.len());
    // Both sides get the places of the longer fraction.
    let added = (i16::from(places) - i16::from(scale)).max(0);
    let precision =
        u8::try_from(precision).ok().filter(|precision| i16::from(*precision) + added <= 38)?;
    Some(Expr::Literal(ScalarValue::Decimal128(Some(digits), precision, scale), None))
}

/// Numerics multiplied and divided, by each other or by integers.
fn numeric(op: &BinaryOperator, left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let is_decimal = |ty: &DataType| matches!(ty, DataType::Decimal128(..));
    let exact = |e: &Expr| e.get_type(schema).ok().filter(|ty| is_decimal(ty) || ty.is_integer());
    let (r, l) = (exact(right)?, exact(left)?);
    if !is_decimal(&l) && !is_decimal(&r) {
        return None;
    }
    let function =
        if *op == BinaryOperator::Divide { Numeric::quotient() } else { Numeric::product() };
    Some(function.call(vec![left.clone(), right.clone()]))
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
