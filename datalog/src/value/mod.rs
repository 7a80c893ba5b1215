//! Values of variables: one type in that type's column, or of several types as `any`.
//!
//! A reference is a number to Datalog, as to Datomic: entity ids and longs join.

pub mod any;
mod kind;

pub use kind::{Kind, array, array_or_absent, cells, convert};

use crate::edn::{Form, Node};
use daodb_storage::Value;

/// What a place of a row holds; None is nil.
pub type Cell = Option<Value>;

/// A value as variables hold it: references are longs.
pub fn plain(v: Value) -> Value {
    match v {
        Value::Ref(e) => Value::Long(e),
        Value::Tuple(parts) => Value::Tuple(parts.iter().map(|p| p.clone().map(plain)).collect()),
        v => v,
    }
}

/// What a form says. Lists, vectors and sets are tuples, a map is a tuple of its pairs; what has no value is named.
pub fn of_form(node: &Node) -> Result<Cell, String> {
    let tuple = |nodes: &[Node]| -> Result<Cell, String> {
        Ok(Some(Value::Tuple(nodes.iter().map(of_form).collect::<Result<_, _>>()?)))
    };
    match &node.form {
        Form::Nil => Ok(None),
        Form::Value(v) => Ok(Some(plain(v.clone()))),
        Form::Char(c) => Ok(Some(Value::string(c.to_string()))),
        Form::List(nodes) | Form::Vector(nodes) => tuple(nodes),
        // Sorted, so that equal sets are equal.
        Form::Set(nodes) => {
            let mut items: Vec<Cell> = nodes.iter().map(of_form).collect::<Result<_, _>>()?;
            items.sort();
            Ok(Some(Value::Tuple(items.into())))
        }
        Form::Map(pairs) => {
            let pair = |(k, v): &(Node, Node)| -> Result<Cell, String> {
                Ok(Some(Value::Tuple([of_form(k)?, of_form(v)?].into())))
            };
            Ok(Some(Value::Tuple(pairs.iter().map(pair).collect::<Result<_, _>>()?)))
        }
        Form::Tagged(tag, _) => Err(format!("#{tag} has no value here")),
    }
}

/// The form that shows a value: tuples are vectors.
pub fn to_form(cell: &Cell) -> Form {
    match cell {
        None => Form::Nil,
        Some(Value::Tuple(parts)) => Form::Vector(parts.iter().map(|p| node(to_form(p))).collect()),
        Some(v) => Form::Value(v.clone()),
    }
}

/// A value as messages show it: what is long is cut.
pub fn told(cell: &Cell) -> String {
    const MOST: usize = 8;
    let short = match cell {
        Some(Value::Tuple(parts)) if parts.len() > MOST => {
            let first: Vec<String> = parts.iter().take(MOST).map(told).collect();
            format!("[{} ...]", first.join(" "))
        }
        Some(Value::Tuple(parts)) => {
            format!("[{}]", parts.iter().map(told).collect::<Vec<_>>().join(" "))
        }
        // Before it is written in quotes, which would take as long as it is.
        Some(Value::String(s)) => to_form(&Some(Value::string(cut(s)))).to_string(),
        cell => to_form(cell).to_string(),
    };
    cut(&short).to_owned()
}

fn cut(text: &str) -> &str {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A form that stands in no text.
pub fn node(form: Form) -> Node {
    Node { form, span: Default::default() }
}
