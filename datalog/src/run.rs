//! A query from its text to its answer, stage by stage.

use crate::answer::{Answer, of_engine};
use crate::cache::{Cache, CacheFigures, Compiled, Of, key};
use crate::edn::{Form, Node, read};
use crate::engine::Work;
use crate::lower::leaves::{self, optimized};
use crate::query::{Fault, Query, Shape, check, query as parse};
use crate::resolve::inputs::Arg as Input;
use crate::resolve::lookup::Found;
use crate::resolve::{self, Inputs, resolve};
use crate::source::{DbSource, Source};
use crate::sql::source::SqlTable;
use crate::{algebra, find};
use daodb_catalog::{Catalog, Database, Error, Result, SqlState};
use daodb_storage::{Snapshot, Value};
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::future::BoxFuture;
use std::borrow::Cow;
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

/// A query that is not run yet.
pub(crate) struct Planned {
    pub compiled: Arc<Compiled>,
    /// What it reads now.
    pub sources: Vec<Source>,
    pub timeout: Option<Duration>,
    pub state: Arc<SessionState>,
    pub took: Took,
}

/// Where the time went before the query ran.
#[derive(Debug, Default)]
pub(crate) struct Took {
    /// It was compiled before.
    pub kept: bool,
    /// Until the plan was there whose leaves are bound.
    pub compiling: Duration,
    /// The engine's plan of it.
    pub planning: Duration,
}

impl Planned {
    /// The engine's plan.
    pub async fn physical(&mut self) -> Result<Arc<dyn ExecutionPlan>> {
        let began = Instant::now();
        let physical = leaves::physical(
            &self.state,
            &self.compiled.logical,
            &self.compiled.filters,
            &self.sources,
        );
        let physical = physical.await.map_err(of_engine)?;
        self.took.planning = began.elapsed();
        Ok(physical)
    }

    /// Runs a plan of it.
    pub fn answer(&self, physical: Arc<dyn ExecutionPlan>, began: Instant) -> Result<Answer> {
        let stream = execute_stream(physical, self.state.task_ctx()).map_err(of_engine)?;
        Ok(Answer {
            columns: self.compiled.columns.clone(),
            shape: self.compiled.query.shape,
            keys: self.compiled.query.keys.clone(),
            warnings: self.compiled.resolved.warnings.clone(),
            sources: self.sources.clone(),
            stream,
            deadline: self.timeout.map(|limit| (began + limit, limit)),
        })
    }
}

/// Runs a query. Its rows are produced as they are asked for; it ends where the answer is dropped.
pub fn query(catalog: &Catalog, request: QueryRequest) -> BoxFuture<'_, Result<Answer>> {
    Box::pin(async move {
        let began = Instant::now();
        let mut planned = plan(catalog, &request).await?;
        let physical = planned.physical().await?;
        planned.answer(physical, began)
    })
}

/// How the cache of compiled queries has done since the catalog was opened.
pub fn cache_figures(catalog: &Catalog) -> CacheFigures {
    Cache::of(catalog).figures()
}

pub(crate) async fn plan(catalog: &Catalog, request: &QueryRequest) -> Result<Planned> {
    let began = Instant::now();
    let (default, args) = sources(request).await?;
    let (cache, key) = (Cache::of(catalog), key(request, default.as_deref(), &args));
    let known = key.as_ref().and_then(|key| cache.get(key));
    let query = match &known {
        Some(compiled) => Cow::Borrowed(&compiled.query),
        None => Cow::Owned(read_query(request)?),
    };
    let inputs = Inputs::take(&query, default, &args).map_err(|f| f.into_error(None))?;
    let found = Found::read(&query, &inputs).await?;
    let holds = known.as_ref().filter(|compiled| compiled.holds(&inputs, &found));
    let kept = holds.is_some();
    let compiled = match holds.cloned() {
        Some(compiled) => {
            cache.hit();
            compiled
        }
        None => {
            let compiled = compile(catalog, &cache, request, query.into_owned(), &inputs, found)?;
            let compiled = Arc::new(compiled);
            if let Some(key) = key {
                cache.missed();
                cache.keep(key, &compiled);
            }
            compiled
        }
    };
    Ok(Planned {
        sources: resolve::sources(&inputs, &compiled.resolved.histories),
        timeout: request.timeout.or(compiled.query.timeout),
        state: cache.state(catalog, compiled.work),
        took: Took { kept, compiling: began.elapsed(), ..Took::default() },
        compiled,
    })
}

fn placed(request: &QueryRequest) -> impl Fn(Fault) -> Error + '_ {
    |fault| fault.into_error(request.query.string())
}

fn read_query(request: &QueryRequest) -> Result<Query> {
    let mut query = parse(&request.query).map_err(placed(request))?;
    check::check(&query).map_err(placed(request))?;
    query.limit = request.limit.or(query.limit);
    query.offset = request.offset.unwrap_or(query.offset);
    if matches!(query.shape, Shape::Scalar | Shape::Tuple) {
        query.limit = Some(query.limit.unwrap_or(1).min(1));
    }
    Ok(query)
}

fn compile(
    catalog: &Catalog,
    cache: &Cache,
    request: &QueryRequest,
    query: Query,
    inputs: &Inputs,
    found: Found,
) -> Result<Compiled> {
    let mut resolved = resolve(&query, inputs, &found).map_err(placed(request))?;
    let mut planner = algebra::Planner::new(&resolved.sources, &resolved.program);
    let rows = planner
        .conjunction(&resolved.goals, None)
        .map_err(|stuck| stuck.into_fault().into_error(None))?;
    let columns = find::columns(&query, &resolved, inputs, &rows).map_err(placed(request))?;
    let logical = find::plan(&query, &resolved, &rows, &columns).map_err(of_engine)?;
    let work = Work::of(&rows, &resolved.sources);
    let state = cache.state(catalog, work);
    let logical = optimized(&state, &logical).map_err(of_engine)?;
    let of = inputs.sources.iter().map(Of::source).collect();
    // Snapshots are those of each request.
    resolved.sources.clear();
    let filters = leaves::Filters::default();
    Ok(Compiled { query, resolved, rows, work, columns, logical, filters, found, of })
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
