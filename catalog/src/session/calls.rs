//! Functions in FROM that a front end answers: their arguments are worked out here, before anything is planned.

use super::SessionInfo;
use super::errors;
use super::plan::{self, Scope};
use super::references::Called;
use super::relations::At;
use crate::error::{Error, Result, SqlState};
use daodb_storage::Snapshot;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::{self, Spanned};
use std::sync::Arc;

/// A call in FROM: `datalog('[:find ?name ...]', $1)`.
pub struct TableCall<'a> {
    pub name: &'a str,
    pub arguments: &'a [Argument],
    pub info: &'a SessionInfo,
    /// What the statement's tables are read from, with the session's `daodb.since` and `daodb.history`.
    pub snapshot: &'a Snapshot,
    /// The moment of the statement, or of the view that the call stands in, alone: no call reads what is later.
    pub moment: &'a Snapshot,
}

#[derive(Debug, Clone)]
pub struct Argument {
    pub data_type: DataType,
    /// None: that of a parameter, in a statement that is only described.
    pub value: Option<ScalarValue>,
    /// It depends on a parameter: described, the statement knows its type alone.
    pub parameter: bool,
}

/// What the call gives. An error's position counts in the text of the first argument.
pub async fn table(
    scope: &Scope<'_>,
    at: &At,
    called: &Called,
    text: &str,
) -> Result<Arc<dyn TableProvider>> {
    let placed = |e: Error| placed(e, called, text);
    let mut arguments = Vec::with_capacity(called.arguments.len());
    for (i, e) in called.arguments.iter().enumerate() {
        let argument = argument(scope, e).map_err(|e| not_constant(&called.name, i, e));
        let start = e.span().start;
        arguments.push(argument.map_err(|e| {
            match errors::position(text, start.line, start.column) {
                Some(position) => e.at(position),
                None => placed(e),
            }
        })?);
    }
    let snapshot = if scope.history { at.rows.history() } else { at.rows.clone() };
    let (name, info) = (called.name.as_str(), scope.info);
    let moment = &at.schema;
    let call = TableCall { name, arguments: &arguments, info, snapshot: &snapshot, moment };
    scope.extension.call(&call).await.map_err(placed)
}

fn argument(scope: &Scope<'_>, e: &ast::Expr) -> Result<Argument> {
    let expr = plan::expression(scope, e)?;
    let parameter = expr.exists(|e| Ok(matches!(e, Expr::Placeholder(_))))?;
    let planned = match expr.get_type(&DFSchema::empty()) {
        // As for other parameters of which nothing says a type.
        Err(_) | Ok(DataType::Null) if parameter => DataType::Utf8,
        ty => ty?,
    };
    let Some(expr) = plan::with_values(expr, scope.parameters)? else {
        return Ok(Argument { data_type: planned, value: None, parameter });
    };
    match plan::constant(scope, expr)? {
        Expr::Literal(value, _) => {
            Ok(Argument { data_type: value.data_type(), value: Some(value), parameter })
        }
        other => Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{other} is none"))),
    }
}

fn not_constant(name: &str, place: usize, e: Error) -> Error {
    // What is bound wrongly is told as it is elsewhere.
    if e.state == SqlState::Code("08P01") {
        return e;
    }
    let message = format!("argument {} of {name} is no constant: {}", place + 1, e.message);
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .hint("it takes literals and parameters; join with its rows what other tables have")
}

/// An error of the call points into the text of its first argument, or at its name.
fn placed(e: Error, called: &Called, text: &str) -> Error {
    let start = called.written.span().start;
    let name = errors::position(text, start.line, start.column);
    let first = called.arguments.first().map(|a| a.span().start);
    let first = first.and_then(|s| errors::position(text, s.line, s.column));
    let position = match (e.position, first) {
        (Some(inside), Some(literal)) => within(text, literal, inside),
        _ => name,
    };
    Error { position, ..e }
}

/// The place in a statement of a character of a literal's text (from 1), which begins at `literal`. None: the text has no
/// such literal there.
fn within(text: &str, literal: usize, inside: usize) -> Option<usize> {
    let mut chars = text.chars().skip(literal.checked_sub(1)?);
    let opening = match chars.next()? {
        '\'' => 1,
        // `$$text$$`, `$tag$text$tag$`: nothing is doubled within.
        '$' => {
            let tag = chars.take_while(|c| *c != '$').count();
            return Some(literal + tag + 1 + inside);
        }
        _ => return Some(literal),
    };
    let mut at = literal + opening;
    for _ in 1..inside {
        at += 1;
        if chars.next() == Some('\'') {
            chars.next();
            at += 1;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn places_within_literals() {
        let check = |text: &str, inside: usize, expect: &str| {
            let literal = text.chars().position(|c| c == '\'' || c == '$').map(|i| i + 1);
            let at = literal.and_then(|l| within(text, l, inside)).unwrap_or(0);
            let rest: String = text.chars().skip(at.saturating_sub(1)).collect();
            assert!(rest.starts_with(expect), "{text} {inside}: {rest}");
        };
        check("f('äbc')", 1, "äbc");
        check("f('äbc')", 3, "c'");
        check("f('a''''bc')", 4, "bc'");
        check("f('a''bc')", 2, "''bc");
        check("f($$a'bc$$)", 3, "bc$");
        check("f($x$abc$x$)", 2, "bc$");
    }
}
