//! From ops to the datoms of one transaction.

use super::condition::Asked;
use super::datoms::{self, Change, Event};
use super::expand::expand;
use super::metas::Metas;
use super::op::{Columns, Row, refused};
use super::pending::Db;
use super::resolve::{NOBODY, Names};
use super::retract::{self, Target};
use super::{Op, Transaction, ensure, lookups, tuples, validate};
use crate::error::{Error, Result, SqlState};
use crate::schema::change::{Said, declares};
use crate::schema::fit::Checks;
use crate::schema::{Attribute, Schema, builtin};
use daodb_storage::value::instant_text;
use daodb_storage::{Attr, Datom, Value, ValueType};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the transaction follows, and the clock.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub t: i64,
    /// The instant of the transaction before.
    pub previous: i64,
    pub now: i64,
}

/// A transaction ready to be written.
pub struct Prepared {
    pub instant: i64,
    /// Sorted by (a, e, v).
    pub datoms: Vec<Datom>,
    pub tempids: BTreeMap<Arc<str>, i64>,
    pub next_entity: i64,
    /// The schema after it; None: as before.
    pub schema: Option<Schema>,
    /// What must be true of the data before it.
    pub checks: Vec<(Attribute, Checks)>,
    /// What specs ask of the data after it.
    pub asked: Vec<Asked>,
}

/// One transaction's way through the steps.
struct Way<'a> {
    db: &'a mut Db,
    /// As the caller said them.
    ops: &'a [Op],
    /// As they are done, each with the number of the caller's.
    all: &'a [(u32, Cow<'a, Op>)],
    place: Place,
    first_fresh: i64,
    names: Names,
    /// The entity of each op, or its tempid's number.
    subjects: Vec<i64>,
    changes: Vec<Change>,
}

/// Ops to datoms. Nothing is changed but `db`'s indexes of what it holds.
pub async fn prepare(
    db: &mut Db,
    schema: &Schema,
    transaction: &Transaction,
    place: Place,
) -> Result<Prepared> {
    let ops = transaction.ops.as_slice();
    let of_it = transaction.said_of_it();
    let expanded = expand(ops, of_it.as_ref(), schema)?;
    let lookups = lookups::find(db, schema, ops, &expanded).await?;
    let mut names = Names::new(db, lookups, place.t);
    let mut subjects = Vec::with_capacity(expanded.ops.len());
    for (at, op) in &expanded.ops {
        names.op = *at;
        let subject = names.subject(op, schema);
        subjects.push(subject.map_err(|e| refused(ops, *at, e))?);
    }
    let metas = Metas::read(&mut names, &expanded, ops, schema)?;
    let specs = ensure::read(&mut names, &expanded.ensured, ops, schema)?;
    let first_fresh = db.next_entity;
    let (all, changes) = (expanded.ops.as_slice(), Vec::new());
    let mut tx = Way { db, ops, all, place, first_fresh, names, subjects, changes };
    let retracted = tx.retracted(schema).await?;
    let (declaring, plain): (Vec<_>, Vec<_>) =
        retracted.into_iter().partition(|(a, row)| is_declaration(a, row.e, schema));
    let declares = expanded.ops.iter().any(|(_, op)| declares_something(op));
    let (after, checks) = match declaring.is_empty() && !declares {
        true => (None, Vec::new()),
        false => {
            let after = tx.declare(schema, declaring).await?;
            let checks = checks(schema, &after);
            (Some(after), checks)
        }
    };
    let then = after.as_ref().unwrap_or(schema);
    for nested in &expanded.nested {
        nested.check(then).map_err(|e| refused(ops, nested.op, e))?;
    }
    let instant = tx.say(schema, then, plain).await?;
    let asked = ensure::check(tx.db, ops, then, &mut tx.names, &specs, &tx.changes).await?;
    let keyed = transaction.key.is_some();
    let mut prepared = tx.finish(schema, after, instant, metas, keyed);
    (prepared.checks, prepared.asked) = (checks, asked);
    Ok(prepared)
}

fn declares_something(op: &Op) -> bool {
    match op {
        Op::Add { a, .. } | Op::Retract { a, .. } | Op::Cas { a, .. } => is_schema_attribute(a),
        Op::Map { attrs, .. } => attrs.iter().any(|(a, _)| is_schema_attribute(a)),
        Op::RetractEntity { .. } | Op::About { .. } => false,
    }
}

fn is_schema_attribute(a: &Attr) -> bool {
    a.as_str().starts_with(":db") && builtin::SCHEMA_ATTRIBUTES.contains(&a.as_str())
}

/// Whether a claim belongs to the declaration of `e`. `:db/doc` is said of other entities too.
fn is_declaration(a: &Attr, e: i64, schema: &Schema) -> bool {
    declares(a) || (a.as_str() == builtin::DOC && schema.ident_of(e).is_some())
}

/// What the changed declarations ask of the data before the transaction.
fn checks(before: &Schema, after: &Schema) -> Vec<(Attribute, Checks)> {
    let names = before.attributes.keys().chain(after.attributes.keys());
    let mut names: Vec<&Attr> = names.collect();
    names.sort_unstable();
    names.dedup();
    let undeclared = |a: &Attr| Attribute::undeclared(a.clone());
    let changed = names.into_iter().filter_map(|a| {
        let known = before.get(a)?;
        let then = after.get(a).cloned().unwrap_or_else(|| undeclared(a));
        let checks = Checks::between(known, &then);
        checks.any().then_some((then, checks))
    });
    changed.collect()
}

impl Way<'_> {
    /// The facts that retracted entities take with them.
    async fn retracted(&mut self, schema: &Schema) -> Result<Vec<(Attr, Row)>> {
        let mut targets: Vec<Target> = Vec::new();
        for ((at, op), e) in self.all.iter().zip(&self.subjects) {
            if matches!(**op, Op::RetractEntity { .. }) && *e >= 0 && *e != NOBODY {
                retract::check(*e).map_err(|e| refused(self.ops, *at, e))?;
                targets.push((*at, *e));
            }
        }
        retract::expand(self.db, schema, targets).await
    }

    fn columns(
        &mut self,
        schema: &Schema,
        wanted: impl Fn(&Attr, i64) -> bool,
        retracted: Vec<(Attr, Row)>,
    ) -> Result<Columns> {
        let mut columns = Columns::default();
        for ((at, op), e) in self.all.iter().zip(&self.subjects) {
            self.names.op = *at;
            let taken = columns.take(*at, op, *e, schema, &mut self.names, |a| wanted(a, *e));
            taken.map_err(|e| refused(self.ops, *at, e))?;
        }
        columns.retract(retracted, schema)?;
        Ok(columns)
    }

    /// First the declarations, so that what else the transaction says is checked by them. Returns the schema after them.
    async fn declare(&mut self, schema: &Schema, retracted: Vec<(Attr, Row)>) -> Result<Schema> {
        let declared = self.declared_tempids();
        let is_ours = |a: &Attr, e: i64| {
            is_schema_attribute(a)
                && (is_declaration(a, e, schema) || declared.binary_search(&e).is_ok())
        };
        let mut columns = self.columns(schema, is_ours, retracted)?;
        for column in columns.all.iter().filter(|c| c.a().as_str() == builtin::IDENT) {
            for row in &column.adds {
                validate::ident(&row.v).map_err(|e| refused(self.ops, row.op, e))?;
            }
        }
        self.names.resolve(self.db, self.ops, &mut columns.all, false).await?;
        let from = self.changes.len();
        self.compare(columns).await?;
        let said = self.changes[from..].iter().flat_map(|change| {
            let events = change.events.iter();
            events.map(|x| Said { e: x.e, a: &change.a, v: &x.v, added: x.added })
        });
        let last = self.changes[from..].iter().flat_map(|c| &c.events).map(|x| x.op).max();
        schema.after(said).map_err(|e| refused(self.ops, last.unwrap_or(0), e))
    }

    /// The tempids that declare something; their `:db/doc` belongs to it.
    fn declared_tempids(&self) -> Vec<i64> {
        let ops = self.all.iter().map(|(_, op)| &**op).zip(&self.subjects);
        let mut declared: Vec<i64> = ops
            .filter(|(op, e)| {
                **e < 0
                    && match op {
                        Op::Add { a, .. } | Op::Retract { a, .. } | Op::Cas { a, .. } => {
                            declares(a)
                        }
                        Op::Map { attrs, .. } => attrs.iter().any(|(a, _)| declares(a)),
                        Op::RetractEntity { .. } | Op::About { .. } => false,
                    }
            })
            .map(|(_, e)| *e)
            .collect();
        declared.sort_unstable();
        declared.dedup();
        declared
    }

    /// Everything but declarations. Returns the instant.
    async fn say(
        &mut self,
        before: &Schema,
        schema: &Schema,
        retracted: Vec<(Attr, Row)>,
    ) -> Result<i64> {
        let declared = self.declared_tempids();
        let is_ours = |a: &Attr, e: i64| {
            let declares = is_schema_attribute(a)
                && (is_declaration(a, e, before) || declared.binary_search(&e).is_ok());
            !declares
        };
        let mut columns = self.columns(schema, is_ours, retracted)?;
        self.names.resolve(self.db, self.ops, &mut columns.all, true).await?;
        let late = self.retracted_tempids(before)?;
        let late = retract::expand(self.db, schema, late).await?;
        columns.retract(late, schema)?;
        let instant = self.instant(&mut columns)?;
        columns.drop_composites();
        let touched = tuples::touched(&columns, schema);
        self.compare(columns).await?;
        if !touched.is_empty() {
            let (fresh, t) = (self.first_fresh, self.place.t);
            let old = |e| e < fresh && e != t;
            let made =
                tuples::composites(self.db, self.ops, schema, touched, &self.changes, old).await?;
            self.changes.extend(made);
        }
        Ok(instant)
    }

    /// Tempids that are retracted: found by an identity that another op says.
    fn retracted_tempids(&mut self, schema: &Schema) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        for ((at, op), e) in self.all.iter().zip(&self.subjects) {
            if !matches!(**op, Op::RetractEntity { .. }) || *e >= 0 {
                continue;
            }
            let (at, e) = (*at, self.names.settled(*e).unwrap_or(*e));
            if schema.ident_of(e).is_some() {
                let text = format!("entity {e} has a name, and a tempid does not retract it");
                let error = Error::new(SqlState::INVALID_PARAMETER_VALUE, text);
                return Err(refused(self.ops, at, error.hint("name it by its ident or its id")));
            }
            targets.push((at, e));
        }
        Ok(targets)
    }

    async fn compare(&mut self, columns: Columns) -> Result<()> {
        let (fresh, t) = (self.first_fresh, self.place.t);
        for column in columns.all {
            let change = datoms::compare(self.db, self.ops, column, |e| e < fresh && e != t);
            self.changes.push(change.await?);
        }
        Ok(())
    }

    /// Takes `:db/txInstant` out of the columns, or reads the clock.
    fn instant(&self, columns: &mut Columns) -> Result<i64> {
        let Place { t, previous, now } = self.place;
        let clock = now.max(previous.saturating_add(1));
        let given = columns.all.iter_mut().find(|c| c.a().as_str() == builtin::TX_INSTANT);
        let Some(column) = given else { return Ok(clock) };
        let invalid = |op: u32, text: String, hint: &str| {
            let error = Error::new(SqlState::INVALID_PARAMETER_VALUE, text).hint(hint);
            Err(refused(self.ops, op, error))
        };
        let fixed = column.retracts.iter().map(|row| row.op);
        if let Some(op) = fixed.chain(column.clears.iter().map(|(op, _)| *op)).next() {
            let text = "the instant of a transaction cannot be retracted".to_owned();
            return invalid(op, text, "it may only be given, by the transaction itself");
        }
        let mut instant = None;
        for row in std::mem::take(&mut column.adds) {
            let at = row.v.as_i64().unwrap_or_default();
            let shown = instant_text(at);
            if row.e != t {
                let text = format!("entity {} is not this transaction", row.e);
                return invalid(row.op, text, "say :db/txInstant of \"datomic.tx\"");
            }
            if at < previous {
                let text =
                    format!("{shown} is before the transaction before, {}", instant_text(previous));
                return invalid(row.op, text, "instants of transactions never go back");
            }
            if at > now.max(previous) {
                let text = format!("{shown} is yet to come, now is {}", instant_text(now));
                return invalid(row.op, text, "a transaction is not later than the clock");
            }
            if instant.is_some_and(|other| other != at) {
                let text = "the transaction has two instants".to_owned();
                return invalid(row.op, text, "give one");
            }
            instant = Some(at);
        }
        Ok(instant.unwrap_or(clock))
    }

    fn finish(
        mut self,
        before: &Schema,
        mut after: Option<Schema>,
        instant: i64,
        mut metas: Metas,
        keyed: bool,
    ) -> Prepared {
        let t = self.place.t;
        let a = Attr::new(builtin::TX_INSTANT);
        let v = Value::Instant(instant);
        let (op, e, added) = (0, t, true);
        metas.settle(&mut self.names);
        let (tempids, next_entity) = self.names.finish();
        let mut changes = self.changes;
        changes.push(Change { a, events: vec![Event { op, e, v, added }] });
        if keyed && !tempids.is_empty() {
            let a = Attr::new(builtin::TX_TEMPIDS);
            let v = tempids_value(&tempids);
            changes.push(Change { a, events: vec![Event { op, e, v, added }] });
        }
        // Stable: of `:db/doc`, what declarations say stands first.
        changes.sort_by(|x, y| x.a.cmp(&y.a));
        for change in &changes {
            for ty in new_types(after.as_ref().unwrap_or(before), change) {
                after.get_or_insert_with(|| before.clone()).observe(&change.a, ty);
            }
        }
        let mut datoms = Vec::with_capacity(changes.iter().map(|c| c.events.len()).sum());
        for Change { a, events } in changes {
            datoms.extend(events.into_iter().map(|Event { op, e, v, added }| {
                let m = metas.m(op, e, t, added);
                Datom { e, a: a.clone(), v, t, m, added }
            }));
        }
        let (checks, asked) = (Vec::new(), Vec::new());
        Prepared { instant, datoms, tempids, next_entity, schema: after, checks, asked }
    }
}

/// What tempids became, as the transaction's entity keeps it: see [`tempids_of`].
fn tempids_value(tempids: &BTreeMap<Arc<str>, i64>) -> Value {
    let parts = tempids.iter().flat_map(|(name, e)| [Value::String(name.clone()), Value::Ref(*e)]);
    Value::Tuple(parts.map(Some).collect())
}

/// The tempids of a transaction that kept them.
pub fn tempids_of(kept: &Value) -> BTreeMap<Arc<str>, i64> {
    let Value::Tuple(parts) = kept else { return BTreeMap::new() };
    let pairs = parts.chunks(2).filter_map(|pair| match pair {
        [Some(Value::String(name)), Some(Value::Ref(e))] => Some((Arc::clone(name), *e)),
        _ => None,
    });
    pairs.collect()
}

/// The types that an attribute has values of for the first time.
fn new_types(schema: &Schema, change: &Change) -> Vec<ValueType> {
    let mut seen = [false; 1 + ValueType::Tuple as usize];
    for event in change.events.iter().filter(|event| event.added) {
        seen[event.v.value_type() as usize] = true;
    }
    let known = schema.get(&change.a).map(|known| known.observed.as_slice()).unwrap_or_default();
    let new = |ty: &ValueType| seen[*ty as usize] && !known.contains(ty);
    ValueType::ALL.into_iter().filter(new).collect()
}
