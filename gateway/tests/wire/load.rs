//! Many rows and many clients, in bounded memory.

use crate::raw::{Raw, bind, execute, parse, query, sync};
use crate::support::{Server, rows};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

const ROWS: u64 = 10_000_000;

/// Bytes of this process that are in memory; the server is part of it.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Reads a result without keeping it; says how many rows came and how much memory there was at most.
async fn swallow(raw: &mut Raw) -> (u64, u64) {
    let (mut rows, mut most) = (0, 0);
    let mut buffer = vec![0u8; 1 << 20];
    let mut filled = 0;
    loop {
        filled += raw.socket.read(&mut buffer[filled..]).await.unwrap();
        let mut at = 0;
        while filled - at >= 5 {
            let length = u32::from_be_bytes(buffer[at + 1..at + 5].try_into().unwrap()) as usize;
            if filled - at < length + 1 {
                break;
            }
            match buffer[at] {
                b'D' => rows += 1,
                b'Z' => return (rows, most),
                _ => {}
            }
            at += length + 1;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        most = most.max(resident());
    }
}

/// Both ways of asking, in one test: memory is that of the whole process.
#[tokio::test(flavor = "multi_thread")]
async fn ten_million_rows_do_not_grow_memory() {
    let server = Server::alone().await;
    let mut raw = Raw::open(&server).await;
    let sql =
        format!("SELECT n, n * 3 AS more, 'row' AS s FROM generate_series(1, {ROWS}) AS g(n)");
    let simple = query(&sql);
    let extended = [parse(&sql), bind(""), execute("", 0), sync()].concat();
    for (name, bytes) in [("simple", simple), ("extended", extended)] {
        let before = resident();
        let start = Instant::now();
        raw.send(&bytes).await;
        let (rows, most) = swallow(&mut raw).await;
        let took = start.elapsed();
        assert_eq!(rows, ROWS);
        let grown = most.saturating_sub(before) >> 20;
        println!(
            "{name}: {ROWS} rows of 3 columns in {took:?}, {:.1} million a second, {grown} MiB more",
            ROWS as f64 / took.as_secs_f64() / 1e6
        );
        assert!(grown < 100, "{name}: memory grew by {grown} MiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_million_rows_through_a_cursor() {
    const FETCHED: u64 = 50_000;
    let server = Server::alone().await;
    let mut raw = Raw::open(&server).await;
    raw.tags(&query("BEGIN")).await;
    let sql =
        format!("DECLARE c CURSOR FOR SELECT n, 'row' FROM generate_series(1, {ROWS}) AS g(n)");
    raw.tags(&query(&sql)).await;
    let before = resident();
    let (mut all, mut grown) = (0, 0);
    loop {
        raw.send(&query(&format!("FETCH FORWARD {FETCHED} FROM c"))).await;
        let (rows, most) = swallow(&mut raw).await;
        all += rows;
        grown = grown.max(most.saturating_sub(before) >> 20);
        if rows < FETCHED {
            break;
        }
    }
    assert_eq!(all, ROWS);
    assert!(grown < 100, "memory grew by {grown} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_stops_the_producer() {
    let server = Server::alone().await;
    let mut raw = Raw::open(&server).await;
    let before = resident();
    raw.send(&query("SELECT n, repeat('x', 1000) FROM generate_series(1, 100000000) AS g(n)"))
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = resident().saturating_sub(before) >> 20;
    assert!(grown < 150, "memory grew by {grown} MiB while nobody read");
    drop(raw);
    assert_eq!(rows(&server.connect().await, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once() {
    let server = Server::start().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let config = server.config();
        tasks.spawn(async move {
            let client = crate::support::connect(&config).await.unwrap();
            client.batch_execute(&format!("SET application_name = 'client {n}'")).await.unwrap();
            for _ in 0..5 {
                assert_eq!(rows(&client, "SHOW application_name").await, [format!("client {n}")]);
                let row = client.query_one("SELECT $1::int8 + 1", &[&i64::from(n)]).await.unwrap();
                assert_eq!(row.get::<_, i64>(0), i64::from(n) + 1);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
