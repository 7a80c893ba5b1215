//! The transactor: ops -> resolved -> validated -> datoms. A refused transaction changes nothing and says which op and why.

use crate::error::Result;
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
}

/// What an op says.
#[derive(Debug, Clone, PartialEq)]
pub enum TxValue {
    Value(Value),
    /// A reference.
    Entity(EntityRef),
    /// Several values of a cardinality-many attribute (map form only).
    Many(Vec<TxValue>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// `[:db/add e a v]`
    Add { e: EntityRef, a: Attr, v: TxValue },
    /// `[:db/retract e a v]`; without v: all values of the attribute.
    Retract { e: EntityRef, a: Attr, v: Option<TxValue> },
    /// `[:db/retractEntity e]`
    RetractEntity { e: EntityRef },
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

/// Ops to datoms for transaction `t`, against `db`. Returns also what tempids became.
pub async fn prepare(_db: &Snapshot, _schema: &crate::schema::Schema, _ops: Vec<Op>) -> Result<()> {
    unimplemented!()
}
