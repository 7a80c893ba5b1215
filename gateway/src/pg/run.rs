//! A statement can be stopped while it is planned and while it produces rows: by the client, by its time limit, by the end
//! of the server, or because nobody is there to read the answer.

use super::cancel::Running;
use super::connection::shutdown;
use super::errors::{self, Failure, Result};
use super::server::Server;
use super::wire::Reader;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::sleep;

/// A client that closed may only have closed its sending half (`printf ... | nc`): it gets as long to read the rest.
const HALF_CLOSED: Duration = Duration::from_secs(5);

/// Runs `work`, which may be dropped wherever it waits. A panic in it is the statement's error.
pub async fn stoppable<T>(
    reader: &mut Reader,
    running: &Running,
    server: &Server,
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let cancelled = running.begin();
    let ended = tokio::select! {
        biased;
        () = cancelled.cancelled() => {
            Err(errors::error("57014", "canceling statement due to user request").into())
        }
        () = after(limit) => {
            Err(errors::error("57014", "canceling statement due to statement timeout").into())
        }
        () = server.abort.cancelled() => Err(Failure::Fatal(shutdown())),
        worked = AssertUnwindSafe(work).catch_unwind() => {
            worked.unwrap_or_else(|payload| Err(errors::panicked(payload.as_ref()).into()))
        }
        () = left(reader) => Err(Failure::Lost(std::io::ErrorKind::ConnectionAborted.into())),
    };
    running.end();
    ended
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

async fn left(reader: &mut Reader) {
    if reader.gone().await.is_ok() {
        sleep(HALF_CLOSED).await;
    }
}
