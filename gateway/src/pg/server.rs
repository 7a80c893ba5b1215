//! Accepts connections, within limits, until it is told to stop; then lets running statements end.

use super::cancel::Registry;
use super::catalog::PgCatalog;
use super::connection;
use daodb_catalog::session::Extension;
use daodb_catalog::{Catalog, Result};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What a server allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For sessions that set none of their own; None: statements may run as long as they like.
    pub statement_timeout: Option<Duration>,
    /// Sessions at a time. As many sockets again may be busy starting or cancelling.
    pub connections: usize,
    /// From the first byte to the open session.
    pub startup: Duration,
    /// What running statements get to end after the server was told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement_timeout: None,
            connections: 500,
            startup: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// What all connections share.
pub struct Server {
    pub catalog: Arc<Catalog>,
    pub extension: Arc<dyn Extension>,
    pub registry: Arc<Registry>,
    pub limits: Limits,
    /// Take no more statements.
    pub stop: CancellationToken,
    /// Give up running ones too.
    pub abort: CancellationToken,
}

/// Serves the catalog's databases until `stop`, within the usual [`Limits`].
pub fn serve(
    listener: TcpListener,
    catalog: Arc<Catalog>,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move { serve_within(listener, catalog, Limits::default(), stop).await })
}

/// Serves the catalog's databases until `stop`; then lets running statements end, and returns.
pub fn serve_within(
    listener: TcpListener,
    catalog: Arc<Catalog>,
    limits: Limits,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move {
        let server = Arc::new(Server {
            catalog,
            extension: Arc::new(PgCatalog::new()),
            registry: Arc::default(),
            limits,
            stop,
            abort: CancellationToken::new(),
        });
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = server.stop.cancelled() => break,
                Some(ended) = connections.join_next() => note(ended),
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) if connections.len() < 2 * server.limits.connections => {
                        tracing::debug!(%peer, "connected");
                        connections.spawn(connection::serve(socket, Arc::clone(&server)));
                    }
                    Ok((_, peer)) => tracing::warn!(%peer, "refused: too many sockets"),
                    Err(e) => {
                        // Out of file descriptors, as a rule: others must close first.
                        tracing::warn!("cannot accept a connection: {e}");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(listener);
        end(&server, connections).await;
        Ok(())
    })
}

async fn end(server: &Server, mut connections: JoinSet<()>) {
    let limit = server.limits.grace;
    if timeout(limit, drain(&mut connections)).await.is_ok() {
        return;
    }
    tracing::warn!("statements still run {} s after the stop; they are given up", limit.as_secs());
    server.abort.cancel();
    if timeout(Duration::from_secs(2), drain(&mut connections)).await.is_err() {
        connections.shutdown().await;
    }
}

async fn drain(connections: &mut JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
}

fn note(ended: std::result::Result<(), tokio::task::JoinError>) {
    if let Err(e) = ended
        && e.is_panic()
    {
        tracing::error!("a connection panicked: {e}");
    }
}
