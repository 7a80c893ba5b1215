//! Queries that a transaction must leave with an answer: those that a call brings along, and those that entity specs have
//! (`:db.entity/query`).
//!
//! A query holds when it finds something: a relation or a collection that is not empty; a tuple; a scalar that is neither `nil`
//! nor `false`, as Clojure has it. So `[:find (count ?x) . ...]` of nothing does not hold (there is no row to count), and what must
//! not be is asked for as what must: `(not ...)`, or a comparison of an aggregate.

use crate::edn::{EdnError, Form, Node};
use crate::query::{Shape, check, query as parse};
use crate::run::{Arg, QueryRequest, query};
use daodb_catalog::{Catalog, Condition, Database, Error, Language, Result, SqlState};
use daodb_storage::Value;
use futures::future::BoxFuture;
use std::sync::{Arc, Weak};

/// The key beside `:tx-data` under which a call has them.
pub const CONDITIONS: &str = "conditions";
const EXAMPLE: &str = "as [[:find ?e . :where [?e :stock/left 0]]], or [{:name \"in stock\" :query \"[:find ...]\" :args [...]}]";
const KEYS: [&str; 3] = ["name", "query", "args"];

struct Asked {
    /// Not the catalog itself: its databases have specs that hold this.
    catalog: Weak<Catalog>,
    name: String,
    query: Node,
    args: Vec<Node>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "condition {}: {}", self.name, self.query)
    }
}

impl Condition for Asked {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn holds(&self, after: Arc<Database>) -> BoxFuture<'static, Result<bool>> {
        let (catalog, snapshot) = (self.catalog.upgrade(), after.snapshot());
        let mut request = QueryRequest::new(self.query.clone()).of(&after, &snapshot);
        request.args = self.args.iter().cloned().map(Arg::Value).collect();
        Box::pin(async move {
            let closed = || Error::new(SqlState::SHUTTING_DOWN, "the server is closing");
            let catalog = catalog.ok_or_else(closed)?;
            holds(&catalog, request).await
        })
    }
}

async fn holds(catalog: &Catalog, request: QueryRequest) -> Result<bool> {
    let mut answer = query(catalog, request).await?;
    while let Some(rows) = answer.rows().await? {
        let Some(first) = rows.first() else { continue };
        let nothing = |form: &Form| matches!(form, Form::Nil | Form::Value(Value::Boolean(false)));
        return Ok(answer.shape != Shape::Scalar || !first.first().is_none_or(nothing));
    }
    Ok(false)
}

/// What stands under `:conditions`: a list of queries, each alone or as `{:query Q :name "..." :args [...]}`. One that cannot be a
/// query is refused here, with its place.
pub fn read(node: &Node, catalog: &Arc<Catalog>) -> Result<Vec<Arc<dyn Condition>>, EdnError> {
    let all = node.sequence().ok_or_else(|| {
        let message = format!("the value of :{CONDITIONS} is {}, not a vector", node.kind());
        EdnError::new(message, node.span, Some(EXAMPLE))
    })?;
    let condition = |(i, node): (usize, &Node)| {
        let asked = one(i, node, Arc::downgrade(catalog))?;
        Ok(Arc::new(asked) as Arc<dyn Condition>)
    };
    all.iter().enumerate().map(condition).collect()
}

fn one(i: usize, node: &Node, catalog: Weak<Catalog>) -> Result<Asked, EdnError> {
    let (mut name, mut args, mut query) = ((i + 1).to_string(), Vec::new(), node);
    if let (Form::Map(pairs), Some(given)) = (&node.form, node.field("query")) {
        let known = |k: &Node| k.name().is_some_and(|name| KEYS.contains(&name));
        if let Some((key, _)) = pairs.iter().find(|(key, _)| !known(key)) {
            let hint = "a condition has :query, :name and :args";
            return Err(EdnError::new(format!("unknown key {key}"), key.span, Some(hint)));
        }
        query = given;
        if let Some(given) = node.field("name").filter(|n| n.form != Form::Nil) {
            name = given.string().or(given.keyword()).map(str::to_owned).ok_or_else(|| {
                let message = format!("the :name of a condition is {}", given.kind());
                EdnError::new(message, given.span, Some("give a text or a keyword"))
            })?;
        }
        if let Some(given) = node.field("args").filter(|n| n.form != Form::Nil) {
            let message = format!("the :args of a condition are {}", given.kind());
            let wrong = || EdnError::new(message, given.span, Some("give a vector of values"));
            args = given.sequence().ok_or_else(wrong)?.to_vec();
        }
    }
    let read = parse(query).and_then(|read| check::check(&read).map(|_| ()));
    read.map_err(|fault| {
        // Of a text the places are its own.
        let span = if query.string().is_some() { query.span } else { fault.span };
        let message = format!("condition {name}: {}", fault.message);
        EdnError::new(message, span, Some(fault.hint.as_deref().unwrap_or(EXAMPLE)))
    })?;
    Ok(Asked { catalog, name, query: query.clone(), args })
}

struct Datalog(Weak<Catalog>);

impl Language for Datalog {
    fn condition(&self, name: String, query: &str, e: i64) -> Arc<dyn Condition> {
        let node = |v: Value| Node { form: Form::Value(v), span: Default::default() };
        let (query, args) = (node(Value::string(query)), vec![node(Value::Long(e))]);
        Arc::new(Asked { catalog: Weak::clone(&self.0), name, query, args })
    }
}

/// From now on a catalog's databases ask the queries of entity specs, whose `:in` is `$ ?e`.
pub fn speak(catalog: &Arc<Catalog>) {
    catalog.speak(Arc::new(Datalog(Arc::downgrade(catalog))));
}
