//! Who writes, from where and why; calls that are sent again.

use super::support::{Answer, Door, EDN, JSON, answer};
use daodb_sqltests::engine::DATABASE;
use reqwest::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use serde_json::json;

/// A transaction under a header; the answer is JSON.
async fn transact(door: &Door, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = door.client.post(door.url("/transact")).header(ACCEPT, JSON);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    answer(request.header(CONTENT_TYPE, EDN).body(body.to_owned())).await
}

async fn newest(door: &Door) -> i64 {
    door.get("/basis", JSON).await.json()["t"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_says_who_and_why() {
    let door = Door::open().await;
    // Nobody says anything: there is no table of it.
    assert_eq!(transact(&door, &[], "{:tx-data [{:p/n 1}]}").await.status, 200);
    let none = door.post("/sql", JSON, JSON, "{\"sql\": \"SELECT author FROM tx\"}").await;
    assert_eq!(none.code(), "42P01");

    let body = "{:tx-data [{:p/n 2}] :author \"ada\" :reason \"a typo\"}";
    let done = transact(&door, &[(USER_AGENT.as_str(), "loader/2.1")], body).await;
    assert_eq!(done.status, 200, "{done:?}");
    let t = done.json()["t"].clone();
    let json = "{\"tx-data\": [{\":p/n\": 3}], \"author\": \"lin\", \"reason\": null}";
    assert_eq!(door.post("/transact", JSON, JSON, json).await.status, 200);
    let rows = door.rows("{\"sql\": \"SELECT _id, author, client, reason FROM tx ORDER BY 1\"}");
    let next = t.as_i64().unwrap() + 1;
    let expect = json!([[t, "ada", "loader/2.1", "a typo"], [next, "lin", null, null]]);
    assert_eq!(rows.await, expect);

    // What the data say goes before what the door says by itself; two authors are one too many.
    let body = "{:tx-data [{:db/id \"datomic.tx\" :tx/author \"mira\" :tx/client \"desk 7\"}]}";
    let done = transact(&door, &[(USER_AGENT.as_str(), "loader/2.1")], body).await;
    assert_eq!(done.status, 200, "{done:?}");
    let rows = door.rows("{\"sql\": \"SELECT author, client FROM tx ORDER BY _id DESC LIMIT 1\"}");
    assert_eq!(rows.await, json!([["mira", "desk 7"]]));
    let body = body.replace("}]}", "}] :author \"ada\"}");
    assert_eq!(transact(&door, &[], &body).await.code(), "21000");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_wrongly_is_refused_and_placed() {
    let door = Door::open().await;
    let before = newest(&door).await;
    let long = format!("\"{}\"", "x".repeat(1025));
    for (wrong, at) in [
        (":author 7", "7"),
        (":reason \"\"", "\"\""),
        (&format!(":author {long}"), long.as_str()),
        (":idempotency-key [1]", "[1]"),
        (":autor \"ada\"", ":autor"),
    ] {
        let body = format!("{{:tx-data [{{:p/n 1}}] {wrong}}}");
        let refused = transact(&door, &[], &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "22023"), "{wrong}");
        let span = &refused.json()["error"]["span"];
        let place = |end: &str| usize::try_from(span[end].as_u64().unwrap()).unwrap();
        assert_eq!(body.get(place("start")..place("end")), Some(at));
    }
    let long = "k".repeat(1025);
    let one = "{:tx-data [{:p/n 1}]}";
    let keyed = "{:tx-data [{:p/n 1}] :idempotency-key \"k\"}";
    for (headers, body) in [
        (vec![("idempotency-key", "")], one),
        (vec![("idempotency-key", "\"\"")], one),
        (vec![("idempotency-key", long.as_str())], one),
        (vec![("idempotency-key", "a"), ("idempotency-key", "a")], one),
        (vec![("idempotency-key", "k")], keyed),
    ] {
        let refused = transact(&door, &headers, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "22023"), "{headers:?}");
    }
    assert_eq!(newest(&door).await, before);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_sent_again_is_the_same_transaction() {
    let door = Door::open().await;
    let body = |n: i64| format!("{{:tx-data [{{:db/id \"new\" :p/n {n}}}] :author \"ada\"}}");
    let quoted = [("idempotency-key", "\"k 1\"")];
    let plain = [("idempotency-key", "k 1")];
    let first = transact(&door, &quoted, &body(1)).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert!(first.json()["tempids"]["new"].is_i64(), "{first:?}");
    let between = transact(&door, &[("idempotency-key", "other")], &body(2)).await.json();
    for again in [
        transact(&door, &plain, &body(1)).await,
        transact(&door, &quoted, &body(7)).await,
        door.post("/transact", EDN, JSON, "{:tx-data [] :idempotency-key \"k 1\"}").await,
    ] {
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(again.json(), first.json());
    }
    assert_eq!(newest(&door).await, between["t"].as_i64().unwrap());
    assert_eq!(door.rows("{\"sql\": \"SELECT n FROM p ORDER BY n\"}").await, json!([[1], [2]]));

    // A call that was refused may be mended under its key.
    let key = [("idempotency-key", "mended")];
    let refused = transact(&door, &key, "{:tx-data [[:db/add 4300000000 :p/n 1]]}").await;
    assert_eq!(refused.status, 422);
    assert_eq!(transact(&door, &key, &body(3)).await.json()["t"], json!(newest(&door).await));

    // Another database does not know it.
    assert_eq!(door.post("//api", EDN, JSON, "{:db-name \"other\"}").await.status, 201);
    let url = door.url("/transact").replace(&format!("/{DATABASE}/"), "/other/");
    let request = door.client.post(url).header(ACCEPT, JSON).header(CONTENT_TYPE, EDN);
    let other = answer(request.header("idempotency-key", "k 1").body(body(1))).await.json();
    assert_eq!(other["t"], json!(1000));
    door.close().await;
}

/// Many clients that lost patience send one call: it is done once.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_sent_by_many_is_done_once() {
    let door = Door::open().await;
    let before = newest(&door).await;
    let all = (0..20).map(|n| {
        let body = format!("{{:tx-data [{{:p/n {n}}}]}}");
        let door = &door;
        async move { transact(door, &[("idempotency-key", "once")], &body).await.json() }
    });
    let reports = futures::future::join_all(all).await;
    assert!(reports.iter().all(|report| report == &reports[0]), "{reports:?}");
    assert_eq!(newest(&door).await, before + 1);
    assert_eq!(door.rows("{\"sql\": \"SELECT count(*) FROM p\"}").await, json!([[1]]));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_what_if_says_who_too() {
    let door = Door::open().await;
    let body = "{:tx-data [{:p/n 1}] :author \"ada\" :sql \"SELECT author FROM tx\"}";
    assert_eq!(door.post("/with", EDN, JSON, body).await.json()["rows"], json!([["ada"]]));
    // Nothing of it is done, so nothing is known by a key.
    let keyed = "{:tx-data [{:p/n 1}] :idempotency-key \"k\"}";
    assert_eq!(door.post("/with", EDN, JSON, keyed).await.code(), "22023");
    door.close().await;
}
