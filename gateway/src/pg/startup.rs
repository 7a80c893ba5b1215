//! The first packets of a connection: encryption refused, a cancel request, or who wants which database and how.

use super::errors::{self, Result};
use super::frontend::Fields;
use super::options;
use bytes::Bytes;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::startup::NegotiateProtocolVersion;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// The newest minor version of protocol 3 that we speak.
const NEWEST_MINOR: u16 = 2;

#[derive(Debug, PartialEq, Eq)]
pub enum Packet {
    /// SSL or GSS encryption, not there yet: answered `N`, and the client goes on in plain text or leaves.
    Encryption,
    Cancel {
        pid: i32,
        secret: Bytes,
    },
    Start(Start),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Minor version asked for.
    pub minor: u16,
    /// Protocol extensions asked for (`_pq_.*`); we know none.
    pub unknown: Vec<String>,
    pub user: String,
    pub database: String,
    /// Settings, in the order in which they take effect.
    pub settings: Vec<(String, String)>,
}

pub fn decode(packet: Bytes) -> Result<Packet> {
    let mut fields = Fields(packet);
    let code = fields.u32()?;
    match code {
        SSL_REQUEST | GSS_REQUEST => Ok(Packet::Encryption),
        CANCEL_REQUEST => {
            let pid = fields.u32()?.cast_signed();
            Ok(Packet::Cancel { pid, secret: fields.0 })
        }
        _ => start(code, fields).map(Packet::Start),
    }
}

fn start(version: u32, mut fields: Fields) -> Result<Start> {
    let (major, minor) = (version >> 16, (version & 0xffff) as u16);
    if major != 3 {
        return Err(errors::error(
            "0A000",
            format!(
                "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"
            ),
        ));
    }
    let mut start = Start { minor, ..Start::default() };
    let mut command_line = String::new();
    let mut settings = vec![];
    loop {
        let name = layout(fields.text())?;
        if name.is_empty() {
            break;
        }
        let value = layout(fields.text())?;
        match name.as_str() {
            "user" => start.user = value,
            "database" => start.database = value,
            "options" => command_line = value,
            "replication" => refuse_replication(&value)?,
            _ if name.starts_with("_pq_.") => start.unknown.push(name),
            _ => settings.push((name, value)),
        }
    }
    layout(fields.end())?;
    if start.user.is_empty() {
        return Err(errors::error("28000", "no PostgreSQL user name specified in startup packet"));
    }
    if start.database.is_empty() {
        start.database.clone_from(&start.user);
    }
    start.settings = options::parse(&command_line)?;
    start.settings.append(&mut settings);
    Ok(start)
}

/// Postgres's words for a start-up packet that ends too early or too late; bytes that are no text keep theirs.
fn layout<T>(read: Result<T>) -> Result<T> {
    read.map_err(|e| match e.state.as_str() {
        "08P01" => {
            errors::protocol("invalid startup packet layout: expected terminator as last byte")
        }
        _ => e,
    })
}

fn refuse_replication(value: &str) -> Result<()> {
    match value {
        "false" | "off" | "no" | "0" | "" => Ok(()),
        _ => Err(errors::error("0A000", "replication connections are not supported")),
    }
}

impl Start {
    /// The minor version that is spoken: 3.1 was never one.
    pub fn agreed_minor(&self) -> u16 {
        if self.minor >= NEWEST_MINOR { NEWEST_MINOR } else { 0 }
    }

    /// Protocol 3.2 made the secret of cancel requests longer.
    pub fn secret_bytes(&self) -> usize {
        if self.agreed_minor() >= 2 { 32 } else { 4 }
    }

    /// Tells a client that asked for more what it gets.
    pub fn negotiation(&self) -> Option<PgWireBackendMessage> {
        let minor = self.agreed_minor();
        (minor != self.minor || !self.unknown.is_empty()).then(|| {
            let version = 3 << 16 | i32::from(minor);
            let message = NegotiateProtocolVersion::new(version, self.unknown.clone());
            PgWireBackendMessage::NegotiateProtocolVersion(message)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn packet(version: u32, text: &str) -> Result<Packet> {
        decode([&version.to_be_bytes(), text.as_bytes()].concat().into())
    }

    fn started(minor: u16, text: &str) -> Start {
        match packet(3 << 16 | u32::from(minor), text).unwrap() {
            Packet::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_and_what() {
        let start = started(
            0,
            "user\0ann\0database\0music@1042\0application_name\0psql\0options\0-cTimeZone=UTC\0\0",
        );
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!((start.user.as_str(), start.database.as_str()), ("ann", "music@1042"));
        let expect = [pair("TimeZone", "UTC"), pair("application_name", "psql")];
        assert_eq!(start.settings, expect);
        assert!(start.negotiation().is_none());
        assert_eq!(started(0, "user\0ann\0\0").database, "ann");
    }

    #[test]
    fn versions() {
        for (minor, agreed, secret, told) in
            [(0, 0, 4, false), (1, 0, 4, true), (2, 2, 32, false), (9999, 2, 32, true)]
        {
            let start = started(minor, "user\0ann\0\0");
            assert_eq!((start.agreed_minor(), start.secret_bytes()), (agreed, secret));
            assert_eq!(start.negotiation().is_some(), told, "3.{minor}");
        }
        let start = started(0, "user\0ann\0_pq_.shine\0on\0\0");
        assert_eq!(start.unknown, ["_pq_.shine"]);
        assert!(start.negotiation().is_some());
    }

    #[test]
    fn packets_that_are_refused() {
        let check = |version, text: &str, code, message: &str| {
            let e = packet(version, text).unwrap_err();
            assert_eq!((e.state.as_str(), e.message.as_str()), (code, message));
        };
        let layout = "invalid startup packet layout: expected terminator as last byte";
        check(3 << 16, "user\0ann\0", "08P01", layout);
        check(3 << 16, "user\0ann\0\0x", "08P01", layout);
        check(3 << 16, "user\0ann", "08P01", layout);
        let nobody = "no PostgreSQL user name specified in startup packet";
        check(3 << 16, "database\0music\0\0", "28000", nobody);
        let old = "unsupported frontend protocol 2.0: server supports 3.0 to 3.2";
        check(2 << 16, "user\0ann\0\0", "0A000", old);
        let replication = "replication connections are not supported";
        check(3 << 16, "user\0ann\0replication\0database\0\0", "0A000", replication);
    }

    #[test]
    fn packets_before_the_start() {
        assert_eq!(packet(SSL_REQUEST, "").unwrap(), Packet::Encryption);
        assert_eq!(packet(GSS_REQUEST, "").unwrap(), Packet::Encryption);
        let cancel = packet(CANCEL_REQUEST, "\0\0\0\x07abcd").unwrap();
        assert_eq!(cancel, Packet::Cancel { pid: 7, secret: Bytes::from_static(b"abcd") });
        assert!(packet(CANCEL_REQUEST, "\0").is_err());
    }
}
