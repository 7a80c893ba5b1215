//! Entities that are named by an ident or by `[attribute value]`.

use super::inputs::Inputs;
use super::places::{Meaning, Place};
use super::{Slot, Var};
use crate::edn::{Form, Node};
use crate::query::{Clause, Query, TermKind, check};
use crate::source::{DbSource, Rows, Source, whole};
use crate::value::{Cell, of_form};
use daodb_catalog::Result;
use daodb_storage::{Attr, Value, ValueType};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

type Pair = (Attr, Value);

/// The entities of all lookup refs that a query may mean, by source.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    entities: HashMap<(usize, Pair), i64>,
}

impl Found {
    pub async fn read(query: &Query, inputs: &Inputs) -> Result<Found> {
        let mut pairs = BTreeSet::new();
        of_clauses(&query.clauses, &mut pairs);
        inputs.rules.rules.values().flatten().for_each(|r| of_clauses(&r.clauses, &mut pairs));
        inputs.constants.values().for_each(|c| pairs.extend(pair(c)));
        let rows = inputs.rows.iter().flat_map(|(_, rows)| rows.iter());
        rows.flatten().for_each(|c| pairs.extend(pair(c)));
        let tuples = inputs.sources.iter().filter_map(Source::tuples).flat_map(|t| t.rows.iter());
        tuples.flatten().for_each(|c| pairs.extend(pair(c)));
        Found::of_pairs(pairs, inputs).await
    }

    /// Those that cells name.
    pub async fn of_cells(cells: &[Cell], inputs: &Inputs) -> Result<Found> {
        Found::of_pairs(cells.iter().filter_map(pair).collect(), inputs).await
    }

    async fn of_pairs(pairs: BTreeSet<Pair>, inputs: &Inputs) -> Result<Found> {
        let mut out = Found::default();
        if pairs.is_empty() {
            return Ok(out);
        }
        for (i, source) in inputs.sources.iter().enumerate() {
            if let Source::Database(db) = source {
                out.of_source(i, db, &pairs).await?;
            }
        }
        Ok(out)
    }

    async fn of_source(&mut self, i: usize, db: &DbSource, pairs: &BTreeSet<Pair>) -> Result<()> {
        // What was asked by what is stored.
        let mut by_attribute: BTreeMap<&Attr, BTreeMap<Value, Vec<&Value>>> = BTreeMap::new();
        for (a, v) in pairs {
            let Some(attribute) = db.attribute(a).filter(|a| a.unique.is_some()) else { continue };
            let stored = match (attribute.value_type, v) {
                (Some(ValueType::Ref), Value::Long(e)) => Value::Ref(*e),
                (Some(ty), v) => whole(v, ty),
                (None, v) => v.clone(),
            };
            by_attribute.entry(a).or_default().entry(stored).or_default().push(v);
        }
        for (a, asked) in by_attribute {
            let values: Vec<Value> = asked.keys().cloned().collect();
            let stored = db.schema.stored(a);
            for fact in db.snapshot.lookup(stored, &values).await?.iter().filter(|f| f.is_open()) {
                for v in asked.get(&fact.v).into_iter().flatten() {
                    self.entities.insert((i, (a.clone(), (*v).clone())), fact.e);
                }
            }
        }
        Ok(())
    }

    /// The entity that a cell names in a source: by its number, its ident or a lookup ref.
    pub fn entity(&self, inputs: &Inputs, source: usize, cell: &Cell) -> Option<i64> {
        match (cell, inputs.sources.get(source)) {
            (Some(Value::Long(e)), _) => Some(*e),
            (Some(Value::Keyword(k)), Some(Source::Database(db))) => {
                db.schema.entity_of(&Attr::new(k))
            }
            (cell, _) => self.entities.get(&(source, pair(cell)?)).copied(),
        }
    }

    /// Rows whose names of entities and attributes are replaced by what they name; a row is left out where
    /// something has to be named and is not. What was given stays as further columns, which the pairs name: it is what
    /// `:find` shows.
    pub fn named_rows(
        &self,
        inputs: &Inputs,
        vars: &[Var],
        rows: &Arc<Vec<Vec<Cell>>>,
        places: &BTreeMap<Var, Place>,
    ) -> Named {
        let touched = |i: &usize| is_touched(places.get(&vars[*i]), rows.iter().map(|r| &r[*i]));
        let renamed: Vec<usize> = (0..vars.len()).filter(touched).collect();
        if renamed.is_empty() {
            return Named { vars: vars.to_vec(), rows: Arc::clone(rows), given: vec![] };
        }
        let cell = |i: usize, c: &Cell| -> Option<Cell> {
            let Some(place) = places.get(&vars[i]) else { return Some(c.clone()) };
            let meant = match place.meaning {
                Meaning::Entity(source) if is_name(c) => {
                    self.entity(inputs, source, c).map(|e| Some(Value::Long(e)))
                }
                Meaning::Entity(_) => return Some(c.clone()),
                Meaning::Whole(ty) => return Some(c.as_ref().map(|v| whole(v, ty))),
                Meaning::Attribute(source) => match inputs.sources.get(source) {
                    Some(Source::Database(db)) => db.attribute_of(c).map(|a| db.attribute_cell(&a)),
                    _ => return Some(c.clone()),
                },
            };
            if place.always { meant } else { meant.or_else(|| Some(c.clone())) }
        };
        let row = |row: &Vec<Cell>| {
            let meant = row.iter().enumerate().map(|(i, c)| cell(i, c));
            let given = renamed.iter().map(|i| Some(row[*i].clone()));
            meant.chain(given).collect::<Option<Vec<Cell>>>()
        };
        let given: Vec<(Var, Var)> = renamed
            .iter()
            .map(|i| (vars[*i].clone(), Var(format!("{}'given", vars[*i]).into())))
            .collect();
        let vars = vars.iter().chain(given.iter().map(|(_, g)| g)).cloned().collect();
        Named { vars, rows: Arc::new(rows.iter().filter_map(row).collect()), given }
    }

    /// The same of the tuples of a plain collection, as these slots take them; None: nothing has to be named.
    pub fn named_tuples(
        &self,
        inputs: &Inputs,
        slots: &[Slot],
        tuples: &Rows,
        places: &BTreeMap<Var, Place>,
    ) -> Option<Named> {
        let place = |slot: &Slot| places.get(slot.var()?);
        let column = |i: usize| tuples.rows.iter().map(move |row| &row[i]);
        let width = slots.len().min(tuples.kinds.len());
        if !(0..width).any(|i| is_touched(place(&slots[i]), column(i))) {
            return None;
        }
        let first = |v: &Var| slots.iter().position(|slot| slot.var() == Some(v));
        let fits = |row: &&Vec<Cell>| {
            slots.iter().zip(row.iter()).all(|(slot, cell)| match slot {
                Slot::Var(v) => first(v).is_some_and(|i| row[i] == *cell),
                Slot::Const(wanted) => wanted == cell,
                Slot::Blank => true,
            })
        };
        let vars: BTreeSet<&Var> = slots.iter().filter_map(Slot::var).collect();
        let at: Vec<usize> = vars.iter().filter_map(|v| first(v)).collect();
        let row = |row: &Vec<Cell>| at.iter().map(|i| row[*i].clone()).collect();
        let rows: BTreeSet<Vec<Cell>> = tuples.rows.iter().filter(fits).map(row).collect();
        let vars: Vec<Var> = vars.into_iter().cloned().collect();
        Some(self.named_rows(inputs, &vars, &Arc::new(rows.into_iter().collect()), places))
    }
}

/// What may name an entity or an attribute.
fn is_name(cell: &Cell) -> bool {
    matches!(cell, Some(Value::Keyword(_) | Value::Tuple(_)))
}

/// Whether something among these has to be replaced by what it means in this place.
fn is_touched<'a>(place: Option<&Place>, mut cells: impl Iterator<Item = &'a Cell>) -> bool {
    match place.map(|p| p.meaning) {
        Some(Meaning::Whole(ty)) => cells.any(|c| c.as_ref().is_some_and(|v| whole(v, ty) != *v)),
        Some(_) => cells.any(is_name),
        None => false,
    }
}

/// Rows of an input, after names were replaced.
pub struct Named {
    pub vars: Vec<Var>,
    pub rows: Arc<Vec<Vec<Cell>>>,
    /// A variable, and the one that has what was given for it.
    pub given: Vec<(Var, Var)>,
}

/// What may be a lookup ref.
fn pair(cell: &Cell) -> Option<Pair> {
    match cell {
        Some(Value::Tuple(parts)) => match parts.as_ref() {
            [Some(Value::Keyword(a)), Some(v)] => Some((Attr::new(a), v.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn of_node(node: &Node, out: &mut BTreeSet<Pair>) {
    if matches!(node.form, Form::Vector(_)) {
        out.extend(of_form(node).ok().and_then(|c| pair(&c)));
    }
}

fn of_clauses(clauses: &[Clause], out: &mut BTreeSet<Pair>) {
    for clause in clauses {
        let terms = match clause {
            Clause::Pattern { terms, .. } => terms,
            Clause::Function(call, _) if call.name.as_ref() == check::NESTED => {
                // What is no query is told of when it is resolved.
                if let Ok(query) = check::nested(call) {
                    of_clauses(&query.clauses, out);
                }
                &call.args
            }
            Clause::Predicate(call) | Clause::Function(call, _) | Clause::Rule { call, .. } => {
                &call.args
            }
            Clause::Not { clauses, .. } => {
                of_clauses(clauses, out);
                continue;
            }
            Clause::Or { branches, .. } => {
                branches.iter().for_each(|b| of_clauses(b, out));
                continue;
            }
        };
        for term in terms {
            if let TermKind::Const(node) = &term.kind {
                of_node(node, out);
            }
        }
    }
}
