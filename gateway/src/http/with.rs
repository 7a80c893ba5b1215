//! `POST /api/{db}/with`: what `{:tx-data [...]}` would do, checked as a transaction is, and written nowhere. With `:sql` a
//! statement, with `:query` a query of Datalog reads the database that would be; without, the answer is the report that
//! `/transact` would give.

use super::call::{Call, Said, respond};
use super::errors::{self, Result};
use super::inputs::Inputs;
use super::server::Server;
use super::stream::within;
use super::{basis, found, query, report, sql, transact};
use crate::provenance::{AUTHOR, REASON};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_catalog::{Transaction, TxReport};
use daodb_datalog::Answer;
use daodb_datalog::condition::CONDITIONS;
use std::sync::Arc;

const KEYS: [&str; 13] = [
    "tx-data", CONDITIONS, AUTHOR, REASON, "sql", "query", "args", "limit", "offset", "as-of",
    "since", "history", "timeout",
];

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
    reads_or_says_no_more(call, &said)?;
    let transaction = transact::transaction(server, call, &said)?;
    let deadline = sql::deadline(server, &said)?;
    match within(deadline, imagined(server, name, transaction, call, &said)).await? {
        Seen::Report(report) => call.answer(report::report(name, &report)),
        Seen::Sql(ran) => sql::send(server, call, format, *ran, deadline).await,
        Seen::Datalog(ran) => found::send(server, call, format, ran, deadline).await,
    }
}

/// Without a statement or a query nothing is read: what says how to would be passed over.
fn reads_or_says_no_more(call: &Call, said: &Said) -> Result<()> {
    if said.get("sql").is_some() || said.get("query").is_some() {
        return Ok(());
    }
    let given = |name: &&str| said.get(name).is_some() || call.parameter(name).is_some();
    match ["as-of", "since", "history", "args", "limit", "offset"].iter().find(|n| given(n)) {
        None => Ok(()),
        Some(name) => Err(errors::bad(
            format!("{name} says what a statement or a query reads, and there is none"),
            "give :sql or :query, or leave it out",
        )),
    }
}

/// What is seen of it.
enum Seen {
    Report(Box<TxReport>),
    Sql(Box<sql::Ran>),
    Datalog((Answer, i64)),
}

/// What the transaction would do, or what the statement or the query, if there is one, reads then.
async fn imagined(
    server: &Server,
    name: &str,
    transaction: Transaction,
    call: &Call,
    said: &Said,
) -> Result<Seen> {
    let database = server.catalog.database(name).await?;
    let snapshot = database.snapshot();
    let report = database.with(&snapshot, transaction).await;
    let report = report.map_err(|e| transact::at_op(e, said))?;
    match (said.get("sql"), said.get("query")) {
        (None, None) => Ok(Seen::Report(Box::new(report))),
        (Some(_), Some(query)) => {
            let message = ":sql and :query are both there";
            Err(errors::bad_at(query, &said.text, message, "leave one of them out"))
        }
        (Some(_), None) => {
            let imagined = database.imagine(report.db_after.clone()).await?;
            Ok(Seen::Sql(Box::new(sql::run(server, imagined, call, said).await?)))
        }
        (None, Some(_)) => {
            let imagined = database.imagine(report.db_after.clone()).await?;
            let inputs = Inputs::new(server).imagined(imagined);
            Ok(Seen::Datalog(query::run(server, inputs, name, call, said).await?))
        }
    }
}
