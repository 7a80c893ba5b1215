//! Databases in memory that are written in EDN, and queries asked of them.

use daodb_catalog::database::CatalogOptions;
use daodb_catalog::session::{Extension, SessionInfo};
use daodb_catalog::{Catalog, Database, Error, Result, TxReport};
use daodb_datalog::edn::{Form, Node, read};
use daodb_datalog::query::Shape;
use daodb_datalog::sql::source;
use daodb_datalog::{Arg, At, QueryRequest, tx_data};
use daodb_storage::{Snapshot, StreamOptions, Value};
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 2026-01-01T00:00:00Z
pub const EPOCH: i64 = 1_767_225_600_000_000;

/// A database in memory.
pub struct World {
    pub catalog: Arc<Catalog>,
    pub database: Arc<Database>,
}

/// A clock that goes a second further at each look: every run has the same instants.
pub fn options(tail_datoms: usize, memory_bytes: usize) -> CatalogOptions {
    let at = AtomicI64::new(EPOCH);
    let clock = Arc::new(move || at.fetch_add(1_000_000, Ordering::Relaxed));
    let stream = StreamOptions::new(tail_datoms, 1 << 20, Arc::new(|| EPOCH));
    CatalogOptions { clock, ..CatalogOptions::new(stream, memory_bytes) }
}

impl World {
    pub async fn new(tail_datoms: usize) -> World {
        World::with_memory(tail_datoms, 256 << 20).await
    }

    /// `memory`: what all queries together may take, in bytes.
    pub async fn with_memory(tail_datoms: usize, memory: usize) -> World {
        let catalog = Catalog::open_memory(options(tail_datoms, memory)).await.unwrap();
        daodb_datalog::condition::speak(&catalog);
        let database = catalog.create("test").await.unwrap();
        World { catalog, database }
    }

    pub async fn transact(&self, transaction: &Node) -> Result<TxReport> {
        let ops = tx_data::read(transaction).unwrap_or_else(|e| panic!("{transaction}: {e}"));
        self.database.transact(ops).await
    }

    /// `{:as-of 1001 :since 1000 :history true}`; each may be left out.
    pub fn at(&self, how: Option<&Node>) -> At {
        let database = Arc::clone(&self.database);
        At { snapshot: view(self.database.snapshot(), how), database }
    }

    /// The default source is `on`; an argument `#db {:as-of 1001}` is another one.
    pub fn request(&self, query: &Node, on: Option<&Node>, args: &[Node]) -> QueryRequest {
        let mut request = QueryRequest::new(query.clone());
        request.default = Some(self.at(on));
        request.args = args
            .iter()
            .map(|arg| match &arg.form {
                Form::Tagged(tag, how) if tag.as_ref() == "db" => Arg::Database(self.at(Some(how))),
                _ => Arg::Value(arg.clone()),
            })
            .collect();
        request
    }

    /// The same, where arguments may be rows of SQL too, which a session of the default source reads.
    pub async fn request_with_sql(
        &self,
        query: &Node,
        on: Option<&Node>,
        args: &[Node],
    ) -> Result<QueryRequest> {
        let mut request = self.request(query, on, args);
        let at = self.at(on);
        for (arg, node) in request.args.iter_mut().zip(args) {
            if source::is_sql(node) {
                let catalog = Arc::clone(&self.catalog);
                let session = source::session(catalog, &at, "test", Arc::new(Plain)).await?;
                *arg = source::argument(&session, node).await?;
            }
        }
        Ok(request)
    }

    pub async fn ask(&self, request: QueryRequest) -> Result<(Shape, Form)> {
        let answer = daodb_datalog::query(&self.catalog, request).await?;
        Ok((answer.shape, answer.form().await?))
    }
}

/// A front end without relations of its own.
pub struct Plain;

impl Extension for Plain {
    fn open(&self, _: &SessionContext) -> Result<()> {
        Ok(())
    }
    fn rewrite(&self, _: &mut Statement, _: &SessionInfo) -> Result<()> {
        Ok(())
    }
    fn relation(
        &self,
        _: &str,
        _: &str,
        _: &SessionInfo,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(None)
    }
    fn relations(&self, _: &str) -> Vec<String> {
        vec![]
    }
    fn bind(&self, _: &SessionContext, _: &SessionInfo) -> Result<()> {
        Ok(())
    }
}

fn view(mut snapshot: Snapshot, how: Option<&Node>) -> Snapshot {
    let t = |key| how.and_then(|h| h.get(key)).map(long);
    if let Some(t) = t(":as-of") {
        snapshot = snapshot.as_of(t);
    }
    if let Some(t) = t(":since") {
        snapshot = snapshot.since(t);
    }
    match how.and_then(|h| h.get(":history")) {
        Some(yes) if yes.form == Form::Value(Value::Boolean(true)) => snapshot.history(),
        _ => snapshot,
    }
}

pub fn long(node: &Node) -> i64 {
    match node.form {
        Form::Value(Value::Long(n)) => n,
        _ => panic!("{node} is no number"),
    }
}

pub fn parse(text: &str) -> Node {
    read(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// What was wrong, in one line.
pub fn told(e: &Error) -> String {
    format!("{} {e}", e.state.as_str())
}

/// Rows in the order of their text, where the query has none.
pub fn settled(query: &Node, shape: Shape, form: Form) -> Form {
    let many = matches!(shape, Shape::Relation | Shape::Collection);
    match form {
        Form::Vector(mut rows) if many && !query.to_string().contains(":order-by") => {
            rows.sort_by_cached_key(Node::to_string);
            Form::Vector(rows)
        }
        form => form,
    }
}
