//! Limits: of size, of time, of requests at once, of rows. What exceeds one fails alone, and says so.

use super::support::{Door, EDN, JSON, SQL, answer};
use daodb_gateway::http::Limits;
use std::time::{Duration, Instant};

const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000000) AS g(n)";

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_refused() {
    let door = Door::within(Limits { body: 10_000, ..Limits::default() }).await;
    let body = format!("{{:sql \"SELECT '{}'\"}}", "x".repeat(20_000));
    let refused = door.post("/sql", EDN, JSON, &body).await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "54000"));
    // In pieces that do not say how long they are.
    let pieces = futures::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(1000))));
    let request = door.client.post(door.url("/sql")).header("content-type", SQL);
    let refused = answer(request.body(reqwest::Body::wrap_stream(pieces))).await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "54000"));
    let small = door.post("/sql", SQL, JSON, "SELECT 1").await;
    assert_eq!(small.status, 200);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_share_a_memory() {
    let limits = Limits { body: 1 << 20, bodies: 64 << 10, ..Limits::default() };
    let door = Door::within(limits).await;
    let refused = door.post("/sql", SQL, JSON, &" ".repeat(100 << 10)).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "53200"));
    assert!(refused.header("retry-after").is_some());
    // Short forms take more room than their text.
    let body = format!("{{:sql \"SELECT 1\" :args [{}]}}", "1 ".repeat(5000));
    let refused = door.post("/sql", EDN, JSON, &body).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "53200"));
    // What was refused holds nothing.
    let small = door.post("/sql", SQL, JSON, &format!("SELECT 1{}", " ".repeat(60 << 10))).await;
    assert_eq!(small.status, 200);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_end_in_time() {
    let limit = Some(Duration::from_millis(300));
    let door = Door::within(Limits { statement_timeout: limit, ..Limits::default() }).await;
    let start = Instant::now();
    let late = door.post("/sql", SQL, JSON, ENDLESS).await;
    assert_eq!((late.status, late.code().as_str()), (503, "57014"));
    // While rows are sent.
    let rows = ENDLESS.replace("count(*)", "n");
    let late = door.post("/sql", SQL, JSON, &rows).await;
    assert_eq!((late.status, late.json()["error"]["code"].as_str()), (200, Some("57014")));
    let csv = door.post("/sql", SQL, "text/csv", &rows).await;
    assert!(!csv.whole);
    // A request may ask for less, and not for more.
    for timeout in [10, 3_600_000] {
        let body = format!("{{:sql \"{ENDLESS}\" :timeout {timeout}}}");
        assert_eq!(door.post("/sql", EDN, JSON, &body).await.code(), "57014");
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_wait_and_are_refused() {
    let wait = Duration::from_millis(100);
    let door = Door::within(Limits { requests: 1, wait, ..Limits::default() }).await;
    let request = door.client.post(door.url("/sql")).header("content-type", SQL).body(ENDLESS);
    let running = tokio::spawn(request.send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let refused = door.get("/basis", JSON).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "53300"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(door.get("//health", JSON).await.status, 200);
    assert_eq!(door.get("//metrics", JSON).await.status, 200);
    // Its client leaves, and its statement with it.
    running.abort();
    let start = Instant::now();
    while door.get("/basis", JSON).await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the statement goes on");
    }
    door.close().await;
}
