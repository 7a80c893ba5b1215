//! The plan node of `datalog(...)`: a leaf, since the plan below it is of another state of the engine, whose rules it keeps to.

use super::columns::{self, Shown};
use crate::answer::Answer;
use crate::find::Column;
use crate::query::Shape;
use crate::run::Planned;
use crate::source::Source;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
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
use futures::{TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

pub struct AnswerExec {
    /// The query.
    text: Arc<str>,
    inner: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    shown: Arc<[Shown]>,
    sources: Vec<Source>,
    timeout: Option<Duration>,
    schema: SchemaRef,
    rows: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// Nodes of a plan keep what they did: one that ran is run again from its beginning.
    ran: AtomicBool,
}

impl AnswerExec {
    pub fn new(
        text: Arc<str>,
        inner: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        planned: &Planned,
        shown: Vec<Shown>,
        schema: SchemaRef,
        limit: Option<usize>,
    ) -> AnswerExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let found = planned.rows.rows as usize;
        AnswerExec {
            text,
            inner,
            context,
            shown: shown.into(),
            sources: planned.resolved.sources.clone(),
            timeout: planned.query.timeout,
            schema,
            rows: limit.or(planned.query.limit).map_or(found, |limit| limit.min(found)).max(1),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            ran: AtomicBool::new(false),
        }
    }
}

impl fmt::Debug for AnswerExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerExec({})", self.text)
    }
}

impl DisplayAs for AnswerExec {
    fn fmt_as(&self, how: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        write!(f, "DatalogExec: {}", words.join(" "))?;
        if how == DisplayFormatType::Verbose {
            write!(
                f,
                "\n{}",
                displayable(self.inner.as_ref()).indent(false).to_string().trim_end()
            )?;
        }
        Ok(())
    }
}

impl ExecutionPlan for AnswerExec {
    fn name(&self) -> &str {
        "DatalogExec"
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
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(self.rows);
        Ok(Arc::new(statistics))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let inner = match self.ran.swap(true, Ordering::Relaxed) {
            false => Arc::clone(&self.inner),
            true => reset_plan_states(Arc::clone(&self.inner))?,
        };
        let columns: Vec<Column> = self.shown.iter().map(|s| s.column.clone()).collect();
        let answer = Answer {
            columns,
            shape: Shape::Relation,
            keys: None,
            warnings: vec![],
            sources: self.sources.clone(),
            stream: execute_stream(inner, Arc::clone(&self.context))?,
            deadline: self.timeout.map(|limit| (Instant::now() + limit, limit)),
        };
        let (shown, schema) = (Arc::clone(&self.shown), Arc::clone(&self.schema));
        let batches = stream::try_unfold(answer, move |mut answer| {
            let (shown, schema) = (Arc::clone(&shown), Arc::clone(&schema));
            async move {
                let Some(found) = answer.batch().await? else { return Ok(None) };
                let batch = columns::batch(&answer.sources, &found, &shown, &schema).await?;
                Ok::<_, DataFusionError>(Some((batch, answer)))
            }
        });
        let batches = batches.inspect_ok(move |batch| metrics.record_output(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}
