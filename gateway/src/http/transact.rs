//! `POST /api/{db}/transact`: `{:tx-data [...]}`, durable when it is answered; refused whole, or done whole.

use super::call::{Call, Said, respond};
use super::errors::{self, Refusal, Result};
use super::report;
use super::server::Server;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_catalog::{Error, Op, SqlState};
use daodb_datalog::tx_data;
use std::sync::Arc;

const KEYS: [&str; 1] = ["tx-data"];

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
    let said = call.said(server, &KEYS).await?;
    let ops = ops(&said)?;
    let database = server.catalog.database(name).await?;
    let report = database.transact(ops).await.map_err(|e| at_op(e, &said))?;
    call.answer(report::report(database.name(), &report))
}

/// The ops of `:tx-data`.
pub fn ops(said: &Said) -> Result<Vec<Op>> {
    let example = "as {:tx-data [[:db/add \"new\" :person/name \"Ada\"]]}";
    let data = said.get("tx-data").ok_or_else(|| said.missing("tx-data", example))?;
    tx_data::read(data).map_err(|e| {
        let mut error = Error::new(SqlState::SYNTAX, e.message);
        error.hint = e.hint;
        let mut refusal = Refusal::from(error);
        refusal.place = Some(errors::place(e.span, &said.text));
        Box::new(refusal)
    })
}

/// With the place of the op that is at fault.
pub fn at_op(e: Error, said: &Said) -> Box<Refusal> {
    let forms = said.get("tx-data").and_then(|data| data.sequence());
    let form = e.op.and_then(|op| forms?.get(op));
    let place = form.map(|form| errors::place(form.span, &said.text));
    let mut refusal: Box<Refusal> = e.into();
    refusal.place = place;
    refusal
}
