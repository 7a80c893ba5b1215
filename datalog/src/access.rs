//! Reading without a query: entities by what names them, pulls of many, datoms in the order of an index, ranges of values and
//! of transactions. Each is answered at the basis and view of its [`At`].

use crate::answer::Answer;
use crate::edn::{Form, Node, read};
use crate::find::Shows;
use crate::pull;
use crate::query::Fault;
use crate::resolve::Inputs;
use crate::resolve::lookup::Found;
use crate::run::{Arg, At, QueryRequest, query};
use crate::source::{DbSource, Source};
use crate::value::{Cell, node, of_form};
use daodb_catalog::{Catalog, Error, Result, SqlState};
use daodb_storage::{Attr, Value, ValueType};
use futures::future::BoxFuture;
use std::sync::Arc;

/// The order of datoms, and so the meaning of the components that are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    Eavt,
    Aevt,
    Avet,
    /// References only.
    Vaet,
}

impl Index {
    /// `:eavt`, with or without its colon, in any case.
    pub fn parse(name: &str) -> Option<Index> {
        match name.trim_start_matches(':').to_ascii_lowercase().as_str() {
            "eavt" => Some(Index::Eavt),
            "aevt" => Some(Index::Aevt),
            "avet" => Some(Index::Avet),
            "vaet" => Some(Index::Vaet),
            _ => None,
        }
    }

    fn order(self) -> [&'static str; 4] {
        match self {
            Index::Eavt => ["?e", "?a", "?v", "?t"],
            Index::Aevt => ["?a", "?e", "?v", "?t"],
            Index::Avet => ["?a", "?v", "?e", "?t"],
            Index::Vaet => ["?v", "?a", "?e", "?t"],
        }
    }
}

/// How much of an ordered answer is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page {
    pub limit: Option<usize>,
    pub offset: Option<usize>,
}

async fn open(at: &At) -> Result<Arc<DbSource>> {
    DbSource::open(Arc::clone(&at.database), at.snapshot.clone()).await.map(Arc::new)
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// The entities that ids, idents and lookup refs name, in the same order.
async fn entities(db: &Arc<DbSource>, names: &[Node]) -> Result<Vec<Option<i64>>> {
    let cells: Vec<Cell> =
        names.iter().map(|n| of_form(n).map_err(refused)).collect::<Result<_>>()?;
    let inputs = Inputs { sources: vec![Source::Database(Arc::clone(db))], ..Inputs::default() };
    let found = Found::of_cells(&cells, &inputs).await?;
    Ok(cells.iter().map(|c| found.entity(&inputs, 0, c)).collect())
}

/// The entity that an id, an ident or a lookup ref names.
pub fn entid<'a>(at: &'a At, name: &'a Node) -> BoxFuture<'a, Result<Option<i64>>> {
    Box::pin(async move {
        let db = open(at).await?;
        Ok(entities(&db, std::slice::from_ref(name)).await?.pop().flatten())
    })
}

/// The ident of an entity.
pub fn ident(at: &At, e: i64) -> BoxFuture<'_, Result<Option<Attr>>> {
    Box::pin(async move { Ok(open(at).await?.schema.ident_of(e).cloned()) })
}

/// What a pattern says of each of these entities (ids, idents, lookup refs): a map, or nil where it says nothing or nothing
/// has that name.
pub fn pull_many<'a>(
    at: &'a At,
    pattern: &'a Node,
    names: &'a [Node],
) -> BoxFuture<'a, Result<Vec<Form>>> {
    Box::pin(async move {
        let pattern = pull::parse(pattern).map_err(|f: Fault| f.into_error(pattern.string()))?;
        let db = open(at).await?;
        let named = entities(&db, names).await?;
        let known: Vec<i64> = named.iter().flatten().copied().collect();
        let mut maps = pull::pull(&db, &pattern, &known).await?.into_iter();
        let of = |e: Option<i64>| e.and_then(|_| maps.next()).unwrap_or(Form::Nil);
        Ok(named.into_iter().map(of).collect())
    })
}

/// All of one entity: its components whole, other references by id. nil where it has no datom.
pub fn entity<'a>(at: &'a At, name: &'a Node) -> BoxFuture<'a, Result<Form>> {
    Box::pin(async move {
        let all = node(Form::Value(Value::string("[*]")));
        let mut found = pull_many(at, &all, std::slice::from_ref(name)).await?;
        Ok(match found.pop() {
            // A wildcard names what has no datom, too.
            Some(Form::Map(said)) if said.len() > 1 => Form::Map(said),
            _ => Form::Nil,
        })
    })
}

/// A query over datoms, built clause by clause.
struct Datoms {
    inputs: Vec<String>,
    args: Vec<Node>,
    clauses: Vec<String>,
}

impl Datoms {
    fn new() -> Datoms {
        let clauses = vec!["[?e ?a ?v ?t ?m ?added]".to_owned()];
        Datoms { inputs: vec![], args: vec![], clauses }
    }

    fn bind(&mut self, name: &str, arg: Node) {
        self.inputs.push(name.to_owned());
        self.args.push(arg);
    }

    /// Rows `[e a v t m added]`; attributes are shown by their names.
    async fn ask(self, catalog: &Catalog, at: At, order: &[&str], page: Page) -> Result<Answer> {
        let text = format!(
            "[:find ?e ?a ?v ?t ?m ?added :in $ {} :where {} :order-by {} ?added]",
            self.inputs.join(" "),
            self.clauses.join(" "),
            order.join(" ")
        );
        let query_node = read(&text)
            .map_err(|e| Error::new(SqlState::INTERNAL, format!("{}: {text}", e.message)))?;
        let mut request = QueryRequest::new(query_node);
        request.args = self.args.into_iter().map(Arg::Value).collect();
        request.default = Some(at);
        (request.limit, request.offset) = (page.limit, page.offset);
        let mut answer = query(catalog, request).await?;
        if let Some(a) = answer.columns.get_mut(1) {
            a.shows = Shows::Ident { source: 0 };
        }
        Ok(answer)
    }
}

/// The datoms that have these components, the first ones of the index's order: rows `[e a v t m added]` in that order.
pub fn datoms<'a>(
    catalog: &'a Catalog,
    at: &'a At,
    index: Index,
    components: &'a [Node],
    page: Page,
) -> BoxFuture<'a, Result<Answer>> {
    Box::pin(async move {
        let order = index.order();
        if components.len() > order.len() {
            return Err(refused(format!("an index has at most {} components", order.len())));
        }
        let db = open(at).await?;
        let mut datoms = Datoms::new();
        for (name, component) in order.iter().zip(components) {
            // An id stands for what names it: ids are what the datoms have.
            let id = match (*name, index) {
                ("?e", _) | ("?v", Index::Vaet) => {
                    entities(&db, std::slice::from_ref(component)).await?.pop().flatten()
                }
                ("?a", _) => attribute(&db, component),
                _ => None,
            };
            let id = id.map(|e| node(Form::Value(Value::Long(e))));
            datoms.bind(name, id.unwrap_or_else(|| component.clone()));
        }
        let with_attribute = order.iter().take(components.len()).any(|c| *c == "?a");
        if index == Index::Vaet && !with_attribute {
            only_references(&mut datoms, &db);
        }
        if index == Index::Avet && components.is_empty() {
            return Err(refused(":avet needs an attribute").hint("[:person/name]"));
        }
        datoms.ask(catalog, at.clone(), &order, page).await
    })
}

fn only_references(datoms: &mut Datoms, db: &DbSource) {
    let is_reference = |a: &&Attr| db.types(a).contains(&ValueType::Ref);
    let names = db.stats().keys().filter(is_reference);
    let names = names.map(|a| node(Form::Value(Value::keyword(a.as_str()))));
    datoms.bind("[?a ...]", node(Form::Vector(names.collect())));
}

/// The datoms from these components on, in the order of an index.
pub fn seek_datoms<'a>(
    catalog: &'a Catalog,
    at: &'a At,
    index: Index,
    components: &'a [Node],
    page: Page,
) -> BoxFuture<'a, Result<Answer>> {
    Box::pin(async move {
        let order = index.order();
        let db = open(at).await?;
        let mut datoms = Datoms::new();
        if index == Index::Vaet {
            only_references(&mut datoms, &db);
        }
        // The first component that differs is greater, or none differs.
        let mut branches: Vec<String> = Vec::new();
        let (mut equal, mut all) = (String::new(), String::new());
        for (i, (name, component)) in order.iter().zip(components).enumerate() {
            let component = match *name {
                "?e" => id(entities(&db, std::slice::from_ref(component)).await?[0], component)?,
                "?a" => id(attribute(&db, component), component)?,
                _ => component.clone(),
            };
            let from = format!("?from{i}");
            datoms.bind(&from, component);
            let last = i + 1 == components.len().min(order.len());
            let operator = if last { ">=" } else { ">" };
            branches.push(format!("{equal} [({operator} {name} {from})]"));
            equal.push_str(&format!("[(= {name} {from})] "));
            // Every branch of an `or` speaks of the same variables.
            all.push_str(&format!("[(some? {name})] [(some? {from})] "));
        }
        if !branches.is_empty() {
            let branches: Vec<String> =
                branches.iter().map(|branch| format!("(and {all} {branch})")).collect();
            datoms.clauses.push(format!("(or {})", branches.join(" ")));
        }
        datoms.ask(catalog, at.clone(), &order, page).await
    })
}

fn attribute(db: &DbSource, name: &Node) -> Option<i64> {
    match &name.form {
        Form::Value(Value::Keyword(k)) => db.schema.entity_of(&Attr::new(k)),
        Form::Value(Value::Long(e)) => Some(*e),
        _ => None,
    }
}

fn id(found: Option<i64>, name: &Node) -> Result<Node> {
    match found {
        Some(e) => Ok(node(Form::Value(Value::Long(e)))),
        None => Err(refused(format!("{name} names nothing")).hint("give an id, an ident or [a v]")),
    }
}

/// The datoms of an attribute whose values are from `start` on and before `end`, in the order of their values.
pub fn index_range<'a>(
    catalog: &'a Catalog,
    at: &'a At,
    attribute: &'a Node,
    start: Option<&'a Node>,
    end: Option<&'a Node>,
    page: Page,
) -> BoxFuture<'a, Result<Answer>> {
    Box::pin(async move {
        let mut datoms = Datoms::new();
        datoms.bind("?a", attribute.clone());
        let ends = [(start, "?start", "[(<= ?start ?v)]"), (end, "?end", "[(< ?v ?end)]")];
        for (value, name, clause) in ends {
            if let Some(value) = value {
                datoms.bind(name, value.clone());
                datoms.clauses.push(clause.to_owned());
            }
        }
        datoms.ask(catalog, at.clone(), &Index::Avet.order(), page).await
    })
}

/// All datoms of the transactions from `start` on and before `end`, each a t, in the order of their transactions.
pub fn tx_range<'a>(
    catalog: &'a Catalog,
    at: &'a At,
    start: Option<i64>,
    end: Option<i64>,
    page: Page,
) -> BoxFuture<'a, Result<Answer>> {
    Box::pin(async move {
        let at = At { snapshot: at.snapshot.history(), database: Arc::clone(&at.database) };
        let mut datoms = Datoms::new();
        let ends = [(start, "?start", "[(<= ?start ?t)]"), (end, "?end", "[(< ?t ?end)]")];
        for (t, name, clause) in ends {
            if let Some(t) = t {
                datoms.bind(name, node(Form::Value(Value::Long(t))));
                datoms.clauses.push(clause.to_owned());
            }
        }
        datoms.ask(catalog, at, &["?t", "?e", "?a", "?v"], page).await
    })
}
