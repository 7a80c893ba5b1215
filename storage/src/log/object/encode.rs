//! A group of transactions to the bytes of an object.

use super::accept::accept;
use super::headers::{hex, instant_text, to_json};
use super::{
    FORMAT, KEY_BY, KEY_FORMAT, KEY_PREVIOUS, KEY_PUT, KEY_STREAM, KEY_TRANSACTIONS, KEY_WRITER,
    Origin,
};
use crate::datom::Datom;
use crate::error::{Error, Result};
use crate::log::hash::TransactionHasher;
use crate::log::{Head, Header, Transaction, seal};
use crate::stream::NewTransaction;
use crate::value::ValueType;
use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_writer::ArrowWriterOptions;
use datafusion::parquet::basic::{Compression, Encoding};
use datafusion::parquet::file::metadata::KeyValue;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::schema::types::ColumnPath;
use std::sync::Arc;

/// Rows turned into columns at once.
const BATCH_ROWS: usize = 64 << 10;
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Below this many rows compression and statistics cost more than they save.
const SMALL_ROWS: usize = 1_000;
/// Below this many any encoding does.
const FEW_ROWS: usize = 64;

/// The object that continues `head`, and its transactions with their headers.
pub(in crate::log) fn encode(
    origin: &Origin,
    head: &Head,
    group: Vec<NewTransaction>,
) -> Result<(Bytes, Vec<Transaction>)> {
    let transactions = chain(head, group)?;
    let bytes = write(origin, &head.hash, &transactions)?;
    Ok((bytes, transactions))
}

/// An object of transactions that other objects hold, headers and hashes as they are.
pub(in crate::log) fn join(origin: &Origin, transactions: &[Transaction]) -> Result<Bytes> {
    let Some(first) = transactions.first() else {
        return Err(Error::internal("no transactions to join"));
    };
    write(origin, &first.header.previous, transactions)
}

fn write(origin: &Origin, previous: &[u8; 32], transactions: &[Transaction]) -> Result<Bytes> {
    let datoms: Vec<&Datom> = transactions.iter().flat_map(|t| t.datoms.iter()).collect();
    let types = occurring_types(&datoms);
    let schema = schema(&types);
    let options = ArrowWriterOptions::new()
        .with_properties(properties(datoms.len(), metadata(origin, previous, transactions)?))
        .with_skip_arrow_metadata(true);
    let failed = |e: &dyn std::fmt::Display| Error::internal(format!("encoding the log: {e}"));
    // A guess that spares copies: most datoms take less than this once encoded.
    let out = Vec::with_capacity(4096 + 16 * datoms.len());
    let mut writer = ArrowWriter::try_new_with_options(out, Arc::clone(&schema), options)
        .map_err(|e| failed(&e))?;
    writer.write_all(&seal::SPACE).map_err(|e| failed(&e))?;
    for rows in datoms.chunks(BATCH_ROWS) {
        let batch = columns(&schema, &types, rows).map_err(|e| failed(&e))?;
        writer.write(&batch).map_err(|e| failed(&e))?;
    }
    let mut bytes = writer.into_inner().map_err(|e| failed(&e))?;
    seal::seal(&mut bytes);
    Ok(bytes.into())
}

/// Gives every transaction its header.
fn chain(head: &Head, group: Vec<NewTransaction>) -> Result<Vec<Transaction>> {
    if group.is_empty() {
        return Err(Error::internal("an empty group was to be logged"));
    }
    let mut hasher = TransactionHasher::new();
    let mut transactions = Vec::with_capacity(group.len());
    let mut head = head.clone();
    for NewTransaction { instant, mut datoms } in group {
        let t = head.t + 1;
        if instant < head.instant || instant_text(instant).is_none() {
            return Err(Error::internal(format!(
                "transaction {t} at {instant} µs is older than the one before, or outside the calendar"
            )));
        }
        accept(&mut datoms, t)?;
        let (parents, previous, count) = (Vec::new(), head.hash, datoms.len() as u64);
        let mut header = Header { t, instant, parents, previous, hash: [0; 32], count };
        header.hash = hasher.hash(&header, &datoms);
        head = Head::after(&header);
        transactions.push(Transaction { header, datoms: datoms.into() });
    }
    Ok(transactions)
}

fn occurring_types(datoms: &[&Datom]) -> Vec<ValueType> {
    let mask = datoms.iter().fold(0_u32, |mask, d| mask | (1 << d.v.value_type() as u8));
    ValueType::ALL.into_iter().filter(|t| mask & (1 << *t as u8) != 0).collect()
}

/// The columns of datoms whose values are of these types.
pub(crate) fn schema(types: &[ValueType]) -> SchemaRef {
    let mut fields =
        vec![Field::new("e", DataType::Int64, false), Field::new("a", DataType::Utf8View, false)];
    fields.extend(types.iter().map(|t| Field::new(format!("v_{}", t.name()), t.arrow(), true)));
    fields.extend([
        Field::new("value_type", DataType::Utf8View, false),
        Field::new("t", DataType::Int64, false),
        Field::new("m", DataType::Int64, false),
        Field::new("added", DataType::Boolean, false),
    ]);
    Arc::new(Schema::new(fields))
}

/// Datoms as the columns of [`schema`].
pub(crate) fn columns(
    schema: &SchemaRef,
    types: &[ValueType],
    rows: &[&Datom],
) -> Result<RecordBatch, datafusion::arrow::error::ArrowError> {
    let integers = |of: fn(&Datom) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|d| of(d))))
    };
    let attributes = StringViewArray::from_iter_values(rows.iter().map(|d| d.a.as_str()));
    let tags = StringViewArray::from_iter_values(rows.iter().map(|d| d.v.value_type().name()));
    let mut columns = vec![integers(|d| d.e), Arc::new(attributes) as ArrayRef];
    columns.extend(types.iter().map(|t| t.array(rows.iter().map(|d| Some(&d.v)))));
    columns.extend([
        Arc::new(tags) as ArrayRef,
        integers(|d| d.t),
        integers(|d| d.m),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|d| Some(d.added)))),
    ]);
    RecordBatch::try_new(Arc::clone(schema), columns)
}

fn metadata(
    origin: &Origin,
    previous: &[u8; 32],
    transactions: &[Transaction],
) -> Result<Vec<KeyValue>> {
    let headers: Vec<_> = transactions.iter().map(|t| &t.header).collect();
    let pair = |key: &str, value: String| KeyValue { key: key.to_owned(), value: Some(value) };
    Ok(vec![
        pair(KEY_FORMAT, FORMAT.to_owned()),
        pair(KEY_STREAM, origin.stream.clone()),
        pair(KEY_WRITER, origin.writer.to_string()),
        pair(KEY_PUT, origin.put.to_string()),
        pair(KEY_BY, origin.by.clone()),
        pair(KEY_PREVIOUS, hex(previous)),
        pair(KEY_TRANSACTIONS, to_json(&headers)?),
    ])
}

fn properties(rows: usize, metadata: Vec<KeyValue>) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("daodb".to_owned())
        .set_key_value_metadata(Some(metadata))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_offset_index_disabled(true);
    properties = match rows < SMALL_ROWS {
        true => properties.set_statistics_enabled(EnabledStatistics::None),
        false => properties
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_compression(Compression::LZ4_RAW),
    };
    if rows < FEW_ROWS {
        return properties.set_dictionary_enabled(false).build();
    }
    // Integers that rise or repeat in small steps.
    for name in ["e", "t", "v_long", "v_instant", "v_ref"] {
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}
