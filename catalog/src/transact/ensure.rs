//! `:db/ensure`: an entity has what its spec's `:db.entity/attrs` require, after the transaction; what `:db.entity/query` asks of
//! it is a [condition](super::condition), as are the stored queries that `:db.entity/preds` name.

use super::Op;
use super::condition::Asked;
use super::datoms::Change;
use super::expand::Ensured;
use super::op::refused;
use super::pending::Db;
use super::resolve::Names;
use crate::error::{Error, Result, SqlState};
use crate::schema::{Schema, builtin};
use daodb_storage::{Attr, Value};
use std::sync::Arc;

/// Who must have what: resolved once tempids are.
pub struct Spec {
    op: u32,
    e: i64,
    spec: i64,
}

/// Tempids among them are settled later.
pub fn read(
    names: &mut Names,
    ensured: &[Ensured],
    ops: &[Op],
    schema: &Schema,
) -> Result<Vec<Spec>> {
    let spec = |x: &Ensured| {
        names.op = x.op;
        let e = names.said_of(&x.e, schema)?;
        let spec = names.entity(&x.spec, schema)?;
        Ok(Spec { op: x.op, e, spec })
    };
    let mut spec = spec;
    ensured.iter().map(|x| spec(x).map_err(|e| refused(ops, x.op, e))).collect()
}

/// `changes` are all of the transaction. What is left to ask once it is prepared.
pub async fn check(
    db: &mut Db,
    ops: &[Op],
    schema: &Schema,
    names: &mut Names,
    specs: &[Spec],
    changes: &[Change],
) -> Result<Vec<Asked>> {
    let mut asked = Vec::new();
    for Spec { op, e, spec } in specs {
        let (e, spec) = (names.settled(*e).unwrap_or(*e), names.settled(*spec).unwrap_or(*spec));
        let required = db.facts(&Attr::new(builtin::ENTITY_ATTRS), &[spec]).await?;
        for (_, v) in required {
            let Some(a) = v.as_str().map(Attr::new) else { continue };
            if !has(db, schema, changes, e, &a).await? {
                return Err(refused(ops, *op, missing(schema, e, spec, &a)));
            }
        }
        let of = called(schema, spec);
        let mut queries = stored(db, spec, &of).await?;
        for (_, v) in db.facts(&Attr::new(builtin::ENTITY_PREDS), &[spec]).await? {
            let Some(name) = v.as_str() else { continue };
            let there = match schema.entity_of(&Attr::new(format!(":{name}"))) {
                Some(named) => stored(db, named, &format!("{name} of {of}")).await?,
                None => Vec::new(),
            };
            if there.is_empty() {
                return Err(refused(ops, *op, unknown(name, &of)));
            }
            queries.extend(there);
        }
        asked.extend(queries.into_iter().map(|(of, query)| Asked { op: *op, e, of, query }));
    }
    Ok(asked)
}

/// The queries that an entity has, each with `of`.
async fn stored(db: &mut Db, entity: i64, of: &str) -> Result<Vec<(String, Arc<str>)>> {
    let queries = db.facts(&Attr::new(builtin::ENTITY_QUERY), &[entity]).await?;
    Ok(queries.iter().filter_map(|(_, v)| Some((of.to_owned(), v.as_str()?.into()))).collect())
}

fn unknown(name: &str, of: &str) -> Error {
    let text = format!("{of} has the predicate {name}, and there is no stored query of this name");
    Error::new(SqlState::CHECK_VIOLATION, text).hint(format!(
        "store one: {{:db/ident :{name}, :db.entity/query \"[:find ?e :in $ ?e :where ...]\"}}"
    ))
}

fn called(schema: &Schema, spec: i64) -> String {
    schema.ident_of(spec).map_or_else(|| spec.to_string(), Attr::to_string)
}

/// Whether the entity has a value of `a` after the transaction.
async fn has(db: &mut Db, schema: &Schema, changes: &[Change], e: i64, a: &Attr) -> Result<bool> {
    let a = schema.get(a).map_or(a, |attribute| &attribute.ident);
    let events = changes.iter().filter(|c| c.a == *a).flat_map(|c| &c.events).filter(|x| x.e == e);
    if events.clone().any(|event| event.added) {
        return Ok(true);
    }
    let gone: Vec<&Value> = events.map(|event| &event.v).collect();
    let known = db.facts(a, &[e]).await?;
    Ok(known.iter().any(|(_, v)| !gone.contains(&v)))
}

fn missing(schema: &Schema, e: i64, spec: i64, a: &Attr) -> Error {
    let who = if e < 0 { "the entity".to_owned() } else { format!("entity {e}") };
    let text = format!("{who} has no {a}, and {} requires it", called(schema, spec));
    Error::new(SqlState::CHECK_VIOLATION, text)
        .hint("say it in the same transaction, or leave :db/ensure out")
}
