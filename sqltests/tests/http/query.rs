//! Datalog over HTTP: queries and what they read, their formats, limits and errors.

use super::support::{Door, EDN, JSON, TRANSIT};
use daodb_datalog::edn;
use daodb_gateway::http::Limits;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::ipc::reader::StreamReader;
use serde_json::json;
use std::time::Duration;

pub const CSV: &str = "text/csv";
const ARROW: &str = "application/vnd.apache.arrow.stream";

/// People, beside the item of the door: t 1002 declares, 1003 says, 1004 changes Bob's age.
pub async fn people(limits: Limits) -> Door {
    let door = Door::within(limits).await;
    for tx_data in [
        "[{:db/ident :p/name :db/valueType :db.type/string :db/unique :db.unique/identity} \
          {:db/ident :p/boss :db/valueType :db.type/ref} \
          {:db/ident :p/age :db/valueType :db.type/long}]",
        "[{:db/id \"a\" :p/name \"Ada\" :p/age 36} \
          {:db/id \"b\" :p/name \"Bob\" :p/age 25 :p/boss \"a\" :p/say \":-)\"} \
          {:db/id \"c\" :p/name \"Cid\" :p/age 50 :p/boss \"b\" :p/tag :red}]",
        "[{:p/name \"Bob\" :p/age 26}]",
    ] {
        let done = door.post("/transact", EDN, JSON, &format!("{{:tx-data {tx_data}}}")).await;
        assert_eq!(done.status, 200, "{done:?}");
    }
    door
}

pub async fn open() -> Door {
    people(Limits::default()).await
}

impl Door {
    /// What a body of EDN finds, as EDN.
    pub async fn found(&self, path: &str, body: &str) -> String {
        let answer = self.post(path, EDN, EDN, body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        let read = edn::read(answer.text()).unwrap();
        read.get(":result").unwrap().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_shape_that_find_asks_for() {
    let door = open().await;
    for (query, expect) in [
        (
            "[:find ?n ?a :where [?e :p/name ?n] [?e :p/age ?a] :order-by ?a]",
            "[[\"Bob\" 26] [\"Ada\" 36] [\"Cid\" 50]]",
        ),
        ("[:find [?n ...] :where [?e :p/name ?n] [?e :p/age 26]]", "[\"Bob\"]"),
        ("[:find [?n ?a] :where [?e :p/name ?n] [?e :p/age ?a] [?e :p/age 50]]", "[\"Cid\" 50]"),
        ("[:find (sum ?a) . :where [_ :p/age ?a]]", "112"),
        ("[:find ?a . :where [?e :p/name \"Nobody\"] [?e :p/age ?a]]", "nil"),
        ("[:find ?n :where [?e :p/age 7] [?e :p/name ?n]]", "[]"),
        (
            "[:find ?n ?a :keys name age :where [?e :p/name ?n] [?e :p/age ?a] [(< ?a 30)]]",
            "[{:name \"Bob\", :age 26}]",
        ),
        (
            "[:find (pull ?e [:p/name {:p/boss [:p/name]}]) :where [?e :p/age 26]]",
            "[[{:p/name \"Bob\", :p/boss {:p/name \"Ada\"}}]]",
        ),
        ("\"[:find ?t . :where [_ :p/age 26 ?t]]\"", "1004"),
        ("{:find [?n .] :where [[?e :p/name ?n] [?e :p/tag :red]]}", "\"Cid\""),
    ] {
        assert_eq!(door.found("/query", &format!("{{:query {query}}}")).await, expect, "{query}");
    }
    let answer = door.post(
        "/query",
        EDN,
        EDN,
        "{:query [:find ?n ?a :where [?e :p/name ?n] [?e :p/age ?a] [(= ?a 26)]]}",
    );
    let answer = answer.await;
    assert_eq!(
        answer.text(),
        "{:t 1004, :columns [{:name \"?n\", :type \"string\"} {:name \"?a\", :type \"long\"}], :result [\n[\"Bob\" 26]]}\n"
    );
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_say_the_same() {
    let door = open().await;
    let query = "[:find ?n ?say ?tag :where [?e :p/name ?n] [(get-else $ ?e :p/say \"\") ?say] \
        [(get-else $ ?e :p/tag :none) ?tag] :order-by ?n]";
    let body = json!({"query": query}).to_string();
    let answer = door.post("/query", JSON, JSON, &body).await.json();
    assert_eq!(
        answer["result"],
        json!([["Ada", "", ":none"], ["Bob", {"#string": ":-)"}, ":none"], ["Cid", "", ":red"]])
    );
    assert_eq!(answer["columns"][0], json!({"name": "?n", "type": "string"}));
    let transit = door.post("/query", JSON, TRANSIT, &body).await;
    assert!(transit.text().starts_with("[\"^ \",\"~:t\",1004,"), "{transit:?}");
    assert!(transit.text().contains("[\"Cid\",\"\",\"~:red\"]"), "{transit:?}");
    let csv = door.post("/query", JSON, CSV, &body).await;
    assert_eq!(csv.text(), "?n,?say,?tag\nAda,\"\",:none\nBob,:-),:none\nCid,\"\",:red\n");
    // Keys of a row are plain in JSON, those of what is pulled are as in EDN.
    let keyed = json!({"query": "[:find ?n (pull ?e [:p/age]) :keys name it :where [?e :p/name ?n] [?e :p/age 26]]"});
    let answer = door.post("/query", JSON, JSON, &keyed.to_string()).await.json();
    assert_eq!(answer["result"], json!([{"name": "Bob", "it": {":p/age": 26}}]));
    // A query and its arguments as forms of JSON.
    let s = |name: &str| json!({"#dao/symbol": name});
    let query = json!([
        ":find",
        s("?n"),
        ":in",
        s("$"),
        s("?a"),
        ":where",
        [s("?e"), ":p/age", s("?a")],
        [s("?e"), ":p/name", s("?n")]
    ]);
    let body = json!({"query": query, "args": [26]}).to_string();
    assert_eq!(door.post("/query", JSON, JSON, &body).await.json()["result"], json!([["Bob"]]));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_as_arrow() {
    let door = open().await;
    let query = "{:query [:find ?n ?a (pull ?e [:p/tag]) :where [?e :p/name ?n] [?e :p/age ?a] :order-by ?a]}";
    let answer = door.post("/query", EDN, ARROW, query).await;
    assert_eq!((answer.status, answer.whole), (200, true), "{answer:?}");
    let reader = StreamReader::try_new(answer.body.as_slice(), None).unwrap();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            rows.push((
                batch.column(0).as_string_view().value(row).to_owned(),
                batch.column(1).as_primitive::<Int64Type>().value(row),
                batch.column(2).as_string_view().value(row).to_owned(),
            ));
        }
    }
    let last = rows.pop().unwrap();
    assert_eq!(
        rows.iter().map(|r| (r.0.as_str(), r.1)).collect::<Vec<_>>(),
        [("Bob", 26), ("Ada", 36)]
    );
    assert_eq!(last, ("Cid".to_owned(), 50, "{:p/tag :red}".to_owned()));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_at_their_moments() {
    let door = open().await;
    let age = "[:find ?a . :where [?e :p/name \"Bob\"] [?e :p/age ?a]]";
    for (moment, expect) in
        [("", "26"), (":as-of 1003", "25"), (":as-of 1004", "26"), (":as-of 1002", "nil")]
    {
        let body = format!("{{:query {age} {moment}}}");
        assert_eq!(door.found("/query", &body).await, expect, "{moment}");
    }
    let in_url = door.post("/query?as-of=1003", EDN, JSON, &format!("{{:query {age}}}")).await;
    assert_eq!((&in_url.json()["t"], &in_url.json()["result"]), (&json!(1003), &json!(25)));
    let history = "{:query [:find [?a ...] :where [?e :p/name \"Bob\"] [?e :p/age ?a _ _ true] :order-by ?a] :history true}";
    assert_eq!(door.found("/query", history).await, "[25 26]");
    let since = "{:query [:find [?a ...] :where [_ :p/age ?a]] :since 1003}";
    assert_eq!(door.found("/query", since).await, "[26]");

    // The same database at another moment, beside it.
    let then = "[:find ?was ?is :in $ $then :where [$then ?e :p/age ?was] [?e :p/age ?is] [(!= ?was ?is)]]";
    let body = format!("{{:query {then} :args [{{:db \"DB\" :as-of 1003}}]}}");
    let body = body.replace("DB", daodb_sqltests::engine::DATABASE);
    assert_eq!(door.found("/query", &body).await, "[[25 26]]");
    // Another database, values, a collection as a source, and rules.
    assert_eq!(door.post("//api", EDN, JSON, "{:db-name \"other\"}").await.status, 201);
    let url = door.url("//api/other/transact");
    let request = door.client.post(url).header("content-type", EDN);
    let done =
        request.body("{:tx-data [{:q/name \"Bob\" :q/town \"Bonn\"}]}").send().await.unwrap();
    assert_eq!(done.status().as_u16(), 200);
    for (query, args, expect) in [
        (
            "[:find ?town . :in $ $other :where [?e :p/age 26] [?e :p/name ?n] [$other ?o :q/name ?n] [$other ?o :q/town ?town]]",
            "[{:db \"other\"}]",
            "\"Bonn\"",
        ),
        (
            "[:find ?n . :in $ [?a ...] :where [?e :p/age ?a] [?e :p/name ?n]]",
            "[[26 27]]",
            "\"Bob\"",
        ),
        (
            "[:find ?n ?x :in $ $x :where [$x ?n ?x] [_ :p/name ?n]]",
            "[[[\"Bob\" 1] [\"Nobody\" 2]]]",
            "[[\"Bob\" 1]]",
        ),
        (
            "[:find [?n ...] :in $ % :where (above ?x ?y) [?y :p/name \"Cid\"] [?x :p/name ?n] :order-by ?n]",
            "[[[(above ?x ?y) [?y :p/boss ?x]] [(above ?x ?y) [?y :p/boss ?z] (above ?x ?z)]]]",
            "[\"Ada\" \"Bob\"]",
        ),
    ] {
        let body = format!("{{:query {query} :args {args}}}");
        assert_eq!(door.found("/query", &body).await, expect, "{query}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_its_place() {
    let door = open().await;
    for (query, at) in [
        ("[:find ?x :where [?e :p/name ?n]]", "?x"),
        ("[:find ?n :where [?e :p/name ?n] [(nofunction ?n) ?y]]", "nofunction"),
        ("[:find ?n :where [?e :p/name ?n] (norule ?n)]", "norule"),
    ] {
        let body = format!("{{:limit 1 :query {query}}}");
        let refused = door.post("/query", EDN, JSON, &body).await;
        assert_eq!(refused.status, 400, "{query}: {refused:?}");
        let span = &refused.json()["error"]["span"];
        let place = |end: &str| usize::try_from(span[end].as_u64().unwrap()).unwrap();
        let told = body.get(place("start")..place("end")).unwrap();
        assert!(told.contains(at), "{query}: {told}: {refused:?}");
        // As a text, the place is a character of it.
        let text = json!({"query": query}).to_string();
        let position =
            door.post("/query", JSON, JSON, &text).await.json()["error"]["position"].as_u64();
        let start =
            query.char_indices().nth(usize::try_from(position.unwrap()).unwrap() - 1).unwrap().0;
        assert!(query[start..].contains(at), "{query}: {position:?}");
    }
    for (body, status, code) in [
        ("{}", 400, "22023"),
        ("{:query 7}", 400, "42601"),
        ("{:query [:find ?n :in $ ?n :where [_ :p/name ?n]]}", 400, "22023"),
        ("{:query [:find ?n :where [_ :p/name ?n]] :args [1]}", 400, "22023"),
        ("{:query [:find ?n :where [_ :p/name ?n]] :args 1}", 400, "22023"),
        ("{:query [:find ?n :where [_ :p/name ?n]] :limit -1}", 400, "22023"),
        ("{:query [:find ?n :where [_ :p/name ?n]] :limits 1}", 400, "22023"),
        ("{:query [:find ?n :where [_ :p/name ?n]] :as-of 4711}", 400, "22023"),
        (
            "{:query [:find ?n :in $ $b :where [$b _ :p/name ?n]] :args [{:db \"none\"}]}",
            404,
            "3D000",
        ),
        (
            "{:query [:find ?n :in $ $b :where [$b _ :p/name ?n]] :args [{:db \"x\" :asof 1}]}",
            400,
            "22023",
        ),
        ("{:query [:find ?n :in $ $b :where [$b _ :p/name ?n]] :args [{:db 7}]}", 400, "22023"),
    ] {
        let refused = door.post("/query", EDN, JSON, body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{body}: {refused:?}"
        );
    }
    assert_eq!(door.post("/query", EDN, "text/html", "{:query [:find 1]}").await.status, 406);
    assert_eq!(door.get("/query", JSON).await.status, 405);
    // An attribute that nothing has is no error; it is said.
    let body = "{:query [:find ?n :where [_ :p/nane ?n]]}";
    let answer = door.post("/query", EDN, JSON, body).await.json();
    assert_eq!(answer["result"], json!([]));
    let warnings = answer["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|w| w.as_str().unwrap().contains(":p/name")), "{answer}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_rows_and_time() {
    let door = people(Limits { rows: 1000, ..Limits::default() }).await;
    let ages: String = (0..40).map(|n| format!("{{:n/n {n}}}")).collect();
    assert_eq!(
        door.post("/transact", EDN, JSON, &format!("{{:tx-data [{ages}]}}")).await.status,
        200
    );
    let pairs = "[:find ?a ?b :where [_ :n/n ?a] [_ :n/n ?b]]";
    let paged = format!("{{:query {pairs} :limit 7}}");
    let answer = door.post("/query", EDN, JSON, &paged).await.json();
    assert_eq!(answer["result"].as_array().unwrap().len(), 7);
    let body = "{:query [:find [?a ...] :where [_ :n/n ?a] :order-by ?a] :limit 2 :offset 3}";
    assert_eq!(door.found("/query", body).await, "[3 4]");
    assert_eq!(door.found("/query", "{:query [:find ?a :where [_ :n/n ?a]] :limit 0}").await, "[]");

    // 1,600 rows where 1,000 are the most: no shorter answer, but one that says that it broke off.
    let all = format!("{{:query {pairs}}}");
    let answer = door.post("/query", EDN, JSON, &all).await.json();
    assert_eq!(answer["error"]["code"], json!("54000"), "{answer}");
    assert!(answer["result"].as_array().unwrap().len() <= 1000);
    assert!(!door.post("/query", EDN, CSV, &all).await.whole);

    let endless = "[:find (count ?a) . :with ?b ?c ?d ?e :where [_ :n/n ?a] [_ :n/n ?b] [_ :n/n ?c] [_ :n/n ?d] [_ :n/n ?e]]";
    let body = format!("{{:query {endless} :timeout 50}}");
    let started = std::time::Instant::now();
    let late = door.post("/query", EDN, JSON, &body).await;
    assert_eq!((late.status, late.code().as_str()), (503, "57014"));
    assert!(started.elapsed() < Duration::from_secs(20));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_explained() {
    let door = open().await;
    let body = "{:query [:find ?n :where [?e :p/age 26] [?e :p/name ?n]] :as-of 1003}";
    let answer = door.post("/explain", EDN, JSON, body).await.json();
    assert_eq!(answer["t"], json!(1003));
    let text = answer["explain"].as_str().unwrap();
    for stage in
        ["-- query", "-- resolved", "-- in join order", "-- logical", "-- physical", ":p/name"]
    {
        assert!(text.contains(stage), "{stage} in {text}");
    }
    assert_eq!(door.post("/explain", EDN, JSON, "{:query [:find]}").await.status, 400);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_what_if_is_asked() {
    let door = open().await;
    let tx_data = "[{:p/name \"Eve\" :p/age 7} {:p/name \"Bob\" :p/age 27}]";
    let ages = "[:find [?a ...] :where [_ :p/age ?a] :order-by ?a]";
    let body = format!("{{:tx-data {tx_data} :query {ages}}}");
    assert_eq!(door.found("/with", &body).await, "[7 27 36 50]");
    assert_eq!(door.post("/with", EDN, JSON, &body).await.json()["t"], json!(1005));
    // Beside the database as it is, and as it was.
    let was = "[:find ?was ?is :in $ $was :where [?e :p/name \"Bob\"] [?e :p/age ?is] [$was ?e :p/age ?was]]";
    let name = daodb_sqltests::engine::DATABASE;
    let body =
        format!("{{:tx-data {tx_data} :query {was} :args [{{:db \"{name}\" :as-of 1004}}]}}");
    assert_eq!(door.found("/with", &body).await, "[[26 27]]");
    // Nothing of it is there.
    assert_eq!(door.found("/query", &format!("{{:query {ages}}}")).await, "[26 36 50]");
    let both = format!("{{:tx-data {tx_data} :query {ages} :sql \"SELECT 1\"}}");
    assert_eq!(door.post("/with", EDN, JSON, &both).await.code(), "22023");
    // Nothing is read, so nothing says how.
    for (path, more) in [("/with?history=x", ""), ("/with?as-of=0", ""), ("/with", ":limit 1")] {
        let body = format!("{{:tx-data [] {more}}}");
        assert_eq!(door.post(path, EDN, JSON, &body).await.code(), "22023", "{path} {more}");
    }
    let wrong = format!("{{:tx-data {tx_data} :query [:find ?x :where [_ :p/age ?a]]}}");
    assert_eq!(door.post("/with", EDN, JSON, &wrong).await.status, 400);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_sql_are_sources() {
    let door = open().await;
    let joined =
        "[:find ?n ?k :in $ $s :where [$s ?a ?k] [?e :p/age ?a] [?e :p/name ?n] :order-by ?k]";
    for (source, expect) in [
        ("{:sql \"SELECT age, row_number() OVER (ORDER BY age) FROM person_ages\"}", "42P01"),
        (
            "{:sql \"SELECT age, row_number() OVER (ORDER BY age) FROM p WHERE age > $1\" :args [30]}",
            "[[\"Ada\" 1] [\"Cid\" 2]]",
        ),
        ("{:table \"p\" :columns [\"age\" \"_id\"]}", "[[\"Ada\" 42949"),
        ("{:table \"p\" :columns [\"age\" \"nothing\"]}", "42703"),
        ("{:table \"p\" :sql \"SELECT 1\"}", "22023"),
        ("{:sql \"SELECT 1; SELECT 2\"}", "22023"),
        ("{:sql \"SET x = 1\"}", "0A000"),
        ("{:sql \"SELECT $1\"}", "22023"),
        ("{:sql \"SELECT 36\"}", "42601"),
        ("{:sql \"SELECT DATE '2026-01-01', 1\"}", "0A000"),
        ("{:sql \"SELECT 36, 1\" :db \"nowhere\"}", "3D000"),
        ("{:sql \"SELECT 36, 1\" :when 1}", "22023"),
    ] {
        let body = format!("{{:query {joined} :args [{source}]}}");
        match expect.starts_with('[') {
            true => {
                let found = door.found("/query", &body).await;
                assert!(found.starts_with(expect), "{source}: {found}");
            }
            false => {
                let refused = door.post("/query", EDN, JSON, &body).await;
                assert_eq!(refused.code(), expect, "{source}: {refused:?}");
            }
        }
    }
    // The same snapshot as the request's, or its own.
    let ages = "[:find [?a ...] :in $s :where [$s ?a]]";
    for (times, own, expect) in [
        ("", "", "[26 36 50]"),
        (":as-of 1003", "", "[25 36 50]"),
        ("", ":as-of 1003", "[25 36 50]"),
        (":as-of 1003", ":as-of 1002", "[]"),
        ("", ":as-of 1002", "[]"),
    ] {
        let sql = format!("{{:sql \"SELECT age FROM p\" {own}}}");
        let body = format!("{{:query {ages} :args [{sql}] {times}}}");
        let answer = door.post("/query", EDN, EDN, &body).await;
        let found = edn::read(answer.text()).unwrap();
        let found = found.get(":result").and_then(|r| r.sequence());
        let found = found.unwrap_or_else(|| panic!("{body}: {answer:?}"));
        let mut found: Vec<i64> = found.iter().map(|n| n.to_string().parse().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(format!("{found:?}").replace(',', ""), expect, "{body}");
    }
    // In JSON, and in a database that is not there but in a what-if.
    let body = json!({"query": "[:find ?n . :in $s :where [$s ?n]]",
        "args": [{"sql": "SELECT name FROM p WHERE age = $1", "args": [26]}]});
    let answer = door.post("/query", JSON, JSON, &body.to_string()).await.json();
    assert_eq!(answer["result"], json!("Bob"));
    let body = "{:tx-data [{:p/name \"Bob\" :p/age 99}] :query [:find ?n . :in $ $s :where [$s ?n]] \
        :args [{:sql \"SELECT name FROM p WHERE age = 99\"}]}";
    assert_eq!(door.found("/with", body).await, "\"Bob\"");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_run_to_be_explained() {
    let door = open().await;
    let query = "[:find ?n :where [?e :p/name ?n] [?e :p/age ?a] [(< 30 ?a)]]";
    let body = format!("{{:query {query} :analyze true}}");
    let answer = door.post("/explain", EDN, JSON, &body).await.json();
    let text = answer["explain"].as_str().unwrap();
    let scan = text.lines().find(|line| line.contains("StarScan")).unwrap_or_default();
    assert!(scan.contains("-> about ") && scan.contains(" 2 came"), "{text}");
    assert!(text.contains(", 2 rows in "), "{text}");
    let wrong = door.post("/explain", EDN, JSON, &format!("{{:query {query} :analyze 1}}")).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let endless = "{:query [:find (max ?x) . :in $ % :where (number ?x)] :analyze true :timeout 500 \
        :args [[[(number ?x) [(ground 0) ?x]] [(number ?x) (number ?y) [(inc ?y) ?x]]]]}";
    let refused = door.post("/explain", EDN, JSON, endless).await.code();
    assert!(["57014", "54001"].contains(&refused.as_str()), "{refused}");
    door.close().await;
}

/// Everything with everything, and a recursion without an end: each ends in an error, and others are served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_queries_end_and_others_are_served() {
    let door = open().await;
    let many: String = (0..300).map(|n| format!("{{:n/n {n}}}")).collect();
    let done = door.post("/transact", EDN, JSON, &format!("{{:tx-data [{many}]}}")).await;
    assert_eq!(done.status, 200);
    let product = "[:find (count ?a) . :with ?b ?c ?d :where [_ :n/n ?a] [_ :n/n ?b] [_ :n/n ?c] [_ :n/n ?d]]";
    let endless = "[:find (max ?x) . :in $ % :where (number ?x)]";
    let rules = "[[[(number ?x) [(ground 0) ?x]] [(number ?x) (number ?y) [(inc ?y) ?x]]]]";
    let hostile = [
        format!("{{:query {product} :timeout 1500}}"),
        format!("{{:query {endless} :args {rules} :timeout 1500}}"),
    ];
    let asked = (0..4).map(|i| {
        let (door, body) = (&door, &hostile[i % hostile.len()]);
        async move {
            let refused = door.post("/query", EDN, JSON, body).await;
            let code = refused.code();
            assert!(
                ["53200", "54000", "54001", "57014"].contains(&code.as_str()),
                "{body}: {refused:?}"
            );
        }
    });
    let served = async {
        for _ in 0..10 {
            let started = std::time::Instant::now();
            let rows = door.rows("{\"sql\": \"SELECT n FROM item\"}").await;
            assert_eq!(rows, json!([[2]]));
            assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let started = std::time::Instant::now();
    futures::join!(futures::future::join_all(asked), served);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    door.close().await;
}
