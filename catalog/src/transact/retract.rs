//! `:db/retractEntity` spread out: what is said of the entity, of its components, and what refers to them.

use super::op::Row;
use super::pending::Db;
use crate::error::{Error, Result, SqlState};
use crate::schema::Schema;
use daodb_storage::{Attr, FIRST_ENTITY, Value, ValueType};
use std::collections::{BTreeSet, HashMap};

/// Up to so many entities are read one by one; more are read an attribute at a time.
const FEW: usize = 8;

/// An entity to retract, and the op that says so.
pub type Target = (u32, i64);

/// The facts that go with these entities.
pub async fn expand(
    db: &mut Db,
    schema: &Schema,
    targets: Vec<Target>,
) -> Result<Vec<(Attr, Row)>> {
    let mut rows = Vec::new();
    let mut seen: BTreeSet<i64> = BTreeSet::new();
    let mut wave = targets;
    while !wave.is_empty() {
        wave.retain(|(_, e)| seen.insert(*e));
        let found = match wave.len() {
            0 => break,
            n if n <= FEW => one_by_one(db, &wave).await?,
            _ => by_attribute(db, schema, &wave).await?,
        };
        let held = |(a, row): &(Attr, Row)| {
            let is_component = schema.get(a).is_some_and(|known| known.is_component);
            // What refers to a part is retracted with it, and is no part of it.
            (is_component && seen.contains(&row.e)).then_some(row.v.as_i64().map(|e| (row.op, e)))
        };
        // A transaction is nobody's part.
        let parts = found.iter().filter_map(held).flatten().filter(|(_, e)| *e >= FIRST_ENTITY);
        let parts: Vec<Target> = parts.collect();
        rows.extend(found);
        wave = parts;
    }
    Ok(rows)
}

/// Refused before anything is read.
pub fn check(e: i64) -> Result<()> {
    if (0..FIRST_ENTITY).contains(&e) {
        let text =
            format!("entity {e} is a transaction: what was done is not undone by deleting it");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint("retract single attributes of it"));
    }
    Ok(())
}

async fn one_by_one(db: &mut Db, wave: &[Target]) -> Result<Vec<(Attr, Row)>> {
    let mut rows = Vec::new();
    for (op, e) in wave.iter().copied() {
        let said = db.entity(e).await?;
        rows.extend(said.into_iter().map(|(a, v)| (a, Row { op, e, v })));
        let from = db.referrers(e).await?;
        rows.extend(from.into_iter().map(|(a, from)| (a, Row { op, e: from, v: Value::Ref(e) })));
    }
    Ok(rows)
}

async fn by_attribute(db: &mut Db, schema: &Schema, wave: &[Target]) -> Result<Vec<(Attr, Row)>> {
    let ops: HashMap<i64, u32> = wave.iter().map(|(op, e)| (*e, *op)).collect();
    let op = |e: &i64| ops.get(e).copied().unwrap_or_default();
    let mut es: Vec<i64> = wave.iter().map(|(_, e)| *e).collect();
    es.sort_unstable();
    let refs: Vec<Value> = es.iter().map(|e| Value::Ref(*e)).collect();
    let mut rows = Vec::new();
    for known in schema.attributes.values().filter(|known| !known.observed.is_empty()) {
        let a = &known.ident;
        let said = db.facts(a, &es).await?;
        rows.extend(said.into_iter().map(|(e, v)| (a.clone(), Row { op: op(&e), e, v })));
        if known.observed.contains(&ValueType::Ref) {
            for (v, e) in db.lookup(a, &refs).await? {
                let op = v.as_i64().map(|to| op(&to)).unwrap_or_default();
                rows.push((a.clone(), Row { op, e, v }));
            }
        }
    }
    Ok(rows)
}
