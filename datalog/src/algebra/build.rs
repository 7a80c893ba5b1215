//! Goals to plans.

use super::rules::Fixpoint;
use super::{Column, Node, Plan};
use crate::query::{Fault, Var};
use crate::resolve::{Goal, RuleDef, Slot};
use crate::source::{DbSource, Source};
use crate::value::{Cell, Kind};
use daodb_catalog::SqlState;
use daodb_storage::ValueType;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known of a database's source while planning.
pub struct Planner<'a> {
    pub sources: &'a [Source],
    /// Those of the query, and those that begin with what they are asked for.
    pub program: Vec<RuleDef>,
    /// How many of them are the query's.
    pub(super) written: usize,
    /// By rule, once they are planned.
    pub(super) fixpoints: BTreeMap<usize, Arc<Fixpoint>>,
    pub(super) fresh: usize,
}

/// A goal that cannot be planned because some of its variables are not bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Stuck {
    Unbound {
        goal: String,
        vars: Vec<Var>,
    },
    /// Wrong for another reason.
    Wrong(Fault),
}

impl Stuck {
    pub fn into_fault(self) -> Fault {
        match self {
            Stuck::Wrong(fault) => fault,
            Stuck::Unbound { goal, vars } => {
                let names: Vec<String> = vars.iter().map(Var::to_string).collect();
                Fault::new(
                    Default::default(),
                    format!("insufficient binding: nothing binds {} for {goal}", names.join(", ")),
                )
                .hint("bind them by a pattern or by :in")
                .state(SqlState::UNDEFINED_COLUMN)
            }
        }
    }
}

pub type Result<T, E = Stuck> = std::result::Result<T, E>;

/// Types that a variable can have, as far as patterns tell.
pub type Types = BTreeMap<Var, BTreeSet<ValueType>>;

impl<'a> Planner<'a> {
    pub fn new(sources: &'a [Source], program: &[RuleDef]) -> Planner<'a> {
        let program = super::demand::linear(program);
        let written = program.len();
        Planner { sources, program, written, fixpoints: BTreeMap::new(), fresh: 0 }
    }

    pub(super) fn fresh(&mut self) -> Var {
        self.fresh += 1;
        Var(format!("?#{}", self.fresh).into())
    }

    pub(super) fn database(&self, source: usize) -> Result<&Arc<DbSource>> {
        match self.sources.get(source) {
            Some(Source::Database(db)) => Ok(db),
            _ => Err(Stuck::Wrong(Fault::new(
                Default::default(),
                "a plain collection is asked as a database",
            ))),
        }
    }

    /// Rows that came in or were worked out.
    pub(super) fn values(vars: &[Var], rows: &Arc<Vec<Vec<Cell>>>) -> Plan {
        let columns: Vec<Column> = vars
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let distinct: BTreeSet<&Cell> = rows.iter().map(|r| &r[i]).collect();
                let kind = crate::resolve::inputs::kind_of(rows.iter().map(|r| &r[i]));
                Column::new(v.clone(), kind, distinct.len() as f64)
            })
            .collect();
        match (rows.is_empty(), columns.is_empty()) {
            (true, _) => Plan::empty(columns, "no row came in"),
            (false, true) => Plan::unit(),
            _ => {
                let n = rows.len() as f64;
                Plan { node: Node::Values { rows: Arc::clone(rows) }, columns, rows: n }
            }
        }
    }

    /// Takes a plan whose columns are not all there or stand for something twice: `slots` say what each column means.
    /// Constants and repeated variables become filters; blanks go.
    pub(super) fn fit(&mut self, mut plan: Plan, slots: &[(Slot, Var)]) -> Plan {
        let mut seen: Vec<Var> = Vec::new();
        for (slot, var) in slots {
            match slot {
                Slot::Var(v) if seen.contains(v) => {
                    let share = 1.0 / plan.column(var).map_or(1.0, |c| c.distinct.max(1.0));
                    plan = plan.filter(super::Test::Same(var.clone(), slot.clone()), share);
                }
                Slot::Var(v) => seen.push(v.clone()),
                Slot::Const(_) => {
                    let share = 1.0 / plan.column(var).map_or(1.0, |c| c.distinct.max(1.0));
                    plan = plan.filter(super::Test::Same(var.clone(), slot.clone()), share);
                }
                Slot::Blank => {}
            }
        }
        plan
    }

    /// The narrowing of variables by the patterns of a conjunction.
    pub(super) fn types(&self, goals: &[Goal]) -> Result<Types> {
        let mut out = Types::new();
        let mut narrow = |v: &Var, types: BTreeSet<ValueType>| match out.get_mut(v) {
            Some(known) => *known = known.intersection(&types).copied().collect(),
            None => {
                out.insert(v.clone(), types);
            }
        };
        for goal in goals {
            match goal {
                Goal::Pattern(p) => {
                    if let Slot::Var(e) = &p.e {
                        narrow(e, [ValueType::Long].into());
                    }
                    if let (Slot::Var(v), crate::resolve::AttrSlot::Attr(a)) = (&p.v, &p.a) {
                        let types = self.database(p.source)?.types(a);
                        narrow(v, types.into_iter().map(plain).collect());
                    }
                }
                Goal::Values { vars, rows } => {
                    for (i, v) in vars.iter().enumerate() {
                        let cells = rows.iter().filter_map(|r| r[i].as_ref());
                        narrow(v, cells.map(|c| c.value_type()).collect());
                    }
                }
                _ => {}
            }
        }
        Ok(out)
    }
}

/// References are longs.
pub fn plain(ty: ValueType) -> ValueType {
    match Kind::of(ty) {
        Kind::Typed(ty) => ty,
        Kind::Any => ty,
    }
}
