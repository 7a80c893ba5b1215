//! The transactor: ops -> resolved -> validated -> datoms. A refused transaction changes nothing and says which op and why.
//!
//! In the order data flows: [`call`] is what a caller hands over; [`expand`] spreads maps within maps and references said
//! backwards out; [`lookups`] finds whom look-up refs name; [`op`] lays ops out as columns, an attribute each; [`resolve`] finds
//! whom tempids name; [`metas`] are the fifth parts; [`retract`] spreads `:db/retractEntity` out; [`validate`] fits values to declared types; [`datoms`] compares each
//! column with what is known and keeps what is new; [`tuples`] makes composites of that, [`ensure`] asks what entities must
//! have; [`condition`] is what must be true after it; [`prepare`] leads through these steps; [`pending`] is what they read: a
//! snapshot with the transactions on top that are not durable yet; [`writer`] writes groups of them,
//! [`repeated`] finds a call that is made again; [`mod@what_if`] writes nothing.
//!
//! Decisions that a user notices:
//! - A declaration counts at once: the values of its own transaction are checked by it, so that after every transaction all
//!   data fit what is declared. Data already there must fit before the transaction; it cannot be mended in the same one.
//! - Look-up refs see the database before the transaction, as in Datomic.
//! - Entity ids are given by the database: an id that it has not given yet is refused.
//! - `:db/txInstant` may be given, not before that of the transaction before and not after the database's clock.

mod call;
mod condition;
mod datoms;
mod ensure;
mod expand;
mod lookups;
mod metas;
mod op;
mod pending;
mod prepare;
mod repeated;
mod resolve;
mod retract;
mod tuples;
mod validate;
mod what_if;
pub(crate) mod writer;

pub use call::{Provenance, Transaction};
pub use condition::{Condition, Language};
pub(crate) use condition::{Spoken, check as check_conditions};
pub(crate) use what_if::what_if;

use daodb_storage::{Attr, Datom, Snapshot, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whom an op speaks of.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityRef {
    Id(i64),
    /// One new (or upserted) entity for each name within a transaction.
    Temp(Arc<str>),
    /// `[:person/email "a@b"]`
    Lookup(Attr, Value),
    /// `:db/ident` of an entity.
    Ident(Attr),
    /// The transaction's own entity: `"datomic.tx"`.
    Tx,
    /// A map that stands within another one and has no id: the transactor numbers them.
    Inner(u32),
}

/// What an op says.
#[derive(Debug, Clone, PartialEq)]
pub enum TxValue {
    Value(Value),
    /// A reference.
    Entity(EntityRef),
    /// Several values of a cardinality-many attribute (map form only).
    Many(Vec<TxValue>),
    /// A vector, of which only the schema knows whether it is a tuple, a look-up ref or several values.
    Vector(Vec<TxValue>),
    /// An entity of its own, which this one refers to (map form only).
    Map {
        id: Option<EntityRef>,
        attrs: Vec<(Attr, TxValue)>,
    },
    /// A part of a tuple that is not there.
    Nil,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// `[:db/add e a v]`
    Add { e: EntityRef, a: Attr, v: TxValue },
    /// `[:db/retract e a v]`; without v: all values of the attribute.
    Retract { e: EntityRef, a: Attr, v: Option<TxValue> },
    /// `[:db/retractEntity e]`
    RetractEntity { e: EntityRef },
    /// `[:db/cas e a old new]`: `new`, where the value is `old` (None: where there is none).
    Cas { e: EntityRef, a: Attr, old: Option<TxValue>, new: TxValue },
    /// An op whose datoms have `m` as their fifth part: an entity that says who or why.
    About { m: EntityRef, op: Box<Op> },
    /// `{:db/id e, a v, ...}`; without an id: a new entity, or the one that an identity names.
    Map { id: Option<EntityRef>, attrs: Vec<(Attr, TxValue)> },
}

/// What a transaction did.
#[derive(Clone)]
pub struct TxReport {
    pub t: i64,
    /// Microseconds, UTC.
    pub instant: i64,
    pub hash: [u8; 32],
    pub tempids: BTreeMap<Arc<str>, i64>,
    pub datoms: Arc<[Datom]>,
    pub db_before: Snapshot,
    pub db_after: Snapshot,
}
