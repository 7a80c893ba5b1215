//! A store that fails, loses answers and dies: what was acknowledged is there, nothing is there by half.

use crate::{assert_same, for_seeds, generate, log_on, read, run};
use async_trait::async_trait;
use bytes::Bytes;
use daodb_storage::log::{Head, Transaction};
use daodb_storage::{ErrorKind, Store};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const GROUPS: usize = 4;

/// What befalls one operation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and an error says so.
    Refused,
    /// It is done, but its answer is lost.
    AnswerLost,
    /// It is done twice, as by a client that repeats a request.
    Twice,
    /// It is not done, nor is anything after it: the process has died.
    DiesBefore,
    /// It is done, and nothing after it.
    DiesAfter,
}

pub const FAULTS: [Fault; 5] =
    [Fault::Refused, Fault::AnswerLost, Fault::Twice, Fault::DiesBefore, Fault::DiesAfter];

/// `inner` with one fault at its `at`th operation.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    at: u64,
    fault: Fault,
    steps: AtomicU64,
}

impl Faulty {
    pub fn store(inner: &Arc<InMemory>, at: u64, fault: Fault) -> (Store, Arc<Faulty>) {
        let inner = Arc::clone(inner) as Arc<dyn ObjectStore>;
        let faulty = Arc::new(Faulty { inner, at, fault, steps: AtomicU64::new(0) });
        (Store::over(Arc::clone(&faulty) as _, Path::default()), faulty)
    }

    /// Operations begun so far.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// The fault of the operation that begins now.
    fn next(&self) -> Option<Fault> {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            fault if step == self.at => Some(fault),
            Fault::DiesBefore | Fault::DiesAfter if step > self.at => Some(Fault::DiesBefore),
            _ => None,
        }
    }
}

fn lost<T>() -> Result<T> {
    Err(object_store::Error::Generic { store: "faulty", source: "connection lost".into() })
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        match self.next() {
            Some(Fault::Refused | Fault::DiesBefore) => lost(),
            Some(Fault::AnswerLost | Fault::DiesAfter) => {
                self.inner.put_opts(to, payload, o).await?;
                lost()
            }
            Some(Fault::Twice) => {
                let _ = self.inner.put_opts(to, payload.clone(), o.clone()).await;
                self.inner.put_opts(to, payload, o).await
            }
            None => self.inner.put_opts(to, payload, o).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        o: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.put_multipart_opts(to, o).await,
            _ => lost(),
        }
    }

    async fn get_opts(&self, from: &Path, o: GetOptions) -> Result<GetResult> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.get_opts(from, o).await,
            _ => lost(),
        }
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.get_ranges(from, ranges).await,
            _ => lost(),
        }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.delete_stream(paths),
            _ => futures::stream::once(async { lost() }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.list(prefix),
            _ => futures::stream::once(async { lost() }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.list_with_offset(prefix, offset),
            _ => futures::stream::once(async { lost() }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.list_with_delimiter(prefix).await,
            _ => lost(),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, o: CopyOptions) -> Result<()> {
        match self.next() {
            None | Some(Fault::Twice) => self.inner.copy_opts(from, to, o).await,
            _ => lost(),
        }
    }
}

/// Appends groups until one fails, as a writer does; what was acknowledged.
async fn write(store: &Store, seed: u64, groups: usize) -> Vec<Transaction> {
    let mut rng = generate::rng(seed);
    let log = log_on(store);
    let (mut head, mut acknowledged) = (Head::START, Vec::new());
    for _ in 0..groups {
        let group = generate::group(&mut rng, head.t + 1, head.instant.max(0));
        match log.append(&head, group).await {
            Ok(written) => {
                head = Head::after(&written.last().unwrap().header);
                acknowledged.extend(written);
            }
            Err(e) => {
                assert_eq!(e.kind, ErrorKind::Io, "{e}");
                break;
            }
        }
    }
    acknowledged
}

/// One history, one fault.
async fn survives(seed: u64, fault: Fault, at: u64) {
    let inner = Arc::new(InMemory::new());
    let (store, _) = Faulty::store(&inner, at, fault);
    let acknowledged = write(&store, seed, GROUPS).await;
    let after = Store::over(inner, Path::default());
    let found = read(&log_on(&after), Head::START).await.unwrap();
    assert!(found.len() >= acknowledged.len(), "{fault:?} at {at}");
    assert_same(&found[..acknowledged.len()], &acknowledged);
    let died = matches!(fault, Fault::DiesBefore | Fault::DiesAfter);
    assert!(died || found.len() == acknowledged.len(), "{fault:?} at {at}");
}

#[test]
fn what_was_acknowledged_is_there_whatever_befell_the_store() {
    for_seeds(5, |seed| {
        let cases = FAULTS.into_iter().flat_map(|f| (0..GROUPS as u64 + 2).map(move |at| (f, at)));
        // Together, because a writer pauses between its attempts.
        let cases = cases.map(|(fault, at)| survives(seed, fault, at));
        run(futures::future::join_all(cases));
    });
}

#[test]
fn a_writer_in_doubt_writes_no_more() {
    run(async {
        let inner = Arc::new(InMemory::new());
        let (store, _) = Faulty::store(&inner, 0, Fault::DiesAfter);
        let log = log_on(&store);
        let group = || generate::group(&mut generate::rng(1), 1000, 0);
        for _ in 0..2 {
            let error = log.append(&Head::START, group()).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Io);
            assert!(error.hint.is_some_and(|h| h.contains("open the database again")));
        }
    });
}

#[test]
fn reading_fails_loudly_where_the_store_does() {
    run(async {
        let inner = Arc::new(InMemory::new());
        let good = Store::over(Arc::clone(&inner) as _, Path::default());
        let all = write(&good, 3, 5).await;
        for at in 0.. {
            let (store, faulty) = Faulty::store(&inner, at, Fault::Refused);
            let found = read(&log_on(&store), Head::START).await;
            if at >= faulty.steps() {
                assert_same(&found.unwrap(), &all);
                break;
            }
            assert_eq!(found.unwrap_err().kind, ErrorKind::Io);
        }
    });
}

#[test]
fn the_second_writer_is_fenced() {
    run(async {
        let store = Store::memory();
        let (one, two) = (log_on(&store), log_on(&store));
        let group = |seed, t| generate::group(&mut generate::rng(seed), t, (seed as i64) << 40);
        let written = one.append(&Head::START, group(1, 1000)).await.unwrap();
        let error = two.append(&Head::START, group(2, 1000)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Fenced);
        assert!(error.message.contains(&one.writer().to_string()), "{error}");
        assert_same(&read(&two, Head::START).await.unwrap(), &written);
        // For good: only one that read what is there from the start goes on.
        let head = Head::after(&written.last().unwrap().header);
        let error = two.append(&head, group(3, head.t + 1)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Fenced);
        log_on(&store).append(&head, group(3, head.t + 1)).await.unwrap();
        let error = one.append(&head, group(4, head.t + 1)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Fenced);
    });
}
