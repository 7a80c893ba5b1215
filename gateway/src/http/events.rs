//! The log as server-sent events: `id` is the t, `data` the transaction. The stream goes on with what comes, until the client
//! leaves, `to` is reached, or the server stops; a client that connects again sends `Last-Event-ID` and misses nothing.
//!
//! An error is an event of its own (`event: error`), after which the stream ends.

use super::call::Call;
use super::errors::{self, Result};
use super::formats::{Format, map};
use super::log::{self, Wanted};
use super::report;
use super::server::Server;
use super::stream::{Gone, Sender, channel};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use daodb_catalog::Database;
use daodb_datalog::edn::Node;
use std::sync::Arc;
use std::time::Duration;

/// A line now and then, so that what stands between keeps the connection.
const ALIVE: Duration = Duration::from_secs(15);
/// Transactions that are read at once.
const PAGE: usize = 64;

pub fn stream(
    server: &Arc<Server>,
    database: Arc<Database>,
    mut wanted: Wanted,
    call: &mut Call,
) -> Result<Response> {
    // Who follows runs no request.
    call.place = None;
    let follower = log::follower(server)?;
    let (sender, body) = channel();
    let server = Arc::clone(server);
    tokio::spawn(async move {
        wanted.limit = PAGE;
        tokio::select! {
            _ = follow(&sender, &database, wanted) => {}
            () = sender.gone() => {}
            // What a reader has is whole: it goes on where another server does.
            () = server.stop.cancelled() => {
                let _ = sender.whole().await;
            }
        }
        drop(follower);
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn follow(
    sender: &Sender,
    database: &Database,
    mut wanted: Wanted,
) -> std::result::Result<(), Gone> {
    // At once, so that the client knows that it is connected.
    sender.send(Bytes::from_static(b": following\n\n")).await?;
    while wanted.to.is_none_or(|to| wanted.from < to) {
        tokio::select! {
            () = log::after(database, wanted.from) => {}
            () = tokio::time::sleep(ALIVE) => {
                sender.send(Bytes::from_static(b": alive\n\n")).await?;
                continue;
            }
        }
        let newest = database.snapshot().newest().t;
        match log::page(database, &wanted, newest).await {
            Ok(page) => {
                for transaction in &page {
                    let t = transaction.header.t;
                    let id = format!("id: {t}\n");
                    let data = event("transaction", &id, report::transaction(transaction));
                    sender.send(data).await?;
                    wanted.from = t + 1;
                }
            }
            Err(refusal) => {
                let said = errors::form(&refusal.error, None);
                sender.send(event("error", "", map([("error", said)]))).await?;
                break;
            }
        }
    }
    sender.whole().await
}

/// JSON is on one line.
fn event(kind: &str, id: &str, data: Node) -> Bytes {
    format!("{id}event: {kind}\ndata: {}\n", Format::Json.body(data)).into()
}
