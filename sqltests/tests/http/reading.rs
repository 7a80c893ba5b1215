//! Reading without a query: pulls, entities, datoms by their indexes, ranges of transactions.

use super::query::{CSV, open};
use super::support::{EDN, JSON};
use daodb_datalog::edn;
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread")]
async fn entities_are_pulled() {
    let door = open().await;
    let bob = "[:p/name \"Bob\"]";
    let body = format!("{{:selector [:p/age {{:p/boss [:p/name]}}] :eid {bob}}}");
    assert_eq!(door.found("/pull", &body).await, "{:p/age 26, :p/boss {:p/name \"Ada\"}}");
    let body = format!("{{:selector [:p/age] :eids [{bob} [:p/name \"Nobody\"]] :as-of 1003}}");
    assert_eq!(door.found("/pull", &body).await, "[{:p/age 25} nil]");
    let json = json!({"selector": [":p/age"], "eid": [":p/name", "Bob"]}).to_string();
    assert_eq!(door.post("/pull", JSON, JSON, &json).await.json()["result"], json!({":p/age": 26}));
    for (body, at) in [
        ("{:selector [5] :eid 1}", Some("[5]")),
        ("{:selector [*]}", None),
        ("{:selector [*] :eid 1 :eids [2]}", Some("[2]")),
        ("{:selector [*] :eids 2}", Some("2")),
        ("{:eid 2}", None),
    ] {
        let refused = door.post("/pull", EDN, JSON, body).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
        let span = &refused.json()["error"]["span"];
        let place = |end: &str| usize::try_from(span[end].as_u64().unwrap()).unwrap();
        let told = body.get(place("start")..place("end")).unwrap();
        assert_eq!(told, at.unwrap_or(body), "{body}");
    }

    // All of one, by each of its names.
    let all = door.get("/entity/[:p%2Fname%20%22Bob%22]", EDN).await;
    let read = edn::read(all.text()).unwrap();
    let result = read.get(":result").unwrap();
    assert_eq!(result.get(":p/age").unwrap().to_string(), "26", "{read}");
    let id = result.get(":db/id").unwrap().to_string();
    let by_id = door.get(&format!("/entity/{id}?as-of=1003"), JSON).await.json();
    assert_eq!((&by_id["t"], &by_id["result"][":p/age"]), (&json!(1003), &json!(25)));
    let ident = door.get("/entity/:p%2Fname", JSON).await.json();
    assert_eq!(ident["result"][":db/ident"], json!(":p/name"), "{ident}");
    for (path, status) in [
        ("/entity/[:p%2Fname%20%22Nobody%22]", 404),
        ("/entity/4999999999", 404),
        (&format!("/entity/{id}?as-of=1002"), 404),
        ("/entity/[", 400),
        ("/entity/1?asof=2", 400),
        ("/entity/1?as-of=1003&as-of=1002", 400),
    ] {
        let refused = door.get(path, JSON).await;
        assert_eq!(refused.status, status, "{path}: {refused:?}");
        refused.code();
    }
    door.close().await;
}

/// The values of a column of rows.
fn column(answer: &Json, name: &str) -> Vec<Json> {
    let columns = answer["columns"].as_array().unwrap();
    let at = columns.iter().position(|c| c["name"] == json!(name)).unwrap();
    answer["result"].as_array().unwrap().iter().map(|row| row[at].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn datoms_by_their_indexes() {
    let door = open().await;
    for (body, expect) in [
        ("{:index :avet :components [:p/age]}", vec![26, 36, 50]),
        ("{:index :avet :components [:p/age] :limit 1 :offset 1}", vec![36]),
        ("{:index :avet :components [:p/age] :as-of 1003}", vec![25, 36, 50]),
        ("{:index :avet :components [:p/age 36]}", vec![36]),
        ("{:index :avet :components [:p/age 30] :seek true :limit 2}", vec![36, 50]),
        ("{:attrid :p/age :start 26 :end 50}", vec![26, 36]),
        ("{:attrid :p/age :start 30}", vec![36, 50]),
        ("{:index \"eavt\" :components [[:p/name \"Ada\"] :p/age]}", vec![36]),
    ] {
        let answer = door.post("/datoms", EDN, JSON, body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        let values: Vec<i64> =
            column(&answer.json(), "v").iter().map(|v| v.as_i64().unwrap()).collect();
        assert_eq!(values, expect, "{body}");
    }
    let csv = door.post("/datoms", EDN, CSV, "{:index :aevt :components [:p/tag]}").await;
    let lines: Vec<&str> = csv.text().lines().collect();
    assert_eq!((lines[0], lines.len()), ("e,a,v,t,m,added", 2), "{csv:?}");
    assert!(lines[1].ends_with(",:p/tag,:red,1003,1,true"), "{csv:?}");
    for (body, at) in [
        ("{:index :vate}", ":vate"),
        ("{:index :aevt :components 7}", "7"),
        ("{:index :aevt :start 7}", "7"),
        ("{:attrid :p/age :seek true}", "true"),
        ("{}", "{}"),
    ] {
        let refused = door.post("/datoms", EDN, JSON, body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "22023"),
            "{body}: {refused:?}"
        );
        let span = &refused.json()["error"]["span"];
        let place = |end: &str| usize::try_from(span[end].as_u64().unwrap()).unwrap();
        assert_eq!(body.get(place("start")..place("end")), Some(at), "{body}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_transactions() {
    let door = open().await;
    let range = async |query: &str| door.get(&format!("/tx-range{query}"), JSON).await;
    let changed = range("?start=1004").await.json();
    let of_age: Vec<Json> = changed["result"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row[1] == json!(":p/age"))
        .cloned()
        .collect();
    let said: Vec<(&Json, &Json)> = of_age.iter().map(|row| (&row[2], &row[5])).collect();
    assert_eq!(said, [(&json!(25), &json!(false)), (&json!(26), &json!(true))], "{changed}");
    let ts = |answer: &Json| {
        let mut ts: Vec<i64> = column(answer, "t").iter().map(|t| t.as_i64().unwrap()).collect();
        ts.dedup();
        ts
    };
    assert_eq!(ts(&range("?start=1001&end=1003").await.json()), [1001, 1002]);
    assert_eq!(ts(&range("?start=2026-01-15&end=2026-02-15").await.json()), [1001]);
    // An instant that is one of a transaction: from it on, and before it.
    assert_eq!(ts(&range("?start=2026-02-01&limit=1").await.json()), [1001]);
    assert_eq!(ts(&range("?end=2026-02-01").await.json()), [1000]);
    assert_eq!(range("?from=1").await.status, 400);
    assert_eq!(range("?limit=-1").await.status, 400);
    assert_eq!(range("?start=soon").await.status, 400);
    door.close().await;
}
