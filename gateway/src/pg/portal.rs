//! The answer to one statement, sent all at once or so many rows at a time.

use super::copy::CopyOut;
use super::encode::calendar::Zone;
use super::encode::text::Style;
use super::encode::{self, Column, types};
use super::errors::{Failure, Result};
use super::rows::{Rows, Sent};
use super::wire::Writer;
use daodb_catalog::session::{Moments, Outcome, RowsTag, Statement};
use daodb_catalog::{Error, Session, SqlState};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use pgwire::messages::PgWireBackendMessage as Backend;
use pgwire::messages::response::CommandComplete;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// A command tag: `SELECT 3`, `SET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub String);

impl Tag {
    pub fn rows(tag: RowsTag, rows: u64) -> Self {
        Tag(match tag {
            RowsTag::Select => format!("SELECT {rows}"),
            RowsTag::Show => "SHOW".into(),
            RowsTag::Explain => "EXPLAIN".into(),
            RowsTag::Fetch { .. } => format!("FETCH {rows}"),
        })
    }

    pub fn message(&self) -> Backend {
        Backend::CommandComplete(CommandComplete::new(self.0.clone()))
    }
}

pub enum Progress {
    Done(Tag),
    Suspended,
}

/// A statement that runs.
pub enum Answer {
    Rows { rows: Box<Rows>, tag: RowsTag },
    Copy(Box<CopyOut>),
    Command(Tag),
}

impl Answer {
    pub fn new(outcome: Outcome, formats: &[i16], session: &Session) -> Result<Self> {
        Ok(match outcome {
            Outcome::Rows { schema, stream, tag } => {
                let columns = encode::formatted(encode::columns(&schema)?, formats)?;
                let rows = Box::new(Rows::new(stream, columns, style(session)));
                Answer::Rows { rows, tag }
            }
            Outcome::CopyOut { schema, stream, options } => {
                let columns = encode::columns(&schema)?;
                Answer::Copy(Box::new(CopyOut::new(stream, columns, style(session), options)?))
            }
            Outcome::Command { tag } => Answer::Command(Tag(tag)),
        })
    }

    /// Sends what there is, at most so many rows.
    pub async fn send(
        &mut self,
        writer: &mut Writer,
        most: Option<u64>,
    ) -> Result<Progress, Failure> {
        Ok(match self {
            Answer::Rows { rows, tag } => match rows.send(writer, most).await? {
                Sent::All(count) => Progress::Done(Tag::rows(*tag, count)),
                Sent::Some => Progress::Suspended,
            },
            Answer::Copy(copy) => {
                let rows = copy.send(writer).await?;
                Progress::Done(Tag(format!("COPY {rows}")))
            }
            Answer::Command(tag) => Progress::Done(tag.clone()),
        })
    }
}

/// How the session's settings have values written.
pub(crate) fn style(session: &Session) -> Style {
    let zone = session.setting("timezone").and_then(|name| Zone::parse(&name));
    let digits = session.setting("extra_float_digits").and_then(|digits| digits.parse().ok());
    let plain = Style::default();
    Style {
        zone: zone.unwrap_or(plain.zone),
        float_digits: digits.unwrap_or(plain.float_digits),
        trimmed: false,
    }
}

/// A bound statement.
pub struct Portal {
    /// None: an empty query.
    pub statement: Option<Arc<Prepared>>,
    pub params: Vec<ScalarValue>,
    pub formats: Vec<i16>,
    pub state: State,
    /// Where its parameters say which versions of tables are read: what there is then. Else the statement's own serves.
    pub described: Option<Arc<Described>>,
    /// Whether the client was told of its columns.
    pub told: bool,
}

impl Portal {
    /// What the client was told of the columns, of the portal or of its statement.
    pub fn told(&self) -> Option<Arc<Described>> {
        let prepared = self.statement.as_ref()?;
        match (self.told, &self.described) {
            (true, Some(described)) => Some(Arc::clone(described)),
            (told, _) => {
                prepared.described.lock().clone().filter(|_| told || prepared.told.load(Relaxed))
            }
        }
    }
}

pub enum State {
    Bound,
    Running(Answer),
    /// A query gives no more rows when it is asked again; a command is not run twice.
    Ended {
        rows: Option<RowsTag>,
    },
}

/// A parsed statement, and what is known of it.
pub struct Prepared {
    pub statement: Statement,
    /// Types that the client gave for its parameters.
    pub given: Vec<Option<Type>>,
    /// Those of its parameters that say when. Worked out when it is first bound.
    pub moments: OnceLock<Moments>,
    /// Worked out when it is first needed.
    pub described: parking_lot::Mutex<Option<Arc<Described>>>,
    /// Whether the client was told of it.
    pub told: AtomicBool,
}

pub struct Described {
    pub params: Vec<(Type, DataType)>,
    /// None: the statement returns no rows.
    pub columns: Option<Vec<Column>>,
}

impl Prepared {
    /// The types that the client gave, as plans have them.
    pub fn planned(&self) -> Vec<Option<DataType>> {
        self.given.iter().map(|ty| ty.as_ref().and_then(types::planned)).collect()
    }

    /// The `n`-th parameter's types, from 0: as the client sends it, and as the plan has it.
    pub fn parameter(&self, n: usize, planned: DataType) -> Result<(Type, DataType)> {
        let ty = match self.given.get(n).cloned().flatten() {
            Some(ty) => ty,
            None => types::of(&planned)?,
        };
        Ok((ty, planned))
    }

    /// The columns that the client was told of must be those that it gets.
    pub fn check(&self, told: Option<&Described>, columns: &[Column]) -> Result<()> {
        let same = told.and_then(|told| told.columns.as_ref()).is_none_or(|told| {
            told.len() == columns.len()
                && told.iter().zip(columns).all(|(a, b)| a.name == b.name && a.ty == b.ty)
        });
        if same {
            return Ok(());
        }
        *self.described.lock() = None;
        Err(Box::new(
            Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type")
                .hint("the table has other columns than when the statement was prepared; prepare it again, at a moment that the statement names itself"),
        ))
    }
}
