//! `dao.streams`: a row a stream: its number, the transaction it stands at, and whether this server writes it or follows it.

use super::super::instants::instant_type;
use super::{FOUNDING_STREAM, schema_of};
use crate::database::Database;
use daodb_storage::{FIRST_T, Snapshot};
use datafusion::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::sync::Arc;

pub fn schema() -> SchemaRef {
    schema_of(&[
        ("stream", DataType::Int64),
        ("t", DataType::Int64),
        ("instant", instant_type()),
        ("hash", DataType::Utf8View),
        ("role", DataType::Utf8View),
        // When nothing newer was there: now, for the one that writes.
        ("known_at", instant_type()),
    ])
}

/// The newest transaction, whatever the view; nulls where there is none yet.
pub fn rows(database: &Database, snapshot: &Snapshot) -> Result<RecordBatch> {
    let newest = snapshot.newest();
    let some = newest.t >= FIRST_T;
    let hash: String = newest.hash.iter().map(|b| format!("{b:02x}")).collect();
    let instant = TimestampMicrosecondArray::from(vec![some.then_some(newest.instant)]);
    let (role, known) = match database.stream().followed() {
        Some(at) => ("reader", at),
        None => ("writer", database.now()),
    };
    let known = TimestampMicrosecondArray::from(vec![known]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![FOUNDING_STREAM])),
        Arc::new(Int64Array::from(vec![some.then_some(newest.t)])),
        Arc::new(instant.with_timezone("UTC")),
        Arc::new(StringViewArray::from(vec![some.then_some(hash.as_str())])),
        Arc::new(StringViewArray::from(vec![role])),
        Arc::new(known.with_timezone("UTC")),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
