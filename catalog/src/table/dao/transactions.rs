//! `dao.transactions`: a row a transaction up to the basis: its t (and entity id), and when it was. What else is said of
//! a transaction (`:git/commit`) stands in the entity tables, with `_id` = t.

use super::super::instants::{Instants, instant_type};
use super::schema_of;
use daodb_storage::{FIRST_T, Snapshot};
use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::sync::Arc;

pub fn schema() -> SchemaRef {
    schema_of(&[("t", DataType::Int64), ("instant", instant_type())])
}

pub async fn rows(snapshot: &Snapshot) -> Result<RecordBatch> {
    let instants = Instants::between(snapshot, FIRST_T, snapshot.t()).await?;
    let ts: Vec<i64> = instants.ts().collect();
    let instants = instants.column(ts.iter().copied().map(Some));
    Ok(RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(ts)), instants])?)
}
