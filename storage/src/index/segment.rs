//! A segment: one Parquet file of facts in one order, read column by column.
//!
//! Its bytes come from [`super::verified`]; the columns that a row group lacks in memory are read together.

use super::block::Kind;
use super::cache::{Cache, Key};
use super::order::Order;
use super::rows::{Rows, Want};
use super::verified::Verified;
use crate::datom::Attr;
use crate::error::{Error, Result};
use crate::store::{Store, reads};
use crate::value::{Value, ValueType};
use crate::world::World;
use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, new_empty_array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::PageIndexPolicy;
use datafusion::parquet::file::page_index::column_index::ColumnIndexMetaData;
use datafusion::parquet::file::reader::{ChunkReader, Length};
use object_store::path::Path;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

/// Metadata keys of a segment's file.
pub const META_FORMAT: &str = "daodb.format";
pub const META_STREAM: &str = "daodb.stream";
pub const META_ORDER: &str = "daodb.order";
pub const META_KIND: &str = "daodb.kind";
pub const META_BASIS: &str = "daodb.basis";
pub const META_ROW_GROUPS: &str = "daodb.row_groups";

/// What a root says of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEntry {
    pub name: Uuid,
    pub order: Order,
    pub kind: Kind,
    pub rows: u64,
    pub bytes: u64,
    /// Where the data ends and the file's index and footer begin.
    pub data_bytes: u64,
    /// Of each [`super::verified::BLOCK`]: the first 8 bytes of its blake3, in hexadecimal, one after the other.
    pub checksums: String,
}

/// What a segment says of one row group, in its file's metadata.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RowGroupEntry {
    pub a: String,
    pub value_type: String,
    pub rows: usize,
    pub e: (i64, i64),
    pub t_from: (i64, i64),
    /// None for current facts.
    pub t_to: Option<(i64, i64)>,
    /// Least and greatest value, as hexadecimal canonical bytes; in AVET order, where they are short.
    pub v: (Option<String>, Option<String>),
    /// The sum of the hashes of all e (see [`fingerprint`]), in hexadecimal.
    pub entities: String,
}

/// Reads segments of one stream.
pub struct Files {
    pub store: Store,
    /// The stream's folder.
    pub prefix: Path,
    pub cache: Cache,
    pub world: World,
    /// Attributes that are to be kept in AVET order.
    by_value: RwLock<BTreeSet<String>>,
    /// Wakes the indexer.
    pub wake: Arc<Notify>,
}

impl Files {
    pub fn new(store: Store, prefix: Path, cache: Cache) -> Files {
        Files::within(World::default(), store, prefix, cache)
    }

    /// The same with the ids and threads of a world.
    pub fn within(world: World, store: Store, prefix: Path, cache: Cache) -> Files {
        Files { store, prefix, cache, world, by_value: RwLock::default(), wake: Arc::default() }
    }

    pub fn want_by_value(&self, attributes: impl IntoIterator<Item = String>) {
        let mut wanted = self.by_value.write();
        let before = wanted.len();
        wanted.extend(attributes);
        if wanted.len() > before {
            self.wake.notify_one();
        }
    }

    pub fn wanted_by_value(&self) -> BTreeSet<String> {
        self.by_value.read().clone()
    }

    pub fn is_wanted_by_value(&self, a: &Attr) -> bool {
        self.by_value.read().contains(a.as_str())
    }

    pub fn segment_path(&self, name: Uuid) -> Path {
        self.prefix.clone().join("segments").join(format!("{name}.parquet"))
    }
}

pub struct Segment {
    pub entry: SegmentEntry,
    files: Arc<Files>,
    path: Path,
    bytes: Verified,
    metadata: ArrowReaderMetadata,
}

/// Facts of one attribute and type within a segment.
pub struct RowGroup {
    pub segment: Arc<Segment>,
    pub index: usize,
    pub rows: usize,
    pub e: RangeInclusive<i64>,
    pub t_from: RangeInclusive<i64>,
    pub t_to: RangeInclusive<i64>,
    pub v: (Option<Value>, Option<Value>),
    pub entities: u128,
    /// Where its entities have further rows in the row group before or after.
    pub shared: (Option<i64>, Option<i64>),
}

/// A sum over entities that is equal for equal multisets, whatever their order and however they are cut.
pub fn fingerprint(es: &[i64]) -> u128 {
    es.iter().fold(0, |sum: u128, e| sum.wrapping_add(entity_hash(*e)))
}

/// Of the entities within bounds, of an ascending column.
pub fn fingerprint_within(es: &[i64], range: &Range<i64>) -> u128 {
    let start = es.partition_point(|e| *e < range.start);
    let end = es.partition_point(|e| *e < range.end);
    fingerprint(&es[start..end.max(start)])
}

pub fn entity_hash(e: i64) -> u128 {
    let low = super::stat::mix(e as u64 ^ 0x6a09_e667_f3bc_c908);
    let high = super::stat::mix((e as u64).rotate_left(32) ^ 0xbb67_ae85_84ca_a73b);
    u128::from(high) << 64 | u128::from(low)
}

impl Segment {
    /// Reads the footer; the data is read when it is asked for.
    pub async fn open(
        files: &Arc<Files>,
        entry: SegmentEntry,
    ) -> Result<(Arc<Segment>, Vec<(Attr, ValueType, RowGroup)>)> {
        let path = files.segment_path(entry.name);
        let bytes = Verified::new(path.clone(), &entry)?;
        let footer = std::iter::once(entry.data_bytes..entry.bytes).collect::<Vec<_>>();
        let footer = bytes.read(&files.store, &footer, true).await?;
        let source = Sparse { len: entry.bytes, parts: footer };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata =
            ArrowReaderMetadata::load(&source, options).map_err(|e| damaged(&path, e))?;
        let files = Arc::clone(files);
        let segment = Arc::new(Segment { entry, files, path, bytes, metadata });
        let groups = segment.row_groups()?;
        Ok((segment, groups))
    }

    /// As its footer describes them.
    pub fn row_groups(self: &Arc<Self>) -> Result<Vec<(Attr, ValueType, RowGroup)>> {
        let groups = row_group_entries(&self.metadata).map_err(|e| damaged(&self.path, e))?;
        if groups.len() != self.metadata.metadata().num_row_groups() {
            return Err(damaged(&self.path, "its metadata does not tell of every row group"));
        }
        groups.into_iter().enumerate().map(|(i, group)| self.row_group(i, group)).collect()
    }

    fn row_group(
        self: &Arc<Self>,
        index: usize,
        group: RowGroupEntry,
    ) -> Result<(Attr, ValueType, RowGroup)> {
        let bad = |what: &str| damaged(&self.path, format!("row group {index}: {what}"));
        let ty = ValueType::parse(&group.value_type).ok_or_else(|| bad("unknown value type"))?;
        let entities = u128::from_str_radix(&group.entities, 16).map_err(|_| bad("fingerprint"))?;
        let value = |hex: &Option<String>| match hex {
            None => Ok(None),
            Some(hex) => {
                let bytes = parse_hex(hex).ok_or_else(|| bad("bounds of its values"))?;
                Value::from_canonical(&bytes).map(Some)
            }
        };
        let rows = self.metadata.metadata().row_group(index).num_rows();
        if i64::try_from(group.rows).ok() != Some(rows) {
            return Err(bad("its rows are not as many as its metadata says"));
        }
        let (low, high) = group.t_to.unwrap_or((crate::OPEN, crate::OPEN));
        let row_group = RowGroup {
            segment: Arc::clone(self),
            index,
            rows: group.rows,
            e: group.e.0..=group.e.1,
            t_from: group.t_from.0..=group.t_from.1,
            t_to: low..=high,
            v: (value(&group.v.0)?, value(&group.v.1)?),
            entities,
            shared: (None, None),
        };
        Ok((Attr::new(&group.a), ty, row_group))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its place in the file's schema.
    fn column_index(&self, name: &str) -> Result<usize> {
        let schema = self.metadata.schema();
        schema.index_of(name).map_err(|_| damaged(&self.path, format!("has no column {name}")))
    }

    /// Columns of a row group, or the rows of it that `load` names. Their bytes are read together.
    async fn decode(
        &self,
        row_group: usize,
        columns: &[usize],
        load: &Load,
    ) -> Result<Vec<ArrayRef>> {
        let rows = match load {
            Load::Page(rows) => Some(rows),
            Load::All | Load::Once => None,
        };
        let mut ranges = Vec::with_capacity(columns.len());
        for column in columns {
            match rows {
                None => ranges.push(self.chunk_range(row_group, *column)),
                Some(rows) => ranges.extend(self.page_ranges(row_group, *column, rows)),
            }
        }
        let keep = !matches!(load, Load::Once);
        let parts = self.bytes.read(&self.files.store, &ranges, keep).await?;
        let source = Sparse { len: self.entry.bytes, parts };
        columns.iter().map(|column| self.decode_column(&source, row_group, *column, rows)).collect()
    }

    fn chunk_range(&self, row_group: usize, column: usize) -> Range<u64> {
        let (start, len) =
            self.metadata.metadata().row_group(row_group).column(column).byte_range();
        start..start + len
    }

    fn decode_column(
        &self,
        source: &Sparse,
        row_group: usize,
        column: usize,
        selection: Option<&Range<usize>>,
    ) -> Result<ArrayRef> {
        let total = self.metadata.metadata().row_group(row_group).column(column).num_values();
        let total = total.max(0) as usize;
        let schema = self.metadata.parquet_schema();
        let rows = selection.map_or(total, Range::len);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            source.clone(),
            self.metadata.clone(),
        )
        .with_row_groups(vec![row_group])
        .with_projection(ProjectionMask::roots(schema, [column]))
        .with_batch_size(rows.max(1));
        if let Some(rows) = selection {
            let ranges = std::iter::once(rows.clone());
            builder =
                builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, total));
        }
        let bad = |e: &dyn std::fmt::Display| damaged(&self.path, e);
        let reader = builder.build().map_err(|e| bad(&e))?;
        let mut arrays = Vec::with_capacity(1);
        for batch in reader {
            arrays.push(Arc::clone(batch.map_err(|e| bad(&e))?.column(0)));
        }
        let array = match arrays.as_slice() {
            [] => new_empty_array(self.metadata.schema().field(column).data_type()),
            [one] => Arc::clone(one),
            many => {
                let many: Vec<&dyn Array> = many.iter().map(|a| a.as_ref()).collect();
                concat(&many).map_err(|e| bad(&e))?
            }
        };
        if array.len() != rows || array.null_count() > 0 {
            let name = self.metadata.schema().field(column).name().clone();
            return Err(damaged(
                &self.path,
                format!(
                    "row group {row_group}, column {name}: {} of {rows} values are there",
                    array.len() - array.null_count()
                ),
            ));
        }
        Ok(without_nulls(array))
    }

    /// The bytes of the pages that hold these rows, and of the dictionary.
    fn page_ranges(&self, row_group: usize, column: usize, rows: &Range<usize>) -> Vec<Range<u64>> {
        let chunk = self.chunk_range(row_group, column);
        let start = chunk.start;
        let whole = std::iter::once(chunk).collect();
        let Some(index) = self.metadata.metadata().offset_index() else { return whole };
        let Some(pages) = index.get(row_group).and_then(|g| g.get(column)) else { return whole };
        let pages = pages.page_locations();
        let mut out = Vec::new();
        if let Some(first) = pages.first().filter(|p| p.offset as u64 > start) {
            out.push(start..first.offset as u64);
        }
        for (i, page) in pages.iter().enumerate() {
            let from = page.first_row_index as usize;
            let to = pages.get(i + 1).map_or(usize::MAX, |p| p.first_row_index as usize);
            if from < rows.end && rows.start < to {
                let start = page.offset as u64;
                out.push(start..start + page.compressed_page_size as u64);
            }
        }
        out
    }

    /// The first row of each page of the column of entities, and the entities that the page may hold.
    fn entity_pages(&self, row_group: usize) -> Option<Vec<(usize, RangeInclusive<i64>)>> {
        let column = self.column_index("e").ok()?;
        let metadata = self.metadata.metadata();
        let pages = metadata.offset_index()?.get(row_group)?.get(column)?.page_locations();
        let ColumnIndexMetaData::INT64(bounds) =
            metadata.column_index()?.get(row_group)?.get(column)?
        else {
            return None;
        };
        let bounds = bounds.min_values().iter().zip(bounds.max_values());
        let pages = pages.iter().map(|p| p.first_row_index as usize);
        Some(pages.zip(bounds.map(|(min, max)| *min..=*max)).collect())
    }
}

/// How much of a row group to load, and whether to keep it in memory.
#[derive(Debug, Clone)]
pub enum Load {
    All,
    /// All, without leaving anything in the cache: for merges, which read everything once.
    Once,
    /// The rows of a page.
    Page(Range<usize>),
}

impl RowGroup {
    fn key(&self, column: usize, name: &str, load: &Load) -> Option<Key> {
        let (segment, row_group) = (self.segment.entry.name, self.index as u32);
        let column = column as u32;
        match load {
            Load::Once => None,
            Load::Page(rows) => {
                let rows = (rows.start as u32, rows.end as u32);
                Some(Key::Page { segment, row_group, column, rows })
            }
            Load::All if name == "e" && self.segment.entry.order == Order::Aevt => {
                Some(self.entities_key())
            }
            Load::All => Some(Key::Column { segment, row_group, column }),
        }
    }

    fn entities_key(&self) -> Key {
        Key::Entities { fingerprint: self.entities, rows: self.rows as u32 }
    }

    /// A column that is in memory, of its own or as a part of the whole.
    fn remembered(&self, column: usize, name: &str, load: &Load) -> Option<ArrayRef> {
        let cache = &self.segment.files.cache;
        let get = |load: &Load| self.key(column, name, load).and_then(|key| cache.get(&key));
        if let Some(array) = get(load) {
            reads::from_memory(array.get_array_memory_size());
            return Some(array);
        }
        let Load::Page(rows) = load else { return None };
        let whole = get(&Load::All)?;
        reads::from_memory(whole.get_array_memory_size() / whole.len().max(1) * rows.len());
        Some(whole.slice(rows.start, rows.len()))
    }

    async fn columns(&self, names: &[&str], load: &Load) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::with_capacity(names.len());
        let mut missing = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let column = self.segment.column_index(name)?;
            columns.push(self.remembered(column, name, load));
            if columns[i].is_none() {
                missing.push((i, column));
            }
        }
        if !missing.is_empty() {
            let wanted: Vec<usize> = missing.iter().map(|(_, column)| *column).collect();
            let arrays = self.segment.decode(self.index, &wanted, load).await?;
            for ((i, column), array) in missing.into_iter().zip(arrays) {
                if let Some(key) = self.key(column, names[i], load) {
                    self.segment.files.cache.put(key, &array);
                }
                columns[i] = Some(array);
            }
        }
        Ok(columns.into_iter().flatten().collect())
    }

    async fn column(&self, name: &str, load: &Load) -> Result<ArrayRef> {
        let column = self.columns(&[name], load).await?.pop();
        column.ok_or_else(|| Error::internal("a column that was read is not there"))
    }

    pub async fn entities(&self) -> Result<Int64Array> {
        Ok(self.column("e", &Load::All).await?.as_primitive::<Int64Type>().clone())
    }

    pub async fn values(&self, ty: ValueType) -> Result<ArrayRef> {
        self.column(&value_column(ty), &Load::All).await
    }

    pub async fn load(&self, ty: ValueType, want: Want, load: &Load) -> Result<Rows> {
        let value = value_column(ty);
        let names = [
            ("e", true),
            (value.as_str(), want.v),
            ("t_from", want.t_from),
            ("m_from", want.m_from),
            ("t_to", want.t_to),
            ("m_to", want.m_to),
        ];
        let wanted = names.iter().filter(|(_, wanted)| *wanted);
        let wanted: Vec<&str> = wanted.map(|(name, _)| *name).collect();
        let mut columns = self.columns(&wanted, load).await?.into_iter();
        let mut next = |wanted: bool| if wanted { columns.next() } else { None };
        let long = |array: ArrayRef| array.as_primitive::<Int64Type>().clone();
        let e = next(true).ok_or_else(|| Error::internal("a row group without entities"))?;
        Ok(Rows {
            e: long(e),
            v: next(want.v),
            t_from: next(want.t_from).map(long),
            m_from: next(want.m_from).map(long),
            t_to: next(want.t_to).map(long),
            m_to: next(want.m_to).map(long),
        })
    }

    /// The fingerprint of the entities within bounds; None: a part of the column would have to be read.
    pub fn entities_within(&self, range: &Range<i64>) -> Option<u128> {
        if range.start <= *self.e.start() && *self.e.end() < range.end {
            return Some(self.entities);
        }
        let column = self.segment.files.cache.get(&self.entities_key())?;
        Some(fingerprint_within(column.as_primitive::<Int64Type>().values(), range))
    }

    /// The few pages that may hold these entities; None: there are many, or they are in memory anyway.
    pub fn pages_of(&self, es: &[i64]) -> Option<Vec<Load>> {
        if self.segment.files.cache.get(&self.entities_key()).is_some() {
            return None;
        }
        let pages = self.segment.entity_pages(self.index)?;
        let mut out = Vec::new();
        for (i, (first, bounds)) in pages.iter().enumerate() {
            let at = es.partition_point(|e| e < bounds.start());
            if es.get(at).is_some_and(|e| e <= bounds.end()) {
                let end = pages.get(i + 1).map_or(self.rows, |p| p.0);
                out.push(Load::Page(*first..end));
            }
        }
        (out.len() * 4 <= pages.len()).then_some(out)
    }
}

/// The Parquet column that holds the values of a type.
pub fn value_column(ty: ValueType) -> String {
    format!("v_{}", ty.name())
}

/// Nullable in the file because other row groups have other types; here no value is null.
fn without_nulls(array: ArrayRef) -> ArrayRef {
    match array.nulls() {
        None => array,
        Some(_) => {
            let data = array.to_data().into_builder().nulls(None).build();
            data.map_or(array, datafusion::arrow::array::make_array)
        }
    }
}

pub fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::data(path, what).hint(
        "the segment is damaged; segments are derived from the log: stop the server, and daodb rebuild-index makes them anew",
    )
}

pub fn parse_hex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|d| std::str::from_utf8(d).ok().and_then(|d| u8::from_str_radix(d, 16).ok()))
        .collect()
}

fn row_group_entries(metadata: &ArrowReaderMetadata) -> Result<Vec<RowGroupEntry>, String> {
    let pairs = metadata.metadata().file_metadata().key_value_metadata();
    let find = |key: &str| {
        pairs.into_iter().flatten().find(|p| p.key == key).and_then(|p| p.value.as_deref())
    };
    match find(META_FORMAT) {
        Some("1") => {}
        other => return Err(format!("format {} is not known", other.unwrap_or("(none)"))),
    }
    let json = find(META_ROW_GROUPS).ok_or("does not describe its row groups")?;
    serde_json::from_str(json).map_err(|e| e.to_string())
}

/// The parts of a file that were read.
#[derive(Clone)]
struct Sparse {
    len: u64,
    parts: Vec<(u64, Bytes)>,
}

impl Sparse {
    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let part =
            self.parts.iter().find(|(at, bytes)| *at <= start && start < at + bytes.len() as u64);
        match part {
            Some((at, bytes)) => Ok(bytes.slice((start - at) as usize..)),
            None => Err(ParquetError::EOF(format!("byte {start} was not read"))),
        }
    }
}

impl Length for Sparse {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Sparse {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        use bytes::Buf;
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.from(start)?;
        match length <= bytes.len() {
            true => Ok(bytes.slice(..length)),
            false => Err(ParquetError::EOF(format!("{length} bytes from {start} were not read"))),
        }
    }
}
