//! Transactions: what is answered, what is refused and where, in each format.

use super::support::{Door, EDN, JSON, TRANSIT};
use daodb_datalog::edn;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_answered_with_what_it_did() {
    let door = Door::open().await;
    let body =
        "{:tx-data [{:db/id \"ada\" :p/name \"Ada\" :p/age 36} [:db/add 4294967296 :item/n 3]]}";
    let answer = door.post("/transact", EDN, EDN, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let report = edn::read(answer.text()).unwrap();
    let of = |key: &str| report.get(key).unwrap().to_string();
    assert_eq!((of(":t"), of(":tx")), ("1002".to_owned(), "1002".to_owned()));
    assert_eq!(of(":tempids"), "{\"ada\" 4294967297}");
    assert!(of(":db-before").contains(":t 1001,") && of(":db-after").contains(":t 1002,"));
    let data = of(":tx-data");
    for datom in [
        "[4294967297 :p/name \"Ada\" 1002 1]",
        "[4294967297 :p/age 36 1002 1]",
        "[4294967296 :item/n 2 1002 0]",
        "[4294967296 :item/n 3 1002 1]",
        "[1002 :db/txInstant ",
    ] {
        assert!(data.contains(datom), "{datom} in {data}");
    }
    let logged = edn::read(door.get("/tx/1002", EDN).await.text()).unwrap();
    assert_eq!(logged.get(":hash"), report.get(":hash"));
    assert_eq!(logged.get(":tx-data"), report.get(":tx-data"));

    // What was answered is what the next request reads.
    let json =
        json!({"tx-data": [{":db/id": "l", ":p/name": "Lin", ":p/code": {"#string": ":-)"}}]});
    let answer = door.post("/transact", JSON, JSON, &json.to_string()).await.json();
    assert_eq!(
        (&answer["t"], &answer["tempids"]),
        (&json!(1003), &json!({"l": 4_294_967_298_i64}))
    );
    let rows = door.rows("{\"sql\": \"SELECT name, code FROM p ORDER BY name\"}").await;
    assert_eq!(rows, json!([["Ada", null], ["Lin", {"#string": ":-)"}]]));
    let transit =
        "[\"^ \",\"~:tx-data\",[[\"~:db/add\",4294967298,\"~:p/at\",\"~m1767225600000\"]]]";
    let answer = door.post("/transact", TRANSIT, JSON, transit).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let rows = door.rows("{\"sql\": \"SELECT at FROM p WHERE name = 'Lin'\"}").await;
    assert_eq!(rows, json!([[{"#inst": "2026-01-01T00:00:00Z"}]]));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_references_take_tempids() {
    let door = Door::open().await;
    let schema = "{:tx-data [\
        {:db/ident :p/email :db/valueType :db.type/string :db/cardinality :db.cardinality/one :db/unique :db.unique/identity} \
        {:db/ident :p/friend :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}]}";
    assert_eq!(door.post("/transact", EDN, JSON, schema).await.status, 200);
    let two = "{:tx-data [{:db/id \"a\" :p/email \"a@b\" :p/friend [\"b\" -1]} \
        {:db/id \"b\" :p/email \"b@b\"} [:db/add -1 :p/email \"c@b\"]]}";
    let answer = door.post("/transact", EDN, JSON, two).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let ids = answer.json()["tempids"].clone();
    let friends = door.rows("{\"sql\": \"SELECT friend FROM p WHERE email = 'a@b'\"}").await;
    let mut expect = [ids["b"].as_i64().unwrap(), ids["-1"].as_i64().unwrap()];
    expect.sort_unstable();
    let expect = expect.map(|id| json!({"#dao/ref": id}));
    assert_eq!(friends, json!([[expect]]));
    // An upsert by identity, and a look-up.
    let again = "{:tx-data [{:p/email \"a@b\" :p/age 1} [:db/retract [:p/email \"b@b\"] :p/email \"b@b\"]]}";
    assert_eq!(door.post("/transact", EDN, JSON, again).await.status, 200);
    let rows = door.rows("{\"sql\": \"SELECT email, age FROM p ORDER BY email\"}").await;
    assert_eq!(rows, json!([["a@b", 1], ["c@b", null]]));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_which_form_and_changes_nothing() {
    let door = Door::open().await;
    let schema = "{:tx-data [{:db/ident :u/n :db/valueType :db.type/long \
        :db/cardinality :db.cardinality/one :db/unique :db.unique/value} {:u/n 1}]}";
    assert_eq!(door.post("/transact", EDN, JSON, schema).await.status, 200);
    let t = door.get("/basis", JSON).await.json()["t"].clone();
    for (tx_data, status, code, at) in [
        ("[{:u/n 1}]", 409, "23505", Some("{:u/n 1}")),
        (
            "[[:db/add \"x\" :p/a 1] [:db/add \"x\" :u/n \"one\"]]",
            422,
            "42804",
            Some("[:db/add \"x\" :u/n \"one\"]"),
        ),
        ("[[:db/add 4300000000 :p/a 1]]", 422, "23503", Some("[:db/add 4300000000 :p/a 1]")),
        (
            "[[:db/add \"x\" :p/a 1] [:db/add \"x\" :p/a 2]]",
            422,
            "21000",
            Some("[:db/add \"x\" :p/a 2]"),
        ),
        ("[[:my/fn 1 :p/a 1 2]]", 400, "42601", Some(":my/fn")),
        ("[{:p/a nil}]", 400, "42601", Some("nil")),
        ("7", 400, "42601", Some("7")),
    ] {
        let body = format!("{{:tx-data {tx_data}}}");
        let refused = door.post("/transact", EDN, JSON, &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{tx_data}");
        let span = refused.json()["error"]["span"].clone();
        let place = |end: &str| usize::try_from(span[end].as_u64().unwrap()).unwrap();
        assert_eq!(body.get(place("start")..place("end")), at, "{tx_data}");
    }
    let refused = door.post("/transact", EDN, JSON, "{}").await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "22023"));
    assert_eq!(door.get("/basis", JSON).await.json()["t"], t);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_what_if_is_read_and_leaves_nothing() {
    let door = Door::open().await;
    let count = "{\"sql\": \"SELECT count(*) FROM item\"}";
    let sql = "SELECT n, note FROM item ORDER BY n";
    let tx_data = "[{:item/n 7 :item/note \"new\"} [:db/add 4294967296 :item/n 3]]";
    let body = format!("{{:tx-data {tx_data} :sql {sql:?}}}");
    for _ in 0..2 {
        let answer = door.post("/with", EDN, JSON, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["t"], json!(1002));
        assert_eq!(answer.json()["rows"], json!([[3, null], [7, "new"]]));
        assert_eq!(door.rows(count).await, json!([[1]]));
        assert_eq!(door.get("/basis", JSON).await.json()["t"], json!(1001));
    }
    // Both moments in one statement, with the schema of each.
    let both = "SELECT a.n, b.n FROM item VERSION AS OF 1001 a JOIN item b ON a._id = b._id";
    let body = format!("{{:tx-data {tx_data} :sql {both:?}}}");
    assert_eq!(door.post("/with", EDN, JSON, &body).await.json()["rows"], json!([[2, 3]]));
    // A table that is not there.
    let body = "{:tx-data [{:fresh/x 1}] :sql \"SELECT x FROM fresh\"}";
    assert_eq!(door.post("/with", EDN, JSON, body).await.json()["rows"], json!([[1]]));
    let gone = door.post("/sql", EDN, JSON, "{:sql \"SELECT x FROM fresh\"}").await;
    assert_eq!(gone.code(), "42P01");

    let imagined = door.post("/with", EDN, EDN, &format!("{{:tx-data {tx_data}}}")).await;
    let done = door.post("/transact", EDN, EDN, &format!("{{:tx-data {tx_data}}}")).await;
    let of = |text: &str, key: &str| edn::read(text).unwrap().get(key).unwrap().to_string();
    for key in [":t", ":tempids", ":db-before", ":db-after"] {
        assert_eq!(of(imagined.text(), key), of(done.text(), key));
    }
    // All but the instant, which is the clock's.
    let datoms = |text: &str| {
        let data = edn::read(text).unwrap().get(":tx-data").unwrap().clone();
        let all: Vec<String> = data.sequence().unwrap().iter().map(ToString::to_string).collect();
        all.into_iter().filter(|d| !d.contains(":db/txInstant")).collect::<Vec<_>>()
    };
    assert_eq!(datoms(imagined.text()), datoms(done.text()));
    let refused = door.post("/with", EDN, JSON, "{:tx-data [[:db/add 4300000000 :a/b 1]]}").await;
    assert_eq!((refused.status, refused.code().as_str()), (422, "23503"));
    door.close().await;
}

/// Readers that follow see each transaction of many writers, once and in order.
#[tokio::test(flavor = "multi_thread")]
async fn many_write_and_one_follows() {
    let door = Door::open().await;
    let all = (0..100).map(|n| {
        let body = format!("{{:tx-data [{{:w/n {n}}}]}}");
        let door = &door;
        async move { door.post("/transact", EDN, JSON, &body).await }
    });
    let answers = futures::future::join_all(all).await;
    let mut ts: Vec<i64> = answers.iter().map(|a| a.json()["t"].as_i64().unwrap()).collect();
    ts.sort_unstable();
    assert_eq!(ts, (1002..1102).collect::<Vec<_>>());
    let log = door.get("/log?from=1002", JSON).await.json();
    let logged = log["transactions"].as_array().unwrap();
    assert_eq!(logged.len(), 100);
    assert_eq!(
        door.rows("{\"sql\": \"SELECT count(*), sum(n) FROM w\"}").await,
        json!([[100, 4950]])
    );
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_after_it_or_it_is_refused() {
    let door = Door::open().await;
    let body = |left: i64| {
        format!(
            "{{:tx-data [{{:stock/of \"nut\" :stock/left {left}}}] :conditions \
             [{{:name \"in stock\" :query [:find ?e :in $ ?least :where [?e :stock/left ?n] [(>= ?n ?least)]] :args [0]}}]}}"
        )
    };
    let before = door.get("/basis", JSON).await.json();
    for path in ["/transact", "/with"] {
        let refused = door.post(path, EDN, JSON, &body(-1)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let error = &refused.json()["error"];
        assert_eq!(error["code"], "23514", "{refused:?}");
        let message = "transaction refused: condition in stock does not hold after it";
        assert_eq!(error["message"], message);
    }
    assert_eq!(door.get("/basis", JSON).await.json(), before, "nothing was written");
    assert_eq!(door.post("/with", EDN, JSON, &body(3)).await.status, 200);
    assert_eq!(door.post("/transact", EDN, JSON, &body(3)).await.status, 200);
    // In JSON a query is a text, the shortest; what is none is refused with its place.
    let json = json!({"tx-data": [{":stock/left": 0}], "conditions": ["[:find ?e :where [?e :stock/left 0]]"]});
    assert_eq!(door.post("/transact", JSON, JSON, &json.to_string()).await.status, 200);
    let wrong = "{:tx-data [] :conditions [[:find ?e :where [?x :a/b]]]}";
    let refused = door.post("/transact", EDN, JSON, wrong).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let error = &refused.json()["error"];
    assert!(error["message"].as_str().unwrap().starts_with("condition 1: "), "{error}");
    assert_eq!(error["span"]["start"], wrong.find("?e").unwrap(), "{error}");
    door.close().await;
}
