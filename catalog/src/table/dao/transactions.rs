//! `dao.transactions`: a row a transaction up to the basis: its t, its entity `_id` (the same number, to join with entity
//! tables by), and when it was. What else is said of
//! a transaction (`:git/commit`) stands in the entity tables, with `_id` = t.

use super::super::instants::{Instants, instant_type};
use super::schema_of;
use daodb_storage::{FIRST_T, Snapshot};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::sync::Arc;

pub fn schema() -> SchemaRef {
    schema_of(&[("t", DataType::Int64), ("_id", DataType::Int64), ("instant", instant_type())])
}

pub async fn rows(snapshot: &Snapshot) -> Result<RecordBatch> {
    let instants = Instants::between(snapshot, FIRST_T, snapshot.t()).await?;
    let ts: Vec<i64> = instants.ts().collect();
    let instants = instants.column(ts.iter().copied().map(Some));
    let ts: ArrayRef = Arc::new(Int64Array::from(ts));
    Ok(RecordBatch::try_new(schema(), vec![Arc::clone(&ts), ts, instants])?)
}
