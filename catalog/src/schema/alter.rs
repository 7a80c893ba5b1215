//! Which changes of declarations are refused whatever the data are; the others are Datomic's too.

use super::{Attribute, Declaration, Schema, builtin};
use crate::error::{Error, Result, SqlState};
use daodb_storage::Attr;
use std::collections::HashMap;

fn refused(text: String, hint: &str) -> Error {
    Error::new(SqlState::CHECK_VIOLATION, text).hint(hint)
}

/// `before` is the schema without the transaction.
pub fn check(before: &Schema, after: &Schema) -> Result<()> {
    for (entity, then) in &after.declared {
        if let Some(known) = before.declared.get(entity) {
            check_type(known, then)?;
        }
    }
    for attribute in after.attributes.values().filter(|a| a.entity.is_some()) {
        if let Some(known) = before.attributes.get(&attribute.ident) {
            check_kind(known, attribute)?;
        }
        if let Some(tuple) = &attribute.tuple {
            tuple.check(attribute, after)?;
        }
    }
    check_names(before, after)
}

/// A declared type stays, because readers rely on it.
fn check_type(known: &Declaration, then: &Declaration) -> Result<()> {
    let (Some(before), Some(after)) = (known.value_type, then.value_type) else { return Ok(()) };
    if before == after {
        return Ok(());
    }
    let name = then.ident.as_ref().map_or_else(String::new, Attr::to_string);
    let declared = match builtin::is_float(before) {
        true => "float",
        false => builtin::value_type(before).map_or("another type", |ty| ty.name()),
    };
    let text = format!("{name} is declared {declared}, and a declared type does not change");
    Err(refused(text, "declare another attribute, and copy the values to it"))
}

/// So does what tuples are made of, and what a float holds.
fn check_kind(known: &Attribute, then: &Attribute) -> Result<()> {
    let name = &then.name;
    let hint = "declare another attribute, and copy the values to it";
    let has_data = !known.observed.is_empty();
    if (known.tuple.is_some() || has_data) && then.value_type.is_some() && known.tuple != then.tuple
    {
        let text = format!("what tuples of {name} are made of does not change");
        return Err(refused(text, hint));
    }
    if then.float && !known.float && has_data {
        let text = format!("{name} has doubles, which a float need not hold");
        return Err(refused(text, hint));
    }
    Ok(())
}

/// A name that an attribute has or had is that attribute's for good: its datoms have it.
fn check_names(before: &Schema, after: &Schema) -> Result<()> {
    let renamed = after.declared.iter().filter(|(_, d)| d.is_attribute() && d.names.len() > 1);
    let mut owners: HashMap<&Attr, i64> = HashMap::new();
    for (entity, declaration) in renamed {
        for name in &declaration.names {
            if let Some(owner) = owners.insert(name, *entity) {
                return Err(former_name(name, owner, after));
            }
            let stored = declaration.stored();
            let other = before.attributes.get(name).filter(|_| stored != Some(name));
            if other.is_some_and(|other| !other.observed.is_empty()) {
                let text = format!("there are datoms of another attribute {name} already");
                return Err(refused(text, "choose a name that nothing has"));
            }
        }
    }
    for (entity, declaration) in &after.declared {
        let Some(ident) = &declaration.ident else { continue };
        if let Some(owner) = owners.get(ident).filter(|owner| *owner != entity) {
            return Err(former_name(ident, *owner, after));
        }
    }
    Ok(())
}

fn former_name(name: &Attr, owner: i64, after: &Schema) -> Error {
    let now = after.ident_of(owner).map_or_else(String::new, Attr::to_string);
    let text = format!("{name} is a former name of {now} and still means it");
    refused(text, "choose another name")
}
