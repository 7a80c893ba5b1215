//! JSON as a tree that knows where it stood: what both JSON formats are made of.
//!
//! Numbers stay text, since a reader that makes doubles of long integers loses digits; and an error must say where.

use daodb_datalog::edn::{EdnError, FORMS, Span};

/// Deeper nesting is nobody's data, and would end the stack of a recursive reader.
const DEPTH: usize = 256;

#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    pub kind: Kind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    String(String),
    Array(Vec<Json>),
    /// In the order of the text; no key twice.
    Object(Vec<(Key, Json)>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub text: String,
    pub span: Span,
}

/// The one value of a text.
pub fn read(text: &str) -> Result<Json, EdnError> {
    let mut reader = Reader { text, at: 0, values: 0 };
    reader.skip();
    let json = reader.value(0)?;
    reader.skip();
    match reader.peek() {
        None => Ok(json),
        Some(_) => Err(reader.wrong("there is more after the value", Some("one value a body"))),
    }
}

pub fn error(message: impl Into<String>, span: Span, hint: Option<&str>) -> EdnError {
    EdnError::new(message, span, hint)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Read so far.
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong(&self, message: impl Into<String>, hint: Option<&str>) -> EdnError {
        let end = self.at + self.rest().chars().next().map_or(0, char::len_utf8);
        error(message, Span { start: self.at, end }, hint)
    }

    fn value(&mut self, depth: usize) -> Result<Json, EdnError> {
        if depth > DEPTH {
            return Err(self.wrong(format!("values are nested more than {DEPTH} deep"), None));
        }
        self.values += 1;
        if self.values > FORMS {
            let hint = Some("split the body");
            return Err(self.wrong(format!("more than {FORMS} values"), hint));
        }
        let start = self.at;
        let kind = match self.peek() {
            None => return Err(self.wrong("a value is missing", None)),
            Some(b'"') => Kind::String(self.string()?),
            Some(b'[') => self.array(depth)?,
            Some(b'{') => self.object(depth)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => self.word()?,
        };
        Ok(Json { kind, span: Span { start, end: self.at } })
    }

    fn word(&mut self) -> Result<Kind, EdnError> {
        let words =
            [("null", Kind::Null), ("true", Kind::Bool(true)), ("false", Kind::Bool(false))];
        for (word, kind) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.wrong("no JSON begins so", Some("texts and keys stand in double quotes")))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Kind, EdnError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        let mut well = whole == 1 || (whole > 1 && !zero);
        if self.peek() == Some(b'.') {
            self.at += 1;
            well &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            well &= self.digits() > 0;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match well {
            true => Ok(Kind::Number(text.to_owned())),
            false => {
                let span = Span { start, end: self.at };
                Err(error(format!("{text} is no number"), span, None))
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Kind, EdnError> {
        self.at += 1;
        let mut all = Vec::new();
        self.skip();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Kind::Array(all));
        }
        loop {
            self.skip();
            all.push(self.value(depth + 1)?);
            if self.ends(b']')? {
                return Ok(Kind::Array(all));
            }
        }
    }

    /// Past a comma (false) or the closing bracket (true).
    fn ends(&mut self, close: u8) -> Result<bool, EdnError> {
        self.skip();
        match self.peek() {
            Some(b',') => self.at += 1,
            Some(c) if c == close => {
                self.at += 1;
                return Ok(true);
            }
            _ => {
                let close = char::from(close);
                return Err(self.wrong(format!("a comma or {close} is missing"), None));
            }
        }
        Ok(false)
    }

    fn object(&mut self, depth: usize) -> Result<Kind, EdnError> {
        self.at += 1;
        let mut pairs: Vec<(Key, Json)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.skip();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Kind::Object(pairs));
        }
        loop {
            self.skip();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key is missing", Some("keys stand in double quotes")));
            }
            let text = self.string()?;
            let key = Key { text, span: Span { start, end: self.at } };
            if !seen.insert(key.text.clone()) {
                return Err(error(format!("the key {:?} stands twice", key.text), key.span, None));
            }
            self.skip();
            if self.peek() != Some(b':') {
                return Err(self.wrong("a colon is missing after a key", None));
            }
            self.at += 1;
            self.skip();
            pairs.push((key, self.value(depth + 1)?));
            if self.ends(b'}')? {
                return Ok(Kind::Object(pairs));
            }
        }
    }

    fn string(&mut self) -> Result<String, EdnError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let plain = self.rest().find(|c: char| c == '"' || c == '\\' || c < ' ');
            let Some(plain) = plain else {
                let span = Span { start, end: start + 1 };
                return Err(error("a string is never closed", span, Some("close it with \"")));
            };
            out.push_str(self.rest().get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    let c = self.escape().ok_or_else(|| {
                        let hint =
                            "\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u and four hexadecimal digits";
                        self.wrong("an escape that JSON does not know", Some(hint))
                    })?;
                    out.push(c);
                }
                _ => return Err(self.wrong("a control character in a string", Some("write \\n"))),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let escaped = *self.text.as_bytes().get(self.at + 1)?;
        let plain = match escaped {
            b'"' | b'\\' | b'/' => char::from(escaped),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit(self.at + 2)?;
                if !(0xd800..0xdc00).contains(&first) {
                    let c = char::from_u32(u32::from(first))?;
                    self.at += 6;
                    return Some(c);
                }
                let pair = self.text.get(self.at + 6..self.at + 8) == Some("\\u");
                let second = if pair { self.unit(self.at + 8)? } else { return None };
                let c = char::decode_utf16([first, second]).next()?.ok()?;
                self.at += 12;
                return Some(c);
            }
            _ => return None,
        };
        self.at += 2;
        Some(plain)
    }

    /// Four hexadecimal digits.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 4)?;
        let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
        if all { u16::from_str_radix(digits, 16).ok() } else { None }
    }
}

pub fn string(out: &mut String, text: &str) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a String never fails.
            c if c < ' ' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wrong(text: &str, expect: &str, at: usize) {
        let e = read(text).unwrap_err();
        assert_eq!((e.message.as_str(), e.span.start), (expect, at), "{text}");
    }

    #[test]
    fn what_is_no_json_is_told_where() {
        wrong("", "a value is missing", 0);
        wrong("[1 2]", "a comma or ] is missing", 3);
        wrong("[1,]", "no JSON begins so", 3);
        wrong("{\"a\" 1}", "a colon is missing after a key", 5);
        wrong("{a: 1}", "a key is missing", 1);
        wrong("{\"a\":1,\"a\":2}", "the key \"a\" stands twice", 7);
        wrong("01", "01 is no number", 0);
        wrong("1.", "1. is no number", 0);
        wrong("-", "- is no number", 0);
        wrong("\"a", "a string is never closed", 0);
        wrong("\"\\x\"", "an escape that JSON does not know", 1);
        wrong("\"\\ud800\"", "an escape that JSON does not know", 1);
        wrong("\"a\nb\"", "a control character in a string", 2);
        wrong("1 2", "there is more after the value", 2);
        wrong("é", "no JSON begins so", 0);
        wrong(&"[".repeat(100_000), "values are nested more than 256 deep", 257);
    }

    #[test]
    fn values_know_where_they_stood() {
        let json = read(" {\"a\": [1, \"\\u00e9\\ud83d\\ude00\\n\"]} ").unwrap();
        let Kind::Object(pairs) = &json.kind else { return assert_eq!(json.kind, Kind::Null) };
        assert_eq!((json.span.start, pairs[0].0.text.as_str()), (1, "a"));
        let Kind::Array(all) = &pairs[0].1.kind else { return assert_eq!(json.kind, Kind::Null) };
        assert_eq!(
            all[0],
            Json { kind: Kind::Number("1".into()), span: Span { start: 8, end: 9 } }
        );
        assert_eq!(all[1].kind, Kind::String("é😀\n".into()));
        let mut out = String::new();
        string(&mut out, "a\"\\\n\r\t\u{1}é");
        assert_eq!(out, "\"a\\\"\\\\\\n\\r\\t\\u0001é\"");
    }
}
