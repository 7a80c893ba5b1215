//! An index made anew: from the log alone, whatever became of the old one, and whenever the making stops.

use crate::faults::{FAULTS, Fault, Faulty};
use crate::{generate, run};
use daodb_storage::rebuild::rebuild_index;
use daodb_storage::verify::{VerifyOptions, verify};
use daodb_storage::{
    Attr, Datom, ErrorKind, FIRST_ENTITY, Fact, NewTransaction, Store, Stream, StreamOptions, Value,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::sync::Arc;

const STREAM: &str = "db/streams/0";

fn options(tail_datoms: usize) -> StreamOptions {
    StreamOptions::new(tail_datoms, 1 << 20, Arc::new(|| 0))
}

/// Some transactions over 50 entities, with two runs.
async fn fill(store: &Store) -> Vec<Fact> {
    let stream = Stream::create(store.clone(), STREAM.into(), options(100_000)).await.unwrap();
    let a = Attr::new(":p/age");
    let mut facts = Vec::new();
    for t in 1000..1020 {
        let about = |i: i64| {
            let datom = |v: i64, added: bool| {
                let (e, m) = (FIRST_ENTITY + i, i64::from(added));
                Datom { e, a: a.clone(), v: Value::Long(v), t, m, added }
            };
            let old = (t > 1000).then(|| datom(t - 1 + i, false));
            old.into_iter().chain([datom(t + i, true)])
        };
        let datoms = (0..50).flat_map(about).collect();
        stream.append(vec![NewTransaction { instant: t, datoms }]).await.unwrap();
        if t == 1009 {
            stream.keep_by_value([a.clone()]);
            stream.index_now().await.unwrap();
        }
    }
    stream.index_now().await.unwrap();
    facts.extend(stream.snapshot().history().all(&a).await.unwrap());
    assert_eq!(facts.len(), 1000);
    stream.close().await.unwrap();
    facts
}

async fn answers(store: &Store) -> Vec<Fact> {
    let stream = Stream::open(store.clone(), STREAM.into(), options(100_000)).await.unwrap();
    let facts = stream.snapshot().history().all(&Attr::new(":p/age")).await.unwrap();
    stream.close().await.unwrap();
    facts
}

async fn without_faults(store: &Store) {
    let report = verify(store, "db", VerifyOptions { deep: true }, &mut |_| {}).await.unwrap();
    let of_index = |f: &&daodb_storage::verify::Fault| !f.object.ends_with("database.json");
    assert_eq!(report.faults.iter().find(of_index), None);
}

fn store_on(inner: &Arc<InMemory>) -> Store {
    Store::over(Arc::clone(inner) as Arc<dyn ObjectStore>, Path::default())
}

#[test]
fn an_index_is_made_of_the_log_alone() {
    run(async {
        for tail in [100_000, 60] {
            let store = Store::memory();
            let facts = fill(&store).await;
            // Whatever is wrong with it.
            for meta in store.list(&format!("{STREAM}/segments").into()).await.unwrap() {
                store.replace(&meta.location, "damaged").await.unwrap();
            }
            let rebuilt = rebuild_index(&store, "db", options(tail), &mut |_| {}).await.unwrap();
            assert_eq!(rebuilt.head.t, 1019);
            // What was kept by value is kept so still.
            assert!(rebuilt.segments >= 2 && rebuilt.bytes > 0);
            assert_eq!(store.list(&format!("{STREAM}/index").into()).await.unwrap().len(), 1);
            without_faults(&store).await;
            assert_eq!(answers(&store).await, facts);
        }
    });
}

#[test]
fn a_damaged_log_leaves_the_index_as_it_is() {
    run(async {
        let store = Store::memory();
        fill(&store).await;
        let log = store.list(&format!("{STREAM}/log").into()).await.unwrap();
        store.replace(&log[3].location, "damaged").await.unwrap();
        let before = store.list(&Path::default()).await.unwrap();
        let rebuilt = rebuild_index(&store, "db", options(100_000), &mut |_| {}).await;
        let error = rebuilt.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Data);
        assert!(error.message.contains(log[3].location.as_ref()), "{error}");
        assert_eq!(store.list(&Path::default()).await.unwrap(), before);
    });
}

/// Dies at every one of its operations; afterwards an opening answers as ever, and another rebuilding ends well.
#[test]
fn a_crash_in_the_middle_is_harmless() {
    run(async {
        let whole = Store::memory();
        let facts = fill(&whole).await;
        let dies = |f: &&Fault| matches!(f, Fault::DiesBefore | Fault::DiesAfter);
        for fault in FAULTS.iter().filter(dies) {
            for at in 0.. {
                let inner = Arc::new(InMemory::new());
                let good = store_on(&inner);
                for meta in whole.list(&Path::default()).await.unwrap() {
                    let bytes = whole.read(&meta.location).await.unwrap();
                    good.replace(&meta.location, bytes).await.unwrap();
                }
                let (store, faulty) = Faulty::store(&inner, at, *fault);
                let done = rebuild_index(&store, "db", options(200), &mut |_| {}).await;
                if at >= faulty.steps() {
                    done.unwrap();
                    break;
                }
                assert_eq!(answers(&good).await, facts, "{fault:?} at {at}");
                if at % 7 == 0 {
                    rebuild_index(&good, "db", options(200), &mut |_| {}).await.unwrap();
                    without_faults(&good).await;
                    assert_eq!(answers(&good).await, facts, "{fault:?} at {at}, made again");
                }
            }
        }
    });
}

/// Of every kind of value, with what the log says twice.
#[test]
fn random_histories_are_the_same_in_the_index() {
    crate::for_seeds(10, |seed| {
        run(async {
            let store = Store::memory();
            let stream = Stream::create(store.clone(), STREAM.into(), options(30)).await.unwrap();
            let mut rng = generate::rng(seed);
            for _ in 0..12 {
                let newest = stream.snapshot().newest().clone();
                let group = generate::group(&mut rng, newest.t + 1, newest.instant.max(0));
                stream.append(group).await.unwrap();
                stream.keep_by_value([Attr::new(":a")]);
                stream.index_now().await.unwrap();
            }
            stream.close().await.unwrap();
            drop(stream);
            without_faults(&store).await;
            rebuild_index(&store, "db", options(30), &mut |_| {}).await.unwrap();
            without_faults(&store).await;
        });
    });
}
