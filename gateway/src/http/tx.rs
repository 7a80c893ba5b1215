//! `GET /api/{db}/basis`: where a database stands. `GET /api/{db}/tx/{t}`: one transaction, as the log has it.

use super::basis::Times;
use super::call::{Call, respond};
use super::errors::{self, Result};
use super::formats::{long, map, node, text};
use super::report;
use super::server::Server;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_catalog::Database;
use daodb_datalog::edn::Form;
use daodb_storage::FIRST_T;
use daodb_storage::log::Transaction;
use futures::StreamExt;
use std::sync::Arc;

pub async fn basis(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, basis_of(&server, &name, &call).await)
}

/// The newest transaction; with `as-of` the one that a query as of then sees.
async fn basis_of(server: &Server, name: &str, call: &Call) -> Result<Response> {
    call.knows(&["as-of"])?;
    let database = server.catalog.database(name).await?;
    let snapshot = database.snapshot();
    let view = Times::of(call, None)?.resolve(&database, &snapshot).await?;
    let newest = snapshot.newest();
    let said = match view.t {
        t if t < FIRST_T => None,
        t if t == newest.t => Some((newest.instant, newest.hash)),
        t => {
            let header = transaction(&database, t).await?.header;
            Some((header.instant, header.hash))
        }
    };
    let (instant, hash) = match said {
        Some((instant, hash)) => (report::instant(instant), report::hash(&hash)),
        None => (node(Form::Nil), node(Form::Nil)),
    };
    call.answer(map([
        ("db-name", text(database.name())),
        ("t", long(view.t)),
        ("next-t", long(view.t + 1)),
        ("instant", instant),
        ("hash", hash),
    ]))
}

pub async fn route(
    State(server): State<Arc<Server>>,
    Path((name, t)): Path<(String, String)>,
    request: Request,
) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, one(&server, &name, &t, &call).await)
}

async fn one(server: &Server, name: &str, t: &str, call: &Call) -> Result<Response> {
    call.knows(&[])?;
    let wrong = |_| errors::bad(format!("\"{t}\" is no transaction"), "give its t, as 1042");
    let t: i64 = t.parse().map_err(wrong)?;
    let database = server.catalog.database(name).await?;
    let newest = database.snapshot().newest().t;
    if !(FIRST_T..=newest).contains(&t) {
        let hint = match newest {
            newest if newest < FIRST_T => "there is none yet".to_owned(),
            newest => format!("there are {FIRST_T} to {newest}"),
        };
        return Err(errors::missing(format!("there is no transaction {t}"), &hint));
    }
    call.answer(report::transaction(&transaction(&database, t).await?))
}

/// A transaction that is there.
async fn transaction(database: &Database, t: i64) -> Result<Transaction> {
    match database.stream().log().read_from(t).next().await {
        Some(transaction) => Ok(transaction?),
        None => {
            Err(errors::missing(format!("transaction {t} is not in the log"), "see daodb verify"))
        }
    }
}
