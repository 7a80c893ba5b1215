//! The client's messages. pgwire's own decoders panic on a body that is too short and read on into the next message, so
//! bodies are decoded here, each from its own bytes and with every read checked.

use super::errors::{self, Result};
use bytes::{Buf, Bytes};
use daodb_catalog::{Error, SqlState};

#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target),
    Execute {
        portal: String,
        max_rows: i32,
    },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    /// CopyData, CopyDone, CopyFail: what is left of a COPY FROM that was refused.
    Copy,
    FunctionCall,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bind {
    pub portal: String,
    pub statement: String,
    pub formats: Vec<i16>,
    pub values: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    Statement(String),
    Portal(String),
}

/// Does an error in such a message make the server skip to the next Sync?
pub fn is_extended(tag: u8) -> bool {
    matches!(tag, b'P' | b'B' | b'D' | b'E' | b'C' | b'H')
}

/// None: no message of the protocol has this tag, so where the next one starts is not to be trusted.
pub fn decode(tag: u8, body: Bytes) -> Option<Result<Message>> {
    let mut fields = Fields(body);
    let message = match tag {
        b'Q' => fields.text().map(Message::Query),
        b'P' => parse(&mut fields),
        b'B' => bind(&mut fields).map(Message::Bind),
        b'D' => target(&mut fields, "DESCRIBE").map(Message::Describe),
        b'C' => target(&mut fields, "CLOSE").map(Message::Close),
        b'E' => execute(&mut fields),
        b'H' => Ok(Message::Flush),
        b'S' => Ok(Message::Sync),
        b'X' => Ok(Message::Terminate),
        b'd' | b'c' | b'f' => return Some(Ok(Message::Copy)),
        b'F' => return Some(Ok(Message::FunctionCall)),
        _ => return None,
    };
    Some(message.and_then(|message| fields.end().map(|()| message)))
}

fn parse(fields: &mut Fields) -> Result<Message> {
    let (name, sql) = (fields.text()?, fields.text()?);
    let count = fields.count()?;
    let types = (0..count).map(|_| fields.u32()).collect::<Result<_>>()?;
    Ok(Message::Parse { name, sql, types })
}

fn bind(fields: &mut Fields) -> Result<Bind> {
    let (portal, statement) = (fields.text()?, fields.text()?);
    let formats = fields.i16s()?;
    let count = fields.count()?;
    let values = (0..count).map(|_| fields.value()).collect::<Result<_>>()?;
    Ok(Bind { portal, statement, formats, values, result_formats: fields.i16s()? })
}

fn target(fields: &mut Fields, of: &str) -> Result<Target> {
    let kind = fields.u8()?;
    let name = fields.text()?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        _ => Err(errors::protocol(format!("invalid {of} message subtype {kind}"))),
    }
}

fn execute(fields: &mut Fields) -> Result<Message> {
    let portal = fields.text()?;
    Ok(Message::Execute { portal, max_rows: fields.u32()?.cast_signed() })
}

/// The fields of a body, first to last.
pub struct Fields(pub Bytes);

impl Fields {
    pub fn text(&mut self) -> Result<String> {
        let bytes = self.bytes_to_nul()?;
        String::from_utf8(bytes.into()).map_err(|e| not_utf8(e.as_bytes(), e.utf8_error()))
    }

    fn bytes_to_nul(&mut self) -> Result<Bytes> {
        let Some(end) = self.0.iter().position(|b| *b == 0) else {
            return Err(errors::protocol("invalid string in message"));
        };
        let text = self.0.split_to(end);
        self.0.advance(1);
        Ok(text)
    }

    fn take(&mut self, length: usize) -> Result<Bytes> {
        match self.0.len() >= length {
            true => Ok(self.0.split_to(length)),
            false => Err(errors::protocol("insufficient data left in message")),
        }
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.get_u8())
    }

    pub fn u16(&mut self) -> Result<u16> {
        Ok(self.take(2)?.get_u16())
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.take(4)?.get_u32())
    }

    /// How many elements follow, each of two bytes or more: a count without its elements is refused before room is made.
    fn count(&mut self) -> Result<usize> {
        let count = usize::from(self.u16()?);
        match count * 2 <= self.0.len() {
            true => Ok(count),
            false => Err(errors::protocol("insufficient data left in message")),
        }
    }

    fn i16s(&mut self) -> Result<Vec<i16>> {
        let count = self.count()?;
        (0..count).map(|_| Ok(self.u16()?.cast_signed())).collect()
    }

    pub fn value(&mut self) -> Result<Option<Bytes>> {
        match self.u32()?.cast_signed() {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(errors::protocol("insufficient data left in message")),
            },
        }
    }

    pub fn end(&self) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(errors::protocol("invalid message format")),
        }
    }
}

/// Postgres's words: the first bytes that are no character.
pub fn not_utf8(bytes: &[u8], e: std::str::Utf8Error) -> Box<Error> {
    let from = e.valid_up_to();
    let bad = bytes.get(from..).unwrap_or_default();
    let hex: Vec<String> =
        bad.iter().take(e.error_len().unwrap_or(4)).map(|b| format!("0x{b:02x}")).collect();
    Box::new(Error::new(
        SqlState::Code("22021"),
        format!("invalid byte sequence for encoding \"UTF8\": {}", hex.join(" ")),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(tag: u8, body: &[u8]) -> Result<Message> {
        decode(tag, Bytes::copy_from_slice(body)).unwrap()
    }

    #[test]
    fn messages_of_the_extended_protocol() {
        let check = |tag, body: &[u8], expect| assert_eq!(read(tag, body).unwrap(), expect);
        check(
            b'P',
            b"s\0select $1\0\0\x01\0\0\0\x17",
            Message::Parse { name: "s".into(), sql: "select $1".into(), types: vec![23] },
        );
        check(
            b'B',
            b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x02ab\0\x01\0\x01",
            Message::Bind(Bind {
                portal: "p".into(),
                statement: "s".into(),
                formats: vec![1],
                values: vec![None, Some(Bytes::from_static(b"ab"))],
                result_formats: vec![1],
            }),
        );
        check(b'D', b"Ss\0", Message::Describe(Target::Statement("s".into())));
        check(b'C', b"Pp\0", Message::Close(Target::Portal("p".into())));
        check(b'E', b"\0\0\0\0\x05", Message::Execute { portal: String::new(), max_rows: 5 });
    }

    #[test]
    fn every_cut_of_a_body_is_an_error_and_nothing_more() {
        let bodies: [(u8, &[u8]); 5] = [
            (b'Q', b"select 1\0"),
            (b'P', b"s\0select $1\0\0\x01\0\0\0\x17"),
            (b'B', b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x02ab\0\x01\0\x01"),
            (b'D', b"Ss\0"),
            (b'E', b"\0\0\0\0\x05"),
        ];
        for (tag, body) in bodies {
            assert!(read(tag, body).is_ok());
            for cut in 0..body.len() {
                assert_eq!(read(tag, &body[..cut]).unwrap_err().state.as_str(), "08P01");
            }
            assert!(read(tag, &[body, b"x"].concat()).is_err());
        }
    }

    #[test]
    fn counts_and_lengths_without_their_bytes() {
        assert!(read(b'P', b"\0\0\xff\xff").is_err());
        assert!(read(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0").is_err());
        assert!(read(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0").is_err());
        assert!(read(b'D', b"Xs\0").is_err());
        assert!(decode(b'x', Bytes::new()).is_none());
    }

    #[test]
    fn text_that_is_no_utf8() {
        let e = read(b'Q', b"select '\xff'\0").unwrap_err();
        assert_eq!(e.state.as_str(), "22021");
        assert_eq!(e.message, "invalid byte sequence for encoding \"UTF8\": 0xff");
    }
}
