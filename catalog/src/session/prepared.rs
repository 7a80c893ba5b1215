//! PREPARE, EXECUTE and DEALLOCATE in SQL. A prepared statement is planned at each execution: it sees the newest snapshot.

use super::{Outcome, Session, Statement, names};
use crate::error::{Error, Result, SqlState};
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::sql::sqlparser::ast;
use std::collections::HashMap;
use std::sync::Arc;

/// So many can a session keep.
const MAX: usize = 10_000;

#[derive(Clone)]
pub struct Entry {
    pub statement: Statement,
    pub types: Vec<Option<DataType>>,
}

#[derive(Default)]
pub struct Prepared(HashMap<String, Entry>);

impl Prepared {
    pub fn get(&self, name: &str) -> Result<&Entry> {
        let name = name.trim_matches('"');
        self.0.get(name).or_else(|| self.0.get(&name.to_ascii_lowercase())).ok_or_else(|| {
            Error::new(
                SqlState::Code("26000"),
                format!("prepared statement \"{name}\" does not exist"),
            )
        })
    }
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Session {
    pub(super) fn prepare(
        &mut self,
        whole: &Statement,
        name: &ast::Ident,
        types: &[ast::DataType],
        inner: &ast::Statement,
    ) -> Result<Outcome> {
        let name = names::fold(name);
        if self.prepared.0.contains_key(&name) {
            return Err(Error::new(
                SqlState::Code("42P05"),
                format!("prepared statement \"{name}\" already exists"),
            ));
        } else if self.prepared.0.len() >= MAX {
            return Err(Error::new(
                SqlState::Code("54000"),
                format!("a session keeps at most {MAX} prepared statements"),
            )
            .hint("DEALLOCATE those that are done"));
        }
        let zone = self.settings.zone();
        let types = types.iter().map(|t| arrow_type(t, zone).map(Some));
        let types = types.collect::<Result<Vec<_>>>()?;
        let statement = Statement { ast: Arc::new(inner.clone()), ..whole.clone() };
        self.prepared.0.insert(name, Entry { statement, types });
        Ok(Outcome::Command { tag: "PREPARE".into() })
    }

    pub(super) fn deallocate(&mut self, name: &ast::Ident) -> Result<Outcome> {
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
            self.prepared.clear();
            return Ok(Outcome::Command { tag: "DEALLOCATE ALL".into() });
        }
        let folded = names::fold(name);
        self.prepared.get(&folded)?;
        self.prepared.0.remove(&folded);
        Ok(Outcome::Command { tag: "DEALLOCATE".into() })
    }
}

/// The type of a parameter as PREPARE or a cast names it; `zone` is that of texts that name none.
pub fn arrow_type(ty: &ast::DataType, zone: &str) -> Result<DataType> {
    use ast::DataType as T;
    Ok(match ty {
        T::Int(_) | T::Integer(_) | T::Int4(_) => DataType::Int32,
        // As the planner knows oid.
        T::IntUnsigned(_) => DataType::UInt32,
        T::SmallInt(_) | T::Int2(_) => DataType::Int16,
        T::BigInt(_) | T::Int8(_) => DataType::Int64,
        T::Boolean | T::Bool => DataType::Boolean,
        T::Double(_) | T::DoublePrecision | T::Float8 | T::Float(_) => DataType::Float64,
        T::Real | T::Float4 => DataType::Float32,
        T::Text
        | T::Varchar(_)
        | T::CharacterVarying(_)
        | T::Char(_)
        | T::Character(_)
        | T::Uuid => DataType::Utf8,
        T::Decimal(_) | T::Dec(_) | T::Numeric(_) => DataType::Decimal128(38, 10),
        T::Date => DataType::Date32,
        T::Timestamp(_, kind) => {
            let kind = kind.to_string();
            let zoned = kind.contains("WITH TIME ZONE") || kind == "TZ";
            DataType::Timestamp(TimeUnit::Microsecond, zoned.then(|| zone.into()))
        }
        T::Time(..) => DataType::Time64(TimeUnit::Microsecond),
        T::Interval { .. } => DataType::Interval(IntervalUnit::MonthDayNano),
        T::Bytea => DataType::Binary,
        T::Array(ast::ArrayElemTypeDef::SquareBracket(item, _)) => {
            DataType::List(Arc::new(Field::new_list_field(arrow_type(item, zone)?, true)))
        }
        other => {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("a parameter of type {other} cannot be prepared"),
            )
            .hint("leave the type out: it is inferred"));
        }
    })
}
