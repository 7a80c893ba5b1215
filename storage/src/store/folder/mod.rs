//! A local folder as a durable object store.
//!
//! object_store 0.13's `LocalFileSystem` never syncs, so it only reads here. An object is written to a file under `.tmp`,
//! synced, linked to its name (which fails where the name is taken) and the folder that holds the name is synced: all
//! before the write is acknowledged. A crash leaves the whole object or none, and at worst a file under `.tmp`, which
//! the next opening sweeps away.
//!
//! A small object is durable in the [`journal`] instead, which takes one sync, and is read from memory; it gets its own
//! file when the journal is full or little is put for a second, or at the next opening.

mod journal;
mod recent;
mod recover;
mod writer;

use super::disk::{Disk, DiskFile, Reader};
use crate::error::{Error, Result};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, future, stream, stream::BoxStream};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, UploadPart,
};
use parking_lot::Mutex;
use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use writer::Writer;

const TMP: &str = ".tmp";
const LOCK: &str = ".lock";
const JOURNAL: &str = ".journal";
/// Small objects get their files after so long with few puts, full journal or not.
const QUIET: Duration = Duration::from_secs(1);
/// The files of so many cost next to nothing.
const FEW_PUTS: u64 = 100;
/// Objects deleted at once, with one sync for all of them.
const DELETED_AT_ONCE: usize = 256;

#[derive(Debug)]
pub(super) struct Folder {
    reader: Arc<dyn Reader>,
    writer: Arc<Writer>,
    puts: Arc<AtomicU64>,
    /// True: the folder is being given up. Whoever tends it in the background holds this while it has the writer.
    closed: Arc<Mutex<bool>>,
}

impl Folder {
    pub(super) fn open(disk: Arc<dyn Disk>, path: &FilePath) -> Result<Self> {
        let there = |e: io::Error| {
            Error::io(path.display(), e).hint("give a folder that this user may write to")
        };
        disk.create_folders(path).map_err(there)?;
        let root = disk.canonical(path).map_err(there)?;
        let lock = disk.lock(&root, LOCK)?;
        recover::recover(&*disk, &root).map_err(there)?;
        let reader = disk.reader(&root)?;
        let writer = Writer::new(disk, root, lock);
        let (puts, closed) = (Arc::default(), Arc::default());
        Ok(Self { reader, writer: Arc::new(writer), puts, closed })
    }

    /// Gives all objects their files, so that nothing is left to the next opening, and nothing depends on who lets go of
    /// the folder last.
    pub async fn settle(&self) {
        let work = |writer: &Writer| {
            writer.close_or_warn();
            Ok(())
        };
        if let Err(e) = blocking(&self.writer, &Path::default(), work).await {
            tracing::warn!("the journal stays for the next opening: {e}");
        }
    }

    fn file(&self, location: &Path) -> object_store::Result<PathBuf> {
        self.reader.file(location)
    }

    /// While a put waits for the disk, not after it: what follows would wait for this.
    fn tend(&self) {
        if self.writer.is_instant() {
            // One step, so that a test sees all that may lie between two.
            let _ = self.writer.tend();
        } else if self.writer.wants_tending() {
            let (writer, closed) = (Arc::downgrade(&self.writer), Arc::clone(&self.closed));
            tokio::task::spawn_blocking(move || writer::tend(&writer, &closed));
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
    }

    /// Before and after a put: one that was under way in the quiet moment waits for the next.
    fn await_quiet(&self) {
        if !self.writer.is_instant() && self.writer.wants_quiet() {
            let (writer, closed) = (Arc::downgrade(&self.writer), Arc::clone(&self.closed));
            tokio::spawn(when_quiet(Arc::clone(&self.puts), writer, closed));
        }
    }
}

/// Waits until for a while little was put: then whoever looks into the folder finds all objects as files.
async fn when_quiet(puts: Arc<AtomicU64>, writer: Weak<Writer>, closed: Arc<Mutex<bool>>) {
    loop {
        let before = puts.load(Ordering::Relaxed);
        tokio::time::sleep(QUIET).await;
        if puts.load(Ordering::Relaxed) - before < FEW_PUTS {
            break;
        }
    }
    tokio::task::spawn_blocking(move || writer::settle_all(&writer, &closed));
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Waits for the background to let go of the writer, which has the folder's lock.
        *self.closed.lock() = true;
    }
}

/// `path` is the object's, for the message.
fn store_error(path: &Path, source: io::Error) -> object_store::Error {
    let (path, kind) = (path.to_string(), source.kind());
    let source = Box::new(source);
    match kind {
        io::ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path, source },
        io::ErrorKind::NotFound => object_store::Error::NotFound { path, source },
        io::ErrorKind::PermissionDenied => object_store::Error::PermissionDenied { path, source },
        _ => object_store::Error::Generic { store: "folder", source },
    }
}

/// File work blocks, so it leaves the thread of the caller.
async fn blocking<T: Send + 'static>(
    writer: &Arc<Writer>,
    path: &Path,
    work: impl FnOnce(&Writer) -> io::Result<T> + Send + 'static,
) -> object_store::Result<T> {
    let done = match writer.is_instant() {
        true => work(writer),
        false => {
            let writer = Arc::clone(writer);
            tokio::task::spawn_blocking(move || work(&writer)).await?
        }
    };
    done.map_err(|e| store_error(path, e))
}

fn put_result() -> PutResult {
    PutResult { e_tag: None, version: None }
}

impl std::fmt::Display for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "folder {}", self.writer.root().display())
    }
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        if let PutMode::Update(_) = opts.mode {
            return Err(object_store::Error::NotImplemented {
                operation: "PutMode::Update".into(),
                implementer: self.to_string(),
            });
        }
        let file = self.file(location)?;
        self.tend();
        self.await_quiet();
        let at = location.clone();
        let work = move |writer: &Writer| writer.put(&file, &at, &payload, &opts.mode);
        let put = blocking(&self.writer, location, work).await;
        self.await_quiet();
        put?;
        Ok(put_result())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let (writer, location, file) =
            (Arc::clone(&self.writer), location.clone(), self.file(location)?);
        let (tmp, out) = blocking(&writer, &location, Writer::tmp_file).await?;
        let out = Arc::new(Mutex::new(out));
        Ok(Box::new(Upload { writer, location, file, tmp, out, offset: 0 }))
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        match self.writer.recent().get_opts(location, options.clone()).await {
            Some(found) => found,
            None => self.reader.get_opts(location, options).await,
        }
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<bytes::Bytes>> {
        match self.writer.recent().get_ranges(location, ranges).await {
            Some(found) => found,
            None => self.reader.get_ranges(location, ranges).await,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let (reader, writer) = (Arc::clone(&self.reader), Arc::clone(&self.writer));
        let delete = move |some: Vec<object_store::Result<Path>>| {
            let (reader, writer) = (Arc::clone(&reader), Arc::clone(&writer));
            async move { stream::iter(delete(&reader, &writer, some).await) }
        };
        locations.ready_chunks(DELETED_AT_ONCE).then(delete).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let files = || ours(self.reader.files(prefix, None));
        self.writer.recent().before(|recent| recent.list(prefix), files)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let files = || ours(self.reader.files(prefix, Some(offset)));
        self.writer.recent().before(|recent| recent.list_with_offset(prefix, offset), files)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let recent = self.writer.recent().list_with_delimiter(prefix).await?;
        let mut files = self.reader.list_with_delimiter(prefix).await?;
        files.objects.retain(|o| is_ours(&o.location));
        files.common_prefixes.retain(is_ours);
        Ok(recent::both(recent, files))
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        let payload = self.get_opts(from, GetOptions::default()).await?.bytes().await?;
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.put_opts(to, payload.into(), mode.into()).await.map(|_| ())
    }
}

/// The lock, the journal and unfinished writes are no objects.
fn is_ours(location: &Path) -> bool {
    let first = location.parts().next();
    first.is_none_or(|p| ![TMP, LOCK, JOURNAL].contains(&p.as_ref()))
}

fn ours(
    found: BoxStream<'static, object_store::Result<ObjectMeta>>,
) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
    found.try_filter(|o| future::ready(is_ours(&o.location))).boxed()
}

/// One result for each location.
async fn delete(
    reader: &Arc<dyn Reader>,
    writer: &Arc<Writer>,
    locations: Vec<object_store::Result<Path>>,
) -> Vec<object_store::Result<Path>> {
    let (mut named, mut objects, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for location in locations {
        match location.and_then(|location| Ok((reader.file(&location)?, location))) {
            Ok((file, location)) => {
                named.push(location.clone());
                objects.push((file, location));
            }
            Err(e) => done.push(Err(e)),
        }
    }
    let some = named.first().cloned().unwrap_or_default();
    match blocking(writer, &some, move |writer| writer.delete(&objects)).await {
        Ok(removed) => done.extend(named.into_iter().zip(removed).map(|(location, removed)| {
            removed.map_err(|e| store_error(&location, e)).map(|()| location)
        })),
        Err(e) => done.push(Err(e)),
    }
    done
}

/// An object too large for one payload. Nothing is seen under its name before it is complete and synced.
#[derive(Debug)]
struct Upload {
    writer: Arc<Writer>,
    location: Path,
    file: PathBuf,
    tmp: PathBuf,
    out: Arc<Mutex<Box<dyn DiskFile>>>,
    offset: u64,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (out, offset) = (Arc::clone(&self.out), self.offset);
        self.offset += data.content_length() as u64;
        let (writer, location) = (Arc::clone(&self.writer), self.location.clone());
        Box::pin(async move {
            blocking(&writer, &location, move |_| out.lock().write_at(offset, &data)).await
        })
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let (out, tmp, file) = (Arc::clone(&self.out), self.tmp.clone(), self.file.clone());
        let location = self.location.clone();
        let work = move |writer: &Writer| {
            out.lock().sync()?;
            writer.publish(&tmp, &file, &location, &PutMode::Overwrite)
        };
        blocking(&self.writer, &self.location, work).await?;
        Ok(put_result())
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        let tmp = self.tmp.clone();
        blocking(&self.writer, &self.location, move |writer| writer.remove_unfinished(&tmp)).await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Gone already where the upload was completed.
        let _ = self.writer.remove_unfinished(&self.tmp);
    }
}
