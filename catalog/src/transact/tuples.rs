//! Tuples: values fitted to what is declared of their parts, and composite tuples made of what a transaction leaves.

use super::datoms::{Change, Event, check_unique};
use super::op::Columns;
use super::pending::Db;
use super::{Op, validate};
use crate::error::{Error, Result, SqlState};
use crate::schema::tuple::Tuple;
use crate::schema::{Attribute, Schema};
use daodb_storage::{Attr, Value, ValueType};
use std::collections::BTreeMap;

/// A tuple as it is stored; `referred` finds the entity of a part that must be one.
pub fn fit(
    parts: &[Option<Value>],
    attribute: &Attribute,
    schema: &Schema,
    mut referred: impl FnMut(&Value) -> Result<Value>,
) -> Result<Value> {
    let Some(tuple) = &attribute.tuple else {
        return validate::plain(&Value::Tuple(parts.into()));
    };
    if !tuple.fits(parts.len()) {
        let text =
            format!("{} has {}, this has {} parts", attribute.name, shape(tuple), parts.len());
        return Err(Error::new(SqlState::DATATYPE_MISMATCH, text)
            .hint("give each part, nil where it is not there"));
    }
    let mut fit_part = |(at, part): (usize, &Option<Value>)| {
        let Some(v) = part else { return Ok(None) };
        // A part of a composite is a value of its own attribute.
        let of = tuple.attrs().get(at).and_then(|a| schema.get(a)).unwrap_or(attribute);
        let fitted = match tuple.part(at, schema) {
            Some(ValueType::Ref) => referred(v),
            Some(ty) if ty != v.value_type() => validate::coerce(v, of, ty),
            _ => validate::rounded(v, of),
        };
        fitted.map(Some)
    };
    let parts: Vec<Option<Value>> =
        parts.iter().enumerate().map(&mut fit_part).collect::<Result<_>>()?;
    validate::plain(&Value::Tuple(parts.into()))
}

fn shape(tuple: &Tuple) -> String {
    match tuple {
        Tuple::Composite(attrs) => format!("{} parts", attrs.len()),
        Tuple::Types(types) => format!("{} parts", types.len()),
        Tuple::Each(_) => "two to eight parts".to_owned(),
    }
}

/// Of whom a transaction says something by which a composite is made: the entity, and the first op. What is said again counts:
/// so a composite that was declared late gets its values, as in Datomic.
pub type Touched = BTreeMap<Attr, BTreeMap<i64, u32>>;

/// What the columns say of parts of composites; after tempids are resolved.
pub fn touched(columns: &Columns, schema: &Schema) -> Touched {
    let mut all = Touched::new();
    for composite in schema.composites() {
        for part in parts(composite, schema) {
            let Some(column) = columns.all.iter().find(|c| c.a() == &part.ident) else { continue };
            let said = column.adds.iter().chain(&column.retracts).map(|row| (row.op, row.e));
            let into = all.entry(composite.ident.clone()).or_default();
            for (op, e) in said.chain(column.clears.iter().copied()) {
                into.entry(e).or_insert(op);
            }
        }
    }
    all
}

fn parts<'a>(
    composite: &'a Attribute,
    schema: &'a Schema,
) -> impl Iterator<Item = &'a Attribute> + 'a {
    let attrs = composite.tuple.as_ref().map(Tuple::attrs).unwrap_or_default();
    attrs.iter().filter_map(|a| schema.get(a))
}

/// What becomes of the composites. `changes` are those of all other attributes; only entities that are `old` have facts yet.
pub async fn composites(
    db: &mut Db,
    ops: &[Op],
    schema: &Schema,
    touched: Touched,
    changes: &[Change],
    old: impl Fn(i64) -> bool,
) -> Result<Vec<Change>> {
    let mut made = Vec::new();
    for (a, entities) in touched {
        let Some(composite) = schema.get(&a) else { continue };
        let asked: Vec<i64> = entities.keys().copied().filter(|e| old(*e)).collect();
        let mut columns = Vec::new();
        for part in parts(composite, schema) {
            columns.push(after(db, part, &asked, changes).await?);
        }
        let before: BTreeMap<i64, Value> = db.facts(&a, &asked).await?.into_iter().collect();
        let mut events = Vec::new();
        for (e, op) in entities {
            let parts: Vec<Option<Value>> =
                columns.iter().map(|column| column.get(&e).cloned()).collect();
            let known = before.get(&e).cloned();
            let new = parts.iter().any(Option::is_some).then(|| Value::Tuple(parts.into()));
            if known == new {
                continue;
            }
            let event = |v, added| Event { op, e, v, added };
            events.extend(known.map(|v| event(v, false)));
            events.extend(new.map(|v| event(v, true)));
        }
        events.sort_by(|x, y| x.e.cmp(&y.e).then_with(|| x.v.cmp(&y.v)));
        if composite.unique.is_some() {
            check_unique(db, ops, composite, &events, &[]).await?;
        }
        made.push(Change { a, events });
    }
    Ok(made)
}

/// The values of an attribute after the transaction.
async fn after(
    db: &mut Db,
    part: &Attribute,
    asked: &[i64],
    changes: &[Change],
) -> Result<BTreeMap<i64, Value>> {
    let mut values: BTreeMap<i64, Value> =
        db.facts(&part.ident, asked).await?.into_iter().collect();
    let events = changes.iter().filter(|change| change.a == part.ident).flat_map(|c| &c.events);
    for event in events.clone().filter(|event| !event.added) {
        values.remove(&event.e);
    }
    for event in events.filter(|event| event.added) {
        values.insert(event.e, event.v.clone());
    }
    Ok(values)
}
