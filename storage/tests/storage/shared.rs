//! Several processes on one store: joined log objects, followers, a writer that is overtaken.

use crate::{assert_same, log_on, read, run};
use async_trait::async_trait;
use daodb_storage::log::{Head, Transaction};
use daodb_storage::{
    Attr, Datom, ErrorKind, FIRST_ENTITY, FIRST_T, Job, NewTransaction, Snapshot, Store, Stream,
    StreamOptions, Value,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

fn prefix() -> Path {
    Path::from("db/streams/main")
}

/// A bucket, and a clock that tests set.
struct Bucket {
    store: Store,
    clock: Arc<AtomicI64>,
}

impl Bucket {
    fn new() -> Bucket {
        let clock = Arc::new(AtomicI64::new(chrono::Utc::now().timestamp_micros()));
        let objects = Gated::new(true, Arc::clone(&clock));
        let store = Store::bucket(Arc::new(objects), Path::default(), "bucket");
        Bucket { store, clock }
    }

    fn options(&self, writer: &str) -> StreamOptions {
        let clock = Arc::clone(&self.clock);
        StreamOptions {
            writer: writer.into(),
            grace: Duration::from_secs(3600),
            follow_every: Duration::from_millis(1),
            ..StreamOptions::new(50, 1 << 20, Arc::new(move || clock.load(Ordering::SeqCst)))
        }
    }

    async fn writer(&self, name: &str) -> Arc<Stream> {
        Stream::open(self.store.clone(), prefix(), self.options(name)).await.unwrap()
    }

    fn wait(&self, time: Duration) {
        self.clock.fetch_add(time.as_micros() as i64, Ordering::SeqCst);
    }

    async fn log_files(&self) -> Vec<String> {
        let log = self.store.list(&prefix().join("log")).await.unwrap();
        log.iter().map(|o| o.location.filename().unwrap().to_owned()).collect()
    }
}

/// One datom at `t`: entity `t % 7` gets another age.
fn one(t: i64) -> NewTransaction {
    let datom = |e: i64, v: i64, added: bool| Datom {
        e: FIRST_ENTITY + e,
        a: Attr::new(":p/age"),
        v: Value::Long(v),
        t,
        m: i64::from(added),
        added,
    };
    let e = t % 7;
    let mut datoms = vec![datom(e, t, true)];
    if t >= FIRST_T + 7 {
        datoms.insert(0, datom(e, t - 7, false));
    }
    NewTransaction { instant: t * 1000, datoms }
}

async fn write(stream: &Stream, count: i64) -> Vec<Transaction> {
    let mut written = Vec::new();
    for _ in 0..count {
        let t = stream.snapshot().newest().t + 1;
        written.extend(stream.append(vec![one(t)]).await.unwrap().transactions);
    }
    written
}

/// The ages now, and that they are those of the newest transactions.
async fn check(snapshot: &Snapshot) {
    let t = snapshot.t();
    let es: Vec<i64> = (0..7).map(|e| FIRST_ENTITY + e).collect();
    let mut facts = snapshot.facts(&Attr::new(":p/age"), &es).await.unwrap();
    facts.sort_by_key(|f| f.e);
    let found: Vec<(i64, Value)> = facts.into_iter().map(|f| (f.e, f.v)).collect();
    let first = FIRST_T.max(t - 6);
    let mut expected: Vec<(i64, Value)> =
        (first..=t).map(|t| (FIRST_ENTITY + t % 7, Value::Long(t))).collect();
    expected.sort_by_key(|f| f.0);
    assert_eq!(found, expected, "at {t}");
}

#[test]
fn a_log_of_many_commits_is_joined_and_reads_the_same() {
    run(async {
        let store = Store::memory();
        let options = StreamOptions::new(50, 1 << 20, Arc::new(|| 0));
        let stream = Stream::open(store.clone(), prefix(), options.clone()).await.unwrap();
        let written = write(&stream, 3000).await;
        let whole = read(&log_on(&store), Head::START).await.unwrap();
        assert_same(&whole, &written);
        stream.index_now().await.unwrap();
        check(&stream.snapshot()).await;
        stream.close().await.unwrap();
        let count = store.list(&prefix().join("log")).await.unwrap().len();
        assert!(count < 600, "{count} log objects for 3000 commits");
        // From any place, also one within a joined object.
        let log = log_on(&store);
        for from in [0, 1, 255, 256, 1000, 2998, 2999] {
            let head = Head::after(&written[from].header);
            assert_same(&read(&log, head).await.unwrap(), &written[from + 1..]);
        }
        drop(stream);
        let stream = Stream::open(store.clone(), prefix(), options).await.unwrap();
        check(&stream.snapshot()).await;
        let more = write(&stream, 10).await;
        let whole = read(&log, Head::START).await.unwrap();
        assert_same(&whole, &[written, more].concat());
    });
}

#[test]
fn a_reader_of_the_log_goes_on_while_what_it_reads_is_joined() {
    run(async {
        let store = Store::memory();
        let options = StreamOptions::new(1_000_000, 1 << 20, Arc::new(|| 0));
        let stream = Stream::open(store.clone(), prefix(), options).await.unwrap();
        // Fewer than are joined by themselves.
        let written = write(&stream, 200).await;
        let log = log_on(&store);
        let mut reading = log.read_after(Head::START);
        let mut found = Vec::new();
        for _ in 0..50 {
            found.push(reading.next().await.unwrap().unwrap());
        }
        let before = store.list(&prefix().join("log")).await.unwrap().len();
        stream.index_now().await.unwrap();
        let after = store.list(&prefix().join("log")).await.unwrap().len();
        assert!(after < before / 2, "{before} objects were joined to {after}");
        found.extend(reading.try_collect::<Vec<_>>().await.unwrap());
        assert_same(&found, &written);
    });
}

#[test]
fn commits_are_joined_before_they_are_indexed() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let options = StreamOptions::new(1_000_000, 1 << 20, Arc::new(|| 0));
        let stream = Stream::open(store.clone(), prefix(), options.clone()).await.unwrap();
        let written = write(&stream, 1500).await;
        let objects = || async { store.list(&prefix().join("log")).await.unwrap().len() };
        for _ in 0..500 {
            if objects().await < 1000 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let count = objects().await;
        assert!(count < 1000, "{count} log objects for 1500 commits");
        assert!(stream.snapshot().segments().is_empty(), "nothing was indexed");
        // As after the death of the process: the folder has what the journal says, and no index.
        let left = tempfile::tempdir().unwrap();
        let mut copy = std::process::Command::new("cp");
        copy.arg("-r").arg(folder.path().join(".")).arg(left.path());
        assert!(copy.status().unwrap().success());
        let reopened = Store::folder(left.path()).unwrap();
        let reopened = Stream::open(reopened, prefix(), options).await.unwrap();
        check(&reopened.snapshot()).await;
        let read = reopened.log().read_after(Head::START).try_collect::<Vec<_>>().await.unwrap();
        assert_same(&read, &written);
    });
}

#[test]
fn at_rest_what_ended_is_no_part_of_what_holds() {
    run(async {
        let rest_after = Duration::from_millis(200);
        let options =
            StreamOptions { rest_after, ..StreamOptions::new(1_000_000, 1 << 20, Arc::new(|| 0)) };
        let stream = Stream::open(Store::memory(), prefix(), options).await.unwrap();
        // The second run ends a few facts of the first, not so many that it is worth while writers write.
        write(&stream, 200).await;
        stream.index_now().await.unwrap();
        write(&stream, 1).await;
        stream.index_now().await.unwrap();
        let ends = || {
            let segments = stream.snapshot().segments();
            segments.iter().filter(|s| s.kind == "closings").count()
        };
        assert_eq!(ends(), 1);
        for _ in 0..200 {
            if ends() == 0 {
                break;
            }
            tokio::time::sleep(rest_after / 4).await;
        }
        assert_eq!(ends(), 0, "what ended is read past still");
        check(&stream.snapshot()).await;
    });
}

#[test]
fn joined_objects_and_those_that_they_stand_for_are_one_log() {
    run(async {
        let store = Store::memory();
        let bucket = Store::bucket(Arc::clone(&store.objects), Path::default(), "bucket");
        let mut written = Vec::new();
        let (log, mut head) = (log_on(&bucket), Head::START);
        for t in FIRST_T..FIRST_T + 100 {
            written.extend(log.append(&head, vec![one(t)]).await.unwrap());
            head = Head::after(&written[written.len() - 1].header);
        }
        // Others may be reading the commits: they stay, and each object counts once.
        let joined = log.consolidate(head.t).await.unwrap();
        assert_eq!((joined.objects, joined.removed), (99, 0), "the last one has no known end");
        assert_same(&read(&log, Head::START).await.unwrap(), &written);
        // A process that has the store alone removes them; a crash in the middle of that is nothing.
        let folder = prefix().join("log");
        let all = store.list(&folder).await.unwrap();
        for commit in all.iter().filter(|o| !o.location.as_ref().contains('-')).take(40) {
            store.delete(&commit.location).await.unwrap();
            assert_same(&read(&log_on(&store), Head::START).await.unwrap(), &written);
            let from = Head::after(&written[60].header);
            assert_same(&read(&log_on(&store), from).await.unwrap(), &written[61..]);
        }
        let removed = log_on(&store).consolidate(head.t).await.unwrap().removed;
        assert_eq!(removed, 59);
        assert_eq!(store.list(&folder).await.unwrap().len(), 2);
        assert_same(&read(&log_on(&store), Head::START).await.unwrap(), &written);
    });
}

#[test]
fn a_second_writer_stops_the_first_and_says_who_it_is() {
    run(async {
        let bucket = Bucket::new();
        let first = bucket.writer("first").await;
        write(&first, 5).await;
        let second = bucket.writer("second").await;
        write(&second, 5).await;
        for _ in 0..2 {
            let t = first.snapshot().newest().t + 1;
            let e = first.append(vec![one(t)]).await.map(|_| ()).unwrap_err();
            assert_eq!(e.kind, ErrorKind::Fenced);
            assert!(e.message.contains("already written by second (writer "), "{e}");
        }
        assert_eq!(first.index_now().await.unwrap_err().kind, ErrorKind::Fenced);
        check(&first.snapshot()).await;
        // Started again it takes over.
        drop(first);
        let first = bucket.writer("first again").await;
        assert_eq!(first.snapshot().newest().t, FIRST_T + 9);
        write(&first, 1).await;
        let t = second.snapshot().newest().t + 1;
        let e = second.append(vec![one(t)]).await.map(|_| ()).unwrap_err();
        assert!(e.message.contains("first again"), "{e}");
    });
}

#[test]
fn a_writer_that_slept_does_not_take_a_name_that_is_free_again() {
    run(async {
        let bucket = Bucket::new();
        let sleeper = bucket.writer("sleeper").await;
        write(&sleeper, 5).await;
        let other = bucket.writer("other").await;
        write(&other, 400).await;
        // Twice: commits are joined, and after the grace removed.
        other.index_now().await.unwrap();
        bucket.wait(Duration::from_secs(3700));
        write(&other, 400).await;
        other.index_now().await.unwrap();
        let name = format!("{:020}.parquet", FIRST_T + 5);
        assert!(!bucket.log_files().await.contains(&name), "the name is free again");
        let e = sleeper.append(vec![one(FIRST_T + 5)]).await.map(|_| ()).unwrap_err();
        assert_eq!(e.kind, ErrorKind::Fenced, "{e}");
        assert!(!bucket.log_files().await.contains(&name));
        other.close().await.unwrap();
        drop(other);
        let again = bucket.writer("again").await;
        assert_eq!(again.snapshot().newest().t, FIRST_T + 804);
        check(&again.snapshot()).await;
    });
}

#[test]
fn a_follower_sees_what_is_written_and_writes_nothing() {
    run(async {
        let bucket = Bucket::new();
        let writer = bucket.writer("writer").await;
        write(&writer, 3).await;
        let follower =
            Stream::follow(bucket.store.clone(), prefix(), bucket.options("reader")).await.unwrap();
        assert_eq!(follower.snapshot().newest().t, FIRST_T + 2);
        let old = follower.snapshot();
        for round in 0..12 {
            write(&writer, 60).await;
            if round % 3 == 2 {
                writer.index_now().await.unwrap();
                bucket.wait(Duration::from_secs(3000));
            }
            let t = writer.snapshot().newest().t;
            let up_to_date = async {
                while follower.snapshot().newest().t < t {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), up_to_date).await.unwrap();
            let snapshot = follower.snapshot();
            assert_eq!(snapshot.newest(), writer.snapshot().newest());
            check(&snapshot).await;
            check(&snapshot.as_of(t - 50)).await;
        }
        check(&old).await;
        assert!(follower.followed().is_some() && writer.followed().is_none());
        assert!(!follower.snapshot().segments().is_empty(), "it never took a newer root");
        let t = follower.snapshot().newest().t + 1;
        for e in [
            follower.append(vec![one(t)]).await.map(|_| ()).unwrap_err(),
            follower.index_now().await.unwrap_err(),
        ] {
            assert_eq!(e.kind, ErrorKind::Fenced, "{e}");
        }
        follower.close().await.unwrap();
        writer.close().await.unwrap();
    });
}

#[test]
fn a_damaged_older_root_keeps_nobody_from_writing() {
    run(async {
        let bucket = Bucket::new();
        let writer = bucket.writer("writer").await;
        for _ in 0..2 {
            write(&writer, 60).await;
            writer.index_now().await.unwrap();
        }
        writer.close().await.unwrap();
        drop(writer);
        let roots = bucket.store.list(&prefix().join("index")).await.unwrap();
        assert!(roots.len() >= 2, "the older one stays for the grace");
        bucket.store.replace(&roots[0].location, "no root").await.unwrap();
        let before = bucket.store.list(&prefix().join("segments")).await.unwrap().len();
        let writer = bucket.writer("again").await;
        write(&writer, 5).await;
        check(&writer.snapshot()).await;
        let after = bucket.store.list(&prefix().join("segments")).await.unwrap().len();
        assert!(after >= before, "what the damaged root names is not known to be lost");
    });
}

/// Puts segments only while its gate is open, and dates what is put by a clock.
#[derive(Debug)]
struct Gated {
    inner: InMemory,
    open: tokio::sync::watch::Sender<bool>,
    clock: Arc<AtomicI64>,
    dates: Arc<Mutex<HashMap<Path, i64>>>,
}

impl Gated {
    fn new(open: bool, clock: Arc<AtomicI64>) -> Gated {
        let (open, _) = tokio::sync::watch::channel(open);
        Gated { inner: InMemory::new(), open, clock, dates: Arc::default() }
    }
}

impl std::fmt::Display for Gated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("gated")
    }
}

#[async_trait]
impl ObjectStore for Gated {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        if to.as_ref().contains("/segments/") {
            let _ = self.open.subscribe().wait_for(|open| *open).await;
        }
        let put = self.inner.put_opts(to, payload, o).await?;
        self.dates.lock().insert(to.clone(), self.clock.load(Ordering::SeqCst));
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        o: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, o).await
    }

    async fn get_opts(&self, from: &Path, o: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(from, o).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let dates = Arc::clone(&self.dates);
        let dated = move |mut object: ObjectMeta| {
            if let Some(date) = dates.lock().get(&object.location) {
                object.last_modified = chrono::DateTime::from_timestamp_micros(*date).unwrap();
            }
            object
        };
        self.inner.list(prefix).map_ok(dated).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, o: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, o).await
    }
}

#[test]
fn a_full_tail_makes_writers_wait_and_then_fail_while_reading_goes_on() {
    run(async {
        let gated = Arc::new(Gated::new(false, Arc::new(AtomicI64::new(7))));
        let store = Store::over(Arc::clone(&gated) as _, Path::default());
        let options = StreamOptions {
            write_wait: Duration::from_millis(50),
            ..StreamOptions::new(50, 1 << 20, Arc::new(|| 7))
        };
        let stream = Stream::open(store, prefix(), options).await.unwrap();
        let mut written = 0;
        let e = loop {
            assert!(written < 400, "the tail grows without a bound");
            let t = stream.snapshot().newest().t + 1;
            match stream.append(vec![one(t)]).await {
                Ok(_) => written += 1,
                Err(e) => break e,
            }
        };
        assert_eq!(e.kind, ErrorKind::Busy, "{e}");
        assert!(e.message.contains("wait to be indexed"), "{e}");
        check(&stream.snapshot()).await;
        assert!(stream.jobs().iter().any(|j| j.kind.name() == "lay down" && j.ended.is_none()));
        gated.open.send(true).unwrap();
        write(&stream, 100).await;
        check(&stream.snapshot()).await;
        let done = |j: &Job| j.kind.name() == "lay down" && j.ended == Some(7) && j.items > 0;
        assert!(stream.jobs().iter().any(done), "{:?}", stream.jobs());
        stream.close().await.unwrap();
    });
}
