//! Rows `[e a v t m added]` of a database as a view sees them.

use super::Cell;
use daodb_storage::{Attr, Datom, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Which part of time is seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    pub as_of: Option<i64>,
    pub since: Option<i64>,
    pub history: bool,
}

/// What patterns match.
pub enum Source {
    Database(Db),
    Rows(Vec<Vec<Cell>>),
}

pub struct Db {
    pub rows: Vec<Vec<Cell>>,
    /// Of attributes that are declared.
    pub idents: BTreeMap<String, i64>,
    pub unique: BTreeSet<String>,
    /// What holds at the view's basis, also where the rows are a history: what lookup refs are found in.
    holds: Vec<Vec<Cell>>,
    pub references: BTreeSet<String>,
}

/// References are longs.
fn plain(v: &Value) -> Value {
    match v {
        Value::Ref(e) => Value::Long(*e),
        v => v.clone(),
    }
}

/// What holds, as `(e, a, v)` with the datom that asserted it.
fn held<'a>(datoms: impl Iterator<Item = &'a Datom>) -> BTreeMap<(i64, Attr, Value), &'a Datom> {
    let mut out = BTreeMap::new();
    for d in datoms {
        let key = (d.e, d.a.clone(), d.v.clone());
        match d.added {
            true => out.insert(key, d),
            false => out.remove(&key),
        };
    }
    out
}

impl Db {
    /// `datoms` in the order in which they were said; `own` are the idents that every database has.
    pub fn new(datoms: &[Datom], own: &BTreeMap<String, i64>, view: View) -> Db {
        let known: Vec<&Datom> =
            datoms.iter().filter(|d| view.as_of.is_none_or(|t| d.t <= t)).collect();
        let now = held(known.iter().copied());
        let declared = |a: &str| -> Vec<(i64, &Value)> {
            let of = now.iter().filter(|((_, x, _), _)| x.as_str() == a);
            of.map(|((e, _, v), _)| (*e, v)).collect()
        };
        let mut idents = own.clone();
        for (e, v) in declared(":db/ident") {
            if let Value::Keyword(name) = v {
                idents.insert(name.to_string(), e);
            }
        }
        let unique: BTreeSet<i64> = declared(":db/unique").into_iter().map(|(e, _)| e).collect();
        let names = idents.iter().filter(|(_, e)| unique.contains(e));
        let unique = names.map(|(name, _)| name.clone()).collect();
        let references = known.iter().filter(|d| matches!(d.v, Value::Ref(_)));
        let references = references.map(|d| d.a.to_string()).collect();
        let since = |d: &&Datom| view.since.is_none_or(|t| d.t > t);
        let mut db = Db { rows: vec![], holds: vec![], idents, unique, references };
        db.holds = now.into_values().filter(since).map(|d| db.row(d)).collect();
        db.rows = match view.history {
            true => known.into_iter().filter(since).map(|d| db.row(d)).collect(),
            false => db.holds.clone(),
        };
        db
    }

    fn row(&self, d: &Datom) -> Vec<Cell> {
        let long = |n: i64| Some(Value::Long(n));
        let a = self.attribute(d.a.as_str());
        vec![long(d.e), a, Some(plain(&d.v)), long(d.t), long(d.m), Some(Value::Boolean(d.added))]
    }

    /// What a variable is that stands for an attribute.
    pub fn attribute(&self, name: &str) -> Cell {
        Some(match self.idents.get(name) {
            Some(e) => Value::Long(*e),
            None => Value::keyword(name),
        })
    }

    /// The entity that `[attribute value]` names, or an ident.
    fn entity(&self, named: &Value) -> Option<i64> {
        match named {
            Value::Keyword(name) => self.idents.get(name.as_ref()).copied(),
            Value::Tuple(pair) => {
                let [Some(Value::Keyword(a)), v] = pair.as_ref() else { return None };
                if !self.unique.contains(a.as_ref()) {
                    return None;
                }
                let a = self.attribute(a);
                let row = self.holds.iter().find(|r| r[1] == a && r[2] == *v)?;
                row[0].as_ref()?.as_i64()
            }
            _ => None,
        }
    }

    /// A constant in a place of a pattern; None: no row has it. `a` is the constant of the attribute's place.
    pub fn constant(&self, place: usize, c: &Cell, a: Option<&Cell>) -> Option<Cell> {
        let names = matches!(c, Some(Value::Keyword(_) | Value::Tuple(_)));
        match (place, c) {
            (0, Some(named)) if names => self.entity(named).map(|e| Some(Value::Long(e))),
            (1, Some(Value::Keyword(name))) => Some(self.attribute(name)),
            (2, Some(named)) if names => match a {
                Some(Some(Value::Keyword(a))) if self.references.contains(a.as_ref()) => {
                    self.entity(named).map(|e| Some(Value::Long(e)))
                }
                _ => Some(c.clone()),
            },
            _ => Some(c.clone()),
        }
    }
}
