//! One client, from its first byte to its last.

use super::cancel::Registration;
use super::errors::{self, Failure, Result, response};
use super::extended::Extended;
use super::frontend::{self, Message};
use super::server::Server;
use super::startup::{self, Packet, Start};
use super::status::Reported;
use super::wire::{Frame, MESSAGE_LIMIT, Reader, Writer};
use bytes::Bytes;
use daodb_catalog::session::TransactionStatus as Status;
use daodb_catalog::{Error, Session};
use pgwire::messages::PgWireBackendMessage as Backend;
use pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::{Authentication, BackendKeyData, SecretKey};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client that was told goodbye may take to close.
const FAREWELL: Duration = Duration::from_secs(2);

pub async fn serve(socket: TcpStream, server: Arc<Server>) {
    // Rows are flushed whole; waiting for more would only delay the last of them.
    let _ = socket.set_nodelay(true);
    let (read, write) = socket.into_split();
    let (mut reader, mut writer) = (Reader::new(read), Writer::new(write));
    match client(&mut reader, &mut writer, &server).await {
        Ok(()) => {}
        Err(Failure::Lost(e)) => tracing::debug!("connection lost: {e}"),
        Err(Failure::Fatal(e) | Failure::Statement(e)) => {
            tracing::info!("connection ended: {e}");
            let farewell = async {
                writer.send(response(&e, true))?;
                writer.close().await?;
                reader.drain().await;
                io::Result::Ok(())
            };
            let _ = timeout(FAREWELL, farewell).await;
        }
    }
}

async fn client(reader: &mut Reader, writer: &mut Writer, server: &Server) -> Result<(), Failure> {
    let opened = tokio::select! {
        opened = timeout(server.limits.startup, open(reader, writer, server)) => opened,
        () = server.stop.cancelled() => return Err(Failure::Fatal(shutdown())),
    };
    let late = || errors::error("08006", "connection start-up took too long");
    let Some((session, registration, user)) = opened.map_err(|_| Failure::Fatal(late()))?? else {
        return Ok(());
    };
    let mut connection = Connection {
        reader,
        writer,
        server,
        session,
        registration,
        user,
        reported: Reported::default(),
        extended: Extended::default(),
    };
    connection.greet()?;
    connection.answer_all().await
}

type Opened = (Session, Registration, String);

/// None: the client has left, or only wanted to cancel.
async fn open(
    reader: &mut Reader,
    writer: &mut Writer,
    server: &Server,
) -> Result<Option<Opened>, Failure> {
    loop {
        let packet = match reader.startup().await {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return Err(Failure::Fatal(errors::protocol(e.to_string())));
            }
            Err(e) => return Err(e.into()),
        };
        match startup::decode(packet).map_err(Failure::Fatal)? {
            Packet::Encryption => {
                writer.out.extend_from_slice(b"N");
                writer.flush().await?;
            }
            Packet::Cancel { pid, secret } => {
                server.registry.cancel(pid, &secret);
                return Ok(None);
            }
            Packet::Start(start) => return start_session(start, writer, server).await.map(Some),
        }
    }
}

async fn start_session(
    start: Start,
    writer: &mut Writer,
    server: &Server,
) -> Result<Opened, Failure> {
    if let Some(negotiation) = start.negotiation() {
        writer.send(negotiation)?;
    }
    let registration = server
        .registry
        .enter(server.limits.connections, start.secret_bytes())
        .ok_or_else(|| Failure::Fatal(errors::error("53300", "sorry, too many clients already")))?;
    let mut settings = vec![];
    if let Some(limit) = server.limits.statement_timeout {
        settings.push(("statement_timeout".to_owned(), format!("{}ms", limit.as_millis())));
    }
    settings.extend(start.settings);
    let session = Session::open(
        Arc::clone(&server.catalog),
        &start.database,
        &start.user,
        settings,
        Arc::clone(&server.extension),
    )
    .await
    .map_err(|e| Failure::Fatal(Box::new(e)))?;
    let session = session.of_backend(registration.pid);
    Ok((session, registration, start.user))
}

pub fn shutdown() -> Box<Error> {
    errors::error("57P01", "terminating connection due to administrator command")
}

/// An open session and its socket.
pub struct Connection<'a> {
    pub reader: &'a mut Reader,
    pub writer: &'a mut Writer,
    pub server: &'a Server,
    pub session: Session,
    pub registration: Registration,
    user: String,
    reported: Reported,
    pub extended: Extended,
}

impl Connection<'_> {
    fn greet(&mut self) -> Result<(), Failure> {
        self.writer.send(Backend::Authentication(Authentication::Ok))?;
        let secret = SecretKey::Bytes(self.registration.secret.clone());
        let key = Backend::BackendKeyData(BackendKeyData::new(self.registration.pid, secret));
        self.report()?;
        self.writer.send(key)?;
        self.ready()
    }

    async fn answer_all(&mut self) -> Result<(), Failure> {
        loop {
            if self.server.stop.is_cancelled() {
                return Err(Failure::Fatal(shutdown()));
            }
            let frame = tokio::select! {
                biased;
                frame = next(self.reader, self.writer) => frame?,
                () = self.server.stop.cancelled() => return Err(Failure::Fatal(shutdown())),
            };
            match frame {
                None => return Ok(()),
                Some(Frame::Message { tag: b'X', .. }) => return Ok(()),
                Some(frame) => self.answer(frame).await?,
            }
        }
    }

    async fn answer(&mut self, frame: Frame) -> Result<(), Failure> {
        let (tag, body) = match frame {
            Frame::Message { tag, body } => (tag, body),
            Frame::TooLarge { tag, length } => return self.too_large(tag, length),
            Frame::BadLength { .. } => {
                return Err(Failure::Fatal(errors::protocol("invalid message length")));
            }
        };
        // After an error in the extended protocol everything is skipped up to the next Sync.
        if self.extended.skipping && tag != b'S' {
            return Ok(());
        }
        match self.dispatch(tag, body).await {
            Err(Failure::Statement(e)) => self.fail(tag, &e),
            other => other,
        }
    }

    async fn dispatch(&mut self, tag: u8, body: Bytes) -> Result<(), Failure> {
        let message = frontend::decode(tag, body).ok_or_else(|| {
            Failure::Fatal(errors::protocol(format!("invalid frontend message type {tag}")))
        })??;
        match message {
            Message::Query(sql) => {
                self.simple(&sql).await?;
                self.ready()
            }
            Message::Parse { name, sql, types } => self.parse(name, &sql, &types),
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(target) => self.describe(&target).await,
            Message::Execute { portal, max_rows } => self.execute(&portal, max_rows).await,
            Message::Close(target) => self.close(&target),
            Message::Flush => Ok(self.writer.flush().await?),
            Message::Sync => self.sync(),
            Message::FunctionCall => Err(Error::new(
                daodb_catalog::SqlState::FEATURE_NOT_SUPPORTED,
                "the function call protocol is not supported",
            )
            .hint("call the function in a SELECT")
            .into()),
            // Terminate ends the loop above; a COPY FROM was refused before its data came.
            Message::Terminate | Message::Copy => Ok(()),
        }
    }

    fn too_large(&mut self, tag: u8, length: usize) -> Result<(), Failure> {
        if self.extended.skipping && tag != b'S' {
            return Ok(());
        }
        let mut e = errors::error(
            "54000",
            format!("a message of {length} bytes is too large; the limit is {MESSAGE_LIMIT}"),
        );
        e.hint = Some("split the statement, or bind large values as parameters".into());
        self.fail(tag, &e)
    }

    /// Tells an error; what was begun is over.
    fn fail(&mut self, tag: u8, e: &Error) -> Result<(), Failure> {
        self.session.fail();
        self.notices()?;
        self.writer.send(response(e, false))?;
        if frontend::is_extended(tag) {
            self.extended.skipping = true;
            return Ok(());
        }
        self.ready()
    }

    /// Warnings of the session since the last call.
    pub fn notices(&mut self) -> Result<(), Failure> {
        for notice in self.session.take_notices() {
            self.writer.send(errors::notice(&notice))?;
        }
        Ok(())
    }

    fn report(&mut self) -> Result<(), Failure> {
        for message in self.reported.changes(&self.session, &self.user) {
            self.writer.send(message)?;
        }
        Ok(())
    }

    pub fn ready(&mut self) -> Result<(), Failure> {
        self.report()?;
        let status = match self.session.status() {
            Status::Idle => TransactionStatus::Idle,
            Status::Active => TransactionStatus::Transaction,
            Status::Failed => TransactionStatus::Error,
        };
        if status == TransactionStatus::Idle {
            self.extended.end_transaction();
        }
        Ok(self.writer.send(Backend::ReadyForQuery(ReadyForQuery::new(status)))?)
    }
}

/// The next frame; what was held back is flushed before there is anything to wait for.
async fn next(reader: &mut Reader, writer: &mut Writer) -> io::Result<Option<Frame>> {
    if !reader.is_ready() {
        writer.flush().await?;
    }
    reader.next().await
}
