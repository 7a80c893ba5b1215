//! Names and definitions of objects: `format_type`, `pg_get_*def`, `quote_*`.

use super::super::callable;
use super::super::definition as sql;
use super::super::objects::{OWNER, Relation};
use super::super::relation_roles;
use super::regs::relation_argument;
use super::{Call1, Definition, lenient, maybe_utf8, strict, utf8};
use daodb_catalog::{Error, SqlState};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub const FUNCTIONS: &[Definition] = &[
    // Its second argument, the modifier, may be null.
    lenient("format_type", 2..=2, "text", |call| {
        maybe_utf8(call.oid(0).and_then(|oid| sql::format_type(oid, call.int(1))))
    }),
    strict("pg_get_userbyid", 1..=1, "name", user_by_id),
    strict("pg_encoding_to_char", 1..=1, "name", |call| {
        utf8(match call.int(0) {
            Some(6) => "UTF8",
            Some(0) => "SQL_ASCII",
            _ => "",
        })
    }),
    strict("pg_char_to_encoding", 1..=1, "int4", |call| {
        let name = call.text(0).unwrap_or_default().to_uppercase();
        let utf8 = matches!(name.as_str(), "UTF8" | "UTF-8" | "UNICODE");
        Ok(ScalarValue::Int32(Some(if utf8 { 6 } else { -1 })))
    }),
    strict("pg_get_indexdef", 1..=3, "text", index),
    strict("pg_get_constraintdef", 1..=2, "text", |call| {
        let objects = call.bound.objects()?;
        maybe_utf8(call.oid(0).and_then(|oid| sql::constraint_definition(&objects, oid)))
    }),
    strict("pg_get_viewdef", 1..=2, "text", |call| {
        let objects = call.bound.objects()?;
        let relation = relation_argument(call, &objects, 0)?;
        maybe_utf8(relation.and_then(sql::view_definition))
    }),
    strict("quote_ident", 1..=1, "text", |call| {
        maybe_utf8(call.text(0).map(|s| sql::quote_identifier(&s)))
    }),
    strict("quote_literal", 1..=1, "text", |call| maybe_utf8(call.text(0).map(quote_literal))),
    lenient("quote_nullable", 1..=1, "text", |call| {
        utf8(call.text(0).map_or_else(|| "NULL".to_owned(), quote_literal))
    }),
    lenient("pg_typeof", 1..=1, "text", |call| {
        let oid = call.fields.first().map(|f| super::super::field_type::type_oid(f));
        maybe_utf8(oid.and_then(|oid| sql::format_type(oid, None)))
    }),
    lenient("format", 1..=100, "text", |call| {
        let arg = |i: usize| call.text(i + 1);
        call.text(0).map_or_else(|| maybe_utf8(None), |f| utf8(format(&f, arg)?))
    }),
    lenient("json_build_object", 0..=100, "json", json_object),
    strict("pg_get_function_result", 1..=1, "text", |call| {
        maybe_utf8(call.oid(0).and_then(callable::by_oid).map(sql::function_result))
    }),
    strict("pg_get_function_arguments", 1..=1, "text", |call| {
        maybe_utf8(call.oid(0).and_then(callable::by_oid).map(sql::function_arguments))
    }),
    strict("pg_get_function_identity_arguments", 1..=1, "text", |call| {
        maybe_utf8(call.oid(0).and_then(callable::by_oid).map(sql::function_arguments))
    }),
    // There are none of these, so nothing has their definitions.
    lenient("pg_describe_object", 3..=3, "text", nothing),
    lenient("pg_get_expr", 2..=3, "text", nothing),
    lenient("pg_get_ruledef", 1..=2, "text", nothing),
    lenient("pg_get_triggerdef", 1..=2, "text", nothing),
    lenient("pg_get_partkeydef", 1..=1, "text", nothing),
    lenient("pg_get_partition_constraintdef", 1..=1, "text", nothing),
    lenient("pg_get_statisticsobjdef", 1..=1, "text", nothing),
    lenient("pg_get_statisticsobjdef_columns", 1..=1, "text", nothing),
    lenient("pg_get_statisticsobjdef_expressions", 1..=1, "_text", |_| {
        ScalarValue::try_from(&super::super::field_type::arrow_type("_text"))
    }),
    lenient("pg_get_serial_sequence", 2..=2, "text", nothing),
    lenient("pg_get_function_sqlbody", 1..=1, "text", nothing),
    lenient("pg_get_functiondef", 1..=1, "text", nothing),
    lenient("pg_tablespace_location", 1..=1, "text", |_| utf8("")),
];

fn nothing(_: &Call1) -> Result<ScalarValue> {
    maybe_utf8(None)
}

fn user_by_id(call: &Call1) -> Result<ScalarValue> {
    let Some(oid) = call.oid(0) else { return maybe_utf8(None) };
    if oid == OWNER {
        return utf8(call.bound.info.user.clone());
    }
    let predefined = relation_roles().iter().find(|r| r.0 == oid);
    utf8(predefined.map_or_else(|| format!("unknown (OID={oid})"), |r| r.1.to_owned()))
}

/// The whole index, or one column of it.
fn index(call: &Call1) -> Result<ScalarValue> {
    let objects = call.bound.objects()?;
    let relation = call.oid(0).and_then(|oid| objects.relation(oid));
    let column = |relation: &Relation, n: i64| {
        let i = usize::try_from(n).ok()?.checked_sub(1)?;
        relation.columns.get(i).map(|c| sql::quote_identifier(&c.name))
    };
    maybe_utf8(relation.and_then(|relation| match call.int(1) {
        Some(n) if n > 0 => Some(column(relation, n).unwrap_or_default()),
        _ => sql::index_definition(&objects, relation),
    }))
}

/// From keys and values in turn.
fn json_object(call: &Call1) -> Result<ScalarValue> {
    let mut out = String::from("{");
    for i in (0..call.args.len()).step_by(2) {
        let Some(key) = call.text(i) else {
            let message = format!("argument {} cannot be null", i + 1);
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).into());
        };
        let value = match call.args.get(i + 1) {
            Some(v @ (ScalarValue::Boolean(Some(_)) | ScalarValue::Float64(Some(_)))) => {
                v.to_string()
            }
            Some(v) if v.data_type().is_integer() && !v.is_null() => v.to_string(),
            Some(_) => call.text(i + 1).map_or_else(|| "null".to_owned(), |v| json_text(&v)),
            None => {
                let message = "argument list must have even number of elements";
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).into());
            }
        };
        let comma = if i > 0 { ", " } else { "" };
        out.push_str(&format!("{comma}{} : {value}", json_text(&key)));
    }
    out.push('}');
    utf8(out)
}

fn json_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `%s`, `%I`, `%L` and `%%`, each with the next argument.
fn format(text: &str, arg: impl Fn(usize) -> Option<String>) -> Result<String> {
    let mut out = String::new();
    let mut next = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let kind = chars.next();
        if kind == Some('%') {
            out.push('%');
            continue;
        }
        let value = arg(next);
        next += 1;
        match (kind, value) {
            (Some('s'), value) => out.push_str(&value.unwrap_or_default()),
            (Some('I'), Some(value)) => out.push_str(&sql::quote_identifier(&value)),
            (Some('L'), value) => {
                out.push_str(&value.map_or_else(|| "NULL".to_owned(), quote_literal));
            }
            (kind, _) => {
                let kind = kind.map_or_else(String::new, String::from);
                let message = format!("format() cannot take \"%{kind}\" here");
                let e = Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
                return Err(e
                    .hint("%s, %I (of a value that is not null), %L and %% are known")
                    .into());
            }
        }
    }
    Ok(out)
}

fn quote_literal(text: String) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\")).trim_start().to_owned()
    } else {
        format!("'{quoted}'")
    }
}
