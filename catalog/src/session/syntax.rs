//! Pieces of syntax trees.

use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Query, TableFactor, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use std::ops::ControlFlow;

/// `name(args...)`.
pub fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `x::type`.
pub fn cast(x: Expr, data_type: DataType) -> Expr {
    let (kind, array, format) = (CastKind::DoubleColon, false, None);
    Expr::Cast { kind, expr: Box::new(x), data_type, array, format }
}

/// A literal.
pub fn number(text: &str) -> Expr {
    Expr::value(Value::Number(text.to_owned(), false))
}

/// An expression that is written here.
pub fn expression(text: &str) -> Result<Expr> {
    let parser = Parser::new(&GenericDialect {}).try_with_sql(text);
    parser.and_then(|mut parser| parser.parse_expr()).map_err(|e| misspelt(text, &e))
}

/// A query that is written here.
pub fn query(text: &str) -> Result<Query> {
    let parser = Parser::new(&GenericDialect {}).try_with_sql(text);
    let query = parser.and_then(|mut parser| parser.parse_query());
    query.map(|query| *query).map_err(|e| misspelt(text, &e))
}

fn misspelt(text: &str, e: &ParserError) -> Error {
    Error::new(SqlState::INTERNAL, format!("{text}: {e}"))
}

/// Changes the expressions of a part but for those of its subqueries; of two within each other the inner first.
pub fn outermost(
    part: &mut impl VisitMut,
    change: impl FnMut(&mut Expr) -> Result<()>,
) -> Result<()> {
    match part.visit(&mut Outermost { depth: 0, change }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(e) => Err(e),
    }
}

struct Outermost<F> {
    depth: usize,
    change: F,
}

impl<F: FnMut(&mut Expr) -> Result<()>> VisitorMut for Outermost<F> {
    type Break = Error;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<Error> {
        match self.depth {
            0 => continued((self.change)(e)),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// What a visitor goes on with.
pub fn continued(done: Result<()>) -> ControlFlow<Error> {
    match done {
        Ok(()) => ControlFlow::Continue(()),
        Err(e) => ControlFlow::Break(e),
    }
}

/// Puts a query in the place of each derived table of this name.
pub fn fill(part: &mut impl VisitMut, name: &str, query: &Query) {
    let _ = part.visit(&mut Fill { name, query });
}

struct Fill<'a> {
    name: &'a str,
    query: &'a Query,
}

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, alias: Some(alias), .. } = factor
            && alias.name.value == self.name
        {
            **subquery = self.query.clone();
        }
        ControlFlow::Continue(())
    }
}
