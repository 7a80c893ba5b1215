//! A recursive rule as a relation of a plan. Its columns are `c0`, `c1`, ...

use super::rows::Rows;
use super::run::Run;
use super::words::Words;
use crate::algebra::Plan;
use crate::algebra::rules::Fixpoint;
use crate::lower::leaves::of_bound;
use crate::lower::lower;
use crate::source::Source;
use crate::value::{Kind, array, cells};
use async_trait::async_trait;
use daodb_storage::Value;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, reset_plan_states,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
    execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a rule's plans read, and the kinds of their columns.
type Input<P> = (P, Vec<Kind>);

pub struct FixpointTable {
    fixpoint: Arc<Fixpoint>,
    rule: usize,
    inputs: Vec<Input<LogicalPlan>>,
    schema: SchemaRef,
}

impl fmt::Debug for FixpointTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixpoint({})", self.fixpoint.rules[self.rule].name)
    }
}

impl FixpointTable {
    /// `rule` is its place in the program.
    pub fn new(fixpoint: &Arc<Fixpoint>, rule: usize, sources: &[Source]) -> Result<FixpointTable> {
        let Some(rule) = fixpoint.places.get(&rule).copied() else {
            return Err(DataFusionError::Internal("a rule of another cycle".to_owned()));
        };
        let branches = fixpoint.rules.iter().flat_map(|r| &r.branches);
        let plans: Vec<&Plan> = branches.flat_map(|b| b.inputs.iter().chain(&b.nots)).collect();
        let mut inputs = Vec::with_capacity(plans.len());
        for plan in plans {
            inputs.push((lower(plan, sources)?, plan.columns.iter().map(|c| c.kind).collect()));
        }
        let kinds = fixpoint.rules[rule].kinds.iter().enumerate();
        let fields = kinds.map(|(i, k)| Field::new(format!("c{i}"), k.arrow(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(FixpointTable { fixpoint: Arc::clone(fixpoint), rule, inputs, schema })
    }

    /// The same of other plans of its inputs.
    pub fn with_inputs(
        &self,
        of: &dyn Fn(&LogicalPlan) -> Result<LogicalPlan>,
    ) -> Result<FixpointTable> {
        let inputs = self.inputs.iter().map(|(plan, kinds)| Ok((of(plan)?, kinds.clone())));
        Ok(FixpointTable {
            fixpoint: Arc::clone(&self.fixpoint),
            rule: self.rule,
            inputs: inputs.collect::<Result<_>>()?,
            schema: Arc::clone(&self.schema),
        })
    }

    pub fn columns(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

#[async_trait]
impl TableProvider for FixpointTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Temporary
    }
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(state) = state.as_any().downcast_ref::<SessionState>() else {
            return Err(DataFusionError::Internal("a state that is not ours".to_owned()));
        };
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (plan, kinds) in &self.inputs {
            inputs.push((of_bound(state, plan).await?, kinds.clone()));
        }
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or(all);
        let schema = Arc::new(self.schema.project(&projection)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(Arc::new(FixpointExec {
            fixpoint: Arc::clone(&self.fixpoint),
            rule: self.rule,
            inputs: inputs.into(),
            projection: projection.into(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }
}

/// The plans that a fixpoint reads, which are no children of it.
pub fn inputs(plan: &dyn ExecutionPlan) -> impl Iterator<Item = &Arc<dyn ExecutionPlan>> {
    let inputs = plan.downcast_ref::<FixpointExec>().map(|exec| exec.inputs.iter());
    inputs.into_iter().flatten().map(|(plan, _)| plan)
}

struct FixpointExec {
    fixpoint: Arc<Fixpoint>,
    rule: usize,
    inputs: Arc<[Input<Arc<dyn ExecutionPlan>>]>,
    projection: Arc<[usize]>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl fmt::Debug for FixpointExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for FixpointExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.fixpoint.rules.iter().map(|r| r.name.as_ref()).collect::<Vec<_>>();
        let of = &self.fixpoint.rules[self.rule].name;
        write!(f, "FixpointExec: {of} of [{}], inputs={}", rules.join(", "), self.inputs.len())
    }
}

impl ExecutionPlan for FixpointExec {
    fn name(&self) -> &str {
        "FixpointExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    /// The inputs are planned and optimized already; what is above changes nothing in them.
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
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let again = |(plan, kinds): &Input<Arc<dyn ExecutionPlan>>| {
            Ok((reset_plan_states(Arc::clone(plan))?, kinds.clone()))
        };
        Ok(Arc::new(FixpointExec {
            fixpoint: Arc::clone(&self.fixpoint),
            rule: self.rule,
            inputs: self.inputs.iter().map(again).collect::<Result<_>>()?,
            projection: Arc::clone(&self.projection),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let (fixpoint, rule) = (Arc::clone(&self.fixpoint), self.rule);
        let (inputs, projection) = (Arc::clone(&self.inputs), Arc::clone(&self.projection));
        let schema = self.properties.eq_properties.schema();
        let (out, batch_rows) = (Arc::clone(schema), context.session_config().batch_size());
        let memory = MemoryConsumer::new("Fixpoint").register(context.memory_pool());
        let batches = async move {
            let mut words = Words::default();
            let rows = read(&inputs, &context, &mut words, &memory).await?;
            let stop = Stop::default();
            let stopped = Arc::clone(&stop.0);
            let run = tokio::task::spawn_blocking(move || {
                let mut run = Run::new(&fixpoint, rows, words, memory, stopped);
                run.run().map(|()| (run, fixpoint))
            });
            let (run, fixpoint) = run
                .await
                .map_err(|e| DataFusionError::Internal(format!("a fixpoint ended: {e}")))??;
            drop(stop);
            Ok::<_, DataFusionError>(chunks(run, &fixpoint, rule, &projection, out, batch_rows))
        };
        let stream = stream::once(batches).try_flatten();
        let stream = stream.inspect_ok(move |batch| metrics.record_output(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), stream.boxed())))
    }
}

/// Says stop when it is dropped: the query was given up.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// All inputs, in order.
async fn read(
    inputs: &[Input<Arc<dyn ExecutionPlan>>],
    context: &Arc<TaskContext>,
    words: &mut Words,
    memory: &MemoryReservation,
) -> Result<Vec<Rows>> {
    let mut out: Vec<Rows> = Vec::with_capacity(inputs.len());
    for (plan, kinds) in inputs {
        let mut rows = Rows::new(kinds.len());
        let mut batches = execute_stream(Arc::clone(plan), Arc::clone(context))?;
        let before: usize = out.iter().map(Rows::memory).sum();
        while let Some(batch) = batches.try_next().await? {
            insert(&mut rows, &batch, kinds, words)?;
            memory.try_resize(before + rows.memory() + words.memory())?;
        }
        out.push(rows);
    }
    Ok(out)
}

fn insert(rows: &mut Rows, batch: &RecordBatch, kinds: &[Kind], words: &mut Words) -> Result<()> {
    let mut columns = Vec::with_capacity(kinds.len());
    for (kind, column) in kinds.iter().zip(batch.columns()) {
        columns.push(of_column(*kind, column, words)?);
    }
    let mut row = Vec::with_capacity(kinds.len());
    for i in 0..batch.num_rows() {
        row.clear();
        row.extend(columns.iter().map(|c: &Vec<u32>| c[i]));
        rows.insert(&row);
    }
    Ok(())
}

fn of_column(kind: Kind, column: &ArrayRef, words: &mut Words) -> Result<Vec<u32>> {
    if kind == Kind::LONG && column.null_count() == 0 {
        let longs = column.as_primitive::<Int64Type>().values().iter();
        return Ok(longs.map(|n| words.long(*n)).collect());
    }
    Ok(cells(kind, column)?.iter().map(|c| words.word(c)).collect())
}

/// The words of a column as values.
fn to_column(kind: Kind, column: &[u32], words: &Words) -> ArrayRef {
    if kind == Kind::LONG {
        let long = |word: &u32| match words.cell(*word) {
            Some(Value::Long(n)) => Some(*n),
            _ => None,
        };
        if let Some(all) = column.iter().map(long).collect::<Option<Vec<i64>>>() {
            return Arc::new(Int64Array::from(all));
        }
    }
    array(kind, column.iter().map(|w| words.cell(*w).as_ref()))
}

/// The rows of a rule as batches.
fn chunks(
    run: Run,
    fixpoint: &Fixpoint,
    rule: usize,
    projection: &[usize],
    schema: SchemaRef,
    batch_rows: usize,
) -> stream::BoxStream<'static, Result<RecordBatch>> {
    let kinds = fixpoint.rules[rule].kinds.clone();
    let projection = projection.to_vec();
    let total = run.rules[rule].len();
    let starts: Vec<usize> = (0..total).step_by(batch_rows.max(1)).collect();
    stream::iter(starts)
        .map(move |start| {
            let rows = start..(start + batch_rows).min(total);
            let column = |c: &usize| -> ArrayRef {
                let words: Vec<u32> = rows.clone().map(|i| run.rules[rule].row(i)[*c]).collect();
                to_column(kinds[*c], &words, &run.words)
            };
            let columns: Vec<ArrayRef> = projection.iter().map(column).collect();
            let options = datafusion::arrow::array::RecordBatchOptions::new()
                .with_row_count(Some(rows.len()));
            Ok(RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?)
        })
        .boxed()
}
