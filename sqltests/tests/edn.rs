//! A reader of the EDN that `daodb export` writes, apart from what writes it.

use bigdecimal::{BigDecimal, num_bigint::BigInt};
use daodb_storage::{Attr, Datom, Value};
use std::str::FromStr;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
enum Edn {
    Nil,
    Bool(bool),
    Long(i64),
    Bigint(BigInt),
    Double(f64),
    Bigdec(BigDecimal),
    String(String),
    Keyword(String),
    Symbol(String),
    Tagged(String, Box<Edn>),
    Vector(Vec<Edn>),
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', ',']);
    }

    /// Up to what cannot be in a name or a number.
    fn token(&mut self) -> String {
        let end = self.rest.find([' ', '\n', ',', '[', ']', '"']).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token.to_owned()
    }

    fn read(&mut self) -> Edn {
        self.skip();
        match self.peek().expect("a form") {
            '[' => {
                self.next();
                let mut parts = Vec::new();
                loop {
                    self.skip();
                    if self.peek() == Some(']') {
                        self.next();
                        return Edn::Vector(parts);
                    }
                    parts.push(self.read());
                }
            }
            '"' => Edn::String(self.string()),
            '#' if self.rest.starts_with("##") => match self.token().as_str() {
                "##NaN" => Edn::Double(f64::NAN),
                "##Inf" => Edn::Double(f64::INFINITY),
                "##-Inf" => Edn::Double(f64::NEG_INFINITY),
                other => panic!("{other}"),
            },
            '#' => {
                self.next();
                let tag = self.token();
                Edn::Tagged(tag, Box::new(self.read()))
            }
            _ => atom(&self.token()),
        }
    }

    fn string(&mut self) -> String {
        self.next();
        let mut out = String::new();
        loop {
            match self.next().expect("the end of a string") {
                '"' => return out,
                '\\' => out.push(match self.next().expect("an escape") {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'u' => {
                        let digits: String = (0..4).map(|_| self.next().unwrap()).collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                    }
                    c @ ('"' | '\\') => c,
                    other => panic!("\\{other}"),
                }),
                c => out.push(c),
            }
        }
    }
}

fn atom(token: &str) -> Edn {
    match token {
        "nil" => return Edn::Nil,
        "true" => return Edn::Bool(true),
        "false" => return Edn::Bool(false),
        _ => {}
    }
    if let Some(name) = token.strip_prefix(':') {
        return Edn::Keyword(name.to_owned());
    }
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Edn::Symbol(token.to_owned());
    }
    if let Some(n) = token.strip_suffix('N') {
        return Edn::Bigint(n.parse().unwrap());
    }
    if let Some(n) = token.strip_suffix('M') {
        return Edn::Bigdec(BigDecimal::from_str(n).unwrap());
    }
    match token.parse() {
        Ok(n) => Edn::Long(n),
        Err(_) => Edn::Double(token.parse().unwrap_or_else(|e| panic!("{token}: {e}"))),
    }
}

fn value(edn: Edn) -> Value {
    match edn {
        Edn::Bool(b) => Value::Boolean(b),
        Edn::Long(n) => Value::Long(n),
        Edn::Bigint(n) => Value::Bigint(Arc::new(n)),
        Edn::Double(d) => Value::Double(d),
        Edn::Bigdec(d) => Value::Bigdec(Arc::new(d)),
        Edn::String(s) => Value::string(s),
        Edn::Keyword(s) => Value::keyword(format!(":{s}")),
        Edn::Symbol(s) => Value::Symbol(s.into()),
        Edn::Vector(parts) => {
            let part = |edn| (edn != Edn::Nil).then(|| value(edn));
            Value::Tuple(parts.into_iter().map(part).collect())
        }
        Edn::Tagged(tag, of) => match (tag.as_str(), *of) {
            ("inst", Edn::String(s)) => {
                let instant = chrono::DateTime::parse_from_rfc3339(&s);
                Value::Instant(instant.unwrap_or_else(|e| panic!("{s}: {e}")).timestamp_micros())
            }
            ("uuid", Edn::String(s)) => Value::Uuid(s.parse().unwrap()),
            ("dao/instant", Edn::Long(us)) => Value::Instant(us),
            ("dao/ref", Edn::Long(e)) => Value::Ref(e),
            ("dao/uri", Edn::String(s)) => Value::Uri(s.into()),
            ("dao/keyword", Edn::String(s)) => Value::keyword(format!(":{s}")),
            ("dao/symbol", Edn::String(s)) => Value::Symbol(s.into()),
            ("dao/bytes", Edn::String(s)) => Value::Bytes(unbase64(&s).into()),
            (tag, of) => panic!("#{tag} {of:?}"),
        },
        Edn::Nil => panic!("nil is no value"),
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{text}"),
    };
    let mut out = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let digits: Vec<u8> = four.iter().filter(|c| **c != b'=').map(|c| digit(*c)).collect();
        let bits = digits.iter().fold(0_u32, |bits, d| bits << 6 | u32::from(*d));
        let bits = bits << (6 * (4 - digits.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..digits.len()]);
    }
    out
}

/// Every datom of an export.
pub fn datoms(text: &str) -> Vec<Datom> {
    let mut reader = Reader { rest: text };
    let mut datoms = Vec::new();
    loop {
        reader.skip();
        if reader.rest.is_empty() {
            return datoms;
        }
        let Edn::Vector(parts) = reader.read() else { panic!("a datom is a vector") };
        let [e, a, v, t, m, added]: [Edn; 6] = parts.try_into().unwrap();
        let Value::Keyword(a) = value(a) else { panic!("an attribute is a keyword") };
        let (Edn::Long(e), Edn::Long(t), Edn::Long(m), Edn::Bool(added)) = (e, t, m, added) else {
            panic!("e, t, m or added")
        };
        datoms.push(Datom { e, a: Attr::new(a), v: value(v), t, m, added });
    }
}

#[test]
fn reading() {
    assert_eq!(unbase64("Zm9vYg=="), b"foob");
    assert_eq!(unbase64("AP8="), [0, 255]);
    let [d] = datoms("[7 :a/b [1N nil \"x\\u0000\\\"\"] 1000 1 true]\n").try_into().unwrap();
    let one = Value::Bigint(Arc::new(BigInt::from(1)));
    assert_eq!(d.v, Value::Tuple([Some(one), None, Some(Value::string("x\0\""))].into()));
}
