//! Statements that are stopped while they produce rows, and a server that ends.

use crate::raw::{Raw, execute, message, parse, query, state, sync};
use crate::support::{Server, connect, db_error, rows};
use daodb_gateway::pg::Limits;
use futures::TryStreamExt;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// More rows than any test waits for.
const ENDLESS: &str = "SELECT n, n * 2 FROM generate_series(1, 100000000000) AS g(n)";
/// The same without any row before the end.
const SILENT: &str = "SELECT sum(n % 7) FROM generate_series(1, 100000000000) AS g(n)";
/// Joins that have all they need, and make rows of it without end.
const PRODUCT: &str = "SELECT sum(a.n % 7 + b.n % 5) FROM generate_series(1, 1000000) AS a(n), \
    generate_series(1, 1000000) AS b(n)";
const SKEWED: &str = "SELECT sum(a.n % 7 + b.n) FROM generate_series(1, 200000) AS a(n) \
    JOIN generate_series(1, 200000) AS b(n) ON a.n % 2 = b.n % 2";
/// And such whose filters let nothing through.
const UNMET: &str = "SELECT count(*) FROM generate_series(1, 1000000) AS a(n), \
    generate_series(1, 1000000) AS b(n) WHERE a.n * b.n < 0";
const UNMET_PAIRS: &str = "SELECT count(*) FROM generate_series(1, 1000000) AS a(n) \
    JOIN generate_series(1, 1000000) AS b(n) ON a.n % 2 = b.n % 2 AND a.n + b.n < 0";
const SOON: Duration = Duration::from_secs(10);

async fn cancel(server: &Server, pid: u32, secret: &[u8]) {
    let mut socket = Raw::socket(server).await;
    let length = 12 + secret.len() as u32;
    let request = [length, 80_877_102, pid].map(u32::to_be_bytes).concat();
    socket.write_all(&[&request, secret].concat()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_while_rows_flow() {
    let server = Server::start().await;
    let client = server.connect().await;
    let token = client.cancel_token();
    let none: [i64; 0] = [];
    let mut stream = std::pin::pin!(client.query_raw(ENDLESS, none).await.unwrap());
    for _ in 0..1000 {
        stream.try_next().await.unwrap().unwrap();
    }
    token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    let rest = async {
        loop {
            match stream.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended"),
                Err(e) => return db_error(&e).code().code().to_owned(),
            }
        }
    };
    assert_eq!(timeout(SOON, rest).await.unwrap(), "57014");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_while_nothing_is_sent_and_only_with_the_secret() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    // Nothing runs: the next statement is not stopped.
    cancel(&server, raw.pid, &raw.secret.clone()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(raw.tags(&query("SELECT 1")).await, "TDCZ");
    raw.send(&query(SILENT)).await;
    let wrong: Vec<u8> = raw.secret.iter().map(|b| !b).collect();
    cancel(&server, raw.pid, &wrong).await;
    cancel(&server, raw.pid, b"").await;
    assert!(timeout(Duration::from_millis(500), raw.next()).await.is_err());
    cancel(&server, raw.pid, &raw.secret.clone()).await;
    let messages = timeout(SOON, raw.until_ready()).await.unwrap();
    let error = messages.iter().find(|(tag, _)| *tag == 'E').unwrap();
    assert_eq!(state(&error.1), "57014");
    assert_eq!(raw.tags(&query("SELECT 1")).await, "TDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_timeout_of_the_session() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("SET statement_timeout = '200ms'").await.unwrap();
    for sql in [ENDLESS, SILENT, PRODUCT, SKEWED, UNMET, UNMET_PAIRS] {
        let start = Instant::now();
        let e = client.simple_query(sql).await.unwrap_err();
        let e = db_error(&e);
        assert_eq!(e.message(), "canceling statement due to statement timeout");
        assert_eq!(e.code().code(), "57014");
        assert!(start.elapsed() < SOON);
        let e = client.query(sql, &[]).await.unwrap_err();
        assert_eq!(db_error(&e).code().code(), "57014");
    }
    client.batch_execute("SET statement_timeout = 0").await.unwrap();
    assert_eq!(
        rows(&client, "SELECT count(*) FROM generate_series(1, 1000000)").await,
        ["1000000"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_timeout_of_the_server() {
    let limit = Some(Duration::from_millis(200));
    let limits = Limits { statement_timeout: limit, ..Limits::default() };
    let server = Server::within(limits).await;
    let client = server.connect().await;
    assert_eq!(rows(&client, "SHOW statement_timeout").await, ["200ms"]);
    let e = client.simple_query(SILENT).await.unwrap_err();
    assert_eq!(db_error(&e).code().code(), "57014");
    let client = connect(server.config().options("-c statement_timeout=0")).await.unwrap();
    assert_eq!(rows(&client, "SHOW statement_timeout").await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_is_stopped_too() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    raw.send(&query("SET statement_timeout = 300")).await;
    raw.until_ready().await;
    raw.send(&query(ENDLESS)).await;
    // The socket's buffers fill, the server waits to write, and its time runs out there.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let messages = timeout(SOON, raw.until_ready()).await.unwrap();
    let error = messages.iter().find(|(tag, _)| *tag == 'E').unwrap();
    assert_eq!(state(&error.1), "57014");
    assert_eq!(messages.last().unwrap().0, 'Z');
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_says_goodbye_and_lets_statements_end() {
    let server = Server::start().await;
    let mut idle = Raw::open(&server).await;
    let mut busy = Raw::open(&server).await;
    busy.send(&query("SELECT sum(n) FROM generate_series(1, 30000000) AS g(n)")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.cancel();
    let (tag, body) = timeout(SOON, idle.next()).await.unwrap().unwrap();
    assert_eq!((tag, state(&body).as_str()), ('E', "57P01"));
    let messages = timeout(SOON, busy.until_ready()).await.unwrap();
    assert_eq!(messages.iter().map(|(tag, _)| tag).collect::<String>(), "TDCZ");
    assert_eq!(state(&busy.next().await.unwrap().1), "57P01");
    drop((idle, busy));
    timeout(SOON, server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_do_not_end_are_given_up() {
    let limits = Limits { grace: Duration::from_millis(300), ..Limits::default() };
    let server = Server::within(limits).await;
    let mut busy = Raw::open(&server).await;
    busy.send(&[parse(SILENT), message(b'B', &[0; 8]), execute("", 0), sync()].concat()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.cancel();
    timeout(SOON, server.task).await.unwrap().unwrap().unwrap();
    let messages = busy.until_ready().await;
    assert_eq!(state(&messages.last().unwrap().1), "57P01");
}
