//! `POST /api/{db}/query`: a query of Datalog, `{:query [:find ...] :args [...]}`. `$` is the database of the path at the
//! request's moment, and is none of `:args`. `POST /api/{db}/explain`: what becomes of it, stage by stage; with `:analyze true`
//! it is run, and each operator tells what it gave.

use super::accept::{Content, content};
use super::call::{Call, Said, respond};
use super::errors::{self, Refusal, Result};
use super::formats::{Format, long, map, text};
use super::inputs::Inputs;
use super::server::Server;
use super::stream::within;
use super::{basis, found, sql};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_catalog::Error;
use daodb_datalog::edn::{Form, Node, Span};
use daodb_datalog::{Answer, QueryRequest};
use daodb_storage::Value;
use std::sync::Arc;

const KEYS: [&str; 8] =
    ["query", "args", "limit", "offset", "as-of", "since", "history", "timeout"];
/// Those of /explain.
const EXPLAIN_KEYS: [&str; 9] =
    ["query", "args", "limit", "offset", "as-of", "since", "history", "timeout", "analyze"];

pub async fn route(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let mut call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, answer(&server, &name, &mut call).await)
}

pub async fn explain(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, explained(&server, &name, &call).await)
}

async fn answer(server: &Arc<Server>, name: &str, call: &mut Call) -> Result<Response> {
    let format = call.accept.rows()?;
    call.knows(&basis::NAMES)?;
    let said = call.said(server, &KEYS).await?;
    let deadline = sql::deadline(server, &said)?;
    let ran = within(deadline, run(server, Inputs::new(server), name, call, &said)).await?;
    found::send(server, call, format, ran, deadline).await
}

/// Asks what a body says, and tells at which t.
pub async fn run(
    server: &Server,
    inputs: Inputs<'_>,
    name: &str,
    call: &Call,
    said: &Said,
) -> Result<(Answer, i64)> {
    let asked = Asked::of(inputs, name, call, said).await?;
    let answer = daodb_datalog::query(&server.catalog, asked.request).await;
    Ok((answer.map_err(|e| asked.place.refused(e, said))?, asked.t))
}

async fn explained(server: &Server, name: &str, call: &Call) -> Result<Response> {
    call.accept.forms()?;
    call.knows(&basis::NAMES)?;
    let said = call.said(server, &EXPLAIN_KEYS).await?;
    let analyze = match said.get("analyze").map(|node| (node, &node.form)) {
        None => false,
        Some((_, Form::Value(Value::Boolean(on)))) => *on,
        Some((node, _)) => return Err(said.wrong(node, "analyze", "true or false")),
    };
    let ran = async {
        let asked = Asked::of(Inputs::new(server), name, call, &said).await?;
        let stages = match analyze {
            true => daodb_datalog::analyze(&server.catalog, asked.request).await,
            false => daodb_datalog::explain(&server.catalog, asked.request).await,
        };
        Ok::<_, Box<Refusal>>((stages.map_err(|e| asked.place.refused(e, &said))?, asked.t))
    };
    let (stages, t) = within(sql::deadline(server, &said)?, ran).await?;
    call.answer(map([("t", long(t)), ("explain", text(stages))]))
}

/// A query that was read, and at which t its database is.
struct Asked {
    request: QueryRequest,
    t: i64,
    place: Place,
}

/// Where the query's text stands.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// It is this form of the body.
    Body(Node),
    /// It is a text of its own, or its places are not known.
    Own,
}

impl Asked {
    async fn of(mut inputs: Inputs<'_>, name: &str, call: &Call, said: &Said) -> Result<Asked> {
        let example = "as {:query [:find ?name :where [_ :person/name ?name]]}";
        let node = said.get("query").ok_or_else(|| said.missing("query", example))?;
        let (query, place) = query(node, said, call)?;
        let at = inputs.of_path(name, call, Some(said)).await?;
        let mut request = QueryRequest::new(query);
        request.args = inputs.args(said, &at).await?;
        let count = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        request.limit = said.number("limit", 0)?.map(count);
        request.offset = said.number("offset", 0)?.map(count);
        let t = at.snapshot.t();
        request.default = Some(at);
        Ok(Asked { request, t, place })
    }
}

/// In EDN the text of a query is handed on, so that what is wrong with it is told by its place.
fn query(node: &Node, said: &Said, call: &Call) -> Result<(Node, Place)> {
    let edn = content(&call.headers)? == Content::Forms(Format::Edn);
    match (&node.form, said.text.get(node.span.start..node.span.end)) {
        (Form::Map(_) | Form::Vector(_) | Form::List(_), Some(words)) if edn => {
            Ok((text(words), Place::Body(node.clone())))
        }
        _ => Ok((node.clone(), Place::Own)),
    }
}

impl Place {
    /// The error of a query, with its place in the body.
    fn refused(&self, mut e: Error, said: &Said) -> Box<Refusal> {
        let span = match self {
            Place::Body(query) => e.position.take().and_then(|p| span(query, &said.text, p)),
            Place::Own => None,
        };
        let mut refusal: Box<Refusal> = e.into();
        refusal.place = span.map(|span| errors::place(span, &said.text));
        refusal
    }
}

/// The form of a query that begins at a character of its text, from 1.
fn span(query: &Node, body: &str, position: usize) -> Option<Span> {
    let words = body.get(query.span.start..query.span.end)?;
    let (at, c) = words.char_indices().nth(position.checked_sub(1)?)?;
    let start = query.span.start + at;
    let end = start + c.len_utf8();
    Some(beginning_at(query, start).map_or(Span { start, end }, |form| form.span))
}

fn beginning_at(node: &Node, start: usize) -> Option<&Node> {
    if node.span.start == start {
        return Some(node);
    }
    let within = |nodes: &'_ [Node]| -> Option<usize> {
        nodes.iter().position(|n| n.span.start <= start && start < n.span.end)
    };
    match &node.form {
        Form::List(nodes) | Form::Vector(nodes) | Form::Set(nodes) => {
            beginning_at(nodes.get(within(nodes)?)?, start)
        }
        Form::Map(pairs) => {
            pairs.iter().find_map(|(k, v)| beginning_at(k, start).or(beginning_at(v, start)))
        }
        Form::Tagged(_, node) => beginning_at(node, start),
        Form::Nil | Form::Value(_) | Form::Char(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_in_the_body() {
        let body = "{:query [:find ?ä :where (f ?ä)] :limit 1}";
        let map = daodb_datalog::edn::read(body).unwrap();
        let query = map.get(":query").unwrap();
        let at = |position| span(query, body, position).and_then(|s| body.get(s.start..s.end));
        assert_eq!(at(1), Some("[:find ?ä :where (f ?ä)]"));
        assert_eq!(at(8), Some("?ä"));
        assert_eq!(at(18), Some("(f ?ä)"));
        assert_eq!(at(19), Some("f"));
        assert_eq!(at(7), Some(" "));
        assert_eq!(at(0), None);
        assert_eq!(at(500), None);
    }
}
