//! What bodies are written in. Requests and answers are forms of EDN in one of three formats ([`edn`](daodb_datalog::edn),
//! [`json`], [`transit`]); from there on there is one path. Rows are written as forms, or as [`csv`] or [`arrow`].

mod arrow;
mod csv;
mod json;
mod json_text;
mod rows;
#[cfg(test)]
mod tests;
mod transit;

pub use arrow::Arrow;
pub use rows::{Head, Rows};
pub use transit::body as transit_body;

use super::errors::{Refusal, Result};
use daodb_datalog::edn::{self, EdnError, Form, Node, Span};
use daodb_storage::Value;

/// A format of forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Edn,
    Json,
    Transit,
}

/// What an answer of rows is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    Forms(Format),
    Csv,
    Arrow,
}

pub const CSV: &str = "text/csv; charset=utf-8; header=present";
pub const ARROW: &str = "application/vnd.apache.arrow.stream";

impl Format {
    pub const ALL: [Format; 3] = [Format::Json, Format::Edn, Format::Transit];

    pub fn media_type(self) -> &'static str {
        match self {
            Format::Edn => "application/edn",
            Format::Json => "application/json",
            Format::Transit => "application/transit+json",
        }
    }

    /// Of a media type without its parameters.
    pub fn of(media_type: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| media_type.eq_ignore_ascii_case(f.media_type()))
    }

    /// The one form of a body.
    pub fn read(self, body: &[u8]) -> Result<Node> {
        let text = std::str::from_utf8(body).map_err(|e| {
            let at = e.valid_up_to();
            let wrong = EdnError {
                message: "the body is no UTF-8".to_owned(),
                hint: None,
                span: Span { start: at, end: at + 1 },
            };
            Box::new(Refusal::unreadable(wrong, ""))
        })?;
        let node = match self {
            Format::Edn => edn::read(text),
            Format::Json => json::read(text),
            Format::Transit => transit::read(text),
        };
        node.map_err(|e| Box::new(Refusal::unreadable(e, text)))
    }

    /// Within a larger form.
    pub fn write(self, out: &mut String, form: &Form) {
        match self {
            Format::Edn => edn::write::form(out, form),
            Format::Json => json::form(out, form),
            Format::Transit => transit::form(out, form),
        }
    }

    /// A whole body, an answer's map. In JSON its own keys are plain texts: `.t` for jq, where EDN has `:t`.
    pub fn body(self, answer: Node) -> String {
        let mut out = String::new();
        match self {
            Format::Json => json::form(&mut out, &plain_keys(answer.form)),
            Format::Edn => edn::write::form(&mut out, &answer.form),
            Format::Transit => transit::body(&mut out, &answer.form),
        }
        out.push('\n');
        out
    }
}

impl Format {
    /// The beginning of an answer that ends with an empty vector, up to the bracket that opens it.
    pub fn open(self, answer: Node) -> String {
        let mut out = self.body(answer);
        out.truncate(out.trim_end().len() - "]}".len());
        out
    }

    /// The end of such an answer; with `:error` as its last key where it is not whole.
    pub fn close(self, error: Option<&Node>) -> String {
        let mut out = String::from("]");
        if let Some(error) = error {
            let mut said = self.body(map([("error", error.clone())]));
            said.truncate(said.trim_end().len());
            // The rest of a map, from its first key on.
            let rest = said.split_at_checked(match self {
                Format::Transit => "[\"^ \"".len(),
                Format::Json | Format::Edn => "{".len(),
            });
            out.push_str(if self == Format::Transit { "" } else { ", " });
            out.push_str(rest.map_or("", |(_, rest)| rest));
        } else {
            out.push_str(if self == Format::Transit { "]" } else { "}" });
        }
        out.push('\n');
        out
    }
}

/// Keys without a namespace become texts, those of the maps within too.
pub fn plain_keys(form: Form) -> Form {
    let pairs = match form {
        Form::Map(pairs) => pairs,
        Form::Vector(all) => {
            let plain = |n: Node| Node { form: plain_keys(n.form), span: n.span };
            return Form::Vector(all.into_iter().map(plain).collect());
        }
        other => return other,
    };
    let plain = |(mut key, value): (Node, Node)| {
        let name = key.keyword().and_then(|k| k.strip_prefix(':')).filter(|k| !k.contains('/'));
        if let Some(name) = name {
            key.form = Form::Value(Value::string(name));
        }
        (key, Node { form: plain_keys(value.form), span: value.span })
    };
    Form::Map(pairs.into_iter().map(plain).collect())
}

/// What a map has under a name: as a keyword, or as the text that JSON's keys are.
pub fn field<'a>(map: &'a Node, name: &str) -> Option<&'a Node> {
    map.field(name)
}

pub fn node(form: Form) -> Node {
    Node { form, span: Span::default() }
}

pub fn value(v: Value) -> Node {
    node(Form::Value(v))
}

pub fn text(text: impl AsRef<str>) -> Node {
    value(Value::string(text))
}

pub fn long(n: i64) -> Node {
    value(Value::Long(n))
}

/// A map under keywords.
pub fn map<const N: usize>(pairs: [(&str, Node); N]) -> Node {
    node(Form::Map(pairs.into_iter().map(|(k, v)| (value(Value::keyword(k)), v)).collect()))
}
