//! Bytes in and out of one socket: whole frames in, of bounded size; whole messages out, flushed when there are enough.

use bytes::{Buf, Bytes, BytesMut};
use pgwire::messages::PgWireBackendMessage;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A larger message is read past and refused. Postgres allows 1 GiB; here a message is held in memory whole.
pub const MESSAGE_LIMIT: usize = 64 << 20;
/// Postgres's own limit: a longer length field is no message but noise.
const LENGTH_LIMIT: usize = 0x3fff_ffff;
/// Start-up packets are small; Postgres has the same limit.
const STARTUP_LIMIT: usize = 10_000;
/// How much is read ahead while a statement runs, to notice a client that went away.
const READ_AHEAD: usize = 64 << 10;
/// Messages are held back until there are this many bytes, or the client waits for them.
const FLUSH_AT: usize = 128 << 10;

/// A message of the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Message {
        tag: u8,
        body: Bytes,
    },
    /// Longer than [`MESSAGE_LIMIT`]; its body has been read past.
    TooLarge {
        tag: u8,
        length: usize,
    },
    /// The length field cannot be; nothing after it can be understood.
    BadLength {
        tag: u8,
    },
}

/// Frames of the client. Every method may be dropped while it waits and loses nothing.
pub struct Reader {
    socket: OwnedReadHalf,
    buffer: BytesMut,
    /// Bytes of a refused message that are still to be read past, and what to say then.
    discard: Option<(usize, Frame)>,
    ended: bool,
}

impl Reader {
    pub fn new(socket: OwnedReadHalf) -> Self {
        Self { socket, buffer: BytesMut::new(), discard: None, ended: false }
    }

    /// A start-up packet without its length: it has no tag. None: the client went away.
    pub async fn startup(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(mut length) = self.buffer.get(..4) {
                let length = length.get_u32() as usize;
                if !(8..=STARTUP_LIMIT).contains(&length) {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "invalid length of startup packet",
                    ));
                }
                if self.buffer.len() >= length {
                    let mut packet = self.buffer.split_to(length).freeze();
                    packet.advance(4);
                    return Ok(Some(packet));
                }
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// The next message. None: the client went away (also in the middle of a message).
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take() {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Is the next message already here?
    pub fn is_ready(&mut self) -> bool {
        let Some(mut header) = self.buffer.get(1..5) else { return false };
        self.discard.is_none() && self.buffer.len() > header.get_u32() as usize
    }

    /// Reads ahead, a little, and returns when the client sends no more: Ok where it closed in order.
    pub async fn gone(&mut self) -> io::Result<()> {
        while self.buffer.len() < READ_AHEAD {
            if !self.fill().await? {
                return Ok(());
            }
        }
        std::future::pending().await
    }

    /// Waits until the client closes, and reads past what it still sends: a socket closed with unread bytes is reset, and
    /// then the client may never see the error that was sent before.
    pub async fn drain(&mut self) {
        self.buffer.clear();
        while matches!(self.fill().await, Ok(true)) {
            self.buffer.clear();
        }
    }

    fn take(&mut self) -> Option<Frame> {
        if let Some((left, _)) = &mut self.discard {
            let now = (*left).min(self.buffer.len());
            self.buffer.advance(now);
            *left -= now;
            if *left > 0 {
                return None;
            }
            return self.discard.take().map(|(_, frame)| frame);
        }
        let tag = *self.buffer.first()?;
        let length = self.buffer.get(1..5)?.get_u32() as usize;
        if !(4..=LENGTH_LIMIT).contains(&length) {
            return Some(Frame::BadLength { tag });
        }
        if length > MESSAGE_LIMIT {
            self.discard = Some((length + 1, Frame::TooLarge { tag, length }));
            return self.take();
        }
        if self.buffer.len() < length + 1 {
            return None;
        }
        let mut body = self.buffer.split_to(length + 1).freeze();
        body.advance(5);
        Some(Frame::Message { tag, body })
    }

    /// False: the client went away. Memory grows as bytes arrive, never as a length field says.
    async fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.buffer.capacity() - self.buffer.len() < 4096 {
            self.buffer.reserve(8192);
        }
        match self.socket.read_buf(&mut self.buffer).await {
            Ok(0) => {
                self.ended = true;
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(e) => {
                self.ended = true;
                Err(e)
            }
        }
    }
}

/// Messages to the client. `out` holds whole messages only, so a statement can be stopped between any two of them.
pub struct Writer {
    socket: OwnedWriteHalf,
    pub out: BytesMut,
}

impl Writer {
    pub fn new(socket: OwnedWriteHalf) -> Self {
        Self { socket, out: BytesMut::with_capacity(8192) }
    }

    pub fn send(&mut self, message: PgWireBackendMessage) -> io::Result<()> {
        message.encode(&mut self.out).map_err(|e| io::Error::other(e.to_string()))
    }

    /// How many bytes may still be written before [`Writer::flush_full`] flushes.
    pub fn room(&self) -> usize {
        FLUSH_AT.saturating_sub(self.out.len())
    }

    /// Flushes where enough has come together; waits for a slow client.
    pub async fn flush_full(&mut self) -> io::Result<()> {
        if self.out.len() >= FLUSH_AT { self.flush().await } else { Ok(()) }
    }

    /// May be dropped while it waits: what is not yet sent stays.
    pub async fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            if self.socket.write_buf(&mut self.out).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        if self.out.capacity() > 8 * FLUSH_AT {
            self.out = BytesMut::with_capacity(FLUSH_AT);
        }
        Ok(())
    }

    pub async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.socket.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    async fn frames(bytes: Vec<u8>) -> Vec<Frame> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        tokio::spawn(async move { client.write_all(&bytes).await });
        let mut reader = Reader::new(server.into_split().0);
        let mut frames = vec![];
        while let Some(frame) = reader.next().await.unwrap() {
            let stop = matches!(frame, Frame::BadLength { .. });
            frames.push(frame);
            if stop {
                break;
            }
        }
        frames
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32 + 4).to_be_bytes();
        [&[tag], length.as_slice(), body].concat()
    }

    #[tokio::test]
    async fn messages_one_after_the_other() {
        let bytes = [message(b'Q', b"a\0"), message(b'S', b""), vec![b'P', 0, 0]].concat();
        let expect = [
            Frame::Message { tag: b'Q', body: Bytes::from_static(b"a\0") },
            Frame::Message { tag: b'S', body: Bytes::new() },
        ];
        assert_eq!(frames(bytes).await, expect);
    }

    #[tokio::test]
    async fn a_message_too_large_is_read_past_and_the_next_is_served() {
        let body = vec![b'x'; MESSAGE_LIMIT];
        let bytes = [message(b'Q', &body), message(b'S', b"")].concat();
        let expect = [
            Frame::TooLarge { tag: b'Q', length: MESSAGE_LIMIT + 4 },
            Frame::Message { tag: b'S', body: Bytes::new() },
        ];
        assert_eq!(frames(bytes).await, expect);
    }

    #[tokio::test]
    async fn a_length_that_cannot_be() {
        for length in [0u32, 3, 0x4000_0000, u32::MAX] {
            let bytes = [&b"Q"[..], &length.to_be_bytes(), b"abc"].concat();
            assert_eq!(frames(bytes).await, [Frame::BadLength { tag: b'Q' }]);
        }
    }
}
