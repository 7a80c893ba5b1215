//! What grows with the number of datoms and what does not: loading, memory, bytes, the time to open, queries.

use crate::measure::{Medians, disk, disk_of, peak_mib, round};
use crate::{Arguments, options};
use daodb_catalog::{Catalog, Database, EntityRef, Op, TxValue};
use daodb_sqltests::engine;
use daodb_storage::{Attr, FIRST_ENTITY, Value};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Datoms of the databases that are opened.
pub const SIZES: [usize; 3] = [10_000, 1_000_000, 10_000_000];
const ATTRIBUTES: usize = 5;
const PER_TRANSACTION: usize = 1000;
const IN_FLIGHT: usize = 8;
const RUNS: usize = 5;
/// The median of fewer is what the disk did beside.
const OPENINGS: usize = 25;

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let most = arguments.number("--datoms", SIZES[2])?;
    let mut sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size < most).collect();
    sizes.push(most);
    let mut lines = Vec::new();
    for size in sizes {
        lines.push(measure(arguments, size).await?);
    }
    println!("{:#}", json!({ "bench": "scale", "sizes": lines }));
    Ok(())
}

/// Loads so many datoms into a folder, opens it anew and asks.
pub async fn measure(arguments: &Arguments, datoms: usize) -> Result<Json, String> {
    let temporary = tempfile::tempdir().map_err(failed)?;
    let folder = arguments.data().unwrap_or_else(|| temporary.path().to_owned());
    let folder = folder.join(datoms.to_string());
    let entities = (datoms / ATTRIBUTES).max(1);
    let (catalog, database) = engine::folder(&folder, options()).await.map_err(failed)?;
    let start = Instant::now();
    load(&database, entities).await?;
    let load_s = start.elapsed().as_secs_f64();
    catalog.close().await.map_err(failed)?;
    drop((catalog, database));
    let (bytes, files) = disk(&folder);
    let ((lists, _), (indexed, _)) = (disk_of(&folder, "runs"), disk_of(&folder, "segments"));

    written_back()?;
    let (open_ms, catalog, database) = reopened(&folder).await?;
    database.stream().index_now().await.map_err(failed)?;
    let queries = ask(&catalog, entities).await?;
    let segments = database.snapshot().segments().len();
    catalog.close().await.map_err(failed)?;
    let line = json!({
        "datoms": entities * ATTRIBUTES, "load_s": round(load_s),
        "datoms_per_s": (datoms as f64 / load_s).round(), "bytes": bytes, "files": files, "segments": segments,
        "segment_bytes": indexed, "list_bytes": lists,
        "open_ms": round(open_ms), "queries_ms": queries, "peak_mib": peak_mib(),
    });
    eprintln!("scale {line}");
    Ok(line)
}

/// What was loaded is on the disk, so that who opens does not wait for it.
fn written_back() -> Result<(), String> {
    let done = std::process::Command::new("sync").status().map_err(failed)?;
    if done.success() { Ok(()) } else { Err("sync failed".to_owned()) }
}

fn failed(e: impl std::fmt::Display) -> String {
    e.to_string()
}

/// Every value follows from the row, so that every answer can be told beforehand.
fn entity(attrs: &[Attr; ATTRIBUTES], row: usize) -> Op {
    let mixed = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let long = |n: u64| Value::Long(n as i64);
    let values = [
        Value::string(format!("name {}", mixed >> 40)),
        Value::string(["north", "east", "south", "west"][row % 4]),
        long(row as u64 % 100),
        long(mixed >> 44),
        Value::Instant(1_600_000_000_000_000 + row as i64 * 1_000_003),
    ];
    let attrs = attrs.iter().cloned().zip(values.map(TxValue::Value));
    Op::Map { id: None::<EntityRef>, attrs: attrs.collect() }
}

async fn load(database: &Arc<Database>, entities: usize) -> Result<(), String> {
    let names = ["name", "region", "age", "amount", "at"];
    let attrs = names.map(|name| Attr::new(format!(":item/{name}")));
    futures::stream::iter((0..entities).step_by(PER_TRANSACTION))
        .map(|first| {
            let rows = first..entities.min(first + PER_TRANSACTION);
            database.transact(rows.map(|row| entity(&attrs, row)).collect::<Vec<_>>())
        })
        .buffered(IN_FLIGHT)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
        .map_err(failed)
}

/// Opens a folder some times, with its database; the median in milliseconds.
pub async fn reopened(folder: &Path) -> Result<(f64, Arc<Catalog>, Arc<Database>), String> {
    let mut times = Medians::new(1);
    for _ in 1..OPENINGS {
        let (catalog, database) = opened(folder, &mut times).await?;
        catalog.close().await.map_err(failed)?;
        drop((catalog, database));
    }
    let (catalog, database) = opened(folder, &mut times).await?;
    Ok((times.of(0), catalog, database))
}

/// The folder's lock is free once all that read it let go: the try that succeeds counts.
async fn opened(
    folder: &Path,
    times: &mut Medians,
) -> Result<(Arc<Catalog>, Arc<Database>), String> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let start = Instant::now();
        match engine::folder(folder, options()).await {
            Ok(opened) => {
                times.add(0, start);
                return Ok(opened);
            }
            Err(e) if Instant::now() > until => return Err(failed(e)),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn ask(catalog: &Arc<Catalog>, entities: usize) -> Result<Json, String> {
    let point = entities / 2;
    let queries = [
        ("sum", "SELECT sum(age), count(*) FROM item".to_owned()),
        ("group", "SELECT region, count(*) FROM item GROUP BY region ORDER BY region".to_owned()),
        ("point", format!("SELECT age FROM item WHERE _id = {}", FIRST_ENTITY + point as i64)),
    ];
    let sum: usize = (0..entities).map(|row| row % 100).sum();
    let expected = [
        vec![vec![sum.to_string(), entities.to_string()]],
        [(1, "east"), (0, "north"), (2, "south"), (3, "west")]
            .map(|(of, region)| {
                vec![region.to_owned(), (of..entities).step_by(4).len().to_string()]
            })
            .to_vec(),
        vec![vec![(point % 100).to_string()]],
    ];
    let mut session = engine::session(catalog, &[]).await.map_err(failed)?;
    let mut out = serde_json::Map::new();
    for ((name, sql), expected) in queries.iter().zip(expected) {
        let mut times = Medians::new(1);
        for _ in 0..RUNS {
            let start = Instant::now();
            let rows = engine::query(&mut session, sql).await.map_err(failed)?;
            times.add(0, start);
            if rows != expected {
                return Err(format!("{name} is answered wrongly: {rows:?}, expected {expected:?}"));
            }
        }
        out.insert((*name).to_owned(), json!(round(times.of(0))));
    }
    Ok(out.into())
}
