//! Blocks of segments in a local folder, so that a bucket is asked once for what is read again and again.
//!
//! A file a block, under `blocks`; the least recently used ones go where the folder is full. Nothing here is believed:
//! whoever reads a block compares it with the index's checksum, so neither a crash nor damage can change an answer. Files
//! are written under `tmp` and renamed, without a sync: one that a power loss leaves half is found out in the same way. A
//! cache that does not work costs time only, and is said in the log.

use super::counted::{Area, Counters, Kind};
use super::lock::FolderLock;
use super::reads;
use crate::error::{Error, Result};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

const LOCK: &str = ".lock";
const TMP: &str = "tmp";
const BLOCKS: &str = "blocks";

/// A segment's name and the number of a block in it.
type Key = (Uuid, u32);

#[derive(Debug)]
pub(crate) struct DiskCache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    limit: u64,
    used: Mutex<Used>,
    next_tmp: AtomicU64,
    counters: Arc<Counters>,
    _lock: FolderLock,
}

/// What lies in the folder, by use.
#[derive(Debug, Default)]
struct Used {
    blocks: HashMap<Key, Block>,
    by_use: BTreeMap<u64, Key>,
    next_use: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    bytes: u64,
    used: u64,
}

impl DiskCache {
    /// Takes the folder, made where it is missing, and what an earlier process left in it.
    pub(super) fn open(folder: &Path, limit: u64, counters: Arc<Counters>) -> Result<DiskCache> {
        let failed = |e: io::Error| {
            Error::io(folder.display(), e)
                .hint("--cache names a folder that this user may write to")
        };
        for part in [TMP, BLOCKS] {
            fs::create_dir_all(folder.join(part)).map_err(failed)?;
        }
        let lock = FolderLock::take(folder, LOCK)?;
        for unfinished in fs::read_dir(folder.join(TMP)).map_err(failed)? {
            fs::remove_file(unfinished.map_err(failed)?.path()).map_err(failed)?;
        }
        let shared = Shared {
            folder: folder.to_owned(),
            limit,
            used: Mutex::new(found(&folder.join(BLOCKS)).map_err(failed)?),
            next_tmp: AtomicU64::new(0),
            counters,
            _lock: lock,
        };
        // The limit may be a smaller one than the last time.
        shared.make_room(0);
        Ok(DiskCache { shared: Arc::new(shared) })
    }

    /// Those of a segment's blocks that are there, not yet compared with anything.
    pub async fn get(&self, segment: Uuid, blocks: Vec<u32>) -> Vec<(u32, Bytes)> {
        let shared = Arc::clone(&self.shared);
        let found = blocking(move || {
            let read = |n: u32| Some((n, shared.read((segment, n))?));
            blocks.into_iter().filter_map(read).collect::<Vec<_>>()
        });
        let found = found.await.unwrap_or_default();
        reads::from_disk(found.iter().map(|(_, bytes)| bytes.len() as u64).sum());
        found
    }

    /// Keeps blocks, and lets others go for them.
    pub async fn put(&self, segment: Uuid, blocks: Vec<(u32, Bytes)>) {
        let shared = Arc::clone(&self.shared);
        let kept = blocking(move || {
            for (n, bytes) in &blocks {
                if let Err(e) = shared.write((segment, *n), bytes) {
                    tracing::warn!("{}: {e}; read on without the cache", shared.folder.display());
                    return;
                }
            }
        });
        kept.await.unwrap_or_default();
    }

    /// Forgets a block that is not what it should be.
    pub fn damaged(&self, segment: Uuid, block: u32) {
        let path = self.shared.file((segment, block));
        tracing::warn!("{} is damaged and dropped from the cache", path.display());
        self.shared.counters.begin(Kind::Delete, Area::Cache).error();
        self.shared.forget((segment, block));
        // Else it is found again at the next start, and dropped again.
        let _ = fs::remove_file(path);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// The blocks that lie in a folder, the oldest first.
fn found(folder: &Path) -> io::Result<Used> {
    let mut blocks = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        match entry.file_name().to_str().and_then(key) {
            Some(key) => blocks.push((meta.modified()?, key, meta.len())),
            None => tracing::warn!("{} is no block of a cache; left alone", entry.path().display()),
        }
    }
    blocks.sort_unstable();
    let mut used = Used::default();
    blocks.into_iter().for_each(|(_, key, bytes)| used.add(key, bytes));
    Ok(used)
}

fn name((segment, block): Key) -> String {
    format!("{}-{block}", segment.simple())
}

fn key(name: &str) -> Option<Key> {
    let (segment, block) = name.split_once('-')?;
    Some((Uuid::try_parse(segment).ok()?, block.parse().ok()?))
}

impl Used {
    fn add(&mut self, key: Key, bytes: u64) {
        self.remove(key);
        let used = self.next_use;
        self.next_use += 1;
        self.by_use.insert(used, key);
        self.blocks.insert(key, Block { bytes, used });
        self.bytes += bytes;
    }

    fn remove(&mut self, key: Key) -> Option<Block> {
        let block = self.blocks.remove(&key)?;
        self.by_use.remove(&block.used);
        self.bytes -= block.bytes;
        Some(block)
    }

    /// Marks a block as used now; false where there is none.
    fn touch(&mut self, key: Key) -> bool {
        let Some(block) = self.remove(key) else { return false };
        self.add(key, block.bytes);
        true
    }

    fn oldest(&mut self) -> Option<Key> {
        let key = *self.by_use.first_key_value()?.1;
        self.remove(key).map(|_| key)
    }
}

impl Shared {
    fn file(&self, key: Key) -> PathBuf {
        self.folder.join(BLOCKS).join(name(key))
    }

    fn read(&self, key: Key) -> Option<Bytes> {
        if !self.used.lock().touch(key) {
            return None;
        }
        let request = self.counters.begin(Kind::Get, Area::Cache);
        match fs::read(self.file(key)) {
            Ok(bytes) => {
                request.bytes(bytes.len() as u64);
                Some(bytes.into())
            }
            Err(e) => {
                // Another thread may just have let it go.
                if e.kind() != io::ErrorKind::NotFound {
                    request.error();
                    tracing::warn!("{}: {e}; read on without the cache", self.file(key).display());
                }
                self.forget(key);
                None
            }
        }
    }

    fn write(&self, key: Key, bytes: &Bytes) -> io::Result<()> {
        let len = bytes.len() as u64;
        if len > self.limit {
            return Ok(());
        }
        let request = self.counters.begin(Kind::Put, Area::Cache);
        let tmp =
            self.folder.join(TMP).join(self.next_tmp.fetch_add(1, Ordering::Relaxed).to_string());
        self.make_room(len);
        let written = fs::write(&tmp, bytes).and_then(|()| fs::rename(&tmp, self.file(key)));
        if let Err(e) = written {
            request.error();
            let _ = fs::remove_file(&tmp);
            return Err(e);
        }
        request.bytes(len);
        self.used.lock().add(key, len);
        // Others may have written at the same time.
        self.make_room(0);
        Ok(())
    }

    /// Removes the least recently used blocks until so many bytes more have room.
    fn make_room(&self, bytes: u64) {
        loop {
            let key = {
                let mut used = self.used.lock();
                if used.bytes + bytes <= self.limit {
                    return;
                }
                used.oldest()
            };
            let Some(key) = key else { return };
            let request = self.counters.begin(Kind::Delete, Area::Cache);
            if let Err(e) = fs::remove_file(self.file(key)) {
                request.error();
                tracing::warn!("{}: {e}", self.file(key).display());
            }
        }
    }

    fn forget(&self, key: Key) {
        self.used.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(folder: &Path, limit: u64) -> Result<DiskCache> {
        DiskCache::open(folder, limit, Arc::default())
    }

    async fn kept(cache: &DiskCache, segment: Uuid) -> Vec<u32> {
        cache.get(segment, (0..20).collect()).await.into_iter().map(|(n, _)| n).collect()
    }

    #[tokio::test]
    async fn what_was_used_last_stays_and_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let segment = Uuid::from_u128(7);
        let block = |n: u32| (n, Bytes::from(vec![n as u8; 100]));
        let cache = open(folder.path(), 500).unwrap();
        cache.put(segment, (0..5).map(block).collect()).await;
        assert_eq!(kept(&cache, segment).await, [0, 1, 2, 3, 4]);
        cache.get(segment, vec![0]).await;
        cache.put(segment, vec![block(5)]).await;
        assert_eq!(kept(&cache, segment).await, [0, 2, 3, 4, 5], "0 was used later than 1");
        cache.put(segment, vec![(6, Bytes::from(vec![0; 501]))]).await;
        assert_eq!(kept(&cache, segment).await.len(), 5, "too large for all of it");
        assert!(kept(&cache, Uuid::from_u128(8)).await.is_empty());

        assert!(open(folder.path(), 500).unwrap_err().message.contains("in use"));
        drop(cache);
        fs::write(folder.path().join("tmp/3"), b"unfinished").unwrap();
        let cache = open(folder.path(), 200).unwrap();
        assert_eq!(kept(&cache, segment).await.len(), 2, "the limit is smaller now");
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(folder.path().join("blocks")).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_file_that_is_gone_or_damaged_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let segment = Uuid::from_u128(7);
        let cache = open(folder.path(), 500).unwrap();
        cache
            .put(segment, vec![(0, Bytes::from_static(b"a")), (1, Bytes::from_static(b"b"))])
            .await;
        fs::remove_file(folder.path().join("blocks").join(name((segment, 0)))).unwrap();
        assert_eq!(cache.get(segment, vec![0, 1]).await, [(1, Bytes::from_static(b"b"))]);
        cache.damaged(segment, 1);
        assert!(kept(&cache, segment).await.is_empty());
        assert_eq!(cache.shared.used.lock().bytes, 0);
        assert_eq!(fs::read_dir(folder.path().join("blocks")).unwrap().count(), 0);
    }
}
