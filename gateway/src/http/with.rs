//! `POST /api/{db}/with`: what `{:tx-data [...]}` would do, checked as a transaction is, and written nowhere. With `:sql` a
//! statement reads the database that would be; without, the answer is the report that `/transact` would give.

use super::call::{Call, Said, respond};
use super::errors::Result;
use super::server::Server;
use super::stream::within;
use super::{basis, report, sql, transact};
use crate::provenance::{AUTHOR, REASON};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_catalog::{Transaction, TxReport};
use std::sync::Arc;

const KEYS: [&str; 9] =
    ["tx-data", AUTHOR, REASON, "sql", "args", "as-of", "since", "history", "timeout"];

pub async fn route(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let mut call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, answer(&server, &name, &mut call).await)
}

async fn answer(server: &Arc<Server>, name: &str, call: &mut Call) -> Result<Response> {
    let format = call.accept.rows()?;
    call.knows(&basis::NAMES)?;
    let said = call.said(server, &KEYS).await?;
    let transaction = transact::transaction(call, &said)?;
    let deadline = sql::deadline(server, &said)?;
    match within(deadline, imagined(server, name, transaction, call, &said)).await? {
        (report, None) => call.answer(report::report(name, &report)),
        (_, Some(ran)) => sql::send(server, call, format, ran, deadline).await,
    }
}

/// What the transaction would do, and what the statement, if there is one, reads then.
async fn imagined(
    server: &Server,
    name: &str,
    transaction: Transaction,
    call: &Call,
    said: &Said,
) -> Result<(TxReport, Option<sql::Ran>)> {
    let database = server.catalog.database(name).await?;
    let snapshot = database.snapshot();
    let report = database.with(&snapshot, transaction).await;
    let report = report.map_err(|e| transact::at_op(e, said))?;
    if said.get("sql").is_none() {
        return Ok((report, None));
    }
    let imagined = database.imagine(report.db_after.clone()).await?;
    let ran = sql::run(server, imagined, call, said).await?;
    Ok((report, Some(ran)))
}
