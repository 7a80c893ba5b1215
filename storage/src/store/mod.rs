//! Object stores: a durable local folder with one owner, memory, and buckets; all through object_store's traits.
//!
//! A write is an object that is created whole, once. [`Store::create`] is the one place that settles what happened to a
//! write whose answer was lost: the object that lies under the name is compared with what was to be written.
//!
//! A [`location`] becomes a store, [`probe`] refuses one that lies about creates, [`counted`] counts requests ([`reads`]: those
//! of one query), and [`disk_cache`] keeps blocks of segments near.

mod aws_profile;
mod counted;
mod disk;
mod disk_cache;
mod folder;
mod listing;
mod location;
mod lock;
mod probe;
pub(crate) mod reads;
mod usage;

pub use counted::Requests;
pub use disk::{Disk, DiskFile, Lock, Reader};
pub use location::Location;
pub use reads::{ReadStats, Took};
pub use usage::{Pile, Usage};

use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use counted::{Counted, Counters};
use disk::RealDisk;
pub(crate) use disk_cache::DiskCache;
use folder::Folder;
use futures::future::{BoxFuture, try_join_all};
use futures::{StreamExt, TryStreamExt, stream};
use location::Place;
use object_store::memory::InMemory;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, path::Path};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How often a write whose outcome is unknown is tried, with doubling pauses from `FIRST_PAUSE`.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Objects of a bucket that are deleted at the same time.
const DELETED_AT_ONCE: usize = 8;

/// A place where databases lie. Clones share it; the folder's lock is held until the last one is dropped.
#[derive(Clone)]
pub struct Store {
    /// Requests through it are counted.
    pub objects: Arc<dyn ObjectStore>,
    /// The prefix under which everything lies (empty for a folder).
    pub root: Path,
    /// What messages call it: the folder, or the URL.
    pub name: Arc<str>,
    /// Other processes may be there too: so for a bucket, while a folder has one owner.
    pub shared: bool,
    pub access: Access,
    counters: Arc<Counters>,
    pub(crate) disk: Option<Arc<DiskCache>>,
    folder: Option<Arc<Folder>>,
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    #[default]
    ReadWrite,
    /// Nothing is written, so that no right to write is needed.
    ReadOnly,
}

/// What [`Store::create`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The object is ours, and durable.
    New,
    /// Another object lay there already; these are its bytes.
    Taken(Bytes),
}

impl Store {
    /// The store at a location. A bucket must answer, and pass the [`Store::probe`] where it is to be written.
    pub fn open(location: &Location, access: Access) -> BoxFuture<'_, Result<Store>> {
        Box::pin(async move {
            let mut store = match location.place()? {
                Place::Folder(path) => Store::folder(&path)?,
                Place::Memory => Store::memory(),
                Place::Bucket(bucket) => location.connect(bucket).await?,
            };
            store.access = access;
            if store.shared && access == Access::ReadWrite {
                store.probe().await?;
            }
            match &location.cache {
                Some((folder, bytes)) => store.with_disk_cache(folder, *bytes),
                None => Ok(store),
            }
        })
    }

    /// A local folder, made where it is missing. Creates are atomic and durable when they return; one process owns it
    /// (`Fenced` where another does).
    pub fn folder(path: &std::path::Path) -> Result<Store> {
        Store::folder_on(Arc::new(RealDisk), path)
    }

    /// The same on a disk of the caller's.
    #[doc(hidden)]
    pub fn folder_on(disk: Arc<dyn Disk>, path: &std::path::Path) -> Result<Store> {
        let folder = Arc::new(Folder::open(disk, path)?);
        let name = path.display().to_string();
        let store = Store::new(Arc::clone(&folder) as _, Path::default(), name, false);
        Ok(Store { folder: Some(folder), ..store })
    }

    /// Nothing outlives the process.
    pub fn memory() -> Store {
        Store::new(Arc::new(InMemory::new()), Path::default(), "memory:".to_owned(), false)
    }

    /// Any object store that this process has for itself.
    pub fn over(objects: Arc<dyn ObjectStore>, root: Path) -> Store {
        let name = objects.to_string();
        Store::new(objects, root, name, false)
    }

    /// Any object store that others may write to.
    pub fn bucket(objects: Arc<dyn ObjectStore>, root: Path, name: impl Into<String>) -> Store {
        Store::new(objects, root, name.into(), true)
    }

    fn new(objects: Arc<dyn ObjectStore>, root: Path, name: String, shared: bool) -> Store {
        let counters = Arc::<Counters>::default();
        let objects = Arc::new(Counted::new(objects, Arc::clone(&counters), shared));
        let (access, disk, folder) = (Access::default(), None, None);
        Store { objects, root, name: name.into(), shared, access, counters, disk, folder }
    }

    /// The same store with blocks of its segments kept in a local folder, up to so many bytes.
    pub fn with_disk_cache(mut self, folder: &std::path::Path, bytes: u64) -> Result<Store> {
        let cache = DiskCache::open(folder, bytes, Arc::clone(&self.counters))?;
        self.disk = Some(Arc::new(cache));
        Ok(self)
    }

    /// Leaves nothing to the next opening: in a folder, all objects are files once this returns, whoever still has the store.
    pub async fn settle(&self) {
        if let Some(folder) = &self.folder {
            folder.settle().await;
        }
    }

    /// The requests since it was opened: a row each area and kind.
    pub fn requests(&self) -> Vec<Requests> {
        self.counters.rows()
    }

    fn writable(&self, path: &Path) -> Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => {
                Err(Error::user(format!("{path}: {} is open for reading only", self.name)))
            }
        }
    }

    /// Creates the object, which must differ from what any other writer would put there (by an id in its bytes). An
    /// error other than `Busy` may mean that the object is there all the same.
    pub async fn create(&self, path: &Path, bytes: impl Into<Bytes>) -> Result<Created> {
        self.writable(path)?;
        let bytes = bytes.into();
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let put = self.objects.put_opts(path, bytes.clone().into(), PutMode::Create.into());
            let failure = match put.await {
                Ok(_) => return Ok(Created::New),
                Err(e @ object_store::Error::AlreadyExists { .. }) => {
                    match self.read_if_there(path).await? {
                        Some(there) if there == bytes => return Ok(Created::New),
                        Some(there) => return Ok(Created::Taken(there)),
                        // S3 says so as well (409) where two write at once and neither is done.
                        None => failed(path, e),
                    }
                }
                Err(e) => failed(path, e),
            };
            // A full disk has refused the object for certain.
            if attempt == ATTEMPTS || failure.kind != ErrorKind::Io {
                return Err(failure);
            }
            tracing::warn!(%path, attempt, "writing failed, trying again: {failure}");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Error::internal("a loop without end has ended"))
    }

    /// Puts an object that may be replaced: for hints only.
    pub async fn replace(&self, path: &Path, bytes: impl Into<Bytes>) -> Result<()> {
        self.writable(path)?;
        let put = self.objects.put(path, bytes.into().into()).await;
        put.map(|_| ()).map_err(|e| failed(path, e))
    }

    pub async fn read(&self, path: &Path) -> Result<Bytes> {
        let got = self.objects.get(path).await.map_err(|e| failed(path, e))?;
        got.bytes().await.map_err(|e| failed(path, e))
    }

    /// None where there is no such object.
    pub async fn read_if_there(&self, path: &Path) -> Result<Option<Bytes>> {
        match self.objects.get(path).await {
            Ok(got) => Ok(Some(got.bytes().await.map_err(|e| failed(path, e))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(failed(path, e)),
        }
    }

    /// Parts of an object, in the order given; those near each other by one request.
    pub async fn read_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.objects.get_ranges(path, ranges).await.map_err(|e| failed(path, e))
    }

    pub async fn exists(&self, path: &Path) -> Result<bool> {
        match self.objects.head(path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(failed(path, e)),
        }
    }

    /// All objects under `prefix`, by name.
    pub async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>> {
        let found = self.objects.list(Some(prefix)).try_collect().await;
        sorted(prefix, found)
    }

    /// The objects under `prefix` whose path is greater than `after`, by name.
    pub async fn list_after(&self, prefix: &Path, after: &Path) -> Result<Vec<ObjectMeta>> {
        let found = self.objects.list_with_offset(Some(prefix), after).try_collect().await;
        let mut found = sorted(prefix, found)?;
        // Azure's own parameter includes the first name, and its stand-in does not know it.
        found.retain(|object| object.location > *after);
        Ok(found)
    }

    /// The names of what lies directly under `prefix` as folders do, by name.
    pub async fn folders(&self, prefix: &Path) -> Result<Vec<String>> {
        let within = Some(prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let found = self.objects.list_with_delimiter(within).await;
        let found = found.map_err(|e| failed(prefix, e))?.common_prefixes;
        let mut names: Vec<_> =
            found.iter().filter_map(|p| p.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    /// It is no error where there is no such object.
    pub async fn delete(&self, path: &Path) -> Result<()> {
        self.writable(path)?;
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(failed(path, e)),
        }
    }

    /// The same of many, about in this order.
    pub async fn delete_all(&self, paths: &[Path]) -> Result<()> {
        if self.shared {
            for some in paths.chunks(DELETED_AT_ONCE) {
                try_join_all(some.iter().map(|path| self.delete(path))).await?;
            }
            return Ok(());
        }
        paths.iter().try_for_each(|path| self.writable(path))?;
        let mut done = self.objects.delete_stream(stream::iter(paths.to_vec()).map(Ok).boxed());
        while let Some(deleted) = done.next().await {
            match deleted {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(failed(paths.first().unwrap_or(&Path::default()), e)),
            }
        }
        Ok(())
    }
}

fn sorted(prefix: &Path, found: object_store::Result<Vec<ObjectMeta>>) -> Result<Vec<ObjectMeta>> {
    let mut found = found.map_err(|e| failed(prefix, e))?;
    found.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(found)
}

/// The store's error in our terms; `place` is what was being read or written.
pub(crate) fn failed(place: &Path, e: object_store::Error) -> Error {
    match e {
        object_store::Error::NotFound { .. } => Error::data(place, "the object is missing"),
        e if out_of_space(&e) => Error::new(ErrorKind::Full, format!("{place}: {e}"))
            .hint("nothing was written; free space on the disk, then try again"),
        e @ (object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. }) => Error::io(place, e)
            .hint("the rights of the folder, or the credentials of the bucket, do not allow this; docs/storage.md tells what is needed"),
        object_store::Error::Generic { source, .. } => Error::io(place, source),
        e => Error::io(place, e),
    }
}

fn out_of_space(e: &object_store::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(e) = source {
        if let Some(e) = e.downcast_ref::<io::Error>() {
            return matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        }
        source = e.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(e: io::ErrorKind, expect: ErrorKind) {
        let source = Box::new(io::Error::from(e));
        let error = failed(
            &Path::from("db/log/x"),
            object_store::Error::Generic { store: "folder", source },
        );
        assert_eq!(error.kind, expect, "{error}");
        assert!(error.message.starts_with("db/log/x: "), "{error}");
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        check(io::ErrorKind::StorageFull, ErrorKind::Full);
        check(io::ErrorKind::QuotaExceeded, ErrorKind::Full);
        check(io::ErrorKind::Other, ErrorKind::Io);
        check(io::ErrorKind::ReadOnlyFilesystem, ErrorKind::Io);
    }
}
