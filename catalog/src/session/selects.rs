//! What of a SELECT the planner would not take, or take otherwise than Postgres.

use super::synonyms::is_subquery;
use super::syntax::number;
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, JoinConstraint, JoinOperator, LimitClause, Query, Select, SetExpr, SetOperator,
    SetQuantifier, TableWithJoins, visit_expressions,
};
use std::ops::ControlFlow;

/// `FETCH FIRST 3 ROWS ONLY` is `LIMIT 3`.
pub fn limited(query: &mut Query) {
    let Some(fetch) = query.fetch.take_if(|f| !f.percent && !f.with_ties) else { return };
    let count = fetch.quantity.unwrap_or_else(|| number("1"));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(count),
        clause @ None => {
            let (limit, offset, limit_by) = (Some(count), None, Vec::new());
            *clause = Some(LimitClause::LimitOffset { limit, offset, limit_by });
        }
        // Both: the planner says what is wrong.
        _ => query.fetch = Some(Fetch { quantity: Some(count), ..fetch }),
    }
}

/// `OFFSET 3` of a subquery: where nothing is limited, the engine takes the order for one that nobody asks for.
pub fn ordered_offset(query: &mut Query) {
    if let Some(LimitClause::LimitOffset { limit: limit @ None, offset: Some(_), .. }) =
        &mut query.limit_clause
    {
        *limit = Some(number(ALL_ROWS));
    }
}

/// More than there are; with an offset on top it is still a number of rows.
const ALL_ROWS: &str = "4611686018427387904";

/// Windows are over the rows that WHERE leaves.
pub fn refuse_windows(select: &Select) -> Result<()> {
    let over = |e: &Expr| match e {
        Expr::Function(f) if f.over.is_some() => ControlFlow::Break(()),
        // Those of a subquery are its own.
        _ => ControlFlow::Continue(()),
    };
    let found =
        select.selection.iter().any(|e| !has_subquery(e) && visit_expressions(e, over).is_break());
    match found {
        true => Err(Error::new(
            SqlState::Code("42P20"),
            "window functions are not allowed in WHERE",
        )
        .hint("write SELECT * FROM (SELECT ..., f(x) OVER (...) AS y FROM ...) AS z WHERE y = 1")),
        false => Ok(()),
    }
}

pub fn has_subquery(e: &Expr) -> bool {
    visit_expressions(e, |e| match is_subquery(e) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })
    .is_break()
}

/// A join that says nothing of its rows is a slip: `CROSS JOIN` has all pairs.
pub fn refuse_bare_joins(from: &TableWithJoins) -> Result<()> {
    use JoinOperator::{FullOuter, Inner, Join, Left, LeftOuter, Right, RightOuter};
    for join in &from.joins {
        if let Join(c) | Inner(c) | Left(c) | LeftOuter(c) | Right(c) | RightOuter(c) | FullOuter(c) =
            &join.join_operator
            && matches!(c, JoinConstraint::None)
        {
            let text = format!("{} has no condition", join.to_string().trim());
            return Err(Error::new(SqlState::SYNTAX, text)
                .hint("write ON or USING; CROSS JOIN makes all pairs"));
        }
    }
    Ok(())
}

/// A column that relations of a subquery have in common is one of theirs; the planner takes the outer query's of that name.
pub fn refuse_natural(e: &Expr) -> Result<()> {
    let query = match e {
        Expr::Subquery(query) => query,
        Expr::Exists { subquery, .. } | Expr::InSubquery { subquery, .. } => subquery,
        _ => return Ok(()),
    };
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    for join in select.from.iter().flat_map(|from| &from.joins) {
        use JoinOperator::{Inner, Join, Left, LeftOuter};
        if let Join(by) | Inner(by) | Left(by) | LeftOuter(by) = &join.join_operator
            && matches!(by, JoinConstraint::Natural)
        {
            let text = "NATURAL JOIN in a subquery is not supported";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                .hint("write JOIN ... USING (...), with the columns that both have"));
        }
    }
    Ok(())
}

/// The engine does not count rows that are equal: what it would give is another answer.
pub fn refuse_counted(body: &SetExpr) -> Result<()> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    let counts = matches!(op, SetOperator::Except | SetOperator::Intersect);
    if counts && *set_quantifier == SetQuantifier::All {
        let text = format!("{op} ALL is not supported");
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)
            .hint(format!("{op} leaves each row once")));
    }
    refuse_counted(left)?;
    refuse_counted(right)
}
