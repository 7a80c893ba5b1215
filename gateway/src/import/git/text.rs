//! The text of commits: git promises no encoding, a database holds UTF-8.

use super::super::plan::Signature;
use gix::actor::SignatureRef;

/// 0001-01-01 and 9999-12-31: what Postgres clients print. Git keeps any number.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// UTF-8 as it is; otherwise Latin-1 where the commit says so, else with U+FFFD for what cannot be read. A NUL, which no
/// Postgres text can hold, becomes U+FFFD too.
pub fn decode(bytes: &[u8], encoding: Option<&[u8]>) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) if encoding.is_some_and(is_latin1) => bytes.iter().map(|b| char::from(*b)).collect(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    };
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn is_latin1(encoding: &[u8]) -> bool {
    let name: Vec<u8> = encoding.iter().filter(|b| b.is_ascii_alphanumeric()).copied().collect();
    [&b"iso88591"[..], b"latin1"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

pub fn signature(signature: SignatureRef<'_>, encoding: Option<&[u8]>) -> Signature {
    let name = decode(signature.name, encoding);
    let email = match decode(signature.email, encoding) {
        email if email.is_empty() => format!("{name} <>").trim_start().to_owned(),
        email => email,
    };
    let at = signature.seconds().clamp(FIRST_SECOND, LAST_SECOND) * 1_000_000;
    Signature { name, email, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(decode("é".as_bytes(), None), "é");
        assert_eq!(decode(b"caf\xe9", Some(b"ISO-8859-1")), "café");
        assert_eq!(decode(b"caf\xe9", None), "caf\u{fffd}");
        assert_eq!(decode(b"a\0b", None), "a\u{fffd}b");
    }

    #[test]
    fn signatures() {
        let check = |line: &[u8], name: &str, email: &str, at: i64| {
            let mut rest = line;
            let read =
                SignatureRef::from_bytes_consuming(&mut rest).map(|s| signature(s.trim(), None));
            let expect = Signature { name: name.into(), email: email.into(), at };
            assert_eq!(read.ok(), Some(expect));
        };
        check(b"A B <a@b> 12 +0100", "A B", "a@b", 12_000_000);
        check(b"A B <> 12 +0100", "A B", "A B <>", 12_000_000);
        check(b" <> 12 +0100", "", "<>", 12_000_000);
        check(b"A <a@b> 99999999999999 +0000", "A", "a@b", LAST_SECOND * 1_000_000);
    }
}
