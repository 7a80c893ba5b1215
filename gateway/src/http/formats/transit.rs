//! Transit+JSON (github.com/cognitect/transit-format), as Clojure's and Datomic's clients speak it.
//!
//! Read: all of version 0.8, both ways to write maps, with its cache. Written: without cache codes, which no reader needs.
//! Instants with parts of a millisecond, and values that Transit does not know, have the tags that they have in EDN. A tag that
//! means something else in Transit is told as a text: `#u 1` is `["~#dao/tag", ["u", 1]]`.

use super::json::number;
use super::json_text::{self, Json, Key, Kind, error};
use daodb_datalog::edn::{self, EdnError, Form, Node, Span, base64, from_base64};
use daodb_storage::Value;
use daodb_storage::value::bigdec_text;
use std::fmt::Write;
use uuid::Uuid;

/// The largest integer that every reader of JSON takes exactly.
const EXACT: u64 = (1 << 53) - 1;
/// Digits of a cache code, from this one on.
const FIRST_DIGIT: u8 = b'0';
const DIGITS: usize = 44;
const MAP: &str = "^ ";
/// A tag that is none of Transit's though it has its name, and the form after it.
const TAG: &str = "dao/tag";

pub fn read(text: &str) -> Result<Node, EdnError> {
    let mut reader = Reader { cache: Vec::new() };
    reader.node(json_text::read(text)?)
}

struct Reader {
    cache: Vec<String>,
}

/// What a string stands for.
enum Meaning {
    Form(Form),
    Tag(String),
    Map,
}

type Made = Result<Form, String>;

impl Reader {
    fn node(&mut self, json: Json) -> Result<Node, EdnError> {
        let span = json.span;
        let form = match json.kind {
            Kind::Null => Form::Nil,
            Kind::Bool(b) => Form::Value(Value::Boolean(b)),
            Kind::Number(digits) => number(&digits, span)?,
            Kind::String(text) => self.string(text, span, false)?,
            Kind::Array(all) => self.array(all)?,
            Kind::Object(pairs) => self.object(pairs)?,
        };
        Ok(Node { form, span })
    }

    fn nodes(&mut self, all: impl Iterator<Item = Json>) -> Result<Vec<Node>, EdnError> {
        all.map(|json| self.node(json)).collect()
    }

    fn string(&mut self, text: String, span: Span, key: bool) -> Result<Form, EdnError> {
        match self.meaning(text, span, key)? {
            Meaning::Form(form) => Ok(form),
            Meaning::Map | Meaning::Tag(_) => {
                Err(error("a tag stands where a value is expected", span, None))
            }
        }
    }

    /// Resolves cache codes, and remembers what later codes stand for.
    fn meaning(&mut self, text: String, span: Span, key: bool) -> Result<Meaning, EdnError> {
        if text == MAP {
            return Ok(Meaning::Map);
        }
        let text = match text.strip_prefix('^') {
            Some(code) => {
                let known = index(code).and_then(|at| self.cache.get(at));
                known.cloned().ok_or_else(|| {
                    error(format!("the cache code {text} stands for nothing"), span, None)
                })?
            }
            None => {
                let cached = text.starts_with("~:") || text.starts_with("~$");
                if text.len() > 3 && (key || cached || text.starts_with("~#")) {
                    if self.cache.len() == DIGITS * DIGITS {
                        self.cache.clear();
                    }
                    self.cache.push(text.clone());
                }
                text
            }
        };
        if let Some(tag) = text.strip_prefix("~#") {
            return Ok(Meaning::Tag(tag.to_owned()));
        }
        let form = scalar(&text).map_err(|message| error(message, span, None))?;
        Ok(Meaning::Form(form))
    }

    fn array(&mut self, all: Vec<Json>) -> Result<Form, EdnError> {
        let mut all = all.into_iter();
        let Some(first) = all.next() else { return Ok(Form::Vector(Vec::new())) };
        let span = first.span;
        let first = match first.kind {
            Kind::String(text) => match self.meaning(text, span, false)? {
                Meaning::Map => return self.pairs(all, span),
                Meaning::Tag(tag) => return self.tagged(&tag, all, span),
                Meaning::Form(form) => Node { form, span },
            },
            kind => self.node(Json { kind, span })?,
        };
        let mut nodes = vec![first];
        nodes.extend(self.nodes(all)?);
        Ok(Form::Vector(nodes))
    }

    /// `["^ ", key, value, ...]`
    fn pairs(&mut self, mut all: impl Iterator<Item = Json>, span: Span) -> Result<Form, EdnError> {
        let mut pairs = Vec::new();
        while let Some(key) = all.next() {
            let span_of_key = key.span;
            let form = match key.kind {
                Kind::String(text) => self.string(text, span_of_key, true)?,
                kind => self.node(Json { kind, span: span_of_key })?.form,
            };
            let Some(value) = all.next() else {
                return Err(error("a map has a key without a value", span, None));
            };
            pairs.push((Node { form, span: span_of_key }, self.node(value)?));
        }
        edn::map(pairs)
    }

    fn object(&mut self, pairs: Vec<(Key, Json)>) -> Result<Form, EdnError> {
        let alone = pairs.len() == 1;
        let mut out = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            match self.meaning(key.text, key.span, true)? {
                Meaning::Tag(tag) if alone => {
                    return self.tagged(&tag, std::iter::once(value), key.span);
                }
                Meaning::Form(form) => {
                    out.push((Node { form, span: key.span }, self.node(value)?));
                }
                _ => return Err(error("a tag stands alone in its object", key.span, None)),
            }
        }
        edn::map(out)
    }

    fn tagged(
        &mut self,
        tag: &str,
        mut rest: impl Iterator<Item = Json>,
        span: Span,
    ) -> Result<Form, EdnError> {
        let (Some(value), None) = (rest.next(), rest.next()) else {
            return Err(error(format!("the tag {tag} has one value"), span, None));
        };
        let node = self.node(value)?;
        match made(tag, node).map_err(|message| error(message, span, None))? {
            // What a tag makes sets and maps of is not known to differ.
            Form::Set(nodes) => edn::set(nodes),
            Form::Map(pairs) => edn::map(pairs),
            form => Ok(form),
        }
    }
}

/// The value of a tag.
fn made(tag: &str, node: Node) -> Made {
    match (tag, node.form) {
        ("'", form) => Ok(form),
        ("list", Form::Vector(all)) => Ok(Form::List(all)),
        ("set", Form::Vector(all)) => Ok(Form::Set(all)),
        ("cmap", Form::Vector(all)) if all.len().is_multiple_of(2) => {
            let mut all = all.into_iter();
            let mut pairs = Vec::new();
            while let (Some(key), Some(value)) = (all.next(), all.next()) {
                pairs.push((key, value));
            }
            Ok(Form::Map(pairs))
        }
        ("u", Form::Vector(halves)) => halves_of_uuid(&halves).ok_or_else(|| no("uuid", tag)),
        (TAG, Form::Vector(parts)) => match <[Node; 2]>::try_from(parts) {
            Ok([tag, form]) if tag.string().is_some() => {
                edn::tagged(tag.string().unwrap_or_default(), form)
            }
            _ => Err(no("value", TAG)),
        },
        ("list" | "set" | "cmap" | "u" | TAG, _) => Err(no("value", tag)),
        (tag, form) => edn::tagged(tag, Node { form, span: node.span }),
    }
}

fn halves_of_uuid(halves: &[Node]) -> Option<Form> {
    let half = |at: usize| match halves.get(at)?.form {
        Form::Value(Value::Long(n)) => Some(n as u64),
        _ => None,
    };
    Some(Form::Value(Value::Uuid(Uuid::from_u64_pair(half(0)?, half(1)?))))
}

fn no(what: &str, text: &str) -> String {
    format!("{text:?} is no {what} of Transit")
}

/// The place that a cache code names.
fn index(code: &str) -> Option<usize> {
    let digit = |b: u8| b.checked_sub(FIRST_DIGIT).map(usize::from).filter(|d| *d < DIGITS);
    match *code.as_bytes() {
        [one] => digit(one),
        [high, low] => Some(digit(high)? * DIGITS + digit(low)?),
        _ => None,
    }
}

/// What `~` and the letter after it make of a string.
fn scalar(text: &str) -> Made {
    let Some(escaped) = text.strip_prefix('~') else { return Ok(Form::Value(Value::string(text))) };
    let kind = escaped.chars().next().ok_or_else(|| no("string", text))?;
    let rest = escaped.get(kind.len_utf8()..).unwrap_or_default();
    let value = match kind {
        '~' | '^' | '`' => Some(Value::string(escaped)),
        ':' => Some(Value::keyword(format!(":{rest}"))),
        '$' => Some(Value::Symbol(rest.into())),
        '_' => return Ok(Form::Nil),
        'c' => return edn::character(rest).ok_or_else(|| no("character", text)),
        '?' => match rest {
            "t" => Some(Value::Boolean(true)),
            "f" => Some(Value::Boolean(false)),
            _ => None,
        },
        'i' => of_edn(rest),
        'n' => of_edn(&format!("{rest}N")),
        'f' => of_edn(&format!("{rest}M")),
        'd' => rest.parse().ok().map(Value::Double),
        'z' => match rest {
            "NaN" => Some(Value::Double(f64::NAN)),
            "INF" => Some(Value::Double(f64::INFINITY)),
            "-INF" => Some(Value::Double(f64::NEG_INFINITY)),
            _ => None,
        },
        'm' => rest.parse::<i64>().ok().and_then(|ms| ms.checked_mul(1000)).map(Value::Instant),
        't' => return edn::tagged("inst", text_node(rest)),
        'u' => return edn::tagged("uuid", text_node(rest)),
        'r' => Some(Value::Uri(rest.into())),
        'b' => from_base64(rest).map(|bytes| Value::Bytes(bytes.into())),
        other => return edn::other_tag(&other.to_string(), text_node(rest)),
    };
    value.map(Form::Value).ok_or_else(|| no("value", text))
}

fn text_node(text: &str) -> Node {
    Node { form: Form::Value(Value::string(text)), span: Span::default() }
}

/// A number by its digits.
fn of_edn(digits: &str) -> Option<Value> {
    match edn::read(digits).ok()?.form {
        Form::Value(v @ (Value::Long(_) | Value::Bigint(_) | Value::Bigdec(_))) => Some(v),
        _ => None,
    }
}

/// A whole body: what is no collection is quoted.
pub fn body(out: &mut String, f: &Form) {
    match f {
        Form::Nil | Form::Char(_) => tagged(out, "'", |out| form(out, f)),
        Form::Value(v) if !matches!(v, Value::Tuple(_)) => tagged(out, "'", |out| form(out, f)),
        _ => form(out, f),
    }
}

pub fn form(out: &mut String, f: &Form) {
    match f {
        Form::Nil => out.push_str("null"),
        Form::Value(v) => value(out, v),
        Form::Char(c) => json_text::string(out, &format!("~c{c}")),
        Form::List(all) => tagged(out, "list", |out| array(out, all)),
        Form::Vector(all) => array(out, all),
        Form::Set(all) => tagged(out, "set", |out| array(out, all)),
        Form::Map(pairs) => map(out, pairs),
        Form::Tagged(tag, node) if is_taken(tag) => tagged(out, TAG, |out| {
            out.push('[');
            json_text::string(out, tag);
            out.push(',');
            form(out, &node.form);
            out.push(']');
        }),
        Form::Tagged(tag, node) => tagged(out, tag, |out| form(out, &node.form)),
    }
}

/// Whether readers of Transit take a tag for one of its own: those of a letter are all reserved.
fn is_taken(tag: &str) -> bool {
    matches!(tag, "list" | "set" | "cmap" | "link" | "ratio" | "array" | "map" | TAG)
        || tag.chars().count() == 1
}

fn tagged(out: &mut String, tag: &str, write: impl FnOnce(&mut String)) {
    out.push('[');
    json_text::string(out, &format!("~#{tag}"));
    out.push(',');
    write(out);
    out.push(']');
}

fn array(out: &mut String, all: &[Node]) {
    out.push('[');
    for (i, node) in all.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        form(out, &node.form);
    }
    out.push(']');
}

fn map(out: &mut String, pairs: &[(Node, Node)]) {
    let plain = pairs.iter().all(|(key, _)| match &key.form {
        Form::Value(v) => key_text(v).is_some(),
        _ => false,
    });
    if !plain {
        return tagged(out, "cmap", |out| {
            let all: Vec<Node> = pairs.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect();
            array(out, &all);
        });
    }
    out.push_str("[\"^ \"");
    for (key, v) in pairs {
        out.push(',');
        match &key.form {
            Form::Value(v) => json_text::string(out, &key_text(v).unwrap_or_default()),
            other => form(out, other),
        }
        out.push(',');
        form(out, &v.form);
    }
    out.push(']');
}

/// A key as the string that it must be; None: it has no such notation.
fn key_text(v: &Value) -> Option<String> {
    match v {
        Value::Long(n) => Some(format!("~i{n}")),
        Value::String(_) | Value::Keyword(_) | Value::Symbol(_) | Value::Uuid(_) => text_of(v),
        _ => None,
    }
}

/// Values that are strings of Transit.
fn text_of(v: &Value) -> Option<String> {
    Some(match v {
        Value::String(s) if s.starts_with(['~', '^', '`']) => format!("~{s}"),
        Value::String(s) => s.to_string(),
        Value::Keyword(k) => format!("~{k}"),
        Value::Symbol(s) => format!("~${s}"),
        Value::Uri(s) => format!("~r{s}"),
        Value::Uuid(u) => format!("~u{u}"),
        Value::Bytes(b) => format!("~b{}", base64(b)),
        Value::Bigint(n) => format!("~n{n}"),
        Value::Bigdec(d) => format!("~f{}", bigdec_text(d)),
        Value::Double(d) if d.is_nan() => "~zNaN".to_owned(),
        Value::Double(d) if d.is_infinite() => {
            (if *d > 0.0 { "~zINF" } else { "~z-INF" }).to_owned()
        }
        Value::Long(n) if n.unsigned_abs() > EXACT => format!("~i{n}"),
        Value::Instant(us) if us % 1000 == 0 => format!("~m{}", us / 1000),
        _ => return None,
    })
}

pub fn value(out: &mut String, v: &Value) {
    if let Some(text) = text_of(v) {
        return json_text::string(out, &text);
    }
    // Writing to a String never fails.
    let _ = match v {
        Value::Boolean(b) => write!(out, "{b}"),
        Value::Long(n) => write!(out, "{n}"),
        Value::Double(d) => write!(out, "{d:?}"),
        Value::Instant(us) => {
            return tagged(out, "dao/instant", |out| value(out, &Value::Long(*us)));
        }
        Value::Ref(e) => return tagged(out, "dao/ref", |out| value(out, &Value::Long(*e))),
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
        _ => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(edn: &str, expect: &str) {
        let node = edn::read(edn).unwrap();
        let mut out = String::new();
        body(&mut out, &node.form);
        assert_eq!(out, expect);
        assert_eq!(read(&out).unwrap().to_string(), node.to_string());
    }

    #[test]
    fn forms_there_and_back() {
        check("nil", "[\"~#'\",null]");
        check("[nil true 1 -1.5 \"~a\" \"^b\"]", "[null,true,1,-1.5,\"~~a\",\"~^b\"]");
        check("[9007199254740993 1N 1.50M]", "[\"~i9007199254740993\",\"~n1\",\"~f1.50\"]");
        check("[##NaN ##Inf ##-Inf]", "[\"~zNaN\",\"~zINF\",\"~z-INF\"]");
        check("{:a/b sym, 1 \\c}", "[\"^ \",\"~:a/b\",\"~$sym\",\"~i1\",\"~cc\"]");
        check("{[1] 2}", "[\"~#cmap\",[[1],2]]");
        check("(1 #{2})", "[\"~#list\",[1,[\"~#set\",[2]]]]");
        check("#inst \"2026-01-01T00:00:00.123Z\"", "[\"~#'\",\"~m1767225600123\"]");
        check("[#inst \"2026-01-01T00:00:00.123456Z\"]", "[[\"~#dao/instant\",1767225600123456]]");
        check(
            "[#dao/ref 4294967296 #dao/uri \"http://a\"]",
            "[[\"~#dao/ref\",4294967296],\"~rhttp://a\"]",
        );
        check("[#dao/bytes \"AP8=\" #my/tag 1]", "[\"~bAP8=\",[\"~#my/tag\",1]]");
        check("[#u 1 #set [2]]", "[[\"~#dao/tag\",[\"u\",1]],[\"~#dao/tag\",[\"set\",[2]]]]");
        check("#dao/tag [\"u\" 1]", "[\"~#dao/tag\",[\"dao/tag\",[\"u\",1]]]");
    }

    #[test]
    fn what_other_writers_write() {
        let reads = |text: &str, edn: &str| {
            let expect = edn::read(edn).unwrap();
            assert_eq!(read(text).unwrap(), expect, "{text}");
        };
        // The cache: keywords, and keys of maps.
        reads(
            "[[\"^ \",\"~:name\",\"a\",\"long key\",1],[\"^ \",\"^0\",\"b\",\"^1\",2]]",
            "[{:name \"a\", \"long key\" 1} {:name \"b\", \"long key\" 2}]",
        );
        reads("[[\"~#set\",[1]],[\"^0\",[2]]]", "[#{1} #{2}]");
        reads("[\"~:abc\",\"^0\"]", "[:abc :abc]");
        // The verbose form.
        reads("{\"~:a\":{\"~#set\":[1]}}", "{:a #{1}}");
        reads("[\"~t2026-01-01T00:00:00.000Z\"]", "[#inst \"2026-01-01\"]");
        reads(
            "[[\"~#u\",[-6154535876581765293,-7213183808396019744]]]",
            "[#uuid \"aa96b23a-76f2-4f53-9be5-9f8b18f4b7e0\"]",
        );
        reads("[\"~?t\",\"~_\",\"~d1.5\"]", "[true nil 1.5]");
        assert!(read("[\"~:abc\",\"^1\"]").unwrap_err().message.contains("^1"));
        assert!(read("[\"~#set\"]").is_err() && read("[\"^ \",\"~:a\"]").is_err());
        assert!(read("[\"~n1] [\"]").is_err());
    }
}
