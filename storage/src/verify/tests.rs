//! An index that is whole by its checksums and wrong all the same is found by comparing it with the log.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::index::cache::Cache;
use crate::index::root::{self, Root};
use crate::index::run;
use crate::index::segment::Files;
use crate::{Attr, Datom, FIRST_ENTITY, NewTransaction, StreamOptions, Value};
use std::sync::Arc;

fn options() -> StreamOptions {
    StreamOptions::new(100_000, 1 << 20, Arc::new(|| 0))
}

fn age(t: i64, e: i64, v: i64, added: bool) -> Datom {
    let e = FIRST_ENTITY + e;
    Datom { e, a: Attr::new(":p/age"), v: Value::Long(v), t, m: i64::from(added), added }
}

/// Two runs over 200 entities. In the first transaction `odd` has another age; `twice` is asserted once more.
async fn history(store: &Store, odd: Option<i64>, twice: bool) {
    let marker = Marker { id: Uuid::from_u128(1) };
    store.create(&"db/database.json".into(), marker.to_json().unwrap()).await.unwrap();
    let prefix = Path::from("db/streams/0");
    let stream = crate::Stream::create(store.clone(), prefix, options()).await.unwrap();
    let value = |e: i64| if Some(e) == odd { -1 } else { e * 2 };
    let first = (0..200).map(|e| age(1000, e, value(e), true)).collect();
    stream.append(vec![NewTransaction { instant: 1, datoms: first }]).await.unwrap();
    stream.keep_by_value([Attr::new(":p/age")]);
    stream.index_now().await.unwrap();
    let changed = |e: i64| [age(1001, e, value(e), false), age(1001, e, e * 2 + 1, true)];
    let mut second: Vec<Datom> = (0..200).step_by(3).flat_map(changed).collect();
    if twice {
        second.extend((1..200).step_by(3).map(|e| age(1001, e, value(e), true)));
        second.extend((1..200).step_by(3).map(|e| age(1001, e, 777, false)));
    }
    stream.append(vec![NewTransaction { instant: 2, datoms: second }]).await.unwrap();
    stream.index_now().await.unwrap();
    stream.append(vec![NewTransaction { instant: 3, datoms: vec![] }]).await.unwrap();
    stream.close().await.unwrap();
}

async fn verified(store: &Store) -> VerifyReport {
    verify(store, "db", VerifyOptions { deep: true }, &mut |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_whole_database_has_no_faults() {
    for twice in [false, true] {
        let store = Store::memory();
        history(&store, None, twice).await;
        let report = verified(&store).await;
        assert_eq!(report.faults, []);
        assert!(report.compared && report.notes.is_empty(), "{:?}", report.notes);
        assert_eq!((report.head.t, report.transactions), (1002, 3));
        assert!(report.segments.objects >= 5, "{:?}", report.segments);
    }
}

/// Puts the index of `from` over the log of `to`, as if it had been made of it.
async fn graft(from: &Store, to: &Store) {
    let files =
        |store: &Store| Arc::new(Files::new(store.clone(), "db/streams/0".into(), Cache::new(0)));
    let (theirs, ours) = (files(from), files(to));
    let (their_root, _) = root::newest(&theirs, &[]).await.unwrap();
    let (our_root, highest) = root::newest(&ours, &[]).await.unwrap();
    for run in &their_root.runs {
        let path = run::path(&theirs.prefix, run.name.name);
        to.create(&path, from.read(&path).await.unwrap()).await.unwrap();
    }
    for segment in their_root.runs.iter().flat_map(|r| &r.segments) {
        let bytes = from.read(segment.path()).await.unwrap();
        to.create(segment.path(), bytes).await.unwrap();
    }
    let forged = Root { n: highest + 1, basis: our_root.basis, ..their_root };
    assert!(root::write(&ours, "0", &forged).await.unwrap());
}

#[tokio::test]
async fn an_index_of_other_facts_is_found_and_the_first_of_them_named() {
    let (store, other) = (Store::memory(), Store::memory());
    history(&store, None, true).await;
    history(&other, Some(100), true).await;
    graft(&other, &store).await;
    let report = verified(&store).await;
    let [fault] = report.faults.as_slice() else { unreachable!("{:?}", report.faults) };
    let e = FIRST_ENTITY + 100;
    assert!(fault.what.contains(&format!("the index holds [{e} :p/age -1 1000 1]")), "{fault}");
    assert!(matches!(fault.reach, Reach::Index { .. }));
    let shallow = verify(&store, "db", VerifyOptions::default(), &mut |_| {}).await.unwrap();
    assert_eq!(shallow.faults, [], "that takes a comparison with the log");
}

#[tokio::test]
async fn an_index_that_lacks_a_run_is_found() {
    let (store, other) = (Store::memory(), Store::memory());
    history(&store, None, false).await;
    history(&other, None, false).await;
    let files = Arc::new(Files::new(other.clone(), "db/streams/0".into(), Cache::new(0)));
    let (mut root, highest) = root::newest(&files, &[]).await.unwrap();
    root.n = highest + 1;
    root.runs.remove(0);
    assert!(root::write(&files, "0", &root).await.unwrap());
    graft(&other, &store).await;
    // Statistics tell already that facts are missing.
    let report = verified(&store).await;
    assert!(report.faults.iter().any(|f| f.what.contains("statistics")), "{:?}", report.faults);
}
