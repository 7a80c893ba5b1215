//! Catalogs in folders and in memory, points in time, and groups.

use super::*;
use daodb_catalog::basis::Moment;
use futures::future::join_all;

#[tokio::test]
async fn databases_are_made_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open_folder(dir.path(), options(1000)).await.unwrap();
    assert_eq!(catalog.names(), [""; 0]);
    let music = catalog.create("music").await.unwrap();
    let report = run(&music, vec![map(None, [(":p/n", value(1))])]).await;
    // A snapshot holds its folder open, and a report has two.
    let (t, hash) = (report.t, report.hash);
    drop(report);
    assert_eq!(catalog.create("music").await.err().unwrap().state, SqlState::DUPLICATE_DATABASE);
    assert_eq!(catalog.create("a/b").await.err().unwrap().state, SqlState::INVALID_NAME);
    let e = catalog.database("musik").await.err().unwrap();
    assert_eq!((e.state, e.hint.as_deref()), (SqlState::UNDEFINED_DATABASE, Some("perhaps music")));
    catalog.create("other").await.unwrap();
    catalog.close().await.unwrap();
    let e = music.transact(vec![]).await.err().unwrap();
    assert_eq!(e.state, SqlState::SHUTTING_DOWN);
    drop((catalog, music));

    let catalog = Catalog::open_folder(dir.path(), options(1000)).await.unwrap();
    assert_eq!(catalog.names(), ["music", "other"]);
    let music = catalog.database("music").await.unwrap();
    assert_eq!(music.snapshot().newest().hash, hash);
    assert_eq!(facts(&music, ":p/n").await.len(), 1);
    let next = run(&music, vec![map(None, [(":p/n", value(1))])]).await;
    assert_eq!(next.t, t + 1);
    assert_eq!(facts(&music, ":p/n").await.len(), 2);
}

#[tokio::test]
async fn moments() {
    let (_catalog, database) = database().await;
    let check = |text: &'static str, expect: Result<i64, &'static str>| {
        let database = Arc::clone(&database);
        async move {
            let now = EPOCH + 3_600_000_000;
            let moment = Moment::parse(text).unwrap();
            match (moment.resolve(&database.snapshot(), now).await, expect) {
                (Ok(t), Ok(expect)) => assert_eq!(t, expect, "{text}"),
                (Err(e), Err(why)) => {
                    assert_eq!(e.state, SqlState::INVALID_PARAMETER_VALUE);
                    assert!(e.to_string().contains(why), "{e}");
                }
                (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
            }
        }
    };
    check("1000", Err("there is no transaction yet")).await;
    check("2025-01-01", Ok(999)).await;
    for _ in 0..3 {
        run(&database, vec![]).await;
    }
    check("0", Ok(999)).await;
    check("1001", Ok(1001)).await;
    check("1003", Err("the newest is 1002")).await;
    check("-5", Err("no transaction -5")).await;
    check("2025-12-31 23:59:59", Ok(999)).await;
    check("2026-01-01", Ok(1000)).await;
    check("2026-01-01 00:00:01.5", Ok(1001)).await;
    check("2026-01-01 00:30", Ok(1002)).await;
    check("2027-01-01", Err("yet to come")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_calls_are_prepared_one_after_the_other() {
    let (_catalog, database) = database().await;
    run(&database, vec![declare(":p/email", &["identity"]), declare(":p/n", &["long"])]).await;
    // Each finds what the one before wrote, though none is durable by then.
    let calls = (0..500).map(|i| {
        database.transact(vec![map(
            Some(temp("x")),
            [(":p/email", value(&*format!("{}", i % 7))), (":p/n", value(i))],
        )])
    });
    let reports = join_all(calls).await;
    for (i, report) in reports.iter().enumerate() {
        let report = report.as_ref().unwrap();
        assert_eq!(report.t, 1001 + i as i64);
        assert_eq!(report.tempids["x"], reports[i % 7].as_ref().unwrap().tempids["x"]);
        assert_eq!(datoms(report).len(), 2, "{i}");
        assert_eq!(report.db_after.t(), report.t);
    }
    assert_eq!(facts(&database, ":p/n").await.len(), 7);
}
