//! The operations on files that a folder is made of. A test hands in a disk of its own, which forgets what was not synced.

use super::lock::FolderLock;
use crate::error::{Error, Result};
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, PutPayload};
use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

/// What a folder asks of its disk. Paths are absolute, but for those of `exists`, `create_folders` and `canonical`.
pub trait Disk: Debug + Send + Sync + 'static {
    fn exists(&self, path: &FilePath) -> io::Result<bool>;
    /// Makes a folder and those above it, where they are missing.
    fn create_folders(&self, path: &FilePath) -> io::Result<()>;
    fn canonical(&self, path: &FilePath) -> io::Result<PathBuf>;
    /// Makes this process the folder's owner for as long as what is returned lives.
    fn lock(&self, folder: &FilePath, name: &str) -> Result<Box<dyn Lock>>;
    /// Reads and lists what lies under a folder.
    fn reader(&self, folder: &FilePath) -> Result<Arc<dyn Reader>>;
    /// A new file; an error where the name is taken.
    fn create(&self, path: &FilePath) -> io::Result<Box<dyn DiskFile>>;
    /// A second name for a file; an error where that is taken.
    fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()>;
    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()>;
    fn remove(&self, path: &FilePath) -> io::Result<()>;
    /// What lies directly in a folder.
    fn entries(&self, folder: &FilePath) -> io::Result<Vec<PathBuf>>;
    /// The folders that lie directly in a folder.
    fn folders(&self, folder: &FilePath) -> io::Result<Vec<PathBuf>>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &FilePath) -> io::Result<()>;
    /// Makes the contents of a file durable.
    fn sync_file(&self, path: &FilePath) -> io::Result<()>;
    /// All that a file holds.
    fn read(&self, path: &FilePath) -> io::Result<Vec<u8>>;
    /// How many objects go into one file of the journal.
    fn journal_records(&self) -> usize {
        2048
    }
    /// Whether no operation ever waits, so that none needs a thread of its own.
    fn is_instant(&self) -> bool {
        false
    }
}

/// Held by whoever owns a folder.
pub trait Lock: Debug + Send + Sync {}

/// Reads objects, and knows the files that they lie in.
pub trait Reader: ObjectStore {
    fn file(&self, location: &Path) -> object_store::Result<PathBuf>;
    /// What lies under `prefix` and comes after `after`, in any order.
    fn files(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>>;
}

/// A file that is being written.
pub trait DiskFile: Debug + Send {
    fn write_at(&mut self, offset: u64, payload: &PutPayload) -> io::Result<()>;
    /// Makes its contents durable, not its name.
    fn sync(&mut self) -> io::Result<()>;
}

/// The machine's own.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn exists(&self, path: &FilePath) -> io::Result<bool> {
        fs::exists(path)
    }

    fn create_folders(&self, path: &FilePath) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn canonical(&self, path: &FilePath) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn lock(&self, folder: &FilePath, name: &str) -> Result<Box<dyn Lock>> {
        Ok(Box::new(FolderLock::take(folder, name)?))
    }

    fn reader(&self, folder: &FilePath) -> Result<Arc<dyn Reader>> {
        let reader = LocalFileSystem::new_with_prefix(folder);
        Ok(Arc::new(reader.map_err(|e| Error::io(folder.display(), e))?))
    }

    fn create(&self, path: &FilePath) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::options().write(true).create_new(true).open(path)?)))
    }

    fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &FilePath) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn entries(&self, folder: &FilePath) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn folders(&self, folder: &FilePath) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    fn sync_folder(&self, folder: &FilePath) -> io::Result<()> {
        // Elsewhere a folder cannot be opened as a file, and its entries are journalled.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn sync_file(&self, path: &FilePath) -> io::Result<()> {
        File::options().write(true).open(path)?.sync_data()
    }

    fn read(&self, path: &FilePath) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
}

impl Lock for FolderLock {}

impl Reader for LocalFileSystem {
    fn file(&self, location: &Path) -> object_store::Result<PathBuf> {
        self.path_to_filesystem(location)
    }

    fn files(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        super::listing::list(self, prefix, after)
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn write_at(&mut self, offset: u64, payload: &PutPayload) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        payload.iter().try_for_each(|chunk| self.0.write_all(chunk))
    }

    fn sync(&mut self) -> io::Result<()> {
        // With all that reading them again takes, the file's size among it.
        self.0.sync_data()
    }
}
