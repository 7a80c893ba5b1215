//! A stranger reads our files: DuckDB, from PyPI, finds in every log object and segment what our own reader finds.
//!
//! `DAODB_PYTHON` names the Python to use (`python3` where it is not set); it needs `pip install duckdb`.

use bigdecimal::{BigDecimal, num_bigint::BigInt};
use daodb_sqltests::left_out;
use daodb_storage::log::{Head, Header, Log};
use daodb_storage::stream::StreamOptions;
use daodb_storage::{
    Attr, Datom, FIRST_ENTITY, META_ASSERTED, META_DERIVED, META_RETRACTED, NewTransaction,
    Snapshot, Store, Stream, Value, ValueType,
};
use futures::TryStreamExt;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/duckdb/read.py");
const STREAM: &str = "db/streams/main";

pub fn python() -> Option<String> {
    let python = std::env::var("DAODB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python).args(["-c", "import duckdb"]).output();
    match asked {
        Ok(answer) if answer.status.success() => Some(python),
        _ => {
            left_out(
                "DuckDB reads our files",
                &format!("{python} cannot import duckdb (DAODB_PYTHON names another)"),
            );
            None
        }
    }
}

/// The script's lines.
pub fn duckdb(python: &str, what: &str, files: &[PathBuf]) -> Vec<Json> {
    let run = Command::new(python).arg(SCRIPT).arg(what).args(files).output().unwrap();
    assert!(run.status.success(), "{what}: {}", String::from_utf8_lossy(&run.stderr));
    let lines = String::from_utf8(run.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// As read.py prints a value.
pub fn text(v: &Value) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    match v {
        Value::Boolean(b) => b.to_string(),
        Value::Long(n) | Value::Ref(n) | Value::Instant(n) => n.to_string(),
        Value::Double(d) => hex(&d.to_bits().to_be_bytes()),
        Value::Bigint(n) => n.to_string(),
        Value::Bigdec(d) => daodb_storage::value::bigdec_text(d),
        Value::String(s) | Value::Keyword(s) | Value::Symbol(s) | Value::Uri(s) => s.to_string(),
        Value::Uuid(u) => u.to_string(),
        Value::Bytes(b) => hex(b),
        Value::Tuple(_) => {
            let mut bytes = Vec::new();
            v.write_canonical(&mut bytes);
            hex(&bytes)
        }
    }
}

/// Two values of every type.
fn values(ty: ValueType) -> [Value; 2] {
    let bigint = |n: &str| n.parse::<BigInt>().unwrap();
    let bigdec =
        |digits, scale| Value::Bigdec(Arc::new(BigDecimal::new(BigInt::from(digits), scale)));
    match ty {
        ValueType::Boolean => [Value::Boolean(true), Value::Boolean(false)],
        ValueType::Long => [Value::Long(i64::MIN), Value::Long(i64::MAX)],
        ValueType::Bigint => {
            ["-123456789012345678901234567890", "7"].map(|n| Value::Bigint(Arc::new(bigint(n))))
        }
        ValueType::Double => [Value::Double(-0.0), Value::Double(1e300)],
        ValueType::Bigdec => [bigdec(100, 2), bigdec(-5, 20)],
        ValueType::Instant => [Value::Instant(-1), Value::Instant(1_767_225_600_123_456)],
        ValueType::Ref => [Value::Ref(FIRST_ENTITY), Value::Ref(1000)],
        ValueType::String => ["", "naïve \"\u{1F600}\"\n"].map(Value::string),
        ValueType::Keyword => ["a/b", "c"].map(Value::keyword),
        ValueType::Symbol => ["x", "y"].map(|s| Value::Symbol(s.into())),
        ValueType::Uri => ["http://a", "urn:b"].map(|s| Value::Uri(s.into())),
        ValueType::Uuid => [1, u128::MAX].map(|n| Value::Uuid(uuid::Uuid::from_u128(n))),
        ValueType::Bytes => [&[][..], &[0, 255]].map(|b| Value::Bytes(b.into())),
        ValueType::Tuple => [
            Value::Tuple([Some(Value::Long(1)), None].into()),
            Value::Tuple([Some(Value::string("x"))].into()),
        ],
    }
}

/// Every value type, retractions and every kind of m; then a group that is large enough to be compressed.
pub fn history() -> Vec<Vec<NewTransaction>> {
    let datom = |e, a: &str, v, t, m, added| Datom { e, a: Attr::new(a), v, t, m, added };
    let mut all = Vec::new();
    let mut first = Vec::new();
    let mut second = Vec::new();
    for (n, ty) in ValueType::ALL.into_iter().enumerate() {
        let a = format!(":thing/{}", ty.name());
        let [old, new] = values(ty);
        let e = FIRST_ENTITY + n as i64;
        let m = if n.is_multiple_of(2) { META_ASSERTED } else { META_DERIVED };
        first.push(datom(e, &a, old.clone(), 1000, m, true));
        let m = if n.is_multiple_of(3) { 1001 } else { META_RETRACTED };
        second.push(datom(e, &a, old, 1001, m, false));
        second.push(datom(e, &a, new, 1001, META_ASSERTED, true));
    }
    all.push(vec![NewTransaction { instant: 5, datoms: first }]);
    all.push(vec![NewTransaction { instant: 1_767_225_600_000_000, datoms: second }]);
    let person = |n: i64, t| {
        let name = Value::string(format!("person {n}"));
        [
            datom(FIRST_ENTITY + 100 + n, ":person/name", name, t, META_ASSERTED, true),
            datom(
                FIRST_ENTITY + 100 + n,
                ":person/age",
                Value::Long(n % 90),
                t,
                META_ASSERTED,
                true,
            ),
        ]
    };
    let people = (0..5).map(|i| {
        let t = 1002 + i;
        let datoms = (i * 1000..(i + 1) * 1000).flat_map(|n| person(n, t)).collect();
        NewTransaction { instant: 1_767_225_600_000_000 + i, datoms }
    });
    all.push(people.collect());
    all
}

fn options() -> StreamOptions {
    StreamOptions::new(1 << 20, 1 << 20, Arc::new(|| 0))
}

/// All Parquet files under `folder`, by name.
fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "parquet") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

async fn write(store: &Store) -> Arc<Stream> {
    let stream = Stream::create(store.clone(), STREAM.into(), options()).await.unwrap();
    for group in history() {
        stream.append(group).await.unwrap();
    }
    stream
}

#[tokio::test]
async fn duckdb_reads_the_log_as_we_do() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::folder(folder.path()).unwrap();
    write(&store).await.close().await.unwrap();
    // Small objects get their files while the folder is open, soon after nothing is written any more.
    let mut files = Vec::new();
    for _ in 0..100 {
        files = parquet_files(&folder.path().join(STREAM).join("log"));
        if files.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(files.len(), 3);
    let log = Log::new(store, STREAM.into(), stream_name(&python, &files));
    let read = log.read_after(Head::START).try_collect::<Vec<_>>().await.unwrap();
    let expected: Vec<Json> = read
        .iter()
        .flat_map(|t| t.datoms.iter())
        .map(|d| json!([d.e, d.a.as_str(), d.v.value_type().name(), text(&d.v), d.t, d.m, d.added]))
        .collect();
    let found = duckdb(&python, "log", &files);
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(&expected) {
        assert_eq!(f, e);
    }
    let found: Vec<_> = duckdb(&python, "metadata", &files).iter().flat_map(headers).collect();
    let expected: Vec<_> = read.iter().map(|t| header(&t.header)).collect();
    assert_eq!(found, expected);
}

/// (e, a, type, value, t_from, m_from) and, where it has ended, (t_to, m_to).
type FactTexts = BTreeMap<(i64, String, String, String, i64, i64), Option<(i64, i64)>>;

/// The facts of these segments. A fact that a newer run has ended stands in the older one as current still.
fn facts_in(python: &str, files: &[PathBuf]) -> FactTexts {
    let mut facts = FactTexts::new();
    for row in duckdb(python, "segments", files) {
        let long = |i: usize| row[i].as_i64();
        let text = |i: usize| row[i].as_str().unwrap().to_owned();
        let (t_from, m_from) = (long(4).unwrap(), long(5).unwrap());
        let key = (long(0).unwrap(), text(1), text(2), text(3), t_from, m_from);
        let end = long(6).map(|t_to| (t_to, long(7).unwrap()));
        let entry = facts.entry(key).or_default();
        *entry = entry.or(end);
    }
    facts
}

async fn facts_of(snapshot: &Snapshot) -> FactTexts {
    let mut facts = FactTexts::new();
    let history = snapshot.history();
    let names: BTreeSet<_> = history.attributes().map(|s| s.a.clone()).collect();
    for a in names {
        for f in history.all(&a).await.unwrap() {
            let ty = f.v.value_type().name().to_owned();
            let key = (f.e, a.to_string(), ty, text(&f.v), f.t_from, f.m_from);
            facts.insert(key, (!f.is_open()).then_some((f.t_to, f.m_to)));
        }
    }
    facts
}

#[tokio::test]
async fn duckdb_reads_segments_as_we_do() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::folder(folder.path()).unwrap();
    let stream = Stream::create(store, STREAM.into(), options()).await.unwrap();
    for group in history() {
        // Each group a run of its own.
        stream.append(group).await.unwrap();
        stream.index_now().await.unwrap();
    }
    let expected = facts_of(&stream.snapshot()).await;
    assert!(expected.len() > 10_000 && expected.values().any(Option::is_some));
    stream.close().await.unwrap();
    let files = parquet_files(&folder.path().join(STREAM).join("segments"));
    let mut by_order: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (file, metadata) in files.iter().zip(duckdb(&python, "metadata", &files)) {
        let order = metadata["daodb.order"].as_str().unwrap().to_owned();
        by_order.entry(order).or_default().push(file.clone());
    }
    assert_eq!(facts_in(&python, &by_order["aevt"]), expected);
    // The other orders hold what is looked up by them.
    for (order, files) in by_order {
        for (fact, end) in facts_in(&python, &files) {
            assert_eq!(expected.get(&fact), Some(&end), "{order}: {fact:?}");
        }
    }
}

/// What the files say is the name of their stream.
fn stream_name(python: &str, files: &[PathBuf]) -> String {
    let metadata = duckdb(python, "metadata", &files[..1]);
    metadata[0]["daodb.stream"].as_str().unwrap().to_owned()
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// (t, instant, count, previous, hash)
type HeaderText = (i64, String, u64, String, String);

fn header(h: &Header) -> HeaderText {
    let instant = daodb_storage::value::instant_text(h.instant);
    (h.t, instant, h.count, hex(&h.previous), hex(&h.hash))
}

/// The headers in one file's metadata, the previous hash of each from the one before.
fn headers(metadata: &Json) -> Vec<HeaderText> {
    let mut previous = metadata["daodb.previous"].as_str().unwrap().to_owned();
    let headers: Vec<Json> =
        serde_json::from_str(metadata["daodb.transactions"].as_str().unwrap()).unwrap();
    let mut found = Vec::new();
    for h in headers {
        let text = |key: &str| h[key].as_str().unwrap().to_owned();
        let before = std::mem::replace(&mut previous, text("hash"));
        let (t, count) = (h["t"].as_i64().unwrap(), h["count"].as_u64().unwrap());
        found.push((t, text("instant"), count, before, text("hash")));
    }
    found
}
