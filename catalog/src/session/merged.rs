//! `FULL JOIN ... USING (c)` and `RIGHT JOIN ... USING (c)` as Postgres reads them: c alone is what either side has. DataFusion
//! takes the left side's, which is null where only the right one has a row; so the join is told by ON, and c by its meaning.

use super::names;
use super::syntax::{expression, outermost, query};
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, OrderByKind, Query, Select,
    SelectItem, SetExpr, TableFactor, TableWithJoins,
};

/// Of the order of a query, before its SELECT is changed: what has no such name among what is selected.
pub fn reread_order(query: &mut Query) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    let Some(OrderByKind::Expressions(by)) = query.order_by.as_mut().map(|o| &mut o.kind) else {
        return Ok(());
    };
    let merged = of_left(&select.from);
    for by in by {
        if let Expr::Identifier(name) = &by.expr
            && let Some(left) = find(&merged, name)
            && !select.projection.iter().any(|item| is_named(item, name))
        {
            by.expr = left.clone();
        }
    }
    Ok(())
}

fn is_named(item: &SelectItem, name: &Ident) -> bool {
    let named = |other: &Ident| names::fold(other) == names::fold(name);
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(c)) => named(c),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().is_some_and(named),
        SelectItem::ExprWithAlias { alias, .. } => named(alias),
        SelectItem::UnnamedExpr(_) => false,
        _ => true,
    }
}

/// Columns that the first relation of a FROM has in common with the second (`JOIN ... USING`), and the first one's. The planner
/// finds them where it looks for columns of the whole SELECT alone, and takes one of the query around it in place of two.
fn of_left(from: &[TableWithJoins]) -> Vec<(Ident, Expr)> {
    let mut merged = Vec::new();
    for TableWithJoins { relation, joins } in from {
        let by = match joins.first().map(|join| &join.join_operator) {
            Some(
                JoinOperator::Join(by)
                | JoinOperator::Inner(by)
                | JoinOperator::Left(by)
                | JoinOperator::LeftOuter(by),
            ) => by,
            _ => continue,
        };
        let (JoinConstraint::Using(columns), Some(left)) = (by, name(relation)) else { continue };
        merged.extend(columns.iter().filter_map(last).map(|c| {
            let of = Expr::CompoundIdentifier(vec![left.clone(), c.clone()]);
            (c, of)
        }));
    }
    merged
}

/// Puts what merged columns are in their place.
fn told(select: &mut Select, merged: &[(Ident, Expr)]) -> Result<()> {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::Identifier(c)) = item
            && find(merged, c).is_some()
        {
            let (expr, alias) = (Expr::Identifier(c.clone()), c.clone());
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
    outermost(select, |e| {
        if let Expr::Identifier(name) = e
            && let Some(either) = find(merged, name)
        {
            *e = either.clone();
        }
        Ok(())
    })
}

pub fn reread(select: &mut Select) -> Result<()> {
    let merges = |join: &Join| match &join.join_operator {
        JoinOperator::Right(by) | JoinOperator::RightOuter(by) | JoinOperator::FullOuter(by) => {
            matches!(by, JoinConstraint::Using(_) | JoinConstraint::Natural)
        }
        _ => false,
    };
    if !select.from.iter().any(|from| from.joins.iter().any(merges)) {
        if let [from] = select.from.as_slice()
            && let Some((columns, sides)) = of_chain(from)
        {
            spread(&mut select.projection, &columns, &sides)?;
        }
        let merged = of_left(&select.from);
        return if merged.is_empty() { Ok(()) } else { told(select, &merged) };
    }
    let [TableWithJoins { relation, joins }] = select.from.as_mut_slice() else {
        return Err(refused());
    };
    let [Join { relation: other, join_operator, .. }] = joins.as_mut_slice() else {
        return Err(refused());
    };
    let (JoinOperator::Right(by) | JoinOperator::RightOuter(by) | JoinOperator::FullOuter(by)) =
        join_operator
    else {
        return Ok(());
    };
    let JoinConstraint::Using(columns) = by else { return Err(refused()) };
    let columns: Option<Vec<Ident>> = columns.iter().map(last).collect();
    let (Some(columns), Some(left), Some(right)) = (columns, name(relation), name(other)) else {
        return Err(refused());
    };
    let equal = columns.iter().map(|c| format!("{left}.{c} = {right}.{c}")).collect::<Vec<_>>();
    *by = JoinConstraint::On(expression(&equal.join(" AND "))?);
    let merged = columns.iter().map(|c| {
        let either = expression(&format!("coalesce({left}.{c}, {right}.{c})"))?;
        Ok((c.clone(), either))
    });
    let merged = merged.collect::<Result<Vec<_>>>()?;
    let sides = [(left, true), (right, true)];
    spread(&mut select.projection, &columns, &sides)?;
    told(select, &merged)
}

fn refused() -> Error {
    let text =
        "USING or NATURAL of a FULL or RIGHT JOIN is supported between two named relations alone";
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)
        .hint("write ON a.id = b.id, and coalesce(a.id, b.id) for the column of both")
}

fn last(name: &ObjectName) -> Option<Ident> {
    name.0.last().and_then(|part| part.as_ident()).cloned()
}

fn name(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. } => Some(alias.name.clone()),
        TableFactor::Table { name, alias: None, .. } => last(name),
        _ => None,
    }
}

/// A relation, and whether its columns are merged.
type Side = (Ident, bool);

/// The columns that `a JOIN b USING (c) JOIN d USING (c) ...` merges, and its relations; None: they differ, or are not known here.
fn of_chain(from: &TableWithJoins) -> Option<(Vec<Ident>, Vec<Side>)> {
    use JoinOperator::{CrossJoin, Inner, Join, Left, LeftOuter};
    let constraint = |join: &ast::Join| match &join.join_operator {
        Join(by) | Inner(by) | Left(by) | LeftOuter(by) | CrossJoin(by) => Some(by.clone()),
        _ => None,
    };
    let JoinConstraint::Using(first) = constraint(from.joins.first()?)? else { return None };
    let mut sides = vec![(name(&from.relation)?, true)];
    for join in &from.joins {
        let merged = match constraint(join)? {
            JoinConstraint::Using(columns) if columns == first => true,
            JoinConstraint::On(_) | JoinConstraint::None => false,
            _ => return None,
        };
        sides.push((name(&join.relation)?, merged));
    }
    Some((first.iter().map(last).collect::<Option<_>>()?, sides))
}

/// `*`: the merged columns, then what else the sides have.
fn spread(projection: &mut Vec<SelectItem>, columns: &[Ident], sides: &[Side]) -> Result<()> {
    let merged = columns.iter().map(|c| format!("{c} AS {c}"));
    let names: Vec<String> = columns.iter().map(Ident::to_string).collect();
    let of_side = |(side, merged): &Side| match merged {
        true => format!("{side}.* EXCLUDE ({})", names.join(", ")),
        false => format!("{side}.*"),
    };
    let all: Vec<String> = merged.chain(sides.iter().map(of_side)).collect();
    let text = format!("SELECT {}", all.join(", "));
    let SetExpr::Select(all) = *query(&text)?.body else {
        return Err(Error::new(SqlState::INTERNAL, format!("{text} is no SELECT")));
    };
    for item in std::mem::take(projection) {
        match item {
            SelectItem::Wildcard(_) => projection.extend(all.projection.iter().cloned()),
            item => projection.push(item),
        }
    }
    Ok(())
}

fn find<'a>(merged: &'a [(Ident, Expr)], name: &Ident) -> Option<&'a Expr> {
    let name = names::fold(name);
    merged.iter().find(|(c, _)| names::fold(c) == name).map(|(_, e)| e)
}
