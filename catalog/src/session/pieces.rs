//! A side of a join, handed on in pieces that keep it busy for a short while each, and as often as it likes.
//!
//! A join with a filter compares a batch with all rows of its other side before it pauses, if the filter lets nothing through:
//! of a large other side that takes minutes, in which no timeout and no cancel is heard, and nobody else has the thread. How
//! long it takes for a piece shows when it asks for the next one: pieces start small, grow while that is quick, and shrink
//! where it is not.
//!
//! A nested loop reads the side that it wants in memory once more where it does not fit there. Nodes that give each of their
//! partitions only once are made anew for that.

use crate::table::scan::passed_on;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, ReplaceChildrenOptions, reset_plan_states,
};
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

const FIRST_ROWS: usize = 64;
const MOST_ROWS: usize = 1 << 16;
/// A piece that takes less is followed by a larger one; one that takes longer, by a turn for others.
const SHORT: Duration = Duration::from_millis(2);
/// A piece that takes longer is followed by a smaller one.
const LONG: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct PiecesExec {
    input: Arc<dyn ExecutionPlan>,
    /// Partitions that were read.
    read: Mutex<HashSet<usize>>,
}

impl PiecesExec {
    pub fn new(input: Arc<dyn ExecutionPlan>) -> PiecesExec {
        PiecesExec { input, read: Mutex::default() }
    }
}

impl DisplayAs for PiecesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for PiecesExec {
    fn name(&self) -> &str {
        "PiecesExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(input) => Arc::new(PiecesExec::new(input)),
            None => self,
        })
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
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
        let input = match self.read.lock().insert(partition) {
            true => Arc::clone(&self.input),
            false => reset_plan_states(Arc::clone(&self.input))?,
        };
        let input = input.execute(partition, context)?;
        Ok(Box::pin(Pieces { input, rest: None, rows: FIRST_ROWS, handed: None }))
    }
}

struct Pieces {
    input: SendableRecordBatchStream,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
    /// Of the next piece.
    rows: usize,
    /// When the last piece was handed on.
    handed: Option<Instant>,
}

impl Pieces {
    fn next_piece(&mut self, batch: RecordBatch) -> RecordBatch {
        let piece = batch.slice(0, batch.num_rows().min(self.rows));
        let rest = batch.num_rows() - piece.num_rows();
        self.rest = (rest > 0).then(|| batch.slice(piece.num_rows(), rest));
        self.handed = Some(Instant::now());
        piece
    }
}

impl Stream for Pieces {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(took) = self.handed.take().map(|handed| handed.elapsed()) {
            self.rows = match took {
                took if took < SHORT => (self.rows * 4).min(MOST_ROWS),
                took if took > LONG => (self.rows / 4).max(1),
                _ => self.rows,
            };
            if took >= SHORT {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let next = match self.rest.take() {
            Some(rest) => Poll::Ready(Some(Ok(rest))),
            None => self.input.poll_next_unpin(cx),
        };
        next.map(|next| next.map(|batch| batch.map(|batch| self.next_piece(batch))))
    }
}

impl RecordBatchStream for Pieces {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::{Int64Type, Schema};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::Partitioning;
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
    use datafusion::physical_plan::repartition::RepartitionExec;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    fn pieces(batches: &[usize]) -> Pieces {
        let mut at = 0;
        let batches: Vec<RecordBatch> = batches
            .iter()
            .map(|rows| {
                let n = Int64Array::from_iter_values(at..at + *rows as i64);
                at += *rows as i64;
                RecordBatch::try_from_iter([("n", Arc::new(n) as _)]).unwrap()
            })
            .collect();
        let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
        let input = futures::stream::iter(batches.into_iter().map(Ok));
        let input = Box::pin(RecordBatchStreamAdapter::new(schema, input));
        Pieces { input, rest: None, rows: FIRST_ROWS, handed: None }
    }

    /// A repartition gives each of its partitions once, and panics when one is wanted again.
    #[tokio::test]
    async fn what_can_be_read_once_is_read_twice() {
        let n = Int64Array::from_iter_values(0..1000);
        let batch = RecordBatch::try_from_iter([("n", Arc::new(n) as _)]).unwrap();
        let input = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), None);
        let parts = Partitioning::RoundRobinBatch(2);
        let parts = RepartitionExec::try_new(input.unwrap(), parts).unwrap();
        let whole = CoalescePartitionsExec::new(Arc::new(parts));
        let exec = PiecesExec::new(Arc::new(whole));
        for _ in 0..3 {
            let rows = exec.execute(0, Arc::default()).unwrap();
            let rows = rows.map(|batch| batch.unwrap().num_rows());
            assert_eq!(rows.collect::<Vec<_>>().await.iter().sum::<usize>(), 1000);
        }
    }

    #[tokio::test]
    async fn no_row_is_lost_and_pieces_follow_the_time_they_take() {
        let mut pieces = pieces(&[10_000, 0, 1, 200_000]);
        let (mut sizes, mut rows) = (Vec::new(), Vec::new());
        while let Some(piece) = pieces.next().await.transpose().unwrap() {
            sizes.push(piece.num_rows());
            rows.extend_from_slice(piece.column(0).as_primitive::<Int64Type>().values());
            // So many pieces keep the join busy for long.
            if (8..13).contains(&sizes.len()) {
                std::thread::sleep(LONG * 2);
            }
        }
        assert!(rows.iter().copied().eq(0..210_001));
        // How quickly they grow is another thing on a machine with other work.
        assert_eq!(sizes[0], FIRST_ROWS);
        assert!(sizes[..8].iter().any(|rows| *rows > 1000), "{sizes:?}");
        assert!(sizes[8..14].iter().any(|rows| *rows < 256), "{sizes:?}");
    }
}
