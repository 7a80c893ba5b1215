//! Bringing a backup back.
//!
//! The database's `database.json` comes last: before it is there, what was restored so far is no database to anyone. What is
//! there already is kept where it tells the same history, so a database that lost objects gets these alone.

use super::manifest::{LogPart, Manifest, ObjectPart, hash};
use super::{Copied, CopyProgress, Count, put, under, within};
use crate::error::{Error, Result};
use crate::layout::{Kind, Layout, LogObject};
use crate::log::{self, Head, Log, Transaction};
use crate::marker::Marker;
use crate::store::{Pile, Store};
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::path::Path;
use std::collections::{HashMap, HashSet};

/// What a restoring did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup's number.
    pub n: u64,
    /// Of the restored log, every hash of it computed again.
    pub head: Head,
    pub copied: Copied,
    /// An index is there.
    pub has_index: bool,
}

/// Brings the newest backup of a database back. What is there must be of the same history, else `User`, and nothing is
/// changed. Stopped halfway it goes on when it is called again.
pub fn restore<'a>(
    from: &'a Store,
    to: &'a Store,
    database: &'a str,
    tell: &'a mut (dyn FnMut(CopyProgress) + Send),
) -> BoxFuture<'a, Result<Restored>> {
    Box::pin(async move {
        let source = from.root.clone().join(database);
        let (n, manifest) = newest(from, &source).await?;
        let target = to.root.clone().join(database);
        let layout = Layout::read(to, &target).await?;
        let of = Pile {
            objects: manifest.objects.len() as u64,
            bytes: manifest.objects.iter().map(|o| o.bytes).sum(),
        };
        let mut count = Count { copied: Copied::default(), of, tell };
        let objects = manifest.objects.iter().enumerate();
        let places = objects.map(|(i, o)| (o.path.clone(), i)).collect();
        let work = Work { from, to, source, target, manifest, places, layout };
        work.same_database().await?;
        work.same_history().await?;
        let has_index = work.copy(&mut count).await?;
        let head = work.verified().await?;
        Ok(Restored { n, head, copied: count.copied, has_index })
    })
}

/// The newest backup. A newer one that cannot be read is not passed over in silence.
async fn newest(store: &Store, source: &Path) -> Result<(u64, Manifest)> {
    let layout = Layout::read(store, source).await?;
    let Some((n, meta)) = layout.backups.last_key_value() else {
        return Err(Error::user(format!("{source}: there is no backup"))
            .hint("daodb backup makes one; its manifests are backups/<n>.json"));
    };
    let read = Manifest::parse(&meta.location, &store.read(&meta.location).await?);
    let hint = "remove this manifest to restore the backup before it";
    Ok((*n, read.map_err(|e| e.hint(hint))?))
}

struct Work<'a> {
    from: &'a Store,
    to: &'a Store,
    /// The database's folder, in the backup and here.
    source: Path,
    target: Path,
    manifest: Manifest,
    /// Its objects by path.
    places: HashMap<String, usize>,
    /// What is here already.
    layout: Layout,
}

impl Work<'_> {
    async fn same_database(&self) -> Result<()> {
        let Some(meta) = &self.layout.marker else { return Ok(()) };
        let here = Marker::parse_strictly(&meta.location, &self.to.read(&meta.location).await?)
            .map_err(|e| e.hint("move this file away: restoring puts the right one there"))?;
        if here.id == self.manifest.id {
            return Ok(());
        }
        Err(Error::user(format!("{} is another database than the one in the backup", self.target))
            .hint("restore into another folder (--data), or move this database away"))
    }

    /// Refuses a log here that tells another history than the backup.
    async fn same_history(&self) -> Result<()> {
        for (name, objects) in &self.layout.streams {
            let head = self.manifest.head(name).unwrap_or(Head::START);
            for object in &objects.log {
                let path = &object.meta.location;
                let bytes = self.to.read(path).await?;
                let told = within(&self.target, path);
                if let Some(place) = self.places.get(&told) {
                    if !is_whole(&self.manifest.objects[*place], &bytes) {
                        return Err(self.other(name, object, bytes).await);
                    }
                    continue;
                }
                let decoded = log::decode(name, path, object.first, bytes).await;
                let transactions = decoded.map_err(damaged_here)?;
                if !self.agrees(name, &head, &transactions).await? {
                    return Err(other_history(path));
                }
            }
        }
        Ok(())
    }

    /// Why an object is not the one of the backup.
    async fn other(&self, stream: &str, object: &LogObject, bytes: Bytes) -> Error {
        let path = &object.meta.location;
        match log::decode(stream, path, object.first, bytes).await {
            Ok(_) => other_history(path),
            Err(e) => damaged_here(e),
        }
    }

    /// Whether transactions that lie in an object of another name are those of the backup, or follow them.
    async fn agrees(&self, stream: &str, head: &Head, mine: &[Transaction]) -> Result<bool> {
        let (Some(first), Some(last)) = (mine.first(), mine.last()) else { return Ok(true) };
        if first.header.t > head.t {
            return Ok(first.header.t > head.t + 1 || first.header.previous == head.hash);
        }
        let t = last.header.t.min(head.t);
        let expected = self.hash_at(stream, t).await?;
        let found = mine.iter().find(|tx| tx.header.t == t).map(|tx| tx.header.hash);
        Ok(found.is_some() && found == expected)
    }

    /// The hash of a transaction of the backup.
    async fn hash_at(&self, stream: &str, t: i64) -> Result<Option<[u8; 32]>> {
        let holds = |log: &LogPart| log.stream == stream && log.first <= t && t <= log.last;
        let part = self.manifest.objects.iter().find(|o| o.log.as_ref().is_some_and(holds));
        let Some((part, log)) = part.and_then(|p| p.log.as_ref().map(|log| (p, log))) else {
            return Ok(None);
        };
        if log.last == t {
            return Ok(hash(&log.hash));
        }
        let path = under(&self.source, &part.path);
        let transactions = log::decode(stream, &path, log.first, self.read(part).await?).await?;
        Ok(transactions.iter().find(|tx| tx.header.t == t).map(|tx| tx.header.hash))
    }

    /// The bytes of an object of the backup.
    async fn read(&self, part: &ObjectPart) -> Result<Bytes> {
        let path = under(&self.source, &part.path);
        let bytes = self.from.read(&path).await?;
        match is_whole(part, &bytes) {
            true => Ok(bytes),
            false => Err(Error::data(&path, "its bytes are not those that were backed up")
                .hint("nothing damaged is restored; take another copy of this backup")),
        }
    }

    /// Copies what is missing; says whether there is an index then.
    async fn copy(&self, count: &mut Count<'_>) -> Result<bool> {
        let here: HashSet<String> = self
            .layout
            .streams
            .values()
            .flat_map(|s| s.log.iter().map(|o| &o.meta).chain(s.parts_of_index()))
            .map(|meta| within(&self.target, &meta.location))
            .collect();
        // An index that is here already is of this history too, and newer roots go before older ones.
        let mut has_index = self.layout.streams.values().any(|s| !s.roots.is_empty());
        let keeps_index = has_index;
        for part in &self.manifest.objects {
            let path = under(&self.target, &part.path);
            let kind = Kind::of(&under(&Path::default(), &part.path).parts().collect::<Vec<_>>());
            let is_index =
                matches!(kind, Kind::Root { .. } | Kind::Run { .. } | Kind::Segment { .. });
            let skipped = match &kind {
                Kind::Foreign | Kind::Archived | Kind::Backup { .. } => {
                    return Err(Error::data(&path, "a backup does not hold such an object"));
                }
                Kind::Marker => self.layout.marker.is_some(),
                _ => here.contains(&part.path) || (is_index && keeps_index),
            };
            if skipped {
                count.kept(part.bytes);
                continue;
            }
            let bytes = self.read(part).await?;
            put(self.to, &path, bytes).await?;
            count.count_new(part.bytes);
            has_index |= matches!(kind, Kind::Root { .. });
        }
        Ok(has_index)
    }

    /// Reads the log here from its beginning; it must reach the backup's head.
    async fn verified(&self) -> Result<Head> {
        let mut newest = Head::START;
        for part in &self.manifest.streams {
            let prefix = self.target.clone().join("streams").join(part.stream.as_str());
            let log = Log::new(self.to.clone(), prefix.clone(), part.stream.clone());
            let head = log.verify().await?.head;
            let expected = self.manifest.head(&part.stream);
            let same = expected.as_ref() == Some(&head) || head.t > part.t;
            if !same {
                let what =
                    format!("the restored log ends with transaction {}, not as it did", head.t);
                return Err(Error::data(&prefix, what));
            }
            newest = head;
        }
        Ok(newest)
    }
}

fn is_whole(part: &ObjectPart, bytes: &Bytes) -> bool {
    let hash = || blake3::hash(bytes).to_hex();
    bytes.len() as u64 == part.bytes && hash().as_str() == part.blake3
}

fn other_history(path: &Path) -> Error {
    Error::user(format!("{path}: this log tells another history than the backup")).hint(
        "restore into another folder (--data), or move this database away; nothing was changed",
    )
}

fn damaged_here(e: Error) -> Error {
    e.hint("move this object away, then restore again: what is missing is put back")
}
