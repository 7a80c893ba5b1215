//! Ctrl-C and SIGTERM: the first asks the command to finish, a second Ctrl-C ends the process at once.

use std::io::IsTerminal;
use tokio_util::sync::CancellationToken;

/// What a shell reports of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// The token is cancelled by the first signal.
pub fn watch() -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        signal().await;
        if std::io::stderr().is_terminal() {
            eprintln!("\nfinishing; Ctrl-C again ends at once");
        }
        token.cancel();
        signal().await;
        std::process::exit(INTERRUPTED);
    });
    stop
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    match (interrupt, terminate) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        (Err(e), _) | (_, Err(e)) => {
            tracing::warn!("signals are not watched: {e}");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    if let Err(e) = tokio::signal::ctrl_c().await {
        tracing::warn!("Ctrl-C is not watched: {e}");
        std::future::pending::<()>().await;
    }
}
