//! `dao.segments`: a row a file of the covered indexes: where it lies, what it holds, how large it is. What the tail holds
//! is in no segment yet. An index is of now, whatever the basis: this relation has no past.

use super::super::types;
use super::schema_of;
use daodb_storage::Snapshot;
use datafusion::arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringViewArray, StringViewBuilder,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::sync::Arc;

pub fn schema() -> SchemaRef {
    schema_of(&[
        ("path", DataType::Utf8View),
        ("order", DataType::Utf8View),
        ("kind", DataType::Utf8View),
        ("run", DataType::Int64),
        ("rows", DataType::Int64),
        ("bytes", DataType::Int64),
        ("row_groups", DataType::Int64),
        ("attributes", DataType::List(Arc::new(types::item_field(DataType::Utf8View)))),
        ("first_t", DataType::Int64),
        ("last_t", DataType::Int64),
    ])
}

pub fn rows(snapshot: &Snapshot) -> Result<RecordBatch> {
    let segments = snapshot.segments();
    let text = |f: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new((0..segments.len()).map(|i| Some(f(i))).collect::<StringViewArray>())
    };
    let long = |f: &dyn Fn(usize) -> Option<i64>| -> ArrayRef {
        Arc::new((0..segments.len()).map(f).collect::<Int64Array>())
    };
    let item = types::item_field(DataType::Utf8View);
    let mut attributes = ListBuilder::new(StringViewBuilder::new()).with_field(item);
    for segment in &segments {
        segment.attributes.iter().for_each(|a| attributes.values().append_value(a.as_str()));
        attributes.append(true);
    }
    let columns: Vec<ArrayRef> = vec![
        text(&|i| segments[i].path.clone()),
        text(&|i| segments[i].order.to_owned()),
        text(&|i| segments[i].kind.to_owned()),
        long(&|i| i64::try_from(segments[i].run).ok()),
        long(&|i| i64::try_from(segments[i].rows).ok()),
        long(&|i| i64::try_from(segments[i].bytes).ok()),
        long(&|i| i64::try_from(segments[i].row_groups).ok()),
        Arc::new(attributes.finish()),
        long(&|i| Some(segments[i].first_t)),
        long(&|i| Some(segments[i].last_t)),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
