//! What `daodb export` writes is what the log holds: read back from EDN, CSV and, by DuckDB, from Parquet.

use crate::{duckdb, edn};
use bigdecimal::{BigDecimal, num_bigint::BigInt};
use daodb_sqltests::engine;
use daodb_storage::log::{Head, Log};
use daodb_storage::{Attr, Datom, FIRST_ENTITY, NewTransaction, Value};
use futures::TryStreamExt;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Values that a format may stumble over.
fn odd() -> Vec<Value> {
    let bigdec =
        |digits: i64, scale| Value::Bigdec(Arc::new(BigDecimal::new(BigInt::from(digits), scale)));
    let text = |s: &str| {
        vec![
            Value::string(s),
            Value::keyword(format!(":{s}")),
            Value::Symbol(s.into()),
            Value::Uri(s.into()),
        ]
    };
    let mut all = vec![
        Value::Double(f64::NAN),
        Value::Double(f64::INFINITY),
        Value::Double(f64::NEG_INFINITY),
        Value::Double(-0.0),
        Value::Double(5e-324),
        Value::Double(1e16),
        Value::Instant(i64::MIN),
        Value::Instant(i64::MAX),
        Value::Instant(-1),
        Value::Instant(253_402_300_800_000_000),
        bigdec(0, 4),
        bigdec(1, -3),
        bigdec(-5, 30),
        bigdec(12345, 5),
        Value::Bytes((0..=255).collect::<Vec<u8>>().into()),
        Value::Tuple([].into()),
        Value::Tuple([None, Some(Value::Tuple([Some(Value::Ref(7)), None].into()))].into()),
    ];
    let texts = [
        "nil", "true", "-1", "1", "a b", "a/b/c", "a/", "/", "\"", "\\", "a,b", "\n\r\t\0", "é",
        "\\.",
    ];
    all.extend(texts.iter().flat_map(|s| text(s)));
    all
}

/// A folder with a database of all types; with odd values where `with_odd` says so. Its log.
async fn make(folder: &Path, with_odd: bool) -> Vec<Datom> {
    let (catalog, database) = engine::folder(folder, engine::options()).await.unwrap();
    for group in duckdb::history() {
        database.stream().append(group).await.unwrap();
    }
    database.stream().index_now().await.unwrap();
    if with_odd {
        let t = database.snapshot().newest().t + 1;
        let names = [":odd/value", ":é/ü", ":x/y/z", ":plain"];
        let datom = |(n, v): (usize, Value)| {
            let (e, a) = (FIRST_ENTITY + 10_000 + n as i64, Attr::new(names[n % names.len()]));
            Datom { e, a, v, t, m: 1, added: true }
        };
        let datoms = odd().into_iter().enumerate().map(datom).collect();
        let instant = database.snapshot().newest().instant + 1;
        database.stream().append(vec![NewTransaction { instant, datoms }]).await.unwrap();
    }
    catalog.close().await.unwrap();
    drop((catalog, database));
    let store = engine::store(folder).await.unwrap();
    let prefix = format!("{}/streams/0", engine::DATABASE);
    let log = Log::new(store, prefix.as_str().into(), "0".to_owned());
    let read: Vec<_> = log.read_after(Head::START).try_collect().await.unwrap();
    read.iter().flat_map(|tx| tx.datoms.iter().cloned()).collect()
}

fn export(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(engine::daodb().unwrap());
    let run = command.arg("export").args(arguments).arg("--data").arg(folder).output().unwrap();
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

/// What holds after transaction `t`, asserted after `since`.
fn held(log: &[Datom], t: i64, since: i64) -> Vec<Datom> {
    let mut held: BTreeMap<(Attr, i64, Value), Datom> = BTreeMap::new();
    for d in log.iter().filter(|d| d.t <= t) {
        let key = (d.a.clone(), d.e, d.v.clone());
        match d.added {
            true => drop(held.entry(key).or_insert_with(|| d.clone())),
            false => drop(held.remove(&key)),
        }
    }
    held.into_values().filter(|d| d.t > since).collect()
}

fn assert_same(found: &[Datom], expected: &[Datom]) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        let bytes = |d: &Datom| {
            let mut bytes = Vec::new();
            d.v.write_canonical(&mut bytes);
            bytes
        };
        assert_eq!((f, bytes(f)), (e, bytes(e)));
    }
}

#[tokio::test]
async fn edn_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = make(folder.path(), true).await;
    assert_same(&edn::datoms(&export(folder.path(), &["--format", "edn", "--history"])), &log);
    let since = ["--format", "edn", "--history", "--since", "1000", "--as-of", "1001"];
    let expected: Vec<Datom> = log.iter().filter(|d| d.t == 1001).cloned().collect();
    assert_same(&edn::datoms(&export(folder.path(), &since)), &expected);
    for (arguments, t, since) in [
        (&[][..], i64::MAX, 0),
        (&["--as-of", "1000"], 1000, 0),
        (&["--as-of", "1004", "--since", "1002"], 1004, 1002),
        (&["--since", "1006"], i64::MAX, 1006),
    ] {
        let all = [&["--format", "edn"], arguments].concat();
        let mut found = edn::datoms(&export(folder.path(), &all));
        found.sort_by(|x, y| (&x.a, x.e, &x.v).cmp(&(&y.a, y.e, &y.v)));
        assert_same(&found, &held(&log, t, since));
    }
}

/// The records of a CSV text.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    assert!(record.is_empty() && field.is_empty() && !quoted);
    records
}

#[tokio::test]
async fn csv_has_every_value_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let log = make(folder.path(), true).await;
    let read = records(&export(folder.path(), &["--format", "csv", "--history"]));
    assert_eq!(read[0], ["e", "a", "v", "type", "t", "m", "added"]);
    assert_eq!(read.len(), log.len() + 1);
    for (record, d) in read[1..].iter().zip(&log) {
        let text = match &d.v {
            Value::Double(x) if x.is_nan() => "NaN".to_owned(),
            Value::Double(x) if x.is_infinite() => record[2].clone(),
            Value::Instant(us) => daodb_storage::value::instant_text(*us),
            Value::Bytes(_) => format!("\\x{}", duckdb::text(&d.v)),
            Value::Double(_) | Value::Tuple(_) => d.v.to_string(),
            v => duckdb::text(v),
        };
        let (e, t, m) = (d.e.to_string(), d.t.to_string(), d.m.to_string());
        let (ty, added) = (d.v.value_type().name(), if d.added { "t" } else { "f" });
        assert_eq!(record[..], [&e, d.a.as_str(), &text, ty, &t, &m, added].map(str::to_owned));
    }
}

#[tokio::test]
async fn duckdb_reads_parquet_as_the_log() {
    let Some(python) = duckdb::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let log = make(&data, false).await;
    let file = folder.path().join("all.parquet");
    let lines = |datoms: &[Datom]| -> Vec<Json> {
        let line = |d: &Datom| {
            let (ty, v) = (d.v.value_type().name(), duckdb::text(&d.v));
            json!([d.e, d.a.as_str(), ty, v, d.t, d.m, d.added])
        };
        datoms.iter().map(line).collect()
    };
    let out = file.to_str().unwrap();
    export(&data, &["--format", "parquet", "--history", "--out", out]);
    assert_eq!(duckdb::duckdb(&python, "log", std::slice::from_ref(&file)), lines(&log));
    export(&data, &["--format", "parquet", "--out", out]);
    let sorted = |mut lines: Vec<Json>| {
        lines.sort_by_key(Json::to_string);
        lines
    };
    let found = sorted(duckdb::duckdb(&python, "log", &[file]));
    assert_eq!(found, sorted(lines(&held(&log, i64::MAX, 0))));
}
