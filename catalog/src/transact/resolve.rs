//! Whom ops speak of: look-ups, idents, and tempids by what identifies them.

use super::lookups::{Lookups, holder};
use super::op::{Column, Row, refused};
use super::pending::Db;
use super::{EntityRef, Op};
use crate::error::{Error, Result, SqlState};
use crate::schema::{Schema, Unique, builtin};
use daodb_storage::{FIRST_ENTITY, FIRST_T, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The tempid that names the transaction, as in Datomic.
pub const TX_TEMPID: &str = "datomic.tx";

/// A tempid, or a map without an id.
struct Temp {
    name: Option<Arc<str>>,
    /// The op that named it first.
    op: u32,
    /// Another tempid that is the same entity; itself at the root.
    same_as: u32,
    /// The entity, once known; at the root.
    id: Option<i64>,
    /// Whether any op says something of it.
    said: bool,
    /// Whether any op refers to it.
    used: bool,
}

/// Who is retracted where nobody has that id or name: an entity without facts.
pub const NOBODY: i64 = i64::MAX;

/// The names of one transaction. While an entity is not known it is a negative number: `!i` for the tempid i.
pub struct Names {
    t: i64,
    /// Entity ids below were given by earlier transactions.
    first_fresh: i64,
    next_entity: i64,
    lookups: Lookups,
    temps: Vec<Temp>,
    by_name: HashMap<Arc<str>, u32>,
    /// Those of maps within maps.
    inner: HashMap<u32, i64>,
    /// The op that is read.
    pub op: u32,
}

impl Names {
    /// `lookups` are all of the transaction's.
    pub fn new(db: &Db, lookups: Lookups, t: i64) -> Names {
        Names {
            t,
            first_fresh: db.next_entity,
            next_entity: db.next_entity,
            lookups,
            temps: Vec::new(),
            by_name: HashMap::new(),
            inner: HashMap::new(),
            op: 0,
        }
    }

    /// The entity that is referred to, or its tempid's number.
    pub fn entity(&mut self, entity: &EntityRef, schema: &Schema) -> Result<i64> {
        let e = self.who(entity, schema)?;
        if e < 0 {
            self.temps[!e as usize].used = true;
        }
        Ok(e)
    }

    fn who(&mut self, entity: &EntityRef, schema: &Schema) -> Result<i64> {
        match entity {
            EntityRef::Id(id) => self.known_id(*id, schema),
            EntityRef::Tx => Ok(self.t),
            EntityRef::Temp(name) if &**name == TX_TEMPID => Ok(self.t),
            EntityRef::Temp(name) => Ok(self.temp(name)),
            EntityRef::Inner(n) => Ok(self.inner(*n)),
            EntityRef::Ident(ident) if ident.as_str() == builtin::CURRENT_TX => Ok(self.t),
            EntityRef::Lookup(a, v) => {
                let key = (a.clone(), v.clone());
                self.lookups.get(&key).copied().ok_or_else(|| nobody(&format!("[{a} {v}]")))
            }
            EntityRef::Ident(ident) => schema.entity_of(ident).ok_or_else(|| {
                nobody(&ident.to_string()).hint("an entity is named by giving it a :db/ident")
            }),
        }
    }

    /// The entity that an op is about: a new one for a map without an id.
    pub fn subject(&mut self, op: &Op, schema: &Schema) -> Result<i64> {
        let e = match op {
            Op::RetractEntity { e } if self.is_nobody(e) => return Ok(NOBODY),
            Op::RetractEntity { e } => {
                // It must be somebody by what else is said of it.
                self.entity(e, schema)?;
                e
            }
            Op::Add { e, .. } | Op::Retract { e, .. } => e,
            Op::Cas { e, .. } => e,
            Op::Map { id: Some(id), .. } => id,
            Op::Map { id: None, .. } => return Ok(self.push(None)),
            Op::About { op, .. } => return self.subject(op, schema),
        };
        self.said_of(e, schema)
    }

    /// An entity of which something is said.
    pub fn said_of(&mut self, e: &EntityRef, schema: &Schema) -> Result<i64> {
        let e = self.who(e, schema)?;
        if (0..FIRST_T).contains(&e) {
            let text = format!("entity {e} is built in and cannot be changed");
            return Err(Error::new(SqlState::RESERVED_NAME, text));
        }
        Ok(e)
    }

    /// Whether there is nobody of this id, or nobody was found.
    fn is_nobody(&self, e: &EntityRef) -> bool {
        match e {
            EntityRef::Id(id) => *id >= self.first_fresh,
            EntityRef::Lookup(a, v) => !self.lookups.contains_key(&(a.clone(), v.clone())),
            _ => false,
        }
    }

    fn temp(&mut self, name: &Arc<str>) -> i64 {
        match self.by_name.get(name) {
            Some(i) => !i64::from(*i),
            None => self.push(Some(Arc::clone(name))),
        }
    }

    fn inner(&mut self, n: u32) -> i64 {
        if let Some(e) = self.inner.get(&n) {
            return *e;
        }
        let e = self.push(None);
        self.inner.insert(n, e);
        e
    }

    fn push(&mut self, name: Option<Arc<str>>) -> i64 {
        let i = self.temps.len() as u32;
        if let Some(name) = &name {
            self.by_name.insert(Arc::clone(name), i);
        }
        let (op, same_as) = (self.op, i);
        self.temps.push(Temp { name, op, same_as, id: None, said: false, used: false });
        !i64::from(i)
    }

    /// Refuses an id that was never given.
    pub fn known_id(&self, id: i64, schema: &Schema) -> Result<i64> {
        let known = match id {
            id if id >= FIRST_ENTITY => id < self.first_fresh,
            id if id >= FIRST_T => id <= self.t,
            id => schema.ident_of(id).is_some(),
        };
        if known {
            return Ok(id);
        }
        Err(nobody(&id.to_string())
            .hint("the database gives ids: a new entity is a map without :db/id, or a tempid"))
    }

    /// Notes that something is added to `e`.
    pub fn is_said(&mut self, e: i64) {
        if e < 0 {
            self.temps[!e as usize].said = true;
        }
    }

    fn root(&mut self, e: i64) -> usize {
        let mut i = !e as usize;
        while self.temps[i].same_as as usize != i {
            // Halving the path keeps it short.
            self.temps[i].same_as = self.temps[self.temps[i].same_as as usize].same_as;
            i = self.temps[i].same_as as usize;
        }
        i
    }

    /// The entity of a tempid, where it is known by now.
    fn known(&mut self, e: i64) -> Option<i64> {
        if e >= 0 {
            return Some(e);
        }
        let root = self.root(e);
        self.temps[root].id
    }

    /// Both tempids are one entity.
    fn unify(&mut self, x: i64, y: i64) -> Result<()> {
        let (x, y) = (self.root(x), self.root(y));
        if x == y {
            return Ok(());
        }
        let (first, other) = (x.min(y), x.max(y));
        if let Some(id) = self.temps[other].id {
            self.found(!(first as i64), id)?;
        }
        self.temps[other].same_as = first as u32;
        self.temps[first].said |= self.temps[other].said;
        self.temps[first].used |= self.temps[other].used;
        Ok(())
    }

    fn found(&mut self, e: i64, id: i64) -> Result<()> {
        let root = self.root(e);
        match self.temps[root].id {
            Some(other) if other != id => {
                let temp = &self.temps[root];
                let who = match &temp.name {
                    Some(name) => format!("the tempid \"{name}\""),
                    None => "the map".to_owned(),
                };
                let text = format!(
                    "{who} is entity {other} by one unique attribute and entity {id} by another"
                );
                Err(Error::new(SqlState::UNIQUE_VIOLATION, text)
                    .hint("one map speaks of one entity: split it, or mend the identities first"))
            }
            _ => {
                self.temps[root].id = Some(id);
                Ok(())
            }
        }
    }

    /// Finds the entities of tempids by the identities said of them, then gives new ids to those that `ready` says.
    pub async fn resolve(
        &mut self,
        db: &mut Db,
        ops: &[Op],
        columns: &mut [Column],
        all: bool,
    ) -> Result<()> {
        if self.temps.is_empty() {
            return Ok(());
        }
        // An identity may be a reference to another tempid, found in an earlier round.
        loop {
            let mut progress = false;
            for column in columns.iter_mut() {
                if column.attribute.unique == Some(Unique::Identity) {
                    progress |= self.upserts(db, ops, column).await?;
                }
            }
            if !progress {
                break;
            }
        }
        self.give_ids(ops, all)?;
        for column in columns {
            let Column { adds, retracts, clears, swaps, .. } = column;
            for row in adds.iter_mut().chain(retracts) {
                row.e = self.known(row.e).unwrap_or(row.e);
                self.settle(&mut row.v);
            }
            for (_, e) in clears {
                *e = self.known(*e).unwrap_or(*e);
            }
            for swap in swaps {
                swap.e = self.known(swap.e).unwrap_or(swap.e);
                swap.old.iter_mut().for_each(|old| self.settle(old));
            }
        }
        Ok(())
    }

    /// Puts the entities of tempids into a value.
    fn settle(&mut self, v: &mut Value) {
        match v {
            Value::Ref(r) => *r = self.known(*r).unwrap_or(*r),
            Value::Tuple(parts) if parts.iter().any(is_temp) => {
                let mut all = parts.to_vec();
                all.iter_mut().flatten().for_each(|part| self.settle(part));
                *parts = all.into();
            }
            _ => {}
        }
    }

    /// Tempids that a column of identities names. True where anything new was found.
    async fn upserts(&mut self, db: &mut Db, ops: &[Op], column: &mut Column) -> Result<bool> {
        let mut claims: Vec<&Row> = column.adds.iter().filter(|row| row.e < 0).collect();
        let mut settled: Vec<(Value, u32, i64)> = Vec::with_capacity(claims.len());
        let mut progress = false;
        for row in claims.drain(..) {
            let v = match row.v {
                Value::Ref(r) if r < 0 => match self.known(r) {
                    Some(id) => Value::Ref(id),
                    None => Value::Ref(!(self.root(r) as i64)),
                },
                _ => row.v.clone(),
            };
            settled.push((v, row.op, row.e));
        }
        settled.sort_by(|x, y| x.0.cmp(&y.0));
        for pair in settled.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            if self.root(pair[0].2) != self.root(pair[1].2) {
                progress = true;
                self.unify(pair[0].2, pair[1].2).map_err(|e| refused(ops, pair[1].1, e))?;
            }
        }
        let asked = settled.iter().filter(|(v, _, _)| !matches!(v, Value::Ref(r) if *r < 0));
        let mut asked: Vec<Value> = asked.map(|(v, _, _)| v.clone()).collect();
        asked.dedup();
        asked.retain(|v| column.free.binary_search(v).is_err());
        if asked.is_empty() {
            return Ok(progress);
        }
        let found = db.lookup(&column.attribute.ident, &asked).await?;
        for (v, op, e) in &settled {
            if let Some(id) = holder(&found, v) {
                progress |= self.known(*e).is_none();
                self.found(*e, id).map_err(|e| refused(ops, *op, e))?;
            }
        }
        column.free.extend(asked.into_iter().filter(|v| holder(&found, v).is_none()));
        column.free.sort();
        Ok(progress)
    }

    /// `all`: tempids to which nothing is said are refused; else they are left for later.
    fn give_ids(&mut self, ops: &[Op], all: bool) -> Result<()> {
        for i in 0..self.temps.len() {
            let root = self.root(!(i as i64));
            let temp = &self.temps[root];
            if temp.id.is_some() {
                continue;
            }
            if !temp.said {
                // A map that says nothing is no entity, and nobody misses it.
                if !all || !temp.used {
                    continue;
                }
                let who = match &temp.name {
                    Some(name) => format!("the tempid \"{name}\""),
                    None => "the map".to_owned(),
                };
                let text = format!("nothing is said of {who}, so it is no entity");
                let e = Error::new(SqlState::FOREIGN_KEY_VIOLATION, text)
                    .hint("add an attribute to it, or name an entity that is there");
                return Err(refused(ops, temp.op, e));
            }
            self.temps[root].id = Some(self.next_entity);
            self.next_entity += 1;
        }
        Ok(())
    }

    /// The entity of an op's subject, after all ids are given.
    pub fn settled(&mut self, e: i64) -> Option<i64> {
        self.known(e)
    }

    /// What became of the tempids that have names, and the lowest id that was not given.
    pub fn finish(mut self) -> (BTreeMap<Arc<str>, i64>, i64) {
        let mut ids = BTreeMap::new();
        for i in 0..self.temps.len() {
            let id = self.known(!(i as i64));
            if let (Some(name), Some(id)) = (self.temps[i].name.take(), id) {
                ids.insert(name, id);
            }
        }
        (ids, self.next_entity)
    }
}

/// Whether a part of a tuple is a tempid's number.
fn is_temp(part: &Option<Value>) -> bool {
    matches!(part, Some(Value::Ref(r)) if *r < 0)
}

pub fn nobody(who: &str) -> Error {
    Error::new(SqlState::FOREIGN_KEY_VIOLATION, format!("there is no entity {who}"))
}
