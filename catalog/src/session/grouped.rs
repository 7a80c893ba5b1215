//! Casts beside what they cast: the planner calls both by one name, and wants names of what is grouped by to differ.
//! `SELECT DISTINCT f(x) ... ORDER BY f(x)`, whose order it does not find among what is selected.

use super::names::fold;
use super::syntax::{call, number, outermost};
use crate::error::Result;
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
};

/// Of the order of a query, before its SELECT is changed.
pub fn reread_order(query: &mut Query) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    let Some(OrderByKind::Expressions(by)) = query.order_by.as_mut().map(|o| &mut o.kind) else {
        return Ok(());
    };
    if matches!(select.distinct, Some(Distinct::Distinct)) {
        let plain = select.projection.iter().all(|item| selected(item).is_some());
        for by in by.iter_mut().filter(|_| plain) {
            let place = select.projection.iter().position(|item| selected(item) == Some(&by.expr));
            let named = matches!(
                by.expr,
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
            );
            if let (Some(place), false) = (place, named) {
                by.expr = number(&(place + 1).to_string());
            }
        }
    }
    // A key that was said before orders nothing.
    each_once(by, |by| at_place(&by.expr, &select.projection).unwrap_or(&by.expr).clone());
    let casts = casts(select);
    by.iter_mut().try_for_each(|by| outermost(&mut by.expr, |e| told_apart(e, &casts)))
}

pub fn reread(select: &mut Select) -> Result<()> {
    if let Some(Distinct::On(by)) = &mut select.distinct {
        each_once(by, Expr::clone);
    }
    placed(select);
    let casts = casts(select);
    outermost(&mut select.projection, |e| told_apart(e, &casts))?;
    outermost(&mut select.having, |e| told_apart(e, &casts))?;
    match &mut select.group_by {
        GroupByExpr::Expressions(by, _) => outermost(by, |e| told_apart(e, &casts)),
        GroupByExpr::All(_) => Ok(()),
    }
}

fn each_once<T>(keys: &mut Vec<T>, of: impl Fn(&T) -> Expr) {
    let mut said: Vec<Expr> = Vec::with_capacity(keys.len());
    keys.retain(|key| {
        let key = of(key);
        let first = !said.contains(&key);
        if first {
            said.push(key);
        }
        first
    });
}

/// A place among what is selected, within ROLLUP, CUBE or GROUPING SETS.
fn placed(select: &mut Select) {
    let Select { group_by, projection, .. } = select;
    let GroupByExpr::Expressions(by, _) = group_by else { return };
    for e in by {
        let (Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets)) = e else {
            continue;
        };
        for e in sets.iter_mut().flatten() {
            if let Some(meant) = at_place(e, projection) {
                *e = meant.clone();
            }
        }
    }
}

/// What a number means among what is selected.
fn at_place<'a>(e: &Expr, projection: &'a [SelectItem]) -> Option<&'a Expr> {
    let Expr::Value(place) = e else { return None };
    let place: usize = place.value.to_string().parse().ok()?;
    projection.get(place.checked_sub(1)?).and_then(selected)
}

/// Whether a SELECT says what its rows are grouped by.
pub fn has_keys(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
}

/// The expression of an item, but of a wildcard.
pub fn selected(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => Some(e),
        _ => None,
    }
}

/// The casts that are grouped by beside what they cast, also by a place or a name among what is selected.
fn casts(select: &Select) -> Vec<Expr> {
    let GroupByExpr::Expressions(by, _) = &select.group_by else { return vec![] };
    let meant = |e: &Expr| -> Option<Expr> {
        let found = match e {
            Expr::Value(_) => at_place(e, &select.projection)?,
            Expr::Identifier(name) => {
                let named = select.projection.iter().find_map(|item| match item {
                    SelectItem::ExprWithAlias { expr, alias } if fold(alias) == fold(name) => {
                        Some(expr)
                    }
                    _ => None,
                });
                named.unwrap_or(e)
            }
            e => e,
        };
        Some(found.clone())
    };
    let all: Vec<Expr> = by.iter().filter_map(meant).collect();
    let named_twice = |e: &&Expr| all.iter().filter(|other| bare(other) == bare(e)).count() > 1;
    all.iter().filter(|e| is_cast(e)).filter(named_twice).cloned().collect()
}

/// Without its casts, as the planner names it.
fn bare(e: &Expr) -> &Expr {
    match e {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => bare(expr),
        e => e,
    }
}

fn is_cast(e: &Expr) -> bool {
    matches!(e, Expr::Cast { .. })
}

/// `coalesce(x::text)` is `x::text`, and has a name of its own.
fn told_apart(e: &mut Expr, casts: &[Expr]) -> Result<()> {
    if casts.contains(e) {
        let cast = std::mem::replace(e, Expr::value(Value::Null));
        *e = call("coalesce", vec![cast]);
    }
    Ok(())
}
