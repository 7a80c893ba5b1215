//! Simple queries: strings of statements.

use crate::raw::{Raw, message, query};
use crate::support::{Server, db_error, rows, state_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_string_of_statements_stops_at_the_first_error() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    assert_eq!(raw.tags(&query("SELECT 1; SELECT 2;")).await, "TDCTDCZ");
    assert_eq!(raw.tags(&query("SELECT 1; SELECT 1/0; SELECT 2")).await, "TDCTEZ");
    // A syntax error anywhere: nothing runs.
    assert_eq!(raw.tags(&query("SELECT 1; SELEC 2")).await, "EZ");
    assert_eq!(raw.tags(&query("")).await, "IZ");
    assert_eq!(raw.tags(&query("  ; -- nothing\n;")).await, "IZ");
    assert_eq!(raw.tags(&query("SELECT 1 WHERE false")).await, "TCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_state_message_and_place() {
    let server = Server::start().await;
    let client = server.connect().await;
    let sql = "SELECT 'ä'; SELECT nothing FROM generate_series(1, 2)";
    let e = client.simple_query(sql).await.unwrap_err();
    let e = db_error(&e);
    assert_eq!((e.severity(), e.code().code()), ("ERROR", "42703"));
    let place = sql.chars().collect::<String>().find("nothing").unwrap() as u32;
    // Characters, not bytes: the ä has two.
    assert_eq!(e.position(), Some(&tokio_postgres::error::ErrorPosition::Original(place)));
    assert_eq!(state_of(&client, "SELECT 1/0").await, "22012");
    assert_eq!(state_of(&client, "SELECT * FROM nowhere").await, "42P01");
    assert_eq!(state_of(&client, "SELEC").await, "42601");
    assert_eq!(state_of(&client, "COPY person FROM STDIN").await, "0A000");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_and_their_status() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    let status = async |raw: &mut Raw, sql: &str| {
        raw.send(&query(sql)).await;
        raw.until_ready().await.last().unwrap().1[0] as char
    };
    assert_eq!(status(&mut raw, "SELECT 1").await, 'I');
    assert_eq!(status(&mut raw, "BEGIN").await, 'T');
    assert_eq!(status(&mut raw, "SELECT 1").await, 'T');
    assert_eq!(status(&mut raw, "SELECT 1/0").await, 'E');
    assert_eq!(raw.error(&query("SELECT 1")).await, "25P02");
    assert_eq!(status(&mut raw, "ROLLBACK").await, 'I');
    // A warning: there is none to end.
    assert_eq!(raw.tags(&query("COMMIT")).await, "NCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_stay_with_their_connection() {
    let server = Server::start().await;
    let (one, two) = (server.connect().await, server.connect().await);
    one.batch_execute("SET TimeZone = 'Europe/Berlin'; SET application_name = 'one'")
        .await
        .unwrap();
    let sql = "SELECT '2026-01-01 00:00:00+00'::timestamptz";
    assert_eq!(rows(&one, sql).await, ["2026-01-01 01:00:00+01"]);
    assert_eq!(rows(&two, sql).await, ["2026-01-01 00:00:00+00"]);
    assert_eq!(rows(&two, "SHOW application_name").await, [""]);
    one.batch_execute("PREPARE p AS SELECT 1").await.unwrap();
    assert_eq!(state_of(&two, "EXECUTE p").await, "26000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_reported_setting_is_told() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    raw.send(&query("SET TimeZone = 'Europe/Berlin'")).await;
    let messages = raw.until_ready().await;
    let told = messages.iter().find(|(tag, _)| *tag == 'S').unwrap();
    assert_eq!(told.1, b"TimeZone\0Europe/Berlin\0");
    assert_eq!(raw.tags(&query("SELECT 1")).await, "TDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_of_the_protocol() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    assert_eq!(raw.error(&message(b'F', &[0; 10])).await, "0A000");
    assert_eq!(raw.error(&message(b'Q', b"SELECT '\xff'\0")).await, "22021");
    assert_eq!(raw.error(&message(b'Q', b"SELECT 1")).await, "08P01");
    // Left over from a COPY that was refused.
    assert_eq!(
        raw.tags(&[message(b'd', b"x"), message(b'c', b""), query("SELECT 1")].concat()).await,
        "TDCZ"
    );
    assert_eq!(raw.tags(&message(b'?', b"")).await, "E");
    assert!(raw.next().await.is_none());
    let mut raw = Raw::open(&server).await;
    assert_eq!(raw.tags(&[b'Q', 0x7f, 0xff, 0xff, 0xff, b'x']).await, "E");
    assert!(raw.next().await.is_none());
    assert_eq!(rows(&server.connect().await, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_sql() {
    let server = Server::start().await;
    let client = server.connect().await;
    let of = |bytes: usize| format!("SELECT length('{}')", "x".repeat(bytes));
    assert_eq!(rows(&client, &of(4_000_000)).await, ["4000000"]);
    // More than a statement may have: refused, and the connection goes on.
    assert_eq!(state_of(&client, &of(10 << 20)).await, "54001");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
    let mut raw = Raw::open(&server).await;
    let too_large = format!("SELECT '{}'", "x".repeat(65 << 20));
    assert_eq!(raw.error(&query(&too_large)).await, "54000");
    assert_eq!(raw.tags(&query("SELECT 1")).await, "TDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_to_the_client() {
    let server = Server::start().await;
    let client = server.connect().await;
    let copy = async |sql: &str| {
        use futures::TryStreamExt;
        let stream = client.copy_out(sql).await.unwrap();
        let chunks: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
        chunks.concat()
    };
    let rows = "(SELECT 1 AS n, 'a' AS s UNION ALL SELECT 2, NULL ORDER BY 1)";
    assert_eq!(copy(&format!("COPY {rows} TO STDOUT")).await, b"1\ta\n2\t\\N\n");
    let csv = copy(&format!("COPY {rows} TO STDOUT WITH (FORMAT csv, HEADER)")).await;
    assert_eq!(csv, b"n,s\n1,a\n2,\n");
    let binary = copy(&format!("COPY {rows} TO STDOUT (FORMAT binary)")).await;
    assert!(binary.starts_with(b"PGCOPY\n\xff\r\n\0") && binary.ends_with(&[0xff, 0xff]));
}
