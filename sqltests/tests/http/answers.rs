//! What each route answers, and what it refuses.

use super::support::{Door, EDN, JSON, SQL, TRANSIT, answer};
use daodb_datalog::edn;
use daodb_sqltests::engine::DATABASE;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn where_a_database_stands() {
    let door = Door::open().await;
    let now = door.get("/basis", JSON).await.json();
    assert_eq!((&now["t"], &now["next-t"]), (&json!(1001), &json!(1002)), "{now}");
    assert_eq!(now["instant"], json!({"#inst": "2026-02-01T00:00:00Z"}));
    assert_eq!(now["db-name"], json!(DATABASE));
    let then = door.get("/basis?as-of=2026-01-15", JSON).await.json();
    assert_eq!((&then["t"], &then["next-t"]), (&json!(1000), &json!(1001)), "{then}");
    let tx = door.get("/tx/1000", JSON).await.json();
    assert_eq!(then["hash"], tx["hash"]);
    assert_eq!(door.get("/tx/1001", JSON).await.json()["previous"], tx["hash"]);
    let before = door.get("/basis?as-of=2020-01-01", JSON).await.json();
    assert_eq!((&before["t"], &before["hash"]), (&json!(999), &json!(null)), "{before}");

    let edn = door.get("/basis", EDN).await;
    let read = edn::read(edn.text()).unwrap();
    assert_eq!(read.get(":t").unwrap().to_string(), "1001", "{read}");
    let instant = read.get(":instant").unwrap().to_string();
    assert_eq!(instant, "#inst \"2026-02-01T00:00:00Z\"");
    assert_eq!(edn.header("content-type"), Some(EDN));
    assert!(door.get("/basis", TRANSIT).await.text().starts_with("[\"^ \",\"~:db-name\""));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_its_datoms() {
    let door = Door::open().await;
    let tx = edn::read(door.get("/tx/1001", EDN).await.text()).unwrap();
    let data = tx.get(":tx-data").unwrap().sequence().unwrap();
    let said: Vec<String> = data.iter().map(ToString::to_string).collect();
    let id = "4294967296";
    for expect in [
        format!("[{id} :item/n 1 1001 0]"),
        format!("[{id} :item/n 2 1001 1]"),
        "[1001 :db/txInstant #inst \"2026-02-01T00:00:00Z\" 1001 1]".to_owned(),
    ] {
        assert!(said.contains(&expect), "{expect} in {said:?}");
    }
    assert_eq!(tx.get(":tx").unwrap().to_string(), "1001");
    for (path, status, code) in [
        ("/tx/999", 404, "42704"),
        ("/tx/1002", 404, "42704"),
        ("/tx/soon", 400, "22023"),
        ("/tx/99999999999999999999", 400, "22023"),
    ] {
        let refused = door.get(path, JSON).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{path}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_read_their_moment() {
    let door = Door::open().await;
    for (body, expect) in [
        (json!({"sql": "SELECT n FROM item"}), json!([[2]])),
        (json!({"sql": "SELECT n FROM item", "as-of": 1000}), json!([[1]])),
        (json!({"sql": "SELECT n FROM item", "as-of": "2026-01-15"}), json!([[1]])),
        (json!({"sql": "SELECT n FROM item", "as-of": {"#inst": "2026-01-15"}}), json!([[1]])),
        (json!({"sql": "SELECT count(*) FROM item", "since": 1000}), json!([[1]])),
        (json!({"sql": "SELECT count(*) FROM item", "since": 1001}), json!([[0]])),
        (json!({"sql": "SELECT n FROM item ORDER BY n", "history": true}), json!([[1], [2]])),
        (json!({"sql": "SELECT n FROM item WHERE n = $1", "args": [2]}), json!([[2]])),
        (json!({"sql": "SELECT n FROM item VERSION AS OF $1", "args": [1000]}), json!([[1]])),
        (json!({"sql": "SELECT $1::text, $2::bigint", "args": [null, 7]}), json!([[null, 7]])),
    ] {
        assert_eq!(door.rows(&body.to_string()).await, expect, "{body}");
    }
    let answer = door.post("/sql?as-of=1000", SQL, JSON, "SELECT n FROM item").await.json();
    assert_eq!((&answer["t"], &answer["rows"]), (&json!(1000), &json!([[1]])));
    assert_eq!(answer["columns"], json!([{"name": "n", "type": "int8"}]));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_says_when_decides_what_columns_there_are() {
    let door = Door::open().await;
    for ops in [
        "{:db/ident :p/nick :db/valueType :db.type/string :db/cardinality :db.cardinality/one}",
        "{:p/nick \"Al\"}",
        "{:db/id :p/nick :db/ident :p/called}",
    ] {
        let body = format!("{{:tx-data [{ops}]}}");
        let answer = door.post("/transact", EDN, JSON, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let sql = "SELECT nick FROM p VERSION AS OF $1 WHERE nick > $2";
    let body = json!({"sql": sql, "args": [1003, "A"]}).to_string();
    assert_eq!(door.rows(&body).await, json!([["Al"]]));
    let body = format!(
        "{{:query [:find ?n :in $ $s :where [$s ?n]] :args [{{:sql \"{sql}\" :args [1003 \"A\"]}}]}}"
    );
    let found = door.post("/query", EDN, JSON, &body).await.json();
    assert_eq!(found["result"], json!([["Al"]]), "{found}");
    let body = json!({"sql": sql, "args": [1004, "A"]}).to_string();
    assert_eq!(door.post("/sql", JSON, JSON, &body).await.code(), "42703");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_where_and_what_to_do() {
    let door = Door::open().await;
    for (content, body, status, code) in [
        (JSON, "{\"sql\": ", 400, "42601"),
        (JSON, "[1]", 400, "22023"),
        (JSON, "{\"sqll\": \"SELECT 1\"}", 400, "22023"),
        (JSON, "{\"sql\": 1}", 400, "22023"),
        (JSON, "{}", 400, "22023"),
        (JSON, "{\"sql\": \"SELEC 1\"}", 400, "42601"),
        (JSON, "{\"sql\": \"SELECT 1; SELECT 2\"}", 400, "42601"),
        (JSON, "{\"sql\": \"SELECT x FROM nothing\"}", 400, "42P01"),
        (JSON, "{\"sql\": \"SELECT 1/0\"}", 400, "22012"),
        (JSON, "{\"sql\": \"SELECT $1::int\", \"args\": [\"x\"]}", 400, "22P02"),
        (JSON, "{\"sql\": \"SELECT $1::int\"}", 400, "08P01"),
        (JSON, "{\"sql\": \"SELECT 1\", \"as-of\": 4711}", 400, "22023"),
        (JSON, "{\"sql\": \"SELECT 1\", \"as-of\": [1]}", 400, "22023"),
        (JSON, "{\"sql\": \"SELECT 1\", \"timeout\": 0}", 400, "22023"),
        (JSON, "{\"sql\": \"CREATE VIEW v AS SELECT 1\"}", 409, "25006"),
        ("text/plain", "SELECT 1", 415, "0A000"),
        ("application/x-www-form-urlencoded", "SELECT 1", 415, "0A000"),
    ] {
        let refused = door.post("/sql", content, JSON, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{body}");
    }
    let refused = door.post("/sql", EDN, EDN, "{:sql\n  012}").await;
    let error = edn::read(refused.text()).unwrap();
    let error = error.get(":error").unwrap();
    assert_eq!(error.get(":message").unwrap().string(), Some("012 begins with a zero"));
    let span = error.get(":span").unwrap().to_string();
    assert_eq!(span, "{:start 8, :end 11, :line 2, :column 3}");

    let position = door.post("/sql", SQL, JSON, "SELECT 1 +\n nothing FROM item").await.json();
    assert_eq!(position["error"]["position"], json!(13), "{position}");
    for (path, accept, status) in [
        ("//nothing", JSON, 404),
        ("//api/nowhere/basis", JSON, 404),
        ("//api/%ff/basis", JSON, 400),
        ("/basis", "text/html", 406),
        ("/basis?as_of=1000", JSON, 400),
        ("/sql", JSON, 405),
    ] {
        let refused = door.get(path, accept).await;
        assert_eq!(refused.status, status, "{path}: {refused:?}");
        refused.code();
        assert_eq!(refused.header("allow").is_some(), status == 405);
    }
    assert_eq!(door.get("//api/nowhere/basis", JSON).await.code(), "3D000");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_made_and_listed() {
    let door = Door::open().await;
    let make = |name: &str| format!("{{:db-name {name:?}}}");
    let made = door.post("//api", EDN, JSON, &make("music")).await;
    assert_eq!(
        (made.status, made.json()),
        (201, json!({"db-name": "music", "t": 999, "next-t": 1000}))
    );
    let names = door.get("//api", JSON).await.json();
    assert_eq!(names, json!({"databases": ["music", DATABASE]}));
    for (name, status, code) in [("music", 409, "42P04"), ("Größe", 400, "42602")] {
        let refused = door.post("//api", EDN, JSON, &make(name)).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{name}");
    }
    let basis = answer(door.client.get(door.url("//api/music/basis"))).await.json();
    assert_eq!(basis["t"], json!(999));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_database_is_gone_and_kept() {
    let door = Door::open().await;
    let delete = |name: &str| answer(door.client.delete(door.url(&format!("//api/{name}"))));
    assert_eq!(delete("nothing").await.status, 404);
    let gone = delete(DATABASE).await;
    assert_eq!((gone.status, &gone.json()["archived"]), (200, &json!(true)));
    assert_eq!(delete(DATABASE).await.status, 404);
    assert_eq!(door.get("/basis", JSON).await.code(), "3D000");
    assert_eq!(door.get("//api", JSON).await.json(), json!({"databases": []}));
    let again = door.post("//api", EDN, JSON, &format!("{{:db-name {DATABASE:?}}}")).await;
    assert_eq!((again.status, again.code().as_str()), (409, "42P04"));
    assert!(again.json()["error"]["hint"].as_str().unwrap().contains("archived.json"));
    // Who had it open reads on, and writes no more.
    assert_eq!(door.database.snapshot().t(), 1001);
    let op = "transact\n+ b :item/n 1\n";
    let ops = daodb_sqltests::ops::parse(&Default::default(), op).unwrap();
    let refused = door.database.transact(ops).await.err().unwrap();
    assert_eq!(refused.state.as_str(), "57P01");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_ask() {
    let door = Door::open().await;
    assert_eq!(door.get("//health", JSON).await.json(), json!({"status": "ok"}));
    let ready = door.get("//ready", JSON).await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
    door.rows("{\"sql\": \"SELECT n FROM item\"}").await;
    let metrics = door.get("//metrics", "text/plain").await;
    let text = metrics.text();
    for line in [
        "daodb_http_requests_total{route=\"/api/{db}/sql\",method=\"POST\",status=\"200\"} 1"
            .to_owned(),
        format!("daodb_log_t{{database=\"{DATABASE}\"}} 1001"),
        format!("daodb_transactions_total{{database=\"{DATABASE}\"}} 2"),
        "# TYPE daodb_http_request_seconds histogram".to_owned(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok() && name.starts_with("daodb_"), "{line}");
    }
    let document = door.get("//api/openapi.json", JSON).await.json();
    assert_eq!(document["openapi"], json!("3.1.0"));
    door.close().await;
}

/// A page of another site that resolves its own name to this machine.
#[tokio::test(flavor = "multi_thread")]
async fn other_sites_do_not_get_in() {
    let door = Door::open().await;
    let request = door.client.get(door.url("/basis")).header("host", "evil.example");
    let refused = answer(request).await;
    assert_eq!((refused.status, refused.code().as_str()), (421, "28000"));
    let answered = answer(door.client.get(door.url("/basis")).header("host", "localhost:1")).await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.header("access-control-allow-origin"), None);
    door.close().await;
}
