//! `POST /api/{db}/sql`: one statement, `{:sql "SELECT ..." :args [...]}` or its text as `application/sql`.
//!
//! It reads one snapshot, that of its basis, and the answer says which (`:t`). It changes nothing: SQLSTATE 25006 says so.

use super::call::{Call, Said, respond};
use super::errors::Result;
use super::formats::{ARROW, CSV, Head, RowFormat, Rows, long, map, text};
use super::server::Server;
use super::stream::{self, Pieces, Running, Written, within};
use super::{args, basis};
use crate::pg::{self, Producer};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use daodb_catalog::session::Statement;
use daodb_catalog::{Database, Error, Outcome, Session, SqlState};
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const KEYS: [&str; 6] = ["sql", "args", "as-of", "since", "history", "timeout"];
/// The user of sessions, until there is authentication.
pub const USER: &str = "http";

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
    let deadline = deadline(server, &said)?;
    let ran = async {
        let database = server.catalog.database(name).await?;
        run(server, database, call, &said).await
    };
    let ran = within(deadline, ran).await?;
    send(server, call, format, ran, deadline).await
}

/// What a statement gives, as of which t, and the session that must live as long.
pub type Ran = (Session, Outcome, i64);

pub async fn send(
    server: &Arc<Server>,
    call: &mut Call,
    format: RowFormat,
    (session, outcome, t): Ran,
    deadline: Option<Instant>,
) -> Result<Response> {
    let (schema, rows) = match outcome {
        Outcome::Rows { schema, stream, .. } => (schema, stream),
        Outcome::Command { tag } => {
            return call.answer(map([("t", long(t)), ("tag", text(tag))]));
        }
        Outcome::CopyOut { .. } => {
            let text = "COPY ... TO STDOUT is what psql speaks";
            let error = Error::new(SqlState::FEATURE_NOT_SUPPORTED, text);
            return Err(error.hint("SELECT, and Accept: text/csv").into());
        }
    };
    let out = Rows::new(format, &schema, pg::style(&session), Head { t })?;
    let pieces = Box::new(Statements { out, producer: Producer::start(rows), session });
    let running = Running { pieces, deadline, _place: call.place.take() };
    let body = stream::rows(server, running).await?;
    Ok(with_type(body, format))
}

/// The rows of a statement.
struct Statements {
    out: Rows,
    producer: Producer,
    session: Session,
}

impl Pieces for Statements {
    fn head(&mut self) -> Bytes {
        self.out.head()
    }

    fn next(&mut self) -> BoxFuture<'_, std::result::Result<Option<Written>, Error>> {
        Box::pin(async move {
            let next = self.producer.next().await.map_err(|e| *e);
            if next.is_err() {
                self.session.fail();
            }
            let Some(batch) = next? else { return Ok(None) };
            Ok(Some(Written { bytes: self.out.batch(&batch)?, rows: batch.num_rows() }))
        })
    }

    fn end(&mut self) -> std::result::Result<Bytes, Error> {
        self.out.end()
    }

    fn failed(&mut self, error: &Node) -> Option<Bytes> {
        self.out.failed(error)
    }
}

pub fn with_type(body: Body, format: RowFormat) -> Response {
    let media_type = match format {
        RowFormat::Forms(format) => format.media_type(),
        RowFormat::Csv => CSV,
        RowFormat::Arrow => ARROW,
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// The server's limit, or a shorter one of the request: `:timeout` in milliseconds.
pub fn deadline(server: &Server, said: &Said) -> Result<Option<Instant>> {
    let own = match said.get("timeout").map(|node| (node, &node.form)) {
        None => None,
        Some((_, Form::Value(Value::Long(ms @ 1..)))) => {
            Some(Duration::from_millis(ms.unsigned_abs()))
        }
        Some((node, _)) => return Err(said.wrong(node, "timeout", "milliseconds, from 1 on")),
    };
    Ok(after([own, server.limits.statement_timeout].into_iter().flatten().min()))
}

/// When a time that begins now is over.
pub fn after(limit: Option<Duration>) -> Option<Instant> {
    // One that no clock reaches is none.
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

/// Runs the statement of a request on a database.
pub async fn run(
    server: &Server,
    database: Arc<Database>,
    call: &Call,
    said: &Said,
) -> Result<Ran> {
    let hint = "as {:sql \"SELECT 1\"}, or the text itself as application/sql";
    let sql = said.text("sql")?.ok_or_else(|| said.missing("sql", hint))?;
    let times = basis::Times::of(call, Some(said))?;
    let view = times.resolve(&database, &database.snapshot()).await?;
    let (catalog, extension) = (Arc::clone(&server.catalog), Arc::clone(&server.extension));
    let mut session = Session::open_on(catalog, database, USER, view.settings(), extension).await?;
    let statement = one(session.parse(sql)?)?;
    let params = args::bind(&session, &statement, said).await?;
    let outcome = session.execute(&statement, &params).await?;
    Ok((session, outcome, view.t))
}

fn one(mut statements: Vec<Statement>) -> Result<Statement> {
    let found = statements.len();
    match (statements.pop(), found) {
        (Some(statement), 1) => Ok(statement),
        _ => {
            let text = format!("a request runs one statement, and here are {found}");
            Err(Error::new(SqlState::SYNTAX, text).hint("send each in a request of its own").into())
        }
    }
}
