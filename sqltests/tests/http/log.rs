//! The log: pages, waiting for what comes, events, and a gap that is no end.

use super::support::{Door, EDN, JSON, answer};
use daodb_datalog::edn;
use daodb_gateway::http::Limits;
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

fn ts(page: &Json) -> Vec<i64> {
    let all = page["transactions"].as_array().unwrap();
    all.iter().map(|tx| tx["t"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_the_whole_log() {
    let mut door = Door::open().await;
    for n in 3..10 {
        door.set(&format!("2026-0{n}-01T00:00:00Z"), n).await;
    }
    let whole = door.get("/log", JSON).await.json();
    assert_eq!(ts(&whole), (1000..1009).collect::<Vec<_>>());
    assert_eq!((&whole["end"], &whole["next"]), (&json!(true), &json!(1009)));

    let (mut from, mut seen) = (1000, Vec::new());
    loop {
        let page = door.get(&format!("/log?from={from}&limit=2"), JSON).await.json();
        seen.extend(page["transactions"].as_array().unwrap().clone());
        from = page["next"].as_i64().unwrap();
        if page["end"] == json!(true) {
            break;
        }
        assert_eq!(ts(&page).len(), 2);
    }
    assert_eq!(json!(seen), whole["transactions"]);
    for pair in seen.windows(2) {
        assert_eq!(pair[1]["previous"], pair[0]["hash"]);
    }
    let some = door.get("/log?from=1002&to=1005", JSON).await.json();
    assert_eq!((ts(&some), &some["end"]), (vec![1002, 1003, 1004], &json!(true)));
    let none = door.get("/log?from=1009", JSON).await.json();
    assert_eq!((ts(&none), &none["end"], &none["next"]), (vec![], &json!(true), &json!(1009)));
    let edn = edn::read(door.get("/log?from=1008", EDN).await.text()).unwrap();
    assert_eq!(edn.get(":transactions").unwrap().sequence().unwrap().len(), 1);

    let gap = door.get("/log?from=1010", JSON).await;
    assert_eq!((gap.status, gap.code().as_str()), (409, "55000"));
    for wrong in ["/log?from=x", "/log?limit=5000", "/log?wait=-1", "/log?form=1000"] {
        assert_eq!(door.get(wrong, JSON).await.status, 400, "{wrong}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_waits_for_what_comes() {
    let mut door = Door::open().await;
    let (client, url) = (door.client.clone(), door.url("/log?from=1002&wait=30"));
    let start = Instant::now();
    let waiting = tokio::spawn(async move { answer(client.get(url)).await.json() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    door.set("2026-03-01T00:00:00Z", 3).await;
    assert_eq!(ts(&waiting.await.unwrap()), [1002]);
    assert!(start.elapsed() < Duration::from_secs(20));
    let empty = door.get("/log?from=1003&wait=1", JSON).await.json();
    assert_eq!((ts(&empty), &empty["end"]), (vec![], &json!(true)));
    door.close().await;
}

/// Blocks of an event stream, until there are so many transactions.
async fn events(response: &mut reqwest::Response, transactions: usize) -> Vec<String> {
    let mut text = String::new();
    while text.matches("event: transaction").count() < transactions || !text.ends_with("\n\n") {
        let chunk = tokio::time::timeout(Duration::from_secs(20), response.chunk()).await;
        text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
    }
    text.split("\n\n").filter(|e| !e.is_empty()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_with_what_comes() {
    let mut door = Door::open().await;
    let follow = |from: &str| {
        door.client.get(door.url(&format!("/log{from}"))).header("accept", "text/event-stream")
    };
    let mut response = follow("").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let resumed = follow("").header("last-event-id", "1000");
    let seen = events(&mut response, 2).await;
    assert_eq!(seen[0], ": following");
    assert!(seen[1].starts_with("id: 1000\nevent: transaction\ndata: {"), "{seen:?}");
    let data: Json = serde_json::from_str(seen[2].split_once("data: ").unwrap().1).unwrap();
    assert_eq!(data["t"], json!(1001));
    let gap = answer(follow("?from=5000")).await;
    assert_eq!((gap.status, gap.code().as_str()), (409, "55000"));

    // What is no t would begin at another place than the reader means.
    for id in ["", "x", "99999999999999999999"] {
        let refused = answer(follow("").header("last-event-id", id)).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "22023"), "{id:?}");
    }

    let mut resumed = resumed.send().await.unwrap();
    let seen = events(&mut resumed, 1).await;
    assert!(seen[1].starts_with("id: 1001\n"), "{seen:?}");
    door.set("2026-03-01T00:00:00Z", 3).await;
    for response in [&mut response, &mut resumed] {
        assert!(events(response, 1).await[0].starts_with("id: 1002\n"));
    }
    // The server's end is the stream's, and in order.
    let rest = tokio::spawn(async move { response.chunk().await });
    door.close().await;
    assert!(matches!(rest.await.unwrap(), Ok(None)));
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_take_no_place_of_requests() {
    let limits = Limits { requests: 1, followers: 2, wait: Duration::ZERO, ..Limits::default() };
    let door = Door::within(limits).await;
    let follow = || door.client.get(door.url("/log")).header("accept", "text/event-stream").send();
    let (mut one, mut two) = (follow().await.unwrap(), follow().await.unwrap());
    events(&mut one, 2).await;
    events(&mut two, 2).await;
    assert_eq!(door.get("/basis", JSON).await.status, 200);
    let third = follow().await.unwrap();
    assert_eq!(third.status().as_u16(), 429);
    drop(one);
    let start = Instant::now();
    while follow().await.unwrap().status().as_u16() != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "a reader that left keeps its place");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_the_whole_log() {
    let mut door = Door::open().await;
    // More than one reading takes.
    for n in 0..600 {
        door.set(&format!("2026-03-01T00:{:02}:{:02}Z", n / 60, n % 60), n).await;
    }
    let said = "{:tx-data [{:p/name \"a,b\" :p/pair #dao/bytes \"AP8=\"} [:db/retract 4294967296 :item/n 599]]}";
    assert_eq!(door.post("/transact", EDN, JSON, said).await.status, 200);
    let csv = door.get("/log?from=1001", "text/csv").await;
    assert!(csv.whole && csv.header("content-type").unwrap().starts_with("text/csv"), "{csv:?}");
    let lines: Vec<&str> = csv.text().lines().collect();
    assert_eq!(lines[0], "t,instant,e,a,v,type,m,added");
    for expect in [
        "1001,2026-02-01 00:00:00+00,4294967296,:item/n,1,long,0,f",
        "1001,2026-02-01 00:00:00+00,4294967296,:item/n,2,long,1,t",
        "1001,2026-02-01 00:00:00+00,1001,:db/txInstant,2026-02-01T00:00:00Z,instant,1,t",
    ] {
        assert!(lines.contains(&expect), "{expect} in {csv:?}");
    }
    let has = |end: &str| lines.iter().any(|line| line.starts_with("1602,") && line.ends_with(end));
    assert!(has(",:p/name,\"a,b\",string,1,t") && has(",:p/pair,\\x00ff,bytes,1,t"), "{csv:?}");
    assert!(has(",4294967296,:item/n,599,long,0,f"), "{csv:?}");

    // Up to `to`, or so many.
    let ts = async |path: &str| {
        let csv = door.get(path, "text/csv").await;
        assert!(csv.whole, "{path}: {csv:?}");
        let t = |line: &str| line.split(',').next().unwrap().parse::<i64>().unwrap();
        let mut ts: Vec<i64> = csv.text().lines().skip(1).map(t).collect();
        ts.dedup();
        ts
    };
    assert_eq!(ts("/log").await, (1000..1603).collect::<Vec<_>>());
    assert_eq!(ts("/log?from=1500&to=1503").await, [1500, 1501, 1502]);
    assert_eq!(ts("/log?from=1500&limit=2").await, [1500, 1501]);
    assert_eq!(ts("/log?limit=300").await.len(), 300);
    assert_eq!(ts("/log?from=1603").await, [0; 0]);
    let arrow = "application/vnd.apache.arrow.stream";
    let rows = door.get("/log", arrow).await;
    let reader =
        datafusion::arrow::ipc::reader::StreamReader::try_new(rows.body.as_slice(), None).unwrap();
    let count: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(count, door.get("/log", "text/csv").await.text().lines().count() - 1);
    assert_eq!(door.get("/log?from=1604", "text/csv").await.status, 409);
    assert_eq!(door.get("/log?wait=1", "text/csv").await.status, 400);
    door.close().await;
}
