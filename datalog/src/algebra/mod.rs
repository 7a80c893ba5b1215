//! Relations over variables, in the order in which they are joined; what a query becomes before the engine's own plan.

pub mod build;
mod conjunction;
mod demand;
mod disjunction;
mod distribute;
mod estimate;
mod functions;
mod keys;
mod nested;
mod patterns;
mod print;
pub mod rules;

pub use build::{Planner, Stuck};
pub use patterns::scalar as build_scalar;

use crate::query::Var;
use crate::resolve::{Apply, NestedElement, Pattern, Slot};
use crate::value::{Cell, Kind};
use daodb_storage::{Attr, ValueType};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A relation: what makes it, its columns, and about how many rows it has.
#[derive(Debug, Clone)]
pub struct Plan {
    pub node: Node,
    pub columns: Vec<Column>,
    pub rows: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub var: Var,
    pub kind: Kind,
    /// About how many distinct values it has.
    pub distinct: f64,
}

#[derive(Debug, Clone)]
pub enum Node {
    /// One row without columns.
    Unit,
    /// No row, and why.
    Empty {
        why: String,
    },
    Values {
        rows: Arc<Vec<Vec<Cell>>>,
    },
    Star(Star),
    Datoms(Datoms),
    Table(TableRead),
    /// Rows that agree in all variables that both have.
    Join {
        left: Arc<Plan>,
        right: Arc<Plan>,
        /// Rows of the left without any stay, with nulls.
        outer: bool,
    },
    /// Rows of the left for which the right has none that agrees.
    Anti {
        left: Arc<Plan>,
        right: Arc<Plan>,
    },
    Filter {
        input: Arc<Plan>,
        test: Test,
    },
    /// One more column, the last.
    Extend {
        input: Arc<Plan>,
        apply: Apply,
    },
    /// One row for each item of `of`, which becomes the last column.
    Each {
        input: Arc<Plan>,
        of: Var,
    },
    Union {
        inputs: Vec<Plan>,
    },
    /// Some of the columns; equal rows become one.
    Distinct {
        input: Arc<Plan>,
    },
    /// A query of its own, once for each of its parameters' rows.
    Nested {
        input: Arc<Plan>,
        query: Arc<NestedQuery>,
    },
    /// A recursive rule: its place in the program.
    Rule {
        fixpoint: Arc<rules::Fixpoint>,
        rule: usize,
    },
}

/// Its columns are those of the parameters, then those found.
#[derive(Debug)]
pub struct NestedQuery {
    pub params: Vec<Var>,
    /// Each with its column.
    pub find: Vec<(NestedElement, Var)>,
    pub with: Vec<Slot>,
    /// At most one row for each of the parameters.
    pub one: bool,
}

#[derive(Debug, Clone)]
pub enum Test {
    /// The value is neither false nor nil.
    Holds(Apply),
    Same(Var, Slot),
    /// Neither absent nor nil.
    Present(Var),
    /// All of one of these.
    Any(Vec<Vec<Test>>),
}

/// One value of each of several attributes of an entity: one access.
#[derive(Debug, Clone)]
pub struct Star {
    pub source: usize,
    pub e: Slot,
    pub places: Vec<Place>,
}

#[derive(Debug, Clone)]
pub struct Place {
    pub a: Attr,
    pub ty: ValueType,
    pub v: Slot,
    /// The row stays where it is absent.
    pub optional: bool,
}

/// Columns of rows of SQL, by their places; constants are what they must be.
#[derive(Debug, Clone)]
pub struct TableRead {
    pub source: usize,
    pub places: Vec<(usize, Slot)>,
}

/// The datoms of some attributes.
#[derive(Debug, Clone)]
pub struct Datoms {
    pub pattern: Pattern,
    pub attributes: Vec<(Attr, Vec<ValueType>)>,
    pub v_kind: Kind,
    pub a_kind: Kind,
}

impl Plan {
    pub fn column(&self, var: &Var) -> Option<&Column> {
        self.columns.iter().find(|c| c.var == *var)
    }
    /// The kind of what a call gives over these columns.
    pub fn kind_of(&self, apply: &Apply) -> Kind {
        let of = |v: &Var| Some(self.column(v).map_or(Kind::Any, |c| c.kind));
        apply.kind(&of).unwrap_or(Kind::Any)
    }
    pub fn has(&self, var: &Var) -> bool {
        self.column(var).is_some()
    }
    /// One row, no columns.
    pub fn unit() -> Plan {
        Plan { node: Node::Unit, columns: vec![], rows: 1.0 }
    }
    pub fn empty(columns: Vec<Column>, why: impl Into<String>) -> Plan {
        let mut seen = BTreeSet::new();
        let columns = columns.into_iter().filter(|c| seen.insert(c.var.clone())).collect();
        Plan { node: Node::Empty { why: why.into() }, columns, rows: 0.0 }
    }
    /// The relations that it is made of.
    fn inputs(&self) -> Vec<&Plan> {
        match &self.node {
            Node::Join { left, right, .. } | Node::Anti { left, right } => vec![left, right],
            Node::Filter { input, .. }
            | Node::Extend { input, .. }
            | Node::Each { input, .. }
            | Node::Distinct { input }
            | Node::Nested { input, .. } => vec![input],
            Node::Union { inputs } => inputs.iter().collect(),
            Node::Rule { fixpoint, .. } => {
                let branches = fixpoint.rules.iter().flat_map(|r| &r.branches);
                branches.flat_map(|b| b.inputs.iter().chain(&b.nots)).collect()
            }
            Node::Unit
            | Node::Empty { .. }
            | Node::Values { .. }
            | Node::Star(_)
            | Node::Datoms(_)
            | Node::Table(_) => vec![],
        }
    }
    /// About how many rows are read and made for it in all.
    pub fn reads(&self) -> f64 {
        self.rows + self.inputs().into_iter().map(Plan::reads).sum::<f64>()
    }
    /// Whether any of its stars is so.
    pub fn any_star(&self, is: &dyn Fn(&Star) -> bool) -> bool {
        matches!(&self.node, Node::Star(star) if is(star))
            || self.inputs().into_iter().any(|input| input.any_star(is))
    }
    pub fn is_empty(&self) -> bool {
        matches!(self.node, Node::Empty { .. })
    }
    /// Some columns, each row once.
    pub fn distinct(self, keep: impl Fn(&Var) -> bool) -> Plan {
        let columns: Vec<Column> = self.columns.iter().filter(|c| keep(&c.var)).cloned().collect();
        if self.is_empty() {
            return Plan { columns, ..self };
        }
        let most: f64 = columns.iter().map(|c| c.distinct.max(1.0)).product();
        let rows = self.rows.min(most);
        Plan { node: Node::Distinct { input: Arc::new(self) }, columns, rows }
    }
    pub fn filter(self, test: Test, share: f64) -> Plan {
        if self.is_empty() {
            return self;
        }
        let (columns, rows) = (self.columns.clone(), self.rows * share);
        Plan { node: Node::Filter { input: Arc::new(self), test }, columns, rows }
    }
}

impl Column {
    pub fn new(var: Var, kind: Kind, distinct: f64) -> Column {
        Column { var, kind, distinct }
    }
}
