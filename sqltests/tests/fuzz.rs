//! Hostile bytes on the Postgres port: an error that says where, or a closed connection; and the next client is served.

use daodb_sqltests::{engine, how_many, seed, seed_or_any};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Messages of panics anywhere in this process; tests of one binary share it, so only those of our own sources count.
static PANICS: LazyLock<Arc<Mutex<Vec<String>>>> = LazyLock::new(|| {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (into, before) = (Arc::clone(&seen), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        let file = info.location().map_or("", |l| l.file());
        if !file.contains("sqltests") {
            into.lock().push(info.to_string());
        }
        before(info);
    }));
    seen
});

/// The panics since it was made.
pub struct Panics {
    from: usize,
}

impl Panics {
    pub fn watch() -> Panics {
        Panics { from: PANICS.lock().len() }
    }
    pub fn seen(&self) -> Vec<String> {
        PANICS.lock()[self.from..].to_vec()
    }
}

/// A new client gets an answer.
pub async fn serves(served: &engine::Served) {
    let asked = async {
        let client = served.connect().await.unwrap();
        let row = client.query_one("SELECT 1 + 1 AS n", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 2);
    };
    timeout(Duration::from_secs(30), asked).await.expect("the next client waits for ever");
}

/// A message with its length.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend((body.len() as i32 + 4).to_be_bytes());
    out.extend(body);
    out
}

fn startup() -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    body.extend(format!("user\0tester\0database\0{}\0\0", engine::DATABASE).bytes());
    let mut out = (body.len() as i32 + 4).to_be_bytes().to_vec();
    out.extend(body);
    out
}

fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

/// Sends; then reads what comes until the server closes or is silent.
async fn exchange(served: &engine::Served, parts: &[Vec<u8>], half_close: bool) -> Vec<u8> {
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for part in parts {
        // The server may have closed already.
        if socket.write_all(part).await.is_err() {
            break;
        }
    }
    if half_close {
        let _ = socket.shutdown().await;
    }
    let mut answer = Vec::new();
    let mut buffer = vec![0; 65_536];
    while let Ok(Ok(n)) = timeout(Duration::from_millis(150), socket.read(&mut buffer)).await {
        if n == 0 {
            break;
        }
        answer.extend(&buffer[..n]);
    }
    answer
}

/// Fields of the first error in an answer: SQLSTATE, message and position.
fn error(answer: &[u8]) -> Option<(String, String, Option<usize>)> {
    let mut rest = answer;
    while rest.len() >= 5 {
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        let body = rest.get(5..1 + length)?;
        if rest[0] == b'E' {
            let field = |code: u8| {
                let found = body.split(|b| *b == 0).find(|f| f.first() == Some(&code))?;
                Some(String::from_utf8_lossy(&found[1..]).into_owned())
            };
            let position = field(b'P').and_then(|p| p.parse().ok());
            return Some((field(b'C')?, field(b'M')?, position));
        }
        rest = &rest[1 + length..];
    }
    None
}

async fn start() -> (Arc<daodb_catalog::Catalog>, engine::Served) {
    let (catalog, _) = engine::memory(engine::options()).await.unwrap();
    let served = engine::Served::start(&catalog).await.unwrap();
    (catalog, served)
}

/// Whole conversations whose bytes are then spoiled.
fn conversations() -> Vec<Vec<Vec<u8>>> {
    let parse = message(b'P', b"s\0SELECT $1 + 1\0\0\x01\0\0\0\x14");
    let bind = message(b'B', b"\0s\0\0\x01\0\x01\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x05\0\x01\0\x01");
    vec![
        vec![startup(), query("SELECT 1")],
        vec![
            startup(),
            parse,
            bind,
            message(b'D', b"P\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'C', b"Ss\0"),
            message(b'S', b""),
        ],
        vec![startup(), message(b'd', b"data"), message(b'c', b""), message(b'f', b"no\0")],
        vec![vec![0, 0, 0, 8, 4, 210, 22, 47], startup(), query("SHOW server_version")],
        vec![vec![0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2]],
    ]
}

fn spoil(parts: &mut Vec<Vec<u8>>, rng: &mut SmallRng) {
    for _ in 0..rng.random_range(1..4) {
        let i = rng.random_range(0..parts.len());
        let part = &mut parts[i];
        match rng.random_range(0..6) {
            0 if !part.is_empty() => part.truncate(rng.random_range(0..part.len())),
            1 if part.len() > 5 => {
                let lengths = [0, 3, 4, 5, 1 << 20, u32::MAX, 1 << 31, part.len() as u32 + 7];
                let at = usize::from(i > 0);
                let length = lengths.choose(rng).copied().unwrap_or(0);
                part[at..at + 4].copy_from_slice(&length.to_be_bytes());
            }
            2 if !part.is_empty() => {
                let at = rng.random_range(0..part.len());
                part[at] = rng.random();
            }
            3 => {
                let mut noise = vec![0; rng.random_range(1..300)];
                rng.fill_bytes(&mut noise);
                parts.insert(i, noise);
            }
            4 => {
                let again = part.clone();
                parts.push(again);
            }
            _ => part.extend(b"\0\xff\xfe"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spoiled_conversations() {
    let seed = seed_or_any();
    eprintln!("protocol fuzz: DAODB_SEED={seed}");
    let (catalog, served) = start().await;
    let panics = Panics::watch();
    let rounds = how_many("DAODB_FUZZ", 400);
    let mut rng = SmallRng::seed_from_u64(seed);
    for round in 0..rounds {
        let mut parts = conversations().choose(&mut rng).cloned().unwrap_or_default();
        spoil(&mut parts, &mut rng);
        let half_close = rng.random_bool(0.5);
        exchange(&served, &parts, half_close).await;
        if round % 20 == 0 {
            serves(&served).await;
        }
    }
    serves(&served).await;
    assert_eq!(panics.seen(), Vec::<String>::new(), "seed {seed}");
    served.stop().await.unwrap();
    catalog.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes() {
    let (catalog, served) = start().await;
    let panics = Panics::watch();
    let mut rng = SmallRng::seed_from_u64(seed().unwrap_or(3));
    for _ in 0..100 {
        let mut noise = vec![0; rng.random_range(1..5000)];
        rng.fill_bytes(&mut noise);
        let after_startup = rng.random_bool(0.5);
        let parts = if after_startup { vec![startup(), noise] } else { vec![noise] };
        exchange(&served, &parts, true).await;
    }
    serves(&served).await;
    assert_eq!(panics.seen(), Vec::<String>::new());
    served.stop().await.unwrap();
    catalog.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_sql() {
    let (catalog, served) = start().await;
    let panics = Panics::watch();
    let client = served.connect().await.unwrap();
    let long = "x".repeat(10 << 20);
    let check = async |sql: String, state: &str| {
        let e = client.simple_query(&sql).await.unwrap_err();
        let shown: String = sql.chars().take(40).collect();
        let told = e.as_db_error().unwrap_or_else(|| panic!("{shown}: {e}"));
        assert_eq!(told.code().code(), state, "{shown}: {}", told.message());
        assert!(told.message().len() < 2000, "{shown}: a message of {}", told.message().len());
    };
    // Longer than what is read: well formed, not closed, nonsense, and a list that nobody needs.
    check(format!("SELECT length('{long}')"), "54001").await;
    check(format!("SELECT '{long}"), "54001").await;
    check(long.clone(), "54001").await;
    // As much as is read.
    let largest = "x".repeat((4 << 20) - 32);
    let rows = client.query(&format!("SELECT length('{largest}')"), &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    check(format!("SELECT '{largest}"), "42601").await;
    check(format!("SELECT {}", "(".repeat(10 << 20)), "54001").await;
    check(format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)), "54001").await;
    check(format!("SELECT {}1", "NOT ".repeat(100_000)), "54001").await;
    check(format!("SELECT {}1", "- ".repeat(100_000)), "54001").await;
    let sum = format!("SELECT 1{}", " + 1".repeat(20_000));
    let _ = client.simple_query(&sum).await;
    let _ =
        client.simple_query(&format!("SELECT 1 WHERE true{}", " AND true".repeat(20_000))).await;
    let case = format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(5000), " END".repeat(5000));
    let _ = client.simple_query(&case).await;
    let selects =
        format!("SELECT * FROM {}(SELECT 1){}", "(SELECT * FROM ".repeat(3000), " x)".repeat(3000));
    let _ = client.simple_query(&selects).await;
    serves(&served).await;
    assert_eq!(panics.seen(), Vec::<String>::new());
    drop(client);
    served.stop().await.unwrap();
    catalog.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_where() {
    let (catalog, served) = start().await;
    let check = async |parts: &[Vec<u8>], state: &str, position: Option<usize>| {
        let answer = exchange(&served, parts, false).await;
        let (code, message, at) = error(&answer).unwrap_or_else(|| panic!("{answer:?}"));
        assert_eq!((code.as_str(), at), (state, position), "{message}");
        assert!(!message.is_empty());
    };
    check(&[startup(), query("SELECT 1 FROM")], "42601", Some(14)).await;
    check(&[startup(), query("SELECT * FROM nowhere")], "42P01", Some(15)).await;
    check(&[startup(), query("SELECT 'ä', nothing")], "42703", Some(13)).await;
    // Not UTF-8; an unknown message; a length that is too short.
    check(&[startup(), message(b'Q', b"SELECT '\xff'\0")], "22021", None).await;
    check(&[startup(), message(b'@', b"")], "08P01", None).await;
    check(&[startup(), vec![b'Q', 0, 0, 0, 1]], "08P01", None).await;
    served.stop().await.unwrap();
    catalog.close().await.unwrap();
}
