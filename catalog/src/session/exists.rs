//! `EXISTS (SELECT ...)` among what a SELECT gives: DataFusion plans it in conditions alone. Here it is a count that is above 0.

use super::syntax::call;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, Value, VisitMut,
    VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// `SELECT 1` within stands for the query.
const COUNTED: &str =
    "SELECT count(*) FROM (SELECT 1 FROM (SELECT 1) AS dao_rows LIMIT 1) AS dao_row";
const COUNT: &str = "SELECT count(*)";

pub fn reread(select: &mut Select) {
    let _ = VisitMut::visit(&mut select.projection, &mut Outermost { depth: 0 });
}

/// Those of the select list itself; a subquery's own come when it is walked.
struct Outermost {
    depth: usize,
}

impl VisitorMut for Outermost {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0
            && let Expr::Exists { subquery, negated } = e
            && let Some(count) = counted(subquery)
        {
            let zero = || Expr::value(Value::Number("0".to_owned(), false));
            let count = Expr::Subquery(Box::new(count));
            let op = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
            // Of no rows that fit an outer one the engine gives no count.
            let left = Box::new(call("coalesce", vec![count, zero()]));
            *e = Expr::Nested(Box::new(Expr::BinaryOp { left, op, right: Box::new(zero()) }));
        }
        ControlFlow::Continue(())
    }
}

/// A query that counts another's rows, as far as whether there are any.
fn counted(query: &Query) -> Option<Query> {
    let mut plain = query.clone();
    // Its rows are those of its FROM and WHERE: it may name columns of the query around it.
    if let SetExpr::Select(select) = plain.body.as_mut()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && select.distinct.is_none()
        && select.having.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && !select.from.is_empty()
        && !select.projection.iter().any(has_call)
    {
        plain.order_by = None;
        select.projection = match *parsed(COUNT)?.body {
            SetExpr::Select(count) => count.projection,
            _ => return None,
        };
        return Some(plain);
    }
    let mut whole = parsed(COUNTED)?;
    let _ = VisitMut::visit(&mut whole, &mut Fill { query, depth: 0 });
    Some(whole)
}

/// A call may be an aggregate, which has a row where there is none.
fn has_call(item: &SelectItem) -> bool {
    use datafusion::sql::sqlparser::ast::visit_expressions;
    visit_expressions(item, |e| match e {
        Expr::Function(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

fn parsed(text: &str) -> Option<Query> {
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
    parser.and_then(|mut parser| parser.parse_query()).ok().map(|query| *query)
}

struct Fill<'a> {
    query: &'a Query,
    depth: usize,
}

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if self.depth == 3 {
            *query = self.query.clone();
        }
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}
