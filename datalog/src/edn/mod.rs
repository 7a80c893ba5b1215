//! EDN (github.com/edn-format/edn) as Clojure's reader takes it: text to [`Node`]s that know where they stood, and back.
//!
//! Values that EDN has no notation for have a tag of ours (see [`write`]), so that nothing is lost on the way out and in.

mod base64;
mod instant;
mod number;
mod read;
pub mod write;

pub use base64::{base64, from_base64};
pub use read::{FORMS, character, map, other_tag, read, read_all, set, tagged};

use daodb_storage::Value;
use std::fmt;
use std::sync::Arc;

/// Where a form stands in its text: bytes, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// Line and column, both from 1; a column is a character.
    pub fn line_column(self, text: &str) -> (usize, usize) {
        let mut start = self.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }
}

/// A form and where it stood. Two are equal where they say the same, wherever they stood.
#[derive(Debug, Clone)]
pub struct Node {
    pub form: Form,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    Nil,
    /// All that may stand in v, apart from tuples: keywords with their colon, symbols, numbers, instants, uuids ...
    Value(Value),
    Char(char),
    List(Vec<Node>),
    Vector(Vec<Node>),
    /// In the order of the text; no key twice.
    Map(Vec<(Node, Node)>),
    /// In the order of the text; no element twice.
    Set(Vec<Node>),
    /// A tag that is not read here, without its `#`.
    Tagged(Arc<str>, Box<Node>),
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
    }
}

impl Node {
    pub fn keyword(&self) -> Option<&str> {
        match &self.form {
            Form::Value(Value::Keyword(k)) => Some(k),
            _ => None,
        }
    }
    pub fn symbol(&self) -> Option<&str> {
        match &self.form {
            Form::Value(Value::Symbol(s)) => Some(s),
            _ => None,
        }
    }
    pub fn string(&self) -> Option<&str> {
        match &self.form {
            Form::Value(Value::String(s)) => Some(s),
            _ => None,
        }
    }
    /// The elements of a vector or a list.
    pub fn sequence(&self) -> Option<&[Node]> {
        match &self.form {
            Form::Vector(nodes) | Form::List(nodes) => Some(nodes),
            _ => None,
        }
    }
    /// What a map has under a keyword.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.form {
            Form::Map(pairs) => {
                pairs.iter().find(|(k, _)| k.keyword() == Some(key)).map(|(_, v)| v)
            }
            _ => None,
        }
    }
    /// What a map has under a name: as a keyword, or as the text that JSON's keys are.
    pub fn field(&self, name: &str) -> Option<&Node> {
        let Form::Map(pairs) = &self.form else { return None };
        pairs.iter().find(|(key, _)| key.name() == Some(name)).map(|(_, value)| value)
    }
    /// The name that a key of a map is, as a keyword or as a text.
    pub fn name(&self) -> Option<&str> {
        self.keyword().and_then(|k| k.strip_prefix(':')).or(self.string())
    }
    /// What it is, for messages: `a vector`.
    pub fn kind(&self) -> &'static str {
        match &self.form {
            Form::Nil => "nil",
            Form::Value(v) => match v {
                Value::Boolean(_) => "a boolean",
                Value::Long(_) => "a long",
                Value::Bigint(_) => "a bigint",
                Value::Double(_) => "a double",
                Value::Bigdec(_) => "a bigdec",
                Value::Instant(_) => "an instant",
                Value::Ref(_) => "a reference",
                Value::String(_) => "a string",
                Value::Keyword(_) => "a keyword",
                Value::Symbol(_) => "a symbol",
                Value::Uri(_) => "a uri",
                Value::Uuid(_) => "a uuid",
                Value::Bytes(_) => "bytes",
                Value::Tuple(_) => "a tuple",
            },
            Form::Char(_) => "a character",
            Form::List(_) => "a list",
            Form::Vector(_) => "a vector",
            Form::Map(_) => "a map",
            Form::Set(_) => "a set",
            Form::Tagged(..) => "a tagged form",
        }
    }
}

/// Text that is no EDN: what, where and what to write instead.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct EdnError {
    pub message: String,
    pub hint: Option<String>,
    pub span: Span,
}

/// Letters of a message: it names what is wrong, which may be of any length.
const MESSAGE: usize = 400;

/// A message that names a form, cut where the form is long.
pub fn short(mut message: String) -> String {
    if let Some((at, _)) = message.char_indices().nth(MESSAGE) {
        message.truncate(at);
        message.push('…');
    }
    message
}

impl EdnError {
    pub fn new(message: impl Into<String>, span: Span, hint: Option<&str>) -> EdnError {
        EdnError { message: short(message.into()), hint: hint.map(str::to_owned), span }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        write::form(&mut out, self);
        f.write_str(&out)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.form.fmt(f)
    }
}
