//! Who may come in, how, and what they are told.

use crate::raw::{Raw, startup, state};
use crate::support::{DATABASE, Server, connect, db_error, rows};
use daodb_gateway::pg::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_exist_is_fatal() {
    let server = Server::start().await;
    let e = connect(server.config().dbname("muzak")).await.err().unwrap();
    let e = db_error(&e);
    assert_eq!((e.severity(), e.code().code()), ("FATAL", "3D000"));
    assert_eq!(e.message(), "database \"muzak\" does not exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_start_up_packet() {
    let server = Server::start().await;
    let mut config = server.config();
    config.application_name("a test").options(r"-c TimeZone=Europe/Berlin --extra-float-digits=3");
    let client = connect(&config).await.unwrap();
    let shown = [
        ("application_name", "a test"),
        ("timezone", "Europe/Berlin"),
        ("extra_float_digits", "3"),
        ("server_version", "15.0 (DaoDB 0.1.0)"),
    ];
    for (name, value) in shown {
        assert_eq!(rows(&client, &format!("SHOW {name}")).await, [value]);
    }
    let mut config = server.config();
    let e = connect(config.options("-c work_memory=1")).await.err().unwrap();
    assert_eq!((db_error(&e).severity(), db_error(&e).code().code()), ("FATAL", "42704"));
    let mut config = server.config();
    let e = connect(config.options("nonsense")).await.err().unwrap();
    assert_eq!(db_error(&e).code().code(), "42601");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_at_a_time() {
    let server = Server::start().await;
    server.add("Ann").await;
    let t = server.catalog.database(DATABASE).await.unwrap().snapshot().t();
    server.add("Bob").await;
    let client = connect(server.config().dbname(format!("{DATABASE}@{t}"))).await.unwrap();
    assert_eq!(rows(&client, "SELECT name FROM person").await, ["Ann"]);
    let client = server.connect().await;
    assert_eq!(rows(&client, "SELECT name FROM person ORDER BY name").await, ["Ann", "Bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_client_is_told() {
    let server = Server::start().await;
    let mut raw = Raw { socket: Raw::socket(&server).await, pid: 0, secret: vec![] };
    // First for SSL, then for GSS, as libpq does; refused in one byte each.
    for code in [80_877_103u32, 80_877_104] {
        raw.send(&[8u32.to_be_bytes(), code.to_be_bytes()].concat()).await;
        assert_eq!(raw.socket.read_u8().await.unwrap(), b'N');
    }
    let asked = format!("user\0tester\0database\0{DATABASE}\0_pq_.shine\0on\0\0");
    raw.send(&startup(3 << 16 | 9999, &asked)).await;
    let messages = raw.until_ready().await;
    let tags: String = messages.iter().map(|(tag, _)| tag).collect();
    assert_eq!(tags.replace('S', ""), "vRKZ");
    // 3.2, one option that is not known.
    let negotiated = [&[0, 3, 0, 2, 0, 0, 0, 1], b"_pq_.shine\0".as_slice()].concat();
    assert_eq!(messages[0].1, negotiated);
    let key = &messages.iter().find(|(tag, _)| *tag == 'K').unwrap().1;
    assert_eq!(key.len(), 4 + 32);
    let statuses: Vec<String> = messages
        .iter()
        .filter(|(tag, _)| *tag == 'S')
        .map(|(_, body)| String::from_utf8_lossy(body).trim_end_matches('\0').replace('\0', "="))
        .collect();
    for status in [
        "client_encoding=UTF8",
        "DateStyle=ISO, MDY",
        "integer_datetimes=on",
        "IntervalStyle=postgres",
        "server_encoding=UTF8",
        "server_version=15.0 (DaoDB 0.1.0)",
        "session_authorization=tester",
        "standard_conforming_strings=on",
        "TimeZone=UTC",
    ] {
        assert!(statuses.iter().any(|s| s == status), "{status} is not in {statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_are_noise() {
    let server = Server::start().await;
    let fatal = async |bytes: Vec<u8>| {
        let mut raw = Raw { socket: Raw::socket(&server).await, pid: 0, secret: vec![] };
        raw.send(&bytes).await;
        let (tag, body) = raw.next().await.unwrap();
        assert_eq!(tag, 'E');
        assert!(body.starts_with(b"SFATAL\0"));
        assert!(raw.next().await.is_none(), "the server must close");
        state(&body)
    };
    assert_eq!(fatal(vec![0xff; 64]).await, "08P01");
    assert_eq!(fatal(vec![0; 64]).await, "08P01");
    assert_eq!(fatal(startup(2 << 16, "user\0x\0\0")).await, "0A000");
    assert_eq!(fatal(startup(3 << 16, "user\0x")).await, "08P01");
    assert_eq!(fatal(startup(3 << 16, "database\0x\0\0")).await, "28000");
    assert_eq!(rows(&server.connect().await, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_clients_than_allowed_and_clients_that_never_speak() {
    let limits =
        Limits { connections: 2, startup: Duration::from_millis(300), ..Limits::default() };
    let server = Server::within(limits).await;
    let (one, two) = (server.connect().await, server.connect().await);
    let e = connect(&server.config()).await.err().unwrap();
    assert_eq!(db_error(&e).code().code(), "53300");
    drop(two);
    let mut silent = Raw::socket(&server).await;
    let mut answer = vec![];
    tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer[0], b'E');
    assert_eq!(rows(&server.connect().await, "SELECT 1").await, ["1"]);
    assert_eq!(rows(&one, "SELECT 1").await, ["1"]);
    let _ = silent.shutdown().await;
}
