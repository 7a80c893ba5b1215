//! Reading without a query: [`daodb_datalog::access`].

use crate::support::{World, parse};
use daodb_catalog::Result;
use daodb_datalog::access::{
    Index, Page, datoms, entid, entity, ident, index_range, pull_many, seek_datoms, tx_range,
};
use daodb_datalog::edn::{Form, Node};
use daodb_datalog::{Answer, At};

const DATA: [&str; 3] = [
    "[{:db/ident :p/name :db/valueType :db.type/string :db/unique :db.unique/identity}
      {:db/ident :p/age :db/valueType :db.type/long}
      {:db/ident :p/boss :db/valueType :db.type/ref}]",
    "[{:db/id \"a\" :p/name \"Ada\" :p/age 36} {:db/id \"b\" :p/name \"Bob\" :p/age 25 :p/boss \"a\"}
      {:db/id \"c\" :p/name \"Cid\" :p/age 50 :p/boss \"a\"}]",
    "[{:db/id [:p/name \"Bob\"] :p/age 26}]",
];

async fn world() -> World {
    let world = World::new(10_000).await;
    for transaction in DATA {
        world.transact(&parse(transaction)).await.unwrap();
    }
    world
}

/// Entities are shown by their distance from the first person's, so that the answers can be read.
async fn rows(world: &World, answer: Result<Answer>) -> Vec<String> {
    let first = entid(&world.at(None), &parse("[:p/name \"Ada\"]")).await.unwrap().unwrap();
    let mut answer = answer.unwrap();
    let mut out = Vec::new();
    while let Some(rows) = answer.rows().await.unwrap() {
        for row in rows {
            let shown = row.iter().map(|f| match f {
                Form::Value(daodb_storage::Value::Long(n)) if *n >= first => {
                    format!("e{}", n - first)
                }
                f => f.to_string(),
            });
            out.push(shown.collect::<Vec<_>>().join(" "));
        }
    }
    out
}

fn nodes(text: &str) -> Vec<Node> {
    parse(text).sequence().unwrap().to_vec()
}

#[tokio::test]
async fn datoms_in_the_order_of_an_index() {
    let world = world().await;
    let at = world.at(None);
    let check = async |index, components: &str, expect: &[&str]| {
        let components = nodes(components);
        let answer = datoms(&world.catalog, &at, index, &components, Page::default()).await;
        assert_eq!(rows(&world, answer).await, expect, "{index:?} {components:?}");
    };
    check(
        Index::Aevt,
        "[:p/age]",
        &["e0 :p/age 36 1001 1 true", "e1 :p/age 26 1002 1 true", "e2 :p/age 50 1001 1 true"],
    )
    .await;
    check(
        Index::Avet,
        "[:p/age]",
        &["e1 :p/age 26 1002 1 true", "e0 :p/age 36 1001 1 true", "e2 :p/age 50 1001 1 true"],
    )
    .await;
    check(
        Index::Eavt,
        "[[:p/name \"Bob\"]]",
        &[
            "e1 :p/name \"Bob\" 1001 1 true",
            "e1 :p/age 26 1002 1 true",
            "e1 :p/boss e0 1001 1 true",
        ],
    )
    .await;
    check(Index::Eavt, "[[:p/name \"Bob\"] :p/age]", &["e1 :p/age 26 1002 1 true"]).await;
    let ada = entid(&at, &parse("[:p/name \"Ada\"]")).await.unwrap().unwrap();
    for named in [format!("[{ada}]"), "[[:p/name \"Ada\"]]".to_owned()] {
        let expect = ["e1 :p/boss e0 1001 1 true", "e2 :p/boss e0 1001 1 true"];
        check(Index::Vaet, &named, &expect).await;
    }
    check(
        Index::Vaet,
        "[[:p/name \"Ada\"] :p/boss [:p/name \"Cid\"]]",
        &["e2 :p/boss e0 1001 1 true"],
    )
    .await;
}

#[tokio::test]
async fn from_components_on_and_between_values() {
    let world = world().await;
    let at = world.at(None);
    let page = Page { limit: Some(2), offset: None };
    let from = nodes("[:p/age 30]");
    let answer = seek_datoms(&world.catalog, &at, Index::Avet, &from, page).await;
    let expect = ["e0 :p/age 36 1001 1 true", "e2 :p/age 50 1001 1 true"];
    assert_eq!(rows(&world, answer).await, expect);
    let (a, start, end) = (parse(":p/age"), parse("26"), parse("50"));
    let answer =
        index_range(&world.catalog, &at, &a, Some(&start), Some(&end), Page::default()).await;
    let expect = ["e1 :p/age 26 1002 1 true", "e0 :p/age 36 1001 1 true"];
    assert_eq!(rows(&world, answer).await, expect);
}

#[tokio::test]
async fn what_transactions_said() {
    let world = world().await;
    let at = world.at(None);
    let answer = tx_range(&world.catalog, &at, Some(1002), Some(1003), Page::default()).await;
    let all = rows(&world, answer).await;
    let of_people: Vec<&String> = all.iter().filter(|r| r.contains(":p/")).collect();
    assert_eq!(of_people, ["e1 :p/age 25 1002 0 false", "e1 :p/age 26 1002 1 true"]);
    assert!(all.iter().any(|r| r.starts_with("1002 :db/txInstant")), "{all:?}");
    assert_eq!(all.len(), 3, "{all:?}");
}

#[tokio::test]
async fn entities_and_pulls() {
    let world = world().await;
    let at: At = world.at(None);
    let e = entid(&at, &parse(":p/age")).await.unwrap().unwrap();
    assert_eq!(ident(&at, e).await.unwrap().unwrap().as_str(), ":p/age");
    assert_eq!(entid(&at, &parse("[:p/name \"No\"]")).await.unwrap(), None);
    let names = nodes("[[:p/name \"Bob\"] [:p/name \"No\"] [:p/name \"Cid\"]]");
    let pulled = pull_many(&at, &parse("[:p/name {:p/boss [:p/name]}]"), &names).await.unwrap();
    let shown: Vec<String> = pulled.iter().map(Form::to_string).collect();
    let expect = [
        "{:p/name \"Bob\", :p/boss {:p/name \"Ada\"}}",
        "nil",
        "{:p/name \"Cid\", :p/boss {:p/name \"Ada\"}}",
    ];
    assert_eq!(shown, expect);
    let then = world.at(Some(&parse("{:as-of 1001}")));
    let bob = entity(&then, &parse("[:p/name \"Bob\"]")).await.unwrap();
    assert!(bob.to_string().contains(":p/age 25"), "{bob}");
    let wrong = pull_many(&at, &parse("[5]"), &names).await.unwrap_err();
    assert!(wrong.message.contains("no attribute"), "{wrong}");
}
