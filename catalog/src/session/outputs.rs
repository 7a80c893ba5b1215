//! Which column a name means in ORDER BY and HAVING. In Postgres a name that stands alone in ORDER BY is an output column's;
//! within an expression there, and in HAVING, it is a column of the relations. The planner looks among the output columns in
//! each of these places, so an output column whose name an expression has is given another one.

use super::columns::told_apart;
use super::names::fold;
use super::syntax::{continued, query};
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Ident, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, VisitMut, VisitorMut, visit_expressions,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Of all queries of a statement. `is_seen`: the outermost one's columns are seen by the client alone, who is not shown the
/// names that they get here.
pub fn reread(statement: &mut Statement, is_seen: bool) -> Result<()> {
    if let (Statement::Query(query), true) = (&mut *statement, is_seen) {
        let meant = meant_in(query);
        rename(query, &meant);
    }
    match statement.visit(&mut Inner) {
        ControlFlow::Break(e) => Err(e),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Inner;

impl VisitorMut for Inner {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if let SetExpr::SetOperation { .. } = query.body.as_ref() {
            return continued(branches(&mut query.body));
        }
        continued(named_within(query))
    }
}

/// A branch has no order of its own, and the query around it is ordered by the first one's names.
fn branches(body: &mut SetExpr) -> Result<()> {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            branches(left)?;
            branches(right)
        }
        SetExpr::Select(select) if !meant(select, &[]).is_empty() => {
            let mut alone = query("SELECT 1")?;
            std::mem::swap(alone.body.as_mut(), body);
            named_within(&mut alone)?;
            *body = SetExpr::Query(Box::new(alone));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A query whose columns are called as before, around the one that calls them otherwise.
fn named_within(inner: &mut Query) -> Result<()> {
    let meant = meant_in(inner);
    let SetExpr::Select(select) = inner.body.as_ref() else { return Ok(()) };
    if meant.is_empty() {
        return Ok(());
    }
    let names: Option<Vec<Ident>> = select.projection.iter().map(name).collect();
    // Columns of a wildcard have no names yet.
    let Some(before) = names else { return Ok(()) };
    rename(inner, &meant);
    let mut outer = query("SELECT 1 FROM (SELECT 1) AS renamed")?;
    let SetExpr::Select(around) = outer.body.as_mut() else { return Err(misbuilt()) };
    let [from] = around.from.as_mut_slice() else { return Err(misbuilt()) };
    let TableFactor::Derived { subquery, .. } = &mut from.relation else { return Err(misbuilt()) };
    let SetExpr::Select(select) = inner.body.as_ref() else { return Err(misbuilt()) };
    let columns = select.projection.iter().filter_map(name).zip(before);
    around.projection = columns
        .map(|(column, alias)| SelectItem::ExprWithAlias { expr: Expr::Identifier(column), alias })
        .collect();
    std::mem::swap(subquery.as_mut(), inner);
    *inner = outer;
    Ok(())
}

fn misbuilt() -> Error {
    Error::new(SqlState::INTERNAL, "a query around another one is none")
}

/// The name of an output column, quoted where it has to be.
fn name(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        _ => None,
    }
}

/// Gives the output columns of a SELECT that have these names names of their own, where the names stand alone, too.
fn rename(query: &mut Query, meant: &BTreeSet<String>) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let by = match query.order_by.as_mut().map(|order| &mut order.kind) {
        Some(OrderByKind::Expressions(by)) => by.as_mut_slice(),
        _ => &mut [],
    };
    for item in &mut select.projection {
        if let SelectItem::ExprWithAlias { alias, .. } = item
            && meant.contains(&fold(alias))
        {
            *alias = told_apart(alias);
        }
    }
    let alone = |e: &mut Expr| {
        if let Some(name) = bare(e).filter(|name| meant.contains(&fold(name))) {
            *e = Expr::Identifier(told_apart(name));
        }
    };
    by.iter_mut().for_each(|by| alone(&mut by.expr));
    if let Some(Distinct::On(by)) = &mut select.distinct {
        by.iter_mut().for_each(alone);
    }
}

/// The same of a query with its order; none where it is not a SELECT.
fn meant_in(query: &Query) -> BTreeSet<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return BTreeSet::new() };
    match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(by)) => meant(select, by),
        _ => meant(select, &[]),
    }
}

/// The names of output columns that HAVING, or an expression in ORDER BY, has for another column.
fn meant(select: &Select, by: &[OrderByExpr]) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    let mut within = |e: &Expr| {
        let _ = visit_expressions(e, |e| {
            columns.extend(column(e));
            ControlFlow::<()>::Continue(())
        });
    };
    select.having.iter().for_each(&mut within);
    by.iter().map(|by| &by.expr).filter(|e| bare(e).is_none()).for_each(&mut within);
    let output = |item: &SelectItem| {
        let SelectItem::ExprWithAlias { expr, alias } = item else { return None };
        let name = fold(alias);
        let shows = column(expr);
        let is_shown = |c: &&Vec<String>| shows.as_ref().is_some_and(|shows| may_be_same(shows, c));
        let mut of_name = columns.iter().filter(|c| c.last() == Some(&name));
        of_name.any(|c| !is_shown(&c)).then_some(name)
    };
    select.projection.iter().filter_map(output).collect()
}

/// The parts of a column's name.
fn column(e: &Expr) -> Option<Vec<String>> {
    match e {
        Expr::Identifier(name) => Some(vec![fold(name)]),
        Expr::CompoundIdentifier(parts) => Some(parts.iter().map(fold).collect()),
        _ => None,
    }
}

/// Whether one of two names of columns is the other's end.
fn may_be_same(x: &[String], y: &[String]) -> bool {
    x.ends_with(y) || y.ends_with(x)
}

/// The name that an expression is, and no more.
fn bare(e: &Expr) -> Option<&Ident> {
    match e {
        Expr::Nested(e) => bare(e),
        Expr::Identifier(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::parse::shown_after;
    use super::*;

    fn check(sql: &str, expect: &str) {
        let shown = shown_after(sql, |statement| reread(statement, true).unwrap());
        assert_eq!(shown.replace('\u{2}', "#"), expect);
    }

    #[test]
    fn names_in_expressions_are_columns_of_relations() {
        for same in [
            "SELECT max(a) AS b FROM t ORDER BY b, max(a)",
            "SELECT a AS a FROM t GROUP BY a HAVING a > 1 ORDER BY a + 1",
            "SELECT -a AS a FROM t GROUP BY a ORDER BY a",
            "SELECT -a AS a FROM t UNION SELECT 1 ORDER BY a",
            "SELECT t.a AS a FROM t GROUP BY t.a ORDER BY t.a, a + 1",
        ] {
            check(same, same);
        }
        check(
            "SELECT max(a) AS a FROM t ORDER BY max(a), a, (a)",
            r#"SELECT max(a) AS "a#out" FROM t ORDER BY max(a), "a#out", "a#out""#,
        );
        check(
            "SELECT t.a + 1 AS a, u.b AS b FROM t, u ORDER BY t.a, t.b",
            r#"SELECT t.a + 1 AS "a#out", u.b AS "b#out" FROM t, u ORDER BY t.a, t.b"#,
        );
        check(
            "SELECT DISTINCT ON (a) -a AS A FROM t ORDER BY a, a + 1",
            r#"SELECT DISTINCT ON ("a#out") -a AS "a#out" FROM t ORDER BY "a#out", a + 1"#,
        );
        check(
            "SELECT b FROM (SELECT max(a) AS a, b FROM t GROUP BY b HAVING max(a) > 1)",
            r#"SELECT b FROM (SELECT "a#out" AS a, b AS b FROM (SELECT max(a) AS "a#out", b FROM t GROUP BY b HAVING max(a) > 1) AS renamed)"#,
        );
        check(
            "SELECT max(a) AS a FROM t HAVING max(a) > 1 UNION SELECT 1",
            r#"(SELECT "a#out" AS a FROM (SELECT max(a) AS "a#out" FROM t HAVING max(a) > 1) AS renamed) UNION SELECT 1"#,
        );
    }
}
