//! Arguments of a statement, `$1` and on, as the types that the statement gives them: read as the Postgres wire reads texts.

use super::call::Said;
use super::errors::Result;
use crate::pg::encode::{Format, types};
use crate::pg::params;
use daodb_catalog::session::Statement;
use daodb_catalog::{Error, Session, SqlState};
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use daodb_storage::value::{bigdec_text, instant_text};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use std::fmt::Write;

pub async fn bind(
    session: &Session,
    statement: &Statement,
    said: &Said,
) -> Result<Vec<ScalarValue>> {
    let given: &[Node] = match said.get("args") {
        None => &[],
        Some(node) => {
            node.sequence().ok_or_else(|| said.wrong(node, "args", "a vector of values"))?
        }
    };
    if given.is_empty() && !statement.text.contains('$') {
        return Ok(Vec::new());
    }
    let zone = session.setting("timezone").unwrap_or_else(|| "UTC".to_owned());
    let value = |n: usize, node: &Node, planned: &DataType| -> Result<ScalarValue> {
        let text = text(&node.form).map_err(|()| said.wrong(node, "args", "values"))?;
        let bytes = text.as_deref().map(str::as_bytes);
        Ok(params::decode(&types::of(planned)?, planned, Format::Text, bytes, &zone, n + 1)?)
    };
    let moments = session.moments(statement, &[]).values(given, value)?;
    let wanted = session.describe(statement, &[], &moments).await?.parameters;
    if wanted.len() != given.len() {
        let text = format!("the statement takes {} arguments, not {}", wanted.len(), given.len());
        let hint = "give :args [...], one for each of $1, $2, ...";
        return Err(Error::new(SqlState::Code("08P01"), text).hint(hint).into());
    }
    given.iter().zip(&wanted).enumerate().map(|(n, (node, ty))| value(n, node, ty)).collect()
}

/// A value as Postgres reads it; None is NULL. An error: it is no value.
fn text(form: &Form) -> std::result::Result<Option<String>, ()> {
    Ok(Some(match form {
        Form::Nil => return Ok(None),
        Form::Value(value) => of_value(value)?,
        Form::Char(c) => c.to_string(),
        Form::Vector(all) | Form::List(all) => {
            let mut out = String::from("{");
            for (i, node) in all.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                match (&node.form, text(&node.form)?) {
                    (_, None) => out.push_str("NULL"),
                    (Form::Vector(_) | Form::List(_), Some(inner)) => out.push_str(&inner),
                    (_, Some(item)) => {
                        let item = item.replace('\\', "\\\\").replace('"', "\\\"");
                        // Writing to a String never fails.
                        let _ = write!(out, "\"{item}\"");
                    }
                }
            }
            out.push('}');
            out
        }
        Form::Map(_) | Form::Set(_) | Form::Tagged(..) => return Err(()),
    }))
}

/// A value's text. An error: it is a tuple, which has none.
pub fn of_value(value: &Value) -> std::result::Result<String, ()> {
    Ok(match value {
        Value::Boolean(b) => b.to_string(),
        Value::Long(n) | Value::Ref(n) => n.to_string(),
        Value::Bigint(n) => n.to_string(),
        Value::Double(d) if d.is_infinite() => {
            (if *d > 0.0 { "Infinity" } else { "-Infinity" }).to_owned()
        }
        Value::Double(d) => d.to_string(),
        Value::Bigdec(d) => bigdec_text(d),
        Value::Instant(us) => instant_text(*us),
        Value::Uuid(u) => u.to_string(),
        Value::String(s) | Value::Keyword(s) | Value::Symbol(s) | Value::Uri(s) => s.to_string(),
        Value::Bytes(bytes) => bytes.iter().fold("\\x".to_owned(), |mut out, b| {
            let _ = write!(out, "{b:02x}");
            out
        }),
        Value::Tuple(_) => return Err(()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_as_postgres_reads_them() {
        let check = |edn: &str, expect: Option<&str>| {
            let form = daodb_datalog::edn::read(edn).unwrap().form;
            assert_eq!(text(&form).unwrap().as_deref(), expect, "{edn}");
        };
        check("nil", None);
        check("true", Some("true"));
        check("1.5", Some("1.5"));
        check("##NaN", Some("NaN"));
        check("1.50M", Some("1.50"));
        check(":a/b", Some(":a/b"));
        check("#inst \"2026-01-01\"", Some("2026-01-01T00:00:00Z"));
        check("#dao/bytes \"AP8=\"", Some("\\x00ff"));
        check("[1 nil \"a\\\"b\\\\\"]", Some(r#"{"1",NULL,"a\"b\\"}"#));
        assert!(text(&daodb_datalog::edn::read("{}").unwrap().form).is_err());
    }
}
