//! Schema `dao`: what the database says of itself. One file a relation.
//!
//! Small relations are made whole when they are scanned; those that grow with the history are read chunk by chunk.

mod attributes;
mod events;
mod jobs;
mod segments;
mod storage;
mod streams;
mod transactions;

use super::scan::bounds::bounds;
use super::scan::filter;
use crate::database::Database;
use crate::error::Result;
use async_trait::async_trait;
use daodb_storage::Snapshot;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::fmt;
use std::sync::Arc;

/// The relations of schema `dao`.
pub const DAO_RELATIONS: [&str; 8] =
    ["attributes", "changes", "datoms", "jobs", "segments", "storage", "streams", "transactions"];

/// The founding stream's number; a database has no other yet.
const FOUNDING_STREAM: i64 = 0;

/// One relation of schema `dao` at the snapshot's basis; None: there is none of that name.
pub fn dao_table(
    name: &str,
    database: &Arc<Database>,
    snapshot: &Snapshot,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let small =
        |relation| Small { relation, database: Arc::clone(database), snapshot: snapshot.clone() };
    Ok(Some(match name {
        "attributes" => Arc::new(small(Relation::Attributes)),
        "jobs" => Arc::new(small(Relation::Jobs)),
        "segments" => Arc::new(small(Relation::Segments)),
        "storage" => Arc::new(small(Relation::Storage)),
        "streams" => Arc::new(small(Relation::Streams)),
        "transactions" => Arc::new(small(Relation::Transactions)),
        "datoms" => Arc::new(events::EventTable::datoms(database, snapshot)),
        "changes" => Arc::new(events::EventTable::changes(database, snapshot)),
        _ => return Ok(None),
    }))
}

#[derive(Debug, Clone, Copy)]
enum Relation {
    Attributes,
    Jobs,
    Segments,
    Storage,
    Streams,
    Transactions,
}

/// A relation that fits in memory.
struct Small {
    relation: Relation,
    database: Arc<Database>,
    snapshot: Snapshot,
}

impl fmt::Debug for Small {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.relation, self.snapshot.t())
    }
}

#[async_trait]
impl TableProvider for Small {
    fn schema(&self) -> SchemaRef {
        match self.relation {
            Relation::Attributes => attributes::schema(),
            Relation::Jobs => jobs::schema(),
            Relation::Segments => segments::schema(),
            Relation::Storage => storage::schema(),
            Relation::Streams => streams::schema(),
            Relation::Transactions => transactions::schema(),
        }
    }
    fn table_type(&self) -> TableType {
        TableType::View
    }
    /// Where rows are read from the log, bounds on t save reading; the filters are asked again above.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        use TableProviderFilterPushDown::{Inexact, Unsupported};
        let bounded = matches!(self.relation, Relation::Transactions);
        let read = filter::pushdown(filters).into_iter();
        Ok(read.map(|f| if bounded && f != Unsupported { Inexact } else { Unsupported }).collect())
    }
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let batch: RecordBatch = match self.relation {
            Relation::Attributes => attributes::rows(&self.database, &self.snapshot).await?,
            Relation::Jobs => jobs::rows(self.database.stream())?,
            Relation::Segments => segments::rows(&self.snapshot)?,
            Relation::Storage => storage::rows(&self.snapshot)?,
            Relation::Streams => streams::rows(&self.database, &self.snapshot)?,
            Relation::Transactions => {
                let filters = filter::compile(state, filters, &self.schema())?;
                let [t, id] = transactions::T.map(|column| bounds(&filters, column));
                let wanted = |column| projection.is_none_or(|wanted| wanted.contains(&column));
                transactions::rows(&self.database, &self.snapshot, t.and(id), wanted).await?
            }
        };
        let schema = self.schema();
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?)
    }
}

/// Columns by name and type, all nullable.
fn schema_of(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, ty)| Field::new(*name, ty.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
