//! What one side makes of a sequence, and the names by which entities of both sides are the same ones.

use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Ids of ordinary entities and transactions are above this on the other side, and no long of a sequence is.
const FIRST_ID_THERE: i64 = 1 << 43;

/// `[e a v tx added]`
#[derive(Debug, Clone)]
pub struct Datom {
    pub e: i64,
    pub a: String,
    pub v: Value,
    pub tx: i64,
    pub added: bool,
}

#[derive(Debug)]
pub enum Outcome {
    Done { tx: i64, datoms: Vec<Datom>, tempids: BTreeMap<String, i64> },
    Refused { kind: String, message: String },
    LeftOut,
}

#[derive(Debug)]
pub struct Answer {
    pub outcomes: Vec<Outcome>,
    /// What is seen at the end: `now`, `history`, `as-of 3`, `since 3`.
    pub views: BTreeMap<String, Vec<Datom>>,
}

impl Answer {
    /// From a line of the other side.
    pub fn read(node: &Node) -> Option<Answer> {
        let outcomes = node.get(":results")?.sequence()?.iter().map(outcome);
        let mut views = BTreeMap::new();
        for (key, name) in [(":now", "now"), (":history", "history")] {
            views.insert(name.to_owned(), datoms(node.get(key)?)?);
        }
        for (key, name) in [(":as-of", "as-of"), (":since", "since")] {
            let Form::Map(pairs) = &node.get(key)?.form else { return None };
            for (k, seen) in pairs {
                views.insert(format!("{name} {k}"), datoms(seen)?);
            }
        }
        Some(Answer { outcomes: outcomes.collect::<Option<_>>()?, views })
    }
}

fn outcome(node: &Node) -> Option<Outcome> {
    if node.keyword() == Some(":left-out") {
        return Some(Outcome::LeftOut);
    }
    if let Some(kind) = node.get(":error") {
        let message = node.get(":message").and_then(Node::string).unwrap_or_default().to_owned();
        return Some(Outcome::Refused { kind: kind.keyword()?.to_owned(), message });
    }
    let Form::Map(pairs) = &node.get(":tempids")?.form else { return None };
    let tempids = pairs.iter().map(|(name, e)| Some((name.string()?.to_owned(), long(e)?)));
    Some(Outcome::Done {
        tx: long(node.get(":tx")?)?,
        datoms: datoms(node.get(":datoms")?)?,
        tempids: tempids.collect::<Option<_>>()?,
    })
}

fn datoms(node: &Node) -> Option<Vec<Datom>> {
    let datom = |node: &Node| {
        let [e, a, v, tx, added] = node.sequence()? else { return None };
        let added = added.form == Form::Value(Value::Boolean(true));
        Some(Datom { e: long(e)?, a: a.keyword()?.to_owned(), v: value(v)?, tx: long(tx)?, added })
    };
    node.sequence()?.iter().map(datom).collect()
}

fn long(node: &Node) -> Option<i64> {
    match &node.form {
        Form::Value(v) => v.as_i64(),
        _ => None,
    }
}

fn value(node: &Node) -> Option<Value> {
    match &node.form {
        Form::Value(v) => Some(v.clone()),
        Form::Vector(parts) => {
            let part = |node: &Node| match node.form {
                Form::Nil => Some(None),
                _ => value(node).map(Some),
            };
            Some(Value::Tuple(parts.iter().map(part).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

/// Entities by what both sides know of them: the tempid, the ident or the mark with which they came, and the place of
/// transactions in the sequence.
#[derive(Default)]
pub struct Names {
    of: HashMap<i64, String>,
}

impl Names {
    /// Names what a transaction brought.
    pub fn learn(&mut self, k: usize, tx: i64, datoms: &[Datom], tempids: &BTreeMap<String, i64>) {
        self.of.insert(tx, format!("tx{k}"));
        for (name, e) in tempids {
            self.of.entry(*e).or_insert_with(|| format!("\"{name}\""));
        }
        for d in datoms.iter().filter(|d| d.added) {
            if d.a == ":db/ident" || d.a.ends_with("/mark") {
                self.of.entry(d.e).or_insert_with(|| format!("{} {}", d.a, d.v));
            }
        }
    }

    pub fn name(&self, e: i64) -> String {
        self.of.get(&e).cloned().unwrap_or_else(|| format!("unnamed {e}"))
    }

    fn value(&self, v: &Value) -> String {
        match v {
            Value::Ref(e) => self.name(*e),
            // A reference within a tuple is a long there.
            Value::Long(n) if *n > FIRST_ID_THERE => self.name(*n),
            Value::Tuple(parts) => {
                let part = |v: &Option<Value>| v.as_ref().map_or("nil".into(), |v| self.value(v));
                format!("[{}]", parts.iter().map(part).collect::<Vec<String>>().join(" "))
            }
            v => v.to_string(),
        }
    }

    pub fn lines(&self, datoms: &[Datom]) -> BTreeSet<String> {
        let line = |d: &Datom| {
            let (e, v, tx) = (self.name(d.e), self.value(&d.v), self.name(d.tx));
            format!("{}{e} {} {v} {tx}", if d.added { '+' } else { '-' }, d.a)
        };
        datoms.iter().map(line).collect()
    }
}
