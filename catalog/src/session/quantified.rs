//! `x NOT IN (SELECT ...)` as Postgres reads it wherever it stands among ANDs and ORs: true where x is none of the values, and
//! neither x nor one of them is null. DataFusion knows nulls only where it stands by itself, about a column; elsewhere it is spelled
//! out here.

use super::errors::TOO_COMPLEX;
use super::names;
use super::references::in_subquery;
use super::syntax::{expression, fill};
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Cte, Expr, Query, Select, TableFactor, UnaryOperator, Visit, Visitor,
    visit_expressions, visit_expressions_mut,
};
use std::ops::ControlFlow;

/// `dao_x` stands for what is looked for, `dao_in` for the subquery. A null that does not hold is as good as false here.
const SPELLED_OUT: &str = "(NOT EXISTS (SELECT 1 FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value = dao_x) \
     AND (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value IS NULL) = 0 \
     AND (dao_x IS NOT NULL OR (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value)) = 0))";

/// Subqueries are spelled out three times, those within them nine times: more of one statement are refused.
const MAX_SPELLED_OUT: usize = 200;

/// How many a statement had spelled out so far.
#[derive(Default)]
pub struct Spelled(usize);

impl Spelled {
    pub fn reread(&mut self, select: &mut Select) -> Result<()> {
        let Select { selection, having, .. } = select;
        selection.iter_mut().chain(having).try_for_each(|e| self.by_itself(e))
    }

    /// One of the conditions that all must hold.
    fn by_itself(&mut self, e: &mut Expr) -> Result<()> {
        in_subquery(e);
        match e {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.by_itself(left)?;
                self.by_itself(right)
            }
            Expr::Nested(e) => self.by_itself(e),
            Expr::InSubquery { expr, negated: true, .. } if has_column(expr) => Ok(()),
            e => self.anywhere(e),
        }
    }

    fn anywhere(&mut self, e: &mut Expr) -> Result<()> {
        in_subquery(e);
        match e {
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                self.anywhere(left)?;
                self.anywhere(right)?;
            }
            Expr::Nested(e) => self.anywhere(e)?,
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                let inner = bare(expr);
                in_subquery(inner);
                if let Expr::InSubquery { expr: x, subquery, negated: false } = inner {
                    *e = self.spelled_out(x, subquery)?;
                }
            }
            Expr::InSubquery { expr, subquery, negated: true } => {
                *e = self.spelled_out(expr, subquery)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn spelled_out(&mut self, x: &Expr, subquery: &Query) -> Result<Expr> {
        self.0 += 1;
        if self.0 > MAX_SPELLED_OUT {
            let text = "NOT IN of subqueries within one another, beside OR, is nested too deeply";
            return Err(Error::new(TOO_COMPLEX, text)
                .hint("write NOT EXISTS (SELECT ... WHERE x = y), and what a null is to mean"));
        }
        spelled_out(x, subquery)
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
    let column = |e: &Expr| match e {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    visit_expressions(e, column).is_break()
}

fn spelled_out(x: &Expr, subquery: &Query) -> Result<Expr> {
    let mut relations = Relations::default();
    let _ = Visit::visit(subquery, &mut relations);
    let outside = |e: &Expr| match e {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [.., relation, _] if !relations.0.contains(&names::fold(relation)) => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    };
    if visit_expressions(subquery, outside).is_break() {
        let text =
            "NOT IN of a subquery that names what is outside of it is supported by itself alone";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)
            .hint("write NOT EXISTS (SELECT ... WHERE x = y), and what a null is to mean"));
    }
    let mut e = expression(SPELLED_OUT)?;
    // Before the subquery is in its place: that may say `dao_x` itself.
    let _ = visit_expressions_mut(&mut e, |e| {
        if matches!(e, Expr::Identifier(name) if name.value == "dao_x") {
            *e = Expr::Nested(Box::new(x.clone()));
        }
        ControlFlow::<()>::Continue(())
    });
    fill(&mut e, "dao_in", subquery);
    Ok(e)
}

/// The names that columns may be told by within a query.
#[derive(Default)]
struct Relations(Vec<String>);

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let named = |cte: &Cte| names::fold(&cte.alias.name);
        self.0.extend(query.with.iter().flat_map(|with| &with.cte_tables).map(named));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let (alias, name) = match factor {
            TableFactor::Table { alias, name, .. } => {
                (alias, name.0.last().and_then(|part| part.as_ident()))
            }
            TableFactor::Derived { alias, .. } | TableFactor::TableFunction { alias, .. } => {
                (alias, None)
            }
            TableFactor::UNNEST { alias, .. } | TableFactor::NestedJoin { alias, .. } => {
                (alias, None)
            }
            TableFactor::Function { alias, .. } => (alias, None),
            _ => return ControlFlow::Continue(()),
        };
        let name = alias.as_ref().map(|alias| &alias.name).or(name);
        self.0.extend(name.map(names::fold));
        ControlFlow::Continue(())
    }
}
