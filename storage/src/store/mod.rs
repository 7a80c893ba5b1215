//! Object stores: a durable local folder with one owner, and memory; all through object_store's traits.
//!
//! A write is an object that is created whole, once. [`Store::create`] is the one place that settles what happened to a
//! write whose answer was lost: the object that lies under the name is compared with what was to be written.

mod disk;
mod folder;
mod lock;
mod usage;

pub use disk::{Disk, DiskFile, Lock, Reader};
pub use usage::{Pile, Usage};

use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use disk::RealDisk;
use folder::Folder;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, path::Path};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How often a write whose outcome is unknown is tried, with doubling pauses from `FIRST_PAUSE`.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// A place where databases lie. Clones share it; the folder's lock is held until the last one is dropped.
#[derive(Clone)]
pub struct Store {
    pub objects: Arc<dyn ObjectStore>,
    /// The prefix under which everything lies (empty for a folder).
    pub root: Path,
    /// Whether other processes may read and write here; a folder has a lock, and memory is nobody else's.
    pub shared: bool,
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
    /// A local folder, made where it is missing. Creates are atomic and durable when they return; one process owns it
    /// (`Fenced` where another does).
    pub fn folder(path: &std::path::Path) -> Result<Store> {
        Store::folder_on(Arc::new(RealDisk), path)
    }

    /// The same on a disk of the caller's.
    #[doc(hidden)]
    pub fn folder_on(disk: Arc<dyn Disk>, path: &std::path::Path) -> Result<Store> {
        Ok(Store::of(Arc::new(Folder::open(disk, path)?), false))
    }

    /// Nothing outlives the process.
    pub fn memory() -> Store {
        Store::of(Arc::new(InMemory::new()), false)
    }

    /// Any store that creates only where nothing is.
    pub fn of(objects: Arc<dyn ObjectStore>, shared: bool) -> Store {
        Store { objects, root: Path::default(), shared }
    }

    /// Creates the object, which must differ from what any other writer would put there (by an id in its bytes). An
    /// error other than `Busy` may mean that the object is there all the same.
    pub async fn create(&self, path: &Path, bytes: impl Into<Bytes>) -> Result<Created> {
        let bytes = bytes.into();
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let put = self.objects.put_opts(path, bytes.clone().into(), PutMode::Create.into());
            let failure = match put.await {
                Ok(_) => return Ok(Created::New),
                Err(object_store::Error::AlreadyExists { .. }) => {
                    let there = self.read(path).await?;
                    return Ok(if there == bytes { Created::New } else { Created::Taken(there) });
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

    /// All objects under `prefix`, by name.
    pub async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>> {
        let found = self.objects.list(Some(prefix)).try_collect().await;
        sorted(prefix, found)
    }

    /// The objects under `prefix` whose path is greater than `after`, by name.
    pub async fn list_after(&self, prefix: &Path, after: &Path) -> Result<Vec<ObjectMeta>> {
        let found = self.objects.list_with_offset(Some(prefix), after).try_collect().await;
        sorted(prefix, found)
    }

    /// The names of what lies directly under `prefix` as folders do, by name.
    pub async fn folders(&self, prefix: &Path) -> Result<Vec<String>> {
        let found = self.objects.list_with_delimiter(Some(prefix)).await;
        let found = found.map_err(|e| failed(prefix, e))?.common_prefixes;
        let mut names: Vec<_> =
            found.iter().filter_map(|p| p.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    /// It is no error where there is no such object.
    pub async fn delete(&self, path: &Path) -> Result<()> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(failed(path, e)),
        }
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
        e if out_of_space(&e) => Error::new(ErrorKind::Busy, format!("{place}: {e}"))
            .hint("nothing was written; free space on the disk, then try again"),
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
    fn a_full_disk_is_busy_and_other_failures_are_io() {
        check(io::ErrorKind::StorageFull, ErrorKind::Busy);
        check(io::ErrorKind::QuotaExceeded, ErrorKind::Busy);
        check(io::ErrorKind::Other, ErrorKind::Io);
        check(io::ErrorKind::ReadOnlyFilesystem, ErrorKind::Io);
    }
}
