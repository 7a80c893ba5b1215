//! What `:find` makes of the rows: each row of the found variables (and those of `:with`) once, aggregates over groups, order,
//! offset and limit.

mod aggregates;

use crate::algebra::{Plan, Stuck};
use crate::lower::expressions::{column, literal};
use crate::lower::lower;
use crate::query::{Element, Fault, PullPattern, Query, TermKind, Var};
use crate::resolve::inputs::kind_of;
use crate::resolve::{Inputs, Resolved};
use crate::source::Source;
use crate::value::{Cell, Kind, of_form};
use aggregates::Aggregate;
use daodb_storage::Value;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, lit};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One column of an answer.
#[derive(Debug, Clone)]
pub struct Column {
    /// `?name`, `(sum ?x)`, or what `:keys` calls it.
    pub name: String,
    pub kind: Kind,
    pub shows: Shows,
}

/// How a value of a column is shown.
#[derive(Debug, Clone)]
pub enum Shows {
    Value,
    /// A tuple whose items are those of a set.
    Set,
    /// The ident of an attribute, where its entity has one.
    Ident {
        source: usize,
    },
    /// An entity, of which a pattern is pulled from a source.
    Pull {
        source: usize,
        pattern: Arc<crate::pull::Pattern>,
    },
}

/// The variable of the rows that an element shows.
fn shown<'a>(element: &'a Element, resolved: &'a Resolved) -> Option<&'a Var> {
    match element {
        Element::Pull { var, .. } => Some(var),
        Element::Var(v, _) => Some(resolved.given.get(v).unwrap_or(v)),
        Element::Aggregate(call) => {
            let v = call.args.last()?.var()?;
            Some(resolved.given.get(v).unwrap_or(v))
        }
    }
}

/// The variables that must come out of the clauses.
fn wanted<'a>(query: &'a Query, resolved: &'a Resolved) -> BTreeSet<&'a Var> {
    query.find.iter().filter_map(|e| shown(e, resolved)).chain(&query.with).collect()
}

/// What a variable is that no clause binds: an input.
fn input(v: &Var, resolved: &Resolved) -> Option<Cell> {
    match resolved.pulled.get(v) {
        Some(e) => Some(Some(Value::Long(*e))),
        None => resolved.constants.get(v).cloned(),
    }
}

/// The kind of a clause's variable or of an input.
fn kind(v: &Var, resolved: &Resolved, rows: &Plan) -> Option<Kind> {
    match (rows.column(v), input(v, resolved)) {
        (Some(c), _) => Some(c.kind),
        (None, cell) => cell.map(|cell| kind_of([&cell].into_iter())),
    }
}

/// The columns of `:find`, and the plan that gives them, in order.
pub fn plan(
    query: &Query,
    resolved: &Resolved,
    rows: &Plan,
    columns: &[Column],
) -> Result<LogicalPlan> {
    let mut inner: Vec<Expr> = Vec::new();
    let wanted = wanted(query, resolved);
    for v in &wanted {
        match (rows.has(v), input(v, resolved)) {
            (false, Some(cell)) => {
                let kind = kind_of([&cell].into_iter());
                let value = literal(kind, &cell).unwrap_or_else(|| lit(false));
                inner.push(value.alias(v.0.as_ref()));
            }
            _ => inner.push(column(v)),
        }
    }
    let scan = LogicalPlanBuilder::from(lower(rows, &resolved.sources)?).project(inner)?;
    let distinct = match rows.is_set(&resolved.sources, |v| wanted.contains(v)) {
        true => scan,
        false => scan.distinct()?,
    };
    let groups = query.find.iter().any(|e| matches!(e, Element::Aggregate(_)));
    let shaped = match groups {
        true => aggregated(query, resolved, rows, distinct, columns)?,
        false => {
            let of = |e: &Element| shown(e, resolved).map_or_else(|| lit(false), column);
            let out = query.find.iter().map(of).zip(places(columns.len())).map(|(e, n)| e.alias(n));
            let shaped = distinct.project(out.collect::<Vec<_>>())?;
            // Without what only :with asks for, a row may stand several times: as in Datomic, :with keeps it.
            shaped
        }
    };
    let sorts: Vec<SortExpr> =
        query.order.iter().map(|o| place(o.element).sort(!o.descending, false)).collect();
    let sorted = if sorts.is_empty() { shaped } else { shaped.sort(sorts)? };
    match (query.offset, query.limit) {
        (0, None) => sorted.build(),
        (offset, limit) => sorted.limit(offset, limit)?.build(),
    }
}

fn places(n: usize) -> impl Iterator<Item = String> {
    (0..n).map(|i| format!("f{i}"))
}

fn place(i: usize) -> Expr {
    column(&Var(format!("f{i}").into()))
}

fn aggregated(
    query: &Query,
    resolved: &Resolved,
    rows: &Plan,
    input: LogicalPlanBuilder,
    columns: &[Column],
) -> Result<LogicalPlanBuilder> {
    let keys: BTreeSet<&Var> = query
        .find
        .iter()
        .filter(|e| !matches!(e, Element::Aggregate(_)))
        .filter_map(|e| shown(e, resolved))
        .collect();
    // Of no rows nothing is aggregated: without keys the engine would give one row.
    let mut calls = vec![expr_fn::count(lit(1i64)).alias("#rows")];
    let mut out = Vec::new();
    for (i, (element, name)) in query.find.iter().zip(places(columns.len())).enumerate() {
        let Some(v) = shown(element, resolved) else { continue };
        match element {
            Element::Var(..) | Element::Pull { .. } => out.push(column(v).alias(name)),
            Element::Aggregate(call) => {
                let of = kind(v, resolved, rows).unwrap_or(Kind::Any);
                let label = format!("#a{i}");
                calls.push(aggregate(&call.name, count_of(call), i, column(v), of).alias(&label));
                out.push(column(&Var(label.into())).alias(name));
            }
        }
    }
    let keys: Vec<Expr> = keys.into_iter().map(column).collect();
    input.aggregate(keys, calls)?.filter(column(&Var("#rows".into())).gt(lit(0i64)))?.project(out)
}

/// The kind of what an aggregate gives.
pub fn aggregate_kind(name: &str, n: Option<usize>, of: Kind) -> Kind {
    Aggregate::new(name, 0, n, of).kind()
}

/// The engine's own where they mean the same.
pub fn aggregate(name: &str, n: Option<usize>, place: usize, arg: Expr, of: Kind) -> Expr {
    use daodb_storage::ValueType::{Instant, Keyword, Long, String};
    let plain = matches!(of, Kind::Typed(Long | Instant | String | Keyword));
    match (name, n, of) {
        ("count", ..) => expr_fn::count(arg),
        ("min", None, _) if plain => expr_fn::min(arg),
        ("max", None, _) if plain => expr_fn::max(arg),
        ("avg", _, Kind::LONG) => expr_fn::avg(datafusion::logical_expr::cast(
            arg,
            datafusion::arrow::datatypes::DataType::Float64,
        )),
        (name, n, of) => Aggregate::new(name, place, n, of).call(arg),
    }
}

/// The n of `(min n ?x)`.
pub fn count_of(call: &crate::query::Call) -> Option<usize> {
    match call.args.as_slice() {
        [n, _] => match &n.kind {
            TermKind::Const(node) => match of_form(node) {
                Ok(Some(Value::Long(n))) => usize::try_from(n).ok(),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The columns of an answer.
pub fn columns(
    query: &Query,
    resolved: &Resolved,
    inputs: &Inputs,
    rows: &Plan,
) -> std::result::Result<Vec<Column>, Fault> {
    let kind = |v: &Var| {
        kind(v, resolved, rows).ok_or_else(|| {
            Stuck::Unbound { goal: ":find".into(), vars: vec![v.clone()] }.into_fault()
        })
    };
    query.with.iter().try_for_each(|v| kind(v).map(|_| ()))?;
    let mut out = Vec::with_capacity(query.find.len());
    for (i, element) in query.find.iter().enumerate() {
        let Some(v) = shown(element, resolved) else { continue };
        let (kind, shows) = match element {
            Element::Var(..) => (kind(v)?, Shows::Value),
            Element::Aggregate(call) => {
                if call.args.len() == 2 && count_of(call).is_none() {
                    return Err(Fault::new(
                        call.span,
                        format!("{} takes a number first", call.name),
                    ));
                }
                let of = kind(v)?;
                let shows =
                    if call.name.as_ref() == "distinct" { Shows::Set } else { Shows::Value };
                (Aggregate::new(&call.name, i, count_of(call), of).kind(), shows)
            }
            Element::Pull { source, pattern, span, .. } => {
                let node = match pattern {
                    PullPattern::Literal(node) => node,
                    PullPattern::Input(name) => inputs.patterns.get(name).ok_or_else(|| {
                        Fault::new(*span, format!("the pattern {name} is no input"))
                    })?,
                };
                let name = source.as_deref().unwrap_or("$");
                let source = inputs.names.get(name).copied();
                let Some(source) = source
                    .filter(|s| matches!(resolved.sources.get(*s), Some(Source::Database(_))))
                else {
                    return Err(Fault::new(
                        *span,
                        format!("pull asks a database, and {name} is none"),
                    ));
                };
                let kind = kind(v)?;
                let pattern = Arc::new(crate::pull::parse(node)?);
                (kind, Shows::Pull { source, pattern })
            }
        };
        let name = match &query.keys {
            Some(keys) => keys.names[i].to_string(),
            None => element.to_string(),
        };
        out.push(Column { name, kind, shows });
    }
    Ok(out)
}
