//! The bytes of a segment's file. The list of its run keeps a checksum of every block in which the footer lies, the footer those of the
//! blocks before; what is read is compared before it is believed: once where it comes from the store, at each use where it
//! comes from the cache on disk.

use super::segment::{SegmentEntry, damaged, parse_hex};
use crate::error::{ErrorKind, Result};
use crate::store::{DiskCache, Store};
use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that one checksum covers.
pub const BLOCK: u64 = 256 << 10;

/// The checksum of one block.
pub fn checksum(block: &[u8]) -> u64 {
    let mut b = [0; 8];
    b.copy_from_slice(&blake3::hash(block).as_bytes()[..8]);
    u64::from_be_bytes(b)
}

/// Of adjoining blocks. Written as hexadecimal, 16 digits each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Checksums(Box<[u64]>);

impl Checksums {
    /// The first byte is a block's first.
    pub fn of(bytes: &[u8]) -> Checksums {
        Checksums(bytes.chunks(BLOCK as usize).map(checksum).collect())
    }

    pub fn parse(hex: &str) -> Option<Checksums> {
        let bytes = parse_hex(hex)?;
        let (sums, rest) = bytes.as_chunks::<8>();
        rest.is_empty().then(|| Checksums(sums.iter().map(|s| u64::from_be_bytes(*s)).collect()))
    }

    pub fn blocks(&self) -> u64 {
        self.0.len() as u64
    }

    /// The first of these blocks that is another one; they begin with the first of `bytes`.
    pub fn differ(&self, bytes: &[u8]) -> Option<usize> {
        let mut blocks = bytes.chunks(BLOCK as usize).map(checksum);
        self.0.iter().position(|sum| blocks.next() != Some(*sum))
    }
}

impl From<Checksums> for String {
    fn from(sums: Checksums) -> String {
        sums.0.iter().fold(String::with_capacity(sums.0.len() * 16), |mut s, sum| {
            // Writing to a String never fails.
            let _ = write!(s, "{sum:016x}");
            s
        })
    }
}

impl TryFrom<String> for Checksums {
    type Error = &'static str;
    fn try_from(hex: String) -> std::result::Result<Checksums, &'static str> {
        Checksums::parse(&hex).ok_or("they are no checksums")
    }
}

/// The block in which the footer begins: the first of those whose checksums the list has.
pub fn first_of_footer(entry: &SegmentEntry) -> u64 {
    entry.data_bytes / BLOCK
}

/// Whether the list has as many checksums as the file has blocks from the footer on, and may be of a file at all.
pub fn fits(entry: &SegmentEntry) -> bool {
    /// Files are of some 64 MiB; what claims more is no file of ours.
    const MOST: u64 = 1 << 36;
    let blocks = entry.bytes.div_ceil(BLOCK).checked_sub(first_of_footer(entry));
    let sized = entry.data_bytes < entry.bytes && entry.bytes <= MOST;
    sized && blocks == Some(entry.checksums.blocks())
}

pub struct Verified {
    path: Path,
    entry: Arc<SegmentEntry>,
    verified: Vec<AtomicBool>,
}

impl Verified {
    pub fn new(path: Path, entry: Arc<SegmentEntry>) -> Result<Verified> {
        if !fits(&entry) {
            return Err(damaged(&path, "its run's checksums of it do not fit its size"));
        }
        let blocks = 0..entry.bytes.div_ceil(BLOCK);
        Ok(Verified { path, entry, verified: blocks.map(|_| AtomicBool::new(false)).collect() })
    }

    /// Of a block; `before`: those of the blocks before the footer.
    fn expected(&self, before: &Checksums, n: usize) -> Option<u64> {
        match n.checked_sub(first_of_footer(&self.entry) as usize) {
            Some(n) => self.entry.checksums.0.get(n).copied(),
            None => before.0.get(n).copied(),
        }
    }

    /// The bytes of each range, with where it begins; `keep`: in the cache on disk too, where there is one. `before`: the footer's
    /// checksums, without which nothing but the footer is believed.
    pub async fn read(
        &self,
        store: &Store,
        before: &Checksums,
        ranges: &[Range<u64>],
        keep: bool,
    ) -> Result<Vec<(u64, Bytes)>> {
        if ranges.iter().any(|range| range.end > self.entry.bytes || range.start > range.end) {
            return Err(damaged(&self.path, "a column lies outside of the file"));
        }
        match &store.disk {
            None => self.read_store(store, before, ranges).await,
            Some(disk) => self.read_blocks(store, disk, before, ranges, keep).await,
        }
    }

    /// Reads whole blocks where one is not verified yet, else no more than is wanted.
    async fn read_store(
        &self,
        store: &Store,
        before: &Checksums,
        ranges: &[Range<u64>],
    ) -> Result<Vec<(u64, Bytes)>> {
        let wanted = ranges.iter().map(|range| {
            let blocks = blocks(range);
            let first_to_last = blocks.start as usize..blocks.end as usize;
            let known = self.verified[first_to_last].iter().all(|v| v.load(Ordering::Relaxed));
            if known { range.clone() } else { self.bytes_of(&blocks) }
        });
        let wanted: Vec<Range<u64>> = wanted.collect();
        let parts = self.fetch(store, &wanted).await?;
        let mut out = Vec::with_capacity(parts.len());
        for ((range, read), part) in ranges.iter().zip(&wanted).zip(parts) {
            if range != read || read.start.is_multiple_of(BLOCK) {
                self.verify(before, read.start, &part)?;
            }
            let at = (range.start - read.start) as usize;
            let len = (range.end - range.start) as usize;
            out.push((range.start, part.slice(at..at + len)));
        }
        Ok(out)
    }

    async fn read_blocks(
        &self,
        store: &Store,
        disk: &DiskCache,
        before: &Checksums,
        ranges: &[Range<u64>],
        keep: bool,
    ) -> Result<Vec<(u64, Bytes)>> {
        let wanted: BTreeSet<u32> = ranges.iter().flat_map(blocks).collect();
        let mut there = BTreeMap::new();
        for (n, block) in disk.get(self.entry.name, wanted.iter().copied().collect()).await {
            if self.expected(before, n as usize) == Some(checksum(&block)) {
                there.insert(n, block);
            } else {
                disk.damaged(self.entry.name, n);
            }
        }
        let missing: Vec<u32> = wanted.into_iter().filter(|n| !there.contains_key(n)).collect();
        let runs =
            missing.chunk_by(|n, next| n + 1 == *next).map(|run| run[0]..run[run.len() - 1] + 1);
        let runs: Vec<Range<u32>> = runs.collect();
        let parts: Vec<Range<u64>> = runs.iter().map(|run| self.bytes_of(run)).collect();
        let mut fresh = Vec::with_capacity(missing.len());
        for (run, part) in runs.into_iter().zip(self.fetch(store, &parts).await?) {
            self.verify(before, u64::from(run.start) * BLOCK, &part)?;
            fresh.extend(run.enumerate().map(|(i, n)| {
                let start = i * BLOCK as usize;
                (n, part.slice(start..part.len().min(start + BLOCK as usize)))
            }));
        }
        there.extend(fresh.iter().cloned());
        if keep && !fresh.is_empty() {
            disk.put(self.entry.name, fresh).await;
        }
        Ok(ranges.iter().map(|range| (range.start, cut(&there, range))).collect())
    }

    fn bytes_of(&self, blocks: &Range<u32>) -> Range<u64> {
        u64::from(blocks.start) * BLOCK..(u64::from(blocks.end) * BLOCK).min(self.entry.bytes)
    }

    async fn fetch(&self, store: &Store, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let parts = store.read_ranges(&self.path, ranges).await.map_err(|e| {
            let told = e.message.replace(self.path.as_ref(), "");
            match e.kind {
                ErrorKind::Data => damaged(&self.path, "the file is missing"),
                // A file shorter than its run says is damage, which the store reports in its own words.
                ErrorKind::Io if told.contains("range") => damaged(&self.path, told),
                _ => e,
            }
        })?;
        let whole =
            |(range, part): (&Range<u64>, &Bytes)| part.len() as u64 == range.end - range.start;
        match ranges.iter().zip(&parts).all(whole) {
            true => Ok(parts),
            false => Err(damaged(&self.path, "the file is shorter than it was")),
        }
    }

    /// Compares the blocks that lie whole within `bytes`, which begin at `start`, a block's begin.
    fn verify(&self, before: &Checksums, start: u64, bytes: &Bytes) -> Result<()> {
        let first = (start / BLOCK) as usize;
        for (i, block) in bytes.chunks(BLOCK as usize).enumerate() {
            let n = first + i;
            let whole = (n as u64 * BLOCK + BLOCK).min(self.entry.bytes) - n as u64 * BLOCK;
            if block.len() as u64 != whole || self.verified[n].load(Ordering::Relaxed) {
                continue;
            }
            if self.expected(before, n) != Some(checksum(block)) {
                let at = n as u64 * BLOCK;
                let what = format!("the bytes from {at} on are not those that were written");
                return Err(damaged(&self.path, what));
            }
            self.verified[n].store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The blocks that hold a range. The size of a file has been looked at ([`fits`]), so their number is one.
fn blocks(range: &Range<u64>) -> Range<u32> {
    (range.start / BLOCK) as u32..range.end.div_ceil(BLOCK) as u32
}

/// A range out of the blocks that hold it.
fn cut(blocks_there: &BTreeMap<u32, Bytes>, range: &Range<u64>) -> Bytes {
    let within = |n: u32| {
        let begin = u64::from(n) * BLOCK;
        let block = blocks_there.get(&n).cloned().unwrap_or_default();
        let from = range.start.saturating_sub(begin) as usize;
        let to = ((range.end - begin) as usize).min(block.len());
        block.slice(from.min(to)..to)
    };
    let mut parts = blocks(range).map(within);
    match (parts.next(), parts.len()) {
        (None, _) => Bytes::new(),
        (Some(only), 0) => only,
        (Some(first), _) => {
            let mut all = BytesMut::with_capacity((range.end - range.start) as usize);
            all.extend_from_slice(&first);
            parts.for_each(|part| all.extend_from_slice(&part));
            all.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::block::Kind;
    use super::super::order::Order;
    use super::*;
    use uuid::Uuid;

    /// A file whose last two bytes are its footer, and the checksums that it has of its blocks before.
    fn entry(bytes: &[u8]) -> (Arc<SegmentEntry>, Checksums) {
        let data_bytes = bytes.len() as u64 - 2;
        let (before, after) = bytes.split_at((data_bytes / BLOCK * BLOCK) as usize);
        let entry = SegmentEntry {
            name: Uuid::from_u128(7),
            order: Order::Aevt,
            kind: Kind::Current,
            rows: 0,
            bytes: bytes.len() as u64,
            data_bytes,
            checksums: Checksums::of(after),
            stretches: Vec::new(),
        };
        (Arc::new(entry), Checksums::of(before))
    }

    #[test]
    fn checksums_are_written_and_read() {
        let sums = Checksums::of(&[7; BLOCK as usize + 1]);
        let text = serde_json::to_string(&sums).unwrap();
        assert_eq!(text.len(), 34, "{text}");
        assert_eq!(serde_json::from_str::<Checksums>(&text).unwrap(), sums);
        for wrong in ["\"0\"", "\"00112233445566778\"", "\"x011223344556677\"", "7"] {
            assert!(serde_json::from_str::<Checksums>(wrong).is_err(), "{wrong}");
        }
    }

    fn gets(store: &Store, area: &str) -> u64 {
        let rows = store.requests();
        rows.iter().find(|r| r.area == area && r.kind == "get").unwrap().requests
    }

    #[tokio::test]
    async fn a_cache_on_disk_saves_requests_and_never_lies() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 1000).map(|i| (i / 100) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::memory().with_disk_cache(folder.path(), 10 << 20).unwrap();
        let path = Path::from("streams/0/segments/x.parquet");
        store.create(&path, bytes.clone()).await.unwrap();
        let wanted = [10..20, BLOCK - 5..2 * BLOCK + 5, 3 * BLOCK..3 * BLOCK + 1000];
        let read = async || {
            let (entry, before) = entry(&bytes);
            let segment = Verified::new(path.clone(), entry).unwrap();
            let parts = segment.read(&store, &before, &wanted, true).await.unwrap();
            for ((start, part), range) in parts.iter().zip(&wanted) {
                assert_eq!(*start, range.start);
                assert_eq!(part, &bytes[range.start as usize..range.end as usize]);
            }
        };
        read().await;
        assert_eq!((gets(&store, "segments"), gets(&store, "cache")), (1, 0));
        read().await;
        assert_eq!((gets(&store, "segments"), gets(&store, "cache")), (1, 4));
        // Damage of every kind: other bytes, fewer, more, none.
        let blocks: Vec<_> = std::fs::read_dir(folder.path().join("blocks"))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        assert_eq!(blocks.len(), 4);
        for (damage, file) in blocks.iter().enumerate() {
            let mut block = std::fs::read(file).unwrap();
            match damage {
                0 => block[500] ^= 1,
                1 => block.truncate(999),
                2 => block.push(0),
                _ => block.clear(),
            }
            std::fs::write(file, block).unwrap();
            read().await;
            assert_eq!(gets(&store, "segments"), 2 + damage as u64, "read again, once");
            read().await;
            assert_eq!(gets(&store, "segments"), 2 + damage as u64, "and kept");
        }
    }

    #[tokio::test]
    async fn damage_in_the_store_is_an_error() {
        let bytes = vec![1; 2 * BLOCK as usize];
        let folder = tempfile::tempdir().unwrap();
        let cached = Store::memory().with_disk_cache(folder.path(), 10 << 20).unwrap();
        for store in [Store::memory(), cached] {
            let path = Path::from("segments/x.parquet");
            let mut other = bytes.clone();
            other[0] = 2;
            store.create(&path, other).await.unwrap();
            let (entry, before) = entry(&bytes);
            let segment = Verified::new(path, entry).unwrap();
            let read = async |before: &Checksums, ranges: &[Range<u64>]| {
                segment.read(&store, before, ranges, true).await
            };
            let last = std::slice::from_ref(&(BLOCK..BLOCK + 1));
            let error = read(&before, &[5..10, 20..30]).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Data, "{error}");
            read(&Checksums::default(), last).await.unwrap();
            read(&before, last).await.unwrap();
        }
    }
}
