//! `x NOT IN (SELECT ...)` as Postgres reads it wherever it stands among ANDs and ORs: true where x is none of the values, and
//! neither x nor one of them is null. DataFusion knows nulls only where it stands by itself, about a column; elsewhere it is spelled
//! out here.

use super::references::in_subquery;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, TableFactor, UnaryOperator, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// `dao_x` stands for what is looked for, `SELECT 1` for the subquery. A null that does not hold is as good as false here.
const SPELLED_OUT: &str = "(NOT EXISTS (SELECT 1 FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value = dao_x) \
     AND (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value IS NULL) = 0 \
     AND (dao_x IS NOT NULL OR (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value)) = 0))";

pub fn reread(select: &mut Select) {
    let Select { selection, having, .. } = select;
    selection.iter_mut().chain(having).for_each(by_itself);
}

/// One of the conditions that all must hold.
fn by_itself(e: &mut Expr) {
    in_subquery(e);
    match e {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            by_itself(left);
            by_itself(right);
        }
        Expr::Nested(e) => by_itself(e),
        Expr::InSubquery { expr, negated: true, .. } if has_column(expr) => {}
        e => anywhere(e),
    }
}

fn anywhere(e: &mut Expr) {
    in_subquery(e);
    match e {
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            anywhere(left);
            anywhere(right);
        }
        Expr::Nested(e) => anywhere(e),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
            let inner = bare(expr);
            in_subquery(inner);
            if let Expr::InSubquery { expr: x, subquery, negated: false } = inner
                && let Some(spelled) = spelled_out(x, subquery)
            {
                *e = spelled;
            }
        }
        Expr::InSubquery { expr, subquery, negated: true } => {
            if let Some(spelled) = spelled_out(expr, subquery) {
                *e = spelled;
            }
        }
        _ => {}
    }
}

/// Without the parentheses around it.
fn bare(mut e: &mut Expr) -> &mut Expr {
    while let Expr::Nested(inner) = e {
        e = inner;
    }
    e
}

fn has_column(e: &Expr) -> bool {
    use datafusion::sql::sqlparser::ast::visit_expressions;
    let column = |e: &Expr| match e {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    visit_expressions(e, column).is_break()
}

fn spelled_out(x: &Expr, subquery: &Query) -> Option<Expr> {
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(SPELLED_OUT).ok()?.parse_expr();
    let mut e = parsed.ok()?;
    let _ = e.visit(&mut Fill { x, subquery });
    Some(e)
}

struct Fill<'a> {
    x: &'a Expr,
    subquery: &'a Query,
}

impl VisitorMut for Fill<'_> {
    type Break = ();

    // After what is put in was visited: it may say `dao_x` itself.
    fn post_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        if matches!(e, Expr::Identifier(name) if name.value == "dao_x") {
            *e = Expr::Nested(Box::new(self.x.clone()));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, .. } = factor {
            **subquery = self.subquery.clone();
        }
        ControlFlow::Continue(())
    }
}
