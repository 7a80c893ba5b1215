//! What must hold of any text, well formed or hostile: asked by the targets of `cargo fuzz` (`datalog/fuzz`) and by the test that
//! runs their corpora (`sqltests/tests/readers`). Err says what does not hold; a panic, or no end, is a fault as well.

use crate::edn::{self, Span};
use crate::query::{check, parse, rules};
use crate::{pull, tx_data};

/// What a message may take, whatever the text was: it goes to logs and terminals.
const MESSAGE: usize = 2000;

/// A text is read, and what was read is written and read as the same; or it is refused with a place within it.
pub fn edn(text: &str) -> Result<(), String> {
    let nodes = match edn::read_all(text) {
        Ok(nodes) => nodes,
        Err(e) => return refusal(text, &e.message, e.span),
    };
    for node in nodes {
        place(text, node.span)?;
        let written = node.to_string();
        let again = edn::read(&written).map_err(|e| format!("{written} is not read: {e}"))?;
        // NaN equals nothing, so the texts are compared.
        if again.to_string() != written {
            return Err(format!("{written} is read as {again}"));
        }
    }
    Ok(())
}

/// A query, a set of rules, a pull pattern and the forms of a transaction: each is refused with a place, or taken; a query is printed
/// as one that reads as the same.
pub fn query(text: &str) -> Result<(), String> {
    let Ok(node) = edn::read(text) else { return Ok(()) };
    if let Err(e) = tx_data::read(&node) {
        refusal(text, &e.message, e.span)?;
    }
    // Their places may be within a text within the text.
    let faults = [
        rules::rule_set(&node).err().map(|fault| fault.message),
        pull::parse(&node).err().map(|fault| fault.message),
    ];
    faults.iter().flatten().try_for_each(|told| message(told))?;
    let read = match parse::query(&node) {
        Ok(read) => read,
        Err(fault) => return message(&fault.message),
    };
    if let Err(fault) = check::check(&read) {
        return message(&fault.message);
    }
    let printed = read.to_string();
    let node = edn::read(&printed).map_err(|e| format!("{printed} is not read: {e}"))?;
    let again = parse::query(&node).map_err(|e| format!("{printed} is refused: {}", e.message))?;
    match again.to_string() == printed {
        true => Ok(()),
        false => Err(format!("{printed} is read as {again}")),
    }
}

fn refusal(text: &str, told: &str, span: Span) -> Result<(), String> {
    place(text, span)?;
    message(told)
}

fn message(told: &str) -> Result<(), String> {
    match told.is_empty() || told.len() > MESSAGE {
        false => Ok(()),
        true => Err(format!("a message of {} bytes", told.len())),
    }
}

fn place(text: &str, span: Span) -> Result<(), String> {
    match text.get(span.start..span.end) {
        Some(_) => Ok(()),
        None => Err(format!("{span:?} is no part of a text of {} bytes", text.len())),
    }
}
