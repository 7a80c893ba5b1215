//! `GET /api/{db}/verify`: reads all that lies in the store of a database, and says what is wrong with it.

use super::call::{Call, respond};
use super::errors::{self, Result};
use super::formats::{long, map, node, text, value};
use super::server::Server;
use crate::verified::{Fault, Verified};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use daodb_storage::verify::VerifyOptions;
use std::sync::Arc;
use std::time::Instant;

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
    call.knows(&["deep"])?;
    let deep = match call.parameter("deep") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(errors::bad(format!("deep={other}"), "true or false")),
    };
    let start = Instant::now();
    let report = server.catalog.verify(name, VerifyOptions { deep }).await?;
    call.answer(form(&Verified::new(report, start.elapsed().as_secs_f64())))
}

fn form(verified: &Verified) -> Node {
    let count = |n: u64| long(i64::try_from(n).unwrap_or(i64::MAX));
    let vector = |all: Vec<Node>| node(Form::Vector(all));
    let fault = |fault: &Fault| {
        map([
            ("object", text(&fault.object)),
            ("what", text(&fault.what)),
            ("reach", text(&fault.reach)),
        ])
    };
    let none = || node(Form::Nil);
    let (t, hash) = match &verified.head {
        Some((t, hash)) => (long(*t), text(hash)),
        None => (none(), none()),
    };
    map([
        ("db-name", text(&verified.database)),
        ("faults", vector(verified.faults.iter().map(fault).collect())),
        ("more-faults", count(verified.more_faults)),
        ("notes", vector(verified.notes.iter().map(text).collect())),
        ("transactions", count(verified.transactions)),
        ("datoms", count(verified.datoms)),
        ("log-objects", count(verified.log_objects)),
        ("segments", count(verified.segments)),
        ("bytes", count(verified.bytes)),
        ("t", t),
        ("hash", hash),
        ("compared", value(Value::Boolean(verified.compared))),
        ("seconds", value(Value::Double(verified.seconds))),
    ])
}
