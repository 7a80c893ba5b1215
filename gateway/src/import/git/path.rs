//! File names are bytes in git and text in a database.

use std::borrow::Cow;

/// A path as text: itself where it is UTF-8, else as git quotes it (`"a\377b"`, with `core.quotePath`).
///
/// No two paths share a text. The one way they could is a UTF-8 name that is letter for letter the quoted form of bytes
/// that are not; such a name is quoted too.
pub fn path_text(path: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(path) {
        Ok(text) if !spells_bytes(path) => Cow::Borrowed(text),
        _ => Cow::Owned(quoted(path)),
    }
}

/// git's `quote_c_style`.
fn quoted(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    out.push('"');
    for &byte in path {
        match ESCAPES.iter().find(|(b, _)| *b == byte) {
            Some((_, letter)) => out.extend(['\\', char::from(*letter)]),
            None if (0x20..0x7f).contains(&byte) => out.push(char::from(byte)),
            None => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}

const ESCAPES: [(u8, u8); 9] = [
    (0x07, b'a'),
    (0x08, b'b'),
    (b'\t', b't'),
    (b'\n', b'n'),
    (0x0b, b'v'),
    (0x0c, b'f'),
    (b'\r', b'r'),
    (b'"', b'"'),
    (b'\\', b'\\'),
];

/// Whether a name is the quoted form of bytes that are not UTF-8, or of a name that is.
fn spells_bytes(name: &[u8]) -> bool {
    let mut name = Cow::Borrowed(name);
    while let Some(inner) = unquoted(&name) {
        if std::str::from_utf8(&inner).is_err() {
            return true;
        }
        name = Cow::Owned(inner);
    }
    false
}

fn unquoted(name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = name.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&escape, tail) = rest.split_first()?;
        match ESCAPES.iter().find(|(_, letter)| *letter == escape) {
            Some((byte, _)) => {
                out.push(*byte);
                rest = tail;
            }
            None => {
                let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
                out.push(u8::from_str_radix(digits, 8).ok()?);
                rest = &rest[3..];
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::path_text;

    fn check(path: &[u8], expect: &str) {
        assert_eq!(path_text(path), expect);
    }

    #[test]
    fn utf8_stands_as_it_is() {
        check(b"src/main.rs", "src/main.rs");
        check("größe".as_bytes(), "größe");
        check(b"say \"hi\"\n", "say \"hi\"\n");
        check(b"\"plain\"", "\"plain\"");
        check(b"\"", "\"");
    }

    #[test]
    fn other_bytes_as_git_quotes_them() {
        check(b"a\xffb", r#""a\377b""#);
        check(b"\xe9\t\"\\\x01\x7f", r#""\351\t\"\\\001\177""#);
        check(b"dir/\xff", r#""dir/\377""#);
    }

    #[test]
    fn no_two_paths_share_a_text() {
        let mut name = b"a\xffb".to_vec();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let text = path_text(&name).into_owned();
            assert!(seen.insert(text.clone()), "{text}");
            name = text.into_bytes();
            // The UTF-8 name with the same letters must be told apart from the bytes that they quote.
        }
    }
}
