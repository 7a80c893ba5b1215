//! Our side: a sequence through the reader of transaction data and the transactor, and what is seen afterwards.

use super::answer::{Answer, Datom, Outcome};
use super::generate::Sequence;
use daodb_catalog::{Database, Result, Schema, Transaction};
use daodb_datalog::{edn, tx_data};
use daodb_storage::{Snapshot, Value};
use std::collections::{BTreeMap, HashSet};

/// An id that nobody has.
const NOBODY: i64 = 1 << 39;

/// The text with ids for `#e "x"`; None: one is missing.
fn named(text: &str, ids: &BTreeMap<String, i64>) -> Option<String> {
    let mut parts = text.split("#e \"");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('"')?;
        let id = if name == "?" { &NOBODY } else { ids.get(name)? };
        out.push_str(&id.to_string());
        out.push_str(rest);
    }
    Some(out)
}

fn transaction(text: &str) -> std::result::Result<Transaction, String> {
    let node = edn::read(text).map_err(|e| format!("edn: {e}"))?;
    tx_data::read(&node).map(Transaction::from).map_err(|e| e.to_string())
}

async fn step(database: &Database, text: &str) -> Outcome {
    let transaction = match transaction(text) {
        Ok(transaction) => transaction,
        Err(message) => return Outcome::Refused { kind: "42601".to_owned(), message },
    };
    match database.transact(transaction).await {
        Ok(report) => {
            let schema = database.schema(&report.db_after).await.unwrap();
            let said = report.datoms.iter().filter(|d| d.a.as_str() != ":db/txInstant");
            let datoms = said.map(|d| Datom {
                e: d.e,
                a: schema.name_of(&d.a).to_string(),
                v: value(&schema, &d.v),
                tx: d.t,
                added: d.added,
            });
            let (datoms, tx) = (datoms.collect(), report.t);
            let tempids = report.tempids.iter().map(|(name, e)| (name.to_string(), *e)).collect();
            Outcome::Done { tx, datoms, tempids }
        }
        Err(e) => Outcome::Refused { kind: e.state.as_str().to_owned(), message: e.to_string() },
    }
}

/// What is built in has numbers of its own here; its names are those of the other side.
fn value(schema: &Schema, v: &Value) -> Value {
    match v {
        Value::Ref(e) if *e < 1000 => {
            schema.ident_of(*e).map_or_else(|| v.clone(), |ident| Value::keyword(ident.as_str()))
        }
        v => v.clone(),
    }
}

pub async fn answer(database: &Database, sequence: &Sequence) -> Answer {
    let mut ids = BTreeMap::new();
    let mut outcomes = Vec::new();
    for text in &sequence.txs {
        let outcome = match named(text, &ids) {
            Some(text) => step(database, &text).await,
            None => Outcome::LeftOut,
        };
        if let Outcome::Done { datoms, tempids, .. } = &outcome {
            // The other side gives ids of which nothing is said again.
            let mut known: HashSet<i64> = ids.values().copied().collect();
            known.extend(datoms.iter().map(|d| d.e));
            known.extend(datoms.iter().filter_map(|d| d.v.as_i64()));
            let known = tempids.iter().filter(|(_, e)| known.contains(e));
            ids.extend(known.map(|(name, e)| (name.clone(), *e)));
        }
        outcomes.push(outcome);
    }
    let views = views(database, sequence, &outcomes).await.unwrap();
    Answer { outcomes, views }
}

async fn views(
    database: &Database,
    sequence: &Sequence,
    outcomes: &[Outcome],
) -> Result<BTreeMap<String, Vec<Datom>>> {
    let snapshot = database.snapshot();
    let schema = database.schema(&snapshot).await?;
    let mut views = BTreeMap::new();
    for (name, view) in [("now", snapshot.clone()), ("history", snapshot.history())] {
        views.insert(name.to_owned(), visible(&schema, &view, &sequence.ns).await?);
    }
    for k in &sequence.views {
        let Some(Outcome::Done { tx, .. }) = outcomes.get(*k) else { continue };
        for (name, view) in [("as-of", snapshot.as_of(*tx)), ("since", snapshot.since(*tx))] {
            views.insert(format!("{name} {k}"), visible(&schema, &view, &sequence.ns).await?);
        }
    }
    Ok(views)
}

/// The datoms of the sequence's attributes that a view has.
async fn visible(schema: &Schema, view: &Snapshot, ns: &str) -> Result<Vec<Datom>> {
    let history = view.view().history;
    let mut datoms = Vec::new();
    for a in schema.attributes.keys().filter(|a| a.namespace() == Some(ns)) {
        for fact in view.all(a).await? {
            let (e, v) = (fact.e, value(schema, &fact.v));
            let name = schema.name_of(a).to_string();
            let datom = |tx, added| Datom { e, a: name.clone(), v: v.clone(), tx, added };
            datoms.push(datom(fact.t_from, true));
            if history && !fact.is_open() {
                datoms.push(datom(fact.t_to, false));
            }
        }
    }
    Ok(datoms)
}
