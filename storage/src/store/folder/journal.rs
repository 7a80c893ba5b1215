//! The journal of a folder: a small object is durable here before its own file is.
//!
//! A new file takes two syncs, its own and that of the folder which holds its name, and each writes what the file system
//! keeps about it; making the file costs as much again. A record in a file that has its size already takes one sync, of its
//! bytes alone. Until it has a file the object is read from memory; it gets one when the journal is full, if it still lies
//! there by then.
//!
//! A journal is a row of files `.journal/<number>`, filled one after the other with zeros and then with records:
//! length (4 bytes), checksum (32), and so many bytes that say what is put where, or removed. The checksum covers the number
//! of the file and the record's place in it, so a record of another time is none. The records end where none is whole: only
//! the last one can be half written, and nobody was told of it. One that is damaged with a whole one behind it is passed over.

use super::JOURNAL;
use crate::store::disk::{Disk, DiskFile};
use object_store::PutPayload;
use object_store::path::Path;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::path::{Path as FilePath, PathBuf};

/// Larger objects are worth two syncs of their own.
pub(super) const LARGEST: usize = 32 << 10;
/// Zeros written at once.
const ROOM: u64 = 1 << 20;
/// A file takes no further record then.
const FULL: u64 = 8 << 20;

const HEAD: usize = 4 + 32;

/// What a record says of the file at a path under the folder.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    Put(Vec<u8>),
    Removed,
}

/// Writes records, and knows which objects depend on them.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    /// The newest last.
    files: VecDeque<File>,
    next: u64,
    /// Where the newest file goes on, and its size.
    at: u64,
    room: u64,
    out: Option<Box<dyn DiskFile>>,
}

/// One file of it, and the paths whose newest record it holds.
#[derive(Debug)]
struct File {
    path: PathBuf,
    number: u64,
    records: usize,
    objects: HashSet<String>,
    /// Those that may have no file yet. None: nobody has begun with them.
    unfiled: Option<Vec<Path>>,
}

impl Journal {
    /// Goes on after the files that there are: what they say must be true without them once they are removed.
    pub fn new(root: &FilePath) -> Journal {
        Journal { folder: folder(root), files: VecDeque::new(), next: 0, at: 0, room: 0, out: None }
    }

    /// Files beside the one in use.
    pub fn older(&self) -> usize {
        self.files.len().saturating_sub(1)
    }

    /// Whether an object would be made by the next opening.
    fn holds(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.objects.contains(path))
    }

    /// Durable once this returns. An error of the kind `StorageFull` for certain leaves no record; another leaves it open.
    pub fn put(&mut self, disk: &dyn Disk, path: &str, payload: &PutPayload) -> io::Result<()> {
        let mut body = Vec::with_capacity(3 + path.len() + payload.content_length());
        begin(&mut body, b'+', path);
        payload.iter().for_each(|bytes| body.extend_from_slice(bytes));
        self.append(disk, &[body])?;
        self.forget(path);
        if let Some(newest) = self.files.back_mut() {
            newest.objects.insert(path.to_owned());
        }
        Ok(())
    }

    /// The files at these paths are not made again from now on; durable as a put. Nothing is done where none of them is held.
    pub fn remove(&mut self, disk: &dyn Disk, paths: &[&str]) -> io::Result<()> {
        let held: Vec<&str> = paths.iter().copied().filter(|path| self.holds(path)).collect();
        if held.is_empty() {
            return Ok(());
        }
        let record = |path: &&str| {
            let mut body = Vec::new();
            begin(&mut body, b'-', path);
            body
        };
        self.append(disk, &held.iter().map(record).collect::<Vec<_>>())?;
        held.iter().for_each(|path| self.forget(path));
        Ok(())
    }

    fn forget(&mut self, path: &str) {
        for file in &mut self.files {
            file.objects.remove(path);
        }
    }

    /// An error of the kind `StorageFull` for certain leaves no record of these.
    fn append(&mut self, disk: &dyn Disk, bodies: &[Vec<u8>]) -> io::Result<()> {
        let len = bodies.iter().map(|body| (HEAD + body.len()) as u64).sum::<u64>();
        let full = self.files.back().is_none_or(|file| {
            file.records >= disk.journal_records() || self.at + len > FULL.max(len)
        });
        if full {
            self.begin_file(disk)?;
        }
        let (Some(file), Some(out)) = (self.files.back_mut(), &mut self.out) else {
            return Err(io::Error::other("the journal has no file"));
        };
        if self.at + len > self.room {
            let more = len.max(ROOM);
            out.write_at(self.room, &PutPayload::from(vec![0; more as usize]))?;
            out.sync()?;
            self.room += more;
        }
        let mut records = Vec::with_capacity(len as usize);
        for body in bodies {
            let at = self.at + records.len() as u64;
            records.extend_from_slice(&(body.len() as u32).to_le_bytes());
            records.extend_from_slice(&checksum(file.number, at, body));
            records.extend_from_slice(body);
        }
        out.write_at(self.at, &PutPayload::from(records))?;
        // Not the kind of this one: what the disk holds is not known.
        out.sync().map_err(|e| io::Error::other(e.to_string()))?;
        self.at += len;
        file.records += bodies.len();
        Ok(())
    }

    fn begin_file(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let path = self.folder.join(self.next.to_string());
        let out = disk.create(&path)?;
        // A number is not used twice, whatever becomes of it.
        self.next += 1;
        disk.sync_folder(&self.folder)?;
        self.files.push_back(File {
            path,
            number: self.next - 1,
            records: 0,
            objects: HashSet::new(),
            unfiled: None,
        });
        (self.at, self.room, self.out) = (0, 0, Some(out));
        Ok(())
    }

    /// Some objects that are to get their files, so that the oldest journal can be removed. None: there is no older one than
    /// that in use, or it was the turn of all of them: see [`Journal::done`].
    pub fn next_to_file(&mut self, most: usize) -> Option<Vec<Path>> {
        if self.files.len() < 2 {
            return None;
        }
        let oldest = self.files.front_mut()?;
        let left = oldest.unfiled.get_or_insert_with(|| sorted(&oldest.objects));
        let mut some = left.split_off(left.len().saturating_sub(most));
        some.retain(|path| oldest.objects.contains(path.as_ref()));
        (!some.is_empty() || !left.is_empty()).then_some(some)
    }

    /// These did not get their files: it is their turn again.
    pub fn not_filed(&mut self, some: Vec<Path>) {
        let oldest = self.files.front_mut();
        if let Some(unfiled) = oldest.and_then(|file| file.unfiled.as_mut()) {
            unfiled.extend(some);
        }
    }

    pub fn folder(&self) -> &FilePath {
        &self.folder
    }

    /// The oldest file, once all of its objects got their files.
    pub fn done(&self) -> Option<&FilePath> {
        let oldest = self.files.front()?;
        let done = oldest.unfiled.as_ref().is_some_and(Vec::is_empty) && self.files.len() > 1;
        done.then_some(&oldest.path)
    }

    /// It is removed.
    pub fn forget_oldest(&mut self) {
        self.files.pop_front();
    }

    /// All objects that may have no file, those in the journal in use among them.
    pub fn all_to_file(&self) -> Vec<Path> {
        self.files.iter().flat_map(|file| sorted(&file.objects)).collect()
    }

    /// All objects have their files: nothing depends on the journal.
    pub fn clear(&mut self, disk: &dyn Disk) -> io::Result<()> {
        self.out = None;
        // The oldest first: a later one may take back what it says.
        while let Some(file) = self.files.front() {
            disk.remove(&file.path)?;
            disk.sync_folder(&self.folder)?;
            self.files.pop_front();
        }
        Ok(())
    }
}

fn sorted(objects: &HashSet<String>) -> Vec<Path> {
    let mut all: Vec<Path> = objects.iter().filter_map(|path| Path::parse(path).ok()).collect();
    all.sort_unstable();
    all
}

fn folder(root: &FilePath) -> PathBuf {
    root.join(JOURNAL)
}

fn begin(body: &mut Vec<u8>, kind: u8, path: &str) {
    body.push(kind);
    body.extend_from_slice(&(path.len() as u16).to_le_bytes());
    body.extend_from_slice(path.as_bytes());
}

fn checksum(file: u64, at: u64, body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"daodb journal").update(&file.to_le_bytes()).update(&at.to_le_bytes());
    *hasher.update(body).finalize().as_bytes()
}

/// What the journals of a folder say last of each path, and their files, the oldest first.
pub(super) struct Said {
    pub of: BTreeMap<String, Record>,
    pub files: Vec<PathBuf>,
    /// Those with records that cannot be read.
    pub damaged: HashSet<PathBuf>,
}

/// Makes the journals' folder where it is missing.
pub(super) fn read(disk: &dyn Disk, root: &FilePath) -> io::Result<Said> {
    let folder = folder(root);
    disk.create_folders(&folder)?;
    let mut files = Vec::new();
    for path in disk.entries(&folder)? {
        let number = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u64>().ok());
        match number {
            Some(number) => files.push((number, path)),
            None => tracing::warn!("{} is no journal; left alone", path.display()),
        }
    }
    files.sort_unstable();
    let (mut of, mut damaged) = (BTreeMap::new(), HashSet::new());
    for (number, path) in &files {
        let bytes = disk.read(path)?;
        let mut at = 0;
        loop {
            if let Some((path, record, next)) = record(*number, &bytes, at) {
                of.insert(path, record);
                at = next;
            } else if let Some(next) = after_damage(*number, &bytes, at) {
                tracing::warn!(
                    "{}: the record at byte {at} is damaged and is passed over; what it held is lost where it has no file of \
                     its own, which daodb verify tells; the journal is kept beside as *.damaged",
                    path.display()
                );
                damaged.insert(path.clone());
                at = next;
            } else {
                break;
            }
        }
    }
    Ok(Said { of, files: files.into_iter().map(|(_, path)| path).collect(), damaged })
}

/// Where the record after a damaged one begins. Behind one that is half written there is none: it was the last.
fn after_damage(file: u64, bytes: &[u8], at: usize) -> Option<usize> {
    let len = bytes.get(at..at.checked_add(4)?)?;
    let len = u32::from_le_bytes(len.try_into().ok()?) as usize;
    let next = at.checked_add(HEAD)?.checked_add(len)?;
    record(file, bytes, next).map(|_| next)
}

/// The record that begins at a place, and where the next one does.
fn record(file: u64, bytes: &[u8], at: usize) -> Option<(String, Record, usize)> {
    let head = bytes.get(at..at.checked_add(HEAD)?)?;
    let (len, sum) = head.split_at_checked(4)?;
    let len = u32::from_le_bytes(len.try_into().ok()?) as usize;
    let body = bytes.get(at + HEAD..(at + HEAD).checked_add(len)?)?;
    if len == 0 || sum != checksum(file, at as u64, body) {
        return None;
    }
    let (kind, rest) = body.split_first()?;
    let (path_len, rest) = rest.split_at_checked(2)?;
    let path_len = u16::from_le_bytes(path_len.try_into().ok()?) as usize;
    let (path, content) = rest.split_at_checked(path_len)?;
    let path = std::str::from_utf8(path).ok()?.to_owned();
    let record = match kind {
        b'+' => Record::Put(content.to_vec()),
        _ => Record::Removed,
    };
    Some((path, record, at + HEAD + len))
}
