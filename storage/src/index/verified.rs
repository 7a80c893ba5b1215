//! The bytes of a segment's file. The list of its run keeps a checksum of every block of it; what is read is compared before it is
//! believed: once where it comes from the store, at each use where it comes from the cache on disk.

use super::segment::{SegmentEntry, damaged, parse_hex};
use crate::error::{ErrorKind, Result};
use crate::store::{DiskCache, Store};
use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// Bytes that one checksum covers.
pub const BLOCK: u64 = 256 << 10;

/// The checksum of one block.
pub fn checksum(block: &[u8]) -> u64 {
    let mut b = [0; 8];
    b.copy_from_slice(&blake3::hash(block).as_bytes()[..8]);
    u64::from_be_bytes(b)
}

pub struct Verified {
    path: Path,
    name: Uuid,
    len: u64,
    checksums: Vec<u64>,
    verified: Vec<AtomicBool>,
}

impl Verified {
    pub fn new(path: Path, entry: &SegmentEntry) -> Result<Verified> {
        let checksums = parse_checksums(entry)
            .ok_or_else(|| damaged(&path, "its run's checksums of it do not fit its size"))?;
        let verified = checksums.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Verified { path, name: entry.name, len: entry.bytes, checksums, verified })
    }

    /// The bytes of each range, with where it begins; `keep`: in the cache on disk too, where there is one.
    pub async fn read(
        &self,
        store: &Store,
        ranges: &[Range<u64>],
        keep: bool,
    ) -> Result<Vec<(u64, Bytes)>> {
        if ranges.iter().any(|range| range.end > self.len || range.start > range.end) {
            return Err(damaged(&self.path, "a column lies outside of the file"));
        }
        match &store.disk {
            None => self.read_store(store, ranges).await,
            Some(disk) => self.read_blocks(store, disk, ranges, keep).await,
        }
    }

    /// Reads whole blocks where one is not verified yet, else no more than is wanted.
    async fn read_store(&self, store: &Store, ranges: &[Range<u64>]) -> Result<Vec<(u64, Bytes)>> {
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
                self.verify(read.start, &part)?;
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
        ranges: &[Range<u64>],
        keep: bool,
    ) -> Result<Vec<(u64, Bytes)>> {
        let wanted: BTreeSet<u32> = ranges.iter().flat_map(blocks).collect();
        let mut there = BTreeMap::new();
        for (n, block) in disk.get(self.name, wanted.iter().copied().collect()).await {
            if checksum(&block) == self.checksums[n as usize] {
                there.insert(n, block);
            } else {
                disk.damaged(self.name, n);
            }
        }
        let missing: Vec<u32> = wanted.into_iter().filter(|n| !there.contains_key(n)).collect();
        let runs =
            missing.chunk_by(|n, next| n + 1 == *next).map(|run| run[0]..run[run.len() - 1] + 1);
        let runs: Vec<Range<u32>> = runs.collect();
        let parts: Vec<Range<u64>> = runs.iter().map(|run| self.bytes_of(run)).collect();
        let mut fresh = Vec::with_capacity(missing.len());
        for (run, part) in runs.into_iter().zip(self.fetch(store, &parts).await?) {
            self.verify(u64::from(run.start) * BLOCK, &part)?;
            fresh.extend(run.enumerate().map(|(i, n)| {
                let start = i * BLOCK as usize;
                (n, part.slice(start..part.len().min(start + BLOCK as usize)))
            }));
        }
        there.extend(fresh.iter().cloned());
        if keep && !fresh.is_empty() {
            disk.put(self.name, fresh).await;
        }
        Ok(ranges.iter().map(|range| (range.start, cut(&there, range))).collect())
    }

    fn bytes_of(&self, blocks: &Range<u32>) -> Range<u64> {
        u64::from(blocks.start) * BLOCK..(u64::from(blocks.end) * BLOCK).min(self.len)
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
    fn verify(&self, start: u64, bytes: &Bytes) -> Result<()> {
        let first = (start / BLOCK) as usize;
        for (i, block) in bytes.chunks(BLOCK as usize).enumerate() {
            let n = first + i;
            let whole = (n as u64 * BLOCK + BLOCK).min(self.len) - n as u64 * BLOCK;
            if block.len() as u64 != whole || self.verified[n].load(Ordering::Relaxed) {
                continue;
            }
            if checksum(block) != self.checksums[n] {
                let at = n as u64 * BLOCK;
                let what = format!("the bytes from {at} on are not those that were written");
                return Err(damaged(&self.path, what));
            }
            self.verified[n].store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The blocks that hold a range. The run's size of a file has been compared with its checksums, so their number fits.
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

fn parse_checksums(entry: &SegmentEntry) -> Option<Vec<u64>> {
    let bytes = parse_hex(&entry.checksums)?;
    let sums: Vec<u64> =
        bytes.chunks_exact(8).map(|c| c.iter().fold(0, |n, b| n << 8 | u64::from(*b))).collect();
    let fits = sums.len() as u64 == entry.bytes.div_ceil(BLOCK) && entry.data_bytes < entry.bytes;
    (fits && bytes.len().is_multiple_of(8)).then_some(sums)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::block::Kind;
    use super::super::order::Order;
    use super::*;
    use std::fmt::Write;

    fn entry(bytes: &[u8]) -> SegmentEntry {
        let mut checksums = String::new();
        for block in bytes.chunks(BLOCK as usize) {
            write!(checksums, "{:016x}", checksum(block)).unwrap();
        }
        SegmentEntry {
            name: Uuid::from_u128(7),
            order: Order::Aevt,
            kind: Kind::Current,
            rows: 0,
            bytes: bytes.len() as u64,
            data_bytes: 1,
            checksums,
            row_groups: Vec::new(),
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
            let segment = Verified::new(path.clone(), &entry(&bytes)).unwrap();
            for ((start, part), range) in
                segment.read(&store, &wanted, true).await.unwrap().iter().zip(&wanted)
            {
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
            let segment = Verified::new(path, &entry(&bytes)).unwrap();
            let error = segment.read(&store, &[5..10, 20..30], true).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Data, "{error}");
            segment.read(&store, std::slice::from_ref(&(BLOCK..BLOCK + 1)), true).await.unwrap();
        }
    }
}
