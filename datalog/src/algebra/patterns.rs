//! Patterns: those about one entity as one star, others by themselves.

use super::build::{Result, Types, plain};
use super::{Column, Datoms, Node, Place, Plan, Planner, Star, TableRead};
use crate::query::Var;
use crate::resolve::{AttrSlot, Goal, Pattern, Slot};
use crate::source::{DbSource, Source};
use crate::sql::source::SqlTable;
use crate::value::{Cell, Kind, array};
use daodb_storage::{Attr, Value, ValueType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a star is about.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Var(usize, Var),
    Entity(usize, Cell),
}

impl Planner<'_> {
    /// One plan for each star and each other pattern.
    pub(super) fn patterns(&mut self, goals: &[Goal], types: &Types) -> Result<Vec<Plan>> {
        let (mut stars, mut out) =
            (BTreeMap::<About, Vec<(&Pattern, ValueType)>>::new(), Vec::new());
        for goal in goals {
            let Goal::Pattern(pattern) = goal else { continue };
            let about = match &pattern.e {
                Slot::Var(v) => Some(About::Var(pattern.source, v.clone())),
                Slot::Const(c) => Some(About::Entity(pattern.source, c.clone())),
                Slot::Blank => None,
            };
            match (about, self.star_type(pattern, types)?) {
                (Some(about), Some(ty)) => stars.entry(about).or_default().push((pattern, ty)),
                _ => out.push(self.datoms(pattern, types)?),
            }
        }
        for patterns in stars.into_values() {
            out.push(self.star(&patterns)?);
        }
        Ok(out)
    }

    /// The type of the pattern's attribute where it can be read as a column of a star.
    fn star_type(&self, p: &Pattern, types: &Types) -> Result<Option<ValueType>> {
        let db = self.database(p.source)?;
        let AttrSlot::Attr(a) = &p.a else { return Ok(None) };
        let plain_places = p.t.is_blank() && p.m.is_blank() && p.added.is_blank();
        if !plain_places || db.snapshot.view().history {
            return Ok(None);
        }
        Ok(star_type(db, a).filter(|ty| match &p.v {
            Slot::Var(v) => types.get(v).is_none_or(|t| t.contains(&plain(*ty))),
            Slot::Const(Some(v)) => Kind::of(v.value_type()) == Kind::of(*ty),
            _ => true,
        }))
    }

    fn star(&mut self, patterns: &[(&Pattern, ValueType)]) -> Result<Plan> {
        let (first, _) = patterns[0];
        let db = Arc::clone(self.database(first.source)?);
        let rows = patterns.iter().filter_map(|(p, _)| attr(p)).map(|a| db.facts(a));
        let mut rows = rows.fold(f64::MAX, f64::min);
        let mut slots = Vec::new();
        let mut places = Vec::new();
        for (p, ty) in patterns {
            let Some(a) = attr(p) else { continue };
            let (_, values) = db.distinct(a);
            if matches!(p.v, Slot::Const(_)) {
                rows /= values;
            }
            places.push(Place { a: a.clone(), ty: *ty, v: p.v.clone(), optional: false });
            slots.push((p.v.clone(), Kind::of(*ty), values));
        }
        rows = if matches!(first.e, Slot::Const(_)) { 1.0 } else { rows.max(0.1) };
        let mut columns: Vec<Column> = Vec::new();
        if let Slot::Var(e) = &first.e {
            columns.push(Column::new(e.clone(), Kind::LONG, rows));
        }
        // A variable that stands twice is named anew and compared.
        let mut twice = Vec::new();
        for (place, (slot, kind, values)) in places.iter_mut().zip(slots) {
            let Slot::Var(v) = &slot else { continue };
            let var = match columns.iter().any(|c| c.var == *v) {
                true => self.fresh(),
                false => v.clone(),
            };
            if var != *v {
                place.v = Slot::Var(var.clone());
                twice.push((var.clone(), v.clone()));
            }
            columns.push(Column::new(var, kind, values.min(rows)));
        }
        let star = Star { source: first.source, e: first.e.clone(), places };
        let plan = Plan { node: Node::Star(star), columns, rows };
        Ok(same(plan, twice))
    }

    pub(super) fn datoms(&mut self, pattern: &Pattern, types: &Types) -> Result<Plan> {
        let db = Arc::clone(self.database(pattern.source)?);
        let wanted: Vec<Attr> = match &pattern.a {
            AttrSlot::Attr(a) => vec![a.clone()],
            AttrSlot::Any(_) => db.stats().keys().cloned().collect(),
        };
        let passes = |ty: ValueType| match &pattern.v {
            Slot::Var(v) => types.get(v).is_none_or(|t| t.contains(&plain(ty))),
            Slot::Const(Some(v)) => Kind::of(v.value_type()) == Kind::of(ty),
            Slot::Const(None) => false,
            Slot::Blank => true,
        };
        let of = |a: Attr| {
            let types: Vec<ValueType> = db.types(&a).into_iter().filter(|t| passes(*t)).collect();
            (!types.is_empty()).then_some((a, types))
        };
        let attributes: Vec<(Attr, Vec<ValueType>)> = wanted.into_iter().filter_map(of).collect();
        let v_kind = Kind::of_all(attributes.iter().flat_map(|(_, t)| t.iter().copied()));
        let a_cells: Vec<Cell> = attributes.iter().map(|(a, _)| db.attribute_cell(a)).collect();
        let a_kind = crate::resolve::inputs::kind_of(a_cells.iter());
        let facts: f64 = attributes.iter().map(|(a, _)| db.facts(a)).sum();
        let (mut es, mut vs) = (0.0f64, 0.0);
        for (a, _) in &attributes {
            let (e, v) = db.distinct(a);
            (es, vs) = (es.max(e), vs + v);
        }
        let counts = [es, attributes.len() as f64, vs, facts.sqrt(), 2.0, 2.0];
        let kinds = [
            Kind::LONG,
            a_kind,
            v_kind.unwrap_or(Kind::Any),
            Kind::LONG,
            Kind::LONG,
            Kind::BOOLEAN,
        ];
        let mut rows = facts;
        let (mut pattern, mut columns, mut twice) =
            (pattern.clone(), Vec::<Column>::new(), Vec::new());
        let Pattern { e, a, v, t, m, added, .. } = &mut pattern;
        let mut blank = Slot::Blank;
        let a = match a {
            AttrSlot::Any(slot) => slot,
            AttrSlot::Attr(_) => &mut blank,
        };
        for (i, slot) in [e, a, v, t, m, added].into_iter().enumerate() {
            match slot {
                Slot::Const(_) => rows /= counts[i].max(1.0),
                Slot::Var(var) => {
                    if columns.iter().any(|c| c.var == *var) {
                        let fresh = self.fresh();
                        twice.push((fresh.clone(), var.clone()));
                        *var = fresh;
                    }
                    columns.push(Column::new(var.clone(), kinds[i], counts[i]));
                }
                Slot::Blank => {}
            }
        }
        let Some(v_kind) = v_kind else {
            let why = format!("no value of {pattern} has a type that could match");
            return Ok(same(Plan::empty(columns, why), twice));
        };
        columns.iter_mut().for_each(|c| c.distinct = c.distinct.min(rows.max(1.0)));
        let node = Node::Datoms(Datoms { pattern, attributes, v_kind, a_kind });
        Ok(same(Plan { node, columns, rows: rows.max(0.1) }, twice))
    }

    /// A pattern over a plain collection or rows of SQL.
    pub(super) fn row(&mut self, source: usize, slots: &[Slot]) -> Plan {
        let rows = match &self.sources[source] {
            Source::Rows(rows) => Arc::clone(rows),
            Source::Table(table) => {
                let table = Arc::clone(table);
                return self.table(source, &table, slots);
            }
            Source::Database(_) => return Plan::empty(vec![], "no collection"),
        };
        let mut names: Vec<(Slot, Var)> = Vec::new();
        for i in 0..rows.kinds.len() {
            let slot = slots.get(i).cloned().unwrap_or(Slot::Blank);
            let var = match &slot {
                Slot::Var(v) if names.iter().all(|(_, n)| n != v) => v.clone(),
                _ => self.fresh(),
            };
            names.push((slot, var));
        }
        let vars: Vec<Var> = names.iter().map(|(_, v)| v.clone()).collect();
        let keep: Vec<Var> = slots.iter().filter_map(Slot::var).cloned().collect();
        let plan = Planner::values(&vars, &Arc::new(rows.rows.clone()));
        self.fit(plan, &names).distinct(|v| keep.contains(v))
    }
}

impl Planner<'_> {
    fn table(&mut self, source: usize, table: &SqlTable, slots: &[Slot]) -> Plan {
        let (mut places, mut columns, mut twice) = (Vec::new(), Vec::<Column>::new(), Vec::new());
        let mut rows = table.rows.max(1.0);
        for (i, (slot, of)) in slots.iter().zip(&table.columns).enumerate() {
            let slot = match slot {
                Slot::Blank => continue,
                Slot::Const(_) => {
                    rows = (rows / 10.0).max(1.0);
                    slot.clone()
                }
                Slot::Var(v) => {
                    let var = match columns.iter().any(|c| c.var == *v) {
                        true => self.fresh(),
                        false => v.clone(),
                    };
                    if var != *v {
                        twice.push((var.clone(), v.clone()));
                    }
                    let kind = of.kind.unwrap_or(Kind::Any);
                    columns.push(Column::new(var.clone(), kind, table.rows));
                    Slot::Var(var)
                }
            };
            places.push((i, slot));
        }
        columns.iter_mut().for_each(|c| c.distinct = c.distinct.min(rows));
        let keep: Vec<Var> = slots.iter().filter_map(Slot::var).cloned().collect();
        let node = Node::Table(TableRead { source, places });
        // A result of SQL may have a row twice.
        same(Plan { node, columns, rows }, twice).distinct(|v| keep.contains(v))
    }
}

fn same(plan: Plan, twice: Vec<(Var, Var)>) -> Plan {
    twice
        .into_iter()
        .fold(plan, |plan, (var, v)| plan.filter(super::Test::Same(var, Slot::Var(v)), 0.1))
}

fn attr(p: &Pattern) -> Option<&Attr> {
    match &p.a {
        AttrSlot::Attr(a) => Some(a),
        AttrSlot::Any(_) => None,
    }
}

/// The one stored type of an attribute that a star can have a column of.
pub fn star_type(db: &DbSource, a: &Attr) -> Option<ValueType> {
    let types = db.types(a);
    let [ty] = types.as_slice() else { return None };
    // Decimals have another shape in tables.
    let plain = !matches!(ty, ValueType::Bigint | ValueType::Bigdec);
    (plain && !db.is_many(a)).then_some(*ty)
}

/// A value as the literal of a column of that kind; None where the kind cannot hold it.
pub fn scalar(kind: Kind, cell: &Cell) -> Option<datafusion::common::ScalarValue> {
    if let (Kind::Typed(ty), Some(v)) = (kind, cell)
        && plain(v.value_type()) != ty
    {
        return None;
    }
    let v: Option<&Value> = cell.as_ref();
    datafusion::common::ScalarValue::try_from_array(&array(kind, [v].into_iter()), 0).ok()
}
