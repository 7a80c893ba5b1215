//! Backups: the same history, whole objects, never another history over this one; and what was stopped goes on.

use crate::faults::{FAULTS, Fault, Faulty};
use crate::run;
use daodb_storage::backup::{BackupOptions, backup, restore};
use daodb_storage::marker::Marker;
use daodb_storage::verify::{VerifyOptions, verify};
use daodb_storage::{
    Attr, Datom, Error, ErrorKind, FIRST_ENTITY, Fact, NewTransaction, Store, Stream,
    StreamOptions, Value,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::sync::Arc;

const STREAM: &str = "db/streams/0";

fn options() -> StreamOptions {
    StreamOptions::new(100_000, 1 << 20, Arc::new(|| 0))
}

async fn mark(store: &Store, id: u128) {
    let marker = Marker { id: uuid::Uuid::from_u128(id) }.to_json().unwrap();
    store.create(&"db/database.json".into(), marker).await.unwrap();
}

/// Further transactions, one object each, and all in the index.
async fn write(store: &Store, transactions: i64, salt: i64) {
    let stream = Stream::open(store.clone(), STREAM.into(), options()).await.unwrap();
    for _ in 0..transactions {
        let t = stream.snapshot().newest().t + 1;
        let datom = |i: i64| {
            let (e, v) = (FIRST_ENTITY + t * 10 + i, Value::Long(t * salt));
            Datom { e, a: Attr::new(":p/age"), v, t, m: 1, added: true }
        };
        let datoms = (0..5).map(datom).collect();
        stream.append(vec![NewTransaction { instant: t, datoms }]).await.unwrap();
    }
    stream.index_now().await.unwrap();
    stream.close().await.unwrap();
}

async fn facts(store: &Store) -> Vec<Fact> {
    let stream = Stream::open(store.clone(), STREAM.into(), options()).await.unwrap();
    let facts = stream.snapshot().history().all(&Attr::new(":p/age")).await.unwrap();
    stream.close().await.unwrap();
    facts
}

async fn save(from: &Store, to: &Store, with_index: bool) -> Result<(u64, u64, bool), Error> {
    let options = BackupOptions { with_index, now: 7 };
    let saved = backup(from, to, "db", options, &mut |_| {}).await?;
    Ok((saved.n, saved.copied.new.objects, saved.is_old))
}

async fn names(store: &Store) -> Vec<String> {
    let all = store.list(&Path::default()).await.unwrap();
    all.into_iter().map(|o| format!("{} {}", o.location, o.size)).collect()
}

async fn without_faults(store: &Store) {
    let report = verify(store, "db", VerifyOptions { deep: true }, &mut |_| {}).await.unwrap();
    assert_eq!(report.faults, []);
}

async fn database() -> Store {
    let store = Store::memory();
    mark(&store, 1).await;
    write(&store, 5, 1).await;
    store
}

#[test]
fn there_and_back() {
    run(async {
        for with_index in [false, true] {
            let (store, copy, back) = (database().await, Store::memory(), Store::memory());
            let (n, copied, _) = save(&store, &copy, with_index).await.unwrap();
            assert_eq!(n, 1);
            assert!(copied >= if with_index { 7 } else { 5 }, "{copied}");
            without_faults(&copy).await;
            let restored = restore(&copy, &back, "db", &mut |_| {}).await.unwrap();
            assert_eq!((restored.n, restored.head.t), (1, 1004));
            assert_eq!(restored.has_index, with_index);
            without_faults(&back).await;
            assert_eq!(facts(&back).await, facts(&store).await);
            // What was restored is the database: it can be backed up and written on.
            assert_eq!(save(&back, &copy, false).await.unwrap().1, 0);
            write(&back, 1, 1).await;
            assert_eq!(save(&back, &copy, false).await.unwrap().1, 1);
            let again = restore(&copy, &store, "db", &mut |_| {}).await.unwrap();
            assert_eq!(again.head.t, 1005, "the older one takes what is new");
            without_faults(&store).await;
        }
    });
}

#[test]
fn only_what_is_new_is_copied() {
    run(async {
        let (store, copy) = (database().await, Store::memory());
        assert_eq!(save(&store, &copy, false).await.unwrap(), (1, 5, false));
        assert_eq!(save(&store, &copy, false).await.unwrap(), (1, 0, true));
        write(&store, 2, 1).await;
        assert_eq!(save(&store, &copy, false).await.unwrap(), (2, 2, false));
        let (n, copied, is_old) = save(&store, &copy, true).await.unwrap();
        assert!(n == 3 && copied >= 2 && !is_old, "the index: {copied}");
        assert_eq!(save(&store, &copy, true).await.unwrap(), (3, 0, true));
    });
}

#[test]
fn damaged_objects_are_named_and_not_copied() {
    run(async {
        let store = database().await;
        for meta in store.list(&Path::default()).await.unwrap() {
            let path = meta.location;
            let whole = store.read(&path).await.unwrap();
            let mut hurt = whole.to_vec();
            hurt[whole.len() / 2] ^= 1;
            store.replace(&path, hurt).await.unwrap();
            let copy = Store::memory();
            let error = save(&store, &copy, true).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Data, "{error}");
            assert!(error.message.contains(path.as_ref()), "{error}");
            let copied = copy.list(&Path::default()).await.unwrap();
            assert!(copied.iter().all(|o| o.location != path), "{path} was copied");
            store.replace(&path, whole).await.unwrap();
        }
        let copy = Store::memory();
        save(&store, &copy, true).await.unwrap();
        for meta in copy.list(&Path::default()).await.unwrap() {
            let path = meta.location;
            let whole = copy.read(&path).await.unwrap();
            let mut hurt = whole.to_vec();
            hurt[whole.len() / 2] ^= 1;
            copy.replace(&path, hurt).await.unwrap();
            let back = Store::memory();
            let error = restore(&copy, &back, "db", &mut |_| {}).await.unwrap_err();
            assert!(error.message.contains(path.as_ref()), "{error}");
            let restored = names(&back).await;
            assert!(!restored.iter().any(|n| n.contains("database.json")), "{restored:?}");
            copy.replace(&path, whole).await.unwrap();
        }
    });
}

#[test]
fn another_history_is_never_overwritten() {
    run(async {
        let (store, early, copy) = (Store::memory(), Store::memory(), Store::memory());
        mark(&store, 1).await;
        write(&store, 2, 1).await;
        save(&store, &early, false).await.unwrap();
        write(&store, 3, 1).await;
        save(&store, &copy, true).await.unwrap();
        // Another database of the same name.
        let other = Store::memory();
        mark(&other, 2).await;
        write(&other, 3, 1).await;
        // The same database, restored from an early copy and then written on apart.
        let branch = Store::memory();
        restore(&early, &branch, "db", &mut |_| {}).await.unwrap();
        write(&branch, 2, 9).await;
        // One that has written more than the copy holds, and of other things from the first on.
        let longer = Store::memory();
        mark(&longer, 1).await;
        write(&longer, 9, 5).await;
        for there in [&other, &branch, &longer] {
            let before = names(there).await;
            let error = restore(&copy, there, "db", &mut |_| {}).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::User, "{error}");
            assert!(error.hint.is_some());
            assert_eq!(names(there).await, before);
            // Nor is a backup of the one put over that of the other.
            let error = save(there, &copy, false).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::User, "{error}");
        }
        without_faults(&copy).await;
    });
}

#[test]
fn what_was_lost_is_put_back() {
    run(async {
        let (store, copy) = (database().await, Store::memory());
        save(&store, &copy, false).await.unwrap();
        write(&store, 2, 1).await;
        let right = facts(&store).await;
        let log = store.list(&format!("{STREAM}/log").into()).await.unwrap();
        // A damaged object is told of, and once it is away it is put back; what was written since stays.
        let whole = store.read(&log[2].location).await.unwrap();
        store.replace(&log[2].location, "damaged").await.unwrap();
        let error = restore(&copy, &store, "db", &mut |_| {}).await.unwrap_err();
        assert!(error.message.contains(log[2].location.as_ref()), "{error}");
        assert!(error.hint.is_some_and(|h| h.contains("move this object away")));
        store.delete(&log[2].location).await.unwrap();
        let restored = restore(&copy, &store, "db", &mut |_| {}).await.unwrap();
        assert_eq!((restored.head.t, restored.copied.new.objects), (1006, 1));
        assert_eq!(store.read(&log[2].location).await.unwrap(), whole);
        without_faults(&store).await;
        assert_eq!(facts(&store).await, right);
    });
}

fn store_on(inner: &Arc<InMemory>) -> Store {
    Store::over(Arc::clone(inner) as Arc<dyn ObjectStore>, Path::default())
}

/// Stopped at every operation of the store that is written to; the second run completes it.
#[test]
fn what_was_stopped_goes_on() {
    run(async {
        let store = database().await;
        let copy = Store::memory();
        save(&store, &copy, true).await.unwrap();
        let right = names(&copy).await;
        let dies = |f: &&Fault| matches!(f, Fault::DiesAfter | Fault::DiesBefore);
        for fault in FAULTS.iter().filter(dies) {
            // A writer pauses between its attempts, so all are stopped together.
            let stopped = (0..40).map(|at| {
                let (store, copy, right) = (store.clone(), copy.clone(), right.clone());
                async move {
                    let inner = Arc::new(InMemory::new());
                    let (dying, _) = Faulty::store(&inner, at, *fault);
                    let _ = save(&store, &dying, true).await;
                    let good = store_on(&inner);
                    save(&store, &good, true).await.unwrap();
                    assert_eq!(names(&good).await, right, "{fault:?} at {at}");

                    let inner = Arc::new(InMemory::new());
                    let (dying, _) = Faulty::store(&inner, at, *fault);
                    let _ = restore(&copy, &dying, "db", &mut |_| {}).await;
                    let good = store_on(&inner);
                    let restored = restore(&copy, &good, "db", &mut |_| {}).await.unwrap();
                    assert_eq!(restored.head.t, 1004, "{fault:?} at {at}");
                    without_faults(&good).await;
                }
            });
            futures::future::join_all(stopped).await;
        }
    });
}

#[test]
fn no_backup_is_told() {
    run(async {
        let error = restore(&Store::memory(), &Store::memory(), "db", &mut |_| {}).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind, ErrorKind::User);
        assert!(error.message.contains("no backup"), "{error}");
    });
}
