//! Subqueries that aggregate without GROUP BY: they have one row, whatever there is. The engine, where it joins them with the outer
//! rows, has none for those that nothing meets; so EXISTS and IN of them are said otherwise, and HAVING is a value or null.

use super::grouped::{has_keys, selected};
use super::quantified::names_outside;
use super::scalar::is_aggregate;
use super::syntax::outermost;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Query, Select, SelectItem, SetExpr, Value,
    helpers::attached_token::AttachedToken,
};

pub fn reread(e: &mut Expr) {
    let other = match e {
        Expr::Exists { subquery, negated } => exists(subquery, *negated),
        Expr::InSubquery { expr, subquery, negated } => among(expr, subquery, *negated),
        Expr::Subquery(query) => {
            having(query);
            None
        }
        _ => None,
    };
    if let Some(other) = other {
        *e = other;
    }
}

/// Whether a query has one row, whatever there is.
pub fn has_one_row(query: &Query) -> bool {
    select_of(&mut query.clone()).is_some_and(|select| select.having.is_none())
}

/// The SELECT of a query that aggregates all of its rows into one.
fn select_of(query: &mut Query) -> Option<&mut Select> {
    let whole = query.limit_clause.is_none() && query.fetch.is_none();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let grouped = has_keys(select);
    let all = select.projection.iter().all(|item| selected(item).is_some());
    let mut said = select.projection.iter().filter_map(selected).chain(&select.having);
    let aggregates = said.any(aggregates);
    (whole && all && aggregates && !grouped && select.distinct.is_none()).then_some(select)
}

/// Whether it has an aggregate: none of a window, nor one of a subquery's own.
pub fn aggregates(e: &Expr) -> bool {
    let mut found = false;
    // Nothing is changed, and nothing fails.
    let _ = outermost(&mut e.clone(), |e| {
        found |= matches!(e, Expr::Function(f) if f.over.is_none() && is_aggregate(f));
        Ok(())
    });
    found
}

fn exists(subquery: &mut Box<Query>, negated: bool) -> Option<Expr> {
    let select = select_of(subquery)?;
    let Some(having) = select.having.take() else {
        return Some(Expr::value(Value::Boolean(!negated)));
    };
    select.projection = vec![SelectItem::UnnamedExpr(having)];
    let holds = Box::new(Expr::Subquery(subquery.clone()));
    Some(if negated { Expr::IsNotTrue(holds) } else { Expr::IsTrue(holds) })
}

fn among(x: &mut Box<Expr>, subquery: &mut Box<Query>, negated: bool) -> Option<Expr> {
    let ties = names_outside(subquery);
    let select = select_of(subquery)?;
    if !ties || select.having.is_some() || select.projection.len() != 1 {
        return None;
    }
    let nested = |e| Box::new(Expr::Nested(e));
    let op = if negated { BinaryOperator::NotEq } else { BinaryOperator::Eq };
    let right = Box::new(Expr::Subquery(subquery.clone()));
    Some(Expr::Nested(Box::new(Expr::BinaryOp { left: nested(x.clone()), op, right })))
}

fn having(query: &mut Query) {
    let Some(select) = select_of(query) else { return };
    let [SelectItem::UnnamedExpr(x) | SelectItem::ExprWithAlias { expr: x, .. }] =
        select.projection.as_mut_slice()
    else {
        return;
    };
    let Some(condition) = select.having.take() else { return };
    *x = Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: x.clone() }],
        else_result: None,
    };
}
