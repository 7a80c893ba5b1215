//! What the store does: durable transactions beside PostgreSQL with fsync, the time to open, what a long history costs the
//! present, how much is written for what is said, and what a query asks of a bucket.

use crate::measure::{Medians, disk, peak_mib, round};
use crate::scale::{self, reopened};
use crate::{Arguments, options};
use daodb_catalog::database::CatalogOptions;
use daodb_catalog::{Catalog, Database, EntityRef, Op, Session, TxValue};
use daodb_sqltests::engine;
use daodb_sqltests::servers::postgres::{Postgres, programs};
use daodb_storage::log::Head;
use daodb_storage::{Attr, FIRST_ENTITY, Store, Value};
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::path::Path;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: [usize; 3] = [1, 16, 64];
/// Entities that one transaction of a load or an update is about.
const PER_TRANSACTION: usize = 10_000;
const LENGTHS: [usize; 3] = [1, 10, 100];
const RUNS: usize = 5;

/// Over a table whose every value was replaced again and again; the number of rows that each answers with.
const QUERIES: [(&str, &str); 3] = [
    ("sum", "SELECT sum(n), count(*) FROM item"),
    ("filter", "SELECT _id FROM item WHERE n >= 0 AND name = 'n7'"),
    ("point", "SELECT name, n FROM item WHERE _id = {point}"),
];

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let n = arguments.number("--n", 100_000)?.max(1000);
    let commits = commits(arguments).await?;
    let mut lengths = Vec::new();
    for length in LENGTHS {
        let line = history(n, length).await?;
        eprintln!("history {line}");
        lengths.push(line);
    }
    let mut sizes = Vec::new();
    for datoms in scale::SIZES {
        sizes.push(scale::measure(arguments, datoms).await?);
    }
    let small = arguments.number("--small", 1_000_000)?.max(1000);
    let alone = one_by_one(small).await?;
    let bucket = requests(n).await?;
    let report = json!({
        "bench": "storage", "n": n, "commits": commits, "history": lengths,
        "sizes": sizes, "one_by_one": alone, "bucket": bucket, "peak_mib": peak_mib(),
    });
    println!("{report:#}");
    Ok(())
}

/// Durable transactions a second by so many clients, beside PostgreSQL on the same disk.
pub async fn commits(arguments: &Arguments) -> Result<Vec<Json>, String> {
    let seconds = Duration::from_secs(arguments.number("--seconds", 3)?.max(1) as u64);
    let mut commits = Vec::new();
    for clients in CLIENTS {
        let ours = ours(clients, seconds).await?;
        let theirs = theirs(clients, seconds).await?;
        let ratio = theirs.map(|theirs| round(ours / theirs));
        let line = json!({
            "clients": clients, "daodb_per_s": ours.round(), "postgresql_per_s": theirs.map(f64::round), "ratio": ratio,
        });
        eprintln!("commits {line}");
        commits.push(line);
    }
    Ok(commits)
}

fn long(n: i64) -> TxValue {
    TxValue::Value(Value::Long(n))
}

fn failed(e: impl std::fmt::Display) -> String {
    e.to_string()
}

/// Calls by so many clients, each one waiting for the answer to its last, a second.
async fn count(
    clients: usize,
    time: Duration,
    call: impl AsyncFn(usize) -> Result<(), String>,
) -> Result<f64, String> {
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let client = async |i: usize| -> Result<(), String> {
        while !over.load(Ordering::Relaxed) {
            call(i).await?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let start = Instant::now();
    let stop = async {
        tokio::time::sleep(time).await;
        over.store(true, Ordering::Relaxed);
        Ok(())
    };
    let all = futures::future::try_join_all((0..clients).map(client));
    futures::future::try_join(all, stop).await?;
    Ok(done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

/// Transactions of one new entity with two attributes, on a folder, each durable when it is answered.
async fn ours(clients: usize, time: Duration) -> Result<f64, String> {
    let folder = tempfile::tempdir().map_err(failed)?;
    let (catalog, database) = engine::folder(folder.path(), options()).await.map_err(failed)?;
    let (n, name) = (Attr::new(":item/n"), Attr::new(":item/name"));
    let rate = count(clients, time, async |i| {
        let text = TxValue::Value(Value::string("a name"));
        let op =
            Op::Map { id: None, attrs: vec![(n.clone(), long(i as i64)), (name.clone(), text)] };
        database.transact(vec![op]).await.map(drop).map_err(failed)
    })
    .await?;
    catalog.close().await.map_err(failed)?;
    Ok(rate)
}

/// Rows of the same by INSERT, one a transaction; None where there is no PostgreSQL 15.
async fn theirs(clients: usize, time: Duration) -> Result<Option<f64>, String> {
    let Some(programs) = programs() else {
        eprintln!("LEFT OUT: PostgreSQL 15 is not there to compare with");
        return Ok(None);
    };
    let postgres = Postgres::empty(programs, true)?;
    let url = format!("host=127.0.0.1 port={} user=tester dbname=postgres", postgres.port);
    let mut connections = Vec::new();
    for _ in 0..clients {
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.map_err(failed)?;
        tokio::spawn(connection);
        if connections.is_empty() {
            let sql = "CREATE TABLE item (id bigserial PRIMARY KEY, n bigint, name text)";
            client.batch_execute(sql).await.map_err(failed)?;
        }
        let sql = "INSERT INTO item (n, name) VALUES ($1, $2)";
        let insert = client.prepare(sql).await.map_err(failed)?;
        connections.push((client, insert));
    }
    let rate = count(clients, time, async |i| {
        let (client, insert) = &connections[i];
        client.execute(insert, &[&(i as i64), &"a name"]).await.map(drop).map_err(failed)
    })
    .await?;
    Ok(Some(rate))
}

/// Rows `0..n`, every `item/n` given anew `length - 1` times, in the end `n` = row.
async fn fill(database: &Arc<Database>, n: usize, length: usize) -> Result<(), String> {
    let (number, name) = (Attr::new(":item/n"), Attr::new(":item/name"));
    for round in 0..length {
        let offset = (length - 1 - round) as i64;
        for first in (0..n).step_by(PER_TRANSACTION) {
            let rows = first..n.min(first + PER_TRANSACTION);
            let op = |row: usize| match round {
                0 => {
                    let text = TxValue::Value(Value::string(format!("n{}", row % 1000)));
                    let attrs =
                        vec![(number.clone(), long(row as i64 + offset)), (name.clone(), text)];
                    Op::Map { id: None, attrs }
                }
                _ => Op::Add {
                    e: EntityRef::Id(FIRST_ENTITY + row as i64),
                    a: number.clone(),
                    v: long(row as i64 + offset),
                },
            };
            database.transact(rows.map(op).collect::<Vec<_>>()).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// The same present after histories of different lengths.
async fn history(n: usize, length: usize) -> Result<Json, String> {
    let folder = tempfile::tempdir().map_err(failed)?;
    let (catalog, database) = engine::folder(folder.path(), options()).await.map_err(failed)?;
    let start = Instant::now();
    fill(&database, n, length).await?;
    let seconds = start.elapsed().as_secs_f64();
    let datoms = n * 2 + n * 2 * (length - 1);
    catalog.close().await.map_err(failed)?;
    drop((catalog, database));
    let (bytes, files) = disk(folder.path());

    let (open_ms, catalog, database) = reopened(folder.path()).await?;
    // Of the program that ran before: what is due is done, so that all lengths are measured at rest.
    database.stream().index_now().await.map_err(failed)?;
    tokio::time::sleep(options().stream.rest_after + Duration::from_secs(1)).await;
    // Waits for what goes on.
    database.stream().index_now().await.map_err(failed)?;
    let mut session = engine::session(&catalog, &[]).await.map_err(failed)?;
    let queries = ask(&mut session, n).await?;
    let segments = database.snapshot().segments().len();
    catalog.close().await.map_err(failed)?;
    Ok(json!({
        "length": length, "datoms": datoms, "datoms_per_s": (datoms as f64 / seconds).round(), "open_ms": round(open_ms),
        "bytes": bytes, "files": files, "segments": segments, "queries_ms": queries,
    }))
}

async fn ask(session: &mut Session, n: usize) -> Result<Json, String> {
    let mut out = serde_json::Map::new();
    for (name, sql) in QUERIES {
        let sql = sql.replace("{point}", &(FIRST_ENTITY + n as i64 / 2).to_string());
        let mut times = Medians::new(1);
        for _ in 0..RUNS {
            let start = Instant::now();
            let rows = engine::query(session, &sql).await.map_err(failed)?;
            times.add(0, start);
            check(name, n, &rows)?;
        }
        out.insert(name.to_owned(), json!(round(times.of(0))));
    }
    Ok(out.into())
}

fn check(query: &str, n: usize, rows: &[Vec<String>]) -> Result<(), String> {
    let sum = (n as i64 * (n as i64 - 1) / 2).to_string();
    let right = match query {
        "sum" => *rows == [vec![sum, n.to_string()]],
        "filter" => rows.len() == (7..n).step_by(1000).count(),
        _ => *rows == [vec![format!("n{}", n / 2 % 1000), (n / 2).to_string()]],
    };
    if right { Ok(()) } else { Err(format!("{query} is answered wrongly: {rows:?}")) }
}

/// As many transactions of one fact as facts, by 64 clients, beside the same facts in a few transactions.
async fn one_by_one(n: usize) -> Result<Json, String> {
    let number = Attr::new(":item/n");
    let row = |row: usize| Op::Map { id: None, attrs: vec![(number.clone(), long(row as i64))] };
    let clients = CLIENTS[CLIENTS.len() - 1];
    let mut lines = serde_json::Map::new();
    for (name, each) in [("one_by_one", 1), ("bulk", PER_TRANSACTION)] {
        let folder = tempfile::tempdir().map_err(failed)?;
        let (catalog, database) = engine::folder(folder.path(), options()).await.map_err(failed)?;
        let start = Instant::now();
        futures::stream::iter((0..n).step_by(each))
            .map(|first| {
                database.transact((first..n.min(first + each)).map(row).collect::<Vec<_>>())
            })
            .buffer_unordered(clients)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
            .map_err(failed)?;
        let seconds = start.elapsed().as_secs_f64();
        catalog.close().await.map_err(failed)?;
        drop((catalog, database));
        let (bytes, files) = disk(folder.path());
        let (open_ms, catalog, database) = reopened(folder.path()).await?;
        // Of the program that ran before: what is due is done.
        database.stream().index_now().await.map_err(failed)?;
        let mut session = engine::session(&catalog, &[]).await.map_err(failed)?;
        let mut times = Medians::new(1);
        for _ in 0..RUNS {
            let start = Instant::now();
            let rows = engine::query(&mut session, "SELECT sum(n), count(*) FROM item").await;
            times.add(0, start);
            check("sum", n, &rows.map_err(failed)?)?;
        }
        // All of it from the files: what a backup reads, or an index that is made anew.
        let start = Instant::now();
        let read = database.stream().log().read_after(Head::START);
        let datoms = read.try_fold(0, async |sum, tx| Ok(sum + tx.datoms.len())).await;
        let read_s = start.elapsed().as_secs_f64();
        catalog.close().await.map_err(failed)?;
        let line = json!({
            "transactions": n.div_ceil(each), "datoms": datoms.map_err(failed)?, "write_s": round(seconds),
            "bytes": bytes, "files": files, "open_ms": round(open_ms), "sum_ms": round(times.of(0)), "read_log_s": round(read_s),
        });
        eprintln!("{name} {line}");
        lines.insert(name.to_owned(), line);
    }
    Ok(lines.into())
}

/// The bytes of the commits themselves: what is put where nothing is indexed and nothing joined.
async fn said(n: usize) -> Result<u64, String> {
    let store = Store::bucket(Arc::new(InMemory::new()), Path::default(), "a bucket");
    let mut lazy = options();
    lazy.stream.tail_datoms = usize::MAX;
    let catalog = Catalog::open_store(store.clone(), lazy).await.map_err(failed)?;
    let database = catalog.create(engine::DATABASE).await.map_err(failed)?;
    fill(&database, n, 10).await?;
    let puts = store.requests().into_iter().filter(|r| r.kind == "put" && r.area == "log");
    Ok(puts.map(|r| r.bytes).sum())
}

/// What is written to a bucket for what is said, and what queries ask of it when nothing is in memory.
async fn requests(n: usize) -> Result<Json, String> {
    let store = Store::bucket(Arc::new(InMemory::new()), Path::default(), "a bucket");
    let cold = || {
        let mut cold = options();
        cold.stream.cache_bytes = 0;
        Catalog::open_store(store.clone(), CatalogOptions { read_only: false, ..cold })
    };
    let counted = |kinds: &[&str]| {
        let of = store.requests().into_iter().filter(|r| kinds.contains(&r.kind));
        of.fold((0, 0), |sum, r| (sum.0 + r.requests, sum.1 + r.bytes))
    };
    let catalog = cold().await.map_err(failed)?;
    let database = catalog.create(engine::DATABASE).await.map_err(failed)?;
    fill(&database, n, 10).await?;
    database.stream().index_now().await.map_err(failed)?;
    let usage = catalog.usage(engine::DATABASE).await.map_err(failed)?;
    let written = counted(&["put"]);
    let said = said(n).await?;
    let amplification = round(written.1 as f64 / said.max(1) as f64);
    let mut session = engine::session(&catalog, &[]).await.map_err(failed)?;
    let mut queries = serde_json::Map::new();
    for (name, sql) in QUERIES {
        let sql = sql.replace("{point}", &(FIRST_ENTITY + n as i64 / 2).to_string());
        let before = counted(&["get", "head", "list"]);
        let rows = engine::query(&mut session, &sql).await.map_err(failed)?;
        check(name, n, &rows)?;
        let after = counted(&["get", "head", "list"]);
        let (requests, bytes) = (after.0 - before.0, after.1 - before.1);
        queries.insert(name.to_owned(), json!({ "requests": requests, "bytes": bytes }));
    }
    catalog.close().await.map_err(failed)?;
    Ok(json!({
        "puts": written.0, "bytes_put": written.1, "bytes_committed": said, "log_bytes": usage.log.bytes,
        "write_amplification": amplification,
        "queries": queries,
    }))
}
