//! A segment: one Parquet file of facts in one order, read column by column.
//!
//! The list of its run tells where in it each attribute lies ([`stretch`]); its own footer, read when that is wanted, of each row
//! group, so that lists stay small. Its bytes come from [`super::verified`]; the columns that a row group lacks in memory are read
//! together.
//!
//! [`stretch`]: super::stretch

use super::block::Kind;
use super::cache::Cache;
use super::order::Order;
use super::row_group::{Bounds, Column, Load};
use super::stretch::{StretchEntry, join};
use super::verified::{Checksums, Verified, first_of_footer};
use crate::datom::Attr;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::value::ValueType;
use crate::world::World;
use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, new_empty_array};
use datafusion::arrow::compute::concat;
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
/// What there is in each row group: a list of [`StretchEntry`], as JSON.
pub const META_ROW_GROUPS: &str = "daodb.row_groups";
/// The [`Checksums`] of the blocks that end before the footer begins.
pub const META_CHECKSUMS: &str = "daodb.checksums";
/// What [`META_FORMAT`] says.
pub const FORMAT: &str = "3";

/// What the list of a run says of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEntry {
    pub name: Uuid,
    pub order: Order,
    pub kind: Kind,
    pub rows: u64,
    pub bytes: u64,
    /// Where the data ends and the file's index and footer begin.
    pub data_bytes: u64,
    /// Of the blocks in which the footer lies; it has those of the blocks before.
    pub checksums: Checksums,
    /// As they lie in the file.
    pub stretches: Vec<StretchEntry>,
}

/// Footers may take such a part of the memory for columns, and so many bytes in any case.
const FOOTERS: usize = 8;
/// It must hold a few of the largest ones.
const LEAST_FOOTERS: usize = 64 << 20;

/// Reads segments of one stream.
pub struct Files {
    pub store: Store,
    /// The stream's folder.
    pub prefix: Path,
    pub cache: Cache,
    /// By segment. What is in memory of the files themselves.
    footers: Cache<Uuid, Arc<Footer>>,
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
        // Without them every column costs another request.
        let footers = Cache::new((cache.limit() / FOOTERS).max(LEAST_FOOTERS));
        let (by_value, wake) = (RwLock::default(), Arc::default());
        Files { store, prefix, cache, footers, world, by_value, wake }
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

    pub fn segments(&self) -> Path {
        self.prefix.clone().join("segments")
    }

    pub fn segment_path(&self, name: Uuid) -> Path {
        self.segments().join(format!("{name}.parquet"))
    }
}

/// The footer of a segment's file.
pub struct Footer {
    pub parquet: ArrowReaderMetadata,
    /// Of each row group.
    pub row_groups: Vec<(Attr, ValueType, Bounds)>,
    /// Of the blocks that end before the footer begins.
    pub checksums: Checksums,
}

pub struct Segment {
    pub entry: Arc<SegmentEntry>,
    pub(super) files: Arc<Files>,
    path: Path,
    bytes: Verified,
    /// Held while the footer is read, so that it is read once.
    reading: tokio::sync::Mutex<()>,
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
    /// Reads nothing yet.
    pub fn new(files: &Arc<Files>, entry: Arc<SegmentEntry>) -> Result<Arc<Segment>> {
        let path = files.segment_path(entry.name);
        let bytes = Verified::new(path.clone(), Arc::clone(&entry))?;
        let (files, reading) = (Arc::clone(files), tokio::sync::Mutex::default());
        Ok(Arc::new(Segment { entry, files, path, bytes, reading }))
    }

    /// Its footer, where that is in memory.
    pub(super) fn known_footer(&self) -> Option<Arc<Footer>> {
        self.files.footers.get(&self.entry.name)
    }

    /// Reads the footer, unless that is in memory, where it stays for a while. `keep`: in the cache on disk too.
    pub(super) async fn footer(&self, keep: bool) -> Result<Arc<Footer>> {
        if let Some(footer) = self.known_footer() {
            return Ok(footer);
        }
        let _one = self.reading.lock().await;
        if let Some(footer) = self.known_footer() {
            return Ok(footer);
        }
        let range = self.entry.data_bytes..self.entry.bytes;
        let (store, before) = (&self.files.store, Checksums::default());
        let parts = self.bytes.read(store, &before, &[range], keep).await?;
        let footer = footer(&Sparse { len: self.entry.bytes, parts }, &self.entry)
            .map_err(|what| damaged(&self.path, what))?;
        let footer = Arc::new(footer);
        self.files.footers.put(self.entry.name, &footer);
        Ok(footer)
    }

    /// The first row of each page of the column of entities, and the entities that the page may hold; None: the file does not tell.
    pub(super) async fn entity_pages(
        &self,
        row_group: usize,
    ) -> Result<Option<Vec<(usize, RangeInclusive<i64>)>>> {
        let footer = self.footer(true).await?;
        Ok(Opened { segment: self, footer: &footer }.entity_pages(row_group))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Columns of a row group, or the rows of it that `load` names. Their bytes are read together. The footer is read unless it is
    /// given.
    pub(super) async fn decode(
        &self,
        footer: Option<&Arc<Footer>>,
        row_group: usize,
        columns: &[Column],
        load: &Load,
    ) -> Result<Vec<ArrayRef>> {
        let keep = !matches!(load, Load::Once);
        let footer = match footer {
            Some(footer) => Arc::clone(footer),
            None => self.footer(keep).await?,
        };
        let file = Opened { segment: self, footer: &footer };
        let columns = columns.iter().map(|column| file.column_index(&column.name()));
        let columns = columns.collect::<Result<Vec<usize>>>()?;
        let rows = match load {
            Load::Page(rows) => Some(rows),
            Load::All | Load::Once => None,
        };
        let mut ranges = Vec::with_capacity(columns.len());
        for column in &columns {
            match rows {
                None => ranges.push(file.chunk_range(row_group, *column)),
                Some(rows) => ranges.extend(file.page_ranges(row_group, *column, rows)),
            }
        }
        let parts = self.bytes.read(&self.files.store, &footer.checksums, &ranges, keep).await?;
        let source = Sparse { len: self.entry.bytes, parts };
        columns.iter().map(|column| file.decode_column(&source, row_group, *column, rows)).collect()
    }
}

/// A segment whose footer is at hand.
struct Opened<'a> {
    segment: &'a Segment,
    footer: &'a Footer,
}

impl Opened<'_> {
    /// Its place in the file's schema.
    fn column_index(&self, name: &str) -> Result<usize> {
        let index = self.footer.parquet.schema().index_of(name);
        index.map_err(|_| damaged(&self.segment.path, format!("has no column {name}")))
    }

    fn chunk_range(&self, row_group: usize, column: usize) -> Range<u64> {
        let (start, len) =
            self.footer.parquet.metadata().row_group(row_group).column(column).byte_range();
        start..start + len
    }

    fn decode_column(
        &self,
        source: &Sparse,
        row_group: usize,
        column: usize,
        selection: Option<&Range<usize>>,
    ) -> Result<ArrayRef> {
        let total = self.footer.parquet.metadata().row_group(row_group).column(column).num_values();
        let total = total.max(0) as usize;
        let schema = self.footer.parquet.parquet_schema();
        let rows = selection.map_or(total, Range::len);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            source.clone(),
            self.footer.parquet.clone(),
        )
        .with_row_groups(vec![row_group])
        .with_projection(ProjectionMask::roots(schema, [column]))
        .with_batch_size(rows.max(1));
        if let Some(rows) = selection {
            let ranges = std::iter::once(rows.clone());
            builder =
                builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, total));
        }
        let bad = |e: &dyn std::fmt::Display| damaged(&self.segment.path, e);
        let reader = builder.build().map_err(|e| bad(&e))?;
        let mut arrays = Vec::with_capacity(1);
        for batch in reader {
            arrays.push(Arc::clone(batch.map_err(|e| bad(&e))?.column(0)));
        }
        let array = match arrays.as_slice() {
            [] => new_empty_array(self.footer.parquet.schema().field(column).data_type()),
            [one] => Arc::clone(one),
            many => {
                let many: Vec<&dyn Array> = many.iter().map(|a| a.as_ref()).collect();
                concat(&many).map_err(|e| bad(&e))?
            }
        };
        if array.len() != rows || array.null_count() > 0 {
            let name = self.footer.parquet.schema().field(column).name().clone();
            return Err(damaged(
                &self.segment.path,
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
        let Some(index) = self.footer.parquet.metadata().offset_index() else { return whole };
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
        let metadata = self.footer.parquet.metadata();
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

/// The footer of a segment's file, which must be as the list of its run says; else, what is wrong with it.
pub fn footer<R: ChunkReader>(file: &R, entry: &SegmentEntry) -> Result<Footer, String> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let parquet = ArrowReaderMetadata::load(file, options).map_err(|e| e.to_string())?;
    let metadata = parquet.metadata();
    let pair = |key: &str| {
        let mut pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        pairs.find(|p| p.key == key).and_then(|p| p.value.as_deref())
    };
    if pair(META_FORMAT) != Some(FORMAT) {
        return Err(format!("format {} is not known", pair(META_FORMAT).unwrap_or("(none)")));
    }
    let other = || "its row groups are not those that its run tells of".to_owned();
    let told: Vec<StretchEntry> =
        serde_json::from_str(pair(META_ROW_GROUPS).ok_or_else(other)?).map_err(|_| other())?;
    let rows = metadata.row_groups().iter().map(|group| group.num_rows());
    if !rows.eq(told.iter().map(|group| group.rows as i64)) || join(&told)? != entry.stretches {
        return Err(other());
    }
    let row_groups = told.iter().map(StretchEntry::read).collect::<Result<_, _>>()?;
    let checksums = pair(META_CHECKSUMS).and_then(Checksums::parse);
    let fit = |sums: &Checksums| sums.blocks() == first_of_footer(entry);
    let checksums = checksums.filter(fit).ok_or("its checksums do not fit its size")?;
    Ok(Footer { parquet, row_groups, checksums })
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
