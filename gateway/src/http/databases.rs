//! `GET /api`: the databases. `POST /api` makes one, `DELETE /api/{db}` puts one away: nothing of it is deleted.

use super::call::{Call, respond};
use super::errors::Result;
use super::formats::{map, node, text, value};
use super::report;
use super::server::Server;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use daodb_datalog::edn::Form;
use daodb_storage::Value;
use std::sync::Arc;

pub async fn list(State(server): State<Arc<Server>>, request: Request) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    let answer = || {
        call.knows(&[])?;
        let names = server.catalog.names().iter().map(text).collect();
        call.answer(map([("databases", node(Form::Vector(names)))]))
    };
    respond(format, answer())
}

pub async fn create(State(server): State<Arc<Server>>, request: Request) -> Response {
    let mut call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, made(&server, &mut call).await)
}

async fn made(server: &Server, call: &mut Call) -> Result<Response> {
    call.accept.forms()?;
    call.knows(&[])?;
    let said = call.said(server, &["db-name"]).await?;
    let hint = "as {:db-name \"music\"}";
    let name = said.text("db-name")?.ok_or_else(|| said.missing("db-name", hint))?;
    let database = server.catalog.create(name).await?;
    let t = database.snapshot().t();
    call.answer_with(StatusCode::CREATED, report::database(database.name(), t))
}

pub async fn archive(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, archived(&server, &name, &call).await)
}

async fn archived(server: &Server, name: &str, call: &Call) -> Result<Response> {
    call.accept.forms()?;
    call.knows(&[])?;
    server.catalog.archive(name).await?;
    call.answer(map([("db-name", text(name)), ("archived", value(Value::Boolean(true)))]))
}
