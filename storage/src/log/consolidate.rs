//! Joining small log objects: one object a commit would leave millions of files.
//!
//! As runs are, objects are joined by size: so many adjoining ones of about one size become one. The rows, headers and hashes
//! stay; what was joined is removed when no other process can be reading it any more. Each step leaves a log that reads the same, so a
//! crash costs nothing but the work.

use super::names::{Name, cover};
use super::object;
use super::{Log, Transaction};
use crate::error::{Error, Result};
use futures::future::try_join_all;
use object_store::ObjectMeta;
use object_store::path::Path;

/// Adjoining objects of about one size that become one.
const FAN: usize = 16;
/// Objects up to this size count as one size.
const SMALL_BYTES: u64 = 16 << 10;
/// What is larger is left as it is, and what is joined grows no larger: it is decoded whole.
const LARGE_BYTES: u64 = 4 << 20;
const LARGE_DATOMS: usize = 1_000_000;
const FETCHED_AHEAD: usize = 8;

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Joined {
    /// Objects that others stand for now.
    pub objects: usize,
    pub bytes: u64,
    /// Objects that were removed.
    pub removed: usize,
}

/// An object of which it is known where it ends.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: Name,
    last: i64,
    bytes: u64,
}

impl Log {
    /// Joins what is due among the objects up to transaction `up_to`, and removes what was joined: at once on a store of our
    /// own, else in a later round.
    pub async fn consolidate(&self, up_to: i64) -> Result<Joined> {
        let found = self.store.list(&self.folder).await?;
        let named = found.into_iter().filter_map(|o| Some((self.name(&o.location)?, o))).collect();
        let (read, superfluous) = cover(named, |(name, _): &(Name, ObjectMeta)| *name);
        let mut joined = Joined::default();
        let mut free = self.free(&read, superfluous);
        let parts = parts(&read, up_to);
        for group in due(&parts) {
            let taken = self.join(group).await?;
            joined.objects += taken.len();
            joined.bytes += taken.iter().map(|part| part.bytes).sum::<u64>();
            if !self.store.shared {
                free.extend(taken.iter().map(|part| part.name.path(&self.folder)));
            }
        }
        // In any order: for each another one is there.
        self.store.delete_all(&free).await?;
        joined.removed = free.len();
        Ok(joined)
    }

    /// Joins adjoining objects, as far as one may grow; returns those.
    async fn join<'a>(&self, group: &'a [Part]) -> Result<&'a [Part]> {
        let (mut taken, mut datoms) = (0, 0);
        let mut transactions: Vec<Transaction> = Vec::new();
        'whole: for parts in group.chunks(FETCHED_AHEAD) {
            let reading = parts.iter().map(|p| self.read_object(p.name)).collect::<Vec<_>>();
            for object in try_join_all(reading).await? {
                let more: usize = object.transactions.iter().map(|t| t.datoms.len()).sum();
                if taken > 0 && datoms + more > LARGE_DATOMS {
                    break 'whole;
                }
                self.follows(&transactions, &object)?;
                transactions.extend(object.transactions);
                datoms += more;
                taken += 1;
            }
        }
        let (Some(first), Some(last), true) =
            (transactions.first(), transactions.last(), taken > 1)
        else {
            return Ok(&[]);
        };
        let name = Name::joined(first.header.t, last.header.t);
        let path = name.path(&self.folder);
        let (origin, stream, at) = (self.origin(), self.stream.clone(), path.clone());
        let work = move || {
            let bytes = object::join(&origin, &transactions)?;
            // What is about to be the only copy is read once more.
            let there = object::decode(at, name.first, &stream, &bytes)?;
            let same = there.transactions.len() == transactions.len();
            let hashes = there.transactions.iter().zip(&transactions);
            match same && hashes.into_iter().all(|(a, b)| a.header == b.header) {
                true => Ok(bytes),
                false => Err(Error::internal("joined log objects do not read as they did apart")),
            }
        };
        let bytes = self.writing.world.elsewhere(work).await?;
        // Taken: a crash came between this and the removal, and what is there was checked as this was.
        self.store.create(&path, bytes).await?;
        Ok(&group[..taken])
    }

    fn follows(&self, so_far: &[Transaction], next: &object::LogObject) -> Result<()> {
        match (so_far.last(), next.transactions.first()) {
            (Some(last), Some(first)) if first.header.previous != last.header.hash => {
                Err(Error::data(&next.path, "does not follow the object before it")
                    .hint(object::LOST))
            }
            _ => Ok(()),
        }
    }

    /// Those that may be removed of the objects that others stand for: all where no other process can be reading them.
    fn free(&self, read: &[(Name, ObjectMeta)], superfluous: Vec<(Name, ObjectMeta)>) -> Vec<Path> {
        let now = (self.writing.clock)();
        let grace = i64::try_from(self.writing.grace.as_micros()).unwrap_or(i64::MAX);
        let free = superfluous.into_iter().filter(|(name, _)| {
            let at = read.partition_point(|(n, _)| n.first <= name.first);
            let stands_for = at.checked_sub(1).and_then(|at| read.get(at));
            !self.store.shared
                || stands_for.is_some_and(|(_, o)| {
                    o.last_modified.timestamp_micros().saturating_add(grace) <= now
                })
        });
        free.map(|(_, object)| object.location).collect()
    }
}

/// The objects that end at `up_to` or before.
fn parts(read: &[(Name, ObjectMeta)], up_to: i64) -> Vec<Part> {
    let last =
        |i: usize| -> Option<i64> { read[i].0.last.or_else(|| Some(read.get(i + 1)?.0.first - 1)) };
    (0..read.len())
        .map_while(|i| {
            let (name, object) = &read[i];
            Some(Part { name: *name, last: last(i)?, bytes: object.size })
        })
        .take_while(|part| part.last <= up_to)
        .collect()
}

fn level(part: &Part) -> u32 {
    (part.bytes / SMALL_BYTES).max(1).ilog(FAN as u64)
}

/// The stretches of adjoining objects that are to be joined: from the newest back, as many as are no larger than those of the
/// newest's size.
fn due(parts: &[Part]) -> Vec<&[Part]> {
    let mut out = Vec::new();
    let mut end = parts.len();
    while end > 0 {
        let of = level(&parts[end - 1]);
        let mut start = end;
        while start > 0
            && level(&parts[start - 1]) <= of
            && parts[start - 1].bytes < LARGE_BYTES / 2
        {
            start -= 1;
        }
        let mut rest = &parts[start..end];
        while rest.len() >= FAN {
            let mut bytes = 0;
            let fits = |p: &&Part| {
                bytes += p.bytes;
                bytes <= LARGE_BYTES
            };
            let count = rest.iter().take_while(fits).count().max(2);
            out.push(&rest[..count]);
            rest = &rest[count..];
        }
        end = if start < end { start } else { end - 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sizes: &[u64], expect: &[(usize, usize)]) {
        let part = |(i, bytes): (usize, &u64)| Part {
            name: Name::commit(i as i64),
            last: i as i64,
            bytes: *bytes,
        };
        let parts: Vec<Part> = sizes.iter().enumerate().map(part).collect();
        let found: Vec<(usize, usize)> =
            due(&parts).iter().map(|group| (group[0].name.first as usize, group.len())).collect();
        assert_eq!(found, expect, "{sizes:?}");
    }

    #[test]
    fn what_is_due() {
        check(&[], &[]);
        check(&[1000; 15], &[]);
        check(&[1000; 16], &[(0, 16)]);
        // Larger ones before them stay; many small ones become one, whatever their number.
        let mut sizes = vec![300 << 10, 300 << 10];
        sizes.extend([2000; 100]);
        check(&sizes, &[(2, 100)]);
        // None grows above the limit; those that are left wait until they are enough again.
        check(&[300 << 10; 16], &[(0, 13)]);
        check(&[1 << 20; 40], &[(0, 4), (4, 4), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4)]);
        check(&[3 << 20; 40], &[]);
    }
}
