//! About how many rows a join has: as if values met by chance, those of the smaller side all of them.

use super::{Column, Node, Plan};
use crate::query::Var;
use std::sync::Arc;

/// The variables that both have.
pub fn shared(left: &Plan, right: &Plan) -> Vec<Var> {
    left.columns.iter().map(|c| &c.var).filter(|v| right.has(v)).cloned().collect()
}

pub fn join_rows(left: &Plan, right: &Plan) -> f64 {
    let mut rows = left.rows * right.rows;
    for column in &left.columns {
        if let Some(other) = right.column(&column.var) {
            rows /= column.distinct.max(other.distinct).max(1.0);
        }
    }
    rows
}

/// The join; a variable of one type on one side has that type.
pub fn join(left: Plan, right: Plan) -> Plan {
    use crate::value::Kind;
    if matches!(left.node, Node::Unit) {
        return right;
    }
    if matches!(right.node, Node::Unit) {
        return left;
    }
    let rows = join_rows(&left, &right);
    let mut columns = Vec::with_capacity(left.columns.len() + right.columns.len());
    let mut never = None;
    for column in &left.columns {
        let Some(other) = right.column(&column.var) else {
            columns.push(column.clone());
            continue;
        };
        let kind = match (column.kind, other.kind) {
            (a, b) if a == b => a,
            (Kind::Any, b) => b,
            (a, Kind::Any) => a,
            (a, b) => {
                never = Some(format!("{} would be a {a} and a {b}", column.var));
                a
            }
        };
        columns.push(Column::new(column.var.clone(), kind, column.distinct.min(other.distinct)));
    }
    columns.extend(right.columns.iter().filter(|c| !left.has(&c.var)).cloned());
    let empty = |p: &Plan| match &p.node {
        Node::Empty { why } => Some(why.clone()),
        _ => None,
    };
    if let Some(why) = never.or_else(|| empty(&left)).or_else(|| empty(&right)) {
        return Plan::empty(columns, why);
    }
    columns.iter_mut().for_each(|c| c.distinct = c.distinct.min(rows.max(1.0)));
    let (left, right) = (Arc::new(left), Arc::new(right));
    Plan { node: Node::Join { left, right, outer: false }, columns, rows }
}
