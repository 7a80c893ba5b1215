//! Functions that return sets, in FROM and in a select list.

use super::super::callable;
use super::super::function::{EXPAND_ARRAY, SUBSCRIPTS};
use super::build::{call, called, select_one, system_name, take};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Select, SelectItem,
    TableAlias, TableAliasColumnDef, TableFactor, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Set-returning functions of one unnamed column; the alias of the relation names that column too.
const OF_ONE_COLUMN: [&str; 3] = ["unnest", "generate_series", "generate_subscripts"];

/// Functions that return what a relation shows.
const AS_RELATIONS: [(&str, &str); 4] = [
    ("pg_lock_status", "pg_locks"),
    ("pg_show_all_settings", "pg_settings"),
    ("pg_timezone_abbrevs", "pg_timezone_abbrevs"),
    ("pg_timezone_names", "pg_timezone_names"),
];

/// `pg_catalog.unnest(a) x` is `UNNEST(a) AS x(x)`.
pub fn rewrite(factor: &mut TableFactor) {
    if let TableFactor::UNNEST { alias, .. } = factor {
        name_column(alias, "unnest");
        return;
    }
    let TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } = factor else {
        return;
    };
    let Some(function) = system_name(name) else { return };
    if let Some((_, relation)) = AS_RELATIONS.iter().find(|(f, _)| *f == function) {
        *name = ObjectName::from(vec![Ident::new("pg_catalog"), Ident::new(*relation)]);
        if let TableFactor::Table { args, .. } = factor {
            *args = None;
        }
        return;
    }
    if is_scalar(&function) && !*with_ordinality {
        let column = alias.get_or_insert_with(|| named(&function)).name.clone();
        let given: Option<Vec<Expr>> = args.args.iter().map(plain_argument).collect();
        let query = given.and_then(|args| select_one(call(&function, args), column));
        if let Some(subquery) = query {
            *factor = TableFactor::Derived {
                lateral: false,
                subquery,
                alias: alias.take(),
                sample: None,
            };
        }
        return;
    }
    if OF_ONE_COLUMN.contains(&function.as_str()) && !*with_ordinality {
        name_column(alias, &function);
    }
    *name = ObjectName::from(vec![Ident::new(&function)]);
    if function == "generate_series" {
        // A series without a bound has no rows.
        args.args
            .iter_mut()
            .zip([i64::MAX, -i64::MAX])
            .for_each(|(arg, none)| as_bigint(arg, none));
    }
    let arrays: Option<Vec<Expr>> = args.args.iter().map(plain_argument).collect();
    let (Some(arrays), false) = (arrays, *with_ordinality) else { return };
    let array_exprs = match function.as_str() {
        "unnest" => arrays,
        "generate_subscripts" => vec![call(SUBSCRIPTS, arrays)],
        _ => return,
    };
    *factor = TableFactor::UNNEST {
        alias: alias.take(),
        array_exprs,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    };
}

/// The engine's generate_series takes bigints only; bounds of arrays are narrower, and null for an empty one.
fn as_bigint(arg: &mut FunctionArg, none: i64) {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = arg else { return };
    let bound = called(e).is_some_and(|(name, _)| {
        matches!(name.as_str(), "array_upper" | "array_lower" | "array_length" | "cardinality")
    });
    if bound {
        let bigint = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(take(e)),
            data_type: DataType::BigInt(None),
            array: false,
            format: None,
        };
        *e = call("coalesce", vec![bigint, Expr::value(Value::Number(none.to_string(), false))]);
    }
}

fn plain_argument(arg: &FunctionArg) -> Option<Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
        _ => None,
    }
}

fn named(function: &str) -> TableAlias {
    TableAlias { explicit: true, name: Ident::new(function), columns: Vec::new(), at: None }
}

/// A function of one value; as a relation it has one row.
fn is_scalar(function: &str) -> bool {
    !OF_ONE_COLUMN.contains(&function)
        && callable::all().iter().any(|f| f.name == function && f.kind == "f" && !f.returns_set)
}

fn name_column(alias: &mut Option<TableAlias>, function: &str) {
    let alias = alias.get_or_insert_with(|| named(function));
    alias.explicit = true;
    if alias.columns.is_empty() {
        let column = TableAliasColumnDef { name: alias.name.clone(), data_type: None };
        alias.columns.push(column);
    }
}

/// In a select list `generate_subscripts(a, 1)` is `unnest(pg_subscripts(a, 1))`.
pub fn unnest_projection(select: &mut Select) {
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }) = item else {
            continue;
        };
        let _ = e.visit(&mut Sets { queries: 0, unnested: 0 });
    }
}

struct Sets {
    /// How deep within subqueries; those were walked before.
    queries: usize,
    unnested: usize,
}

impl VisitorMut for Sets {
    type Break = ();

    fn pre_visit_query(
        &mut self,
        _: &mut datafusion::sql::sqlparser::ast::Query,
    ) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }
    fn post_visit_query(
        &mut self,
        _: &mut datafusion::sql::sqlparser::ast::Query,
    ) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }
    fn pre_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        if called(e).is_some_and(|(name, _)| name == "unnest") {
            self.unnested += 1;
        }
        ControlFlow::Continue(())
    }
    fn post_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        let Some((name, args)) = called(e) else { return ControlFlow::Continue(()) };
        if name == "unnest" {
            self.unnested = self.unnested.saturating_sub(1);
        }
        if self.queries > 0 || self.unnested > 0 {
            return ControlFlow::Continue(());
        }
        let args: Option<Vec<Expr>> = args.iter().map(plain_argument).collect();
        let list = match (name.as_str(), args) {
            ("generate_subscripts", Some(args)) => call(SUBSCRIPTS, args),
            ("generate_series" | EXPAND_ARRAY, Some(_)) => take(e),
            _ => return ControlFlow::Continue(()),
        };
        *e = call("unnest", vec![list]);
        ControlFlow::Continue(())
    }
}
