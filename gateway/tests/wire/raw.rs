//! Messages made by hand, for what no driver sends.

use crate::support::{DATABASE, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Raw {
    pub socket: TcpStream,
    pub pid: u32,
    pub secret: Vec<u8>,
}

/// A message of the server: its tag and body.
pub type Message = (char, Vec<u8>);

pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[tag], length.as_slice(), body].concat()
}

pub fn startup(version: u32, text: &str) -> Vec<u8> {
    let length = (text.len() as u32 + 8).to_be_bytes();
    [&length, version.to_be_bytes().as_slice(), text.as_bytes()].concat()
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

/// Parse of the unnamed statement, without types.
pub fn parse(sql: &str) -> Vec<u8> {
    message(b'P', format!("\0{sql}\0\0\0").as_bytes())
}

/// Bind of the unnamed statement to a portal, without parameters, all columns as text.
pub fn bind(portal: &str) -> Vec<u8> {
    message(b'B', format!("{portal}\0\0\0\0\0\0\0\0").as_bytes())
}

pub fn execute(portal: &str, max_rows: u32) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), &[0], &max_rows.to_be_bytes()].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

impl Raw {
    pub async fn socket(server: &Server) -> TcpStream {
        TcpStream::connect(server.address).await.unwrap()
    }

    /// An open session.
    pub async fn open(server: &Server) -> Self {
        let mut raw = Self { socket: Self::socket(server).await, pid: 0, secret: vec![] };
        raw.send(&startup(3 << 16, &format!("user\0tester\0database\0{DATABASE}\0\0"))).await;
        for (tag, body) in raw.until_ready().await {
            if tag == 'K' {
                raw.pid = u32::from_be_bytes(body[..4].try_into().unwrap());
                raw.secret = body[4..].to_vec();
            }
        }
        raw
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// None: the server closed.
    pub async fn next(&mut self) -> Option<Message> {
        let tag = self.socket.read_u8().await.ok()?;
        let length = self.socket.read_u32().await.ok()? as usize;
        let mut body = vec![0; length - 4];
        self.socket.read_exact(&mut body).await.ok()?;
        Some((char::from(tag), body))
    }

    /// Messages up to and with ReadyForQuery, or up to the end.
    pub async fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = vec![];
        while let Some(message) = self.next().await {
            let ready = message.0 == 'Z';
            messages.push(message);
            if ready {
                break;
            }
        }
        messages
    }

    /// The tags of the messages up to the next ReadyForQuery.
    pub async fn tags(&mut self, bytes: &[u8]) -> String {
        self.send(bytes).await;
        self.until_ready().await.iter().map(|(tag, _)| tag).collect()
    }

    /// The SQLSTATE of the error among the next messages.
    pub async fn error(&mut self, bytes: &[u8]) -> String {
        self.send(bytes).await;
        let messages = self.until_ready().await;
        let error = messages.iter().find(|(tag, _)| *tag == 'E');
        state(&error.unwrap_or_else(|| panic!("no error in {messages:?}")).1)
    }
}

/// The SQLSTATE of an ErrorResponse.
pub fn state(body: &[u8]) -> String {
    let field = body.split(|b| *b == 0).find(|field| field.first() == Some(&b'C'));
    String::from_utf8_lossy(&field.unwrap()[1..]).into_owned()
}
