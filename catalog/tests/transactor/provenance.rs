//! Who wrote, and calls that are made again.

use super::*;
use daodb_catalog::{Provenance, Transaction};

fn call(key: &str, ops: Vec<Op>) -> Transaction {
    Transaction { key: Some(key.into()), ..ops.into() }
}

fn person(name: &str) -> Vec<Op> {
    vec![map(Some(temp("a")), [(":p/name", value(name))]), map(None, [(":p/n", value(1))])]
}

#[tokio::test]
async fn a_transaction_tells_who_made_it() {
    let (_catalog, database) = database().await;
    let provenance = Provenance {
        author: Some("ada".into()),
        client: Some("127.0.0.1".into()),
        reason: Some("a typo".into()),
    };
    let names = async || -> Vec<String> {
        let tables = database.tables(&database.snapshot()).await.unwrap();
        tables.iter().map(|table| table.name.clone()).collect()
    };
    run(&database, person("y")).await;
    assert_eq!(names().await, ["p"]);
    let transaction = Transaction { provenance, ..person("x").into() };
    let report = database.transact(transaction).await.unwrap();
    assert_eq!(names().await, ["p", "tx"]);
    let t = report.t;
    for (a, v) in [(":tx/author", "ada"), (":tx/client", "127.0.0.1"), (":tx/reason", "a typo")] {
        assert_eq!(facts(&database, a).await, [format!("{t} \"{v}\"")]);
    }
    // Nobody writes under another name than the door says.
    let other = add(EntityRef::Tx, ":tx/author", value("eve"));
    let provenance = Provenance { author: Some("ada".into()), ..Provenance::default() };
    let forged = Transaction { provenance, ..vec![other].into() };
    let e = database.transact(forged).await.err().unwrap();
    assert_eq!(e.state, SqlState::CARDINALITY_VIOLATION);
    let ops = vec![declare(":tx/author", &["ref"])];
    refuse(&database, ops, SqlState::RESERVED_NAME, "the database's own").await;
}

/// All that a report says.
fn all(report: &TxReport) -> impl Clone + PartialEq + std::fmt::Debug + use<> {
    let tempids: Vec<_> = report.tempids.iter().map(|(name, e)| (name.to_string(), *e)).collect();
    let datoms: Vec<_> = report.datoms.iter().map(ToString::to_string).collect();
    let (before, after) = (report.db_before.t(), report.db_after.t());
    (report.t, report.instant, report.hash, datoms, tempids, before, after)
}

#[tokio::test]
async fn a_call_that_is_made_again_is_the_same_transaction() {
    let (_catalog, database) = database().await;
    let first = database.transact(call("k", person("x"))).await.unwrap();
    let next = database.transact(person("between")).await.unwrap();
    // Whatever it says the second time.
    let again = database.transact(call("k", person("y"))).await.unwrap();
    assert_eq!(all(&again), all(&first));
    assert!(again.tempids.contains_key("a"));
    assert_eq!(database.snapshot().newest().t, next.t);
    let other = database.transact(call("other", person("z"))).await.unwrap();
    assert_eq!(other.t, next.t + 1);
}

#[tokio::test]
async fn two_at_the_same_time_are_one() {
    let (_catalog, database) = database().await;
    let (x, y, other) = futures::join!(
        database.transact(call("k", person("x"))),
        database.transact(call("k", person("x"))),
        database.transact(person("z")),
    );
    let (x, y) = (x.unwrap(), y.unwrap());
    assert_eq!(all(&x), all(&y));
    assert_eq!(other.unwrap().t, x.t + 1);
}

#[tokio::test]
async fn a_refused_call_leaves_no_key() {
    let (_catalog, database) = database().await;
    let wrong = call("k", vec![add(EntityRef::Id(1 << 40), ":p/n", value(1))]);
    assert!(database.transact(wrong).await.is_err());
    let done = database.transact(call("k", person("x"))).await.unwrap();
    assert_eq!(done.t, 1000);
}

#[tokio::test]
async fn keys_are_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = None;
    for round in 0..3 {
        let catalog = Catalog::open_folder(folder.path(), options(1000)).await.unwrap();
        let database = match round {
            0 => catalog.create("test").await.unwrap(),
            _ => catalog.database("test").await.unwrap(),
        };
        let report = database.transact(call("k", person("x"))).await.unwrap();
        let said = all(&report);
        assert_eq!(*first.get_or_insert(said.clone()), said, "round {round}");
        if round == 1 {
            database.stream().index_now().await.unwrap();
        }
        drop((report, database));
        catalog.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_what_if_takes_what_a_transaction_takes() {
    let (_catalog, database) = database().await;
    let provenance = Provenance { reason: Some("to see".into()), ..Provenance::default() };
    let transaction = Transaction { provenance, ..person("x").into() };
    let report = database.with(&database.snapshot(), transaction).await.unwrap();
    let said = report.datoms.iter().filter(|d| d.a.as_str() == ":tx/reason");
    assert_eq!(said.map(|d| d.e).collect::<Vec<_>>(), [report.t]);
    assert_eq!(facts(&database, ":tx/reason").await, [""; 0]);
}
