//! Text to nodes. Hostile text ends in an error: depth, digits and size are bounded.

use super::instant::instant;
use super::number::number;
use super::{EdnError, Form, Node, Span, from_base64};
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
    EdnError::new(message, span, hint)
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
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else if is_space(c) {
                self.take();
            } else {
                return;
            }
        }
    }

    /// Up to what cannot stand in a name or a number.
    fn token(&mut self) -> &'a str {
        let ends = |c: char| is_space(c) || "()[]{}\";^".contains(c);
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
            if c == '^' {
                return self.hinted(depth).map(Some);
            }
            let form = self.form(c, depth)?;
            return Ok(Some(Node { form, span: self.since(start) }));
        }
    }

    fn required(&mut self, depth: usize, start: usize, message: &str) -> Result<Node, EdnError> {
        let node = self.next(depth + 1)?;
        node.ok_or_else(|| error(message, self.since(start), None))
    }

    /// `^long ?x`: metadata tells Clojure's compiler, or its programs, of a form; as a value the form is itself.
    fn hinted(&mut self, depth: usize) -> Result<Node, EdnError> {
        let start = self.at;
        self.take();
        let none = "^ tells of the form after its own, and there is none";
        let told = self.required(depth, start, none)?;
        if !matches!(
            told.form,
            Form::Map(_) | Form::Value(Value::Symbol(_) | Value::Keyword(_) | Value::String(_))
        ) {
            let hint = Some("metadata is a symbol, a keyword, a string or a map, as in ^long ?x");
            return Err(error("^ begins no metadata", told.span, hint));
        }
        let node = self.required(depth, start, none)?;
        match node.form {
            Form::Value(Value::Symbol(_))
            | Form::List(_)
            | Form::Vector(_)
            | Form::Map(_)
            | Form::Set(_) => Ok(node),
            _ => Err(error("only symbols and collections have metadata", node.span, None)),
        }
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
            // A name within a tag is whole.
            let plain = !self.text[key.span.start..].starts_with('#');
            if let Some(namespace) = namespace.filter(|_| plain) {
                key.form = qualified(key.form, namespace);
            }
            pairs.push((key, value));
        }
        map(pairs)
    }

    /// What `#` begins.
    fn dispatch(&mut self, depth: usize) -> Result<Form, EdnError> {
        let start = self.at;
        self.take();
        match self.peek() {
            Some('{') => set(self.nodes('}', depth)?),
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
                while self.peek().is_some_and(is_space) {
                    self.take();
                }
                match self.peek() == Some('{') && is_tag(&namespace) && !namespace.contains('/') {
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
                if !is_tag(&tag) {
                    let hint = Some("a tag is a symbol, as #my/tag form");
                    return Err(error(format!("#{tag} is no tag"), self.since(start), hint));
                }
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
                let mut digits = 1;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    self.take();
                    code = code * 8 + digit;
                    digits += 1;
                }
                // Fewer than three digits end where a token does, or it would not be clear where they end.
                let open = |c: char| !is_space(c) && !"()[]{}\";^\\#".contains(c);
                if digits < 3 && self.peek().is_some_and(open) {
                    return None;
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
            return character(first.encode_utf8(&mut [0; 4])).ok_or_else(|| {
                let message = format!("\\{first} is no character but a pair of them");
                error(message, self.since(start), Some("write it as a string"))
            });
        }
        let c = match format!("{first}{rest}").as_str() {
            "newline" => Some('\n'),
            "return" => Some('\r'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "backspace" => Some('\u{8}'),
            "formfeed" => Some('\u{c}'),
            name => match (first, rest.len()) {
                ('u', 4) => digits(&rest, 16).and_then(char::from_u32),
                ('o', 1..=3) => {
                    digits(&rest, 8).filter(|code| *code <= 0o377).and_then(char::from_u32)
                }
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

/// Java's white space, and the comma.
fn is_space(c: char) -> bool {
    let other = matches!(c, '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}');
    c == ',' || (c.is_whitespace() && !other) || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// A number of digits alone, without a sign.
fn digits(text: &str, radix: u32) -> Option<u32> {
    let all = text.chars().all(|c| c.is_digit(radix));
    if all { u32::from_str_radix(text, radix).ok() } else { None }
}

/// A map whose keys differ.
pub fn map(pairs: Vec<(Node, Node)>) -> Result<Form, EdnError> {
    once(pairs.iter().map(|(key, _)| key), "the key")?;
    Ok(Form::Map(pairs))
}

/// A set whose elements differ.
pub fn set(nodes: Vec<Node>) -> Result<Form, EdnError> {
    once(nodes.iter(), "the element")?;
    Ok(Form::Set(nodes))
}

/// A text of one character, which is one unit of UTF-16 as Clojure's are; None: it is none.
pub fn character(text: &str) -> Option<Form> {
    let mut chars = text.chars();
    let (first, None) = (chars.next()?, chars.next()) else { return None };
    (u32::from(first) <= 0xffff).then_some(Form::Char(first))
}

/// Nothing stands twice among keys or elements.
fn once<'a>(nodes: impl ExactSizeIterator<Item = &'a Node>, what: &str) -> Result<(), EdnError> {
    if nodes.len() < 2 {
        return Ok(());
    }
    let mut seen = HashSet::with_capacity(nodes.len());
    for node in nodes {
        if !seen.insert(same(&node.form)) {
            return Err(error(format!("{what} {node} stands twice"), node.span, None));
        }
    }
    Ok(())
}

/// A text that two forms have in common where Clojure's `=` holds them equal: 1 and 1N, a list and a vector, sets in any order.
fn same(form: &Form) -> String {
    let all = |nodes: &[Node]| nodes.iter().map(|node| same(&node.form)).collect::<Vec<_>>();
    let sorted = |mut texts: Vec<String>| {
        texts.sort_unstable();
        texts.join(" ")
    };
    match form {
        Form::Value(Value::Bigint(n)) => n.to_string(),
        Form::Value(Value::Double(0.0)) => "0.0".to_owned(),
        // Zeros at the end say nothing of the value; written out they might be many.
        Form::Value(Value::Bigdec(d)) => {
            let (digits, scale) = d.normalized().into_bigint_and_exponent();
            format!("{digits}M{scale}")
        }
        Form::List(nodes) | Form::Vector(nodes) => format!("[{}]", all(nodes).join(" ")),
        Form::Set(nodes) => format!("#{{{}}}", sorted(all(nodes))),
        Form::Map(pairs) => {
            let pair = |(k, v): &(Node, Node)| format!("{} {}", same(&k.form), same(&v.form));
            format!("{{{}}}", sorted(pairs.iter().map(pair).collect()))
        }
        Form::Tagged(tag, node) => format!("#{tag} {}", same(&node.form)),
        Form::Nil | Form::Value(_) | Form::Char(_) => form.to_string(),
    }
}

/// A key of `#:namespace{...}`: without a namespace it gets it, `_/` takes it away.
fn qualified(form: Form, namespace: &str) -> Form {
    let name = |text: &str| match text.strip_prefix("_/") {
        Some(bare) => bare.to_owned(),
        None if text.contains('/') && text != "/" => text.to_owned(),
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

/// What may follow a `#`.
fn is_tag(name: &str) -> bool {
    // A letter of Latin 1: at others Clojure's reader fails.
    let begins = name.starts_with(|c: char| c.is_alphabetic() && u32::from(c) < 0x100);
    begins && is_name(name) && !matches!(name, "nil" | "true" | "false")
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
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    !name.contains("::")
        && match name.split_once('/') {
            Some((namespace, rest)) => {
                part(namespace) && (rest == "/" || (part(rest) && !digit(rest)))
            }
            None => part(name),
        }
}

/// A tag that nothing is made of here.
pub fn other_tag(tag: &str, node: Node) -> Result<Form, String> {
    match is_tag(tag) {
        true => Ok(Form::Tagged(tag.into(), Box::new(node))),
        false => Err(format!("#{tag} is no tag")),
    }
}

/// What a tag makes of the form after it: those of EDN and our own; others are handed on as they stand. The error says what it
/// expects.
pub fn tagged(tag: &str, node: Node) -> Result<Form, String> {
    let text = node.string();
    let value = match (tag, text) {
        ("inst", Some(text)) => instant(text).map(Value::Instant),
        // Not in braces, as a URN, or without hyphens.
        ("uuid", Some(text)) if text.len() == 36 => Uuid::try_parse(text).ok().map(Value::Uuid),
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
        _ => return other_tag(tag, node),
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
        check("[^long ?x^{:a 1}[b] ^:c ^\"d\" (e)]", "[?x [b] (e)]");
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
        refused("^1 a", "^ begins no metadata", "1");
        refused("[^a]", "^ tells of the form after its own, and there is none", "^a");
        refused("^a 1", "only symbols and collections have metadata", "1");
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
