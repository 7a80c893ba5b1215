//! Types whose text is a name and whose value is an OID (`regclass` and kin), and casts to and from them.
//!
//! A cast in SQL becomes a call: `'file'::regclass` is `regclassin('file')`, an OID; shown or cast to text it is
//! `regclassout(...)`, a name.

use super::super::definition::{format_type, quote_identifier, relation_name};
use super::super::objects::{OWNER, Objects, Relation};
use super::super::relation_roles;
use super::super::{builtin, callable};
use super::{Call1, Definition, maybe_utf8, strict, utf8};
use daodb_catalog::{Error, SqlState};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub const FUNCTIONS: &[Definition] = &[
    strict("oidin", 1..=1, "oid", |call| match call.oid(0) {
        Some(oid) => Ok(ScalarValue::UInt32(Some(oid))),
        None => Err(bad_text("oid", call).into()),
    }),
    strict("regclassin", 1..=1, "oid", |call| {
        let objects = call.bound.objects()?;
        if let Some(oid) = call.oid(0) {
            return Ok(ScalarValue::UInt32(Some(oid)));
        }
        match relation_argument(call, &objects, 0)? {
            Some(relation) => Ok(ScalarValue::UInt32(Some(relation.oid))),
            None => {
                let name = call.text(0).unwrap_or_default();
                let message = format!("relation \"{name}\" does not exist");
                Err(Error::new(SqlState::UNDEFINED_TABLE, message).into())
            }
        }
    }),
    strict("regclassout", 1..=1, "text", |call| {
        let objects = call.bound.objects()?;
        let found = call.oid(0).and_then(|oid| objects.relation(oid));
        utf8(found.map_or_else(|| number(call), |r| relation_name(&objects, r)))
    }),
    strict("to_regclass", 1..=1, "oid", |call| {
        let objects = call.bound.objects()?;
        let found = relation_argument(call, &objects, 0)?;
        Ok(ScalarValue::UInt32(found.map(|r| r.oid)))
    }),
    strict("regtypein", 1..=1, "oid", |call| {
        let name = call.text(0).unwrap_or_default();
        match call.oid(0).or_else(|| builtin::type_by_sql_name(&name).map(|t| t.oid)) {
            Some(oid) => Ok(ScalarValue::UInt32(Some(oid))),
            None => Err(no_object("type", &name).into()),
        }
    }),
    strict("regtypeout", 1..=1, "text", |call| match call.oid(0) {
        Some(oid) if builtin::type_by_oid(oid).is_some() => maybe_utf8(format_type(oid, None)),
        _ => utf8(number(call)),
    }),
    strict("to_regtype", 1..=1, "oid", |call| {
        let name = call.text(0).unwrap_or_default();
        Ok(ScalarValue::UInt32(builtin::type_by_sql_name(&name).map(|t| t.oid)))
    }),
    // Functions are known by name alone.
    strict("regprocin", 1..=1, "regproc", |call| {
        let name = call.text(0).unwrap_or_default();
        utf8(name.strip_prefix("pg_catalog.").unwrap_or(&name))
    }),
    strict("regprocoid", 1..=1, "oid", |call| {
        let name = call.text(0).unwrap_or_default();
        let mut named = callable::all().iter().filter(|f| f.name == name);
        match (named.next(), named.next()) {
            (Some(one), None) => Ok(ScalarValue::UInt32(Some(one.oid))),
            (found, _) => {
                let wrong = if found.is_some() { "more than one" } else { "no" };
                let message = format!("{wrong} function named \"{name}\"");
                Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into())
            }
        }
    }),
    strict("regnamespacein", 1..=1, "oid", |call| {
        let objects = call.bound.objects()?;
        let name = call.text(0).unwrap_or_default();
        let named = || objects.namespace_named(name.trim_matches('"')).map(|n| n.oid);
        match call.oid(0).or_else(named) {
            Some(oid) => Ok(ScalarValue::UInt32(Some(oid))),
            None => Err(no_object("schema", &name).into()),
        }
    }),
    strict("regnamespaceout", 1..=1, "text", |call| {
        let objects = call.bound.objects()?;
        let found = call.oid(0).and_then(|oid| objects.namespace(oid));
        utf8(found.map_or_else(|| number(call), |n| quote_identifier(n.name)))
    }),
    strict("regrolein", 1..=1, "oid", |call| {
        let name = call.text(0).unwrap_or_default();
        match call.oid(0).or_else(|| role(call, &name)) {
            Some(oid) => Ok(ScalarValue::UInt32(Some(oid))),
            None => Err(no_object("role", &name).into()),
        }
    }),
    strict("regroleout", 1..=1, "text", |call| {
        let oid = call.oid(0).unwrap_or_default();
        let predefined = relation_roles().iter().find(|r| r.0 == oid).map(|r| r.1.to_owned());
        let owner = (oid == OWNER).then(|| quote_identifier(&call.bound.info.user));
        utf8(owner.or(predefined).unwrap_or_else(|| number(call)))
    }),
    strict("to_regproc", 1..=1, "regproc", |call| {
        let name = call.text(0).unwrap_or_default();
        let name = name.strip_prefix("pg_catalog.").unwrap_or(&name).to_owned();
        maybe_utf8(callable::all().iter().any(|f| f.name == name).then_some(name))
    }),
    strict("to_regrole", 1..=1, "oid", |call| {
        let name = call.text(0).unwrap_or_default();
        Ok(ScalarValue::UInt32(role(call, &name)))
    }),
];

fn role(call: &Call1, name: &str) -> Option<u32> {
    let name = name.trim_matches('"');
    if name == call.bound.info.user {
        return Some(OWNER);
    }
    relation_roles().iter().find(|r| r.1 == name).map(|r| r.0)
}

/// An OID without an object prints as its number, 0 as a dash.
fn number(call: &Call1) -> String {
    match call.int(0) {
        Some(0) | None => "-".to_owned(),
        Some(oid) => oid.to_string(),
    }
}

fn no_object(kind: &str, name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist"))
}

fn bad_text(ty: &str, call: &Call1) -> Error {
    let text = call.text(0).unwrap_or_default();
    let message = format!("invalid input syntax for type {ty}: \"{text}\"");
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

/// The relation that an argument names, by OID or by (qualified) name.
pub fn relation_argument<'a>(
    call: &Call1,
    objects: &'a Objects,
    i: usize,
) -> Result<Option<&'a Relation>> {
    if let Some(oid) = call.oid(i) {
        return Ok(objects.relation(oid));
    }
    let name = call.text(i).unwrap_or_default();
    let parts = name_parts(&name);
    Ok(match parts.as_slice() {
        [name] => objects.find(None, name),
        [schema, name] => objects.find(Some(schema), name),
        [database, schema, name] if *database == objects.database => {
            objects.find(Some(schema), name)
        }
        _ => None,
    })
}

/// Splits a qualified name at its dots; parts without quotes are folded to lower case.
fn name_parts(name: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut chars = name.trim().chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            c if quoted => part.push(c),
            c => part.extend(c.to_lowercase()),
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualified_names() {
        assert_eq!(name_parts("public.File"), ["public", "file"]);
        assert_eq!(name_parts("\"A.b\".\"c\"\"d\""), ["A.b", "c\"d"]);
    }
}
