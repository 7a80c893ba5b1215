//! A local folder as a durable object store.
//!
//! object_store 0.13's `LocalFileSystem` never syncs, so it only reads here. An object is written to a file under `.tmp`,
//! synced, linked to its name (which fails where the name is taken) and the folder that holds the name is synced: all
//! before the write is acknowledged. A crash leaves the whole object or none, and at worst a file under `.tmp`, which
//! the next opening sweeps away.

use super::disk::{Disk, DiskFile, Lock, Reader};
use crate::error::{Error, Result};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, future, stream::BoxStream};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, UploadPart,
};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const TMP: &str = ".tmp";
const LOCK: &str = ".lock";

#[derive(Debug)]
pub(super) struct Folder {
    reader: Arc<dyn Reader>,
    writer: Arc<Writer>,
}

/// Shared with the threads that write, so that the lock outlives the last of them.
#[derive(Debug)]
struct Writer {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    next_tmp: AtomicU64,
    /// Folders whose own entries are known to be on disk.
    durable: Mutex<HashSet<PathBuf>>,
    /// Set once a sync has failed: what the disk holds is then unknown, and a second sync would wrongly succeed.
    broken: AtomicBool,
    _lock: Box<dyn Lock>,
}

impl Folder {
    pub(super) fn open(disk: Arc<dyn Disk>, path: &FilePath) -> Result<Self> {
        let there = |e: io::Error| {
            Error::io(path.display(), e).hint("give a folder that this user may write to")
        };
        disk.create_folders(path).map_err(there)?;
        let root = disk.canonical(path).map_err(there)?;
        let lock = disk.lock(&root, LOCK)?;
        sweep(&*disk, &root.join(TMP)).map_err(there)?;
        sync_all(&*disk, &root).map_err(there)?;
        sync_above(&*disk, &root).map_err(there)?;
        let reader = disk.reader(&root)?;
        let writer = Writer {
            disk,
            root,
            next_tmp: AtomicU64::new(0),
            durable: Mutex::default(),
            broken: AtomicBool::new(false),
            _lock: lock,
        };
        Ok(Self { reader, writer: Arc::new(writer) })
    }

    fn file(&self, location: &Path) -> object_store::Result<PathBuf> {
        self.reader.file(location)
    }
}

/// Empties the folder of unfinished writes, made where it is missing.
fn sweep(disk: &dyn Disk, tmp: &FilePath) -> io::Result<()> {
    disk.create_folders(tmp)?;
    disk.entries(tmp)?.iter().try_for_each(|unfinished| disk.remove(unfinished))
}

/// What a process named and died before it made the name durable is seen from now on, so it must stay.
fn sync_all(disk: &dyn Disk, folder: &FilePath) -> io::Result<()> {
    disk.folders(folder)?.iter().try_for_each(|inner| sync_all(disk, inner))?;
    disk.sync_folder(folder)
}

/// The folders above may be new as well, made now or by a process that died. One that cannot be synced at all is not ours.
fn sync_above(disk: &dyn Disk, root: &FilePath) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    for above in root.ancestors().skip(1) {
        match disk.sync_folder(above).map_err(|e| (e.kind(), e)) {
            Ok(()) => {}
            Err((InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported, _)) => break,
            Err((_, e)) => return Err(e),
        }
    }
    Ok(())
}

impl Writer {
    fn tmp_file(&self) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        self.refuse_if_broken()?;
        let n = self.next_tmp.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(TMP).join(n.to_string());
        let file = self.disk.create(&path).map_err(|e| match e.kind() {
            // Else it would read as if the object were missing.
            io::ErrorKind::NotFound => io::Error::other(format!("{} is gone", path.display())),
            _ => e,
        })?;
        Ok((path, file))
    }

    fn put(&self, file: &FilePath, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
        let (tmp, out) = self.tmp_file()?;
        let done = write_all(out, payload).and_then(|()| self.publish(&tmp, file, mode));
        let _ = self.disk.remove(&tmp);
        done
    }

    /// Gives a synced file its name, durably.
    fn publish(&self, tmp: &FilePath, file: &FilePath, mode: &PutMode) -> io::Result<()> {
        let folder = file.parent().unwrap_or(&self.root);
        self.ensure_folder(folder)?;
        let named = match mode {
            PutMode::Create => self.link(tmp, file),
            _ => self.disk.rename(tmp, file),
        };
        match named {
            Ok(()) => self.sync_names(folder),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                // Whoever learns that an object is there may rely on it.
                self.sync_names(folder)?;
                Err(e)
            }
            Err(e) => Err(e),
        }
    }

    fn link(&self, tmp: &FilePath, file: &FilePath) -> io::Result<()> {
        match self.disk.link(tmp, file) {
            Err(e) if no_hard_links(&e) => {
                // We are the only process here: under a lock of our own, looking and renaming are one step.
                let _one_at_a_time = self.durable.lock();
                if self.disk.exists(file)? {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                self.disk.rename(tmp, file)
            }
            done => done,
        }
    }

    /// Makes a folder and those above it, up to the root, durable: once in the life of a process, also where they were
    /// there, because the process that made them may have died before their sync.
    fn ensure_folder(&self, folder: &FilePath) -> io::Result<()> {
        let mut durable = self.durable.lock();
        if durable.contains(folder) {
            return Ok(());
        }
        self.disk.create_folders(folder)?;
        for above in folder.ancestors().skip(1).take_while(|p| p.starts_with(&self.root)) {
            self.sync_names(above)?;
        }
        durable.insert(folder.to_owned());
        Ok(())
    }

    fn sync_names(&self, folder: &FilePath) -> io::Result<()> {
        self.refuse_if_broken()?;
        self.disk.sync_folder(folder).map_err(|e| {
            self.broken.store(true, Ordering::Relaxed);
            // Not the kind of `e`: a full disk here does not mean that nothing was written.
            io::Error::other(format!("syncing the folder {} failed: {e}", folder.display()))
        })
    }

    fn refuse_if_broken(&self) -> io::Result<()> {
        if !self.broken.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(io::Error::other(
            "a sync has failed before, so what the disk holds is unknown; check the disk and start again",
        ))
    }

    fn delete(&self, file: &FilePath) -> io::Result<()> {
        self.refuse_if_broken()?;
        self.disk.remove(file)?;
        self.sync_names(file.parent().unwrap_or(&self.root))
    }
}

fn write_all(mut out: Box<dyn DiskFile>, payload: &PutPayload) -> io::Result<()> {
    out.write_at(0, payload)?;
    out.sync()
}

fn no_hard_links(e: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, Unsupported};
    matches!(e.kind(), Unsupported | PermissionDenied | CrossesDevices)
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
    let done = match writer.disk.is_instant() {
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
        write!(f, "folder {}", self.writer.root.display())
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
        blocking(&self.writer, location, move |writer| writer.put(&file, &payload, &opts.mode))
            .await?;
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
        self.reader.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<bytes::Bytes>> {
        self.reader.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let (reader, writer) = (Arc::clone(&self.reader), Arc::clone(&self.writer));
        let delete = move |location: Path| {
            let (file, writer) = (reader.file(&location), Arc::clone(&writer));
            async move {
                let file = file?;
                blocking(&writer, &location, move |writer| writer.delete(&file)).await?;
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        ours(self.reader.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        ours(self.reader.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let mut found = self.reader.list_with_delimiter(prefix).await?;
        found.objects.retain(|o| is_ours(&o.location));
        found.common_prefixes.retain(is_ours);
        Ok(found)
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

/// The lock and unfinished writes are no objects.
fn is_ours(location: &Path) -> bool {
    let first = location.parts().next();
    first.is_none_or(|p| p.as_ref() != TMP && p.as_ref() != LOCK)
}

fn ours(
    found: BoxStream<'static, object_store::Result<ObjectMeta>>,
) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
    found.try_filter(|o| future::ready(is_ours(&o.location))).boxed()
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
        let work = move |writer: &Writer| {
            out.lock().sync()?;
            writer.publish(&tmp, &file, &PutMode::Overwrite)
        };
        blocking(&self.writer, &self.location, work).await?;
        Ok(put_result())
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        let tmp = self.tmp.clone();
        blocking(&self.writer, &self.location, move |writer| writer.disk.remove(&tmp)).await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Gone already where the upload was completed.
        let _ = self.writer.disk.remove(&self.tmp);
    }
}
