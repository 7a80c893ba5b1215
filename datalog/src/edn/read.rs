//! Text to nodes. Hostile text ends in an error: depth, digits and size are bounded.

use super::number::number;
use super::{EdnError, Form, Node, Span, from_base64};
use chrono::DateTime;
use daodb_storage::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// Deeper nesting is nobody's data, and would end the stack of a recursive reader.
const DEPTH: usize = 256;
/// A form takes some fifty times the room of its shortest text: more of them are refused before they fill the memory.
pub const FORMS: usize = 2 << 20;

/// The one form of a text.
pub fn read(text: &str) -> Result<Node, EdnError> {
    let mut reader = Reader { text, at: 0, forms: 0 };
    let node = match reader.next(0)? {
        Some(node) => node,
        None => {
            return Err(error("there is no form", reader.here(), Some("write one, such as []")));
        }
    };
    match reader.next(0)? {
        None => Ok(node),
        Some(more) => {
            Err(error("there is more than one form", more.span, Some("put them into one vector")))
        }
    }
}

/// All forms of a text, one after the other.
pub fn read_all(text: &str) -> Result<Vec<Node>, EdnError> {
    let mut reader = Reader { text, at: 0, forms: 0 };
    let mut nodes = Vec::new();
    while let Some(node) = reader.next(0)? {
        nodes.push(node);
    }
    Ok(nodes)
}

fn error(message: impl Into<String>, span: Span, hint: Option<&str>) -> EdnError {
    EdnError { message: message.into(), hint: hint.map(str::to_owned), span }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Read so far.
    forms: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn here(&self) -> Span {
        Span { start: self.at, end: self.at }
    }

    fn since(&self, start: usize) -> Span {
        Span { start, end: self.at }
    }

    /// Past spaces, commas and comments.
    fn skip(&mut self) {
        while let Some(c) = self.peek() {
            if c == ';' {
                let rest = &self.text[self.at..];
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if c.is_whitespace() || c == ',' {
                self.take();
            } else {
                return;
            }
        }
    }

    /// Up to what cannot stand in a name or a number.
    fn token(&mut self) -> &'a str {
        let ends = |c: char| c.is_whitespace() || "()[]{}\",;".contains(c);
        let rest = &self.text[self.at..];
        let end = rest.find(ends).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// The next form; None at the end of the text and before a closing bracket.
    fn next(&mut self, depth: usize) -> Result<Option<Node>, EdnError> {
        loop {
            self.skip();
            let start = self.at;
            let Some(c) = self.peek() else { return Ok(None) };
            if matches!(c, ')' | ']' | '}') {
                if depth == 0 {
                    return Err(error(format!("{c} closes nothing"), self.here(), None));
                }
                return Ok(None);
            }
            if depth > DEPTH {
                return Err(error(
                    format!("forms are nested more than {DEPTH} deep"),
                    self.here(),
                    None,
                ));
            }
            if self.text[start..].starts_with("#_") {
                self.at += 2;
                self.required(depth, start, "#_ hides the form after it, and there is none")?;
                continue;
            }
            self.forms += 1;
            if self.forms > FORMS {
                let hint = Some("split the text");
                return Err(error(format!("more than {FORMS} forms"), self.here(), hint));
            }
            let form = self.form(c, depth)?;
            return Ok(Some(Node { form, span: self.since(start) }));
        }
    }

    fn required(&mut self, depth: usize, start: usize, message: &str) -> Result<Node, EdnError> {
        let node = self.next(depth + 1)?;
        node.ok_or_else(|| error(message, self.since(start), None))
    }

    fn form(&mut self, c: char, depth: usize) -> Result<Form, EdnError> {
        let start = self.at;
        match c {
            '(' => self.nodes(')', depth).map(Form::List),
            '[' => self.nodes(']', depth).map(Form::Vector),
            '{' => self.map(depth, None),
            '"' => self.string().map(|s| Form::Value(Value::string(s))),
            '\\' => self.character(),
            '#' => self.dispatch(depth),
            _ => {
                let token = self.token().to_owned();
                atom(&token).map_err(|(message, hint)| error(message, self.since(start), hint))
            }
        }
    }

    /// Up to the bracket that closes the one that stands here.
    fn nodes(&mut self, close: char, depth: usize) -> Result<Vec<Node>, EdnError> {
        let start = self.at;
        let open = self.take().unwrap_or_default();
        let mut nodes = Vec::new();
        while let Some(node) = self.next(depth + 1)? {
            nodes.push(node);
        }
        match self.peek() {
            Some(c) if c == close => {
                self.take();
                Ok(nodes)
            }
            Some(c) => {
                let message = format!("{c} stands where {close} closes {open}");
                Err(error(message, self.here(), None))
            }
            None => {
                let span = Span { start, end: start + 1 };
                Err(error(format!("{open} is never closed"), span, Some("close it")))
            }
        }
    }

    fn map(&mut self, depth: usize, namespace: Option<&str>) -> Result<Form, EdnError> {
        let start = self.at;
        let nodes = self.nodes('}', depth)?;
        if !nodes.len().is_multiple_of(2) {
            let hint = "a map has a value for each key";
            return Err(error("a map of an odd number of forms", self.since(start), Some(hint)));
        }
        let mut pairs = Vec::with_capacity(nodes.len() / 2);
        let mut nodes = nodes.into_iter();
        while let (Some(mut key), Some(value)) = (nodes.next(), nodes.next()) {
            if let Some(namespace) = namespace {
                key.form = qualified(key.form, namespace);
            }
            pairs.push((key, value));
        }
        once(pairs.iter().map(|(key, _)| key), "the key")?;
        Ok(Form::Map(pairs))
    }

    /// What `#` begins.
    fn dispatch(&mut self, depth: usize) -> Result<Form, EdnError> {
        let start = self.at;
        self.take();
        match self.peek() {
            Some('{') => {
                let nodes = self.nodes('}', depth)?;
                once(nodes.iter(), "the element")?;
                Ok(Form::Set(nodes))
            }
            Some('#') => {
                self.take();
                let number = match self.token() {
                    "NaN" => f64::NAN,
                    "Inf" => f64::INFINITY,
                    "-Inf" => f64::NEG_INFINITY,
                    other => {
                        let message = format!("##{other} is no number");
                        let hint = Some("##NaN, ##Inf or ##-Inf");
                        return Err(error(message, self.since(start), hint));
                    }
                };
                Ok(Form::Value(Value::Double(number)))
            }
            Some(':') => {
                self.take();
                let namespace = self.token().to_owned();
                self.skip();
                match self.peek() == Some('{') && is_name(&namespace) {
                    true => self.map(depth, Some(&namespace)),
                    false => Err(error(
                        "#: begins a map with a namespace, as #:a{:b 1}",
                        self.since(start),
                        None,
                    )),
                }
            }
            Some(c) if c.is_alphabetic() => {
                let tag = self.token().to_owned();
                let none = format!("#{tag} says what the form after it is, and there is none");
                let node = self.required(depth, start, &none)?;
                tagged(&tag, node).map_err(|message| error(message, self.since(start), None))
            }
            _ => {
                self.token();
                let hint = "#{...} is a set, #tag form a tagged form, #_ hides a form";
                Err(error("# begins nothing that EDN knows", self.since(start), Some(hint)))
            }
        }
    }

    fn string(&mut self) -> Result<String, EdnError> {
        let start = self.at;
        self.take();
        let mut out = String::new();
        loop {
            let at = self.at;
            match self.take() {
                None => {
                    let span = Span { start, end: start + 1 };
                    return Err(error("a string is never closed", span, Some("close it with \"")));
                }
                Some('"') => return Ok(out),
                Some('\\') => match self.escape() {
                    Some(c) => out.push(c),
                    None => {
                        let hint =
                            Some("\\t \\r \\n \\b \\f \\\" \\\\ \\u and four hexadecimal digits");
                        return Err(error(
                            "an escape that EDN does not know",
                            self.since(at),
                            hint,
                        ));
                    }
                },
                Some(c) => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        match self.take()? {
            't' => Some('\t'),
            'r' => Some('\r'),
            'n' => Some('\n'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            '"' => Some('"'),
            '\\' => Some('\\'),
            'u' => {
                let first = self.unit()?;
                // Letters beyond the first plane are two units, as Java writes them.
                if (0xd800..0xdc00).contains(&first) {
                    self.text[self.at..].starts_with("\\u").then(|| self.at += 2)?;
                    let second = self.unit()?;
                    return char::decode_utf16([first, second]).next()?.ok();
                }
                char::from_u32(u32::from(first))
            }
            c @ '0'..='7' => {
                let mut code = c.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    self.take();
                    code = code * 8 + digit;
                }
                if code > 0o377 { None } else { char::from_u32(code) }
            }
            _ => None,
        }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
        self.at += if all { 4 } else { 0 };
        if all { u16::from_str_radix(digits, 16).ok() } else { None }
    }

    /// `\a`, `\newline`, `\u0041`
    fn character(&mut self) -> Result<Form, EdnError> {
        let start = self.at;
        self.take();
        // What follows the backslash is a character even where it would end a token.
        let first = self.take();
        let rest = self.token().to_owned();
        let Some(first) = first else {
            return Err(error("a backslash with no character after it", self.since(start), None));
        };
        if rest.is_empty() {
            return Ok(Form::Char(first));
        }
        let c = match format!("{first}{rest}").as_str() {
            "newline" => Some('\n'),
            "return" => Some('\r'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "backspace" => Some('\u{8}'),
            "formfeed" => Some('\u{c}'),
            name => match (first, rest.len()) {
                ('u', 4) => u32::from_str_radix(&rest, 16).ok().and_then(char::from_u32),
                ('o', 1..=3) => u32::from_str_radix(&rest, 8)
                    .ok()
                    .filter(|code| *code <= 0o377)
                    .and_then(char::from_u32),
                _ => {
                    let message = format!("\\{name} is no character");
                    return Err(error(message, self.since(start), None));
                }
            },
        };
        c.map(Form::Char)
            .ok_or_else(|| error("a character that does not exist", self.since(start), None))
    }
}

/// Nothing stands twice among keys or elements.
fn once<'a>(nodes: impl ExactSizeIterator<Item = &'a Node>, what: &str) -> Result<(), EdnError> {
    let mut seen = HashSet::with_capacity(nodes.len());
    for node in nodes {
        let text = node.to_string();
        if seen.contains(&text) {
            return Err(error(format!("{what} {text} stands twice"), node.span, None));
        }
        seen.insert(text);
    }
    Ok(())
}

/// A key of `#:namespace{...}`: without a namespace it gets it, `_/` takes it away.
fn qualified(form: Form, namespace: &str) -> Form {
    let name = |text: &str| match text.strip_prefix("_/") {
        Some(bare) => bare.to_owned(),
        None if text.contains('/') => text.to_owned(),
        None => format!("{namespace}/{text}"),
    };
    match form {
        Form::Value(Value::Keyword(k)) => Form::Value(Value::keyword(name(&k[1..]))),
        Form::Value(Value::Symbol(s)) => Form::Value(Value::Symbol(name(&s).into())),
        other => other,
    }
}

type Wrong = (String, Option<&'static str>);

fn atom(token: &str) -> Result<Form, Wrong> {
    match token {
        "nil" => return Ok(Form::Nil),
        "true" => return Ok(Form::Value(Value::Boolean(true))),
        "false" => return Ok(Form::Value(Value::Boolean(false))),
        _ => {}
    }
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    if unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return number(token).map(Form::Value).map_err(|message| (message, None));
    }
    if let Some(name) = token.strip_prefix(':') {
        return match is_keyword(name) {
            true => Ok(Form::Value(Value::Keyword(token.into()))),
            false => Err((format!("{token} is no keyword"), Some("as :name or :namespace/name"))),
        };
    }
    match is_name(token) {
        true => Ok(Form::Value(Value::Symbol(token.into()))),
        false => Err((format!("{token} is no symbol"), Some("a text stands in double quotes"))),
    }
}

fn is_keyword(name: &str) -> bool {
    !name.starts_with([':', '/']) && parts(name)
}

fn is_name(name: &str) -> bool {
    let signed = name.strip_prefix(['+', '-', '.']).unwrap_or(name);
    if signed.len() < name.len() && signed.starts_with(|c: char| c.is_numeric()) {
        return false;
    }
    let begins = |c: char| !c.is_numeric() && !":#'".contains(c);
    name == "/" || (name.starts_with(begins) && parts(name))
}

/// `name` or `namespace/name` of letters that may stand in one.
fn parts(name: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || "*+!_?$%&=<>-.:#'|".contains(c);
    let part = |text: &str| !text.is_empty() && text.chars().all(letter) && !text.ends_with(':');
    match name.split_once('/') {
        Some((namespace, rest)) => part(namespace) && (rest == "/" || part(rest)),
        None => part(name),
    }
}

/// The tags of EDN and our own; others are handed on as they stand.
/// What a tag makes of the form after it; the error says what it expects.
pub fn tagged(tag: &str, node: Node) -> Result<Form, String> {
    let text = node.string();
    let value = match (tag, text) {
        ("inst", Some(text)) => instant(text).map(Value::Instant),
        ("uuid", Some(text)) => Uuid::try_parse(text).ok().map(Value::Uuid),
        ("dao/uri" | "uri", Some(text)) => Some(Value::Uri(text.into())),
        ("dao/bytes", Some(text)) => from_base64(text).map(|b| Value::Bytes(b.into())),
        ("dao/keyword", Some(text)) => Some(Value::keyword(format!(":{text}"))),
        ("dao/symbol", Some(text)) => Some(Value::Symbol(text.into())),
        ("dao/instant" | "dao/ref", None) => match (&node.form, tag) {
            (Form::Value(Value::Long(n)), "dao/ref") => Some(Value::Ref(*n)),
            (Form::Value(Value::Long(n)), _) => Some(Value::Instant(*n)),
            _ => None,
        },
        ("inst" | "uuid" | "uri" | "dao/uri" | "dao/bytes" | "dao/keyword" | "dao/symbol", _)
        | ("dao/instant" | "dao/ref", _) => None,
        _ => return Ok(Form::Tagged(tag.into(), Box::new(node))),
    };
    value.map(Form::Value).ok_or_else(|| {
        let expected = match tag {
            "inst" => "an instant in double quotes, as \"2026-01-01T00:00:00Z\"",
            "uuid" => "a uuid in double quotes",
            "dao/bytes" => "base64 in double quotes",
            "dao/instant" => "microseconds since 1970",
            "dao/ref" => "an entity id",
            _ => "a text in double quotes",
        };
        format!("#{tag} {node}: expected {expected}")
    })
}

/// RFC 3339 with parts left out, as Clojure reads it: the year alone is enough, and UTC where no zone is named.
pub(crate) fn instant(text: &str) -> Option<i64> {
    const WHOLE: &str = "0000-01-01T00:00:00";
    let full = match text.len() {
        4 | 7 | 10 | 13 | 16 if text.is_ascii() => format!("{text}{}Z", &WHOLE[text.len()..]),
        _ if text.ends_with(['Z', 'z']) => text.to_owned(),
        _ if text.get(19..).is_some_and(|zone| zone.contains(['+', '-'])) => text.to_owned(),
        _ => format!("{text}Z"),
    };
    DateTime::parse_from_rfc3339(&full).ok().map(|t| t.timestamp_micros())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Read and written again.
    fn check(text: &str, expect: &str) {
        assert_eq!(read(text).map(|n| n.to_string()).as_deref(), Ok(expect), "{text}");
    }

    /// The message, and what the span covers.
    fn refused(text: &str, expect: &str, at: &str) {
        let e = read(text).unwrap_err();
        assert_eq!((e.message.as_str(), &text[e.span.start..e.span.end]), (expect, at), "{text}");
    }

    #[test]
    fn scalars() {
        for same in [
            "nil",
            "true",
            "-1",
            "12N",
            "1.5",
            "1.50M",
            "1e300",
            "\"a\\n\"",
            ":a",
            ":a.b/c-d",
            "a/b",
            "/",
            "...",
            "-",
            "##NaN",
            "##-Inf",
            "\\a",
            "\\newline",
            "\\space",
            "?x",
            "$",
            "%",
            "_",
            "<=",
            "a'",
            "#uuid \"6f2a0e7c-5f0e-4d43-9f5a-000000000001\"",
            "#inst \"2026-01-01T00:00:00.123456Z\"",
            "#dao/bytes \"AP8=\"",
            "#dao/keyword \"a b\"",
            "#dao/ref 4294967296",
            "#dao/instant 9223372036854775807",
        ] {
            check(same, same);
        }
        check("+7", "7");
        check("9223372036854775808", "9223372036854775808N");
        check("1.", "1.0");
        check("-0.0", "-0.0");
        check("1M", "1M");
        check("\"\\u00e9\\ud83d\\ude00\\101\"", "\"é😀A\"");
        check("\\u0041", "\\A");
        check("\\o101", "\\A");
        check("\\(", "\\(");
        check("#inst \"2026\"", "#inst \"2026-01-01T00:00:00Z\"");
        check("#inst \"2026-01-01T02:00:00+02:00\"", "#inst \"2026-01-01T00:00:00Z\"");
        check("#inst \"2026-01-01T00:00:00.5\"", "#inst \"2026-01-01T00:00:00.500Z\"");
    }

    #[test]
    fn collections() {
        check("[1, 2 ;three\n (3) #_ 4]", "[1 2 (3)]");
        check("{:a 1 :b {}}", "{:a 1, :b {}}");
        check("#{1 #{2}}", "#{1 #{2}}");
        check("#:p{:a 1 :q/b 2 :_/c 3}", "{:p/a 1, :q/b 2, :c 3}");
        check("#my/tag [1]", "#my/tag [1]");
        check("[#_#_ 1 2 3]", "[3]");
        check("[[1][2]\"a\"(3)]", "[[1] [2] \"a\" (3)]");
        assert_eq!(read_all("1 [2]").unwrap().len(), 2);
        assert!(read_all(" ; nothing").unwrap().is_empty());
    }

    #[test]
    fn wrong_text_says_what_and_where() {
        refused("", "there is no form", "");
        refused("1 2", "there is more than one form", "2");
        refused("[1 (2", "( is never closed", "(");
        refused("[1)", ") stands where ] closes [", "");
        refused("]", "] closes nothing", "");
        refused("\"a", "a string is never closed", "\"");
        refused("\"\\q\"", "an escape that EDN does not know", "\\q");
        refused("\"\\ud800\"", "an escape that EDN does not know", "\\ud800");
        refused("{:a}", "a map of an odd number of forms", "{:a}");
        refused("{:a 1 :a 2}", "the key :a stands twice", ":a");
        refused("#{1 1}", "the element 1 stands twice", "1");
        refused("[1x]", "1x is no number", "1x");
        refused("012", "012 begins with a zero", "012");
        refused("::a", "::a is no keyword", "::a");
        refused(":a/", ":a/ is no keyword", ":a/");
        refused("1e999999M", "1e999999M has an exponent beyond 100000", "1e999999M");
        refused("#uuid 1", "#uuid 1: expected a uuid in double quotes", "#uuid 1");
        refused("[#_]", "#_ hides the form after it, and there is none", "#_");
        refused("\\", "a backslash with no character after it", "\\");
        refused("@a", "@a is no symbol", "@a");
        refused("[.5a]", ".5a is no symbol", ".5a");
        let deep = "[".repeat(100_000);
        assert_eq!(read(&deep).unwrap_err().message, "forms are nested more than 256 deep");
        let deep = "#a ".repeat(100_000);
        assert_eq!(read(&deep).unwrap_err().message, "forms are nested more than 256 deep");
        let deep = "#_ ".repeat(100_000);
        assert_eq!(read(&deep).unwrap_err().message, "forms are nested more than 256 deep");
        let many = format!("[{}]", "1 ".repeat(FORMS));
        assert_eq!(read(&many).unwrap_err().message, "more than 2097152 forms");
    }

    #[test]
    fn lines_and_columns() {
        let text = "[1\n éé 012]";
        let e = read(text).unwrap_err();
        assert_eq!(e.span.line_column(text), (2, 5));
    }
}
