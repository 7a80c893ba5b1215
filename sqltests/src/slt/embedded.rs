//! A file's statements on a session of this process, without a wire.

use super::{Failed, Output, Shared, Shown, cell};
use crate::{engine, show};
use async_trait::async_trait;
use daodb_catalog::{Outcome, Session};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use sqllogictest::{AsyncDB, DBOutput};

pub struct Embedded {
    session: Session,
    shared: Shared,
}

impl Embedded {
    pub async fn open(shared: Shared) -> Result<Embedded, Failed> {
        let session = engine::session(&shared.catalog, &[]).await?;
        Ok(Embedded { session, shared })
    }

    async fn sql(&mut self, sql: &str) -> Result<Output, Failed> {
        let mut output = DBOutput::StatementComplete(0);
        for statement in self.session.parse(sql)? {
            output = match self.session.execute(&statement, &[]).await? {
                Outcome::Rows { schema, stream, tag: _ }
                | Outcome::CopyOut { schema, stream, options: _ } => rows(schema, stream).await?,
                Outcome::Command { tag } => DBOutput::StatementComplete(count(&tag)),
            };
        }
        Ok(output)
    }
}

/// The number at the end of a command tag.
fn count(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

async fn rows(schema: SchemaRef, stream: SendableRecordBatchStream) -> Result<Output, Failed> {
    let batches: Vec<RecordBatch> =
        stream.try_collect().await.map_err(daodb_catalog::Error::from)?;
    let types = schema.fields().iter().map(|f| shown(f.data_type())).collect();
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|c| cell(show::value(c, row))).collect());
        }
    }
    Ok(DBOutput::Rows { types, rows })
}

fn shown(ty: &DataType) -> Shown {
    match ty {
        DataType::Boolean => Shown::Boolean,
        t if t.is_integer() => Shown::Integer,
        t if t.is_numeric() => Shown::Real,
        t if t.is_temporal() => Shown::Time,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => Shown::Array,
        _ => Shown::Text,
    }
}

#[async_trait]
impl AsyncDB for Embedded {
    type Error = Failed;
    type ColumnType = Shown;

    async fn run(&mut self, sql: &str) -> Result<Output, Failed> {
        if let Some(done) = self.shared.directive(sql).await {
            return done;
        }
        let result = self.sql(sql).await;
        if result.is_err() {
            self.session.fail();
        }
        result
    }
    async fn shutdown(&mut self) {}
    fn engine_name(&self) -> &str {
        "embedded"
    }
    fn error_sql_state(e: &Failed) -> Option<String> {
        Some(e.state.clone())
    }
}
