//! A query within a query: asked once for all rows of its parameters, and joined with them.

use super::build::Result;
use super::estimate::join;
use super::functions::{call, extend};
use super::{Column, NestedQuery, Node, Plan, Planner, Stuck};
use crate::query::Var;
use crate::resolve::{Nested, NestedElement, Slot};
use crate::value::Kind;
use std::sync::Arc;

impl Planner<'_> {
    pub(super) fn nested(&mut self, current: Plan, query: &Nested) -> Result<Plan> {
        let asks = !query.params.is_empty();
        let seed = asks.then(|| current.clone().distinct(|v| query.params.contains(v)));
        let rows = self.conjunction(&query.goals, seed)?;
        let slots = query.find.iter().map(NestedElement::slot).chain(&query.with);
        if let Some(v) = slots.filter_map(Slot::var).find(|v| !rows.has(v)) {
            return Err(Stuck::Unbound { goal: "a nested :find".into(), vars: vec![v.clone()] });
        }
        let params: Vec<Var> = query.params.iter().cloned().collect();
        let mut columns: Vec<Column> =
            params.iter().filter_map(|v| rows.column(v).cloned()).collect();
        let mut find = Vec::with_capacity(query.find.len());
        for element in &query.find {
            let var = self.fresh();
            columns.push(Column::new(var.clone(), kind(&rows, element), rows.rows));
            find.push((element.clone(), var));
        }
        let vars: Vec<Var> = find.iter().map(|(_, v)| v.clone()).collect();
        let n = rows.rows;
        let plan = match &rows.node {
            Node::Empty { why } => Plan::empty(columns, why.clone()),
            _ => {
                let nested = NestedQuery { params, find, with: query.with.clone(), one: query.one };
                let node = Node::Nested { input: Arc::new(rows), query: Arc::new(nested) };
                Plan { node, columns, rows: n }
            }
        };
        let mut plan = join(current, plan);
        for (var, out) in vars.iter().zip(&query.outs) {
            plan = self.take(plan, var, out)?;
        }
        if let Some(out) = &query.row {
            let args = vars.into_iter().map(Slot::Var).collect();
            let row = self.fresh();
            plan = extend(plan, call("vector", args)?, row.clone(), Kind::Any);
            plan = self.take(plan, &row, out)?;
        }
        Ok(plan)
    }
}

fn kind(rows: &Plan, element: &NestedElement) -> Kind {
    let of = match element.slot() {
        Slot::Var(v) => rows.column(v).map_or(Kind::Any, |c| c.kind),
        Slot::Const(Some(v)) => Kind::of(v.value_type()),
        _ => Kind::Any,
    };
    match element {
        NestedElement::Slot(_) => of,
        NestedElement::Aggregate(name, n, _) => crate::find::aggregate_kind(name, *n, of),
    }
}
