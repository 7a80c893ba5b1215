//! `<table>__history` and the range forms: one row a version of an entity, with the transactions that it lies between.

mod versions;

use super::instants::{Instants, instant_type};
use super::scan::bounds::{Bounds, bounds};
use super::scan::filter::{self, Filter, mask_all};
use super::scan::{ScanExec, Source};
use super::star::chunk::Chunk;
use super::star::plan::chunks_of_history;
use super::star::series::union;
use super::{TableDef, VersionRange};
use async_trait::async_trait;
use daodb_storage::{FIRST_T, OPEN, Slice, Snapshot};
use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::try_join_all;
use std::fmt;
use std::sync::Arc;
use versions::{Column, Versions};

/// Fewer than in a scan of now: an entity may have many versions.
const CHUNK_ROWS: usize = 32_768;
/// So few touched entities are read one by one.
const FEW: usize = 1024;

pub struct HistoryTable {
    def: Arc<TableDef>,
    /// With a history view.
    snapshot: Snapshot,
    range: VersionRange,
    schema: SchemaRef,
}

impl HistoryTable {
    pub fn new(def: Arc<TableDef>, snapshot: Snapshot, range: VersionRange, bare: bool) -> Self {
        let schema = history_schema(&def);
        let schema = if bare { super::bare(&schema) } else { schema };
        HistoryTable { def, snapshot, range, schema }
    }
}

/// The table's columns, then `_t_from`, `_t_to`, `_valid_from`, `_valid_to`.
fn history_schema(def: &TableDef) -> SchemaRef {
    let long = |name, nullable| Field::new(name, DataType::Int64, nullable);
    let instant = |name, nullable| Field::new(name, instant_type(), nullable);
    let times = [
        long("_t_from", false),
        long("_t_to", true),
        instant("_valid_from", true),
        instant("_valid_to", true),
    ];
    let table = def.schema();
    let columns = table.fields().iter().map(|f| f.as_ref().clone());
    Arc::new(Schema::new(columns.chain(times).collect::<Vec<_>>()))
}

impl fmt::Debug for HistoryTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HistoryTable({} at {})", self.def.name, self.snapshot.t())
    }
}

#[async_trait]
impl TableProvider for HistoryTable {
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
        let scan = HistoryScan {
            chunks: chunks_of_history(&self.def, &self.snapshot, &filters, CHUNK_ROWS)
                .await?
                .into(),
            schema: Arc::new(self.schema.project(&projection)?),
            full: Arc::clone(&self.schema),
            range: self.range.narrowed(&filters, self.def.columns.len() + 1),
            def: Arc::clone(&self.def),
            snapshot: self.snapshot.clone(),
            projection,
            filters,
        };
        Ok(ScanExec::new(Arc::new(scan), state.config_options().execution.target_partitions, limit))
    }
}

impl VersionRange {
    /// With what filters say of `_t_from` (column `at`) and `_t_to` (the next one).
    fn narrowed(self, filters: &[Arc<Filter>], at: usize) -> VersionRange {
        let narrow = |(low, high), column| {
            let b = Bounds { low, high }.and(bounds(filters, column));
            (b.low, b.high)
        };
        VersionRange { t_from: narrow(self.t_from, at), t_to: narrow(self.t_to, at + 1) }
    }

    /// Transactions one of which must have touched the entity of any row; None: that excludes little.
    fn touching(&self) -> Option<(i64, i64)> {
        let selective =
            |(low, high): (i64, i64)| (low > FIRST_T && high < OPEN).then_some((low, high));
        selective(self.t_to)
            .or_else(|| selective(self.t_from))
            .or_else(|| (self.t_from.0 > FIRST_T).then_some(self.t_from))
    }
}

#[derive(Clone)]
struct HistoryScan {
    def: Arc<TableDef>,
    snapshot: Snapshot,
    range: VersionRange,
    full: SchemaRef,
    schema: SchemaRef,
    projection: Vec<usize>,
    filters: Vec<Arc<Filter>>,
    chunks: Arc<[Chunk]>,
}

impl fmt::Debug for HistoryScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

#[async_trait]
impl Source for HistoryScan {
    fn name(&self) -> &'static str {
        "HistoryScan"
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
        match self.range.touching() {
            Some((first, last)) => write!(f, ", touched={first}..={last}"),
            None => Ok(()),
        }
    }
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn full_schema(&self) -> SchemaRef {
        Arc::clone(&self.full)
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
        statistics.num_rows = match self.chunks.is_empty() {
            true => Precision::Exact(0),
            false => {
                Precision::Inexact(usize::try_from(self.def.rows).unwrap_or(usize::MAX).max(1))
            }
        };
        statistics
    }

    async fn read(&self, chunk: usize, among: Option<&[i64]>) -> Result<RecordBatch> {
        let Some(chunk) = self.chunks.get(chunk) else {
            return Err(DataFusionError::Internal(format!("no chunk {chunk}")));
        };
        let rows = usize::try_from(self.def.rows).unwrap_or(usize::MAX) / self.chunks.len().max(1);
        let touched = match chunk.among(among, rows) {
            Some(part) => self.touched(&part).await?,
            None => None,
        };
        let Some(chunk) = touched else {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        };
        let columns = self.columns(&chunk).await?;
        let versions = Versions::new(&self.def.columns, &columns, self.range);
        self.batch(&versions, &columns).await
    }
}

impl HistoryScan {
    fn needs(&self, column: usize) -> bool {
        self.projection.contains(&column)
            || self.filters.iter().any(|f| f.columns.contains(&column))
    }

    /// The chunk, or the few entities of it that rows can be about; None: none.
    async fn touched(&self, chunk: &Chunk) -> Result<Option<Chunk>> {
        let (Chunk::Range(range), Some(touched)) = (chunk, self.range.touching()) else {
            return Ok(Some(chunk.clone()));
        };
        let slices = self.def.columns.iter().map(|c| async {
            let slice = Slice {
                a: c.a.clone(),
                e: range.clone(),
                values: false,
                times: false,
                touched: Some(touched),
            };
            self.snapshot.slice(&slice).await
        });
        let mut entities = Vec::new();
        for part in try_join_all(slices).await?.into_iter().flatten() {
            let mut e = part.e.as_primitive::<Int64Type>().values().to_vec();
            e.dedup();
            entities.push(Int64Array::from(e));
        }
        let entities = union(&entities);
        let es = entities.values();
        Ok(match (es.first(), es.last()) {
            (Some(_), _) if es.len() <= FEW => Some(Chunk::Entities(es.to_vec().into())),
            (Some(first), Some(last)) => Some(chunk.narrowed(*first, *last)),
            _ => None,
        })
    }

    async fn columns(&self, chunk: &Chunk) -> Result<Vec<Column>> {
        let reads = self.def.columns.iter().enumerate().map(|(i, def)| async move {
            let values = self.needs(i + 1);
            let parts = chunk.facts(&self.snapshot, &def.a, values, true).await?;
            Column::new(def, &parts, values)
        });
        try_join_all(reads).await
    }

    async fn batch(&self, versions: &Versions, columns: &[Column]) -> Result<RecordBatch> {
        let rows = versions.e.len();
        let attributes = self.def.columns.len();
        let instants = match self.needs(attributes + 3) || self.needs(attributes + 4) {
            true => {
                let ts =
                    versions.t_from.iter().chain(&versions.t_to).copied().filter(|t| *t != OPEN);
                Some(Instants::of(&self.snapshot, ts).await?)
            }
            false => None,
        };
        let closed = || versions.t_to.iter().map(|t| (*t != OPEN).then_some(*t));
        let column = |c: usize| -> Result<ArrayRef> {
            Ok(match (c, &instants) {
                (0, _) => Arc::new(Int64Array::from(versions.e.clone())),
                (c, _) if c <= attributes => {
                    versions.column(c - 1, &self.def.columns[c - 1], &columns[c - 1])?
                }
                (c, _) if c == attributes + 1 => {
                    Arc::new(Int64Array::from(versions.t_from.clone()))
                }
                (c, _) if c == attributes + 2 => Arc::new(closed().collect::<Int64Array>()),
                (c, Some(i)) if c == attributes + 3 => {
                    i.column(versions.t_from.iter().copied().map(Some))
                }
                (_, Some(i)) => i.column(closed()),
                (c, None) => {
                    return Err(DataFusionError::Internal(format!("column {c} was not read")));
                }
            })
        };
        let mask = mask_all(&self.filters, rows, &column)?;
        let arrays = self.projection.iter().map(|c| column(*c)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        match mask {
            Some(mask) => Ok(filter_record_batch(&batch, &mask)?),
            None => Ok(batch),
        }
    }
}
