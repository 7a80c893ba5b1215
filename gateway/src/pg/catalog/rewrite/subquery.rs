//! Correlated subqueries over system relations become calls of `pg_subquery`.
//!
//! EXISTS and IN in a WHERE clause are left to DataFusion, which makes joins of them; so is all that reads the user's tables.

use super::super::function::{ARRAY, EXISTS, SCALAR, SUBQUERY, argument_name};
use super::build::{call, fold, system_name, take, text};
use super::scope::{Scope, relation};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArguments, ObjectName, Query, Select, SelectItem, Visit, VisitMut, Visitor,
    VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Innermost first, so that a subquery's own subqueries name only its columns.
pub struct Subqueries;

impl VisitorMut for Subqueries {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let made = match expr {
            Expr::Subquery(query) => called(SCALAR, query),
            Expr::Function(f) if system_name(&f.name).as_deref() == Some("array") => {
                match &mut f.args {
                    FunctionArguments::Subquery(query) => called(ARRAY, query),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(made) = made {
            *expr = made;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } = item {
                let _ = e.visit(&mut ShownExists);
            }
        }
        ControlFlow::Continue(())
    }
}

/// EXISTS as a value, for which there is no join.
struct ShownExists;

impl VisitorMut for ShownExists {
    type Break = ();
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Exists { subquery, negated } = expr
            && let Some(made) = called(EXISTS, subquery)
        {
            let not = datafusion::sql::sqlparser::ast::UnaryOperator::Not;
            *expr = if *negated { Expr::UnaryOp { op: not, expr: Box::new(made) } } else { made };
        }
        ControlFlow::Continue(())
    }
}

/// The call that stands for the subquery; None: it can stay.
fn called(kind: &str, query: &mut Box<Query>) -> Option<Expr> {
    if !reads_system_only(query) {
        return None;
    }
    let mut inner = query.clone();
    let mut outer = Outer::default();
    let _ = VisitMut::visit(inner.as_mut(), &mut outer);
    // An array is no join even where it names nothing outside.
    if outer.references.is_empty() && kind != ARRAY {
        return None;
    }
    let mut args = vec![text(kind), text(inner.to_string())];
    args.append(&mut outer.references);
    Some(call(SUBQUERY, args))
}

fn reads_system_only(query: &Query) -> bool {
    /// With the names of the query's own common table expressions.
    struct Relations(HashSet<String>);
    impl Visitor for Relations {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let own = query.with.iter().flat_map(|w| &w.cte_tables);
            self.0.extend(own.map(|c| fold(&c.alias.name)));
            ControlFlow::Continue(())
        }
        fn pre_visit_table_factor(
            &mut self,
            factor: &datafusion::sql::sqlparser::ast::TableFactor,
        ) -> ControlFlow<()> {
            use datafusion::sql::sqlparser::ast::TableFactor as T;
            match factor {
                T::Table { name, args: None, version: None, .. }
                    if relation(name).is_some() || self.is_own(name) => {}
                T::Table { args: Some(_), .. } => {}
                T::Derived { .. } | T::NestedJoin { .. } | T::UNNEST { .. } => {}
                _ => return ControlFlow::Break(()),
            }
            ControlFlow::Continue(())
        }
    }
    impl Relations {
        fn is_own(&self, name: &ObjectName) -> bool {
            system_name(name).is_some_and(|name| self.0.contains(&name))
        }
    }
    query.visit(&mut Relations(HashSet::new())).is_continue()
}

/// Finds references to outer columns and puts `pg_arg_i()` in their places.
#[derive(Default)]
struct Outer {
    scopes: Vec<Scope>,
    references: Vec<Expr>,
}

impl VisitorMut for Outer {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.scopes.push(Scope::of_query(query));
        ControlFlow::Continue(())
    }
    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }
    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.scopes.push(Scope::of_select(select));
        ControlFlow::Continue(())
    }
    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
        if column && !self.scopes.iter().any(|s| s.has(expr)) {
            let known = self.references.iter().position(|r| r == expr);
            let i = known.unwrap_or(self.references.len());
            let reference = take(expr);
            if known.is_none() {
                self.references.push(reference);
            }
            *expr = call(&argument_name(i), Vec::new());
        }
        ControlFlow::Continue(())
    }
}
