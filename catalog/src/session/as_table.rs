//! A query of a session as a table that plans of others read, at the session's snapshot.

use super::plan::{self, Parameters};
use super::run::refuse_writes_within;
use super::{Session, Statement, rows};
use crate::error::{Error, Result, SqlState};
use crate::table::isolated::{IsolatedExec, Shows};
use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue, Statistics};
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

impl Session {
    /// The rows of a query, whenever they are asked for, at the snapshot of now. What reads of them fewer columns or rows has
    /// the query planned so. Columns are called `c0`, `c1` and on, since those of a result may be called alike; what they are
    /// called there is their metadata [`RESULT_NAME`].
    pub fn table<'a>(
        &'a self,
        statement: &'a Statement,
        params: &'a [ScalarValue],
    ) -> BoxFuture<'a, Result<Arc<dyn TableProvider>>> {
        Box::pin(async move {
            let query = match (statement.ast.as_ref(), &statement.cursor) {
                (query @ ast::Statement::Query(_), None) => query,
                _ => {
                    return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "this is no query")
                        .hint("SELECT, VALUES and WITH have rows"));
                }
            };
            refuse_writes_within(query)?;
            let bound = self.bind().await?;
            let scope = bound.scope(self.extension.as_ref(), Parameters::Values(params));
            let text = &statement.source;
            let plan = plan::query(&scope, &bound.at, query.clone(), text).await?.plan;
            let schema = by_place(&plan::result_schema(&scope, plan.clone(), &[], text)?);
            let physical = rows::physical(&bound.state, &plan, text).await?;
            let rows = estimate(physical.as_ref());
            let text = Arc::clone(&statement.text);
            Ok(Arc::new(QueryTable { text, plan, schema, rows, state: bound.state }) as Arc<_>)
        })
    }
}

/// The key under which a field's metadata have its name in the query's result.
pub const RESULT_NAME: &str = "daodb:name";

fn by_place(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().enumerate().map(|(i, field)| {
        let mut metadata = field.metadata().clone();
        metadata.insert(RESULT_NAME.to_owned(), field.name().clone());
        Field::new(format!("c{i}"), field.data_type().clone(), true).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

struct QueryTable {
    text: Arc<str>,
    plan: LogicalPlan,
    schema: SchemaRef,
    rows: Option<usize>,
    state: SessionState,
}

impl fmt::Debug for QueryTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether an expression is one that the session's own state can plan: without functions, which may be another's.
fn is_plain(e: &Expr) -> bool {
    let foreign = |e: &Expr| {
        Ok(matches!(
            e,
            Expr::ScalarFunction(_)
                | Expr::HigherOrderFunction(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::ScalarSubquery(_)
                | Expr::OuterReferenceColumn(..)
        ))
    };
    e.exists(foreign).is_ok_and(|foreign| !foreign)
}

#[async_trait]
impl TableProvider for QueryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::View
    }
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let of = |e: &&Expr| match is_plain(e) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(of).collect())
    }
    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(self.rows?);
        Some(statistics)
    }
    async fn scan(
        &self,
        _: &dyn datafusion::catalog::Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let inner = self.plan.schema().columns();
        let named = inner.iter().zip(self.schema.fields());
        let named = named
            .map(|(c, field)| Expr::Column(c.clone()).alias_qualified(Some(NAME), field.name()));
        let mut plan = LogicalPlanBuilder::from(self.plan.clone()).project(named)?;
        for filter in filters {
            plan = plan.filter(requalified(filter.clone())?)?;
        }
        let all = || (0..self.schema.fields().len()).collect();
        let places: Vec<usize> = projection.cloned().unwrap_or_else(all);
        if limit.is_some() {
            plan = plan.limit(0, limit)?;
        }
        let columns = places.iter().map(|i| column(self.schema.field(*i).name()));
        let plan = plan.project(columns)?.build()?;
        let inner = self.state.create_physical_plan(&plan).await?;
        let shows = QueryRows {
            text: Arc::clone(&self.text),
            schema: Arc::new(self.schema.project(&places)?),
            rows: estimate(inner.as_ref()),
        };
        Ok(Arc::new(IsolatedExec::new(Arc::new(shows), inner, self.state.task_ctx())))
    }
}

const NAME: &str = "q";

fn column(name: &str) -> Expr {
    Expr::Column(Column::new(Some(NAME), name))
}

/// A filter's columns are those of the table, whatever the plan around it calls that.
fn requalified(filter: Expr) -> DfResult<Expr> {
    let renamed = filter.transform(|e| {
        Ok(match e {
            Expr::Column(c) => Transformed::yes(column(&c.name)),
            e => Transformed::no(e),
        })
    })?;
    Ok(renamed.data)
}

fn estimate(plan: &dyn ExecutionPlan) -> Option<usize> {
    let statistics = StatisticsContext::new().compute(plan, &StatisticsArgs::new()).ok()?;
    statistics.num_rows.get_value().copied()
}

#[derive(Debug)]
struct QueryRows {
    text: Arc<str>,
    schema: SchemaRef,
    rows: Option<usize>,
}

impl Shows for QueryRows {
    fn name(&self) -> &'static str {
        "SqlExec"
    }
    fn describe(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn rows(&self) -> Option<usize> {
        self.rows
    }
    /// Under the table's own schema: the engine may know columns to have no nulls, or hold texts otherwise.
    fn show(&self, inner: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let batches = inner.map(move |batch| shown(&schema, &batch?));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

fn shown(schema: &SchemaRef, batch: &RecordBatch) -> DfResult<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(array, field)| match array.data_type() == field.data_type() {
        true => Ok(Arc::clone(array)),
        false => cast(array, field.data_type()),
    });
    let columns = columns.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
