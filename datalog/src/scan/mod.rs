//! Datoms as a relation `e a v t m added`: of one attribute or of many, facts that hold or, over a history, both of their ends.

use crate::source::DbSource;
use crate::value::{Cell, Kind, array, convert};
use async_trait::async_trait;
use daodb_catalog::table::scan::filter::{self, Filter, mask_all};
use daodb_catalog::table::scan::{ScanExec, Source, bounds};
use daodb_catalog::table::star::chunk::Chunk;
use daodb_storage::View;
use daodb_storage::{Attr, FactColumns, OPEN, Slice, Snapshot, Value, ValueType};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions,
    UInt32Array,
};
use datafusion::arrow::compute::kernels::cmp::gt;
use datafusion::arrow::compute::{concat, filter_record_batch, take};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::fmt;
use std::sync::Arc;

const CHUNK_ROWS: usize = 65_536;

/// The columns by their places.
pub const COLUMNS: [&str; 6] = ["e", "a", "v", "t", "m", "added"];
const E: usize = 0;
const A: usize = 1;
const V: usize = 2;
const T: usize = 3;

/// What of the datoms is read.
#[derive(Debug, Clone)]
pub struct DatomRead {
    /// Each with the types that are asked for.
    pub attributes: Arc<[(Attr, Vec<ValueType>)]>,
    pub a_kind: Kind,
    pub v_kind: Kind,
    /// The only entities that matter, ascending; None: all.
    pub entities: Option<Arc<[i64]>>,
    /// The only value that matters, where facts are found by it; None: any.
    pub value: Option<Value>,
    pub schema: SchemaRef,
}

/// The same of a database.
#[derive(Clone)]
pub struct DatomTable {
    pub db: Arc<DbSource>,
    pub read: DatomRead,
}

impl DatomRead {
    pub fn new(attributes: Vec<(Attr, Vec<ValueType>)>, a_kind: Kind, v_kind: Kind) -> DatomRead {
        let types = [
            DataType::Int64,
            a_kind.arrow(),
            v_kind.arrow(),
            DataType::Int64,
            DataType::Int64,
            DataType::Boolean,
        ];
        let fields = COLUMNS.iter().zip(types).map(|(name, ty)| Field::new(*name, ty, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let attributes = attributes.into();
        DatomRead { attributes, a_kind, v_kind, entities: None, value: None, schema }
    }
}

impl DatomTable {
    /// What facts are read from: over a history, those that ended since count, whenever they began.
    fn reading(&self) -> Snapshot {
        match self.db.snapshot.view() {
            View { history: true, since: Some(_), .. } => self.db.snapshot.since(i64::MIN),
            _ => self.db.snapshot.clone(),
        }
    }

    fn rows(&self) -> usize {
        let all: f64 = self.read.attributes.iter().map(|(a, _)| self.db.facts(a)).sum();
        match (&self.read.entities, &self.read.value) {
            (Some(es), _) => es.len() * self.read.attributes.len(),
            (None, Some(_)) => 1 + (all / self.db.distinct(&self.read.attributes[0].0).1) as usize,
            _ => all as usize,
        }
    }
}

impl fmt::Debug for DatomTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.read.attributes.as_ref() {
            [(a, _)] => write!(f, "attribute={a}")?,
            many => write!(f, "attributes={}", many.len())?,
        }
        write!(f, ", as_of={}", self.db.snapshot.t())?;
        if let Some(v) = &self.read.value {
            write!(f, ", value={v}")?;
        }
        match self.db.snapshot.view().history {
            true => f.write_str(", history"),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl TableProvider for DatomTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.read.schema)
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
        let filters = filter::compile(state, filters, &self.read.schema)?;
        let projection: Vec<usize> =
            projection.cloned().unwrap_or_else(|| (0..COLUMNS.len()).collect());
        let mut table = self.clone();
        if table.read.entities.is_none() {
            table.read.entities = bounds::integer_points(&filters, E).map(Arc::from);
        }
        let scan = DatomScan {
            parts: table.parts(bounds::bounds(&filters, E)).await?.into(),
            touched: within(bounds::bounds(&filters, T)),
            projected: Arc::new(self.read.schema.project(&projection)?),
            rows: table.rows(),
            table,
            projection,
            filters,
        };
        let partitions = state.config_options().execution.target_partitions;
        Ok(ScanExec::new(Arc::new(scan), partitions, limit))
    }
}

/// What one chunk reads: an attribute (by its place), and which facts of it.
#[derive(Debug, Clone)]
enum Part {
    Chunk(usize, Chunk),
    Value(usize, Value),
}

impl DatomTable {
    async fn parts(&self, within: bounds::Bounds) -> Result<Vec<Part>> {
        let mut out = Vec::new();
        for (i, (a, types)) in self.read.attributes.iter().enumerate() {
            match (&self.read.entities, &self.read.value) {
                (Some(es), _) if es.is_empty() => {}
                (Some(es), _) => out.push(Part::Chunk(i, Chunk::Entities(Arc::clone(es)))),
                (None, Some(v)) => {
                    out.extend(types.iter().map(|ty| Part::Value(i, as_type(v, *ty))))
                }
                (None, None) => {
                    let (reading, a) = (self.reading(), std::slice::from_ref(a));
                    let ranges = reading.ranges(a, within.range(), CHUNK_ROWS).await?;
                    out.extend(ranges.into_iter().map(|r| Part::Chunk(i, Chunk::Range(r))));
                }
            }
        }
        Ok(out)
    }
}

/// Entities are longs to queries and references to the store.
fn as_type(v: &Value, ty: ValueType) -> Value {
    match (v, ty) {
        (Value::Long(e), ValueType::Ref) => Value::Ref(*e),
        (v, _) => v.clone(),
    }
}

#[derive(Clone)]
struct DatomScan {
    table: DatomTable,
    projection: Vec<usize>,
    projected: SchemaRef,
    filters: Vec<Arc<Filter>>,
    parts: Arc<[Part]>,
    /// About.
    rows: usize,
    /// The only transactions that matter, both inclusive; None: all.
    touched: Option<(i64, i64)>,
}

fn within(t: bounds::Bounds) -> Option<(i64, i64)> {
    (t != bounds::Bounds::ALL).then_some((t.low, t.high))
}

impl fmt::Debug for DatomScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.table)
    }
}

#[async_trait]
impl Source for DatomScan {
    fn name(&self) -> &'static str {
        "DatomScan"
    }
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.table)
    }
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.projected)
    }
    fn full_schema(&self) -> SchemaRef {
        Arc::clone(&self.table.read.schema)
    }
    fn entities(&self) -> Option<&'static str> {
        Some(COLUMNS[E])
    }
    fn chunks(&self) -> usize {
        self.parts.len()
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
        let mut statistics = Statistics::new_unknown(&self.projected);
        let rows = self.filters.iter().fold(self.rows, |n, _| n / 5).max(1);
        statistics.num_rows = Precision::Inexact(rows);
        statistics.total_byte_size = Precision::Inexact(rows * self.projection.len().max(1) * 16);
        statistics
    }

    async fn read(&self, chunk: usize, among: Option<&[i64]>) -> Result<RecordBatch> {
        let snapshot = &self.table.reading();
        let wants = |c: usize| self.wants(c);
        let history = snapshot.view().history;
        let times = history || wants(T) || wants(T + 1);
        let (attribute, facts) = match &self.parts[chunk] {
            Part::Chunk(i, chunk) => {
                let rows = self.rows / self.parts.len();
                let Some(chunk) = &chunk.among(among, rows) else {
                    return Ok(RecordBatch::new_empty(Arc::clone(&self.projected)));
                };
                let values = wants(V) || self.table.read.attributes[*i].1.len() > 1;
                let a = &self.table.read.attributes[*i].0;
                let facts = match (chunk, self.touched) {
                    (Chunk::Range(e), touched @ Some(_)) => {
                        let (a, e) = (a.clone(), e.clone());
                        snapshot.slice(&Slice { a, e, values, times, touched }).await?
                    }
                    (chunk, _) => chunk.facts(snapshot, a, values, times).await?,
                };
                (*i, facts)
            }
            Part::Value(i, v) => {
                let a = &self.table.read.attributes[*i].0;
                let facts = snapshot.lookup(a, std::slice::from_ref(v)).await?;
                let mut es: Vec<_> = facts.iter().collect();
                es.sort_by_key(|f| (f.e, f.t_from));
                (*i, vec![of_facts(v, &es)])
            }
        };
        let types = &self.table.read.attributes[attribute].1;
        let facts = facts.into_iter().filter(|f| types.contains(&f.value_type));
        let batches =
            facts.map(|f| self.batch(attribute, &f, history)).collect::<Result<Vec<_>>>()?;
        self.joined(batches)
    }
}

/// Facts of one value as columns.
fn of_facts(v: &Value, facts: &[&daodb_storage::Fact]) -> FactColumns {
    let column = |part: fn(&daodb_storage::Fact) -> i64| -> ArrayRef {
        Arc::new(facts.iter().map(|f| part(f)).collect::<Int64Array>())
    };
    FactColumns {
        value_type: v.value_type(),
        e: column(|f| f.e),
        v: Some(v.value_type().array(facts.iter().map(|f| Some(&f.v)))),
        times: Some(daodb_storage::Times {
            t_from: column(|f| f.t_from),
            m_from: column(|f| f.m_from),
            t_to: column(|f| f.t_to),
            m_to: column(|f| f.m_to),
        }),
        ascends: None,
    }
}

impl DatomScan {
    /// Whether a column is asked for, or looked at.
    fn wants(&self, c: usize) -> bool {
        self.projection.contains(&c) || self.filters.iter().any(|f| f.columns.contains(&c))
    }

    /// All six columns; those that nobody asks for are null.
    fn batch(&self, attribute: usize, facts: &FactColumns, history: bool) -> Result<RecordBatch> {
        let rows = facts.e.len();
        let mut columns: [Option<ArrayRef>; 6] = Default::default();
        columns[E] = Some(Arc::clone(&facts.e));
        if let Some(v) = &facts.v {
            columns[V] = Some(convert(Kind::of(facts.value_type), v, self.table.read.v_kind)?);
        }
        let mut added: Vec<bool> = vec![true; rows];
        if let Some(times) = &facts.times {
            columns[T] = Some(Arc::clone(&times.t_from));
            columns[T + 1] = Some(Arc::clone(&times.m_from));
        }
        if let (true, Some(times)) = (history, &facts.times) {
            let ends = times.t_to.as_primitive::<Int64Type>();
            let ended: UInt32Array =
                (0..rows as u32).filter(|i| ends.value(*i as usize) != OPEN).collect();
            for c in [E, V] {
                if let Some(column) = &columns[c] {
                    columns[c] = Some(concat(&[column, &take(column, &ended, None)?])?);
                }
            }
            for (c, from, to) in
                [(T, &times.t_from, &times.t_to), (T + 1, &times.m_from, &times.m_to)]
            {
                columns[c] = Some(concat(&[from, &take(to, &ended, None)?])?);
            }
            added.resize(rows + ended.len(), false);
        }
        let rows = added.len();
        if self.wants(A) {
            let a = self.table.db.attribute_cell(&self.table.read.attributes[attribute].0);
            let name: Vec<&Cell> = vec![&a; rows];
            columns[A] = Some(array(self.table.read.a_kind, name.into_iter().map(Option::as_ref)));
        }
        if self.wants(T + 2) {
            columns[T + 2] = Some(Arc::new(BooleanArray::from(added)));
        }
        let fields = self.table.read.schema.fields();
        let columns = columns.into_iter().zip(fields).map(|(c, field)| {
            c.unwrap_or_else(|| datafusion::arrow::array::new_null_array(field.data_type(), rows))
        });
        let batch = RecordBatch::try_new(Arc::clone(&self.table.read.schema), columns.collect())?;
        match self.table.db.snapshot.view().since {
            Some(since) if history => {
                let recent = gt(batch.column(T), &Int64Array::new_scalar(since))?;
                Ok(filter_record_batch(&batch, &recent)?)
            }
            _ => Ok(batch),
        }
    }

    /// Filtered and projected.
    fn joined(&self, batches: Vec<RecordBatch>) -> Result<RecordBatch> {
        let mut out = Vec::with_capacity(batches.len());
        for batch in batches {
            let column = |c: usize| Ok::<_, DataFusionError>(Arc::clone(batch.column(c)));
            let batch = match mask_all(&self.filters, batch.num_rows(), &column)? {
                Some(mask) => filter_record_batch(&batch, &mask)?,
                None => batch.clone(),
            };
            let columns = self.projection.iter().map(|c| Arc::clone(batch.column(*c))).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            out.push(RecordBatch::try_new_with_options(
                Arc::clone(&self.projected),
                columns,
                &options,
            )?);
        }
        match out.as_slice() {
            [] => Ok(RecordBatch::new_empty(Arc::clone(&self.projected))),
            [_] => Ok(out.remove(0)),
            many => Ok(datafusion::arrow::compute::concat_batches(&self.projected, many)?),
        }
    }
}
