//! Copies of a database in another store, and back.
//!
//! A backup holds the objects of the database under their names, and `backups/<n>.json`, its [`manifest`]: which objects it
//! is made of, their hashes, and the head of the log. Objects never change, so a further backup copies what is new; it is
//! complete once its manifest is there. [`save`] makes one, [`restore`] brings the newest back.
//!
//! A folder has one owner, so a backup of it is made while no server has it open. A bucket will not have that bound: its
//! objects are read while a server goes on writing, and what the log was when it was listed is a whole history.
//!
//! **Invariant:** what is copied was checked first, and no object of a store is ever replaced.

mod manifest;
mod restore;
mod save;

pub(crate) use manifest::check as check_manifest;
pub use restore::{Restored, restore};
pub use save::{BackupOptions, Saved, backup};

use crate::error::{Error, Result};
use crate::store::{Created, Pile, Store};
use bytes::Bytes;
use object_store::path::Path;

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyProgress {
    pub objects: u64,
    pub of_objects: u64,
    pub bytes: u64,
    pub of_bytes: u64,
}

/// What was copied, and what was there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub new: Pile,
    pub kept: Pile,
}

/// Counts, and tells how far it is.
struct Count<'a> {
    copied: Copied,
    of: Pile,
    tell: &'a mut (dyn FnMut(CopyProgress) + Send),
}

impl Count<'_> {
    fn count_new(&mut self, bytes: u64) {
        add(&mut self.copied.new, bytes);
        self.told();
    }

    fn kept(&mut self, bytes: u64) {
        add(&mut self.copied.kept, bytes);
        self.told();
    }

    fn told(&mut self) {
        let Copied { new, kept } = self.copied;
        (self.tell)(CopyProgress {
            objects: new.objects + kept.objects,
            of_objects: self.of.objects,
            bytes: new.bytes + kept.bytes,
            of_bytes: self.of.bytes,
        });
    }
}

fn add(pile: &mut Pile, bytes: u64) {
    pile.objects += 1;
    pile.bytes += bytes;
}

/// Creates an object; the same one may be there already.
async fn put(store: &Store, path: &Path, bytes: Bytes) -> Result<()> {
    match store.create(path, bytes).await? {
        Created::New => Ok(()),
        Created::Taken(_) => Err(other_object(path)),
    }
}

fn other_object(path: &Path) -> Error {
    Error::user(format!("{path}: another object of that name is there already")).hint(
        "the two tell different histories, or that object is damaged; nothing of it was changed",
    )
}

/// `path` within a database's folder, under that folder.
fn under(folder: &Path, within: &str) -> Path {
    within.split('/').fold(folder.clone(), |path, part| path.join(part))
}

/// The path within a database's folder.
fn within(folder: &Path, path: &Path) -> String {
    let parts = path.prefix_match(folder).into_iter().flatten();
    parts.map(|p| p.as_ref().to_owned()).collect::<Vec<_>>().join("/")
}
