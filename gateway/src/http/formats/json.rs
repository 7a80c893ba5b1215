//! JSON in which nothing is lost. Two rules beside JSON's own: a text or key that begins with a colon is a keyword, and an
//! object of one key that begins with `#` is a form that JSON has no notation for.
//!
//! | form | JSON |
//! |---|---|
//! | nil, boolean, string, double | as they are; `{"#double": "NaN"}`; a text that begins with a colon `{"#string": ":-)"}` |
//! | long | a number; beyond 2^53, where many readers lose digits, `{"#long": "9007199254740993"}` |
//! | bigint, bigdec | `{"#bigint": "12"}`, `{"#bigdec": "1.50"}` |
//! | keyword, symbol | `":person/name"`, `{"#dao/symbol": "x"}` |
//! | instant, uuid | `{"#inst": "2026-01-01T00:00:00Z"}`, `{"#uuid": "..."}` |
//! | uri, reference, bytes | `{"#dao/uri": "..."}`, `{"#dao/ref": 4294967296}`, `{"#dao/bytes": "base64"}` |
//! | vector; list, set | an array; `{"#list": []}`, `{"#set": []}` |
//! | map | an object where all keys are keywords and texts, else `{"#map": [[key, value]]}` |
//! | character, other tags | `{"#char": "a"}`, `{"#my/tag": form}` |

use super::json_text::{self, Json, Key, Kind, error};
use daodb_datalog::edn::{self, EdnError, Form, Node, Span, base64};
use daodb_storage::Value;
use daodb_storage::value::bigdec_text;
use std::fmt::Write;

/// The largest integer that every reader of JSON takes exactly.
const EXACT: u64 = (1 << 53) - 1;
/// Tags of ours; EDN's own stand for themselves.
const OURS: [&str; 10] =
    ["long", "bigint", "bigdec", "double", "string", "char", "list", "set", "map", "tag"];

pub fn read(text: &str) -> Result<Node, EdnError> {
    node(json_text::read(text)?)
}

fn node(json: Json) -> Result<Node, EdnError> {
    let span = json.span;
    let form = match json.kind {
        Kind::Null => Form::Nil,
        Kind::Bool(b) => Form::Value(Value::Boolean(b)),
        Kind::Number(digits) => number(&digits, span)?,
        Kind::String(text) => text_or_keyword(text),
        Kind::Array(all) => Form::Vector(nodes(all)?),
        Kind::Object(mut pairs) => match pairs.pop() {
            Some((key, value)) if pairs.is_empty() && key.text.starts_with('#') => {
                tagged(&key, value)?
            }
            last => {
                let pair = |(key, value): (Key, Json)| {
                    Ok((Node { form: text_or_keyword(key.text), span: key.span }, node(value)?))
                };
                Form::Map(pairs.into_iter().chain(last).map(pair).collect::<Result<_, _>>()?)
            }
        },
    };
    Ok(Node { form, span })
}

fn nodes(all: Vec<Json>) -> Result<Vec<Node>, EdnError> {
    all.into_iter().map(node).collect()
}

fn text_or_keyword(text: String) -> Form {
    match text.starts_with(':') {
        true => Form::Value(Value::Keyword(text.into())),
        false => Form::Value(Value::string(text)),
    }
}

/// Of JSON's digits, which EDN reads alike.
pub(super) fn number(digits: &str, span: Span) -> Result<Form, EdnError> {
    edn::read(digits).map(|node| node.form).map_err(|e| EdnError { span, ..e })
}

fn tagged(key: &Key, value: Json) -> Result<Form, EdnError> {
    let tag = key.text.trim_start_matches('#');
    let span = value.span;
    let wrong = |what: &str| Err(error(format!("\"#{tag}\" takes {what}"), span, None));
    match (tag, value.kind) {
        ("string", Kind::String(text)) => Ok(Form::Value(Value::string(text))),
        ("string", _) => wrong("a text"),
        ("long", Kind::String(digits)) => match digits.parse() {
            Ok(n) => Ok(Form::Value(Value::Long(n))),
            Err(_) => wrong("a whole number of 64 bits as a text"),
        },
        ("bigint", Kind::String(digits)) => match number(&format!("{digits}N"), span)? {
            form @ Form::Value(Value::Bigint(_)) => Ok(form),
            _ => wrong("a whole number as a text"),
        },
        ("bigdec", Kind::String(digits)) => match number(&format!("{digits}M"), span)? {
            form @ Form::Value(Value::Bigdec(_)) => Ok(form),
            _ => wrong("a decimal number as a text"),
        },
        ("double", Kind::String(name)) => match name.as_str() {
            "NaN" => Ok(Form::Value(Value::Double(f64::NAN))),
            "Infinity" => Ok(Form::Value(Value::Double(f64::INFINITY))),
            "-Infinity" => Ok(Form::Value(Value::Double(f64::NEG_INFINITY))),
            _ => wrong("\"NaN\", \"Infinity\" or \"-Infinity\""),
        },
        ("char", Kind::String(text)) => match edn::character(&text) {
            Some(form) => Ok(form),
            None => wrong("a text of one character, of the first plane"),
        },
        ("list", Kind::Array(all)) => Ok(Form::List(nodes(all)?)),
        ("set", Kind::Array(all)) => edn::set(nodes(all)?),
        ("map", Kind::Array(all)) => pairs(all),
        ("tag", Kind::Array(all)) => match <[Json; 2]>::try_from(all) {
            Ok([Json { kind: Kind::String(tag), .. }, form]) => {
                let form = node(form)?;
                edn::tagged(&tag, form).map_err(|message| error(message, span, None))
            }
            _ => wrong("a tag and a form"),
        },
        (tag, _) if OURS.contains(&tag) => wrong("another kind of value"),
        (tag, kind) => {
            let inner = match kind {
                // Texts of EDN's own tags are no keywords.
                Kind::String(text) if is_known(tag) => {
                    Node { form: Form::Value(Value::string(text)), span }
                }
                kind => node(Json { kind, span })?,
            };
            edn::tagged(tag, inner).map_err(|message| error(message, key.span, None))
        }
    }
}

fn is_known(tag: &str) -> bool {
    matches!(tag, "inst" | "uuid") || tag.starts_with("dao/")
}

fn pairs(all: Vec<Json>) -> Result<Form, EdnError> {
    let pair = |json: Json| {
        let wrong = error("\"#map\" takes pairs of a key and a value", json.span, None);
        let Kind::Array(pair) = json.kind else { return Err(wrong) };
        let [key, value] = <[Json; 2]>::try_from(pair).map_err(|_| wrong)?;
        Ok((node(key)?, node(value)?))
    };
    edn::map(all.into_iter().map(pair).collect::<Result<_, _>>()?)
}

/// A form on one line.
pub fn form(out: &mut String, f: &Form) {
    match f {
        Form::Nil => out.push_str("null"),
        Form::Value(v) => value(out, v),
        Form::Char(c) => of_text(out, "char", c.encode_utf8(&mut [0; 4])),
        Form::List(all) => of(out, "list", |out| array(out, all)),
        Form::Vector(all) => array(out, all),
        Form::Set(all) => of(out, "set", |out| array(out, all)),
        Form::Map(pairs) => map(out, pairs),
        Form::Tagged(tag, node) if OURS.contains(&tag.as_ref()) || is_known(tag) => {
            of(out, "tag", |out| {
                out.push('[');
                json_text::string(out, tag);
                out.push(',');
                form(out, &node.form);
                out.push(']');
            });
        }
        Form::Tagged(tag, node) => of(out, tag, |out| form(out, &node.form)),
    }
}

fn of(out: &mut String, tag: &str, write: impl FnOnce(&mut String)) {
    out.push('{');
    json_text::string(out, &format!("#{tag}"));
    out.push(':');
    write(out);
    out.push('}');
}

fn of_text(out: &mut String, tag: &str, text: &str) {
    of(out, tag, |out| json_text::string(out, text));
}

fn array(out: &mut String, all: &[Node]) {
    out.push('[');
    for (i, node) in all.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        form(out, &node.form);
    }
    out.push(']');
}

/// The key of an object; None: it takes more than a text.
fn key(node: &Node) -> Option<&str> {
    match &node.form {
        Form::Value(Value::Keyword(k)) => Some(k),
        Form::Value(Value::String(s)) if !s.starts_with(':') => Some(s),
        _ => None,
    }
}

fn map(out: &mut String, pairs: &[(Node, Node)]) {
    let keys: Option<Vec<&str>> = pairs.iter().map(|(k, _)| key(k)).collect();
    let keys = keys.filter(|keys| !matches!(keys.as_slice(), [one] if one.starts_with('#')));
    let Some(keys) = keys else {
        return of(out, "map", |out| {
            out.push('[');
            for (i, (k, v)) in pairs.iter().enumerate() {
                out.push_str(if i > 0 { ",[" } else { "[" });
                form(out, &k.form);
                out.push(',');
                form(out, &v.form);
                out.push(']');
            }
            out.push(']');
        });
    };
    out.push('{');
    for (i, (key, (_, v))) in keys.into_iter().zip(pairs).enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        json_text::string(out, key);
        out.push(':');
        form(out, &v.form);
    }
    out.push('}');
}

pub fn value(out: &mut String, v: &Value) {
    // Writing to a String never fails.
    let _ = match v {
        Value::Boolean(b) => write!(out, "{b}"),
        Value::Long(n) => return long(out, *n),
        Value::Bigint(n) => return of_text(out, "bigint", &n.to_string()),
        Value::Double(d) if d.is_finite() => write!(out, "{d:?}"),
        Value::Double(d) if d.is_nan() => return of_text(out, "double", "NaN"),
        Value::Double(d) => {
            return of_text(out, "double", if *d > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Value::Bigdec(d) => return of_text(out, "bigdec", &bigdec_text(d)),
        Value::Instant(us) => match edn::write::calendar_text(*us) {
            Some(text) => return of_text(out, "inst", &text),
            None => return of(out, "dao/instant", |out| long(out, *us)),
        },
        Value::Ref(e) => return of(out, "dao/ref", |out| long(out, *e)),
        Value::String(s) if s.starts_with(':') => return of_text(out, "string", s),
        Value::String(s) => return json_text::string(out, s),
        Value::Keyword(k) => return json_text::string(out, k),
        Value::Symbol(s) => return of_text(out, "dao/symbol", s),
        Value::Uri(s) => return of_text(out, "dao/uri", s),
        Value::Uuid(u) => return of_text(out, "uuid", &u.to_string()),
        Value::Bytes(b) => return of_text(out, "dao/bytes", &base64(b)),
        Value::Tuple(parts) => {
            out.push('[');
            for (i, part) in parts.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                match part {
                    Some(v) => value(out, v),
                    None => out.push_str("null"),
                }
            }
            return out.push(']');
        }
    };
}

fn long(out: &mut String, n: i64) {
    match n.unsigned_abs() <= EXACT {
        // Writing to a String never fails.
        true => drop(write!(out, "{n}")),
        false => of_text(out, "long", &n.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(edn: &str, expect: &str) {
        let node = edn::read(edn).unwrap();
        let mut out = String::new();
        form(&mut out, &node.form);
        assert_eq!(out, expect);
        assert_eq!(read(&out).unwrap().to_string(), node.to_string());
    }

    #[test]
    fn forms_there_and_back() {
        check("[nil true 1 -1.5 1.0 \"a\\\"\\n\"]", "[null,true,1,-1.5,1.0,\"a\\\"\\n\"]");
        check("9007199254740991", "9007199254740991");
        check("9007199254740993", "{\"#long\":\"9007199254740993\"}");
        check(
            "[1N 1.50M ##NaN ##-Inf]",
            concat!(
                "[{\"#bigint\":\"1\"},{\"#bigdec\":\"1.50\"},",
                "{\"#double\":\"NaN\"},{\"#double\":\"-Infinity\"}]",
            ),
        );
        check("{:a/b :c, \"d\" \":-)\"}", "{\":a/b\":\":c\",\"d\":{\"#string\":\":-)\"}}");
        check("{1 2}", "{\"#map\":[[1,2]]}");
        check("{\"#x\" 1}", "{\"#map\":[[\"#x\",1]]}");
        check("{\"#x\" 1, \"y\" 2}", "{\"#x\":1,\"y\":2}");
        check("(x #{:a})", "{\"#list\":[{\"#dao/symbol\":\"x\"},{\"#set\":[\":a\"]}]}");
        check("#inst \"2026-01-01\"", "{\"#inst\":\"2026-01-01T00:00:00Z\"}");
        check(
            "#dao/instant 9223372036854775807",
            "{\"#dao/instant\":{\"#long\":\"9223372036854775807\"}}",
        );
        check("#dao/ref 4294967296", "{\"#dao/ref\":4294967296}");
        check("#dao/bytes \"AP8=\"", "{\"#dao/bytes\":\"AP8=\"}");
        check("#dao/keyword \"a b\"", "\":a b\"");
        check("#my/tag [:a]", "{\"#my/tag\":[\":a\"]}");
        check("#map 1", "{\"#tag\":[\"map\",1]}");
        check("\\a", "{\"#char\":\"a\"}");
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (json, edn) in [
            ("9223372036854775807", "9223372036854775807"),
            ("123456789012345678901234567890", "123456789012345678901234567890N"),
            ("1e2", "100.0"),
            ("-0.0", "-0.0"),
        ] {
            assert_eq!(read(json).unwrap().to_string(), edn);
        }
    }

    #[test]
    fn wrong_tags_say_where() {
        for (text, message, at) in [
            ("[{\"#uuid\": \"x\"}]", "#uuid", 2),
            ("{\"#bigint\": \"1] [\"}", "", 12),
            ("{\"#long\": 1}", "\"#long\" takes another kind of value", 10),
            ("{\"#map\": [1]}", "\"#map\" takes pairs", 10),
            ("{\"#tag\": [\"inst\", 5]}", "#inst 5: expected an instant", 9),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.message.starts_with(message) && e.span.start == at, "{text}: {e:?}");
        }
    }
}
