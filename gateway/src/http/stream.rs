//! Bodies that are sent while they are made: at most a few pieces ahead of the client, and nothing more once it has left.

use super::admit::Place;
use super::errors;
use super::server::Server;
use axum::body::Body;
use bytes::Bytes;
use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::Node;
use futures::future::BoxFuture;
use futures::stream::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Poll, ready};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Pieces that wait for the client.
const AHEAD: usize = 2;

/// The sending end of a body. Where it is dropped before [`Sender::whole`], also by a panic, the connection is cut.
pub struct Sender {
    pieces: mpsc::Sender<Piece>,
}

enum Piece {
    More(Bytes),
    Whole,
    Cut(io::Error),
}

/// The client has left.
pub struct Gone;

pub fn channel() -> (Sender, Body) {
    let (pieces, mut taken) = mpsc::channel(AHEAD);
    let mut ended = false;
    let stream = poll_fn(move |cx| {
        if ended {
            return Poll::Ready(None);
        }
        let piece = ready!(taken.poll_recv(cx));
        ended = !matches!(piece, Some(Piece::More(_)));
        Poll::Ready(match piece {
            Some(Piece::More(bytes)) => Some(Ok(bytes)),
            Some(Piece::Whole) => None,
            Some(Piece::Cut(why)) => Some(Err(why)),
            None => Some(Err(io::Error::other("the answer broke off"))),
        })
    });
    (Sender { pieces }, Body::from_stream(stream))
}

impl Sender {
    pub async fn send(&self, piece: Bytes) -> Result<(), Gone> {
        if piece.is_empty() {
            return Ok(());
        }
        self.pieces.send(Piece::More(piece)).await.map_err(|_| Gone)
    }

    /// The body ends here.
    pub async fn whole(&self) -> Result<(), Gone> {
        self.pieces.send(Piece::Whole).await.map_err(|_| Gone)
    }

    /// The body ends here, and is not whole.
    pub async fn cut(&self, why: &Error) {
        // Where the client has left, nobody is to be told.
        let _ = self.pieces.send(Piece::Cut(io::Error::other(why.to_string()))).await;
    }

    /// Ends when the client leaves.
    pub async fn gone(&self) {
        self.pieces.closed().await;
    }
}

/// An answer of rows while it is made, with all that must live as long.
pub trait Pieces: Send + 'static {
    /// What stands before the rows.
    fn head(&mut self) -> Bytes;
    /// The next rows, and how many they are. None: there are no more.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Written>, Error>>;
    fn end(&mut self) -> Result<Bytes, Error>;
    /// The end of an answer that failed. None: this format cannot say so.
    fn failed(&mut self, error: &Node) -> Option<Bytes>;
}

/// Rows as they are sent.
pub struct Written {
    pub bytes: Bytes,
    pub rows: usize,
}

/// What runs.
pub struct Running {
    pub pieces: Box<dyn Pieces>,
    pub deadline: Option<Instant>,
    pub _place: Option<Place>,
}

enum Ended {
    Whole,
    Gone,
    Failed(Error),
}

impl From<Gone> for Ended {
    fn from(Gone: Gone) -> Self {
        Ended::Gone
    }
}

/// The work, if it ends in time.
pub async fn within<T, E: From<Error>>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match deadline {
        None => work.await,
        // What is always ready is asked before it is late, and never after.
        Some(deadline) if deadline <= Instant::now() => Err(late().into()),
        Some(deadline) => timeout_at(deadline, work).await.unwrap_or_else(|_| Err(late().into())),
    }
}

fn late() -> Error {
    Error::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
        .hint("give :timeout (milliseconds) or --statement-timeout, or ask for less")
}

/// A body of rows. What fails before its first piece is the request's own error.
pub async fn rows(server: &Arc<Server>, mut running: Running) -> errors::Result<Body> {
    let head = running.pieces.head();
    let first = within(running.deadline, running.pieces.next()).await?;
    let (sender, body) = channel();
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = send(&sender, &mut running, (head, first), server.limits.rows) => ended,
            () = sender.gone() => Ended::Gone,
            () = server.abort.cancelled() => Ended::Failed(shutdown()),
        };
        if let Ended::Failed(why) = ended {
            match running.pieces.failed(&errors::form(&why, None)) {
                // Where the client has left, nobody is to be told.
                Some(end) => {
                    if sender.send(end).await.is_ok() {
                        let _ = sender.whole().await;
                    }
                }
                None => sender.cut(&why).await,
            }
        }
        drop(running);
    });
    Ok(body)
}

fn shutdown() -> Error {
    Error::new(SqlState::SHUTTING_DOWN, "the server is shutting down")
}

async fn send(
    sender: &Sender,
    running: &mut Running,
    begin: (Bytes, Option<Written>),
    most: u64,
) -> Ended {
    match try_send(sender, running, begin, most).await {
        Ok(()) => Ended::Whole,
        Err(ended) => ended,
    }
}

async fn try_send(
    sender: &Sender,
    running: &mut Running,
    (head, first): (Bytes, Option<Written>),
    most: u64,
) -> Result<(), Ended> {
    sender.send(head).await?;
    let (mut next, mut sent) = (first, 0);
    let deadline = running.deadline;
    while let Some(Written { bytes, rows }) = next {
        sent += rows as u64;
        if sent > most {
            let text = format!("the result has more than {most} rows");
            let error = Error::new(SqlState::Code("54000"), text);
            return Err(Ended::Failed(error.hint("ask for less, by LIMIT or in parts")));
        }
        // A client that reads too slowly is over time, too.
        let given = async { Ok::<_, Error>(sender.send(bytes).await) };
        within(deadline, given).await.map_err(Ended::Failed)??;
        next = within(deadline, running.pieces.next()).await.map_err(Ended::Failed)?;
    }
    let end = running.pieces.end().map_err(Ended::Failed)?;
    sender.send(end).await?;
    Ok(sender.whole().await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::StreamExt;

    async fn read(body: Body) -> (Vec<u8>, bool) {
        let mut pieces = body.into_data_stream();
        let mut out = Vec::new();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => out.extend_from_slice(&piece),
                Err(_) => return (out, false),
            }
        }
        (out, true)
    }

    #[tokio::test]
    async fn a_body_that_broke_off_is_told_from_a_whole_one() {
        for (whole, cut) in [(true, false), (false, true), (false, false)] {
            let (sender, body) = channel();
            tokio::spawn(async move {
                sender.send(Bytes::from_static(b"piece")).await.ok().unwrap();
                if whole {
                    sender.whole().await.ok().unwrap();
                } else if cut {
                    sender.cut(&late()).await;
                }
            });
            assert_eq!(read(body).await, (b"piece".to_vec(), whole));
        }
        let (sender, body) = channel();
        drop(body);
        assert!(sender.send(Bytes::from_static(b"piece")).await.is_err());
        sender.gone().await;
    }

    #[tokio::test]
    async fn what_is_ready_is_late_too() {
        let ready = || async { Ok::<_, Error>(1) };
        assert_eq!(within(None, ready()).await.ok(), Some(1));
        let soon = Instant::now() + std::time::Duration::from_secs(60);
        assert_eq!(within(Some(soon), ready()).await.ok(), Some(1));
        let late = within(Some(Instant::now()), ready()).await;
        assert_eq!(late.err().map(|e| e.state), Some(SqlState::QUERY_CANCELED));
    }
}
