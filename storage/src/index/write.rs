//! Writing segments: sorted facts in, Parquet files and their entries out.

use super::block::Kind;
use super::order::Order;
use super::rows::{Rows, arrow_error};
use super::segment::{
    FORMAT, Files, META_BASIS, META_CHECKSUMS, META_FORMAT, META_KIND, META_ORDER, META_ROW_GROUPS,
    META_STREAM, SegmentEntry, fingerprint, value_column,
};
use super::stretch::{StretchEntry, bound, join};
use super::verified::{BLOCK, Checksums};
use crate::datom::Attr;
use crate::error::{Error, Result};
use crate::store::Created;
use crate::value::{ValueColumn, ValueType};
use crate::world::IdOf;
use bytes::Bytes;
use datafusion::arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, Encoding};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::KeyValue;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::schema::types::ColumnPath;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

/// Rows of a row group: what a scan takes as one chunk.
pub const GROUP_ROWS: usize = if cfg!(test) { 64 } else { 131_072 };
/// A page is what a look at one entity decodes.
pub const PAGE_ROWS: usize = if cfg!(test) { 16 } else { 16_384 };
/// A run is cut into files of about this size: one is made in memory, and put whole.
const FILE_BYTES: usize = 64 << 20;
const FILE_GROUPS: usize = 1024;

/// Writes one order and kind of a run.
pub struct RunWriter<'a> {
    files: &'a Files,
    stream: &'a str,
    order: Order,
    kind: Kind,
    basis: i64,
    types: Vec<ValueType>,
    schema: SchemaRef,
    open: Option<Open>,
    group: Option<(Attr, ValueType)>,
    waiting: Vec<Rows>,
    waiting_rows: usize,
    entries: Vec<Arc<SegmentEntry>>,
}

struct Open {
    writer: ArrowWriter<Vec<u8>>,
    row_groups: Vec<StretchEntry>,
    rows: u64,
}

fn parquet_error(e: ParquetError) -> Error {
    Error::internal(format!("writing a segment: {e}"))
}

impl<'a> RunWriter<'a> {
    /// `types` are those that will be written; `basis` is the last transaction of the run.
    pub fn new(
        files: &'a Files,
        stream: &'a str,
        (order, kind): (Order, Kind),
        basis: i64,
        types: &BTreeSet<ValueType>,
    ) -> RunWriter<'a> {
        let types: Vec<ValueType> = types.iter().copied().collect();
        let schema = schema(&types);
        RunWriter {
            files,
            stream,
            order,
            kind,
            basis,
            types,
            schema,
            open: None,
            group: None,
            waiting: Vec::new(),
            waiting_rows: 0,
            entries: Vec::new(),
        }
    }

    /// The next rows of an attribute and type. Attributes and types ascend, and rows within them in the run's order.
    pub async fn push(&mut self, a: &Attr, ty: ValueType, rows: Rows) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.group.as_ref().is_none_or(|g| g.0 != *a || g.1 != ty) {
            self.write_waiting(true).await?;
            self.group = Some((a.clone(), ty));
        }
        self.waiting_rows += rows.len();
        self.waiting.push(rows);
        if self.waiting_rows >= GROUP_ROWS {
            self.write_waiting(false).await?;
        }
        Ok(())
    }

    /// Whole row groups of what waits; at the end of an attribute the rest too.
    async fn write_waiting(&mut self, rest: bool) -> Result<()> {
        let Some((a, ty)) = self.group.clone().filter(|_| self.waiting_rows > 0) else {
            return Ok(());
        };
        let rows = Rows::concat(std::mem::take(&mut self.waiting))?;
        let mut at = 0;
        while rows.len() - at >= GROUP_ROWS || (rest && at < rows.len()) {
            let len = GROUP_ROWS.min(rows.len() - at);
            self.write_group(&a, ty, &rows.slice(at, len))?;
            at += len;
            if self.open.as_ref().is_some_and(Open::is_full) {
                self.put().await?;
            }
        }
        if at < rows.len() {
            self.waiting.push(rows.slice(at, rows.len() - at));
        }
        self.waiting_rows = rows.len() - at;
        Ok(())
    }

    fn write_group(&mut self, a: &Attr, ty: ValueType, rows: &Rows) -> Result<()> {
        let batch = self.batch(a, ty, rows)?;
        if self.open.is_none() {
            let properties = properties(self.stream, self.order, self.kind, self.basis);
            let writer =
                ArrowWriter::try_new(Vec::new(), Arc::clone(&self.schema), Some(properties))
                    .map_err(parquet_error)?;
            self.open = Some(Open { writer, row_groups: Vec::new(), rows: 0 });
        }
        let Some(open) = &mut self.open else { return Err(Error::internal("no file is open")) };
        open.writer.write(&batch).map_err(parquet_error)?;
        open.writer.flush().map_err(parquet_error)?;
        open.rows += rows.len() as u64;
        open.row_groups.push(describe(self.order, self.kind, a, ty, rows)?);
        Ok(())
    }

    fn batch(&self, a: &Attr, ty: ValueType, rows: &Rows) -> Result<RecordBatch> {
        let n = rows.len();
        let long = |column: &Option<Int64Array>| -> ArrayRef {
            match column {
                Some(c) => Arc::new(c.clone()),
                None => new_null_array(&DataType::Int64, n),
            }
        };
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(rows.e.clone()), constant(a.as_str(), n)?, constant(ty.name(), n)?];
        for of in &self.types {
            columns.push(match &rows.v {
                Some(v) if *of == ty => Arc::clone(v),
                _ => new_null_array(&of.arrow(), n),
            });
        }
        columns.extend([&rows.t_from, &rows.m_from, &rows.t_to, &rows.m_to].map(long));
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(arrow_error)
    }

    /// Closes the open file and stores it.
    async fn put(&mut self) -> Result<()> {
        let Some(Open { mut writer, row_groups, rows }) = self.open.take() else { return Ok(()) };
        let internal = |what: &dyn Display| Error::internal(format!("writing a segment: {what}"));
        writer.sync().map_err(|e| internal(&e))?;
        let data_bytes = writer.bytes_written() as u64;
        let blocks = (data_bytes / BLOCK * BLOCK) as usize;
        let before = writer.inner().get(..blocks).ok_or_else(|| internal(&"bytes are missing"))?;
        let before = Checksums::of(before).into();
        let told = serde_json::to_string(&row_groups).map_err(|e| internal(&e))?;
        for (key, value) in [(META_ROW_GROUPS, told), (META_CHECKSUMS, before)] {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let bytes = Bytes::from(writer.into_inner().map_err(parquet_error)?);
        let entry = SegmentEntry {
            name: self.files.world.id(IdOf::Segment),
            order: self.order,
            kind: self.kind,
            rows,
            bytes: bytes.len() as u64,
            data_bytes,
            checksums: Checksums::of(bytes.get(blocks..).unwrap_or_default()),
            stretches: join(&row_groups).map_err(|e| internal(&e))?,
        };
        let path = self.files.segment_path(entry.name);
        if let Created::Taken(_) = self.files.store.create(&path, bytes).await? {
            return Err(Error::internal(format!("{path}: a name drawn at random is taken")));
        }
        self.entries.push(Arc::new(entry));
        Ok(())
    }

    /// The segments written.
    pub async fn finish(mut self) -> Result<Vec<Arc<SegmentEntry>>> {
        self.write_waiting(true).await?;
        self.put().await?;
        Ok(self.entries)
    }
}

impl Open {
    fn is_full(&self) -> bool {
        self.writer.bytes_written() >= FILE_BYTES || self.row_groups.len() >= FILE_GROUPS
    }
}

fn text_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn schema(types: &[ValueType]) -> SchemaRef {
    let long = |name: &str, nullable| Field::new(name, DataType::Int64, nullable);
    let mut fields = vec![
        long("e", false),
        Field::new("a", text_type(), false),
        Field::new("value_type", text_type(), false),
    ];
    fields.extend(types.iter().map(|ty| Field::new(value_column(*ty), ty.arrow(), true)));
    fields.extend([
        long("t_from", false),
        long("m_from", false),
        long("t_to", true),
        long("m_to", true),
    ]);
    Arc::new(Schema::new(fields))
}

fn constant(text: &str, rows: usize) -> Result<ArrayRef> {
    let keys = Int32Array::from_value(0, rows);
    let values = Arc::new(StringArray::from(vec![text]));
    let array = DictionaryArray::<Int32Type>::try_new(keys, values).map_err(arrow_error)?;
    Ok(Arc::new(array))
}

fn properties(stream: &str, order: Order, kind: Kind, basis: i64) -> WriterProperties {
    let pair = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let mut properties = WriterProperties::builder()
        .set_created_by("daodb".to_owned())
        .set_compression(Compression::LZ4_RAW)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS.min(4096))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(vec![
            pair(META_FORMAT, FORMAT),
            pair(META_STREAM, stream),
            pair(META_ORDER, order.name()),
            pair(META_KIND, kind.name()),
            pair(META_BASIS, &basis.to_string()),
        ]));
    for column in ["e", "t_from", "t_to"] {
        let path = ColumnPath::from(column);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

fn describe(
    order: Order,
    kind: Kind,
    a: &Attr,
    ty: ValueType,
    rows: &Rows,
) -> Result<StretchEntry> {
    let bounds = |column: &[i64]| {
        column.iter().fold((i64::MAX, i64::MIN), |b, x| (b.0.min(*x), b.1.max(*x)))
    };
    let Some(t_from) = &rows.t_from else {
        return Err(Error::internal("facts to write have no t_from"));
    };
    let v = match (&rows.v, order) {
        (Some(v), Order::Avet) => {
            let values = ValueColumn::new(ty, v)?;
            (bound(values.value(0)?), bound(values.value(rows.len() - 1)?))
        }
        _ => (None, None),
    };
    let t_to = rows.t_to.as_ref().filter(|_| kind != Kind::Current);
    Ok(StretchEntry {
        a: a.as_str().to_owned(),
        value_type: ty.name().to_owned(),
        row_groups: 1,
        rows: rows.len(),
        e: bounds(rows.e.values()),
        t_from: bounds(t_from.values()),
        t_to: t_to.map(|t| bounds(t.values())),
        v,
        entities: format!("{:x}", fingerprint(rows.e.values())),
    })
}
