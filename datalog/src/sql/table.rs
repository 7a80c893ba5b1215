//! A planned query as a table of another plan. It keeps to the engine's state that it was planned with: what that leaves out
//! or sets apart holds for its plans alone.

use super::columns::Shown;
use super::exec::AnswerRows;
use crate::lower::leaves::{Filters, physical};
use crate::run::Planned;
use async_trait::async_trait;
use daodb_catalog::table::isolated::IsolatedExec;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType, col};
use datafusion::physical_plan::ExecutionPlan;
use std::fmt;
use std::sync::Arc;

pub struct DatalogTable {
    text: Arc<str>,
    planned: Planned,
    shown: Vec<Shown>,
    schema: SchemaRef,
}

impl DatalogTable {
    pub fn new(text: &str, planned: Planned, shown: Vec<Shown>) -> DatalogTable {
        let fields: Vec<_> = shown.iter().map(Shown::field).collect();
        DatalogTable { text: text.into(), planned, shown, schema: Arc::new(Schema::new(fields)) }
    }
}

impl fmt::Debug for DatalogTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[async_trait]
impl TableProvider for DatalogTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Temporary
    }
    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.shown.len()).collect();
        let places: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let mut plan = LogicalPlanBuilder::from(self.planned.compiled.logical.clone());
        if limit.is_some() {
            plan = plan.limit(0, limit)?;
        }
        // Without any column rows could not be counted.
        let read = if places.is_empty() { &[0][..] } else { &places };
        let plan = plan.project(read.iter().map(|i| col(format!("f{i}"))))?.build()?;
        let state = &self.planned.state;
        let (plan, sources) = (state.optimize(&plan)?, &self.planned.sources);
        // The rest of the statement has changed its filters.
        let inner = physical(state, &plan, &Filters::new(), sources).await?;
        let shown = places.iter().filter_map(|i| self.shown.get(*i).cloned()).collect();
        let schema = Arc::new(self.schema.project(&places)?);
        let rows = AnswerRows::new(Arc::clone(&self.text), &self.planned, shown, schema, limit);
        Ok(Arc::new(IsolatedExec::new(Arc::new(rows), inner, state.task_ctx())))
    }
}
