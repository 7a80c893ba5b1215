//! A statement can be stopped while it is planned and while it produces rows: by the client, by its time limit, by the end
//! of the server, or because nobody is there to read the answer.

use super::cancel::Running;
use super::connection::shutdown;
use super::errors::{self, Failure, Result};
use super::server::Server;
use super::wire::Reader;
use daodb_catalog::Session;
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
    reader.gone().await;
    sleep(HALF_CLOSED).await;
}

/// The session's `statement_timeout`; None: no limit.
pub fn statement_timeout(session: &Session) -> Option<Duration> {
    let limit = duration(&session.setting("statement_timeout")?)?;
    (!limit.is_zero()).then_some(limit)
}

/// `1500`, `30s`, `5min`: without a unit milliseconds, as Postgres reads it.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * millis / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text, millis| {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        };
        check("0", 0);
        check("1500", 1500);
        check("100ms", 100);
        check("30s", 30_000);
        check("1.5 min", 90_000);
        check("2h", 7_200_000);
        check("1d", 86_400_000);
        assert_eq!(duration("soon"), None);
        assert_eq!(duration("-1"), None);
    }
}
