//! Conditions over what a subquery gives, as Postgres reads them wherever they stand among ANDs and ORs.
//!
//! `x NOT IN (SELECT ...)` is true where x is none of the values, and neither x nor one of them is null. DataFusion knows nulls
//! only where it stands by itself, about a column; elsewhere it is spelled out here. `x > ALL (SELECT ...)`, `x <= ANY (...)` and
//! the like always are: DataFusion's own are true where they are not.

use super::errors::TOO_COMPLEX;
use super::grouped::{has_keys, selected};
use super::names;
use super::references::subquery;
use super::syntax::{expression, fill, outermost};
use super::ungrouped::aggregates;
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Cte, Expr, Query, Select, TableFactor, UnaryOperator, Visit, VisitMut, Visitor,
    visit_expressions, visit_expressions_mut,
};
use std::ops::ControlFlow;

/// `dao_x` stands for what is looked for, `dao_in` for the subquery. A null that does not hold is as good as false here.
const NOT_IN: &str = "(NOT EXISTS (SELECT 1 FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value = dao_x) \
     AND (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value IS NULL) = 0 \
     AND (dao_x IS NOT NULL OR (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value)) = 0))";

/// True, false or null, where the value itself is wanted.
const IN: &str = "(CASE WHEN EXISTS (SELECT 1 FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value = dao_x) THEN true \
     WHEN (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value)) = 0 THEN false \
     WHEN dao_x IS NULL OR (SELECT count(*) FROM (SELECT 1) AS dao_in (dao_value) WHERE dao_in.dao_value IS NULL) > 0 THEN NULL \
     ELSE false END)";

/// The same where rows are grouped: within an aggregate the engine takes no subquery that names a column of it.
const GROUPED_IN: &str = "dao_among(dao_x, (SELECT array_agg(DISTINCT dao_in.dao_value ORDER BY dao_in.dao_value) \
     FROM (SELECT 1) AS dao_in (dao_value)))";

/// NOT IN has its subquery three times, and one within it nine times: more of one statement are refused.
const MAX_SPELLED_OUT: usize = 200;

/// How many a statement had spelled out so far.
#[derive(Default)]
pub struct Spelled {
    count: usize,
    /// Whether the SELECT at hand groups its rows.
    grouped: bool,
}

impl Spelled {
    pub fn reread(&mut self, select: &mut Select) -> Result<()> {
        let keys = has_keys(select);
        let Select { projection, selection, having, group_by, .. } = select;
        self.grouped = false;
        selection.iter_mut().try_for_each(|e| self.by_itself(e))?;
        let mut said = projection.iter().filter_map(selected).chain(&*having);
        self.grouped = keys || said.any(aggregates);
        self.value(group_by)?;
        projection.iter_mut().try_for_each(|item| self.value(item))?;
        having.iter_mut().try_for_each(|e| self.by_itself(e))
    }

    /// One of the conditions that all must hold.
    fn by_itself(&mut self, e: &mut Expr) -> Result<()> {
        subquery(e);
        match e {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.by_itself(left)?;
                self.by_itself(right)
            }
            Expr::Nested(e) => self.by_itself(e),
            Expr::InSubquery { expr, subquery, negated: true }
                if is_of_columns(expr) && parts(expr).is_none() =>
            {
                refuse_tied(subquery)
            }
            e => self.anywhere(e),
        }
    }

    fn anywhere(&mut self, e: &mut Expr) -> Result<()> {
        subquery(e);
        match e {
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                self.anywhere(left)?;
                self.anywhere(right)?;
            }
            Expr::Nested(e) => self.anywhere(e)?,
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                let inner = bare(expr);
                subquery(inner);
                match self.spelled(inner, true)? {
                    Some(spelled) => *e = spelled,
                    None => self.value(inner)?,
                }
            }
            e => match self.spelled(e, false)? {
                Some(spelled) => *e = spelled,
                None if matches!(e, Expr::InSubquery { .. }) => {}
                None => self.value(e)?,
            },
        }
        Ok(())
    }

    /// IN where more is made of it than whether it holds.
    fn value(&mut self, part: &mut impl VisitMut) -> Result<()> {
        outermost(part, |e| {
            subquery(e);
            if let Expr::InSubquery { expr, subquery, negated } = e
                && parts(expr).is_none()
            {
                let text = if self.grouped { GROUPED_IN } else { IN };
                let value = spelled_out(text, std::slice::from_ref(expr), subquery)?;
                *e = match negated {
                    true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(value) },
                    false => value,
                };
                self.count()?;
            }
            Ok(())
        })
    }

    fn count(&mut self) -> Result<()> {
        self.count += 1;
        match self.count > MAX_SPELLED_OUT {
            true => {
                let text = "conditions over subqueries within one another are nested too deeply";
                Err(Error::new(TOO_COMPLEX, text)
                    .hint("write NOT EXISTS (SELECT ... WHERE x = y), and what a null is to mean"))
            }
            false => Ok(()),
        }
    }

    /// A condition, or its opposite, that the planner reads right; None: that of others.
    fn spelled(&mut self, e: &Expr, not: bool) -> Result<Option<Expr>> {
        let compared = |x: &Expr, op: &BinaryOperator, right: &Expr, all: bool| {
            let Expr::Subquery(subquery) = right else { return Ok(None) };
            match comparison(op, all, not) {
                Some(text) => spelled_out(&text, std::slice::from_ref(x), subquery).map(Some),
                None => Ok(None),
            }
        };
        let row = match e {
            Expr::InSubquery { expr, .. } => parts(expr),
            _ => None,
        };
        let spelled = match e {
            Expr::InSubquery { subquery, negated, .. } if let Some(row) = row => {
                spelled_out(&among(row.len(), *negated != not), row, subquery).map(Some)
            }
            Expr::InSubquery { expr: x, subquery, negated } if *negated != not => {
                spelled_out(NOT_IN, std::slice::from_ref(x), subquery).map(Some)
            }
            Expr::AnyOp { left, compare_op, right, .. } => compared(left, compare_op, right, false),
            Expr::AllOp { left, compare_op, right } => compared(left, compare_op, right, true),
            _ => return Ok(None),
        }?;
        if spelled.is_some() {
            self.count()?;
        }
        Ok(spelled)
    }
}

/// Whether `x op` holds with all values or with any, or that it does not, by the least and the greatest of them. A null that does
/// not hold is as good as false here.
fn comparison(op: &BinaryOperator, all: bool, not: bool) -> Option<String> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    // It does not hold with all where the opposite holds with any.
    let (op, all) = match (not, op) {
        (false, op) => (op.clone(), all),
        (true, Eq) => (NotEq, !all),
        (true, NotEq) => (Eq, !all),
        (true, Lt) => (GtEq, !all),
        (true, LtEq) => (Gt, !all),
        (true, Gt) => (LtEq, !all),
        (true, GtEq) => (Lt, !all),
        _ => return None,
    };
    let of = |what: &str| format!("(SELECT {what} FROM (SELECT 1) AS dao_in (dao_value))");
    let (least, greatest) = (of("min(dao_in.dao_value)"), of("max(dao_in.dao_value)"));
    let holds = match (&op, all) {
        (Gt | GtEq, true) | (Lt | LtEq, false) => format!("dao_x {op} {greatest}"),
        (Lt | LtEq, true) | (Gt | GtEq, false) => format!("dao_x {op} {least}"),
        (Eq, true) => format!("(dao_x = {least} AND dao_x = {greatest})"),
        (NotEq, false) => format!("(dao_x <> {least} OR dao_x <> {greatest})"),
        // IN and NOT IN.
        _ => return None,
    };
    let nulls = of("count(*) - count(dao_in.dao_value)");
    Some(match all {
        true => format!("({} = 0 OR ({nulls} = 0 AND {holds}))", of("count(*)")),
        false => format!("({holds})"),
    })
}

/// Where none was spelled out: among what is selected, in the condition of a join, within another expression.
pub fn refuse(e: &Expr) -> Result<()> {
    let (Expr::AnyOp { right, .. } | Expr::AllOp { right, .. }) = e else { return Ok(()) };
    if !matches!(right.as_ref(), Expr::Subquery(_)) {
        return Ok(());
    }
    let text = "ANY and ALL of a subquery are supported as conditions of WHERE and HAVING";
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)
        .hint("compare with (SELECT max(...) ...) or (SELECT min(...) ...)"))
}

/// Without the parentheses around it.
fn bare(mut e: &mut Expr) -> &mut Expr {
    while let Expr::Nested(inner) = e {
        e = inner;
    }
    e
}

/// Whether it differs from row to row, whatever the engine finds out of it.
fn is_of_columns(e: &Expr) -> bool {
    let has = |wanted: fn(&Expr) -> bool| {
        visit_expressions(e, |e| match wanted(e) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
        .is_break()
    };
    has(|e| matches!(e, Expr::Identifier(_) | Expr::CompoundIdentifier(_)))
        && !has(|e| matches!(e, Expr::Function(_) | Expr::Case { .. }))
}

/// Whether a query tells columns by relations that are not its own.
pub fn names_outside(subquery: &Query) -> bool {
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
    visit_expressions(subquery, outside).is_break()
}

/// The expressions of a row `(x, y)`.
fn parts(e: &Expr) -> Option<&[Expr]> {
    match e {
        Expr::Nested(e) => parts(e),
        Expr::Tuple(parts) => Some(parts),
        _ => None,
    }
}

/// Whether a row of so many expressions is among those of the subquery, or surely is not: a null may be any value.
fn among(n: usize, not: bool) -> String {
    let columns: Vec<String> = (0..n).map(|i| format!("dao_value{i}")).collect();
    let same = |i: usize| {
        let (x, value) = (place(i), format!("dao_in.dao_value{i}"));
        match not {
            false => format!("{value} = {x}"),
            true => format!("({value} = {x} OR {value} IS NULL OR {x} IS NULL)"),
        }
    };
    let same: Vec<String> = (0..n).map(same).collect();
    format!(
        "({} EXISTS (SELECT 1 FROM (SELECT 1) AS dao_in ({}) WHERE {}))",
        if not { "NOT" } else { "" },
        columns.join(", "),
        same.join(" AND ")
    )
}

/// What stands for one of the expressions that are looked for.
fn place(i: usize) -> String {
    if i == 0 { "dao_x".to_owned() } else { format!("dao_x{i}") }
}

fn refuse_tied(subquery: &Query) -> Result<()> {
    if !names_outside(subquery) {
        return Ok(());
    }
    let wrong = "NOT IN, ANY, ALL and IN of rows of a subquery that names what is outside of it are not supported here";
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, wrong)
        .hint("write EXISTS or NOT EXISTS (SELECT ... WHERE x = y), and what a null is to mean"))
}

fn spelled_out(text: &str, xs: &[Expr], subquery: &Query) -> Result<Expr> {
    refuse_tied(subquery)?;
    let mut e = expression(text)?;
    // Before the subquery is in its place: that may say `dao_x` itself.
    let of = |name: &str| xs.iter().enumerate().find(|(i, _)| place(*i) == name).map(|(_, x)| x);
    let _ = visit_expressions_mut(&mut e, |e| {
        let x = match e {
            Expr::Identifier(name) => of(&name.value),
            _ => None,
        };
        if let Some(x) = x {
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
