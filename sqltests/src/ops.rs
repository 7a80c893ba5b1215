//! A small notation for transactions, as `.slt` files use it after the word `transact`:
//!
//! ```text
//! transact 2026-01-01T00:00:00Z          its instant (else the clock's)
//! declare :person/email string one identity
//! + ada :person/email "ada@example.com"  asserts; ada is a new entity, later the same one
//! - ada :person/email "ada@example.com"  retracts one value
//! - ada :person/email                    retracts all of them
//! x ada                                  retracts the entity
//! + tx :source/file "a.csv"              tx is the transaction
//! ```
//!
//! Values: `"text"`, `12`, `1.5`, `true`, `:keyword`, `@ada` (a reference), `#inst "..."`, `#uuid "..."`, `#uri "..."`,
//! `#bytes "00ff"`, `'symbol`, `12N`, `1.50M`, `##NaN`, `[1 nil "a"]` (a tuple).

use daodb_catalog::{Database, EntityRef, Error, Op, Result, SqlState, TxReport, TxValue};
use daodb_storage::{Attr, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What names of entities stand for: remembered from one transaction to the next.
pub type Names = BTreeMap<String, i64>;

/// Runs a text whose first line is `transact ...`.
pub async fn transact(database: &Database, names: &mut Names, text: &str) -> Result<TxReport> {
    let ops = parse(names, text)?;
    let report = database.transact(ops).await?;
    names.extend(report.tempids.iter().map(|(name, e)| (name.to_string(), *e)));
    Ok(report)
}

/// The ops of a text whose first line is `transact ...`.
pub fn parse(names: &Names, text: &str) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.trim()) {
            ("transact", "") => {}
            ("transact", at) => ops.push(Op::Add {
                e: EntityRef::Tx,
                a: Attr::new(":db/txInstant"),
                v: TxValue::Value(Value::Instant(instant(at)?)),
            }),
            ("declare", rest) => ops.push(declare(rest)?),
            ("x", e) => ops.push(Op::RetractEntity { e: entity(names, e)? }),
            ("+", rest) => {
                let (e, a, v) = parts(names, rest)?;
                let v = v.ok_or_else(|| wrong("an assertion without a value", line))?;
                ops.push(Op::Add { e, a, v });
            }
            ("-", rest) => {
                let (e, a, v) = parts(names, rest)?;
                ops.push(Op::Retract { e, a, v });
            }
            _ => return Err(wrong("no op", line)),
        }
    }
    Ok(ops)
}

fn wrong(what: &str, text: &str) -> Error {
    Error::new(SqlState::SYNTAX, format!("{what}: {text}"))
}

fn parts(names: &Names, rest: &str) -> Result<(EntityRef, Attr, Option<TxValue>)> {
    let mut words = rest.splitn(3, ' ');
    let (Some(e), Some(a)) = (words.next(), words.next()) else {
        return Err(wrong("an op needs entity and attribute", rest));
    };
    let v = words.next().map(str::trim).filter(|v| !v.is_empty());
    Ok((entity(names, e)?, Attr::new(a), v.map(|v| value(names, v)).transpose()?))
}

fn entity(names: &Names, word: &str) -> Result<EntityRef> {
    if word == "tx" {
        return Ok(EntityRef::Tx);
    }
    if word.starts_with(':') {
        return Ok(EntityRef::Ident(Attr::new(word)));
    }
    if let Ok(id) = word.parse() {
        return Ok(EntityRef::Id(id));
    }
    Ok(names.get(word).map_or_else(|| EntityRef::Temp(word.into()), |id| EntityRef::Id(*id)))
}

/// `:ident [type|any] [one|many] [identity|value] [index] [component] [nohistory]`
fn declare(rest: &str) -> Result<Op> {
    let mut words = rest.split_whitespace();
    let ident = words.next().ok_or_else(|| wrong("a declaration without a name", rest))?;
    let keyword = |name: &str| TxValue::Value(Value::keyword(name));
    let truth = || TxValue::Value(Value::Boolean(true));
    let mut attrs = vec![(Attr::new(":db/ident"), keyword(ident))];
    for word in words {
        let (a, v) = match word {
            "any" => continue,
            "one" | "many" => (":db/cardinality", keyword(&format!(":db.cardinality/{word}"))),
            "identity" | "value" => (":db/unique", keyword(&format!(":db.unique/{word}"))),
            "index" => (":db/index", truth()),
            "component" => (":db/isComponent", truth()),
            "nohistory" => (":db/noHistory", truth()),
            ty => (":db/valueType", keyword(&format!(":db.type/{ty}"))),
        };
        attrs.push((Attr::new(a), v));
    }
    Ok(Op::Map { id: None, attrs })
}

fn instant(text: &str) -> Result<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(text).map_err(|e| wrong(&e.to_string(), text))?;
    Ok(at.timestamp_micros())
}

fn value(names: &Names, text: &str) -> Result<TxValue> {
    match text.strip_prefix('@') {
        Some(name) => Ok(TxValue::Entity(entity(names, name)?)),
        None => Ok(TxValue::Value(scalar(text)?)),
    }
}

fn scalar(text: &str) -> Result<Value> {
    let bad = || wrong("no value", text);
    if let Some((tag, rest)) = text.strip_prefix('#').and_then(|t| t.split_once(' ')) {
        let inner = unquoted(rest.trim()).ok_or_else(bad)?;
        return match tag {
            "inst" => Ok(Value::Instant(instant(&inner)?)),
            "uuid" => inner.parse().map(Value::Uuid).map_err(|_| bad()),
            "uri" => Ok(Value::Uri(inner.into())),
            "bytes" => hex(&inner).map(|b| Value::Bytes(b.into())).ok_or_else(bad),
            _ => Err(bad()),
        };
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let parts = inner.split_whitespace().map(|part| match part {
            "nil" => Ok(None),
            part => scalar(part).map(Some),
        });
        return Ok(Value::Tuple(parts.collect::<Result<Vec<_>>>()?.into()));
    }
    Ok(match text {
        "true" | "false" => Value::Boolean(text == "true"),
        "##NaN" => Value::Double(f64::NAN),
        "##Inf" => Value::Double(f64::INFINITY),
        "##-Inf" => Value::Double(f64::NEG_INFINITY),
        _ if text.starts_with('"') => Value::string(unquoted(text).ok_or_else(bad)?),
        _ if text.starts_with(':') => Value::keyword(text),
        _ if text.starts_with('\'') => Value::Symbol(text[1..].into()),
        _ => return number(text).ok_or_else(bad),
    })
}

fn number(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_suffix('N') {
        return digits.parse().ok().map(|n| Value::Bigint(Arc::new(n)));
    }
    if let Some(digits) = text.strip_suffix('M') {
        return digits.parse().ok().map(|d| Value::Bigdec(Arc::new(d)));
    }
    let long = text.parse().ok().map(Value::Long);
    long.or_else(|| text.parse().ok().map(Value::Double))
}

/// `"..."` with the escapes `\"`, `\\`, `\n` and `\t`.
fn unquoted(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            },
            c => c,
        });
    }
    Some(out)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok()).collect()
}
