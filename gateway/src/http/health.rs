//! `GET /health`: the process answers. `GET /ready`: it answers requests, of every database.

use super::call::{Call, respond};
use super::errors::{self, Refusal, Result};
use super::formats::{map, node, text};
use super::server::Server;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::Form;
use std::sync::Arc;
use std::time::Duration;

/// What opens more slowly is not ready yet.
const PATIENCE: Duration = Duration::from_secs(2);

pub async fn alive(request: Request) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, call.answer(map([("status", text("ok"))])))
}

pub async fn ready(State(server): State<Arc<Server>>, request: Request) -> Response {
    let call = Call::new(request);
    let format = call.accept.forms_or_default();
    respond(format, state(&server, &call).await)
}

async fn state(server: &Server, call: &Call) -> Result<Response> {
    if server.stop.is_cancelled() {
        return Err(errors::stopping());
    }
    let names = server.catalog.names();
    let open = async {
        for name in &names {
            server.catalog.database(name).await?;
        }
        Ok::<_, Error>(())
    };
    match tokio::time::timeout(PATIENCE, open).await {
        Ok(Ok(())) => {
            let names = node(Form::Vector(names.iter().map(text).collect()));
            call.answer(map([("status", text("ready")), ("databases", names)]))
        }
        Ok(Err(e)) => Err(Box::new(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, e))),
        Err(_) => {
            let state = SqlState::Code("57P03");
            let error = Error::new(state, "the databases are being opened").hint("ask again");
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error);
            Err(Box::new(refusal.retry_after(1)))
        }
    }
}
