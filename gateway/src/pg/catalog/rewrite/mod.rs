//! What clients of Postgres write and DataFusion does not read, put in words that it reads. By the shape of an expression,
//! never by the text of a query.
//!
//! First each expression and table function by itself ([`expression`], [`cast`], [`relation`]), innermost first; then
//! subqueries that DataFusion has no join for ([`subquery`]); then what the outermost query shows ([`output`]).

mod build;
mod cast;
mod expression;
mod output;
mod relation;
mod scope;
mod subquery;
mod system_column;

use daodb_catalog::Result;
use datafusion::sql::sqlparser::ast::{Expr, Select, Statement, TableFactor, VisitMut, VisitorMut};
use std::ops::ControlFlow;

pub fn rewrite(statement: &mut Statement) -> Result<()> {
    if let ControlFlow::Break(e) = statement.visit(&mut Local) {
        return Err(e);
    }
    let _ = statement.visit(&mut subquery::Subqueries);
    output::rewrite(statement);
    Ok(())
}

/// What needs no surroundings.
struct Local;

impl VisitorMut for Local {
    type Break = daodb_catalog::Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expression::rewrite(expr).and_then(|()| cast::rewrite(expr)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => ControlFlow::Break(e),
        }
    }
    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        relation::rewrite(factor);
        ControlFlow::Continue(())
    }
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        relation::unnest_projection(select);
        system_column::rewrite(select);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    fn rewritten(sql: &str) -> Result<String> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        rewrite(&mut statements[0])?;
        Ok(statements[0].to_string())
    }

    fn check(sql: &str, expect: &str) {
        assert_eq!(rewritten(sql).unwrap(), expect, "{sql}");
    }

    #[test]
    fn operators_and_collations() {
        check(
            "SELECT 1 FROM t WHERE a OPERATOR(pg_catalog.~) '^(x)$' COLLATE pg_catalog.default",
            "SELECT 1 FROM t WHERE a ~ '^(x)$'",
        );
        check("SELECT pg_catalog.lower(a) FROM t", "SELECT lower(a) FROM t");
        check("SELECT current_schema", "SELECT current_schema()");
    }

    #[test]
    fn casts() {
        check("SELECT a::pg_catalog.text FROM t", "SELECT a::TEXT FROM t");
        check("SELECT '{1,2}'::int[]", "SELECT ARRAY['1', '2']::INT[]");
        check(
            "SELECT * FROM t WHERE a = 'b'::regclass",
            "SELECT * FROM t WHERE a = regclassin('b')",
        );
        check("SELECT 'b'::regclass::oid", "SELECT oidin(regclassin('b'))");
        check("SELECT a::regclass AS a FROM t", "SELECT regclassout(regclassin(a)) AS a FROM t");
        check("SELECT a::regtype::text FROM t", "SELECT regtypeout(regtypein(a)) FROM t");
        assert_eq!(rewritten("SELECT 1::hstore").unwrap_err().state.as_str(), "42704");
    }

    #[test]
    fn sets() {
        check(
            "SELECT generate_subscripts(a, 1) FROM t",
            "SELECT unnest(pg_subscripts(a, 1)) FROM t",
        );
        check("SELECT x FROM pg_catalog.unnest(t.a) x", "SELECT x FROM UNNEST(t.a) AS x (x)");
    }

    #[test]
    fn subqueries_that_name_outer_columns() {
        check(
            "SELECT (SELECT d.adbin FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND adnum = a.attnum) \
             FROM pg_attribute a",
            "SELECT pg_subquery('scalar', 'SELECT d.adbin FROM pg_attrdef d WHERE d.adrelid = pg_arg_0() \
             AND adnum = pg_arg_1()', a.attrelid, a.attnum) FROM pg_attribute a",
        );
        check(
            "SELECT ARRAY(SELECT 'x' || x FROM unnest(c.reloptions) x) FROM pg_class c",
            "SELECT pg_subquery('array', 'SELECT ''x'' || x FROM UNNEST(pg_arg_0()) AS x (x)', \
             c.reloptions) FROM pg_class c",
        );
        // Over the user's own tables DataFusion's joins stay.
        let own = "SELECT (SELECT max(b) FROM u WHERE u.a = t.a) FROM t";
        check(own, own);
        let uncorrelated = "SELECT (SELECT max(oid) FROM pg_class) FROM t";
        check(uncorrelated, uncorrelated);
    }
}
