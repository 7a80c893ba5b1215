//! Names of output columns as Postgres gives them: `count` for `count(*)`, `?column?` for what has no name of its own.
//!
//! DataFusion wants the names within one list to differ. A name that comes again gets a mark and a number, which
//! [`shown`] takes off the result.

use super::names::fold;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, Value, VisitMut,
    VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

const MARK: char = '\u{2}';
const OUT: &str = "out";
const NO_NAME: &str = "?column?";

/// Names every column that the statement's queries leave without a name.
pub fn name_as_postgres(statement: &mut Statement) {
    if let Statement::Query(query) = statement {
        name_unseen(&mut query.body);
    }
    let _ = statement.visit(&mut Names);
}

/// Nothing refers to the names of these.
fn name_unseen(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => name_all(select, true),
        SetExpr::Query(query) => name_unseen(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            name_unseen(left);
            name_unseen(right);
        }
        _ => {}
    }
}

struct Names;

impl VisitorMut for Names {
    type Break = ();
    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        name_all(select, false);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        if let Expr::InSubquery { subquery, .. } = e {
            name_unseen(&mut subquery.body);
        }
        ControlFlow::Continue(())
    }
}

/// `outermost`: names given twice by the user stay apart too, as nothing can refer to them. Elsewhere nothing can refer to
/// either of two columns of one name.
fn name_all(select: &mut Select, outermost: bool) {
    let mut taken = if outermost { HashSet::new() } else { given_twice(select) };
    let wildcard = outermost && select.projection.iter().any(is_wildcard);
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(e) => {
                let name = name_of(e).unwrap_or_else(|| NO_NAME.to_owned());
                let column = matches!(e, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let free = taken.insert(name.clone());
                if column && free && !wildcard {
                    continue;
                }
                let alias = if free && !wildcard { name } else { another(&name, &mut taken) };
                let expr = std::mem::replace(e, Expr::value(Value::Null));
                *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', alias) };
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                let name = fold(alias);
                if !taken.insert(name.clone()) {
                    *alias = Ident::with_quote('"', another(&name, &mut taken));
                }
            }
            _ => {}
        }
    }
}

/// The names of columns that a SELECT lists more than once, by names that the user gave.
fn given_twice(select: &Select) -> HashSet<String> {
    let mut once = HashSet::new();
    let names = select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(e @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_))) => {
            name_of(e)
        }
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        _ => None,
    });
    names.filter(|name| !once.insert(name.clone())).collect()
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

fn another(name: &str, taken: &mut HashSet<String>) -> String {
    let mut n = 1;
    loop {
        let marked = format!("{name}{MARK}{n}");
        if taken.insert(marked.clone()) {
            return marked;
        }
        n += 1;
    }
}

/// As Postgres's FigureColname.
fn name_of(e: &Expr) -> Option<String> {
    let fixed = |name: &str| Some(name.to_owned());
    match e {
        Expr::Identifier(i) => Some(fold(i)),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold),
        Expr::Function(f) => f.name.0.last().and_then(|p| p.as_ident()).map(fold),
        Expr::Nested(e) | Expr::Collate { expr: e, .. } => name_of(e),
        Expr::CompoundFieldAccess { root, .. } => name_of(root),
        // The outermost type names a cast of a cast.
        Expr::Cast { expr, data_type, .. } => match expr.as_ref() {
            Expr::Cast { expr: inner, .. } if name_of(inner).is_none() => None,
            Expr::Cast { expr: inner, .. } => name_of(inner),
            e => name_of(e),
        }
        .or_else(|| Some(type_name(data_type))),
        Expr::TypedString(t) => Some(type_name(&t.data_type)),
        Expr::Interval(_) => fixed("interval"),
        Expr::Case { else_result, .. } => {
            else_result.as_deref().and_then(name_of).or_else(|| fixed("case"))
        }
        Expr::Exists { .. } => fixed("exists"),
        Expr::Array(_) => fixed("array"),
        Expr::Extract { .. } => fixed("extract"),
        Expr::Ceil { .. } => fixed("ceil"),
        Expr::Floor { .. } => fixed("floor"),
        Expr::Position { .. } => fixed("position"),
        Expr::Substring { .. } => fixed("substring"),
        Expr::Trim { .. } => fixed("btrim"),
        Expr::Overlay { .. } => fixed("overlay"),
        Expr::AtTimeZone { .. } => fixed("timezone"),
        Expr::Value(v) => matches!(v.value, Value::Boolean(_)).then(|| "bool".to_owned()),
        Expr::Subquery(query) => first_name(query),
        _ => None,
    }
}

fn first_name(query: &Query) -> Option<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    match select.projection.first()? {
        SelectItem::UnnamedExpr(e) => name_of(e),
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        _ => None,
    }
}

/// Postgres's own name of a type.
fn type_name(ty: &DataType) -> String {
    let name = match ty {
        DataType::Int(_) | DataType::Integer(_) => "int4",
        DataType::SmallInt(_) => "int2",
        DataType::BigInt(_) => "int8",
        DataType::Boolean | DataType::Bool => "bool",
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float(_) => "float8",
        DataType::Real => "float4",
        DataType::Varchar(_) | DataType::CharacterVarying(_) => "varchar",
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::Decimal(_) | DataType::Dec(_) | DataType::Numeric(_) => "numeric",
        DataType::Custom(name, _) => {
            let last = name.0.last().and_then(|p| p.as_ident());
            return last.map_or_else(|| NO_NAME.to_owned(), fold);
        }
        other => {
            let text = other.to_string().to_ascii_lowercase();
            let word = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
            return match (word, text.contains("with time zone")) {
                (Some("timestamp"), true) => "timestamptz".to_owned(),
                (word, _) => word.unwrap_or(NO_NAME).to_owned(),
            };
        }
    };
    name.to_owned()
}

/// What an output column is called where expressions of its SELECT mean another column by its name.
pub fn told_apart(name: &Ident) -> Ident {
    Ident::with_quote('"', format!("{}{MARK}{OUT}", fold(name)))
}

/// The name of an output column that was told apart so.
pub fn of_output(name: &str) -> Option<&str> {
    name.split_once(MARK).filter(|(_, mark)| *mark == OUT).map(|(name, _)| name)
}

/// The name that the user gave to a column that has a mark.
pub fn unmarked(name: &str) -> Option<&str> {
    name.split_once(MARK).map(|(name, _)| name)
}

/// The result's schema without marks; None: there are none.
pub fn shown(schema: &SchemaRef) -> Option<SchemaRef> {
    if !schema.fields().iter().any(|f| unmarked(f.name()).is_some()) {
        return None;
    }
    let fields = schema.fields().iter().map(|f| match unmarked(f.name()) {
        Some(name) => Arc::new(Field::clone(f).with_name(name)),
        None => Arc::clone(f),
    });
    Some(Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())))
}

#[cfg(test)]
mod tests {
    use super::super::parse::shown_after;
    use super::*;

    fn check(sql: &str, expect: &str) {
        assert_eq!(shown_after(sql, name_as_postgres).replace(MARK, "#"), expect);
    }

    #[test]
    fn names() {
        check("SELECT 1, 2", r#"SELECT 1 AS "?column?", 2 AS "?column?#1""#);
        check("SELECT a, b.C FROM b", "SELECT a, b.C FROM b");
        check("SELECT count(*) FROM t", r#"SELECT count(*) AS "count" FROM t"#);
        check("SELECT a::text, '1'::int", r#"SELECT a::TEXT AS "a", '1'::INT AS "int4""#);
        check(
            "SELECT 'a'::regclass::text, NULL::pg_catalog.text",
            r#"SELECT 'a'::REGCLASS::TEXT AS "text", NULL::pg_catalog.text AS "text#1""#,
        );
        check("SELECT a, a", r#"SELECT a, a AS "a#1""#);
        check(
            "SELECT a UNION SELECT 1, 1",
            r#"SELECT a UNION SELECT 1 AS "?column?", 1 AS "?column?#1""#,
        );
        check(
            "SELECT * FROM (SELECT a, b, t.a, max(a) FROM t)",
            r#"SELECT * FROM (SELECT a AS "a#1", b, t.a AS "a#2", max(a) AS "max" FROM t)"#,
        );
        check("SELECT *, a FROM t", r#"SELECT *, a AS "a#1" FROM t"#);
        check("SELECT 1 AS x, 2 AS x", r#"SELECT 1 AS x, 2 AS "x#1""#);
        check(
            "SELECT x FROM (SELECT max(y), 1 AS x FROM t) s",
            r#"SELECT x FROM (SELECT max(y) AS "max", 1 AS x FROM t) s"#,
        );
        check("SELECT CASE WHEN a THEN 1 END", r#"SELECT CASE WHEN a THEN 1 END AS "case""#);
        check(
            "SELECT (SELECT max(a) FROM t)",
            r#"SELECT (SELECT max(a) AS "max" FROM t) AS "max""#,
        );
    }
}
