//! `POST /api/{db}/transact`: `{:tx-data [...]}`, durable when it is answered; refused whole, or done whole.
//!
//! What must be true after it stands under `:conditions`. Who writes (`:author`), from where (User-Agent) and why (`:reason`) is said of the transaction's entity. A call with the key
//! of an earlier one (`Idempotency-Key`, or `:idempotency-key`) is answered as that one was, and writes nothing.

use super::call::{Call, Said, respond};
use super::errors::{self, Refusal, Result};
use super::report;
use super::server::Server;
use crate::provenance::{self, AUTHOR, KEY, REASON, TX_CLIENT};
use axum::extract::{Path, Request, State};
use axum::http::header::USER_AGENT;
use axum::response::Response;
use daodb_catalog::{Error, SqlState, Transaction};
use daodb_datalog::condition::{self, CONDITIONS};
use daodb_datalog::edn::{EdnError, Span};
use daodb_datalog::tx_data;
use std::sync::Arc;

const KEYS: [&str; 5] = ["tx-data", CONDITIONS, AUTHOR, REASON, KEY];
const KEY_HEADER: &str = "idempotency-key";

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
    let mut transaction = transaction(server, call, &said)?;
    transaction.key = key(call, transaction.key)?;
    let database = server.catalog.database(name).await?;
    let report = database.transact(transaction).await.map_err(|e| at_op(e, &said))?;
    call.answer(report::report(database.name(), &report))
}

/// What is to be done, and who says so; its key is that of the body.
pub fn transaction(server: &Server, call: &Call, said: &Said) -> Result<Transaction> {
    let example = "as {:tx-data [[:db/add \"new\" :person/name \"Ada\"]]}";
    let data = said.get("tx-data").ok_or_else(|| said.missing("tx-data", example))?;
    let ops = tx_data::read(data)
        .map_err(|e| refused(SqlState::SYNTAX, e.message, e.hint, e.span, said))?;
    let wrong =
        |e: EdnError| refused(SqlState::INVALID_PARAMETER_VALUE, e.message, e.hint, e.span, said);
    let mut transaction = Transaction { ops, ..provenance::said_in(&said.map).map_err(wrong)? };
    if let Some(conditions) = said.get(CONDITIONS) {
        let read = condition::read(conditions, &server.catalog);
        transaction.conditions =
            read.map_err(|e| refused(SqlState::SYNTAX, e.message, e.hint, e.span, said))?;
    }
    let agent = call.headers.get(USER_AGENT);
    let agent = agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
    if !provenance::tells(&transaction.ops, TX_CLIENT) {
        transaction.provenance.client = agent.as_deref().and_then(provenance::client);
    }
    Ok(transaction)
}

fn refused(
    state: SqlState,
    message: String,
    hint: Option<String>,
    span: Span,
    said: &Said,
) -> Box<Refusal> {
    let mut error = Error::new(state, message);
    error.hint = hint;
    let place = Some(errors::place(span, &said.text));
    Box::new(Refusal { place, ..Refusal::from(error) })
}

/// The key of the call, by header or body. One that cannot be read must not be as if there were none: what is sent again would
/// be done again.
fn key(call: &Call, own: Option<Arc<str>>) -> Result<Option<Arc<str>>> {
    let hint = "as Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324, once";
    let mut given = call.headers.get_all(KEY_HEADER).iter();
    let Some(value) = given.next() else { return Ok(own) };
    if given.next().is_some() || own.is_some() {
        return Err(errors::bad("the idempotency key is given more than once", hint));
    }
    let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
        return Err(errors::bad("the header Idempotency-Key is no UTF-8", hint));
    };
    // Some clients write it in quotes, as the draft of the header has it.
    let text = text.trim();
    let plain = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    match provenance::fits(plain) {
        Ok(key) => Ok(Some(key)),
        Err(why) => Err(errors::bad(format!("the header Idempotency-Key {why}"), hint)),
    }
}

/// With the place of the op that is at fault.
pub fn at_op(e: Error, said: &Said) -> Box<Refusal> {
    let forms = said.get("tx-data").and_then(|data| data.sequence());
    let form = e.op.and_then(|op| forms?.get(op as usize));
    let place = form.map(|form| errors::place(form.span, &said.text));
    let mut refusal: Box<Refusal> = e.into();
    refusal.place = place;
    refusal
}
