//! Counts the requests to a store: by kind, and by what the objects are.
//!
//! One request is one call of the store's interface; what the client below tries again by itself is not seen from here. A
//! create that [`super::Store`] tries again is one more.

use super::reads;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, coalesce_ranges,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// What objects are; `Cache` is the folder of `--cache`, which is no part of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Log,
    Segments,
    Index,
    Other,
    Cache,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Put,
    Get,
    Head,
    List,
    Delete,
}

const AREAS: [(Area, &str); 5] = [
    (Area::Log, "log"),
    (Area::Segments, "segments"),
    (Area::Index, "index"),
    (Area::Other, "other"),
    (Area::Cache, "cache"),
];
const KINDS: [(Kind, &str); 5] = [
    (Kind::Put, "put"),
    (Kind::Get, "get"),
    (Kind::Head, "head"),
    (Kind::List, "list"),
    (Kind::Delete, "delete"),
];

impl Area {
    fn named(folder: Option<impl AsRef<str>>) -> Area {
        match folder.as_ref().map(AsRef::as_ref) {
            Some("log") => Area::Log,
            Some("segments") => Area::Segments,
            Some("index" | "runs") => Area::Index,
            _ => Area::Other,
        }
    }

    /// Of an object, by the folder that it lies in.
    pub(super) fn of(object: &Path) -> Area {
        Area::named(object.parts().rev().nth(1))
    }

    fn of_prefix(prefix: Option<&Path>) -> Area {
        Area::named(prefix.and_then(|prefix| prefix.filename()))
    }
}

/// Requests of one kind about one area since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    /// `log`, `segments`, `index`, `other`, or `cache` for the folder of `--cache`.
    pub area: &'static str,
    /// `put`, `get`, `head`, `list`, `delete`.
    pub kind: &'static str,
    pub requests: u64,
    /// Of objects, sent or received.
    pub bytes: u64,
    /// Not those that say that a name is taken or that there is no such object.
    pub errors: u64,
    /// The sum over requests, which overlap.
    pub busy_ms: u64,
}

#[derive(Debug, Default)]
struct Cell {
    requests: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    busy_micros: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    cells: [[Cell; KINDS.len()]; AREAS.len()],
}

impl Counters {
    /// A row each kind and area, in one order; all of them, also where nothing was asked yet.
    pub fn rows(&self) -> Vec<Requests> {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let mut rows = Vec::new();
        for (a, area) in AREAS {
            for (k, kind) in KINDS {
                if a == Area::Cache && matches!(k, Kind::Head | Kind::List) {
                    continue;
                }
                let cell = &self.cells[a as usize][k as usize];
                rows.push(Requests {
                    area,
                    kind,
                    requests: get(&cell.requests),
                    bytes: get(&cell.bytes),
                    errors: get(&cell.errors),
                    busy_ms: get(&cell.busy_micros) / 1000,
                });
            }
        }
        rows
    }

    pub fn begin(self: &Arc<Self>, kind: Kind, area: Area) -> Request {
        let request = Request { counters: Arc::clone(self), kind, area, began: Instant::now() };
        request.cell().requests.fetch_add(1, Ordering::Relaxed);
        request
    }
}

/// A request that goes on; it is busy until it is dropped.
#[derive(Debug)]
pub(super) struct Request {
    counters: Arc<Counters>,
    kind: Kind,
    area: Area,
    began: Instant,
}

impl Request {
    fn cell(&self) -> &Cell {
        &self.counters.cells[self.area as usize][self.kind as usize]
    }

    pub fn bytes(&self, n: u64) {
        self.cell().bytes.fetch_add(n, Ordering::Relaxed);
    }

    pub fn error(&self) {
        self.cell().errors.fetch_add(1, Ordering::Relaxed);
    }

    fn check<T>(&self, done: &Result<T>) {
        use object_store::Error::{AlreadyExists, NotFound};
        if done.as_ref().is_err_and(|e| !matches!(e, AlreadyExists { .. } | NotFound { .. })) {
            self.error();
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.cell().busy_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(super) struct Counted {
    inner: Arc<dyn ObjectStore>,
    counters: Arc<Counters>,
    /// A request takes long there, so that ranges near each other are one; each of those is counted.
    remote: bool,
}

impl Counted {
    pub fn new(inner: Arc<dyn ObjectStore>, counters: Arc<Counters>, remote: bool) -> Counted {
        Counted { inner, counters, remote }
    }

    fn listed(
        &self,
        prefix: Option<&Path>,
        found: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let request = self.counters.begin(Kind::List, Area::of_prefix(prefix));
        found.inspect(move |object| request.check(object)).boxed()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let request = self.counters.begin(Kind::Put, Area::of(location));
        request.bytes(payload.content_length() as u64);
        let done = self.inner.put_opts(location, payload, opts).await;
        request.check(&done);
        done
    }

    /// Counted as one put without bytes: no object of ours is put in parts.
    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let request = self.counters.begin(Kind::Put, Area::of(location));
        let done = self.inner.put_multipart_opts(location, opts).await;
        request.check(&done);
        done
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let kind = if options.head { Kind::Head } else { Kind::Get };
        let request = self.counters.begin(kind, Area::of(location));
        reads::request();
        let done = self.inner.get_opts(location, options).await;
        request.check(&done);
        let mut got = done?;
        if kind == Kind::Get {
            got.payload = match got.payload {
                GetResultPayload::Stream(bytes) => {
                    let count = move |part: &Result<Bytes>| {
                        request.check(part);
                        if let Ok(part) = part {
                            request.bytes(part.len() as u64);
                            reads::from_store(part.len() as u64);
                        }
                    };
                    GetResultPayload::Stream(bytes.inspect(count).boxed())
                }
                // Read by the caller.
                file => {
                    request.bytes(got.range.end - got.range.start);
                    reads::from_store(got.range.end - got.range.start);
                    file
                }
            };
        }
        Ok(got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if self.remote {
            let get = |range| self.get_range(location, range);
            return coalesce_ranges(ranges, get, OBJECT_STORE_COALESCE_DEFAULT).await;
        }
        let request = self.counters.begin(Kind::Get, Area::of(location));
        reads::request();
        let done = self.inner.get_ranges(location, ranges).await;
        request.check(&done);
        let bytes = done.iter().flatten().map(|part| part.len() as u64).sum();
        request.bytes(bytes);
        reads::from_store(bytes);
        done
    }

    /// One each object, though a bucket may be told of many at once.
    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        // An error does not say of which object it is.
        let latest = Arc::new(AtomicUsize::new(Area::Other as usize));
        let (counters, asked) = (Arc::clone(&self.counters), Arc::clone(&latest));
        let locations = locations.inspect_ok(move |location| {
            asked.store(Area::of(location) as usize, Ordering::Relaxed);
        });
        let done = self.inner.delete_stream(locations.boxed());
        let mut began = Instant::now();
        done.inspect(move |done| {
            let area = match done {
                Ok(location) => Area::of(location),
                Err(_) => AREAS[latest.load(Ordering::Relaxed)].0,
            };
            let mut request = counters.begin(Kind::Delete, area);
            request.began = std::mem::replace(&mut began, Instant::now());
            request.check(done);
        })
        .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let request = self.counters.begin(Kind::List, Area::of_prefix(prefix));
        let done = self.inner.list_with_delimiter(prefix).await;
        request.check(&done);
        done
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let request = self.counters.begin(Kind::Put, Area::of(to));
        let done = self.inner.copy_opts(from, to, options).await;
        request.check(&done);
        done
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::reads::{ReadStats, Took};
    use super::*;
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutMode};

    fn row(counters: &Counters, area: &str, kind: &str) -> (u64, u64, u64) {
        let rows = counters.rows();
        let row = rows.iter().find(|r| r.area == area && r.kind == kind).unwrap();
        (row.requests, row.bytes, row.errors)
    }

    fn counted(remote: bool) -> (Counted, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Counted::new(Arc::new(InMemory::new()), Arc::clone(&counters), remote), counters)
    }

    #[tokio::test]
    async fn by_kind_and_area() {
        let (store, counters) = counted(false);
        let log = Path::from("db/streams/0/log/1.parquet");
        let put = || store.put_opts(&log, vec![0; 10].into(), PutMode::Create.into());
        put().await.unwrap();
        put().await.unwrap_err();
        assert_eq!(row(&counters, "log", "put"), (2, 20, 0));
        store.get(&log).await.unwrap().bytes().await.unwrap();
        store.get(&Path::from("db/streams/0/index/1.json")).await.unwrap_err();
        assert_eq!(row(&counters, "log", "get"), (1, 10, 0));
        assert_eq!(row(&counters, "index", "get"), (1, 0, 0));
        store.head(&log).await.unwrap();
        assert_eq!(row(&counters, "log", "head"), (1, 0, 0));
        let folder = Path::from("db/streams/0/log");
        let listed: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(row(&counters, "log", "list"), (1, 0, 0));
        store.delete(&log).await.unwrap();
        assert_eq!(row(&counters, "log", "delete"), (1, 0, 0));
        assert_eq!(row(&counters, "segments", "put"), (0, 0, 0));
        assert_eq!(counters.rows().len(), 23);
    }

    #[tokio::test]
    async fn ranges_near_each_other_are_one_request_to_a_bucket() {
        for (remote, requests) in [(true, 2), (false, 1)] {
            let (store, counters) = counted(remote);
            let path = Path::from("db/streams/0/segments/x.parquet");
            let bytes: Vec<u8> = (0..4 << 20).map(|i| (i >> 10) as u8).collect();
            store.put(&path, bytes.clone().into()).await.unwrap();
            let reading = Arc::new(ReadStats::default());
            let wanted = [0..10, 1000..2000, 3 << 20..(3 << 20) + 5];
            let parts = reading.during(store.get_ranges(&path, &wanted)).await.unwrap();
            for (range, part) in wanted.iter().zip(parts) {
                assert_eq!(part, &bytes[range.start as usize..range.end as usize]);
            }
            let (asked, read, _) = row(&counters, "segments", "get");
            assert_eq!(asked, requests);
            let took = reading.took();
            assert_eq!(took, Took { requests, store_bytes: read, ..Took::default() });
            assert_eq!(read, if remote { 2005 } else { 1015 });
        }
    }
}
