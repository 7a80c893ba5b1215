//! SET, SHOW, RESET and DISCARD.

use super::settings::{self, Level};
use super::{Outcome, RowsTag, Session, TransactionStatus, rows};
use crate::error::{Error, Result, SqlState};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::ast::{
    ContextModifier, DiscardObject, Expr, Ident, ObjectName, Reset, Set, UnaryOperator, Value,
};
use std::sync::Arc;

impl Session {
    pub(super) async fn set(&mut self, set: &Set) -> Result<Outcome> {
        let done = || Ok(Outcome::Command { tag: "SET".into() });
        match set {
            Set::SingleAssignment { scope, hivevar: false, variable, values } => {
                let name = variable_name(variable);
                self.set_one(*scope, &name, values).await?;
                done()
            }
            Set::SetTimeZone { local, value } => {
                let scope = local.then_some(ContextModifier::Local);
                self.set_one(scope, "TimeZone", std::slice::from_ref(value)).await?;
                done()
            }
            Set::SetNames { charset_name, .. } => {
                self.assign("client_encoding", &charset_name.value, Level::Session).await?;
                done()
            }
            Set::SetNamesDefault {} => {
                self.settings.reset("client_encoding")?;
                done()
            }
            Set::SetTransaction { modes, snapshot: None, session } => {
                if !session && self.status() == TransactionStatus::Idle {
                    self.notices.push(Error::new(
                        SqlState::NO_ACTIVE_TRANSACTION,
                        "SET TRANSACTION can only be used in transaction blocks",
                    ));
                } else {
                    self.set_modes(modes, *session).await?;
                }
                done()
            }
            Set::SetRole { role_name: None, .. } => done(),
            Set::SetRole { role_name: Some(role), .. } if role.value == self.user => done(),
            other => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("{other} is not supported"),
            )
            .hint("write SET name = value")),
        }
    }

    async fn set_one(
        &mut self,
        scope: Option<ContextModifier>,
        name: &str,
        values: &[Expr],
    ) -> Result<()> {
        let level = match scope {
            Some(ContextModifier::Local) if self.status() == TransactionStatus::Idle => {
                self.notices.push(Error::new(
                    SqlState::NO_ACTIVE_TRANSACTION,
                    "SET LOCAL can only be used in transaction blocks",
                ));
                return settings::title(name).map(|_| ());
            }
            Some(ContextModifier::Local) => Level::Transaction,
            _ => Level::Session,
        };
        if let [Expr::Identifier(word)] = values
            && word.quote_style.is_none()
            && word.value.eq_ignore_ascii_case("default")
        {
            return self.settings.reset(name);
        }
        let path = name.eq_ignore_ascii_case("search_path");
        let texts = values.iter().map(|v| value_text(v, path)).collect::<Result<Vec<_>>>()?;
        self.assign(name, &texts.join(", "), level).await
    }

    pub(super) fn reset(&mut self, reset: &Reset) -> Result<Outcome> {
        match reset {
            Reset::ALL => self.settings.reset_all(),
            Reset::ConfigurationParameter(name) => self.settings.reset(&variable_name(name))?,
        }
        Ok(Outcome::Command { tag: "RESET".into() })
    }

    pub(super) fn discard(&mut self, what: &DiscardObject) -> Result<Outcome> {
        let tag = match what {
            DiscardObject::ALL => {
                if self.status() != TransactionStatus::Idle {
                    return Err(Error::new(
                        SqlState::ACTIVE_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    ));
                }
                self.settings.reset_all();
                self.prepared.clear();
                self.cursors.clear();
                "DISCARD ALL"
            }
            DiscardObject::PLANS => "DISCARD PLANS",
            DiscardObject::SEQUENCES => "DISCARD SEQUENCES",
            DiscardObject::TEMP => "DISCARD TEMP",
        };
        Ok(Outcome::Command { tag: tag.into() })
    }

    pub(super) fn show(&self, variable: &[Ident]) -> Result<Outcome> {
        let name = shown_name(variable);
        let schema = show_schema(&name)?;
        let batch = if name == "all" {
            let settings = self.settings.shown();
            let mut titles = Vec::with_capacity(settings.len());
            for name in settings.keys() {
                titles.push(settings::title(name)?);
            }
            let column = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
            vec![
                column(titles.iter().map(String::as_str).collect()),
                column(settings.values().map(String::as_str).collect()),
                column(settings.keys().map(|n| settings::description(n)).collect()),
            ]
        } else {
            let value = self.settings.get(&name).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("unrecognized configuration parameter \"{name}\""),
                )
            })?;
            vec![Arc::new(StringArray::from(vec![value])) as ArrayRef]
        };
        let batch = RecordBatch::try_new(Arc::clone(&schema), batch)?;
        Ok(rows::of_batch(batch, RowsTag::Show))
    }
}

/// The columns that SHOW gives.
pub fn show_columns(variable: &[Ident]) -> Result<SchemaRef> {
    show_schema(&shown_name(variable))
}

fn show_schema(name: &str) -> Result<SchemaRef> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let fields = match name {
        "all" => vec![text("name"), text("setting"), text("description")],
        name => vec![text(&settings::title(name)?)],
    };
    Ok(Arc::new(Schema::new(fields)))
}

/// `SHOW TRANSACTION ISOLATION LEVEL` and `SHOW TIME ZONE` are names of more than one word.
fn shown_name(variable: &[Ident]) -> String {
    let words: Vec<String> = variable.iter().map(|w| w.value.to_ascii_lowercase()).collect();
    match words.join(" ").as_str() {
        "transaction isolation level" => "transaction_isolation".into(),
        "time zone" => "timezone".into(),
        "session authorization" => "session_authorization".into(),
        _ => words.join("."),
    }
}

fn variable_name(name: &ObjectName) -> String {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|p| p.as_ident().map_or_else(|| p.to_string(), |i| i.value.to_ascii_lowercase()))
        .collect();
    parts.join(".")
}

/// What a value of SET says; of a search path names keep their quotes.
fn value_text(e: &Expr, path: bool) -> Result<String> {
    match e {
        Expr::Identifier(i) if path && i.quote_style.is_some() => Ok(format!("\"{}\"", i.value)),
        Expr::Identifier(i) => Ok(i.value.clone()),
        Expr::CompoundIdentifier(parts) => {
            Ok(parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join("."))
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            Ok(format!("-{}", value_text(expr, path)?))
        }
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => Ok(n.clone()),
            Value::Boolean(b) => Ok(b.to_string()),
            Value::SingleQuotedString(s)
            | Value::EscapedStringLiteral(s)
            | Value::DoubleQuotedString(s) => Ok(s.clone()),
            Value::DollarQuotedString(s) => Ok(s.value.clone()),
            other => Err(bad_value(&other.to_string())),
        },
        other => Err(bad_value(&other.to_string())),
    }
}

fn bad_value(text: &str) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("a setting takes a word, a number or a string, not {text}"),
    )
    .hint("in queries, a version clause takes expressions: FOR SYSTEM_TIME AS OF now() - interval '1 day'")
}
