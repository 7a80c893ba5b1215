//! Prepared statements, portals, and errors in the middle of them.

use crate::raw::{Raw, bind, execute, message, parse, query, sync};
use crate::support::{Server, db_error, rows};
use tokio_postgres::types::Type;

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_see_the_newest_snapshot() {
    let server = Server::start().await;
    server.add("Ann").await;
    let client = server.connect().await;
    let statement =
        client.prepare("SELECT name FROM person WHERE name >= $1 ORDER BY 1").await.unwrap();
    assert_eq!(statement.params(), [Type::TEXT]);
    assert_eq!(statement.columns()[0].type_(), &Type::TEXT);
    let names = async || {
        let rows = client.query(&statement, &[&"A"]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["Ann"]);
    server.add("Bob").await;
    assert_eq!(names().await, ["Ann", "Bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_changed_since_they_were_described() {
    let server = Server::start().await;
    server.add("Ann").await;
    let client = server.connect().await;
    let statement = client.prepare("SELECT * FROM person").await.unwrap();
    assert_eq!(client.query(&statement, &[]).await.unwrap().len(), 1);
    let database = server.catalog.database("music").await.unwrap();
    let age = daodb_catalog::TxValue::Value(daodb_storage::Value::Long(7));
    let op = daodb_catalog::Op::Map { id: None, attrs: vec![(":person/age".into(), age)] };
    database.transact(vec![op]).await.unwrap();
    let e = client.query(&statement, &[]).await.unwrap_err();
    let e = db_error(&e);
    assert_eq!(
        (e.code().code(), e.message()),
        ("0A000", "cached plan must not change result type")
    );
    let statement = client.prepare("SELECT * FROM person").await.unwrap();
    assert_eq!(client.query(&statement, &[]).await.unwrap().len(), 2);
}

/// Bind of the unnamed statement to the unnamed portal, all values as text.
fn bind_values(values: &[&str]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend((values.len() as u16).to_be_bytes());
    for value in values {
        body.extend((value.len() as u32).to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend([0, 0]);
    message(b'B', &body)
}

/// psql, JDBC and psycopg describe what is bound, and a table has the columns that it had then.
#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_is_a_parameter_decides_what_columns_there_are() {
    use daodb_catalog::{EntityRef, Op, TxValue};
    use daodb_storage::Value;
    let server = Server::start().await;
    let database = server.catalog.database("music").await.unwrap();
    let keyword = |name: &str| TxValue::Value(Value::keyword(name));
    let map = async |id: Option<EntityRef>, attrs: Vec<(&str, TxValue)>| {
        let attrs = attrs.into_iter().map(|(a, v)| (a.into(), v)).collect();
        database.transact(vec![Op::Map { id, attrs }]).await.unwrap().t
    };
    let declared = vec![
        (":db/ident", keyword(":person/nick")),
        (":db/valueType", keyword(":db.type/string")),
        (":db/cardinality", keyword(":db.cardinality/one")),
    ];
    map(None, declared).await;
    let nick = TxValue::Value(Value::string("Al"));
    let t = map(None, vec![(":person/nick", nick)]).await.to_string();
    let attribute = EntityRef::Ident(":person/nick".into());
    map(Some(attribute), vec![(":db/ident", keyword(":person/called"))]).await;

    let mut raw = Raw::open(&server).await;
    let sql = "SELECT nick, char_length(nick) FROM person VERSION AS OF $1 WHERE nick >= $2";
    let describe = message(b'D', b"P\0");
    let all = [parse(sql), bind_values(&[&t, "A"]), describe.clone(), execute("", 0), sync()];
    raw.send(&all.concat()).await;
    let messages = raw.until_ready().await;
    let tags: String = messages.iter().map(|(tag, _)| tag).collect();
    assert_eq!(tags, "12TDCZ", "{messages:?}");
    let row = String::from_utf8_lossy(&messages[3].1).into_owned();
    assert!(row.contains("Al") && row.ends_with('2'), "{row:?}");
    let all = [parse(sql), bind_values(&[&t, "B"]), execute("", 0), sync()];
    assert_eq!(raw.tags(&all.concat()).await, "12CZ");

    // What was told of the statement, as of now, is what must come; of one that nobody was told of, nothing need.
    let sql = "SELECT * FROM person FOR SYSTEM_TIME AS OF $1::bigint";
    let about = message(b'D', b"S\0");
    let told = [parse(sql), about, bind_values(&[&t]), execute("", 0), sync()];
    assert_eq!(raw.error(&told.concat()).await, "0A000");
    let told = [parse(sql), bind_values(&[&t]), describe, execute("", 0), sync()];
    assert_eq!(raw.tags(&told.concat()).await, "12TDCZ");
    let untold = [parse(sql), bind_values(&[&t]), execute("", 0), sync()];
    assert_eq!(raw.tags(&untold.concat()).await, "12DCZ");
    let wrong = [parse(sql), bind_values(&[]), execute("", 0), sync()];
    assert_eq!(raw.error(&wrong.concat()).await, "08P01");
    let wrong = [parse(sql), bind_values(&["soon"]), execute("", 0), sync()];
    assert_eq!(raw.error(&wrong.concat()).await, "22P02");
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_give_so_many_rows_at_a_time() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction
        .bind("SELECT n FROM generate_series(1, 10) AS g(n) ORDER BY 1", &[])
        .await
        .unwrap();
    let mut got = vec![];
    for expect in [4, 4, 2, 0] {
        let rows = transaction.query_portal(&portal, 4).await.unwrap();
        assert_eq!(rows.len(), expect);
        got.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    }
    assert_eq!(got, (1..=10).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_a_suspended_portal() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    let select = parse("SELECT n FROM generate_series(1, 5) AS g(n)");
    let all = [&select[..], &bind(""), &execute("", 0), &sync()].concat();
    assert_eq!(raw.tags(&all).await, "12DDDDDCZ");
    // Exactly as many as there are: whether there are more is not known yet.
    let exact =
        [&select[..], &bind(""), &execute("", 5), &execute("", 5), &execute("", 5), &sync()];
    assert_eq!(raw.tags(&exact.concat()).await, "12DDDDDsCCZ");
    // Portals end with their transaction.
    let kept = [&select[..], &bind("p"), &execute("p", 2), &sync()].concat();
    assert_eq!(raw.tags(&kept).await, "12DDsZ");
    assert_eq!(raw.error(&[execute("p", 2), sync()].concat()).await, "34000");
    assert_eq!(raw.tags(&query("BEGIN")).await, "CZ");
    assert_eq!(raw.tags(&kept).await, "12DDsZ");
    assert_eq!(raw.tags(&[execute("p", 2), sync()].concat()).await, "DDsZ");
    assert_eq!(raw.tags(&[message(b'C', b"Pp\0"), sync()].concat()).await, "3Z");
    assert_eq!(raw.error(&[execute("p", 2), sync()].concat()).await, "34000");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_error_everything_is_skipped_to_the_sync() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    let bytes = [&parse("SELEC 1")[..], &bind(""), &execute("", 0), &query("SELECT 1"), &sync()];
    assert_eq!(raw.tags(&bytes.concat()).await, "EZ");
    let bytes = [&parse("SELECT 1/0")[..], &bind(""), &execute("", 0), &parse("SELECT 1"), &sync()];
    let tags = raw.tags(&bytes.concat()).await;
    assert!(tags.starts_with("12") && tags.ends_with("EZ") && !tags.contains('D'), "{tags}");
    let bytes = [&parse("SELECT 1; SELECT 2")[..], &sync()].concat();
    assert_eq!(raw.error(&bytes).await, "42601");
    assert_eq!(raw.error(&[bind("")[..].to_vec(), sync()].concat()).await, "26000");
    let named = message(b'P', b"s\0SELECT 1\0\0\0");
    assert_eq!(raw.tags(&[&named[..], &sync()].concat()).await, "1Z");
    assert_eq!(raw.error(&[&named[..], &sync()].concat()).await, "42P05");
    assert_eq!(
        raw.tags(&[parse(""), bind(""), message(b'D', b"P\0"), execute("", 0), sync()].concat())
            .await,
        "12nIZ"
    );
    // Flush: answers come without a Sync.
    raw.send(&[parse("SELECT 1"), message(b'H', b"")].concat()).await;
    assert_eq!(raw.next().await.unwrap().0, '1');
    assert_eq!(raw.tags(&sync()).await, "Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_numbers_of_parameters_and_formats() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    let one = parse("SELECT $1::int8");
    assert_eq!(raw.error(&[&one[..], &bind(""), &sync()].concat()).await, "08P01");
    let two = message(b'B', b"\0\0\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
    assert_eq!(raw.error(&[&one[..], &two, &sync()].concat()).await, "08P01");
    let formats = message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xff\0\x02\0\0\0\x01");
    assert_eq!(raw.error(&[&one[..], &formats, &execute("", 0), &sync()].concat()).await, "08P01");
    let unknown = message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xff\0\x01\0\x07");
    assert_eq!(raw.error(&[&one[..], &unknown, &sync()].concat()).await, "08P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_given_back_in_sql_too() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    let named = message(b'P', b"_pg3_0\0SELECT 1\0\0\0");
    for sql in ["DEALLOCATE \"_pg3_0\"", "DEALLOCATE _pg3_0", "DEALLOCATE ALL", "DISCARD ALL"] {
        assert_eq!(raw.tags(&[&named[..], &sync()].concat()).await, "1Z");
        assert_eq!(raw.tags(&query(sql)).await, "CZ", "{sql}");
    }
    assert_eq!(raw.error(&query("DEALLOCATE _pg3_0")).await, "26000");
    assert_eq!(rows(&server.connect().await, "SELECT 1").await, ["1"]);
}
