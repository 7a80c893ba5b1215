//! A server that follows another one: it answers, and changes nothing.

use super::support::{Door, EDN, JSON, answer};
use daodb_catalog::Catalog;
use daodb_catalog::database::CatalogOptions;
use daodb_gateway::http::Limits;
use daodb_sqltests::engine::{self, DATABASE};
use daodb_storage::Store;
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_answers_and_changes_nothing() {
    let store = Store::memory();
    let writer = Catalog::open_store(store.clone(), engine::options()).await.unwrap();
    let database = writer.create(DATABASE).await.unwrap();
    let writer = Door::of(writer, Arc::clone(&database), Limits::default()).await;
    let write = async |n: i64| {
        let body = format!("{{:tx-data [{{:item/n {n}}}]}}");
        let answer = writer.post("/transact", EDN, JSON, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    write(1).await;
    let options = CatalogOptions { read_only: true, ..engine::options() };
    let follower = Catalog::open_store(store, options).await.unwrap();
    let database = follower.database(DATABASE).await.unwrap();
    let follower = Door::of(follower, database, Limits::default()).await;

    assert_eq!(follower.get("//ready", JSON).await.status, 200);
    let rows = "{\"sql\": \"SELECT n FROM item ORDER BY n\"}";
    assert_eq!(follower.rows(rows).await, json!([[1]]));
    let imagined = "{:tx-data [{:item/n 5}] :sql \"SELECT count(*) FROM item\"}";
    let imagined = follower.post("/with", EDN, JSON, imagined).await.json();
    assert_eq!(imagined["rows"], json!([[2]]));
    for refused in [
        follower.post("/transact", EDN, JSON, "{:tx-data [{:item/n 9}]}").await,
        follower.post("//api", EDN, JSON, "{:db-name \"other\"}").await,
        answer(follower.client.delete(follower.url("//api/test"))).await,
    ] {
        assert_eq!((refused.status, refused.code().as_str()), (409, "25006"), "{refused:?}");
        assert!(refused.json()["error"]["hint"].is_string(), "{refused:?}");
    }
    // What the writer writes comes, also to who waits for it.
    let (client, url) = (follower.client.clone(), follower.url("/log?from=1001&wait=30"));
    let waiting = tokio::spawn(async move { answer(client.get(url)).await.json() });
    write(2).await;
    let page = waiting.await.unwrap();
    assert_eq!(page["transactions"][0]["t"], json!(1001), "{page}");
    assert_eq!(follower.rows(rows).await, json!([[1], [2]]));
    let hash = |answer: &super::support::Answer| answer.json()["hash"].clone();
    let (one, other) = (writer.get("/basis", JSON).await, follower.get("/basis", JSON).await);
    assert_eq!(hash(&one), hash(&other));
    follower.close().await;
    writer.close().await;
}
