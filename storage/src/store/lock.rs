//! The lock that makes one process the owner of a folder.

use crate::error::{Error, ErrorKind, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

/// Released by the system when the file is closed, so also by `kill -9`.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(super) fn take(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|e| Error::io(path.display(), e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(folder, &mut file)),
            Err(TryLockError::Error(e)) => {
                let hint = "DaoDB needs a file system with file locks; choose another folder";
                return Err(Error::io(path.display(), e).hint(hint));
            }
        }
        // Who holds it is only for the message of the one who comes second.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(Self { _file: file })
    }
}

fn taken(folder: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let holder = match holder.trim().parse::<u32>() {
        Ok(pid) if pid == std::process::id() => "this same process".to_owned(),
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    };
    let message = format!("the folder {} is in use by {holder}", folder.display());
    Error::new(ErrorKind::Fenced, message)
        .hint("stop that process, or give this one another folder; one process owns a folder")
}
