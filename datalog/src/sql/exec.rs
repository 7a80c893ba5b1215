//! The rows of `datalog(...)` within a statement's plan.

use super::columns::{self, Shown};
use crate::answer::Answer;
use crate::query::Shape;
use crate::run::Planned;
use crate::source::Source;
use daodb_catalog::table::isolated::Shows;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Which columns of an answer are wanted, and as what.
pub struct AnswerRows {
    /// The query.
    text: Arc<str>,
    shown: Arc<[Shown]>,
    sources: Vec<Source>,
    timeout: Option<Duration>,
    schema: SchemaRef,
    rows: usize,
}

impl AnswerRows {
    pub fn new(
        text: Arc<str>,
        planned: &Planned,
        shown: Vec<Shown>,
        schema: SchemaRef,
        limit: Option<usize>,
    ) -> AnswerRows {
        let found = planned.compiled.rows.rows as usize;
        let limit = limit.or(planned.compiled.query.limit);
        AnswerRows {
            text,
            shown: shown.into(),
            sources: planned.sources.clone(),
            timeout: planned.timeout,
            schema,
            rows: limit.map_or(found, |limit| limit.min(found)).max(1),
        }
    }
}

impl fmt::Debug for AnswerRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Shows for AnswerRows {
    fn name(&self) -> &'static str {
        "DatalogExec"
    }
    fn describe(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn rows(&self) -> Option<usize> {
        Some(self.rows)
    }
    fn show(&self, inner: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let answer = Answer {
            columns: self.shown.iter().map(|s| s.column.clone()).collect(),
            shape: Shape::Relation,
            keys: None,
            warnings: vec![],
            sources: self.sources.clone(),
            stream: inner,
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
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
