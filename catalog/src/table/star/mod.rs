//! The star scan: the attributes of one table merged on e, as one row an entity.
//!
//! ```text
//! for each chunk of entities:
//!     read the columns that filters name; read e of what else decides which rows exist
//!     rows = the entities of a column without which no row passes, else of any attribute of the table
//!     keep = rows that pass every filter; none: next chunk
//!     read the remaining columns; where its e is the chunk's e, a column is used as it is, else aligned with nulls
//!     those that need only be there are looked at last: most rows are gone by then
//! ```

pub mod chunk;
pub mod plan;
pub mod series;

use super::TableDef;
use super::scan::filter::{self, Filter, mask_all};
use super::scan::{ScanExec, Source};
use async_trait::async_trait;
use chunk::Chunk;
use daodb_storage::Snapshot;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions,
};
use datafusion::arrow::compute::{
    FilterBuilder, FilterPredicate, filter_record_batch, is_not_null,
};
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::try_join_all;
use series::{Series, same, union};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The rows of an entity table at a snapshot's basis.
pub struct StarTable {
    pub def: Arc<TableDef>,
    pub snapshot: Snapshot,
    pub schema: SchemaRef,
}

impl fmt::Debug for StarTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StarTable({} at {})", self.def.name, self.snapshot.t())
    }
}

#[async_trait]
impl TableProvider for StarTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filter::pushdown(filters))
    }
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filters = filter::compile(state, filters, &self.schema)?;
        let projection: Vec<usize> =
            projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        self.filtered(state, projection, filters, limit).await
    }
}

impl StarTable {
    /// As `scan`, with filters that were compiled before.
    pub async fn filtered(
        &self,
        state: &dyn Session,
        projection: Vec<usize>,
        filters: Vec<Arc<Filter>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = StarScan {
            chunks: plan::chunks(&self.def, &self.snapshot, &filters).await?.into(),
            schema: Arc::new(self.schema.project(&projection)?),
            full: Arc::clone(&self.schema),
            def: Arc::clone(&self.def),
            snapshot: self.snapshot.clone(),
            projection,
            filters,
        };
        Ok(ScanExec::new(Arc::new(scan), state.config_options().execution.target_partitions, limit))
    }
}

/// So few entities are read without asking first which of them pass.
const FEW: usize = 8;

#[derive(Clone)]
struct StarScan {
    def: Arc<TableDef>,
    snapshot: Snapshot,
    full: SchemaRef,
    /// Of the projected columns.
    schema: SchemaRef,
    /// Indices into `full`; 0 is `_id`, i is column i - 1 of the table.
    projection: Vec<usize>,
    filters: Vec<Arc<Filter>>,
    chunks: Arc<[Chunk]>,
}

impl fmt::Debug for StarScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

#[async_trait]
impl Source for StarScan {
    fn name(&self) -> &'static str {
        "StarScan"
    }
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.schema.fields().iter().map(|f| f.name().as_str()).collect();
        write!(
            f,
            "table={}, columns=[{}], as_of={}",
            self.def.name,
            columns.join(", "),
            self.snapshot.t()
        )?;
        if let Some(since) = self.snapshot.view().since {
            write!(f, ", since={since}")?;
        }
        match self.chunks.first() {
            Some(Chunk::Entities(es)) => write!(f, ", entities={}", es.len()),
            _ => Ok(()),
        }
    }
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn full_schema(&self) -> SchemaRef {
        Arc::clone(&self.full)
    }
    fn sorted_by(&self) -> Option<&'static str> {
        Some("_id")
    }
    fn entities(&self) -> Option<&'static str> {
        Some("_id")
    }
    fn chunks(&self) -> usize {
        self.chunks.len()
    }
    fn filters(&self) -> &[Arc<Filter>] {
        &self.filters
    }
    fn with_filters(&self, filters: Vec<Arc<Filter>>) -> Arc<dyn Source> {
        let mut scan = self.clone();
        scan.filters.extend(filters);
        Arc::new(scan)
    }
    fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        let rows = match self.chunks.first() {
            None => return with_rows(statistics, Precision::Exact(0), 0),
            Some(Chunk::Entities(es)) => es.len(),
            Some(_) => usize::try_from(self.def.rows).unwrap_or(usize::MAX),
        };
        let width = self.schema.fields().len() * 16;
        // As DataFusion guesses where it knows nothing of a predicate: a fifth passes.
        let passing = self.filters.iter().fold(rows, |n, _| n / 5).max(1);
        statistics = with_rows(statistics, Precision::Inexact(passing), width);
        statistics
    }

    async fn read(&self, chunk: usize, among: Option<&[i64]>) -> Result<RecordBatch> {
        let Some(chunk) = self.chunks.get(chunk) else {
            return Err(DataFusionError::Internal(format!("no chunk {chunk}")));
        };
        let rows = usize::try_from(self.def.rows).unwrap_or(usize::MAX) / self.chunks.len().max(1);
        let Some(chunk) = &chunk.among(among, rows) else {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        };
        let stages = self.stages();
        let mut columns = self.first_columns(chunk, &stages).await?;
        let rows = self.rows(chunk, &stages, &columns);
        let mask = self.mask(&rows, &stages, &columns)?;
        let kept = match &mask {
            Some(mask) if mask.true_count() == 0 => {
                return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
            }
            Some(mask) => Some(Kept::new(mask, &rows)?),
            None => None,
        };
        let entities = kept.as_ref().map_or(&rows, |k| &k.entities);
        columns.extend(self.remaining_columns(chunk, &rows, entities, &columns).await?);
        let batch = self.batch(&rows, kept.as_ref(), &columns)?;
        stages.late.iter().try_fold(batch, |batch, place| match batch.column(*place) {
            column if column.null_count() == 0 => Ok(batch),
            column => Ok(filter_record_batch(&batch, &is_not_null(column)?)?),
        })
    }
}

/// Filters in the order in which they are asked.
struct Stages<'a> {
    early: Vec<&'a Arc<Filter>>,
    /// Places in the projection of columns that must be there, which nothing earlier reads.
    late: Vec<usize>,
}

fn with_rows(mut s: Statistics, rows: Precision<usize>, width: usize) -> Statistics {
    s.total_byte_size = rows.map(|n| n.saturating_mul(width));
    s.num_rows = rows;
    s
}

/// The rows that passed.
struct Kept {
    predicate: FilterPredicate,
    entities: Int64Array,
}

impl Kept {
    fn new(mask: &BooleanArray, rows: &Int64Array) -> Result<Kept> {
        let predicate = FilterBuilder::new(mask).optimize().build();
        let entities = predicate.filter(rows)?.as_primitive::<Int64Type>().clone();
        Ok(Kept { predicate, entities })
    }
}

/// Series by index into the full schema.
type Columns = BTreeMap<usize, Series>;

impl StarScan {
    /// The column without which no row passes that has the fewest types to read; 0 where only `_id` is required or none.
    fn driver(&self, stages: &Stages<'_>) -> Option<usize> {
        stages.early.iter().flat_map(|f| f.required.iter().copied()).find(|c| *c > 0)
    }

    /// What must only be there waits, where another filter takes rows away and is asked first.
    fn stages(&self) -> Stages<'_> {
        let late = |f: &Arc<Filter>| {
            let column = f.presence().filter(|c| *c > 0)?;
            let named = self.filters.iter().filter(|f| f.columns.contains(&column)).count();
            let place = self.projection.iter().position(|c| *c == column)?;
            (named == 1).then_some(place)
        };
        let selective =
            |f: &Arc<Filter>| f.presence().is_none() && f.required.iter().any(|c| *c > 0);
        let mut stages = Stages { early: vec![], late: vec![] };
        let waits = self.filters.iter().any(selective);
        for filter in &self.filters {
            match late(filter).filter(|_| waits) {
                Some(place) => stages.late.push(place),
                None => stages.early.push(filter),
            }
        }
        stages
    }

    /// Columns that filters name, with values; those that decide which rows exist, without.
    async fn first_columns(&self, chunk: &Chunk, stages: &Stages<'_>) -> Result<Columns> {
        let mut wanted: BTreeMap<usize, bool> = stages
            .early
            .iter()
            .flat_map(|f| f.columns.iter().copied())
            .filter(|c| *c > 0)
            .map(|c| (c, true))
            .collect();
        // Of few entities all is asked for at once: finding them takes longer than their values, and a bucket is waited for once.
        let few = matches!(chunk, Chunk::Entities(es) if es.len() <= FEW);
        if few || self.filters.is_empty() {
            wanted.extend(self.projection.iter().filter(|c| **c > 0).map(|c| (*c, true)));
        }
        if self.driver(stages).is_none() {
            self.add_existence(chunk, &mut wanted);
        }
        self.series(chunk, wanted).await
    }

    /// Any attribute of the table makes a row; those known to be about the same entities as one already read add none.
    fn add_existence(&self, chunk: &Chunk, wanted: &mut BTreeMap<usize, bool>) {
        let known = |c: &usize| match chunk {
            Chunk::Range(range) => self.snapshot.same_entities(&self.def.columns[*c - 1].a, range),
            Chunk::Entities(_) => None,
        };
        let mut covered: BTreeSet<u128> = wanted.keys().filter_map(known).collect();
        for c in 1..=self.def.columns.len() {
            if wanted.contains_key(&c) {
                continue;
            }
            match known(&c) {
                Some(entities) if !covered.insert(entities) => {}
                _ => {
                    wanted.insert(c, false);
                }
            }
        }
    }

    async fn series(&self, chunk: &Chunk, wanted: BTreeMap<usize, bool>) -> Result<Columns> {
        let reads = wanted.into_iter().map(|(c, values)| async move {
            let column = &self.def.columns[c - 1];
            Ok::<_, DataFusionError>((c, chunk.series(&self.snapshot, column, values).await?))
        });
        Ok(try_join_all(reads).await?.into_iter().collect())
    }

    /// The entities that the chunk's rows are about, before filters.
    fn rows(&self, chunk: &Chunk, stages: &Stages<'_>, columns: &Columns) -> Int64Array {
        let driver = self.driver(stages).and_then(|c| columns.get(&c));
        let rows = match driver {
            Some(series) => series.e.clone(),
            None => union(&columns.values().map(|s| s.e.clone()).collect::<Vec<_>>()),
        };
        debug_assert!(match chunk {
            Chunk::Range(r) => rows.values().iter().all(|e| r.contains(e)),
            Chunk::Entities(es) => rows.values().iter().all(|e| es.contains(e)),
        });
        rows
    }

    fn mask(
        &self,
        rows: &Int64Array,
        stages: &Stages<'_>,
        columns: &Columns,
    ) -> Result<Option<BooleanArray>> {
        mask_all(stages.early.iter().copied(), rows.len(), &|c| self.column(c, rows, columns))
    }

    fn column(&self, c: usize, rows: &Int64Array, columns: &Columns) -> Result<ArrayRef> {
        if c == 0 {
            return Ok(Arc::new(rows.clone()));
        }
        match columns.get(&c) {
            Some(series) => series.align(rows, &self.def.columns[c - 1]),
            None => Err(DataFusionError::Internal(format!("column {c} was not read"))),
        }
    }

    /// What is projected and was not read for the filters, about the entities that are left.
    async fn remaining_columns(
        &self,
        chunk: &Chunk,
        rows: &Int64Array,
        entities: &Int64Array,
        read: &Columns,
    ) -> Result<Columns> {
        /// A column of the same rows needs no alignment, which saves more than reading a somewhat smaller part of it.
        const WORTH: usize = 4;
        let missing = |c: &usize| *c > 0 && read.get(c).is_none_or(|s| s.v.is_none());
        let wanted: BTreeMap<usize, bool> =
            self.projection.iter().copied().filter(missing).map(|c| (c, true)).collect();
        if wanted.is_empty() {
            return Ok(Columns::new());
        }
        match (entities.values().first(), entities.values().last()) {
            (Some(first), Some(last)) if within(rows, *first, *last) * WORTH < rows.len() => {
                self.series(&chunk.narrowed(*first, *last), wanted).await
            }
            _ => self.series(chunk, wanted).await,
        }
    }

    fn batch(
        &self,
        rows: &Int64Array,
        kept: Option<&Kept>,
        columns: &Columns,
    ) -> Result<RecordBatch> {
        let entities = kept.map_or(rows, |k| &k.entities);
        let mut arrays = Vec::with_capacity(self.projection.len());
        for c in &self.projection {
            let array = match (kept, columns.get(c)) {
                // The column has the chunk's rows: the mask applies as it is.
                (Some(kept), Some(Series { e, v: Some(v) })) if same(e, rows) => {
                    compact(kept.predicate.filter(v)?)
                }
                _ => self.column(*c, entities, columns)?,
            };
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(entities.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }
}

/// How many of these entities (ascending) lie between two of them.
fn within(rows: &Int64Array, first: i64, last: i64) -> usize {
    let rows = rows.values();
    rows.partition_point(|e| *e <= last) - rows.partition_point(|e| *e < first)
}

/// Few strings must not hold the memory of all that were read with them.
fn compact(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => {
            let view = array.as_string_view();
            if view.data_buffers().is_empty() { array } else { Arc::new(view.gc()) }
        }
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}
