//! The look-up refs of a transaction, found all at once, an attribute at a time.

use super::expand::Expanded;
use super::op::refused;
use super::pending::Db;
use super::resolve::nobody;
use super::{EntityRef, Op, TxValue, validate};
use crate::error::{Error, Result, SqlState};
use crate::schema::{Schema, builtin};
use daodb_storage::{Attr, Value, ValueType};
use std::collections::{BTreeMap, HashMap};

/// Whom look-up refs name, as they are written.
pub type Lookups = HashMap<(Attr, Value), i64>;

/// One as it is written and as it is looked up.
struct Asked<'a> {
    at: u32,
    a: Attr,
    written: &'a Value,
    v: Value,
    may_miss: bool,
}

/// All of the transaction; one that names nobody is refused.
pub async fn find(
    db: &mut Db,
    schema: &Schema,
    ops: &[Op],
    expanded: &Expanded<'_>,
) -> Result<Lookups> {
    let mut found = Lookups::new();
    for (stored, asked) in asked(schema, ops, expanded)? {
        let mut wanted: Vec<Value> = asked.iter().map(|asked| asked.v.clone()).collect();
        wanted.sort();
        wanted.dedup();
        let held = db.lookup(&stored, &wanted).await?;
        for Asked { at, a, written, v, may_miss } in asked {
            match holder(&held, &v) {
                Some(e) => found.insert((a, written.clone()), e),
                None if may_miss => None,
                None => return Err(refused(ops, at, nobody(&format!("[{a} {v}]")))),
            };
        }
    }
    Ok(found)
}

/// By the names that the attributes' datoms have.
fn asked<'a>(
    schema: &Schema,
    ops: &[Op],
    expanded: &'a Expanded<'_>,
) -> Result<BTreeMap<Attr, Vec<Asked<'a>>>> {
    let mut all: BTreeMap<Attr, Vec<Asked<'_>>> = BTreeMap::new();
    let mut ask = |at: u32, a: Attr, written, may_miss| {
        let (stored, v) = wanted(&a, written, schema).map_err(|e| refused(ops, at, e))?;
        all.entry(stored).or_default().push(Asked { at, a, written, v, may_miss });
        Ok(())
    };
    for (at, op) in &expanded.ops {
        // As in Datomic: who is not there need not be retracted.
        let may_miss = matches!(**op, Op::RetractEntity { .. });
        each(op, schema, &mut |a, v| ask(*at, a, v, may_miss))?;
    }
    let ensured = expanded.ensured.iter().flat_map(|x| [(&x.op, &x.e), (&x.op, &x.spec)]);
    let metas = expanded.metas.iter().chain(&expanded.whole).map(|(at, m)| (at, m));
    for (at, e) in metas.chain(ensured) {
        if let EntityRef::Lookup(a, v) = e {
            ask(*at, a.clone(), v, false)?;
        }
    }
    Ok(all)
}

/// Who has `v`, of what a look-up found.
pub fn holder(found: &[(Value, i64)], v: &Value) -> Option<i64> {
    found.binary_search_by(|(held, _)| held.cmp(v)).ok().map(|i| found[i].1)
}

/// What to look for, and under which name its datoms are.
fn wanted(a: &Attr, v: &Value, schema: &Schema) -> Result<(Attr, Value)> {
    let attribute = schema.get(a).filter(|attribute| attribute.unique.is_some());
    let Some(attribute) = attribute else {
        let text = format!("{a} is not declared unique, so [{a} {v}] names no entity");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint(format!("declare {} of {a} in an earlier transaction", builtin::UNIQUE)));
    };
    Ok((attribute.ident.clone(), validate::looked_up(v, attribute, schema)?))
}

type Visit<'v, 'a> = dyn FnMut(Attr, &'a Value) -> Result<()> + 'v;

fn each<'a>(op: &'a Op, schema: &Schema, visit: &mut Visit<'_, 'a>) -> Result<()> {
    let value =
        |a: &Attr, v: &'a TxValue, visit: &mut Visit<'_, 'a>| each_of_value(a, v, schema, visit);
    let e = match op {
        Op::Add { e, a, v } => {
            value(a, v, visit)?;
            Some(e)
        }
        Op::Retract { e, a, v } => {
            v.iter().try_for_each(|v| value(a, v, visit))?;
            Some(e)
        }
        Op::RetractEntity { e } => Some(e),
        Op::Cas { e, a, old, new } => {
            old.iter().chain([new]).try_for_each(|v| value(a, v, visit))?;
            Some(e)
        }
        Op::About { op, .. } => return each(op, schema, visit),
        Op::Map { id, attrs } => {
            attrs.iter().try_for_each(|(a, v)| value(a, v, visit))?;
            id.as_ref()
        }
    };
    match e {
        Some(EntityRef::Lookup(a, v)) => visit(a.clone(), v),
        _ => Ok(()),
    }
}

fn each_of_value<'a>(
    a: &Attr,
    v: &'a TxValue,
    schema: &Schema,
    visit: &mut Visit<'_, 'a>,
) -> Result<()> {
    match v {
        TxValue::Entity(EntityRef::Lookup(a, v)) => visit(a.clone(), v),
        TxValue::Many(all) => all.iter().try_for_each(|v| each_of_value(a, v, schema, visit)),
        TxValue::Value(Value::Tuple(parts)) => {
            let Some(tuple) = schema.get(a).and_then(|a| a.tuple.as_ref()) else { return Ok(()) };
            for (at, part) in parts.iter().enumerate() {
                if let Some((a, v)) = part.as_ref().and_then(as_ref)
                    && tuple.part(at, schema) == Some(ValueType::Ref)
                {
                    visit(a, v)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A part of a tuple that is a look-up ref, where an entity must stand.
pub fn as_ref(part: &Value) -> Option<(Attr, &Value)> {
    match part {
        Value::Tuple(parts) => match &**parts {
            [Some(Value::Keyword(a)), Some(v)] => Some((Attr::new(a), v)),
            _ => None,
        },
        _ => None,
    }
}
