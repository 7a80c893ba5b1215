//! The transactor and the catalog, on databases in memory and in folders.
#![allow(clippy::unwrap_used, clippy::panic)]

mod catalogs;
mod checks;
mod declarations;
mod forms;
mod model;
mod provenance;
mod random;
mod renames;
mod rules;
mod sessions;
mod tuples;
mod what_if;

use daodb_catalog::database::CatalogOptions;
use daodb_catalog::{Catalog, Database, EntityRef, Op, SqlState, TxReport, TxValue};
use daodb_storage::{Attr, StreamOptions, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 2026-01-01T00:00:00Z
pub const EPOCH: i64 = 1_767_225_600_000_000;

/// A clock that goes a second further at each look.
pub fn options(tail_datoms: usize) -> CatalogOptions {
    let at = AtomicI64::new(EPOCH);
    let clock = Arc::new(move || at.fetch_add(1_000_000, Ordering::Relaxed));
    let stream = StreamOptions::new(tail_datoms, 1 << 20, Arc::new(|| EPOCH));
    CatalogOptions { clock, ..CatalogOptions::new(stream, 64 << 20) }
}

pub async fn database() -> (Arc<Catalog>, Arc<Database>) {
    let catalog = Catalog::open_memory(options(1000)).await.unwrap();
    let database = catalog.create("test").await.unwrap();
    (catalog, database)
}

pub fn temp(name: &str) -> EntityRef {
    EntityRef::Temp(name.into())
}

pub fn lookup(a: &str, v: impl Into<V>) -> EntityRef {
    EntityRef::Lookup(a.into(), v.into().0)
}

/// A value, as a test writes it: `"x"` a string, `":x"` a keyword, `1` a long.
pub struct V(pub Value);
impl From<&str> for V {
    fn from(s: &str) -> V {
        V(if s.starts_with(':') { Value::keyword(s) } else { Value::string(s) })
    }
}
impl From<i64> for V {
    fn from(n: i64) -> V {
        V(Value::Long(n))
    }
}
impl From<Value> for V {
    fn from(v: Value) -> V {
        V(v)
    }
}

pub fn value(v: impl Into<V>) -> TxValue {
    TxValue::Value(v.into().0)
}

pub fn add(e: EntityRef, a: &str, v: TxValue) -> Op {
    Op::Add { e, a: a.into(), v }
}

pub fn retract(e: EntityRef, a: &str, v: Option<TxValue>) -> Op {
    Op::Retract { e, a: a.into(), v }
}

pub fn map<const N: usize>(id: Option<EntityRef>, attrs: [(&str, TxValue); N]) -> Op {
    Op::Map { id, attrs: attrs.into_iter().map(|(a, v)| (Attr::new(a), v)).collect() }
}

/// A declaration: `what` are names without `:db.type/` and so on.
pub fn declare(a: &str, what: &[&str]) -> Op {
    let mut attrs = vec![(Attr::new(":db/ident"), value(Value::keyword(a)))];
    for what in what {
        attrs.push(match *what {
            "one" | "many" => {
                (":db/cardinality".into(), value(&*format!(":db.cardinality/{what}")))
            }
            "identity" | "value" => (":db/unique".into(), value(&*format!(":db.unique/{what}"))),
            "component" => (":db/isComponent".into(), value(Value::Boolean(true))),
            ty => (":db/valueType".into(), value(&*format!(":db.type/{ty}"))),
        });
    }
    Op::Map { id: None, attrs }
}

pub async fn run(database: &Database, ops: Vec<Op>) -> TxReport {
    database.transact(ops).await.unwrap_or_else(|e| panic!("{} {e}", e.state.as_str()))
}

/// A transaction that must be refused, without a trace; its message says `why`.
pub async fn refuse(database: &Database, ops: Vec<Op>, state: SqlState, why: &str) {
    let before = database.snapshot().newest().clone();
    let e = match database.transact(ops).await {
        Ok(report) => panic!("taken: {:?}", report.datoms),
        Err(e) => e,
    };
    assert_eq!(e.state, state, "{e}");
    assert!(e.to_string().contains(why), "{e}\nsays not: {why}");
    assert_eq!(*database.snapshot().newest(), before);
}

/// The open facts of an attribute, as text.
pub async fn facts(database: &Database, a: &str) -> Vec<String> {
    let facts = database.snapshot().all(&a.into()).await.unwrap();
    facts.iter().map(|f| format!("{} {}", f.e, f.v)).collect()
}

/// What a report says, without the instant.
pub fn datoms(report: &TxReport) -> Vec<String> {
    let said = report.datoms.iter().filter(|d| d.a.as_str() != ":db/txInstant");
    said.map(|d| format!("{}{} {} {}", if d.added { '+' } else { '-' }, d.e, d.a, d.v)).collect()
}
