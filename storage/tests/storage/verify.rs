//! Every byte of a database is watched: a change of any is found, and reading gives the same answers or an error.

use crate::run;
use bytes::Bytes;
use daodb_storage::marker::Marker;
use daodb_storage::verify::{Reach, VerifyOptions, VerifyReport, databases, verify};
use daodb_storage::{
    Attr, Datom, Error, FIRST_ENTITY, Fact, NewTransaction, Store, Stream, StreamOptions, Value,
};
use object_store::path::Path;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;

const STREAM: &str = "db/streams/0";
const ATTRIBUTES: [&str; 4] = [":p/name", ":p/age", ":p/friend", ":p/score"];

fn options() -> StreamOptions {
    StreamOptions::new(100_000, 1 << 20, Arc::new(|| 0))
}

type Objects = BTreeMap<Path, Bytes>;

fn datom(t: i64, e: i64, a: &str, v: Value, added: bool) -> Datom {
    Datom { e: FIRST_ENTITY + e, a: Attr::new(a), v, t, m: i64::from(added), added }
}

/// Two runs (the second ends facts of the first), and a transaction that is in the log alone.
async fn make(salt: i64) -> Objects {
    let store = Store::memory();
    let marker = Marker { id: uuid::Uuid::from_u128(salt as u128) };
    store.create(&"db/database.json".into(), marker.to_json().unwrap()).await.unwrap();
    let stream = Stream::create(store.clone(), STREAM.into(), options()).await.unwrap();
    let name = |e: i64| Value::string(format!("name {e} {salt}"));
    let about = |e: i64| {
        vec![
            datom(1000, e, ":p/name", name(e), true),
            datom(1000, e, ":p/age", Value::Long(e + salt), true),
            datom(1000, e, ":p/friend", Value::Ref(FIRST_ENTITY + (e + 1) % 4), true),
            datom(1000, e, ":p/score", Value::Double(e as f64 / 2.0), true),
        ]
    };
    let append = async |instant: i64, datoms: Vec<Datom>| {
        stream.append(vec![NewTransaction { instant, datoms }]).await.unwrap();
    };
    append(1, (0..4).flat_map(about).collect()).await;
    stream.keep_by_value([Attr::new(":p/name")]);
    stream.index_now().await.unwrap();
    let renamed = |e: i64| {
        vec![
            datom(1001, e, ":p/name", name(e), false),
            datom(1001, e, ":p/name", name(e + 10), true),
            datom(1001, e, ":p/score", Value::Double(e as f64 / 2.0), false),
        ]
    };
    append(2, (0..2).flat_map(renamed).collect()).await;
    append(3, vec![datom(1002, 0, ":p/name", name(10), false)]).await;
    append(4, vec![datom(1003, 0, ":p/age", Value::Long(70), true)]).await;
    stream.index_now().await.unwrap();
    append(5, vec![datom(1004, 3, ":p/age", Value::Long(3 + salt), false)]).await;
    stream.close().await.unwrap();
    drop(stream);
    objects(&store).await
}

async fn objects(store: &Store) -> Objects {
    let mut objects = Objects::new();
    for meta in store.list(&Path::default()).await.unwrap() {
        let bytes = store.read(&meta.location).await.unwrap();
        objects.insert(meta.location, bytes);
    }
    objects
}

async fn store_of(objects: &Objects) -> Store {
    let store = Store::memory();
    for (path, bytes) in objects {
        store.replace(path, bytes.clone()).await.unwrap();
    }
    store
}

async fn verified(objects: &Objects, deep: bool) -> VerifyReport {
    let store = store_of(objects).await;
    let report = verify(&store, "db", VerifyOptions { deep }, &mut |_| {}).await.unwrap();
    assert_eq!(&self::objects(&store).await, objects, "verify must not write");
    report
}

fn is_named(report: &VerifyReport, path: &Path) -> bool {
    report.faults.iter().any(|f| f.object == path.as_ref())
}

/// All that can be asked: everything, the past, and looking up.
async fn answers(objects: &Objects) -> Result<Vec<Vec<Fact>>, Error> {
    let store = store_of(objects).await;
    let marker = store.read(&"db/database.json".into()).await?;
    Marker::parse(&"db/database.json".into(), &marker)?;
    let stream = Stream::open(store, STREAM.into(), options()).await?;
    let (now, mut all) = (stream.snapshot(), Vec::new());
    for a in ATTRIBUTES.map(Attr::new) {
        for snapshot in [now.clone(), now.history(), now.as_of(1000), now.as_of(1002)] {
            all.push(snapshot.all(&a).await?);
        }
        let values: Vec<Value> = all[all.len() - 4].iter().map(|f| f.v.clone()).collect();
        all.push(now.lookup(&a, &values).await?);
    }
    stream.close().await?;
    Ok(all)
}

/// Runs `work` for every number below `n`, on a few threads.
fn on_threads(n: usize, work: impl Fn(usize) + Sync) {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().min(8));
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if at >= n {
                        return;
                    }
                    work(at);
                }
            });
        }
    });
}

/// All bits of a byte, or one of them.
fn flips(at: usize) -> [u8; 2] {
    [0xff, 1 << ((at * 5 + at / 8) % 8)]
}

#[test]
fn a_whole_database() {
    run(async {
        let whole = make(1).await;
        let kinds = |part: &str| whole.keys().filter(|p| p.as_ref().contains(part)).count();
        assert_eq!((kinds("/log/"), kinds("/index/")), (5, 1));
        assert!(kinds("/segments/") >= 7 && kinds("/runs/") >= 2, "{:?}", whole.keys());
        for deep in [false, true] {
            let report = verified(&whole, deep).await;
            assert_eq!((report.faults.as_slice(), report.notes.as_slice()), (&[][..], &[][..]));
            assert_eq!((report.head.t, report.transactions, report.datoms), (1004, 5, 25));
            assert_eq!(report.compared, deep);
            let sizes: usize = whole.values().map(Bytes::len).sum();
            assert_eq!(report.bytes, sizes as u64);
        }
        answers(&whole).await.unwrap();
    });
}

/// What an object says is checked by its own bytes alone, so one byte of each object is changed at a time: that is as if
/// one were, so many times over. Only roots, lists of runs and `database.json` are changed alone: without them no segment is looked at.
#[test]
fn every_changed_byte_is_found() {
    let whole = run(make(1));
    let alone = |path: &Path| path.as_ref().ends_with(".json");
    let together = whole.iter().filter(|(p, _)| !alone(p)).map(|(_, b)| b.len()).max().unwrap();
    on_threads(together, |at| {
        for flip in flips(at) {
            let mut hurt = whole.clone();
            for (_, bytes) in hurt.iter_mut().filter(|(p, b)| !alone(p) && at < b.len()) {
                let mut changed = bytes.to_vec();
                changed[at] ^= flip;
                *bytes = changed.into();
            }
            let report = run(verified(&hurt, false));
            for (path, bytes) in &whole {
                let changed = hurt[path] != *bytes;
                assert_eq!(is_named(&report, path), changed, "{path}: byte {at} ^ {flip:#x}");
            }
        }
    });
    for (path, bytes) in whole.iter().filter(|(path, _)| alone(path)) {
        on_threads(bytes.len(), |at| {
            for flip in flips(at) {
                let report = run(verified(&with(&whole, path, at, flip), false));
                assert!(is_named(&report, path), "{path}: byte {at} ^ {flip:#x}");
            }
        });
    }
}

fn with(whole: &Objects, path: &Path, at: usize, flip: u8) -> Objects {
    let mut hurt = whole.clone();
    let mut bytes = whole[path].to_vec();
    bytes[at] ^= flip;
    hurt.insert(path.clone(), bytes.into());
    hurt
}

/// The same answers, or an error.
async fn never_other_answers(hurt: &Objects, right: &[Vec<Fact>], what: &str) {
    match answers(hurt).await {
        Ok(found) => assert_eq!(found, right, "{what}: another answer"),
        Err(e) => assert!(!e.message.is_empty()),
    }
}

/// `DAODB_EVERY_BYTE=1` takes all bytes (an hour); else some of each object. That none is passed over is the test above.
#[test]
fn a_changed_byte_never_changes_an_answer() {
    let whole = run(make(1));
    let right = run(answers(&whole)).unwrap();
    let every = std::env::var_os("DAODB_EVERY_BYTE").is_some();
    let mut rng = SmallRng::seed_from_u64(7);
    let mut cases = Vec::new();
    for (path, bytes) in &whole {
        let step = if every { 1 } else { bytes.len().div_ceil(40) };
        for at in (0..bytes.len()).step_by(step) {
            let at = (at + rng.random_range(0..step)).min(bytes.len() - 1);
            cases.push((path.clone(), at));
        }
    }
    on_threads(cases.len(), |n| {
        let (path, at) = &cases[n];
        for flip in flips(*at) {
            let hurt = with(&whole, path, *at, flip);
            let what = format!("{path}: byte {at} ^ {flip:#x}");
            run(never_other_answers(&hurt, &right, &what));
        }
    });
}

#[test]
fn cut_and_missing_files_are_named() {
    run(async {
        let whole = make(1).await;
        let right = answers(&whole).await.unwrap();
        for (path, bytes) in &whole {
            for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
                let mut hurt = whole.clone();
                hurt.insert(path.clone(), bytes.slice(..cut));
                let report = verified(&hurt, false).await;
                assert!(is_named(&report, path), "{path} cut to {cut}: {:?}", report.faults);
                never_other_answers(&hurt, &right, &format!("{path} cut to {cut}")).await;
            }
            let mut hurt = whole.clone();
            hurt.insert(path.clone(), [bytes.as_ref(), b"PAR1"].concat().into());
            let report = verified(&hurt, false).await;
            assert!(is_named(&report, path), "{path} made longer: {:?}", report.faults);
            never_other_answers(&hurt, &right, &format!("{path} made longer")).await;
        }
    });
}

#[test]
fn what_is_missing_is_told() {
    run(async {
        let whole = make(1).await;
        let right = answers(&whole).await.unwrap();
        let last = whole.keys().rfind(|p| p.as_ref().contains("/log/")).unwrap().clone();
        for path in whole.keys() {
            let mut hurt = whole.clone();
            hurt.remove(path);
            let report = verified(&hurt, false).await;
            if path.as_ref().contains("/index/") {
                // Nothing says that there was one: its runs are left over.
                assert!(report.faults.is_empty() && report.notes.len() >= 7, "{:?}", report.notes);
                never_other_answers(&hurt, &right, "no root").await;
            } else if *path == last {
                // Nor that there was a transaction that no index knows.
                assert_eq!((report.faults.len(), report.head.t), (0, 1003));
            } else {
                assert!(!report.faults.is_empty(), "{path} is missing");
                never_other_answers(&hurt, &right, &format!("{path} is missing")).await;
            }
        }
        // The end that an index knows of is missed.
        let mut hurt = whole.clone();
        hurt.retain(|p, _| !p.as_ref().contains("1003.parquet") && *p != last);
        let report = verified(&hurt, false).await;
        let reach = Reach::Log { from: 1003, to: Some(1003) };
        assert!(report.faults.iter().any(|f| f.reach == reach), "{:?}", report.faults);
    });
}

#[test]
fn exchanged_files_are_named() {
    run(async {
        let whole = make(1).await;
        let right = answers(&whole).await.unwrap();
        for folder in ["/log/", "/runs/", "/segments/"] {
            let paths: Vec<&Path> = whole.keys().filter(|p| p.as_ref().contains(folder)).collect();
            for (i, x) in paths.iter().enumerate() {
                for y in &paths[..i] {
                    let mut hurt = whole.clone();
                    hurt.insert((*x).clone(), whole[*y].clone());
                    hurt.insert((*y).clone(), whole[*x].clone());
                    let report = verified(&hurt, false).await;
                    assert!(is_named(&report, x) && is_named(&report, y), "{x} and {y}");
                    never_other_answers(&hurt, &right, &format!("{x} and {y} exchanged")).await;
                }
            }
        }
    });
}

#[test]
fn files_of_another_database_are_found() {
    run(async {
        let (whole, other) = (make(1).await, make(2).await);
        let right = answers(&whole).await.unwrap();
        let of = |objects: &Objects, folder: &str| -> Vec<Path> {
            objects.keys().filter(|p| p.as_ref().contains(folder)).cloned().collect()
        };
        for path in of(&whole, "/log/") {
            let mut hurt = whole.clone();
            hurt.insert(path.clone(), other[&path].clone());
            let report = verified(&hurt, false).await;
            assert!(!report.faults.is_empty(), "{path} is of another database");
            // What the index covers is not read again when the database is opened.
            never_other_answers(&hurt, &right, &format!("{path} of another database")).await;
        }
        for folder in ["/runs/", "/segments/"] {
            for (mine, theirs) in of(&whole, folder).iter().zip(of(&other, folder)) {
                let mut hurt = whole.clone();
                hurt.insert(mine.clone(), other[&theirs].clone());
                assert!(is_named(&verified(&hurt, false).await, mine));
                never_other_answers(&hurt, &right, "a part of another database's index").await;
            }
        }
        // A whole index of another database, with all its segments.
        let mut hurt = whole.clone();
        hurt.retain(|p, _| p.as_ref().contains("/log/") || p.as_ref().ends_with("database.json"));
        let parts = ["/index/", "/runs/", "/segments/"].map(|folder| of(&other, folder));
        for path in parts.concat() {
            hurt.insert(path.clone(), other[&path].clone());
        }
        let report = verified(&hurt, false).await;
        assert!(is_named(&report, &of(&other, "/index/")[0]), "{:?}", report.faults);
        never_other_answers(&hurt, &right, "an index of another database").await;
    });
}

/// What is joined, merged and removed while all is read is no fault.
#[test]
fn a_database_may_be_written_while_it_is_read() {
    run(async {
        let store = Store::memory();
        for (path, bytes) in &make(1).await {
            store.create(path, bytes.clone()).await.unwrap();
        }
        let small = StreamOptions::new(20, 1 << 20, Arc::new(|| 0));
        let stream = Stream::open(store.clone(), STREAM.into(), small).await.unwrap();
        let over = std::cell::Cell::new(false);
        let writes = async {
            let mut t = stream.snapshot().newest().t;
            while !over.get() {
                t += 1;
                let old = (t > 1011).then(|| datom(t, t % 7, ":p/age", Value::Long(t - 7), false));
                let new = datom(t, t % 7, ":p/age", Value::Long(t), true);
                let datoms = old.into_iter().chain([new]).collect();
                stream.append(vec![NewTransaction { instant: t, datoms }]).await.unwrap();
                // In bursts, so that some looks meet no change at all.
                match t % 100 {
                    0 => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        let reads = async {
            let mut compared = 0;
            for n in 0..30 {
                let options = VerifyOptions { deep: n % 2 == 0 };
                let report = verify(&store, "db", options, &mut |_| {}).await.unwrap();
                assert_eq!(report.faults, [], "look {n}");
                compared += usize::from(report.compared);
            }
            over.set(true);
            compared
        };
        let ((), compared) = futures::future::join(writes, reads).await;
        assert!(compared > 0, "the index was never compared");
        stream.close().await.unwrap();
        let objects = objects(&store).await;
        let joined = |p: &&Path| p.filename().is_some_and(|name| name.len() > 40);
        assert!(objects.keys().filter(joined).count() > 1, "{:?}", objects.keys());
        assert_eq!(verified(&objects, true).await.faults, []);
    });
}

#[test]
fn what_is_none_of_ours_is_noted() {
    run(async {
        let mut objects = make(1).await;
        let unnamed = format!("{STREAM}/segments/{}.parquet", uuid::Uuid::from_u128(5));
        let list = format!("{STREAM}/runs/{}.json", uuid::Uuid::from_u128(5));
        for path in [
            unnamed.as_str(),
            list.as_str(),
            "db/streams/0/log/notes.txt",
            "db/streams/0/index/7.json",
        ] {
            objects.insert(Path::from(path), Bytes::from_static(b"hello"));
        }
        let report = verified(&objects, true).await;
        assert_eq!(report.faults, []);
        assert_eq!(report.notes.len(), 4, "{:?}", report.notes);
        objects.insert("other/streams/0/log/x".into(), Bytes::new());
        objects.insert("plain/file".into(), Bytes::new());
        let store = store_of(&objects).await;
        assert_eq!(databases(&store).await.unwrap(), ["db", "other"]);
        let report = verify(&store, "other", VerifyOptions::default(), &mut |_| {}).await.unwrap();
        assert!(matches!(report.faults[0].reach, Reach::Marker), "{:?}", report.faults);
    });
}

/// What opening passes over in silence.
#[test]
fn an_unreadable_newest_root_is_a_fault_and_what_lies_behind_it_is_still_checked() {
    run(async {
        let mut objects = make(1).await;
        let newer = format!("{STREAM}/index/{:020}.json", 99);
        objects.insert(Path::from(newer.as_str()), Bytes::from_static(b"{}"));
        let report = verified(&objects, true).await;
        assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
        assert!(is_named(&report, &Path::from(newer.as_str())));
        assert!(report.segments.objects >= 7);
    });
}
