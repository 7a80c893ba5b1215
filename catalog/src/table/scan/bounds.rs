//! What predicates say of one column: the integers it lies between, the values it is one of.

use super::filter::Filter;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column, InListExpr, Literal};
use datafusion::physical_plan::PhysicalExpr;
use std::ops::Range;
use std::sync::Arc;

/// Values beyond this are not looked up one by one.
const MAX_POINTS: usize = 4096;

/// Both ends inclusive; empty where `low > high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub low: i64,
    pub high: i64,
}

impl Bounds {
    pub const ALL: Bounds = Bounds { low: i64::MIN, high: i64::MAX };

    pub fn and(self, other: Bounds) -> Bounds {
        Bounds { low: self.low.max(other.low), high: self.high.min(other.high) }
    }
    fn or(self, other: Bounds) -> Bounds {
        Bounds { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    /// The same without its end, as ranges of entities are.
    pub fn range(self) -> Range<i64> {
        self.low..self.high.saturating_add(1)
    }
}

/// The integers that column `column` lies between in any row that passes all filters.
pub fn bounds(filters: &[Arc<Filter>], column: usize) -> Bounds {
    filters.iter().fold(Bounds::ALL, |b, f| b.and(bounds_of(&f.expr, column)))
}

/// The values that column `column` is one of in any row that passes all filters; None: not known, or too many.
pub fn points(filters: &[Arc<Filter>], column: usize) -> Option<Vec<ScalarValue>> {
    filters.iter().filter_map(|f| points_of(&f.expr, column)).min_by_key(Vec::len)
}

/// The same of an integer column: sorted, without duplicates.
pub fn integer_points(filters: &[Arc<Filter>], column: usize) -> Option<Vec<i64>> {
    let mut points: Vec<i64> = points(filters, column)?.iter().filter_map(integer).collect();
    points.sort_unstable();
    points.dedup();
    Some(points)
}

fn integer(v: &ScalarValue) -> Option<i64> {
    match v {
        ScalarValue::Int64(n) => *n,
        _ => None,
    }
}

fn is_column(expr: &Arc<dyn PhysicalExpr>, column: usize) -> bool {
    expr.downcast_ref::<Column>().is_some_and(|c| c.index() == column)
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<ScalarValue> {
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return literal(cast.expr())?.cast_to(cast.cast_type()).ok();
    }
    Some(expr.downcast_ref::<Literal>()?.value().clone())
}

/// `column op literal`, whichever way it is written.
fn comparison(b: &BinaryExpr, column: usize) -> Option<(Operator, ScalarValue)> {
    if is_column(b.left(), column) {
        return Some((*b.op(), literal(b.right())?));
    }
    if is_column(b.right(), column) {
        return Some((b.op().swap()?, literal(b.left())?));
    }
    None
}

fn bounds_of(expr: &Arc<dyn PhysicalExpr>, column: usize) -> Bounds {
    if let Some(b) = expr.downcast_ref::<BinaryExpr>() {
        match b.op() {
            Operator::And => return bounds_of(b.left(), column).and(bounds_of(b.right(), column)),
            Operator::Or => return bounds_of(b.left(), column).or(bounds_of(b.right(), column)),
            _ => {}
        }
        let Some((op, value)) = comparison(b, column) else { return Bounds::ALL };
        let Some(n) = integer(&value) else { return Bounds::ALL };
        return match op {
            Operator::Eq => Bounds { low: n, high: n },
            Operator::Lt => n
                .checked_sub(1)
                .map_or(Bounds { low: 1, high: 0 }, |high| Bounds { low: i64::MIN, high }),
            Operator::LtEq => Bounds { low: i64::MIN, high: n },
            Operator::Gt => n
                .checked_add(1)
                .map_or(Bounds { low: 1, high: 0 }, |low| Bounds { low, high: i64::MAX }),
            Operator::GtEq => Bounds { low: n, high: i64::MAX },
            _ => Bounds::ALL,
        };
    }
    let points = points_of(expr, column).unwrap_or_default();
    let integers: Option<Vec<i64>> = points.iter().map(integer).collect();
    match integers.as_deref() {
        Some([first, rest @ ..]) => rest
            .iter()
            .fold(Bounds { low: *first, high: *first }, |b, n| b.or(Bounds { low: *n, high: *n })),
        _ => Bounds::ALL,
    }
}

fn points_of(expr: &Arc<dyn PhysicalExpr>, column: usize) -> Option<Vec<ScalarValue>> {
    let points = points_unbounded(expr, column)?;
    (points.len() <= MAX_POINTS).then_some(points)
}

fn points_unbounded(expr: &Arc<dyn PhysicalExpr>, column: usize) -> Option<Vec<ScalarValue>> {
    if let Some(b) = expr.downcast_ref::<BinaryExpr>() {
        match b.op() {
            Operator::Or => {
                let mut points = points_of(b.left(), column)?;
                points.extend(points_of(b.right(), column)?);
                return Some(points);
            }
            Operator::And => {
                return points_of(b.left(), column).or_else(|| points_of(b.right(), column));
            }
            _ => {}
        }
        return match comparison(b, column)? {
            // Nothing equals null: no value at all.
            (Operator::Eq, value) if value.is_null() => Some(vec![]),
            (Operator::Eq, value) => Some(vec![value]),
            _ => None,
        };
    }
    let list = expr.downcast_ref::<InListExpr>()?;
    if list.negated() || !is_column(list.expr(), column) {
        return None;
    }
    let values: Option<Vec<ScalarValue>> = list.list().iter().map(literal).collect();
    Some(values?.into_iter().filter(|v| !v.is_null()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::logical_expr::{Expr, col, lit};
    use datafusion::prelude::SessionContext;

    fn check(expr: Expr, low: i64, high: i64, expect: Option<Vec<i64>>) {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Int64, true),
        ]));
        let state = SessionContext::new().state();
        let filters =
            super::super::filter::compile(&state, std::slice::from_ref(&expr), &schema).unwrap();
        assert_eq!(bounds(&filters, 0), Bounds { low, high }, "{expr}");
        assert_eq!(integer_points(&filters, 0), expect, "{expr}");
    }

    #[test]
    fn what_predicates_say() {
        let a = || col("a");
        check(a().eq(lit(5i64)), 5, 5, Some(vec![5]));
        check(lit(5i64).lt(a()), 6, i64::MAX, None);
        check(a().lt(lit(i64::MIN)), 1, 0, None);
        check(a().gt(lit(1i64)).and(a().lt_eq(lit(9i64))), 2, 9, None);
        check(a().eq(lit(9i64)).or(a().eq(lit(2i64))), 2, 9, Some(vec![2, 9]));
        check(a().eq(lit(9i64)).or(col("b").eq(lit(2i64))), i64::MIN, i64::MAX, None);
        check(a().in_list((0..9i64).map(lit).collect(), false), 0, 8, Some((0..9).collect()));
        check(a().in_list((0..9i64).map(lit).collect(), true), i64::MIN, i64::MAX, None);
    }
}
