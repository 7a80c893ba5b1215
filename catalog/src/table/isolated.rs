//! A plan within another one that is of another state of the engine: a leaf to it, run with what it was planned with. The rules
//! of the plan around it would change it by settings that are not its own.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, reset_plan_states,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
    displayable, execute_stream,
};
use futures::TryStreamExt;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is made of the rows of the plan within, and how it is shown.
pub trait Shows: fmt::Debug + Send + Sync {
    /// What EXPLAIN calls it.
    fn name(&self) -> &'static str;
    /// What EXPLAIN says of it.
    fn describe(&self) -> String;
    /// Of the rows that it gives.
    fn schema(&self) -> SchemaRef;
    /// About how many rows it gives; None: nobody knows.
    fn rows(&self) -> Option<usize>;
    /// Its rows, of those of the plan within.
    fn show(&self, inner: SendableRecordBatchStream) -> SendableRecordBatchStream {
        inner
    }
}

pub struct IsolatedExec {
    shows: Arc<dyn Shows>,
    inner: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// Nodes of a plan keep what they did: one that ran is run again from its beginning.
    ran: AtomicBool,
}

impl IsolatedExec {
    pub fn new(
        shows: Arc<dyn Shows>,
        inner: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> IsolatedExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(shows.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        IsolatedExec {
            shows,
            inner,
            context,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            ran: AtomicBool::new(false),
        }
    }
}

impl fmt::Debug for IsolatedExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IsolatedExec({:?})", self.shows)
    }
}

impl DisplayAs for IsolatedExec {
    fn fmt_as(&self, how: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.shows.name(), self.shows.describe())?;
        if matches!(how, DisplayFormatType::Verbose) {
            let inner = displayable(self.inner.as_ref()).indent(false).to_string();
            write!(f, "\n{}", inner.trim_end())?;
        }
        Ok(())
    }
}

impl ExecutionPlan for IsolatedExec {
    fn name(&self) -> &str {
        self.shows.name()
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
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.shows.schema());
        statistics.num_rows = self.shows.rows().map_or(Precision::Absent, Precision::Inexact);
        Ok(Arc::new(statistics))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let inner = match self.ran.swap(true, Ordering::Relaxed) {
            false => Arc::clone(&self.inner),
            true => reset_plan_states(Arc::clone(&self.inner))?,
        };
        let rows = self.shows.show(execute_stream(inner, Arc::clone(&self.context))?);
        let rows = rows.inspect_ok(move |batch| {
            metrics.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.shows.schema(), rows)))
    }
}
