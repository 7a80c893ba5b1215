//! SQL cursors on the wire: how their rows are described and encoded, and what ends a FETCH.

use crate::raw::{Raw, bind, execute, message, parse, query, sync};
use crate::support::{Server, db_error, rows, state_of};
use std::time::Duration;

/// More rows than any test waits for.
const ENDLESS: &str = "SELECT n FROM generate_series(1, 100000000000) AS g(n)";
/// The same without any row before the end.
const SILENT: &str = "SELECT sum(n % 7) FROM generate_series(1, 100000000000) AS g(n)";
const TEN: &str = "SELECT n FROM generate_series(1, 10) AS g(n) ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn command_tags() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    raw.tags(&query("BEGIN")).await;
    let declare = format!("DECLARE c CURSOR FOR {TEN}");
    for (sql, expect) in [
        (declare.as_str(), "DECLARE CURSOR"),
        ("FETCH 3 c", "FETCH 3"),
        ("FETCH FORWARD 4 FROM c", "FETCH 4"),
        ("MOVE 2 c", "MOVE 2"),
        ("FETCH ALL c", "FETCH 1"),
        ("FETCH c", "FETCH 0"),
        ("MOVE ALL c", "MOVE 0"),
        ("CLOSE c", "CLOSE CURSOR"),
        ("CLOSE ALL", "CLOSE CURSOR ALL"),
    ] {
        raw.send(&query(sql)).await;
        let messages = raw.until_ready().await;
        let (_, tag) = messages.iter().find(|(tag, _)| *tag == 'C').unwrap();
        assert_eq!(String::from_utf8_lossy(tag), format!("{expect}\0"), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_cursor_is_binary_in_the_simple_protocol() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    raw.tags(&query("BEGIN")).await;
    raw.tags(&query(&format!("DECLARE c BINARY CURSOR FOR {TEN}"))).await;
    raw.send(&query("FETCH c")).await;
    let messages = raw.until_ready().await;
    let body = |tag| &messages.iter().find(|(t, _)| *t == tag).unwrap().1;
    assert!(body('T').ends_with(&[0, 1]));
    assert_eq!(body('D').as_slice(), [0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    // In the extended protocol Bind says what format it wants.
    raw.send(&[parse("FETCH c"), bind(""), execute("", 0), sync()].concat()).await;
    let messages = raw.until_ready().await;
    let row = &messages.iter().find(|(t, _)| *t == 'D').unwrap().1;
    assert_eq!(row.as_slice(), [0, 1, 0, 0, 0, 1, b'2']);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_of_the_extended_protocol() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let transaction = client.transaction().await.unwrap();
    let declare =
        "DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 10) AS g(n) WHERE n > $1 ORDER BY 1";
    transaction.execute(declare, &[&5_i64]).await.unwrap();
    let mut got: Vec<i64> = vec![];
    for expect in [2, 2, 1, 0] {
        // Prepared each time: with the columns of the cursor.
        let rows = transaction.query("FETCH 2 FROM c", &[]).await.unwrap();
        assert_eq!(rows.len(), expect);
        got.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    }
    assert_eq!(got, [6, 7, 8, 9, 10]);
    // A prepared FETCH reads whatever has the name.
    let fetch = transaction.prepare("FETCH ALL FROM d").await.unwrap();
    assert_eq!(fetch.columns().len(), 0);
    transaction.batch_execute(&format!("DECLARE d CURSOR FOR {TEN}")).await.unwrap();
    let fetch = transaction.prepare("FETCH ALL FROM d").await.unwrap();
    assert_eq!(transaction.query(&fetch, &[]).await.unwrap().len(), 10);
    assert_eq!(transaction.execute("MOVE 1 IN d", &[]).await.unwrap(), 0);
    let e = transaction.query("FETCH 1 FROM nowhere", &[]).await.unwrap_err();
    let e = db_error(&e);
    let expect = ("34000", "cursor \"nowhere\" does not exist");
    assert_eq!((e.code().code(), e.message()), expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_are_portals_to_a_client() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    raw.tags(&query("BEGIN")).await;
    raw.tags(&query(&format!("DECLARE c CURSOR FOR {TEN}"))).await;
    let describe = message(b'D', b"Pc\0");
    assert_eq!(raw.tags(&[&describe[..], &sync()].concat()).await, "TZ");
    let fetch = [parse("FETCH 5 FROM c"), bind("p"), message(b'D', b"Pp\0"), execute("p", 2)];
    assert_eq!(raw.tags(&[&fetch.concat()[..], &sync()].concat()).await, "12TDDsZ");
    assert_eq!(raw.tags(&[execute("p", 0), execute("p", 0), sync()].concat()).await, "DDDCCZ");
    assert_eq!(raw.tags(&query("FETCH c")).await, "TDCZ");
    let close = message(b'C', b"Pc\0");
    assert_eq!(raw.tags(&[&close[..], &sync()].concat()).await, "3Z");
    assert_eq!(raw.error(&query("FETCH c")).await, "34000");
    raw.tags(&query("ROLLBACK")).await;
    // One of the same name.
    raw.tags(&query(&format!("DECLARE c CURSOR WITH HOLD FOR {TEN}"))).await;
    assert_eq!(raw.error(&[parse("SELECT 1"), bind("c"), sync()].concat()).await, "42P03");
    assert_eq!(raw.tags(&query("FETCH ALL c")).await, "TDDDDDDDDDDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_not_read_to_its_end() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    raw.tags(&query("BEGIN")).await;
    raw.tags(&query(&format!("DECLARE c CURSOR FOR {ENDLESS}"))).await;
    let fetch = [parse("FETCH ALL FROM c"), bind("p"), execute("p", 1), sync()];
    assert_eq!(raw.tags(&fetch.concat()).await, "12DsZ");
    assert_eq!(raw.error(&query("FETCH c")).await, "55006");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_and_cancelling_count_by_fetch() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("SET statement_timeout = '1s'; BEGIN").await.unwrap();
    client.batch_execute(&format!("DECLARE c CURSOR FOR {ENDLESS}")).await.unwrap();
    for _ in 0..4 {
        assert_eq!(rows(&client, "FETCH 3 FROM c").await.len(), 3);
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    client.batch_execute(&format!("DECLARE d CURSOR FOR {SILENT}; SAVEPOINT s")).await.unwrap();
    for sql in ["FETCH d", "MOVE ALL IN c"] {
        assert_eq!(state_of(&client, sql).await, "57014");
        assert_eq!(state_of(&client, "FETCH c").await, "25P02");
        client.batch_execute("ROLLBACK TO s").await.unwrap();
    }
    // Nobody knows where they stand.
    for sql in ["FETCH d", "FETCH c"] {
        assert_eq!(state_of(&client, sql).await, "55000");
        client.batch_execute("ROLLBACK TO s").await.unwrap();
    }
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(rows(&client, "SELECT name FROM pg_cursors").await, [""; 0]);
}
