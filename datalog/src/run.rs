//! A query from its text to its answer, stage by stage.

use crate::answer::{Answer, of_engine};
use crate::edn::{Form, Node, read};
use crate::engine;
use crate::query::{Fault, Query, Shape, check, query as parse};
use crate::resolve::inputs::Arg as Input;
use crate::resolve::{Inputs, Resolved, resolve};
use crate::source::DbSource;
use crate::sql::source::SqlTable;
use crate::{algebra, find};
use daodb_catalog::{Catalog, Database, Error, Result, SqlState};
use daodb_storage::{Snapshot, Value};
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{displayable, execute_stream};
use futures::future::BoxFuture;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A database at a basis and with a view.
#[derive(Clone)]
pub struct At {
    pub database: Arc<Database>,
    pub snapshot: Snapshot,
}

/// One argument of a query.
#[derive(Clone)]
pub enum Arg {
    Database(At),
    Value(Node),
    /// What [`Session::table`](daodb_catalog::Session::table) gives: a source.
    Table(Arc<dyn TableProvider>),
}

/// A query, and all that it is asked of.
#[derive(Clone)]
pub struct QueryRequest {
    /// A list, a map, or the text of either.
    pub query: Node,
    /// `$`, where `:in` has it; then it is none of `args`.
    pub default: Option<At>,
    /// Those of `:in`, in order.
    pub args: Vec<Arg>,
    /// What the query itself says about these holds where these are None.
    pub limit: Option<usize>,
    pub offset: Option<usize>,
    pub timeout: Option<Duration>,
}

impl QueryRequest {
    pub fn text(query: &str) -> QueryRequest {
        let form = Form::Value(Value::string(query));
        QueryRequest::new(Node { form, span: Default::default() })
    }
    pub fn new(query: Node) -> QueryRequest {
        QueryRequest {
            query,
            default: None,
            args: vec![],
            limit: None,
            offset: None,
            timeout: None,
        }
    }
    pub fn of(mut self, database: &Arc<Database>, snapshot: &Snapshot) -> QueryRequest {
        let (database, snapshot) = (Arc::clone(database), snapshot.clone());
        self.default = Some(At { database, snapshot });
        self
    }
    pub fn arg(mut self, arg: Arg) -> QueryRequest {
        self.args.push(arg);
        self
    }
}

/// All stages of a query that is not run yet.
pub(crate) struct Planned {
    pub query: Query,
    pub resolved: Resolved,
    pub rows: algebra::Plan,
    pub columns: Vec<find::Column>,
    pub logical: LogicalPlan,
    pub state: SessionState,
}

/// Runs a query. Its rows are produced as they are asked for; it ends where the answer is dropped.
pub fn query(catalog: &Catalog, request: QueryRequest) -> BoxFuture<'_, Result<Answer>> {
    Box::pin(async move {
        let started = Instant::now();
        let planned = plan(catalog, &request).await?;
        let physical =
            planned.state.create_physical_plan(&planned.logical).await.map_err(of_engine)?;
        let stream = execute_stream(physical, planned.state.task_ctx()).map_err(of_engine)?;
        let Planned { query, resolved, columns, .. } = planned;
        Ok(Answer {
            columns,
            shape: query.shape,
            keys: query.keys,
            warnings: resolved.warnings,
            sources: resolved.sources,
            stream,
            deadline: query.timeout.map(|limit| (started + limit, limit)),
        })
    })
}

/// Every stage of a query as text.
pub fn explain(catalog: &Catalog, request: QueryRequest) -> BoxFuture<'_, Result<String>> {
    Box::pin(async move {
        let planned = plan(catalog, &request).await?;
        let optimized = planned.state.optimize(&planned.logical).map_err(of_engine)?;
        let physical =
            planned.state.create_physical_plan(&planned.logical).await.map_err(of_engine)?;
        let mut out = String::new();
        // Writing to a String never fails.
        let _ = writeln!(out, "-- query\n{}\n", planned.query);
        let _ = writeln!(out, "-- resolved\n{}", planned.resolved);
        for warning in &planned.resolved.warnings {
            let _ = writeln!(out, "-- note: {warning}");
        }
        let _ = writeln!(out, "-- in join order\n{}", planned.rows);
        let _ = writeln!(out, "-- logical\n{}\n", optimized.display_indent());
        let _ = writeln!(out, "-- physical\n{}", displayable(physical.as_ref()).indent(false));
        Ok(out)
    })
}

pub(crate) async fn plan(catalog: &Catalog, request: &QueryRequest) -> Result<Planned> {
    let text = request.query.string().map(str::to_owned);
    let placed = |fault: Fault| fault.into_error(text.as_deref());
    let mut query = parse(&request.query).map_err(placed)?;
    check::check(&query).map_err(placed)?;
    query.limit = request.limit.or(query.limit);
    query.offset = request.offset.unwrap_or(query.offset);
    query.timeout = request.timeout.or(query.timeout);
    if matches!(query.shape, Shape::Scalar | Shape::Tuple) {
        query.limit = Some(query.limit.unwrap_or(1).min(1));
    }
    let (default, args) = sources(request).await?;
    let inputs = Inputs::take(&query, default, &args).map_err(|f| f.into_error(None))?;
    let resolved = resolve(&query, &inputs).await?.map_err(placed)?;
    let mut planner = algebra::Planner::new(&resolved.sources, &resolved.program);
    let rows = planner
        .conjunction(&resolved.goals, None)
        .map_err(|stuck| stuck.into_fault().into_error(None))?;
    let columns = find::columns(&query, &resolved, &inputs, &rows).map_err(placed)?;
    let logical = find::plan(&query, &resolved, &rows, &columns).map_err(of_engine)?;
    let state = engine::state(catalog, &rows);
    Ok(Planned { query, resolved, rows, columns, logical, state })
}

async fn sources(request: &QueryRequest) -> Result<(Option<Arc<DbSource>>, Vec<Input>)> {
    let open = |at: &At| {
        let (database, snapshot) = (Arc::clone(&at.database), at.snapshot.clone());
        async move { DbSource::open(database, snapshot).await.map(Arc::new) }
    };
    let default = match &request.default {
        Some(at) => Some(open(at).await?),
        None => None,
    };
    let mut args = Vec::with_capacity(request.args.len());
    for arg in &request.args {
        args.push(match arg {
            Arg::Database(at) => Input::Database(open(at).await?),
            Arg::Value(node) => Input::Value(node.clone()),
            Arg::Table(rows) => Input::Table(Arc::new(SqlTable::new(Arc::clone(rows)))),
        });
    }
    Ok((default, args))
}

/// A value as an argument, from its text.
pub fn value(text: &str) -> Result<Arg> {
    read(text).map(Arg::Value).map_err(|e| {
        let mut error = Error::new(SqlState::SYNTAX, e.message);
        error.hint = e.hint;
        error
    })
}
