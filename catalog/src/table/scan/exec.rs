//! The plan node over any source: deals chunks to partitions, cuts batches, takes filters that appear while a query runs.

use super::filter::Filter;
use super::keys::Keys;
use async_trait::async_trait;
use daodb_storage::ReadStats;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use std::fmt;
use std::sync::Arc;

/// A relation that is read chunk by chunk, already filtered and projected.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    /// What EXPLAIN calls it.
    fn name(&self) -> &'static str;
    /// `table=person, filters=[...]` of EXPLAIN.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
    /// Of the rows it gives.
    fn schema(&self) -> SchemaRef;
    /// Of the columns that its filters may name.
    fn full_schema(&self) -> SchemaRef;
    /// The column (of the rows it gives) that chunks and the rows within them ascend by.
    fn sorted_by(&self) -> Option<&'static str> {
        None
    }
    /// The column (of the rows it gives) of the entities by which a chunk can be read in part.
    fn entities(&self) -> Option<&'static str> {
        None
    }
    fn chunks(&self) -> usize;
    fn filters(&self) -> &[Arc<Filter>];
    /// The same source with further filters.
    fn with_filters(&self, filters: Vec<Arc<Filter>>) -> Arc<dyn Source>;
    /// How many rows it gives, as far as is known.
    fn statistics(&self) -> Statistics;
    /// `among`: rows of other entities are not wanted (ascending, distinct), and may be left out.
    async fn read(&self, chunk: usize, among: Option<&[i64]>) -> Result<RecordBatch>;
}

#[derive(Debug)]
pub struct ScanExec {
    source: Arc<dyn Source>,
    limit: Option<usize>,
    /// Of the join that asks it.
    keys: Option<Arc<Keys>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    /// Reads `source` in at most `partitions` parts; each stops after `limit` rows.
    pub fn new(source: Arc<dyn Source>, partitions: usize, limit: Option<usize>) -> Arc<ScanExec> {
        let partitions = partitions.min(source.chunks()).max(1);
        let properties = PlanProperties::new(
            ordering(source.as_ref()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Arc::new(ScanExec {
            source,
            limit,
            keys: None,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The same, which reads no more than the entities that a join has noted; None: this output column is not that of its
    /// entities, or a limit counts all rows.
    pub fn among(&self, column: usize, keys: &Arc<Keys>) -> Option<Arc<ScanExec>> {
        let name = self.source.entities()?;
        let is_that = self.source.schema().fields().get(column).is_some_and(|f| f.name() == name);
        (is_that && self.limit.is_none()).then(|| {
            Arc::new(ScanExec {
                source: Arc::clone(&self.source),
                limit: None,
                keys: Some(Arc::clone(keys)),
                properties: Arc::clone(&self.properties),
                metrics: ExecutionPlanMetricsSet::new(),
            })
        })
    }

    fn partitions(&self) -> usize {
        self.properties.output_partitioning().partition_count()
    }

    /// A parent's filter, which speaks of our output, as one over the source's full schema.
    fn accept(&self, filter: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<Filter>>> {
        let full = self.source.full_schema();
        let volatile = datafusion::physical_expr_common::physical_expr::is_volatile(filter);
        let known = collect_columns(filter).iter().all(|c| full.index_of(c.name()).is_ok());
        if volatile || !known {
            return Ok(None);
        }
        let over_full =
            datafusion::physical_expr::utils::reassign_expr_columns(Arc::clone(filter), &full)?;
        Filter::new(over_full, &full).map(Some)
    }
}

fn ordering(source: &dyn Source) -> EquivalenceProperties {
    let schema = source.schema();
    let column = source.sorted_by().and_then(|name| Some((name, schema.column_with_name(name)?.0)));
    match column {
        Some((name, index)) => {
            let options = SortOptions { descending: false, nulls_first: false };
            let sort = PhysicalSortExpr::new(Arc::new(Column::new(name, index)), options);
            EquivalenceProperties::new_with_orderings(schema, [[sort]])
        }
        None => EquivalenceProperties::new(schema),
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source.name())?;
        self.source.describe(f)?;
        let filters = self.source.filters();
        if !filters.is_empty() {
            write!(f, ", filters=[")?;
            for (i, filter) in filters.iter().enumerate() {
                write!(f, "{}{}", if i > 0 { ", " } else { "" }, filter.expr)?;
            }
            write!(f, "]")?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        if self.keys.is_some() {
            f.write_str(", among the keys of the join")?;
        }
        write!(f, ", chunks={}", self.source.chunks())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        self.source.name()
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }
    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in self.source.filters() {
            if f(&filter.expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = self.source.statistics();
        if args.partition().is_some() {
            let parts = self.partitions();
            statistics.num_rows = statistics.num_rows.map(|n| n / parts);
            statistics.total_byte_size = statistics.total_byte_size.map(|n| n / parts);
        }
        Ok(Arc::new(statistics))
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let offered: Vec<_> = result.parent_filters.into_iter().map(|f| f.filter).collect();
        // A filter below a limit would change which rows the limit lets through.
        let accepted = match self.limit {
            Some(_) => vec![None; offered.len()],
            None => offered.iter().map(|f| self.accept(f)).collect::<Result<Vec<_>>>()?,
        };
        let answer = |f: &Option<_>| if f.is_some() { PushedDown::Yes } else { PushedDown::No };
        let answers = accepted.iter().map(answer).collect();
        let filters: Vec<_> = accepted.into_iter().flatten().collect();
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(answers);
        if filters.is_empty() {
            return Ok(propagation);
        }
        let source = self.source.with_filters(filters);
        let node = ScanExec::new(source, self.partitions(), None);
        Ok(propagation.with_updated_node(node))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let reads = Reads::new(&self.metrics, partition);
        let rows = context.session_config().batch_size();
        let chunks = (partition..self.source.chunks()).step_by(self.partitions());
        // A join begins with its first side.
        let keys = self.keys.as_ref().map(|keys| (Arc::clone(keys), keys.run()));
        let source = Arc::clone(&self.source);
        let batches = stream::iter(chunks)
            .then(move |chunk| {
                let (source, reads) = (Arc::clone(&source), reads.clone());
                let among = keys.as_ref().and_then(|(keys, run)| keys.of(*run));
                async move { reads.count(source.read(chunk, among.as_deref())).await }
            })
            .map_ok(move |batch| stream::iter(cut(batch, rows).map(Ok::<_, DataFusionError>)))
            .try_flatten()
            .inspect_ok(move |batch| metrics.record_output(batch.num_rows()))
            .boxed();
        let batches = match self.limit {
            Some(limit) => limited(batches, limit),
            None => batches,
        };
        let schema = self.source.schema();
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(schema, batches))))
    }
}

/// What EXPLAIN ANALYZE says of reading: requests to the store and their bytes, bytes from the cache on disk, and decoded
/// columns from memory.
#[derive(Clone)]
struct Reads {
    requests: Count,
    store_bytes: Count,
    disk_bytes: Count,
    memory_bytes: Count,
}

impl Reads {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Reads {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        Reads {
            requests: counter("store_requests"),
            store_bytes: counter("store_bytes"),
            disk_bytes: counter("disk_cache_bytes"),
            memory_bytes: counter("memory_cache_bytes"),
        }
    }

    async fn count<T>(&self, read: impl Future<Output = T>) -> T {
        let stats = Arc::new(ReadStats::default());
        let done = stats.during(read).await;
        let took = stats.took();
        for (count, n) in [
            (&self.requests, took.requests),
            (&self.store_bytes, took.store_bytes),
            (&self.disk_bytes, took.disk_bytes),
            (&self.memory_bytes, took.memory_bytes),
        ] {
            count.add(usize::try_from(n).unwrap_or(usize::MAX));
        }
        done
    }
}

/// Batches of at most `rows` rows, without copying.
fn cut(batch: RecordBatch, rows: usize) -> impl Iterator<Item = RecordBatch> + Send {
    let total = batch.num_rows();
    (0..total).step_by(rows.max(1)).map(move |at| batch.slice(at, rows.min(total - at)))
}

/// Stops after `limit` rows, without asking for another chunk.
fn limited(
    batches: BoxStream<'static, Result<RecordBatch>>,
    limit: usize,
) -> BoxStream<'static, Result<RecordBatch>> {
    stream::try_unfold((batches, limit), |(mut batches, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(batch) = batches.try_next().await? else { return Ok(None) };
        let rows = batch.num_rows().min(left);
        Ok(Some((batch.slice(0, rows), (batches, left - rows))))
    })
    .boxed()
}
