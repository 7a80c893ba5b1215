//! What writes to a folder, on whatever thread.

use super::TMP;
use super::journal::{self, Journal};
use crate::store::disk::{Disk, DiskFile, Lock};
use object_store::{PutMode, PutPayload};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// A file under `.tmp`.
pub(super) type Unfinished = (PathBuf, Box<dyn DiskFile>);

/// Files that the background syncs before it looks whether it is still wanted.
const SYNCED_AT_ONCE: usize = 4;

/// Shared with the threads that write, so that the lock outlives the last of them.
#[derive(Debug)]
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    next_tmp: AtomicU64,
    /// Folders whose own entries are known to be on disk.
    durable: Mutex<HashSet<PathBuf>>,
    journal: Mutex<Journal>,
    /// A file under `.tmp` that is made already: making one can take as long as a sync.
    spare: Mutex<Option<Unfinished>>,
    /// Second names under `.tmp` of objects that have theirs.
    leftovers: Mutex<Vec<PathBuf>>,
    /// Somebody is about to look what there is to be done in the background.
    is_tended: AtomicBool,
    /// Set once a sync has failed: what the disk holds is then unknown, and a second sync would wrongly succeed.
    broken: AtomicBool,
    _lock: Box<dyn Lock>,
}

impl Writer {
    /// Of a folder in which a crash has left nothing.
    pub(super) fn new(disk: Arc<dyn Disk>, root: PathBuf, lock: Box<dyn Lock>) -> Writer {
        Writer {
            disk,
            journal: Mutex::new(Journal::new(&root)),
            root,
            next_tmp: AtomicU64::new(0),
            durable: Mutex::default(),
            spare: Mutex::default(),
            leftovers: Mutex::default(),
            is_tended: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            _lock: lock,
        }
    }

    pub(super) fn root(&self) -> &FilePath {
        &self.root
    }

    pub(super) fn is_instant(&self) -> bool {
        self.disk.is_instant()
    }

    /// True once, until somebody looks.
    pub(super) fn wants_tending(&self) -> bool {
        !self.is_tended.swap(true, Ordering::SeqCst)
    }

    pub(super) fn take_spare(&self) -> Option<Unfinished> {
        self.spare.lock().take()
    }

    pub(super) fn remove_unfinished(&self, tmp: &FilePath) -> io::Result<()> {
        self.disk.remove(tmp)
    }

    pub(super) fn tmp_file(&self) -> io::Result<Unfinished> {
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

    pub(super) fn put(
        &self,
        spare: Option<Unfinished>,
        file: &FilePath,
        payload: &PutPayload,
        mode: &PutMode,
    ) -> io::Result<()> {
        let (tmp, out) = spare.map_or_else(|| self.tmp_file(), Ok)?;
        let done = match (mode, self.in_journal(file)) {
            (PutMode::Create, Some(path)) if payload.content_length() <= journal::LARGEST => {
                self.put_in_journal((&tmp, out), file, path, payload)
            }
            _ => write_all(out, payload).and_then(|()| self.publish(&tmp, file, mode)),
        };
        match done {
            // Not now: the folder may be locked for as long as it takes to make the next spare.
            Ok(()) => self.leftovers.lock().push(tmp),
            Err(_) => drop(self.disk.remove(&tmp)),
        }
        done
    }

    /// By what path the journal knows a file.
    fn in_journal<'a>(&self, file: &'a FilePath) -> Option<&'a str> {
        let path = file.strip_prefix(&self.root).ok()?.to_str()?;
        (path.len() <= usize::from(u16::MAX)).then_some(path)
    }

    /// The record is durable before the name is there: so a loss of power never leaves a half written object that no journal
    /// knows.
    fn put_in_journal(
        &self,
        (tmp, mut out): (&FilePath, Box<dyn DiskFile>),
        file: &FilePath,
        path: &str,
        payload: &PutPayload,
    ) -> io::Result<()> {
        self.refuse_if_broken()?;
        out.write_at(0, payload)?;
        let folder = file.parent().unwrap_or(&self.root);
        self.ensure_folder(folder)?;
        let mut journal = self.journal.lock();
        if self.disk.exists(file)? {
            // Whoever learns that an object is there may rely on it.
            if !journal.holds(path) {
                self.sync_names(folder)?;
            }
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        journal.put(&*self.disk, path, payload).map_err(|e| self.unless_full(e))?;
        let named = self.link(tmp, file);
        if named.is_err() {
            // Else the next opening would make it.
            journal.remove(&*self.disk, &[path]).map_err(|e| self.broken(&e.to_string()))?;
        }
        named
    }

    /// A file that is in the journal becomes durable by itself, and leaves the journal.
    fn take_out_of_journal(&self, file: &FilePath) -> io::Result<()> {
        let Some(path) = self.in_journal(file) else { return Ok(()) };
        let mut journal = self.journal.lock();
        if !journal.holds(path) {
            return Ok(());
        }
        self.sync_file(file)?;
        self.sync_names(file.parent().unwrap_or(&self.root))?;
        journal.remove(&*self.disk, &[path]).map_err(|e| self.unless_full(e))
    }

    /// A part of what can be done while nobody waits: a spare file, and syncs so that old journals can go. True: there is more.
    pub(super) fn tend(&self) -> io::Result<bool> {
        if self.broken.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.remove_leftovers();
        if self.spare.lock().is_none() {
            // A put that needs one tells why there is none.
            let spare = self.tmp_file().ok();
            *self.spare.lock() = spare;
        }
        let next = self.journal.lock().next_unsynced(SYNCED_AT_ONCE);
        match next {
            Some(some) => self.settle(&some).map(|()| true),
            None => self.journal.lock().remove_oldest(&*self.disk),
        }
    }

    fn remove_leftovers(&self) {
        let leftovers = std::mem::take(&mut *self.leftovers.lock());
        // What was renamed is gone already; what stays is swept away by the next opening.
        leftovers.iter().for_each(|tmp| drop(self.disk.remove(tmp)));
    }

    /// Makes the files of objects durable. Those that were removed meanwhile are no concern.
    fn settle(&self, paths: &[String]) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for path in paths {
            let file = self.root.join(path);
            match self.sync_file(&file) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                synced => synced?,
            }
            folders.insert(file.parent().unwrap_or(&self.root).to_owned());
        }
        folders.iter().try_for_each(|folder| self.sync_names(folder))
    }

    /// Leaves nothing to the next opening.
    fn close(&self) -> io::Result<()> {
        self.leftovers.lock().extend(self.take_spare().map(|(tmp, _)| tmp));
        self.remove_leftovers();
        self.refuse_if_broken()?;
        let mut journal = self.journal.lock();
        self.settle(&journal.all_unsynced())?;
        journal.clear(&*self.disk)
    }

    /// Gives a synced file its name, durably.
    pub(super) fn publish(
        &self,
        tmp: &FilePath,
        file: &FilePath,
        mode: &PutMode,
    ) -> io::Result<()> {
        let folder = file.parent().unwrap_or(&self.root);
        self.ensure_folder(folder)?;
        let named = match mode {
            PutMode::Create => self.link(tmp, file),
            _ => {
                self.take_out_of_journal(file)?;
                self.disk.rename(tmp, file)
            }
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
        let what = |e| self.broken(&format!("syncing the folder {} failed: {e}", folder.display()));
        self.disk.sync_folder(folder).map_err(what)
    }

    fn sync_file(&self, file: &FilePath) -> io::Result<()> {
        self.refuse_if_broken()?;
        self.disk.sync_file(file).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => e,
            _ => self.broken(&format!("syncing {} failed: {e}", file.display())),
        })
    }

    /// Not the kind of what happened: a full disk here does not mean that nothing was written.
    fn broken(&self, what: &str) -> io::Error {
        self.broken.store(true, Ordering::Relaxed);
        io::Error::other(what.to_owned())
    }

    /// The journal without room has not written.
    fn unless_full(&self, e: io::Error) -> io::Error {
        match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => e,
            _ => self.broken(&format!("writing to the journal failed: {e}")),
        }
    }

    fn refuse_if_broken(&self) -> io::Result<()> {
        if !self.broken.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(io::Error::other(
            "a sync has failed before, so what the disk holds is unknown; check the disk and start again",
        ))
    }

    /// One result for each file; none is there any more after a crash once this returns without an error.
    pub(super) fn delete(&self, files: &[PathBuf]) -> io::Result<Vec<io::Result<()>>> {
        self.refuse_if_broken()?;
        // Held until the journal knows: nobody puts an object there in between.
        let mut journal = self.journal.lock();
        let removed: Vec<_> = files.iter().map(|file| self.disk.remove(file)).collect();
        let folders: BTreeSet<_> = files.iter().filter_map(|file| file.parent()).collect();
        folders.into_iter().try_for_each(|folder| self.sync_names(folder))?;
        // Not before the names are gone for good: what comes back must be whole.
        let is_gone = |removed: &io::Result<()>| match removed {
            Ok(()) => true,
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
        let gone = files.iter().zip(&removed).filter(|(_, removed)| is_gone(removed));
        let known: Vec<&str> = gone.filter_map(|(file, _)| self.in_journal(file)).collect();
        journal.remove(&*self.disk, &known).map_err(|e| self.unless_full(e))?;
        Ok(removed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(e) = self.close() {
            tracing::warn!("the journal stays for the next opening: {e}");
        }
    }
}

/// Does what [`Writer::tend`] does until there is no more, or the folder is given up.
pub(super) fn tend(writer: &Weak<Writer>, closed: &Mutex<bool>) {
    loop {
        let closed = closed.lock();
        let Some(writer) = writer.upgrade().filter(|_| !*closed) else { return };
        // Before it looks: what comes after it has looked begins anew.
        writer.is_tended.store(false, Ordering::SeqCst);
        match writer.tend() {
            Ok(true) => writer.is_tended.store(true, Ordering::SeqCst),
            Ok(false) => return,
            Err(e) => return tracing::warn!("tending the folder: {e}"),
        }
    }
}

pub(super) fn write_all(mut out: Box<dyn DiskFile>, payload: &PutPayload) -> io::Result<()> {
    out.write_at(0, payload)?;
    out.sync()
}

fn no_hard_links(e: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, Unsupported};
    matches!(e.kind(), Unsupported | PermissionDenied | CrossesDevices)
}
