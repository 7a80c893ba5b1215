//! `GET /api/{db}/info`: what a database holds, in figures.

use super::call::{Call, respond};
use super::errors::Result;
use super::formats::{long, map, node, text};
use super::report;
use super::server::Server;
use crate::about::About;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_datalog::edn::{Form, Node};
use std::sync::Arc;

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
    call.knows(&[])?;
    let about = About::of(&server.catalog, name).await?;
    let count = |n: u64| long(i64::try_from(n).unwrap_or(i64::MAX));
    let none = || node(Form::Nil);
    let or_none = |said: Option<Node>| said.unwrap_or_else(none);
    call.answer(map([
        ("db-name", text(&about.database)),
        ("t", or_none(about.t.map(long))),
        ("instant", or_none(about.instant.map(report::instant))),
        ("transactions", long(about.transactions)),
        ("facts", count(about.facts)),
        ("hold-now", count(about.open)),
        ("attributes", count(about.attributes as u64)),
        ("tables", count(about.tables as u64)),
        ("log-objects", count(about.log_objects)),
        ("segments", count(about.segments)),
        ("bytes", count(about.bytes)),
    ]))
}
