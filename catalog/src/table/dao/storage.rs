//! `dao.storage`: the requests to the store since this process opened it, by what the objects are (`area`) and by kind; those
//! of all its databases. Area `cache` is the folder of `--cache`: there a delete makes room, and an error is a block
//! that was damaged. It is of now, whatever the basis.

use super::schema_of;
use daodb_storage::{Requests, Snapshot};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::sync::Arc;

pub fn schema() -> SchemaRef {
    schema_of(&[
        ("area", DataType::Utf8View),
        ("kind", DataType::Utf8View),
        ("requests", DataType::Int64),
        ("bytes", DataType::Int64),
        ("errors", DataType::Int64),
        ("busy_ms", DataType::Int64),
    ])
}

pub fn rows(snapshot: &Snapshot) -> Result<RecordBatch> {
    let rows = snapshot.requests();
    let text = |f: fn(&Requests) -> &'static str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(f(row))).collect::<StringViewArray>())
    };
    let long = |f: fn(&Requests) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| i64::try_from(f(row)).ok()).collect::<Int64Array>())
    };
    let columns = vec![
        text(|row| row.area),
        text(|row| row.kind),
        long(|row| row.requests),
        long(|row| row.bytes),
        long(|row| row.errors),
        long(|row| row.busy_ms),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
