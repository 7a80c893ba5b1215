//! What a crash has left in a folder, before anything is read of it.

use super::journal::{self, Record};
use super::writer::write_all;
use super::{JOURNAL, TMP};
use crate::store::disk::Disk;
use object_store::PutPayload;
use std::io;
use std::path::Path as FilePath;

/// Everything that is seen in the folder from now on is whole, and stays.
pub(super) fn recover(disk: &dyn Disk, root: &FilePath) -> io::Result<()> {
    sweep(disk, &root.join(TMP))?;
    replay(disk, root)?;
    sync_above(disk, root)
}

/// Empties the folder of unfinished writes, made where it is missing.
fn sweep(disk: &dyn Disk, tmp: &FilePath) -> io::Result<()> {
    disk.create_folders(tmp)?;
    disk.entries(tmp)?.iter().try_for_each(|unfinished| disk.remove(unfinished))
}

/// Makes true of the files what the journals say, and removes these.
fn replay(disk: &dyn Disk, root: &FilePath) -> io::Result<()> {
    let said = journal::read(disk, root)?;
    for (path, record) in &said.of {
        let file = root.join(path);
        let Record::Put(content) = record else { continue };
        if disk.read(&file).is_ok_and(|there| there == *content) {
            disk.sync_file(&file)?;
            continue;
        }
        // Cut short by a loss of power, or not even begun.
        let tmp = root.join(TMP).join("replayed");
        write_all(disk.create(&tmp)?, &PutPayload::from(content.clone()))?;
        disk.create_folders(file.parent().unwrap_or(root))?;
        disk.rename(&tmp, &file)?;
    }
    sync_all(disk, root)?;
    for file in &said.files {
        match said.damaged.contains(file) {
            true => disk.rename(file, &file.with_extension("damaged"))?,
            false => disk.remove(file)?,
        }
        disk.sync_folder(&root.join(JOURNAL))?;
    }
    Ok(())
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
