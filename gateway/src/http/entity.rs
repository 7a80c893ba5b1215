//! `GET /api/{db}/entity/{id}`: all that is said of one entity. `id` is a number, a look-up ref `[:person/email "a@b"]` or an
//! ident `:color/red`, as EDN, and as URLs have it (`%5B` for a bracket).

use super::basis;
use super::call::{Call, respond};
use super::errors::{self, Result};
use super::formats::{long, map, node};
use super::inputs::Inputs;
use super::server::Server;
use super::sql;
use super::stream::within;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use daodb_datalog::access;
use daodb_datalog::edn::{Form, read};
use std::sync::Arc;

pub async fn route(
    State(server): State<Arc<Server>>,
    Path((name, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, answer(&server, &name, &id, &call).await)
}

async fn answer(server: &Server, name: &str, id: &str, call: &Call) -> Result<Response> {
    call.accept.forms()?;
    call.knows(&basis::NAMES)?;
    let hint = "give an id (4294967296), a look-up ref ([:person/email \"a@b\"]) or an ident";
    let entity = read(id).map_err(|e| errors::bad(format!("{id}: {}", e.message), hint))?;
    let deadline = sql::after(server.limits.statement_timeout);
    let look = async {
        let at = Inputs::new(server).of_path(name, call, None).await?;
        let found = access::entity(&at, &entity).await?;
        Ok::<_, Box<errors::Refusal>>((found, at.snapshot.t()))
    };
    match within(deadline, look).await? {
        (Form::Nil, t) => {
            let text = format!("nothing is said of {entity} at t {t}");
            Err(errors::missing(text, "history=true finds what was said before"))
        }
        (found, t) => call.answer(map([("t", long(t)), ("result", node(found))])),
    }
}
