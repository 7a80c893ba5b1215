//! What the client is told when something fails: SQLSTATE, message, detail, hint and position.

use daodb_catalog::{Error, SqlState};
use datafusion::error::DataFusionError;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use std::io;

/// Boxed: it stands in the result of every cell that is written.
pub type Result<T, E = Box<Error>> = std::result::Result<T, E>;

/// Why a message could not be answered.
#[derive(Debug)]
pub enum Failure {
    /// Told to the client; the connection goes on.
    Statement(Box<Error>),
    /// Told to the client; the connection ends.
    Fatal(Box<Error>),
    /// Nobody is there to be told.
    Lost(io::Error),
}

impl From<Box<Error>> for Failure {
    fn from(e: Box<Error>) -> Self {
        Failure::Statement(e)
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Statement(Box::new(e))
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Failure::Lost(e)
    }
}

pub fn error(code: &'static str, message: impl Into<String>) -> Box<Error> {
    Box::new(Error::new(SqlState::Code(code), message))
}

/// The client broke the protocol.
pub fn protocol(message: impl Into<String>) -> Box<Error> {
    error("08P01", message)
}

/// Our own bug, seen as a panic; the statement fails, the server goes on.
pub fn panicked(payload: &(dyn std::any::Any + Send)) -> Box<Error> {
    let what = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    tracing::error!("a statement panicked: {what}");
    Box::new(
        Error::new(SqlState::INTERNAL, format!("internal error: {what}"))
            .hint("this is a bug of DaoDB; please report it with the statement"),
    )
}

/// An error of a running plan.
pub fn execution(e: DataFusionError) -> Box<Error> {
    Box::new(Error::from(e))
}

pub fn response(e: &Error, fatal: bool) -> PgWireBackendMessage {
    let severity = if fatal { "FATAL" } else { "ERROR" };
    PgWireBackendMessage::ErrorResponse(ErrorResponse::new(fields(e, severity)))
}

/// Warnings and notices.
pub fn notice(e: &Error) -> PgWireBackendMessage {
    let class = e.state.as_str().get(..2).unwrap_or_default();
    let severity = match (e.state.as_str(), class) {
        ("00000", _) => "NOTICE",
        (_, "00" | "01" | "25") => "WARNING",
        _ => "NOTICE",
    };
    PgWireBackendMessage::NoticeResponse(NoticeResponse::new(fields(e, severity)))
}

fn fields(e: &Error, severity: &str) -> Vec<(u8, String)> {
    let position = e.position.map(|p| p.to_string());
    [
        (b'S', Some(severity)),
        (b'V', Some(severity)),
        (b'C', Some(e.state.as_str())),
        (b'M', Some(e.message.as_str())),
        (b'D', e.detail.as_deref()),
        (b'H', e.hint.as_deref()),
        (b'P', position.as_deref()),
    ]
    .into_iter()
    // A zero byte ends a field.
    .filter_map(|(code, text)| Some((code, text?.replace('\0', "\u{fffd}"))))
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::BytesMut;

    #[test]
    fn the_fields_of_a_response() {
        let e = Error::new(SqlState::SYNTAX, "no \0 here").hint("say it").at(7);
        let mut out = BytesMut::new();
        response(&e, false).encode(&mut out).unwrap();
        let expect = "SERROR\0VERROR\0C42601\0Mno \u{fffd} here\0Hsay it\0P7\0\0";
        assert_eq!(&out[5..], expect.as_bytes());
        let mut out = BytesMut::new();
        notice(&Error::new(SqlState::NO_ACTIVE_TRANSACTION, "there is no transaction in progress"))
            .encode(&mut out)
            .unwrap();
        assert!(out.starts_with(b"N") && out[5..].starts_with(b"SWARNING\0"));
    }
}
