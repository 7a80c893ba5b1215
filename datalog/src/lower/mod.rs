//! Relations to the engine's plans: one arm a node, one file for those that take more than a call.
//!
//! A column is named by its variable. A relation without variables has one column, `#one`, so that its rows can be counted.

mod each;
pub mod expressions;
mod joins;
pub mod leaves;
mod nested;
mod scans;
mod tables;

use crate::algebra::{Column, Node, Plan, Test};
use crate::fixpoint;
use crate::resolve::{Apply, Argument, Slot};
use crate::source::Source;
use crate::value::{Cell, Kind, array};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use expressions::{call, column, converted, holds, literal};
use std::sync::Arc;

const ONE: &str = "#one";

pub fn lower(plan: &Plan, sources: &[Source]) -> Result<LogicalPlan> {
    match &plan.node {
        Node::Unit => one(LogicalPlanBuilder::empty(true)),
        Node::Empty { .. } => empty(&plan.columns),
        Node::Values { rows } => values(&plan.columns, rows),
        Node::Star(star) => scans::star(star, &plan.columns, sources),
        Node::Datoms(datoms) => scans::datoms(datoms, &plan.columns, sources),
        Node::Table(read) => tables::table(read, &plan.columns, sources),
        Node::Join { left, right, outer } => joins::join(plan, left, right, *outer, sources),
        Node::Anti { left, right } => joins::anti(left, right, sources),
        Node::Filter { input, test } => filter(input, test, sources),
        Node::Extend { input, apply } => extend(plan, input, apply, sources),
        Node::Each { input, of } => each::each(plan, input, of, sources),
        Node::Union { inputs } => union(plan, inputs, sources),
        Node::Distinct { input } => {
            let kept = project(LogicalPlanBuilder::from(lower(input, sources)?), all(plan))?;
            match input.is_set(sources, |v| plan.has(v)) {
                true => Ok(kept),
                false => LogicalPlanBuilder::from(kept).distinct()?.build(),
            }
        }
        Node::Nested { input, query } => nested::nested(input, query, sources),
        Node::Rule { fixpoint, rule } => {
            let table = fixpoint::FixpointTable::new(fixpoint, *rule, sources)?;
            let scan = LogicalPlanBuilder::scan("r", leaves::Leaf::Fixpoint(table).source(), None)?;
            let columns = plan.columns.iter().enumerate().map(|(i, c)| {
                Expr::Column(datafusion::common::Column::new(Some("r"), format!("c{i}")))
                    .alias(c.var.0.as_ref())
            });
            project(scan, columns.collect())
        }
    }
}

/// Never without a column.
fn project(input: LogicalPlanBuilder, columns: Vec<Expr>) -> Result<LogicalPlan> {
    match columns.is_empty() {
        true => one(input),
        false => input.project(columns)?.build(),
    }
}

fn one(input: LogicalPlanBuilder) -> Result<LogicalPlan> {
    input.project([lit(true).alias(ONE)])?.build()
}

/// The columns of a relation as they are.
fn all(plan: &Plan) -> Vec<Expr> {
    plan.columns.iter().map(|c| column(&c.var)).collect()
}

fn schema(columns: &[Column]) -> SchemaRef {
    let field = |c: &Column| Field::new(c.var.0.as_ref(), c.kind.arrow(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn empty(columns: &[Column]) -> Result<LogicalPlan> {
    let nulls = columns.iter().map(|c| {
        datafusion::common::ScalarValue::try_from(&c.kind.arrow())
            .map(|null| lit(null).alias(c.var.0.as_ref()))
    });
    let plan = project(LogicalPlanBuilder::empty(true), nulls.collect::<Result<_>>()?)?;
    LogicalPlanBuilder::from(plan).filter(lit(false))?.build()
}

fn values(columns: &[Column], rows: &[Vec<Cell>]) -> Result<LogicalPlan> {
    let schema = schema(columns);
    let arrays = columns.iter().enumerate().map(|(i, c)| {
        array(c.kind, rows.iter().map(|r| r[i].as_ref()).collect::<Vec<_>>().into_iter())
    });
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.collect())?;
    let table = MemTable::try_new(schema, vec![vec![batch]])?;
    let scan = LogicalPlanBuilder::scan("in", provider_as_source(Arc::new(table)), None)?;
    let columns = columns.iter().map(|c| {
        Expr::Column(datafusion::common::Column::new(Some("in"), c.var.0.as_ref()))
            .alias(c.var.0.as_ref())
    });
    project(scan, columns.collect())
}

fn filter(input: &Plan, test: &Test, sources: &[Source]) -> Result<LogicalPlan> {
    let predicate = predicate(input, test);
    LogicalPlanBuilder::from(lower(input, sources)?).filter(predicate)?.build()
}

fn predicate(input: &Plan, test: &Test) -> Expr {
    let kind = |v| input.column(v).map_or(Kind::Any, |c| c.kind);
    match test {
        Test::Holds(apply) => holds(input, apply),
        Test::Same(var, Slot::Var(other)) => {
            let (a, b) = (kind(var), kind(other));
            let common = a.join(b);
            converted(column(var), a, common).eq(converted(column(other), b, common))
        }
        Test::Same(var, Slot::Const(cell)) => match literal(kind(var), cell) {
            Some(value) => column(var).eq(value),
            None => lit(false),
        },
        Test::Same(_, Slot::Blank) => lit(true),
        Test::Present(var) => match (kind(var), literal(Kind::Any, &None)) {
            (Kind::Any, Some(nil)) => column(var).not_eq(nil),
            _ => column(var).is_not_null(),
        },
        Test::Any(any) => {
            let all = |tests: &Vec<Test>| {
                let tests = tests.iter().map(|t| predicate(input, t));
                tests.reduce(Expr::and).unwrap_or_else(|| lit(true))
            };
            any.iter().map(all).reduce(Expr::or).unwrap_or_else(|| lit(false))
        }
    }
}

fn extend(plan: &Plan, input: &Plan, apply: &Apply, sources: &[Source]) -> Result<LogicalPlan> {
    let Some(last) = plan.columns.last() else {
        return Err(DataFusionError::Internal("a function without a column".to_owned()));
    };
    let mut columns = all(input);
    columns.push(value(input, apply, last.kind).alias(last.var.0.as_ref()));
    project(LogicalPlanBuilder::from(lower(input, sources)?), columns)
}

/// `identity` of a slot needs no call.
fn value(input: &Plan, apply: &Apply, kind: Kind) -> Expr {
    if let ("identity" | "ground" | "untuple", [Argument::Slot(Slot::Var(v))]) =
        (apply.function.name, apply.args.as_slice())
    {
        return converted(column(v), input.column(v).map_or(Kind::Any, |c| c.kind), kind);
    }
    let known = apply.constant().ok().flatten();
    known.and_then(|cell| literal(kind, &cell)).unwrap_or_else(|| call(input, apply, kind))
}

fn union(plan: &Plan, inputs: &[Plan], sources: &[Source]) -> Result<LogicalPlan> {
    let mut out: Option<LogicalPlanBuilder> = None;
    for input in inputs {
        let columns = plan.columns.iter().map(|c| {
            let from = input.column(&c.var).map_or(c.kind, |x| x.kind);
            converted(column(&c.var), from, c.kind).alias(c.var.0.as_ref())
        });
        let lowered = project(LogicalPlanBuilder::from(lower(input, sources)?), columns.collect())?;
        out = Some(match out {
            Some(before) => before.union(lowered)?,
            None => LogicalPlanBuilder::from(lowered),
        });
    }
    match out {
        Some(plan) => plan.build(),
        None => empty(&plan.columns),
    }
}
