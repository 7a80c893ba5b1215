//! `POST /api/{db}/pull`: what a pattern says of an entity, `{:selector [...] :eid e}`, or of several, `:eids [e ...]`. An
//! entity is an id, a look-up ref or an ident; what nothing is said of is nil.

use super::call::{Call, Said, respond};
use super::errors::Result;
use super::formats::{long, map, node};
use super::inputs::{Inputs, read_text};
use super::server::Server;
use super::stream::within;
use super::{basis, errors, sql};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_catalog::{Error, SqlState};
use daodb_datalog::access::pull_many;
use daodb_datalog::edn::{Form, Node};
use std::sync::Arc;

const KEYS: [&str; 7] = ["selector", "eid", "eids", "as-of", "since", "history", "timeout"];
/// Their answer is one form, made whole before it is sent.
const ENTITIES: usize = 10_000;

pub async fn route(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, answer(&server, &name, &call).await)
}

async fn answer(server: &Server, name: &str, call: &Call) -> Result<Response> {
    call.accept.forms()?;
    call.knows(&basis::NAMES)?;
    let said = call.said(server, &KEYS).await?;
    let example = "as {:selector [*] :eid [:person/email \"a@b\"]}";
    let selector = said.get("selector").ok_or_else(|| said.missing("selector", example))?;
    let (names, one) = names(&said, example)?;
    let read = async {
        let at = Inputs::new(server).of_path(name, call, Some(&said)).await?;
        let pulled = pull_many(&at, selector, &names).await.map_err(|e| {
            let of_selector = e.state == SqlState::SYNTAX;
            let mut refusal: Box<errors::Refusal> = e.into();
            refusal.place = of_selector.then(|| errors::place(selector.span, &said.text));
            refusal
        })?;
        Ok::<_, Box<errors::Refusal>>((pulled, at.snapshot.t()))
    };
    let (pulled, t) = within(sql::deadline(server, &said)?, read).await?;
    let mut forms = pulled.into_iter().map(node);
    let result = match one {
        true => forms.next().unwrap_or_else(|| node(Form::Nil)),
        false => node(Form::Vector(forms.collect())),
    };
    call.answer(map([("t", long(t)), ("result", result)]))
}

/// Whom it is about, and whether it is one.
fn names(said: &Said, example: &str) -> Result<(Vec<Node>, bool)> {
    match (said.get("eid"), said.get("eids")) {
        (Some(one), None) => Ok((vec![read_text(one)], true)),
        (None, Some(several)) => {
            let all = several.sequence();
            let all = all.ok_or_else(|| said.wrong(several, "eids", "a vector of entities"))?;
            if all.len() > ENTITIES {
                let text = format!("{} entities are more than {ENTITIES}", all.len());
                let error = Error::new(SqlState::Code("54000"), text);
                return Err(error.hint("pull them in parts, or by a query's (pull ...)").into());
            }
            Ok((all.iter().map(read_text).collect(), false))
        }
        (Some(_), Some(again)) => {
            let message = ":eid and :eids are both there";
            Err(errors::bad_at(again, &said.text, message, "leave one of them out"))
        }
        (None, None) => Err(said.missing("eid", example)),
    }
}
