//! `POST /api/{db}/datoms`: datoms in the order of an index, `{:index :avet :components [:person/age]}`; with `:seek true`
//! from the components on; or the values of an attribute, `{:attrid :person/age :start 18 :end 65}`. Rows are
//! `[e a v t m added]`. `GET /api/{db}/tx-range?start=&end=`: all that transactions said, in their order.

use super::basis::{self, Times};
use super::call::{Call, Said, respond};
use super::errors::{self, Result};
use super::inputs::{Inputs, read_text};
use super::server::Server;
use super::stream::within;
use super::{found, sql};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_catalog::basis::Moment;
use daodb_datalog::access::{self, Index, Page};
use daodb_datalog::edn::{Form, Node};
use daodb_datalog::{Answer, At};
use daodb_storage::Value;
use std::sync::Arc;

const KEYS: [&str; 12] = [
    "index",
    "components",
    "seek",
    "attrid",
    "start",
    "end",
    "limit",
    "offset",
    "as-of",
    "since",
    "history",
    "timeout",
];
const RANGE: [&str; 4] = ["start", "end", "limit", "offset"];

pub async fn route(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let mut call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, answer(&server, &name, &mut call).await)
}

pub async fn tx_range(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let mut call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, ranged(&server, &name, &mut call).await)
}

async fn answer(server: &Arc<Server>, name: &str, call: &mut Call) -> Result<Response> {
    let format = call.accept.rows()?;
    call.knows(&basis::NAMES)?;
    let said = call.said(server, &KEYS).await?;
    let asked = Asked::of(&said)?;
    let deadline = sql::deadline(server, &said)?;
    let ran = async {
        let at = Inputs::new(server).of_path(name, call, Some(&said)).await?;
        Ok::<_, Box<errors::Refusal>>((asked.run(server, &at).await?, at.snapshot.t()))
    };
    let (answer, t) = within(deadline, ran).await?;
    found::send(server, call, format, (named(answer), t), deadline).await
}

/// `e` for `?e`: there is no query whose variables these are.
fn named(mut answer: Answer) -> Answer {
    for column in &mut answer.columns {
        column.name = column.name.trim_start_matches('?').to_owned();
    }
    answer
}

enum What {
    Components(Index, Vec<Node>),
    From(Index, Vec<Node>),
    Values { attribute: Node, start: Option<Node>, end: Option<Node> },
}

struct Asked {
    what: What,
    page: Page,
}

impl Asked {
    fn of(said: &Said) -> Result<Asked> {
        let page = Page {
            limit: count(said.number("limit", 0)?),
            offset: count(said.number("offset", 0)?),
        };
        let what = match said.get("attrid") {
            Some(attribute) => {
                none_of(said, &["index", "components", "seek"])?;
                let end = |name| said.get(name).cloned();
                let (attribute, start) = (read_text(attribute), end("start"));
                What::Values { attribute, start, end: end("end") }
            }
            None => {
                none_of(said, &["start", "end"])?;
                let index = index(said)?;
                let components = components(said)?;
                match seek(said)? {
                    true => What::From(index, components),
                    false => What::Components(index, components),
                }
            }
        };
        Ok(Asked { what, page })
    }

    async fn run(self, server: &Server, at: &At) -> Result<Answer> {
        let (catalog, page) = (&server.catalog, self.page);
        Ok(match &self.what {
            What::Components(index, components) => {
                access::datoms(catalog, at, *index, components, page).await?
            }
            What::From(index, components) => {
                access::seek_datoms(catalog, at, *index, components, page).await?
            }
            What::Values { attribute, start, end } => {
                let (start, end) = (start.as_ref(), end.as_ref());
                access::index_range(catalog, at, attribute, start, end, page).await?
            }
        })
    }
}

/// Keys that say nothing beside others would be passed over.
fn none_of(said: &Said, names: &[&str]) -> Result<()> {
    let Some((name, node)) = names.iter().find_map(|n| said.get(n).map(|node| (n, node))) else {
        return Ok(());
    };
    let hint = "an index has :index, :components and :seek; a range has :attrid, :start and :end";
    let message = format!(":{name} does not go with the other keys");
    Err(errors::bad_at(node, &said.text, message, hint))
}

fn index(said: &Said) -> Result<Index> {
    let example = "as {:index :aevt :components [:person/name]}";
    let node = said.get("index").ok_or_else(|| said.missing("index", example))?;
    let name = node.keyword().or(node.string());
    name.and_then(Index::parse)
        .ok_or_else(|| said.wrong(node, "index", ":eavt, :aevt, :avet or :vaet"))
}

fn components(said: &Said) -> Result<Vec<Node>> {
    match said.get("components").map(|node| (node, node.sequence())) {
        None => Ok(Vec::new()),
        Some((_, Some(all))) => Ok(all.to_vec()),
        Some((node, None)) => Err(said.wrong(node, "components", "a vector")),
    }
}

fn seek(said: &Said) -> Result<bool> {
    match said.get("seek").map(|node| (node, &node.form)) {
        None => Ok(false),
        Some((_, Form::Value(Value::Boolean(seek)))) => Ok(*seek),
        Some((node, _)) => Err(said.wrong(node, "seek", "true or false")),
    }
}

fn count(n: Option<i64>) -> Option<usize> {
    n.map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

async fn ranged(server: &Arc<Server>, name: &str, call: &mut Call) -> Result<Response> {
    let format = call.accept.rows()?;
    call.knows(&RANGE)?;
    let whole = |name: &str| match call.number(name)? {
        Some(n) if n < 0 => Err(errors::bad(format!("{name}={n}"), "give a number from 0 on")),
        n => Ok(count(n)),
    };
    let page = Page { limit: whole("limit")?, offset: whole("offset")? };
    let deadline = sql::after(server.limits.statement_timeout);
    let ran = async {
        let database = server.catalog.database(name).await?;
        let newest = database.snapshot();
        let view = Times::default().resolve(&database, &newest).await?;
        let at = At { snapshot: view.of(&newest), database };
        let start = bound(call, "start", &at).await?;
        let end = bound(call, "end", &at).await?;
        let answer = access::tx_range(&server.catalog, &at, start, end, page).await?;
        Ok::<_, Box<errors::Refusal>>((answer, at.snapshot.t()))
    };
    let (answer, t) = within(deadline, ran).await?;
    found::send(server, call, format, (named(answer), t), deadline).await
}

/// A t; or the first one that is not before an instant.
async fn bound(call: &Call, name: &str, at: &At) -> Result<Option<i64>> {
    let Some(text) = call.parameter(name) else { return Ok(None) };
    match Moment::parse(text)? {
        Moment::T(t) => Ok(Some(t)),
        Moment::Instant(us) => {
            let before = Moment::Instant(us.saturating_sub(1));
            Ok(Some(before.resolve(&at.snapshot, at.database.now()).await? + 1))
        }
    }
}
