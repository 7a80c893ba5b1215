//! Forms, values and datoms as EDN that Clojure's reader reads and nothing is lost in.
//!
//! | value | EDN |
//! |---|---|
//! | boolean, long, double, string | as they are; `##NaN`, `##Inf`, `##-Inf` |
//! | bigint, bigdec | `12N`, `1.50M` |
//! | keyword, symbol | as they are, where the reader takes them; else `#dao/keyword "..."`, `#dao/symbol "..."` |
//! | instant | `#inst "2026-01-01T00:00:00.123456Z"`; outside of the years 0 to 9999 `#dao/instant` and its microseconds |
//! | uuid, uri, ref | `#uuid "..."`, `#dao/uri "..."`, `#dao/ref 4294967296` |
//! | bytes | `#dao/bytes "base64"` |
//! | tuple | a vector, `nil` where a component is absent |

use super::{Form, Node, base64};
use daodb_storage::value::{bigdec_text, instant_text};
use daodb_storage::{Datom, Value};
use std::fmt::Write;

/// 0000-01-01 and 10000-01-01, µs: between them an instant's text is what `#inst` takes.
const CALENDAR: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_300_800_000_000;

/// The text of an instant that `#inst` takes; None outside of the years 0 to 9999.
pub fn calendar_text(us: i64) -> Option<String> {
    CALENDAR.contains(&us).then(|| instant_text(us))
}

/// `[e a v t m added]` and the end of the line.
pub fn datom(out: &mut String, d: &Datom) {
    // Writing to a String never fails.
    let _ = write!(out, "[{} ", d.e);
    keyword(out, d.a.as_str());
    out.push(' ');
    value(out, &d.v);
    let _ = writeln!(out, " {} {} {}]", d.t, d.m, d.added);
}

pub fn value(out: &mut String, v: &Value) {
    let _ = match v {
        Value::Boolean(b) => write!(out, "{b}"),
        Value::Long(n) => write!(out, "{n}"),
        Value::Bigint(n) => write!(out, "{n}N"),
        Value::Double(_) => write!(out, "{v}"),
        Value::Bigdec(d) => write!(out, "{}M", bigdec_text(d)),
        Value::Instant(us) if CALENDAR.contains(us) => {
            write!(out, "#inst \"{}\"", instant_text(*us))
        }
        Value::Instant(us) => write!(out, "#dao/instant {us}"),
        Value::Ref(e) => write!(out, "#dao/ref {e}"),
        Value::String(s) => return string(out, s),
        Value::Keyword(s) => return keyword(out, s),
        Value::Symbol(s) => return symbol(out, s),
        Value::Uri(s) => return tagged(out, "uri", s),
        Value::Uuid(u) => write!(out, "#uuid \"{u}\""),
        Value::Bytes(b) => return tagged(out, "bytes", &base64(b)),
        Value::Tuple(parts) => return tuple(out, parts),
    };
}

fn tuple(out: &mut String, parts: &[Option<Value>]) {
    out.push('[');
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        match part {
            Some(v) => value(out, v),
            None => out.push_str("nil"),
        }
    }
    out.push(']');
}

fn tagged(out: &mut String, tag: &str, text: &str) {
    let _ = write!(out, "#dao/{tag} ");
    string(out, text);
}

pub fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `text` with its colon.
pub fn keyword(out: &mut String, text: &str) {
    let name = text.strip_prefix(':').unwrap_or(text);
    match is_name(name) {
        true => {
            let _ = write!(out, ":{name}");
        }
        false => tagged(out, "keyword", name),
    }
}

fn symbol(out: &mut String, text: &str) {
    let signed = text.strip_prefix(['+', '-', '.']).unwrap_or(text);
    let number = signed.starts_with(char::is_numeric);
    let plain = (text == "/" || is_name(text)) && !number;
    match plain && !matches!(text, "nil" | "true" | "false") {
        true => out.push_str(text),
        false => tagged(out, "symbol", text),
    }
}

/// Whether every reader takes it for one name: `name` or `namespace/name`.
fn is_name(text: &str) -> bool {
    let mut parts = text.split('/');
    let (first, second, more) = (parts.next(), parts.next(), parts.next());
    more.is_none() && [first, second].into_iter().flatten().all(is_part)
}

fn is_part(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "*+!_?$%&=<>-.'".contains(c);
    let begins = |c: char| !c.is_numeric() && c != '\'';
    text.starts_with(begins) && text.chars().all(plain)
}

/// A form on one line.
pub fn form(out: &mut String, f: &Form) {
    match f {
        Form::Nil => out.push_str("nil"),
        Form::Value(v) => value(out, v),
        Form::Char(c) => character(out, *c),
        Form::List(nodes) => nodes_between(out, "(", nodes, ")"),
        Form::Vector(nodes) => nodes_between(out, "[", nodes, "]"),
        Form::Set(nodes) => nodes_between(out, "#{", nodes, "}"),
        Form::Map(pairs) => {
            out.push('{');
            for (i, (key, v)) in pairs.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                form(out, &key.form);
                out.push(' ');
                form(out, &v.form);
            }
            out.push('}');
        }
        Form::Tagged(tag, node) => {
            let _ = write!(out, "#{tag} ");
            form(out, &node.form);
        }
    }
}

fn nodes_between(out: &mut String, open: &str, nodes: &[Node], close: &str) {
    out.push_str(open);
    for (i, node) in nodes.iter().enumerate() {
        out.push_str(if i > 0 { " " } else { "" });
        form(out, &node.form);
    }
    out.push_str(close);
}

fn character(out: &mut String, c: char) {
    let _ = match c {
        '\n' => write!(out, "\\newline"),
        '\r' => write!(out, "\\return"),
        ' ' => write!(out, "\\space"),
        '\t' => write!(out, "\\tab"),
        c if c.is_control() || c.is_whitespace() => write!(out, "\\u{:04x}", u32::from(c)),
        c => write!(out, "\\{c}"),
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use daodb_storage::Attr;

    fn check(v: Value, expect: &str) {
        let mut out = String::new();
        value(&mut out, &v);
        assert_eq!(out, expect);
    }

    #[test]
    fn values() {
        check(Value::Boolean(true), "true");
        check(Value::Long(i64::MIN), "-9223372036854775808");
        check(Value::Double(1.0), "1.0");
        check(Value::Double(1e300), "1e300");
        check(Value::Double(-0.0), "-0.0");
        check(Value::Double(f64::NAN), "##NaN");
        check(Value::Double(f64::NEG_INFINITY), "##-Inf");
        check(Value::string("a \"b\"\\\n\t\r\0é"), "\"a \\\"b\\\"\\\\\\n\\t\\r\\u0000é\"");
        check(Value::keyword(":a.b/c-d"), ":a.b/c-d");
        check(Value::keyword(":é/ü"), ":é/ü");
        check(Value::keyword(":a b"), "#dao/keyword \"a b\"");
        check(Value::keyword(":1a"), "#dao/keyword \"1a\"");
        check(Value::keyword(":a/b/c"), "#dao/keyword \"a/b/c\"");
        check(Value::keyword(":a/"), "#dao/keyword \"a/\"");
        check(Value::Symbol("x".into()), "x");
        check(Value::Symbol("nil".into()), "#dao/symbol \"nil\"");
        check(Value::Symbol("-1".into()), "#dao/symbol \"-1\"");
        check(Value::Symbol("".into()), "#dao/symbol \"\"");
        check(Value::Uri("http://a".into()), "#dao/uri \"http://a\"");
        check(Value::Ref(4_294_967_296), "#dao/ref 4294967296");
        check(Value::Instant(1_767_225_600_123_456), "#inst \"2026-01-01T00:00:00.123456Z\"");
        check(Value::Instant(0), "#inst \"1970-01-01T00:00:00Z\"");
        check(Value::Instant(i64::MAX), "#dao/instant 9223372036854775807");
        check(Value::Instant(CALENDAR.start), "#inst \"0000-01-01T00:00:00Z\"");
        check(Value::Instant(CALENDAR.end - 1), "#inst \"9999-12-31T23:59:59.999999Z\"");
        check(Value::Tuple([Some(Value::Long(1)), None].into()), "[1 nil]");
    }

    #[test]
    fn bytes_as_base64() {
        check(Value::Bytes([0, 255].as_slice().into()), "#dao/bytes \"AP8=\"");
    }

    #[test]
    fn a_datom_is_a_line() {
        let v = Value::string("x\ny");
        let d = Datom { e: 1 << 32, a: Attr::new(":p/name"), v, t: 1000, m: 0, added: false };
        let mut out = String::new();
        datom(&mut out, &d);
        assert_eq!(out, "[4294967296 :p/name \"x\\ny\" 1000 0 false]\n");
    }
}
