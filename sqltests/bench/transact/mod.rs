//! Entities a second through the transactor, new ones and upserts, in batches of 1, 10 and 1,000: by one caller who waits for
//! each transaction. In process, over HTTP, and by Datomic's peer library (`datomic.clj`); all keep their data in memory.

use crate::measure::round;
use crate::{Arguments, options};
use daodb_catalog::{Database, EntityRef, Op, TxValue};
use daodb_gateway::http::{self, Limits};
use daodb_sqltests::engine::{self, DATABASE};
use daodb_sqltests::servers::datomic;
use daodb_storage::{Attr, Value};
use serde_json::{Value as Json, json};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const BATCHES: [u64; 3] = [1, 10, 1000];
/// People that upserts find, again and again.
const KNOWN: u64 = 1000;
/// What each caller does before its time counts, as a part of that time.
const WARM_UP: u32 = 3;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    New,
    Upserts,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::New => "new",
            Kind::Upserts => "upserts",
        }
    }

    /// The number of the nth person that is said something of.
    fn person(self, n: u64) -> u64 {
        match self {
            Kind::New => KNOWN + n,
            Kind::Upserts => n % KNOWN,
        }
    }
}

/// Batch sizes and kinds, in the order of the report.
fn cases() -> impl Iterator<Item = (u64, Kind)> {
    BATCHES.into_iter().flat_map(|batch| [(batch, Kind::New), (batch, Kind::Upserts)])
}

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let seconds = arguments.number("--seconds", 3)?;
    let time = Duration::from_secs(seconds as u64);
    let in_process = in_process(time).await?;
    eprintln!("in process {in_process:?}");
    let over_http = over_http(time).await?;
    eprintln!("over HTTP {over_http:?}");
    let theirs = match datomic::class_path() {
        Some(class_path) => Some(beside(&class_path, seconds)?),
        None => None,
    };
    eprintln!("Datomic {theirs:?}");
    let rows: Vec<Json> = cases()
        .enumerate()
        .map(|(i, (batch, kind))| {
            let datomic = theirs.as_ref().and_then(|rates| rates.get(i)).copied();
            json!({
                "batch": batch,
                "entities": kind.name(),
                "in_process": round(in_process[i]),
                "over_http": round(over_http[i]),
                "datomic": datomic.map(round),
                "times_datomic": datomic.map(|theirs| round(in_process[i] / theirs)),
            })
        })
        .collect();
    println!("{:#}", json!({ "bench": "transact", "seconds": seconds, "cases": rows }));
    Ok(())
}

/// A person as a map: name, age and city change with `n`.
fn map(kind: Kind, n: u64) -> Op {
    let text = |text: String| TxValue::Value(Value::string(text));
    let attrs = [
        (":person/email", text(format!("p{}@example.com", kind.person(n)))),
        (":person/name", text(format!("person {n}"))),
        (":person/age", TxValue::Value(Value::Long((n % 90) as i64))),
        (":person/city", TxValue::Value(Value::keyword(format!("city/c{}", n % 50)))),
    ];
    let attrs = attrs.into_iter().map(|(a, v)| (Attr::new(a), v)).collect();
    Op::Map { id: None::<EntityRef>, attrs }
}

/// The same as EDN.
fn edn(kind: Kind, first: u64, batch: u64) -> String {
    let mut out = String::from("{:tx-data [");
    for n in first..first + batch {
        // Writing to a String never fails.
        let _ = writeln!(out, "{}", map(kind, n));
    }
    out + "]}"
}

/// Entities a second: `send` takes the number of the first of a batch, and returns when they are there.
async fn rate(
    time: Duration,
    batch: u64,
    mut send: impl AsyncFnMut(u64) -> Result<(), String>,
) -> Result<f64, String> {
    let (mut n, mut rate) = (0, 0.0);
    for time in [time / WARM_UP, time] {
        let (start, from) = (Instant::now(), n);
        loop {
            send(n).await?;
            n += batch;
            if start.elapsed() >= time {
                break;
            }
        }
        rate = (n - from) as f64 / start.elapsed().as_secs_f64();
    }
    Ok(rate)
}

async fn prepare(database: &Database) -> Result<(), String> {
    let declared = [
        ("email", "string", Some("identity")),
        ("name", "string", None),
        ("age", "long", None),
        ("city", "keyword", None),
    ];
    let keyword = |name: String| TxValue::Value(Value::keyword(name));
    let declare = |(name, ty, unique): (&str, &str, Option<&str>)| {
        let mut attrs = vec![
            (Attr::new(":db/ident"), keyword(format!("person/{name}"))),
            (Attr::new(":db/valueType"), keyword(format!("db.type/{ty}"))),
            (Attr::new(":db/cardinality"), keyword("db.cardinality/one".to_owned())),
        ];
        attrs.extend(
            unique.map(|unique| (Attr::new(":db/unique"), keyword(format!("db.unique/{unique}")))),
        );
        Op::Map { id: None, attrs }
    };
    let schema: Vec<Op> = declared.into_iter().map(declare).collect();
    database.transact(schema).await.map_err(|e| e.to_string())?;
    let known: Vec<Op> = (0..KNOWN).map(|n| map(Kind::Upserts, n)).collect();
    database.transact(known).await.map_err(|e| e.to_string())?;
    Ok(())
}

async fn in_process(time: Duration) -> Result<Vec<f64>, String> {
    let mut rates = Vec::new();
    for (batch, kind) in cases() {
        let (catalog, database) = engine::memory(options()).await.map_err(|e| e.to_string())?;
        prepare(&database).await?;
        let send = async |first| {
            let ops: Vec<Op> = (first..first + batch).map(|n| map(kind, n)).collect();
            database.transact(ops).await.map(|_| ()).map_err(|e| e.to_string())
        };
        rates.push(rate(time, batch, send).await?);
        catalog.close().await.map_err(|e| e.to_string())?;
    }
    Ok(rates)
}

async fn over_http(time: Duration) -> Result<Vec<f64>, String> {
    let mut rates = Vec::new();
    for (batch, kind) in cases() {
        let (catalog, database) = engine::memory(options()).await.map_err(|e| e.to_string())?;
        prepare(&database).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let (limits, stop) = (Limits::default(), CancellationToken::new());
        let served = http::serve_within(listener, catalog.clone(), limits, stop.clone());
        let task = tokio::spawn(served);
        let client = reqwest::Client::builder().no_proxy().build().map_err(|e| e.to_string())?;
        let url = format!("http://{address}/api/{DATABASE}/transact");
        let send = async |first| {
            let request = client.post(&url).header("Content-Type", "application/edn");
            let request = request.header("Accept", "application/edn").body(edn(kind, first, batch));
            let answer = request.send().await.map_err(|e| e.to_string())?;
            let status = answer.status();
            let body = answer.text().await.map_err(|e| e.to_string())?;
            status.is_success().then_some(()).ok_or(body)
        };
        rates.push(rate(time, batch, send).await?);
        stop.cancel();
        task.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        catalog.close().await.map_err(|e| e.to_string())?;
    }
    Ok(rates)
}

/// Datomic's rates, in the same order.
fn beside(class_path: &str, seconds: usize) -> Result<Vec<f64>, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/transact/datomic.clj");
    let mut command = datomic::command(class_path, Path::new(script));
    let done = command.arg(seconds.to_string()).output().map_err(|e| format!("java: {e}"))?;
    if !done.status.success() {
        return Err(format!("datomic.clj: {}", String::from_utf8_lossy(&done.stderr)));
    }
    let said = String::from_utf8_lossy(&done.stdout);
    said.lines().map(|line| line.parse().map_err(|e| format!("datomic.clj: {line}: {e}"))).collect()
}
