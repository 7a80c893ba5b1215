//! What writes to a folder, on whatever thread.

use super::TMP;
use super::journal::{self, Journal};
use super::recent::Recent;
use crate::store::disk::{Disk, DiskFile, Lock};
use object_store::path::Path;
use object_store::{PutMode, PutPayload};
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

type Tending<'a> = MutexGuard<'a, ()>;

/// A file under `.tmp`.
pub(super) type Unfinished = (PathBuf, Box<dyn DiskFile>);

/// Objects that get their files before the background looks whether it is still wanted.
const FILED_AT_ONCE: usize = 4;
/// Files of the journal, beside the one in use, from which on a put does the background's work first.
const MOST_JOURNALS: usize = 4;

/// Shared with the threads that write, so that the lock outlives the last of them.
#[derive(Debug)]
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    next_tmp: AtomicU64,
    /// Folders whose own entries are known to be on disk.
    durable: Mutex<HashSet<PathBuf>>,
    journal: Mutex<Journal>,
    /// What the journal alone has; changed while the journal is held.
    recent: Recent,
    /// One at a time: an old journal goes after all of its objects have their files.
    tending: Mutex<()>,
    /// Somebody is about to look what there is to be done in the background.
    is_tended: AtomicBool,
    /// Somebody waits for a quiet moment, in which all objects get their files.
    is_awaited: AtomicBool,
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
            recent: Recent::default(),
            tending: Mutex::default(),
            is_tended: AtomicBool::new(false),
            is_awaited: AtomicBool::new(false),
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

    /// True once, until the quiet moment has come.
    pub(super) fn wants_quiet(&self) -> bool {
        !self.is_awaited.swap(true, Ordering::SeqCst)
    }

    pub(super) fn recent(&self) -> &Recent {
        &self.recent
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
        file: &FilePath,
        location: &Path,
        payload: &PutPayload,
        mode: &PutMode,
    ) -> io::Result<()> {
        if matches!(mode, PutMode::Create) && payload.content_length() <= journal::LARGEST {
            return self.put_in_journal(file, location, payload);
        }
        let (tmp, out) = self.tmp_file()?;
        write_all(out, payload)
            .and_then(|()| self.publish(&tmp, file, location, mode))
            .inspect_err(|_| drop(self.disk.remove(&tmp)))
    }

    /// One record, one sync. Its file is made later, if it is still there then.
    fn put_in_journal(
        &self,
        file: &FilePath,
        location: &Path,
        payload: &PutPayload,
    ) -> io::Result<()> {
        self.refuse_if_broken()?;
        let mut journal = self.journal.lock();
        while journal.older() > MOST_JOURNALS {
            drop(journal);
            // What is in the journal can get no files, so it takes no more. That is no news of the object to be put.
            self.tend().map_err(|e| match is_full(&e) {
                true => e,
                false => io::Error::other(format!("earlier objects get no files: {e}")),
            })?;
            self.refuse_if_broken()?;
            journal = self.journal.lock();
        }
        // Who had the journal before may have failed.
        self.refuse_if_broken()?;
        self.refuse_if_there(file, location)?;
        journal.put(&*self.disk, location.as_ref(), payload).map_err(|e| self.unless_full(e))?;
        self.recent.put(location, payload.clone())
    }

    /// Whoever learns that an object is there may rely on it. To be called with the journal held.
    fn refuse_if_there(&self, file: &FilePath, location: &Path) -> io::Result<()> {
        if self.recent.has(location)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if self.disk.exists(file)? {
            self.sync_names(file.parent().unwrap_or(&self.root))?;
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(())
    }

    /// An object that is in the journal leaves it, and stays as a file.
    fn take_out_of_journal(&self, location: &Path) -> io::Result<()> {
        self.settle(&self.tending.lock(), std::slice::from_ref(location))?;
        let mut journal = self.journal.lock();
        journal.remove(&*self.disk, &[location.as_ref()]).map_err(|e| self.unless_full(e))
    }

    /// A part of what can be done while nobody waits: files of objects, so that old journals can go. True: there is more.
    pub(super) fn tend(&self) -> io::Result<bool> {
        if self.broken.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let one = self.tending.lock();
        let next = self.journal.lock().next_to_file(FILED_AT_ONCE);
        match next {
            Some(some) => {
                let settled = self.settle(&one, &some);
                if settled.is_err() {
                    self.journal.lock().not_filed(some);
                }
                settled.map(|()| true)
            }
            None => self.remove_oldest(),
        }
    }

    /// Removes the oldest journal, all of whose objects have their files; false where it is not its turn.
    fn remove_oldest(&self) -> io::Result<bool> {
        let mut journal = self.journal.lock();
        let Some(oldest) = journal.done() else { return Ok(false) };
        match self.disk.remove(oldest) {
            // An earlier try came as far.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        // Before anything that it holds is removed or replaced without a record.
        self.sync_names(journal.folder())?;
        journal.forget_oldest();
        Ok(true)
    }

    /// Makes the files of objects, durably. Those that were removed meanwhile, or have their files, are no concern: whoever
    /// made these had the same lock until they were durable.
    fn settle(&self, _one: &Tending<'_>, locations: &[Path]) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        let settled = locations.iter().try_for_each(|location| {
            folders.extend(self.make_file(location)?);
            Ok(())
        });
        // After an error, too: those before it are read from their files from now on.
        folders.iter().try_for_each(|folder| self.sync_names(folder))?;
        settled
    }

    /// The folder that holds the name of the file that was made, not durable yet.
    fn make_file(&self, location: &Path) -> io::Result<Option<PathBuf>> {
        let Some(content) = self.recent.content(location)? else { return Ok(None) };
        let file = self.root.join(location.as_ref());
        let folder = file.parent().unwrap_or(&self.root);
        self.ensure_folder(folder)?;
        let (tmp, out) = self.tmp_file()?;
        let named = write_all(out, &PutPayload::from(content.clone())).and_then(|()| {
            // Nobody removes it in between.
            let _journal = self.journal.lock();
            // What was put there anew meanwhile is another journal's, and gets its file from that.
            if self.recent.content(location)?.as_ref() != Some(&content) {
                return Ok(false);
            }
            self.disk.rename(&tmp, &file)?;
            self.recent.take(location).map(|_| true)
        });
        match named {
            Ok(true) => Ok(Some(folder.to_owned())),
            unnamed => {
                let _ = self.disk.remove(&tmp);
                unnamed.map(|_| None)
            }
        }
    }

    fn settle_all(&self) -> io::Result<()> {
        self.refuse_if_broken()?;
        let one = self.tending.lock();
        let left = self.journal.lock().all_to_file();
        self.settle(&one, &left)
    }

    /// Leaves nothing to the next opening. Others may put meanwhile, and afterwards: that begins a new journal.
    fn close(&self) -> io::Result<()> {
        self.refuse_if_broken()?;
        let one = self.tending.lock();
        loop {
            let left = self.journal.lock().all_to_file();
            self.settle(&one, &left)?;
            let mut journal = self.journal.lock();
            // Who puts has the journal, so that nothing comes in between.
            if self.recent.is_empty() {
                return journal.clear(&*self.disk);
            }
        }
    }

    /// Nothing acknowledged is lost where that fails.
    pub(super) fn close_or_warn(&self) {
        if let Err(e) = self.close() {
            tracing::warn!("the journal stays for the next opening: {e}");
        }
    }

    /// Gives a synced file its name, durably.
    pub(super) fn publish(
        &self,
        tmp: &FilePath,
        file: &FilePath,
        location: &Path,
        mode: &PutMode,
    ) -> io::Result<()> {
        let folder = file.parent().unwrap_or(&self.root);
        self.ensure_folder(folder)?;
        match mode {
            PutMode::Create => {
                let _journal = self.journal.lock();
                self.refuse_if_there(file, location)?;
                self.link(tmp, file)?;
                // One name is enough; what stays is swept away by the next opening.
                drop(self.disk.remove(tmp));
            }
            _ => {
                self.take_out_of_journal(location)?;
                self.disk.rename(tmp, file)?;
            }
        }
        self.sync_names(folder)
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

    /// Not the kind of what happened: a full disk here does not mean that nothing was written.
    fn broken(&self, what: &str) -> io::Error {
        self.broken.store(true, Ordering::Relaxed);
        io::Error::other(what.to_owned())
    }

    /// The journal without room has not written.
    fn unless_full(&self, e: io::Error) -> io::Error {
        match is_full(&e) {
            true => e,
            false => self.broken(&format!("writing to the journal failed: {e}")),
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

    /// One result for each object; none is there any more after a crash once this returns without an error.
    pub(super) fn delete(&self, objects: &[(PathBuf, Path)]) -> io::Result<Vec<io::Result<()>>> {
        self.refuse_if_broken()?;
        // Held until the journal knows: nobody puts an object there in between, or makes its file.
        let mut journal = self.journal.lock();
        self.refuse_if_broken()?;
        let (mut removed, mut folders) = (Vec::with_capacity(objects.len()), BTreeSet::new());
        let mut forgotten = Vec::new();
        for (file, location) in objects {
            if let Some(content) = self.recent.take(location)? {
                forgotten.push((location, content));
                removed.push(Ok(()));
                continue;
            }
            let done = self.disk.remove(file);
            // What was gone before is gone for good: opening syncs all folders, and every removal its own.
            folders.extend(file.parent().filter(|_| done.is_ok()));
            removed.push(done);
        }
        folders.into_iter().try_for_each(|folder| self.sync_names(folder))?;
        // Not before the names are gone for good: what comes back must be whole.
        let is_gone = |removed: &io::Result<()>| match removed {
            Ok(()) => true,
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
        let gone = objects.iter().zip(&removed).filter(|(_, removed)| is_gone(removed));
        let known: Vec<&str> = gone.map(|((_, location), _)| location.as_ref()).collect();
        if let Err(e) = journal.remove(&*self.disk, &known) {
            // As the journal has it, they are there.
            for (location, content) in forgotten {
                self.recent.put(location, content.into())?;
            }
            return Err(self.unless_full(e));
        }
        Ok(removed)
    }
}

fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close_or_warn();
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

/// In a quiet moment: gives all objects their files, unless the folder is given up.
pub(super) fn settle_all(writer: &Weak<Writer>, closed: &Mutex<bool>) {
    let closed = closed.lock();
    let Some(writer) = writer.upgrade().filter(|_| !*closed) else { return };
    // Before it looks: what comes after it has looked begins anew.
    writer.is_awaited.store(false, Ordering::SeqCst);
    if let Err(e) = writer.settle_all() {
        tracing::warn!("small objects stay in the journal for now: {e}");
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
