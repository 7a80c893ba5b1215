//! `GET /api/{db}/log?from=&to=&limit=&wait=`: transactions page by page, as events (see [`events`]), or as rows ([`log_rows`]).
//!
//! `from` is inclusive and `to` exclusive, as in Datomic's `tx-range`. A page says where the next one begins (`:next`), where
//! the database stands (`:basis-t`), and whether it is the last for now (`:end`). With `wait` (seconds) a page that would be
//! empty waits for what comes. A reader that asks for more than the next transaction has missed some, or read another
//! database: that is an error (409), never an empty page.

use super::call::{Call, respond};
use super::errors::{self, Refusal, Result};
use super::formats::{RowFormat, long, map, node, value};
use super::server::Server;
use super::{events, log_rows, report};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use daodb_catalog::{Database, Error, SqlState};
use daodb_datalog::edn::Form;
use daodb_storage::log::Transaction;
use daodb_storage::{FIRST_T, Value};
use futures::TryStreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const NAMES: [&str; 4] = ["from", "to", "limit", "wait"];
/// Transactions of a page that does not say how many, and of the largest.
const PAGE: i64 = 1000;
/// Datoms after which a page ends, whatever its limit.
const PAGE_DATOMS: usize = 100_000;
const MAX_WAIT: i64 = 60;
/// How often a reader that waits looks.
const LOOK: Duration = Duration::from_millis(50);

/// Which transactions are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub from: i64,
    /// Exclusive.
    pub to: Option<i64>,
    pub limit: usize,
    wait: Duration,
}

impl Wanted {
    fn of(call: &Call) -> Result<Wanted> {
        call.knows(&NAMES)?;
        let within = |name: &str, default: i64, most: i64| match call.number(name)? {
            None => Ok(default),
            Some(n) if (0..=most).contains(&n) => Ok(n),
            Some(n) => Err(errors::bad(format!("{name}={n}"), &format!("give 0 to {most}"))),
        };
        let limit = within("limit", PAGE, PAGE)?.max(1);
        Ok(Wanted {
            from: call.number("from")?.unwrap_or(FIRST_T).max(FIRST_T),
            to: call.number("to")?,
            limit: usize::try_from(limit).unwrap_or(1),
            wait: Duration::from_secs(within("wait", 0, MAX_WAIT)?.unsigned_abs()),
        })
    }

    /// The last transaction of a page that is there, at a snapshot of `newest`.
    fn last(&self, newest: i64) -> i64 {
        newest.min(self.to.map_or(i64::MAX, |to| to.saturating_sub(1)))
    }

    /// Whether no later transaction can be on it.
    fn is_over(&self) -> bool {
        self.to.is_some_and(|to| self.from >= to)
    }
}

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
    let mut wanted = Wanted::of(call)?;
    let seen = last_event(call)?;
    let database = server.catalog.database(name).await?;
    if call.accept.events() {
        // A browser that connects again says what it saw last.
        if let Some(t) = seen {
            wanted.from = t.saturating_add(1).max(FIRST_T);
        }
        check(&database, wanted.from)?;
        return events::stream(server, database, wanted, call);
    }
    check(&database, wanted.from)?;
    match call.accept.rows()? {
        RowFormat::Forms(_) => {}
        format => return log_rows::send(server, call, format, database, wanted).await,
    }
    if !wanted.wait.is_zero() && !wanted.is_over() {
        // Who waits runs no more.
        call.place = None;
        let _follower = follower(server)?;
        let until = Instant::now() + wanted.wait;
        tokio::select! {
            () = after(&database, wanted.from) => {}
            () = tokio::time::sleep_until(until) => {}
            () = server.stop.cancelled() => {}
        }
    }
    let newest = database.snapshot().newest().t;
    let page = page(&database, &wanted, newest).await?;
    let next = page.last().map_or(wanted.from, |tx| tx.header.t + 1);
    let end = next > wanted.last(newest);
    call.answer(map([
        ("from", long(wanted.from)),
        ("next", long(next)),
        ("basis-t", long(newest)),
        ("end", value(Value::Boolean(end))),
        ("transactions", node(Form::Vector(page.iter().map(report::transaction).collect()))),
    ]))
}

/// The t of the last event that a reader saw. One that is no t would begin at another place than the reader means.
fn last_event(call: &Call) -> Result<Option<i64>> {
    let Some(id) = call.headers.get("last-event-id") else { return Ok(None) };
    match id.to_str().ok().and_then(|id| id.parse().ok()) {
        Some(t) => Ok(Some(t)),
        None => Err(errors::bad(
            format!("Last-Event-ID: {} is no t", String::from_utf8_lossy(id.as_bytes())),
            "send the id of the last event that was read, or leave the header out",
        )),
    }
}

/// A place among those that wait for what is new.
pub fn follower(server: &Server) -> Result<tokio::sync::OwnedSemaphorePermit> {
    Arc::clone(&server.followers).try_acquire_owned().map_err(|_| {
        errors::busy(format!("{} readers follow logs already", server.limits.followers))
    })
}

/// Asking for more than the next transaction: a gap, and not the end.
pub fn check(database: &Database, from: i64) -> Result<()> {
    let newest = database.snapshot().newest().t;
    if from <= newest + 1 {
        return Ok(());
    }
    let text = format!(
        "the log of {} ends with transaction {newest}: {from} cannot come next",
        database.name()
    );
    let error = Error::new(SqlState::WRONG_STATE, text).hint(
        "this is no end but a gap: the reader knows another history (a database made anew, or an older backup), \
         or this server is behind; begin again from a t that is there",
    );
    Err(Box::new(Refusal::new(StatusCode::CONFLICT, error)))
}

/// Ends once the transaction is there.
pub async fn after(database: &Database, t: i64) {
    while database.snapshot().newest().t < t {
        sleep(LOOK).await;
    }
}

/// The transactions of a page, without a hole.
pub async fn page(database: &Database, wanted: &Wanted, newest: i64) -> Result<Vec<Transaction>> {
    let last = wanted.last(newest);
    let (mut page, mut datoms) = (Vec::new(), 0);
    if wanted.from > last {
        return Ok(page);
    }
    let mut log = database.stream().log().read_from(wanted.from);
    while let Some(transaction) = log.try_next().await? {
        if transaction.header.t > last {
            break;
        }
        datoms += transaction.datoms.len();
        let end = transaction.header.t == last;
        page.push(transaction);
        if end || page.len() >= wanted.limit || datoms >= PAGE_DATOMS {
            return Ok(page);
        }
    }
    let ends = page.last().map_or(wanted.from - 1, |tx: &Transaction| tx.header.t);
    let text = format!("the log ends with transaction {ends}, and {last} was written");
    Err(Error::new(SqlState::DATA_CORRUPTED, text)
        .hint("`daodb verify` says what is missing")
        .into())
}
