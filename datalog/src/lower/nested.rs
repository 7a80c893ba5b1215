//! A query within a query: its rows once, aggregated for each of its parameters' rows.

use super::expressions::{column, literal};
use super::{lower, project};
use crate::algebra::{NestedQuery, Plan};
use crate::find::aggregate;
use crate::query::Var;
use crate::resolve::{NestedElement, Slot};
use crate::source::Source;
use crate::value::Kind;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

/// An element's value before aggregation, under a name of its own.
fn of(i: usize) -> Var {
    Var(format!("#n{i}").into())
}

fn value(input: &Plan, slot: &Slot) -> (Expr, Kind) {
    match slot {
        Slot::Var(v) => (column(v), input.column(v).map_or(Kind::Any, |c| c.kind)),
        Slot::Const(cell) => {
            let kind = cell.as_ref().map_or(Kind::Any, |v| Kind::of(v.value_type()));
            (literal(kind, cell).unwrap_or_else(|| lit(false)), kind)
        }
        Slot::Blank => (lit(false), Kind::BOOLEAN),
    }
}

pub fn nested(input: &Plan, query: &NestedQuery, sources: &[Source]) -> Result<LogicalPlan> {
    let params = || query.params.iter().map(column);
    let slots = query.find.iter().map(|(e, _)| e.slot()).chain(&query.with);
    let values: Vec<(Expr, Kind)> = slots.map(|slot| value(input, slot)).collect();
    let named = values.iter().enumerate().map(|(i, (e, _))| e.clone().alias(of(i).0.as_ref()));
    let rows = LogicalPlanBuilder::from(lower(input, sources)?)
        .project(params().chain(named).collect::<Vec<_>>())?
        .distinct()?;
    let is_aggregate = |e: &NestedElement| matches!(e, NestedElement::Aggregate(..));
    let mut shaped = rows;
    if query.find.iter().any(|(e, _)| is_aggregate(e)) {
        let mut keys: Vec<Expr> = params().collect();
        // Of no rows nothing is aggregated: without keys the engine would give one row.
        let all = datafusion::functions_aggregate::expr_fn::count(lit(1i64)).alias("#rows");
        let mut calls = vec![all];
        for (i, (element, _)) in query.find.iter().enumerate() {
            match element {
                NestedElement::Slot(_) => keys.push(column(&of(i))),
                NestedElement::Aggregate(name, n, _) => {
                    let call = aggregate(name, *n, i, column(&of(i)), values[i].1);
                    calls.push(call.alias(format!("#a{i}")));
                }
            }
        }
        let some = column(&Var("#rows".into())).gt(lit(0i64));
        shaped = shaped.aggregate(keys, calls)?.filter(some)?;
    }
    let outs = query.find.iter().enumerate().map(|(i, (element, var))| {
        let value = match element {
            NestedElement::Slot(_) => column(&of(i)),
            NestedElement::Aggregate(..) => column(&Var(format!("#a{i}").into())),
        };
        value.alias(var.0.as_ref())
    });
    let columns: Vec<Expr> = params().chain(outs).collect();
    match (query.one, query.params.is_empty()) {
        (false, _) => LogicalPlanBuilder::from(project(shaped, columns)?).distinct()?.build(),
        (true, true) => {
            LogicalPlanBuilder::from(project(shaped, columns)?).limit(0, Some(1))?.build()
        }
        (true, false) => {
            let shaped = LogicalPlanBuilder::from(project(shaped, columns)?);
            let all = params().chain(query.find.iter().map(|(_, v)| column(v))).collect();
            shaped.distinct_on(params().collect(), all, None)?.build()
        }
    }
}
