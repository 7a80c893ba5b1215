//! What a query answers: rows as they come, as columns or as forms.

use crate::edn::Form;
use crate::find::{Column, Shows};
use crate::pull::pull;
use crate::query::{KeyKind, Keys, Shape};
use crate::source::{DbSource, Source};
use crate::value::{Cell, cells, node, to_form};
use daodb_catalog::{Error, Result, SqlState};
use daodb_storage::{Attr, Value};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub struct Answer {
    pub columns: Vec<Column>,
    pub shape: Shape,
    pub keys: Option<Keys>,
    /// What a user would want to know though it is no error: attributes that nothing has.
    pub warnings: Vec<String>,
    pub(crate) sources: Vec<Source>,
    pub(crate) stream: SendableRecordBatchStream,
    pub(crate) deadline: Option<(Instant, Duration)>,
}

impl Answer {
    /// The next rows as columns: pulled columns are entities yet. None: there are no more.
    pub fn batch(&mut self) -> BoxFuture<'_, Result<Option<RecordBatch>>> {
        Box::pin(async move {
            let next = match self.deadline {
                None => self.stream.next().await,
                // What is always ready would never be late.
                Some((at, limit)) if at <= Instant::now() => return Err(too_long(limit)),
                Some((at, limit)) => tokio::time::timeout_at(at, self.stream.next())
                    .await
                    .map_err(|_| too_long(limit))?,
            };
            next.transpose().map_err(of_engine)
        })
    }

    /// The next rows as forms, pulled ones too. None: there are no more.
    pub fn rows(&mut self) -> BoxFuture<'_, Result<Option<Vec<Vec<Form>>>>> {
        Box::pin(async move {
            let Some(batch) = self.batch().await? else { return Ok(None) };
            let mut columns = Vec::with_capacity(self.columns.len());
            for (column, array) in self.columns.iter().zip(batch.columns()) {
                columns.push(forms(&self.sources, column, array).await?);
            }
            let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
            let row = |_| columns.iter_mut().filter_map(Iterator::next).collect();
            Ok(Some((0..batch.num_rows()).map(row).collect()))
        })
    }

    /// The whole answer in the shape that `:find` asks for.
    pub fn form(mut self) -> BoxFuture<'static, Result<Form>> {
        Box::pin(async move {
            let mut all: Vec<Vec<Form>> = Vec::new();
            while let Some(mut rows) = self.rows().await? {
                all.append(&mut rows);
                if matches!(self.shape, Shape::Scalar | Shape::Tuple) && !all.is_empty() {
                    break;
                }
            }
            let first = |row: Vec<Form>| row.into_iter().next().unwrap_or(Form::Nil);
            let mut rows = all.into_iter();
            Ok(match self.shape {
                Shape::Scalar => rows.next().map_or(Form::Nil, first),
                Shape::Tuple => rows.next().map_or(Form::Nil, |row| self.row(row)),
                Shape::Collection => Form::Vector(rows.map(|r| node(first(r))).collect()),
                Shape::Relation => Form::Vector(rows.map(|r| node(self.row(r))).collect()),
            })
        })
    }

    /// One row: a vector, or a map where there are keys.
    pub fn row(&self, row: Vec<Form>) -> Form {
        let Some(keys) = &self.keys else {
            return Form::Vector(row.into_iter().map(node).collect());
        };
        let key = |name: &Arc<str>| match keys.kind {
            KeyKind::Keywords => Value::keyword(name),
            KeyKind::Strings => Value::String(Arc::clone(name)),
            KeyKind::Symbols => Value::Symbol(Arc::clone(name)),
        };
        let pairs = keys.names.iter().zip(row);
        Form::Map(pairs.map(|(k, v)| (node(Form::Value(key(k))), node(v))).collect())
    }
}

/// The values of a column of a batch as forms.
pub(crate) async fn forms(
    sources: &[Source],
    column: &Column,
    array: &ArrayRef,
) -> Result<Vec<Form>> {
    let cells = cells(column.kind, array).map_err(of_engine)?;
    Ok(match &column.shows {
        Shows::Value => cells.iter().map(to_form).collect(),
        Shows::Ident { source } => match sources.get(*source) {
            Some(Source::Database(db)) => cells.iter().map(|c| ident(db, c)).collect(),
            _ => cells.iter().map(to_form).collect(),
        },
        Shows::Set => cells.iter().map(set).collect(),
        Shows::Pull { source, pattern } => match sources.get(*source) {
            Some(Source::Database(db)) => pulled(db, pattern, &cells).await?,
            _ => vec![Form::Nil; cells.len()],
        },
    })
}

fn set(cell: &Cell) -> Form {
    match to_form(cell) {
        Form::Vector(items) => Form::Set(items),
        other => other,
    }
}

fn ident(db: &DbSource, cell: &Cell) -> Form {
    match db.attribute_of(cell) {
        Some(a) => Form::Value(Value::keyword(db.schema.name_of(&a).as_str())),
        None => to_form(cell),
    }
}

async fn pulled(
    db: &DbSource,
    pattern: &crate::pull::Pattern,
    cells: &[Cell],
) -> Result<Vec<Form>> {
    // An input that no clause has for an entity is still the ident that was given.
    let entity = |c: &Cell| match c {
        Some(Value::Long(e)) => Some(*e),
        Some(Value::Keyword(name)) => db.schema.entity_of(&Attr::new(name)),
        _ => None,
    };
    let es: Vec<i64> = cells.iter().filter_map(entity).collect();
    let mut maps = pull(db, pattern, &es).await?.into_iter();
    let shown = cells.iter().map(|c| match entity(c) {
        Some(_) => maps.next().unwrap_or(Form::Nil),
        None => Form::Nil,
    });
    Ok(shown.collect())
}

fn too_long(limit: Duration) -> Error {
    Error::new(
        SqlState::QUERY_CANCELED,
        format!("the query took longer than its timeout of {limit:?}"),
    )
    .hint("give it more time by :timeout, or ask for less")
}

/// The engine's error as one of ours.
pub(crate) fn of_engine(e: DataFusionError) -> Error {
    Error::from(e)
}
