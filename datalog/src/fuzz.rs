//! What must hold of any text, well formed or hostile: asked by the targets of `cargo fuzz` (`datalog/fuzz`) and by the test that
//! runs their corpora (`sqltests/tests/readers.rs`). Err says what does not hold; a panic, or no end, is a fault as well. Ok says what
//! became of the text, for who looks for texts that lead elsewhere: why it was refused, or which kinds of forms it has.

use crate::edn::{self, Form, Node, Span};
use crate::query::{check, parse, rules};
use crate::{pull, tx_data};
use std::collections::BTreeSet;

/// What a message may take, whatever the text was: it goes to logs and terminals.
const MESSAGE: usize = 2000;

pub type Held = Result<String, String>;

/// A text is read, and what was read is written and read as the same; or it is refused with a place within it.
pub fn edn(text: &str) -> Held {
    let nodes = match edn::read_all(text) {
        Ok(nodes) => nodes,
        Err(e) => return refusal(text, e.message, e.span),
    };
    for node in &nodes {
        place(text, node.span)?;
        let written = node.to_string();
        let again = edn::read(&written).map_err(|e| format!("{written} is not read: {e}"))?;
        // NaN equals nothing, so the texts are compared.
        if again.to_string() != written {
            return Err(format!("{written} is read as {again}"));
        }
    }
    Ok(kinds(&nodes))
}

/// A query, a set of rules, a pull pattern and the forms of a transaction: each is refused with a place, or taken; a query is printed
/// as one that reads as the same.
pub fn query(text: &str) -> Held {
    let node = match edn::read(text) {
        Ok(node) => node,
        Err(e) => return Ok(e.message),
    };
    // Places of the others may be within a text within the text.
    let transaction = match tx_data::read(&node) {
        Ok(ops) => format!("{} ops", ops.len().min(3)),
        Err(e) => refusal(text, e.message, e.span)?,
    };
    let told = |fault: Option<crate::query::Fault>| match fault {
        None => Ok("taken".to_owned()),
        Some(fault) => message(fault.message),
    };
    let rules = told(rules::rule_set(&node).err())?;
    let pattern = told(pull::parse(&node).err())?;
    let query = asked(&node)?;
    Ok(format!("{transaction} {rules} {pattern} {query}"))
}

fn asked(node: &Node) -> Held {
    let read = match parse::query(node) {
        Ok(read) => read,
        Err(fault) => return message(fault.message),
    };
    if let Err(fault) = check::check(&read) {
        return message(fault.message);
    }
    let printed = read.to_string();
    let node = edn::read(&printed).map_err(|e| format!("{printed} is not read: {e}"))?;
    let again = parse::query(&node).map_err(|e| format!("{printed} is refused: {}", e.message))?;
    match again.to_string() == printed {
        true => Ok(kinds(&[node])),
        false => Err(format!("{printed} is read as {again}")),
    }
}

/// Which kinds of forms there are, and how deep they stand.
pub fn kinds(nodes: &[Node]) -> String {
    fn collect(node: &Node, depth: usize, out: &mut BTreeSet<(usize, &'static str)>) {
        out.insert((depth.min(4), node.kind()));
        match &node.form {
            Form::List(all) | Form::Vector(all) | Form::Set(all) => {
                all.iter().for_each(|node| collect(node, depth + 1, out));
            }
            Form::Map(pairs) => pairs.iter().for_each(|(key, value)| {
                collect(key, depth + 1, out);
                collect(value, depth + 1, out);
            }),
            Form::Tagged(_, node) => collect(node, depth + 1, out),
            Form::Nil | Form::Value(_) | Form::Char(_) => {}
        }
    }
    let mut out = BTreeSet::new();
    nodes.iter().for_each(|node| collect(node, 0, &mut out));
    format!("{out:?}")
}

fn refusal(text: &str, told: String, span: Span) -> Held {
    place(text, span)?;
    message(told)
}

fn message(told: String) -> Held {
    match told.is_empty() || told.len() > MESSAGE {
        false => Ok(told),
        true => Err(format!("a message of {} bytes", told.len())),
    }
}

fn place(text: &str, span: Span) -> Result<(), String> {
    match text.get(span.start..span.end) {
        Some(_) => Ok(()),
        None => Err(format!("{span:?} is no part of a text of {} bytes", text.len())),
    }
}
