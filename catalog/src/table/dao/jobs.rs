//! `dao.jobs`: background work of this server on the database: what goes on, and what ended lately. It has no past.

use super::super::instants::instant_type;
use super::{FOUNDING_STREAM, schema_of};
use daodb_storage::{Job, Stream};
use datafusion::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::sync::Arc;

pub fn schema() -> SchemaRef {
    schema_of(&[
        ("stream", DataType::Int64),
        ("job", DataType::Utf8View),
        ("state", DataType::Utf8View),
        ("started", instant_type()),
        ("ended", instant_type()),
        ("items", DataType::Int64),
        ("bytes", DataType::Int64),
        ("error", DataType::Utf8View),
    ])
}

/// `running`, `done`, or `failed`: then it is tried again.
fn state(job: &Job) -> &'static str {
    match (job.ended, &job.error) {
        (_, Some(_)) => "failed",
        (Some(_), None) => "done",
        (None, None) => "running",
    }
}

pub fn rows(stream: &Stream) -> Result<RecordBatch> {
    let jobs = stream.jobs();
    let text = |f: &dyn Fn(&Job) -> Option<String>| -> ArrayRef {
        Arc::new(jobs.iter().map(f).collect::<StringViewArray>())
    };
    let long = |f: &dyn Fn(&Job) -> u64| -> ArrayRef {
        Arc::new(jobs.iter().map(|job| i64::try_from(f(job)).ok()).collect::<Int64Array>())
    };
    let instant = |f: &dyn Fn(&Job) -> Option<i64>| -> ArrayRef {
        let all: TimestampMicrosecondArray = jobs.iter().map(f).collect();
        Arc::new(all.with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![FOUNDING_STREAM; jobs.len()])),
        text(&|job| Some(job.kind.name().to_owned())),
        text(&|job| Some(state(job).to_owned())),
        instant(&|job| Some(job.started)),
        instant(&|job| job.ended),
        long(&|job| job.items),
        long(&|job| job.bytes),
        text(&|job| job.error.clone()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
