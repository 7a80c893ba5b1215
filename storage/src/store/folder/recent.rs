//! Objects that are durable in the journal and have no file of their own yet, in memory.

use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, Result,
};
use std::collections::HashSet;
use std::io;
use std::ops::Range;

/// Read before the files are: an object goes from here only when its file is there, or when it is removed.
#[derive(Debug, Default)]
pub(super) struct Recent(InMemory);

impl Recent {
    pub fn put(&self, path: &Path, payload: PutPayload) -> io::Result<()> {
        at_once(self.0.put(path, payload)).map(drop)
    }

    /// None: it is not here.
    pub fn content(&self, path: &Path) -> io::Result<Option<Bytes>> {
        let read = async { self.0.get(path).await?.bytes().await };
        match at_once(read) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self.0.list(None).next().now_or_never(), Some(None))
    }

    pub fn has(&self, path: &Path) -> io::Result<bool> {
        Ok(self.content(path)?.is_some())
    }

    /// What was here, and is here no more.
    pub fn take(&self, path: &Path) -> io::Result<Option<Bytes>> {
        let taken = self.content(path)?;
        at_once(self.0.delete(path))?;
        Ok(taken)
    }

    pub async fn get_opts(&self, path: &Path, options: GetOptions) -> Option<Result<GetResult>> {
        here(self.0.get_opts(path, options).await)
    }

    pub async fn get_ranges(
        &self,
        path: &Path,
        ranges: &[Range<u64>],
    ) -> Option<Result<Vec<Bytes>>> {
        here(self.0.get_ranges(path, ranges).await)
    }

    /// What `of` lists here, then what `files` lists besides: an object that gets its file meanwhile is in both.
    pub fn before<'a>(
        &self,
        of: impl FnOnce(&InMemory) -> BoxStream<'static, Result<ObjectMeta>>,
        files: impl FnOnce() -> BoxStream<'a, Result<ObjectMeta>>,
    ) -> BoxStream<'a, Result<ObjectMeta>> {
        let listed = of(&self.0).collect::<Vec<_>>().now_or_never().unwrap_or_default();
        let here: HashSet<Path> = listed.iter().flatten().map(|o| o.location.clone()).collect();
        let besides = files().filter(move |found| {
            let twice = found.as_ref().is_ok_and(|o| here.contains(&o.location));
            std::future::ready(!twice)
        });
        stream::iter(listed).chain(besides).boxed()
    }

    /// The same of one folder. To be asked before the files are.
    pub async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }
}

/// What is listed here and what is listed of the files, once each.
pub(super) fn both(here: ListResult, mut files: ListResult) -> ListResult {
    let known: HashSet<Path> = here.objects.iter().map(|o| o.location.clone()).collect();
    files.objects.retain(|o| !known.contains(&o.location));
    files.objects.extend(here.objects);
    files.common_prefixes.extend(here.common_prefixes);
    files.common_prefixes.sort_unstable();
    files.common_prefixes.dedup();
    files
}

fn here<T>(found: Result<T>) -> Option<Result<T>> {
    match found {
        Err(object_store::Error::NotFound { .. }) => None,
        found => Some(found),
    }
}

/// Memory never waits, so that threads may ask it.
fn at_once<T>(asked: impl Future<Output = Result<T>>) -> io::Result<T> {
    match asked.now_or_never() {
        Some(Ok(found)) => Ok(found),
        Some(Err(e @ object_store::Error::NotFound { .. })) => {
            Err(io::Error::new(io::ErrorKind::NotFound, e))
        }
        Some(Err(e)) => Err(io::Error::other(e)),
        None => Err(io::Error::other("memory was waited for")),
    }
}
