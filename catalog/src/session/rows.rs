//! A plan that runs: its stream of rows, with the columns as they are shown.

use super::{Outcome, RowsTag, columns, errors};
use crate::error::Result;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Optimizes and plans; `text` is what the statement was parsed from.
pub async fn physical(
    state: &SessionState,
    plan: &LogicalPlan,
    text: &str,
) -> Result<Arc<dyn ExecutionPlan>> {
    state.create_physical_plan(plan).await.map_err(|e| errors::at(e, text))
}

/// Starts a plan.
pub fn start(
    state: &SessionState,
    plan: Arc<dyn ExecutionPlan>,
) -> Result<(SchemaRef, SendableRecordBatchStream)> {
    Ok(shown(execute_stream(plan, state.task_ctx())?))
}

/// The same, but nothing is done before the first row is asked for.
pub fn later(state: &SessionState, plan: Arc<dyn ExecutionPlan>) -> SendableRecordBatchStream {
    let (schema, context) = (plan.schema(), state.task_ctx());
    let started = stream::once(async move { execute_stream(plan, context) }).try_flatten();
    shown(Box::pin(RecordBatchStreamAdapter::new(schema, started))).1
}

fn shown(stream: SendableRecordBatchStream) -> (SchemaRef, SendableRecordBatchStream) {
    let schema = stream.schema();
    let Some(shown) = columns::shown(&schema) else { return (schema, stream) };
    let renamed = Arc::clone(&shown);
    let batches = stream.map(move |batch| {
        let batch = batch?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        Ok(RecordBatch::try_new_with_options(Arc::clone(&renamed), columns, &options)?)
    });
    (Arc::clone(&shown), Box::pin(RecordBatchStreamAdapter::new(shown, batches)))
}

/// Rows that are there already.
pub fn of_batch(batch: RecordBatch, tag: RowsTag) -> Outcome {
    let schema = batch.schema();
    let stream = stream::iter([Ok(batch)]);
    let stream = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), stream));
    Outcome::Rows { schema, stream, tag }
}
