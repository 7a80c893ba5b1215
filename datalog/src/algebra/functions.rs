//! Predicates and functions over the rows that are there.

use super::build::{Result, Types};
use super::estimate::join;
use super::patterns::star_type;
use super::{Column, Node, Place, Plan, Planner, Star, Stuck, Test};
use crate::query::{Fault, Var};
use crate::resolve::{Apply, AttrSlot, Goal, Out, Pattern, Slot};
use crate::value::{Cell, Kind, to_form};
use daodb_catalog::SqlState;
use daodb_storage::{Attr, Value, ValueType};
use std::collections::BTreeSet;
use std::sync::Arc;

/// As is guessed of a predicate of which nothing is known.
const SHARE: f64 = 0.3;

impl Planner<'_> {
    pub(super) fn test(&mut self, plan: Plan, apply: &Apply) -> Result<Plan> {
        match constant(apply)? {
            Some(Some(Value::Boolean(false)) | None) => {
                Ok(Plan::empty(plan.columns, format!("[{apply}] is false")))
            }
            Some(_) => Ok(plan),
            None => Ok(plan.filter(Test::Holds(apply.clone()), SHARE)),
        }
    }

    pub(super) fn bind(&mut self, plan: Plan, apply: &Apply, out: &Out) -> Result<Plan> {
        if let Some(value) = constant(apply)? {
            return self.spread(plan, apply, out, &value);
        }
        let kind = plan.kind_of(apply);
        let var = match out {
            Out::Slot(Slot::Var(v)) if !plan.has(v) => v.clone(),
            _ => self.fresh(),
        };
        let plan = extend(plan, apply.clone(), var.clone(), kind);
        // As in Datomic, nil binds nothing: the row goes.
        let plan = match kind {
            Kind::Any => plan.filter(Test::Present(var.clone()), 1.0),
            _ => plan,
        };
        self.take(plan, &var, out)
    }

    /// Takes the value of a column apart.
    pub(super) fn take(&mut self, plan: Plan, var: &Var, out: &Out) -> Result<Plan> {
        match out {
            Out::Slot(Slot::Blank) => Ok(plan),
            Out::Slot(Slot::Var(v)) if v == var => Ok(plan),
            Out::Slot(slot) if slot.var().is_none_or(|v| plan.has(v)) => {
                Ok(plan.filter(Test::Same(var.clone(), slot.clone()), 0.1))
            }
            Out::Slot(Slot::Var(v)) => {
                let kind = kind(&plan, &Slot::Var(var.clone()));
                let apply = call("identity", vec![Slot::Var(var.clone())])?;
                Ok(extend(plan, apply, v.clone(), kind))
            }
            Out::Slot(Slot::Const(_)) => Ok(plan),
            Out::Tuple(parts) => {
                let mut plan = plan;
                for (i, part) in parts.iter().enumerate() {
                    let at = Slot::Const(Some(Value::Long(i as i64)));
                    let apply = call("nth", vec![Slot::Var(var.clone()), at])?;
                    let item = self.fresh();
                    plan = extend(plan, apply, item.clone(), Kind::Any);
                    plan = self.take(plan, &item, part)?;
                }
                Ok(plan)
            }
            Out::Each(part) => {
                let item = self.fresh();
                let mut columns = plan.columns.clone();
                let rows = plan.rows * 4.0;
                columns.push(Column::new(item.clone(), Kind::Any, rows));
                let node = Node::Each { input: Arc::new(plan), of: var.clone() };
                self.take(Plan { node, columns, rows }, &item, part)
            }
        }
    }

    /// A value that is known now, as rows.
    fn spread(&mut self, plan: Plan, apply: &Apply, out: &Out, value: &Cell) -> Result<Plan> {
        if value.is_none() {
            let mut columns = plan.columns.clone();
            let mut vars = BTreeSet::new();
            out.vars(&mut vars);
            let new = vars.into_iter().filter(|v| !plan.has(v));
            columns.extend(new.map(|v| Column::new(v.clone(), Kind::Any, 0.0)));
            return Ok(Plan::empty(columns, format!("[{apply}] is nil")));
        }
        let (mut vars, mut rows) = (Vec::new(), vec![Vec::new()]);
        let fits = rows_of(out, value, &mut vars, &mut rows);
        if !fits {
            return Err(wrong(format!(
                "{apply}: {} cannot be taken apart as {out}",
                to_form(value)
            )));
        }
        rows.sort_unstable();
        rows.dedup();
        let mut names: Vec<(Slot, Var)> = Vec::new();
        for slot in vars {
            let var = match &slot {
                Slot::Var(v) if names.iter().all(|(_, n)| n != v) => v.clone(),
                _ => self.fresh(),
            };
            names.push((slot, var));
        }
        let columns: Vec<Var> = names.iter().map(|(_, v)| v.clone()).collect();
        let values = Planner::values(&columns, &Arc::new(rows));
        let values = self.fit(values, &names);
        Ok(join(plan, values))
    }

    /// The value of the first attribute that an entity has, or the default.
    pub(super) fn first(&mut self, mut plan: Plan, goal: &Goal) -> Result<Plan> {
        let Goal::First { source, e, attributes, default, which, out } = goal else {
            return Ok(plan);
        };
        let db = Arc::clone(self.database(*source)?);
        let e = match e {
            Slot::Var(v) => v.clone(),
            slot => {
                let var = self.fresh();
                plan = extend(plan, call("identity", vec![slot.clone()])?, var.clone(), Kind::LONG);
                var
            }
        };
        if db.snapshot.view().history {
            let text = "get-else and get-some take one value, and a history has many";
            return Err(Stuck::Wrong(
                Fault::new(Default::default(), text).hint("ask for them in a pattern"),
            ));
        }
        let (mut args, mut kinds, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for a in attributes.iter().filter(|a| db.stats().contains_key(*a)) {
            let var = self.fresh();
            args.push(Slot::Const(db.attribute_cell(a)));
            args.push(Slot::Var(var.clone()));
            match star_type(&db, a) {
                Some(ty) => {
                    kinds.push(Kind::of(ty));
                    columns.push((a.clone(), ty, var));
                }
                // Of several types, or decimals: no column of a star.
                None => {
                    let right = self.values_of(*source, &e, a, &var)?;
                    kinds.extend(right.column(&var).map(|c| c.kind));
                    plan = outer(plan, right);
                }
            }
        }
        plan = self.optional(plan, *source, &e, &columns);
        args.push(Slot::Const(default.clone().flatten()));
        let default_kind = default.iter().flatten().map(|v| Kind::of(v.value_type()));
        let kind = kinds.into_iter().chain(default_kind).reduce(Kind::join).unwrap_or(Kind::Any);
        let value = self.fresh();
        plan = extend(plan, call("first-value", args.clone())?, value.clone(), kind);
        if default.is_none() {
            plan = plan.filter(Test::Present(value.clone()), 0.9);
        }
        if !matches!(which, Out::Slot(Slot::Blank)) {
            let var = self.fresh();
            plan = extend(plan, call("first-name", args)?, var.clone(), Kind::Any);
            plan = self.take(plan, &var, which)?;
        }
        self.take(plan, &value, out)
    }

    /// Joins with what an entity may have: one column for each attribute, null where it is absent.
    fn optional(
        &mut self,
        plan: Plan,
        source: usize,
        e: &Var,
        found: &[(Attr, ValueType, Var)],
    ) -> Plan {
        if found.is_empty() || plan.is_empty() {
            return plan;
        }
        let places = found.iter().map(|(a, ty, var)| Place {
            a: a.clone(),
            ty: *ty,
            v: Slot::Var(var.clone()),
            optional: true,
        });
        let mut star = vec![Column::new(e.clone(), Kind::LONG, plan.rows)];
        star.extend(
            found.iter().map(|(_, ty, v)| Column::new(v.clone(), Kind::of(*ty), plan.rows)),
        );
        let node = Node::Star(Star { source, e: Slot::Var(e.clone()), places: places.collect() });
        let rows = plan.rows;
        outer(plan, Plan { node, columns: star, rows })
    }

    /// The values of an attribute, by entity.
    fn values_of(&mut self, source: usize, e: &Var, a: &Attr, v: &Var) -> Result<Plan> {
        let pattern = Pattern {
            source,
            e: Slot::Var(e.clone()),
            a: AttrSlot::Attr(a.clone()),
            v: Slot::Var(v.clone()),
            t: Slot::Blank,
            m: Slot::Blank,
            added: Slot::Blank,
        };
        self.datoms(&pattern, &Types::new())
    }
}

/// All rows of the left, with what the right has of them.
fn outer(left: Plan, right: Plan) -> Plan {
    let mut columns = left.columns.clone();
    columns.extend(right.columns.iter().filter(|c| !left.has(&c.var)).cloned());
    if let Node::Empty { why } = &left.node {
        return Plan::empty(columns, why.clone());
    }
    let rows = left.rows;
    let (left, right) = (Arc::new(left), Arc::new(right));
    Plan { node: Node::Join { left, right, outer: true }, columns, rows }
}

/// One more column.
pub fn extend(plan: Plan, apply: Apply, var: Var, kind: Kind) -> Plan {
    let mut columns = plan.columns.clone();
    columns.push(Column::new(var, kind, plan.rows));
    if let Node::Empty { why } = &plan.node {
        return Plan::empty(columns, why.clone());
    }
    let rows = plan.rows;
    Plan { node: Node::Extend { input: Arc::new(plan), apply }, columns, rows }
}

fn kind(plan: &Plan, slot: &Slot) -> Kind {
    match slot {
        Slot::Var(v) => plan.column(v).map_or(Kind::Any, |c| c.kind),
        Slot::Const(Some(v)) => Kind::of(v.value_type()),
        _ => Kind::Any,
    }
}

pub fn call(name: &str, args: Vec<Slot>) -> Result<Apply> {
    match crate::functions::internal(name) {
        Some(function) => Ok(Apply::new(function, args)),
        None => Err(Stuck::Wrong(
            Fault::new(Default::default(), format!("there is no function {name}"))
                .state(SqlState::INTERNAL),
        )),
    }
}

/// The value where all arguments are constants.
pub fn constant(apply: &Apply) -> Result<Option<Cell>> {
    apply.constant().map_err(wrong)
}

fn wrong(why: String) -> Stuck {
    Stuck::Wrong(Fault::new(Default::default(), why).state(SqlState::INVALID_PARAMETER_VALUE))
}

/// Appends what a value binds to each row; false where it cannot be taken apart so.
fn rows_of(out: &Out, value: &Cell, slots: &mut Vec<Slot>, rows: &mut Vec<Vec<Cell>>) -> bool {
    match (out, value) {
        (Out::Slot(Slot::Blank), _) => true,
        (Out::Slot(slot), value) => {
            slots.push(slot.clone());
            rows.iter_mut().for_each(|r| r.push(value.clone()));
            true
        }
        (Out::Tuple(parts), Some(Value::Tuple(cells))) => {
            parts.len() <= cells.len()
                && parts.iter().zip(cells.iter()).all(|(o, c)| rows_of(o, c, slots, rows))
        }
        (Out::Each(item), Some(Value::Tuple(cells))) => {
            let before = std::mem::take(rows);
            let start = slots.len();
            let mut places = None;
            for cell in cells.iter() {
                let (mut copy, mut names) = (before.clone(), slots[..start].to_vec());
                if !rows_of(item, cell, &mut names, &mut copy) {
                    return false;
                }
                places = Some(names);
                rows.append(&mut copy);
            }
            match places {
                Some(names) => *slots = names,
                None => places_of(item, slots),
            }
            true
        }
        _ => false,
    }
}

fn places_of(out: &Out, slots: &mut Vec<Slot>) {
    match out {
        Out::Slot(Slot::Blank) => {}
        Out::Slot(slot) => slots.push(slot.clone()),
        Out::Tuple(parts) => parts.iter().for_each(|p| places_of(p, slots)),
        Out::Each(item) => places_of(item, slots),
    }
}
