//! The bytes of an object back to its transactions, every claim of the headers checked.

use super::accept::op_agrees;
use super::headers::{from_json, unhex};
use super::{
    FORMAT, KEY_BY, KEY_FORMAT, KEY_PREVIOUS, KEY_PUT, KEY_STREAM, KEY_TRANSACTIONS, KEY_WRITER,
    LOST, LogObject, Origin,
};
use crate::datom::{Attr, Datom};
use crate::error::{Error, Result};
use crate::log::hash::TransactionHasher;
use crate::log::{Header, Transaction, seal};
use crate::value::{ValueColumn, ValueType};
use bytes::Bytes;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int64Array, RecordBatch,
};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::file::metadata::ParquetMetaData;
use object_store::path::Path;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const BATCH_ROWS: usize = 16 << 10;

/// The transactions of the object at `path`, which begins with `first_t` and belongs to `stream`.
pub(in crate::log) fn decode(
    path: Path,
    first_t: i64,
    stream: &str,
    bytes: &Bytes,
) -> Result<LogObject> {
    decode_after(path, first_t, stream, bytes, i64::MIN)
}

/// The same; where all its transactions are known, up to `known`, their headers alone: they have no datoms then.
pub(in crate::log) fn decode_after(
    path: Path,
    first_t: i64,
    stream: &str,
    bytes: &Bytes,
    known: i64,
) -> Result<LogObject> {
    let transactions = guarded(&path, bytes, |parquet| {
        let found = text(parquet.metadata(), KEY_STREAM)?;
        if found != stream {
            return Err(Error::data("stream", format!("is {found:?} instead of {stream:?}")));
        }
        let headers = headers(parquet.metadata(), first_t)?;
        if headers.last().is_some_and(|last| last.t <= known) {
            let alone = |header| Transaction { header, datoms: Vec::new().into() };
            return Ok(headers.into_iter().map(alone).collect());
        }
        transactions(parquet, bytes, headers)
    })?;
    Ok(LogObject { path, transactions })
}

/// Which write made the object.
pub(in crate::log) fn origin(path: &Path, bytes: &Bytes) -> Result<Origin> {
    guarded(path, bytes, |parquet| {
        let id = |key| {
            text(parquet.metadata(), key)?.parse().map_err(|e: uuid::Error| Error::data(key, e))
        };
        let stream = text(parquet.metadata(), KEY_STREAM)?.to_owned();
        // Objects of the first version do not say.
        let by = text(parquet.metadata(), KEY_BY).unwrap_or("another process").to_owned();
        Ok(Origin { stream, writer: id(KEY_WRITER)?, put: id(KEY_PUT)?, by })
    })
}

/// Reads only sealed bytes. Whoever forges a seal can still make the Parquet decoder panic: that ends in an error, too.
fn guarded<T>(
    path: &Path,
    bytes: &Bytes,
    read: impl FnOnce(&ArrowReaderMetadata) -> Result<T>,
) -> Result<T> {
    seal::check(path, bytes)?;
    let read = AssertUnwindSafe(|| read(&open(bytes)?));
    let done = catch_unwind(read)
        .unwrap_or_else(|_| Err(Error::data("Parquet", "the decoder gave up on these bytes")));
    done.map_err(|e| Error::data(path, e.message).hint(e.hint.unwrap_or_else(|| LOST.to_owned())))
}

/// The file's metadata, with the Arrow types that we want its columns in.
fn open(bytes: &Bytes) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let as_stored = ArrowReaderMetadata::load(bytes, options).map_err(parquet_error)?;
    let format = text(as_stored.metadata(), KEY_FORMAT)?;
    if format != FORMAT {
        return Err(Error::data("format", format!("is {format:?}; this DaoDB reads {FORMAT:?}"))
            .hint("use a newer DaoDB"));
    }
    let fields = as_stored.schema().fields().iter().map(|f| {
        let wanted = wanted_type(f.name())
            .ok_or_else(|| Error::data("column", format!("{:?} is not known", f.name())))?;
        Ok(Field::new(f.name(), wanted, f.is_nullable()))
    });
    let schema = Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?));
    let options = ArrowReaderOptions::new().with_schema(schema);
    ArrowReaderMetadata::try_new(Arc::clone(as_stored.metadata()), options).map_err(parquet_error)
}

/// Attributes and tags come as dictionaries, so that each distinct one is made once a batch.
fn wanted_type(column: &str) -> Option<DataType> {
    let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    match column {
        "e" | "t" | "m" => Some(DataType::Int64),
        "added" => Some(DataType::Boolean),
        "a" | "value_type" => Some(dictionary()),
        _ => value_type_of(column).map(ValueType::arrow),
    }
}

fn value_type_of(column: &str) -> Option<ValueType> {
    let name = column.strip_prefix("v_")?;
    ValueType::ALL.into_iter().find(|t| t.name() == name)
}

fn parquet_error(e: impl std::fmt::Display) -> Error {
    Error::data("Parquet", e)
}

fn text<'a>(metadata: &'a ParquetMetaData, key: &str) -> Result<&'a str> {
    let pairs = metadata.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
    pairs
        .iter()
        .find(|pair| pair.key == key)
        .and_then(|pair| pair.value.as_deref())
        .ok_or_else(|| Error::data("metadata", format!("{key} is missing")))
}

/// The headers: contiguous from `first_t`, not going back in time, and of as many datoms as there are rows.
fn headers(metadata: &ParquetMetaData, first_t: i64) -> Result<Vec<Header>> {
    let previous = unhex(text(metadata, KEY_PREVIOUS)?)?;
    let headers = from_json(text(metadata, KEY_TRANSACTIONS)?, previous)?;
    let bad = |what: String| Err(Error::data("transaction headers", what));
    if headers.is_empty() {
        return bad("there is none".to_owned());
    }
    for (expected, header) in (first_t..).zip(&headers) {
        if header.t != expected {
            return bad(format!("transaction {} stands where {expected} belongs", header.t));
        }
    }
    if let Some(pair) = headers.windows(2).find(|pair| pair[1].instant < pair[0].instant) {
        return bad(format!("transaction {} is older than the one before", pair[1].t));
    }
    let rows = metadata.file_metadata().num_rows();
    let promised = headers.iter().try_fold(0_u64, |sum, h| sum.checked_add(h.count));
    if promised != u64::try_from(rows).ok() {
        return bad(format!("they promise other than the {rows} datoms that there are"));
    }
    Ok(headers)
}

fn transactions(
    parquet: &ArrowReaderMetadata,
    bytes: &Bytes,
    headers: Vec<Header>,
) -> Result<Vec<Transaction>> {
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), parquet.clone())
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(parquet_error)?;
    let mut hasher = TransactionHasher::new();
    let mut done = Vec::with_capacity(headers.len());
    let mut headers = headers.into_iter();
    let mut header = headers.next();
    let mut datoms = Vec::new();
    // Closes the transactions whose datoms are complete (there may be some without any).
    let mut close = |header: &mut Option<Header>, datoms: &mut Vec<Datom>| {
        while let Some(full) = header.take_if(|h| h.count == datoms.len() as u64) {
            if hasher.hash(&full, datoms) != full.hash {
                return Err(Error::data(
                    format!("transaction {}", full.t),
                    "its hash does not match its datoms: it was changed after it was written",
                ));
            }
            let datoms = std::mem::take(datoms).into();
            done.push(Transaction { header: full, datoms });
            *header = headers.next();
        }
        Ok(())
    };
    close(&mut header, &mut datoms)?;
    for batch in reader {
        let rows = Rows::new(&batch.map_err(parquet_error)?)?;
        for row in 0..rows.len() {
            let t = header.as_ref().map_or(i64::MIN, |h| h.t);
            datoms.push(rows.datom(row, t)?);
            close(&mut header, &mut datoms)?;
        }
    }
    match header {
        None => Ok(done),
        Some(h) => Err(Error::data(format!("transaction {}", h.t), "datoms are missing")),
    }
}

/// The typed columns of a batch.
struct Rows {
    e: Int64Array,
    a: (DictionaryArray<Int32Type>, Vec<Attr>),
    tags: (DictionaryArray<Int32Type>, Vec<ValueType>),
    /// By the number of the value type.
    values: [Option<ValueColumn>; 16],
    t: Int64Array,
    m: Int64Array,
    added: BooleanArray,
}

impl Rows {
    fn new(batch: &RecordBatch) -> Result<Self> {
        let column = |name: &str| -> Result<&ArrayRef> {
            let column = batch.column_by_name(name);
            let column = column.filter(|c| name.starts_with("v_") || c.null_count() == 0);
            column.ok_or_else(|| Error::data("column", format!("{name} is missing or has nulls")))
        };
        let integers = |name| Ok::<_, Error>(column(name)?.as_primitive::<Int64Type>().clone());
        let attributes = column("a")?.as_dictionary::<Int32Type>().clone();
        let names = entries(&attributes, |name| {
            let named = name.len() > 1 && name.starts_with(':');
            named.then(|| Attr::new(name))
        })?;
        let tags = column("value_type")?.as_dictionary::<Int32Type>().clone();
        let types = entries(&tags, |name| ValueType::ALL.into_iter().find(|t| t.name() == name))?;
        let mut values = [const { None }; 16];
        for field in batch.schema().fields() {
            if let Some(ty) = value_type_of(field.name()) {
                values[ty as usize] = Some(ValueColumn::new(ty, column(field.name())?)?);
            }
        }
        Ok(Self {
            e: integers("e")?,
            a: (attributes, names),
            tags: (tags, types),
            values,
            t: integers("t")?,
            m: integers("m")?,
            added: column("added")?.as_boolean().clone(),
        })
    }

    fn len(&self) -> usize {
        self.e.len()
    }

    /// The datom of `row`, which must be of transaction `t`.
    fn datom(&self, row: usize, t: i64) -> Result<Datom> {
        let (e, m, added) = (self.e.value(row), self.m.value(row), self.added.value(row));
        let bad =
            |what: &str| Err(Error::data(format!("transaction {t}, datom of entity {e}"), what));
        let Some(a) = at(&self.a, row) else { return bad("the attribute is missing") };
        let Some(tag) = at(&self.tags, row) else { return bad("the value's type is missing") };
        let column = self.values[*tag as usize].as_ref();
        let v = match column.map(|c| c.value(row)).transpose()?.flatten() {
            Some(v) => v,
            None => return bad("the value is missing"),
        };
        if self.t.value(row) != t {
            return bad("it is of another transaction");
        }
        if !op_agrees(m, added) {
            return bad("m and added contradict each other");
        }
        Ok(Datom { e, a: a.clone(), v, t, m, added })
    }
}

/// What each entry of a dictionary means.
fn entries<T>(
    column: &DictionaryArray<Int32Type>,
    mean: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>> {
    let unknown = |text: &str| Error::data("value", format!("{text:?} is not known here"));
    let texts = column.values().as_string::<i32>();
    texts.iter().map(|t| t.and_then(&mean).ok_or_else(|| unknown(t.unwrap_or("null")))).collect()
}

fn at<T>((column, entries): &(DictionaryArray<Int32Type>, Vec<T>), row: usize) -> Option<&T> {
    usize::try_from(column.keys().value(row)).ok().and_then(|key| entries.get(key))
}
