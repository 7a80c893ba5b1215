//! Pieces of syntax trees.

pub use daodb_catalog::session::syntax::call;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArguments, Ident, ObjectName, Query, SelectItem, SetExpr, Statement,
    Value,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// `(SELECT value AS column)`.
pub fn select_one(value: Expr, column: Ident) -> Option<Box<Query>> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, "SELECT NULL").ok()?;
    let Some(Statement::Query(mut query)) = statements.into_iter().next() else { return None };
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![SelectItem::ExprWithAlias { expr: value, alias: column }];
    }
    Some(query)
}

pub fn text(value: impl Into<String>) -> Expr {
    Expr::value(Value::SingleQuotedString(value.into()))
}

pub fn null() -> Expr {
    Expr::value(Value::Null)
}

/// Takes an expression out of its place.
pub fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, null())
}

/// Unquoted names fold to lower case.
pub fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

/// The last part of a name, where what is before it is one of the system's schemas or nothing.
pub fn system_name(name: &ObjectName) -> Option<String> {
    let parts: Option<Vec<String>> = name.0.iter().map(|p| p.as_ident().map(fold)).collect();
    match parts?.as_slice() {
        [name] => Some(name.clone()),
        [schema, name] if schema == "pg_catalog" || schema == "information_schema" => {
            Some(name.clone())
        }
        _ => None,
    }
}

/// The name of a call without a FILTER, OVER and the like, and its arguments.
pub fn called(expr: &Expr) -> Option<(String, &[FunctionArg])> {
    let Expr::Function(f) = expr else { return None };
    let FunctionArguments::List(list) = &f.args else { return None };
    if f.over.is_some() || f.filter.is_some() {
        return None;
    }
    Some((system_name(&f.name)?, &list.args))
}

/// The text of a literal.
pub fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(s) | Value::EscapedStringLiteral(s) => Some(s),
            _ => None,
        },
        _ => None,
    }
}
