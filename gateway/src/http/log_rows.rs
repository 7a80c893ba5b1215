//! The log as rows, for CSV and Arrow: `t, instant, e, a, v, type, m, added`, a datom each. There are no pages, which rows could
//! not tell: all from `from` on come, up to `to`, or `limit` transactions, or what is newest when it is asked.

use super::args;
use super::call::Call;
use super::errors::{self, Result};
use super::formats::{Head, RowFormat, Rows};
use super::log::{self, Wanted};
use super::server::Server;
use super::sql::{after, with_type};
use super::stream::{self, Pieces, Running, Written};
use crate::pg::encode::text::Style;
use axum::response::Response;
use bytes::Bytes;
use daodb_catalog::{Database, Error};
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Datom;
use daodb_storage::log::Transaction;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::DataFusionError;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Transactions that are read at once.
const PAGE: usize = 256;

pub async fn send(
    server: &Arc<Server>,
    call: &mut Call,
    format: RowFormat,
    database: Arc<Database>,
    wanted: Wanted,
) -> Result<Response> {
    if call.parameter("wait").is_some() {
        return Err(errors::bad("rows do not wait", "leave wait out, or take JSON, EDN or events"));
    }
    let newest = database.snapshot().newest().t;
    let left = call.parameter("limit").map(|_| wanted.limit);
    let schema = schema();
    let out = Rows::new(format, &schema, Style::default(), Head { t: newest })?;
    let pieces = Box::new(Log { database, wanted, newest, left, schema, out });
    let deadline = after(server.limits.statement_timeout);
    let running = Running { pieces, deadline, _place: call.place.take() };
    Ok(with_type(stream::rows(server, running).await?, format))
}

struct Log {
    database: Arc<Database>,
    /// From where on it goes.
    wanted: Wanted,
    newest: i64,
    /// Transactions that may still come; None: any number.
    left: Option<usize>,
    schema: SchemaRef,
    out: Rows,
}

impl Pieces for Log {
    fn head(&mut self) -> Bytes {
        self.out.head()
    }

    fn next(&mut self) -> BoxFuture<'_, std::result::Result<Option<Written>, Error>> {
        Box::pin(async move {
            self.wanted.limit = self.left.unwrap_or(PAGE).min(PAGE);
            if self.wanted.limit == 0 {
                return Ok(None);
            }
            let page = log::page(&self.database, &self.wanted, self.newest).await;
            let page = page.map_err(|refusal| refusal.error)?;
            let Some(last) = page.last() else { return Ok(None) };
            self.wanted.from = last.header.t + 1;
            self.left = self.left.map(|left| left.saturating_sub(page.len()));
            let batch = batch(&self.schema, &page)?;
            Ok(Some(Written { bytes: self.out.batch(&batch)?, rows: batch.num_rows() }))
        })
    }

    fn end(&mut self) -> std::result::Result<Bytes, Error> {
        self.out.end()
    }

    fn failed(&mut self, error: &Node) -> Option<Bytes> {
        self.out.failed(error)
    }
}

fn schema() -> SchemaRef {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |name: &str, ty: DataType| Field::new(name, ty, false);
    Arc::new(Schema::new(vec![
        field("t", DataType::Int64),
        field("instant", instant),
        field("e", DataType::Int64),
        field("a", DataType::Utf8View),
        field("v", DataType::Utf8View),
        field("type", DataType::Utf8View),
        field("m", DataType::Int64),
        field("added", DataType::Boolean),
    ]))
}

fn batch(schema: &SchemaRef, page: &[Transaction]) -> std::result::Result<RecordBatch, Error> {
    let each = || page.iter().flat_map(|tx| tx.datoms.iter().map(move |d| (tx, d)));
    let longs = |of: fn(&Datom) -> i64| -> ArrayRef {
        Arc::new(each().map(|(_, d)| Some(of(d))).collect::<Int64Array>())
    };
    let texts = |of: fn(&Datom) -> String| -> ArrayRef {
        Arc::new(each().map(|(_, d)| Some(of(d))).collect::<StringViewArray>())
    };
    let instants: TimestampMicrosecondArray =
        each().map(|(tx, _)| Some(tx.header.instant)).collect();
    let added: BooleanArray = each().map(|(_, d)| Some(d.added)).collect();
    let columns: Vec<ArrayRef> = vec![
        longs(|d| d.t),
        Arc::new(instants.with_timezone("UTC")),
        longs(|d| d.e),
        texts(|d| d.a.as_str().to_owned()),
        texts(value),
        texts(|d| d.v.value_type().name().to_owned()),
        longs(|d| d.m),
        Arc::new(added),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| DataFusionError::from(e).into())
}

/// As SQL shows it; a tuple as EDN.
fn value(datom: &Datom) -> String {
    args::of_value(&datom.v).unwrap_or_else(|()| Form::Value(datom.v.clone()).to_string())
}
