//! Accepts connections, within limits, until it is told to stop; then lets running requests end.

use super::call::{Peer, pieces};
use super::errors::{Refusal, Result};
use super::metrics::Metrics;
use super::patient::Patient;
use super::routes;
use crate::pg::catalog::PgCatalog;
use axum::{Extension, Router};
use daodb_catalog::session::Extension as SessionExtension;
use daodb_catalog::{Catalog, Error, SqlState};
use futures::future::BoxFuture;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What a server allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For requests that set no shorter one of their own; None: statements may run as long as they like.
    pub statement_timeout: Option<Duration>,
    /// Sockets at a time.
    pub connections: usize,
    /// Requests that run at a time; further ones wait for `wait`, and are refused then.
    pub requests: usize,
    pub wait: Duration,
    /// Readers of the log that wait for what is new.
    pub followers: usize,
    /// Bytes of one body, unpacked; and of all bodies that are held at a time, with the forms that were read of them.
    pub body: usize,
    pub bodies: usize,
    /// From the end of the head to the end of the body.
    pub body_time: Duration,
    /// From the first byte of a head to its last, and how long a connection may be idle.
    pub head_time: Duration,
    /// How long a client may read nothing of an answer.
    pub stalled: Duration,
    /// Rows of one answer.
    pub rows: u64,
    /// What running requests get to end after the server was told to stop.
    pub grace: Duration,
    /// Only requests that call the server by a name of this machine: pages of other sites cannot reach it by a name of theirs.
    pub own_names: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement_timeout: None,
            connections: 1000,
            requests: 64,
            wait: Duration::from_secs(5),
            followers: 500,
            body: 64 << 20,
            bodies: 256 << 20,
            body_time: Duration::from_secs(60),
            head_time: Duration::from_secs(30),
            stalled: Duration::from_secs(60),
            rows: 10_000_000,
            grace: Duration::from_secs(10),
            own_names: true,
        }
    }
}

/// What all requests share.
pub struct Server {
    pub catalog: Arc<Catalog>,
    pub extension: Arc<dyn SessionExtension>,
    pub limits: Limits,
    pub metrics: Metrics,
    /// Take no more requests, and let followers go.
    pub stop: CancellationToken,
    /// Give up running ones too.
    pub abort: CancellationToken,
    pub requests: Arc<Semaphore>,
    pub followers: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

impl Server {
    fn new(catalog: Arc<Catalog>, limits: Limits, stop: CancellationToken) -> Server {
        Server {
            catalog,
            extension: Arc::new(PgCatalog::new()),
            metrics: Metrics::default(),
            stop,
            abort: CancellationToken::new(),
            requests: Arc::new(Semaphore::new(limits.requests)),
            followers: Arc::new(Semaphore::new(limits.followers)),
            bodies: Arc::new(Semaphore::new(pieces(limits.bodies))),
            limits,
        }
    }

    /// A share of the memory for bodies.
    pub fn body_memory(&self, pieces: usize) -> Result<OwnedSemaphorePermit> {
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        Arc::clone(&self.bodies).try_acquire_many_owned(pieces).map_err(|_| {
            let text = "the memory for bodies of requests is taken by others";
            Box::new(
                Refusal::from(
                    Error::new(SqlState::OUT_OF_MEMORY, text).hint("send it again later"),
                )
                .retry_after(2),
            )
        })
    }
}

/// Serves the catalog's databases until `stop`; then lets running requests end, and returns.
pub fn serve_within(
    listener: TcpListener,
    catalog: Arc<Catalog>,
    limits: Limits,
    stop: CancellationToken,
) -> BoxFuture<'static, daodb_catalog::Result<()>> {
    Box::pin(async move {
        let server = Arc::new(Server::new(catalog, limits, stop));
        let router = routes::router(Arc::clone(&server));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = server.stop.cancelled() => break,
                Some(ended) = connections.join_next() => note(ended),
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) if connections.len() < server.limits.connections => {
                        let router = router.clone();
                        connections.spawn(connection(socket, peer, router, Arc::clone(&server)));
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

async fn connection(socket: TcpStream, peer: SocketAddr, router: Router, server: Arc<Server>) {
    let _ = socket.set_nodelay(true);
    let service = TowerToHyperService::new(router.layer(Extension(Peer(peer))));
    let socket = TokioIo::new(Patient::new(socket, server.limits.stalled));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits.head_time)
        .serve_connection(socket, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = server.stop.cancelled() => {
            // The request that runs is answered, and no other is read.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = server.abort.cancelled() => return,
            }
        }
    };
    if let Err(e) = ended {
        tracing::debug!(%peer, "connection lost: {e}");
    }
}

async fn end(server: &Server, mut connections: JoinSet<()>) {
    let limit = server.limits.grace;
    if timeout(limit, drain(&mut connections)).await.is_ok() {
        return;
    }
    tracing::warn!("requests still run {} s after the stop; they are given up", limit.as_secs());
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
