//! Transactions and databases as forms, in the shapes that Datomic's own interfaces give them.

use super::formats::{long, map, node, text, value};
use daodb_catalog::TxReport;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::log::Transaction;
use daodb_storage::{Datom, FIRST_T, Value};

/// `[[e a v t m] ...]`: m is 1 of what was asserted, 0 of what was retracted.
pub fn datoms(all: &[Datom]) -> Node {
    let parts = |d: &Datom| {
        let a = value(Value::keyword(d.a.as_str()));
        node(Form::Vector(vec![long(d.e), a, value(d.v.clone()), long(d.t), long(d.m)]))
    };
    node(Form::Vector(all.iter().map(parts).collect()))
}

pub fn hash(hash: &[u8; 32]) -> Node {
    text(hash_text(hash))
}

/// Hexadecimal digits.
pub fn hash_text(hash: &[u8; 32]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(64), |mut out, b| {
        // Writing to a String never fails.
        let _ = write!(out, "{b:02x}");
        out
    })
}

pub fn instant(us: i64) -> Node {
    value(Value::Instant(us))
}

/// A transaction as the log has it. `:previous` is the hash of the one before: by it a reader knows that none is missing.
pub fn transaction(transaction: &Transaction) -> Node {
    let header = &transaction.header;
    map([
        ("t", long(header.t)),
        ("tx", long(header.t)),
        ("instant", instant(header.instant)),
        ("hash", hash(&header.hash)),
        ("previous", hash(&header.previous)),
        ("tx-data", datoms(&transaction.datoms)),
    ])
}

/// A database at a t.
pub fn database(name: &str, t: i64) -> Node {
    map([("db-name", text(name)), ("t", long(t)), ("next-t", long(t.max(FIRST_T - 1) + 1))])
}

/// What a transaction did.
pub fn report(name: &str, report: &TxReport) -> Node {
    let tempid = |(tempid, e): (&std::sync::Arc<str>, &i64)| (text(tempid), long(*e));
    map([
        ("t", long(report.t)),
        ("tx", long(report.t)),
        ("instant", instant(report.instant)),
        ("hash", hash(&report.hash)),
        ("tempids", node(Form::Map(report.tempids.iter().map(tempid).collect()))),
        ("tx-data", datoms(&report.datoms)),
        ("db-before", database(name, report.db_before.t())),
        ("db-after", database(name, report.db_after.t())),
    ])
}
