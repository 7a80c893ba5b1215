//! The entities that a join asks for, so that the scan on its other side reads those alone.
//!
//! A hash join has read all of one side before it asks the other for its first row. [`NotedExec`] notes what it has read, and the scan
//! looks there when it is asked for a chunk: it waits for nobody.

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, Schema};
use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
    StatisticsArgs,
};
use futures::TryStreamExt;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// More are not noted: then the other side is read whole.
const MOST: usize = 4096;

/// What the first side of a join has for the key of the other.
#[derive(Debug, Default)]
pub struct Keys(Mutex<Noted>);

/// Of the last run of the first side: a plan may run again, as those of recursive queries do.
#[derive(Debug, Default)]
struct Noted {
    run: u64,
    /// Ascending, distinct; None: not known yet, or too many.
    keys: Option<Arc<[i64]>>,
}

impl Keys {
    /// The run that has begun last.
    pub fn run(&self) -> u64 {
        self.0.lock().run
    }

    /// What was noted in a run; None: it is not known yet, or too much, or that run is over.
    pub fn of(&self, run: u64) -> Option<Arc<[i64]>> {
        let noted = self.0.lock();
        noted.keys.clone().filter(|_| noted.run == run)
    }

    fn begin(&self) -> u64 {
        let mut noted = self.0.lock();
        *noted = Noted { run: noted.run + 1, keys: None };
        noted.run
    }

    fn set(&self, run: u64, keys: HashSet<i64>) {
        let mut keys: Vec<i64> = keys.into_iter().collect();
        keys.sort_unstable();
        let mut noted = self.0.lock();
        if noted.run == run {
            noted.keys = Some(keys.into());
        }
    }
}

/// The statistics of a node that gives its one input's rows as they are.
pub fn passed_on(inputs: &[Arc<Statistics>], schema: &Schema) -> Arc<Statistics> {
    match inputs {
        [input] => Arc::clone(input),
        _ => Arc::new(Statistics::new_unknown(schema)),
    }
}

/// Notes the values of an expression of type Int64 over all rows that pass, of its one partition.
#[derive(Debug)]
pub struct NotedExec {
    input: Arc<dyn ExecutionPlan>,
    key: Arc<dyn PhysicalExpr>,
    keys: Arc<Keys>,
}

impl NotedExec {
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        key: Arc<dyn PhysicalExpr>,
        keys: Arc<Keys>,
    ) -> NotedExec {
        NotedExec { input, key, keys }
    }
}

impl DisplayAs for NotedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotedExec: key={}", self.key)?;
        match self.keys.of(self.keys.run()) {
            Some(keys) => write!(f, ", noted={}", keys.len()),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for NotedExec {
    fn name(&self) -> &str {
        "NotedExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }
    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else {
            return Err(DataFusionError::Internal("NotedExec has one input".to_owned()));
        };
        let (key, keys) = (Arc::clone(&self.key), Arc::clone(&self.keys));
        Ok(Arc::new(NotedExec { input, key, keys }))
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }
    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        f(&self.key)
    }
    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }
    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(passed_on(inputs, &self.schema()))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let run = self.keys.begin();
        let input = self.input.execute(partition, context)?;
        let noting = Noting { key: Arc::clone(&self.key), found: Some(HashSet::new()) };
        let keys = Arc::clone(&self.keys);
        let noted = futures::stream::try_unfold((input, noting), move |(mut input, mut noting)| {
            let keys = Arc::clone(&keys);
            async move {
                match input.try_next().await? {
                    Some(batch) => {
                        noting.add(&batch)?;
                        Ok(Some((batch, (input, noting))))
                    }
                    None => {
                        if let Some(found) = noting.found {
                            keys.set(run, found);
                        }
                        Ok(None)
                    }
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), noted)))
    }
}

struct Noting {
    key: Arc<dyn PhysicalExpr>,
    /// None: there are too many.
    found: Option<HashSet<i64>>,
}

impl Noting {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(found) = &mut self.found else { return Ok(()) };
        let values = self.key.evaluate(batch)?.into_array(batch.num_rows())?;
        let Some(values) = values.as_primitive_opt::<Int64Type>() else {
            self.found = None;
            return Ok(());
        };
        let mut before = None;
        // Nothing equals null.
        for value in values.iter().flatten() {
            if before.replace(value) != Some(value) && found.insert(value) && found.len() > MOST {
                self.found = None;
                return Ok(());
            }
        }
        Ok(())
    }
}
