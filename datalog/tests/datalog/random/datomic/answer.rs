//! What a query found, so that both databases' answers can be compared.

use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;

#[derive(Debug)]
pub enum Answer {
    /// All that was found, as text, in the order of the text.
    Whole(Vec<String>),
    /// One of several; which one is nobody's promise. None: there is none.
    One { found: Option<String>, of: Vec<String> },
}

impl Answer {
    pub fn whole(form: &Form) -> Answer {
        let Form::Vector(rows) = form else { panic!("{form} is no rows") };
        let mut rows: Vec<String> = rows.iter().map(|row| text(row, false)).collect();
        rows.sort();
        Answer::Whole(rows)
    }

    /// `all`: the rows that it may be one of. A value is a row of one.
    pub fn one(form: &Form, all: &Form) -> Answer {
        let Answer::Whole(of) = Answer::whole(all) else { unreachable!("rows are whole") };
        Answer::One { found: found(form), of }
    }

    pub fn theirs(form: &Form, one: bool) -> Answer {
        match one {
            true => Answer::One { found: found(form), of: vec![] },
            false => Answer::whole(form),
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Answer::Whole(rows) => rows.is_empty(),
            Answer::One { found, .. } => found.is_none(),
        }
    }

    /// Whether ours (`self`) and theirs are one answer.
    pub fn same(&self, theirs: &Answer) -> bool {
        match (self, theirs) {
            (Answer::Whole(ours), Answer::Whole(theirs)) => ours == theirs,
            (Answer::One { found, of }, Answer::One { found: theirs, .. }) => {
                let may = |found: &Option<String>| match found {
                    Some(row) => of.iter().any(|all| all == row || *all == format!("[{row}]")),
                    // What is pulled of an entity may be nil, and then that is the row.
                    None => of.is_empty() || of.iter().any(|row| row == "[nil]"),
                };
                may(found) && may(theirs)
            }
            _ => false,
        }
    }
}

fn found(form: &Form) -> Option<String> {
    let node = Node { form: form.clone(), span: Default::default() };
    (*form != Form::Nil).then(|| text(&node, false))
}

/// Maps and sets in the order of their text, and what a pull shows of several values, which have no order. Of a reference
/// a pull shows its ident beside the id here, and not there; beside `*` what it has not is nil there, and not here.
fn text(node: &Node, pulled: bool) -> String {
    let all = |nodes: &[Node], pulled| -> Vec<String> {
        nodes.iter().map(|node| text(node, pulled)).collect()
    };
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts.join(" ")
    };
    match &node.form {
        Form::Vector(nodes) if pulled => format!("[{}]", sorted(all(nodes, true))),
        Form::Vector(nodes) => format!("[{}]", all(nodes, false).join(" ")),
        Form::Set(nodes) => format!("#{{{}}}", sorted(all(nodes, false))),
        Form::Map(pairs) => {
            let entity = node.get(":db/id").is_some();
            let reference = pulled && entity && pairs.len() == 2;
            let pairs = pairs.iter().filter(|(k, v)| {
                let ident = reference && k.keyword() == Some(":db/ident");
                !(ident || entity && v.form == Form::Nil)
            });
            format!(
                "{{{}}}",
                sorted(pairs.map(|(k, v)| format!("{k} {}", text(v, true))).collect())
            )
        }
        // The last digits tell in which order values were added up.
        Form::Value(Value::Double(n)) => format!("{n:.9e}"),
        other => other.to_string(),
    }
}
