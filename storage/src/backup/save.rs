//! Making a backup.

use super::manifest::{LogPart, Manifest, ObjectPart, StreamPart};
use super::{Copied, CopyProgress, Count, other_object, put, under, within};
use crate::error::{Error, ErrorKind, Result};
use crate::index::root::{self, to_hex};
use crate::index::run;
use crate::index::segment::SegmentEntry;
use crate::layout::{Layout, LogObject, StreamObjects};
use crate::log::{self, Head};
use crate::marker::{MARKER, Marker};
use crate::store::{Pile, Store};
use crate::value::instant_text;
use crate::verify::segment;
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::ObjectMeta;
use object_store::path::Path;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[derive(Debug, Clone, Copy, Default)]
pub struct BackupOptions {
    /// The newest root and its segments, too, so that a restored database need not make them.
    pub with_index: bool,
    /// Now, microseconds.
    pub now: i64,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its number.
    pub n: u64,
    pub head: Head,
    pub copied: Copied,
    /// The one before holds the same, so it is that one.
    pub is_old: bool,
}

/// Copies a database, of which nobody may write meanwhile, to another store. What is damaged is not copied: `Data`, with the
/// object's name. Stopped halfway it goes on when it is called again.
pub fn backup<'a>(
    from: &'a Store,
    to: &'a Store,
    database: &'a str,
    options: BackupOptions,
    tell: &'a mut (dyn FnMut(CopyProgress) + Send),
) -> BoxFuture<'a, Result<Saved>> {
    Box::pin(async move {
        let folder = from.root.clone().join(database);
        let target = to.root.clone().join(database);
        let layout = Layout::read(from, &folder).await?;
        let there = Layout::read(to, &target).await?;
        let path = folder.clone().join(MARKER);
        let marker = from.read(&path).await?;
        let id = Marker::parse_strictly(&path, &marker)?.id;
        let newest = Manifest::newest_readable(to, &there).await;
        if let Some((_, other)) = newest.as_ref().filter(|(_, m)| m.id != id) {
            let text = format!("{target} holds backups of another database, {}", other.id);
            return Err(Error::user(text).hint("give a place of its own for each database"));
        }
        let known = newest.iter().flat_map(|(_, m)| &m.objects);
        let mut save = Save {
            from,
            to,
            folder,
            target,
            known: known.map(|o| (o.path.clone(), o.clone())).collect(),
            there: sizes(&there),
            manifest: Manifest::new(database, id, instant_text(options.now)),
            count: Count { copied: Copied::default(), of: expected(&layout, options), tell },
        };
        // First, so that no two databases are mixed in one place.
        put(to, &save.target.clone().join(MARKER), marker.clone()).await?;
        for (name, objects) in &layout.streams {
            save.log(name, objects).await?;
        }
        if options.with_index {
            for (name, objects) in &layout.streams {
                save.index(name, objects).await?;
            }
        }
        save.manifest.objects.push(part(MARKER, &marker, None));
        let head = save.manifest.streams.first().and_then(|s| save.manifest.head(&s.stream));
        let head = head.unwrap_or(Head::START);
        let Save { manifest, target, count, .. } = save;
        let copied = count.copied;
        if let Some((n, _)) = newest.filter(|(_, before)| before.is_same(&manifest)) {
            return Ok(Saved { n, head, copied, is_old: true });
        }
        let n = there.backups.keys().max().map_or(0, |n| *n) + 1;
        let path = target.join("backups").join(format!("{n:020}.json"));
        put(to, &path, manifest.to_json()?.into()).await?;
        Ok(Saved { n, head, copied, is_old: false })
    })
}

fn expected(layout: &Layout, options: BackupOptions) -> Pile {
    let mut of = Pile::default();
    for stream in layout.streams.values() {
        let index = stream.parts_of_index().filter(|_| options.with_index);
        for meta in stream.log.iter().map(|o| &o.meta).chain(index) {
            super::add(&mut of, meta.size);
        }
    }
    of
}

fn sizes(layout: &Layout) -> HashMap<Path, u64> {
    let all = layout.streams.values().flat_map(StreamObjects::all);
    all.map(|meta| (meta.location.clone(), meta.size)).collect()
}

fn part(path: &str, bytes: &Bytes, log: Option<LogPart>) -> ObjectPart {
    ObjectPart {
        path: path.to_owned(),
        bytes: bytes.len() as u64,
        blake3: blake3::hash(bytes).to_hex().to_string(),
        log,
    }
}

struct Save<'a> {
    from: &'a Store,
    to: &'a Store,
    /// The database's, here and there.
    folder: Path,
    target: Path,
    /// Objects of the backup before, by path.
    known: HashMap<String, ObjectPart>,
    /// What lies in the other store.
    there: HashMap<Path, u64>,
    manifest: Manifest,
    count: Count<'a>,
}

impl Save<'_> {
    /// What the backup before says of an object that lies there still.
    fn known(&self, name: &str, meta: &ObjectMeta) -> Option<ObjectPart> {
        let known = self.known.get(name).filter(|o| o.bytes == meta.size)?;
        let there = self.there.get(&under(&self.target, name));
        (there == Some(&meta.size)).then(|| known.clone())
    }

    /// Copies bytes that were checked.
    async fn copy(&mut self, part: ObjectPart, bytes: Bytes) -> Result<()> {
        let path = under(&self.target, &part.path);
        let was_there = self.there.contains_key(&path);
        put(self.to, &path, bytes).await?;
        match was_there {
            true => self.count.kept(part.bytes),
            false => self.count.count_new(part.bytes),
        }
        self.manifest.objects.push(part);
        Ok(())
    }

    async fn log(&mut self, name: &str, objects: &StreamObjects) -> Result<()> {
        let mut head = Head::START;
        let mut kept: Option<(&LogObject, ObjectPart)> = None;
        for object in &objects.log {
            // A small object of which a joined one was made: that one is copied.
            if object.first <= head.t {
                continue;
            }
            let path = &object.meta.location;
            let of_log = match self.kept(object) {
                Some((part, log)) => {
                    kept = Some((object, part));
                    log
                }
                None => {
                    same(self.from, name, kept.take()).await?;
                    self.log_object(name, object).await?
                }
            };
            if !of_log.follows(&head) {
                let what = format!("it does not follow transaction {} of the log", head.t);
                return Err(damaged(Error::data(path, what)));
            }
            head = of_log.head().ok_or_else(|| Error::data(path, "its hash cannot be read"))?;
        }
        same(self.from, name, kept).await?;
        self.manifest.streams.push(StreamPart::new(name, &head));
        Ok(())
    }

    /// What the backup before says of an object of the log, which then stays as it is there.
    fn kept(&mut self, object: &LogObject) -> Option<(ObjectPart, LogPart)> {
        let known = self.known(&within(&self.folder, &object.meta.location), &object.meta)?;
        let log = known.log.clone()?;
        self.count.kept(known.bytes);
        self.manifest.objects.push(known.clone());
        Some((known, log))
    }

    async fn log_object(&mut self, stream: &str, object: &LogObject) -> Result<LogPart> {
        let path = &object.meta.location;
        let name = within(&self.folder, path);
        let bytes = self.from.read(path).await?;
        let decoded = log::decode(stream, path, object.first, bytes.clone()).await;
        let transactions = decoded.map_err(damaged)?;
        let (Some(first), Some(last)) = (transactions.first(), transactions.last()) else {
            return Err(Error::data(path, "it holds no transaction"));
        };
        let log = LogPart {
            stream: stream.to_owned(),
            first: first.header.t,
            last: last.header.t,
            instant: last.header.instant,
            previous: to_hex(&first.header.previous),
            hash: to_hex(&last.header.hash),
        };
        self.copy(part(&name, &bytes, Some(log.clone())), bytes).await?;
        Ok(log)
    }

    /// The newest root that is whole, and what it names; no root, no index.
    async fn index(&mut self, stream: &str, objects: &StreamObjects) -> Result<()> {
        let Some(meta) = objects.roots.values().next_back() else { return Ok(()) };
        let bytes = self.from.read(&meta.location).await?;
        let told = root::parse(&meta.location, &bytes).map_err(damaged_index)?;
        if told.stream != stream {
            let what = format!("it is of stream {} instead of {stream}", told.stream);
            return Err(damaged_index(Error::data(&meta.location, what)));
        }
        let prefix = self.folder.clone().join("streams").join(stream);
        let mut seen = HashSet::new();
        for named in &told.runs {
            let path = run::path(&prefix, named.name);
            let list = self.from.read(&path).await.map_err(damaged_index)?;
            let entry = run::parse(&path, stream, named, &list).map_err(damaged_index)?;
            for entry in entry.segments.iter().filter(|s| seen.insert(s.name)) {
                self.segment(&prefix, objects, entry).await?;
            }
            self.copy(part(&within(&self.folder, &path), &list, None), list).await?;
        }
        let name = within(&self.folder, &meta.location);
        self.copy(part(&name, &bytes, None), bytes).await
    }

    async fn segment(
        &mut self,
        prefix: &Path,
        objects: &StreamObjects,
        entry: &Arc<SegmentEntry>,
    ) -> Result<()> {
        let Some(meta) = objects.segments.get(&entry.name) else {
            let path = prefix.clone().join("segments").join(format!("{}.parquet", entry.name));
            return Err(damaged_index(Error::data(&path, "the segment is missing")));
        };
        let name = within(&self.folder, &meta.location);
        if let Some(known) = self.known(&name, meta) {
            self.count.kept(known.bytes);
            self.manifest.objects.push(known);
            return Ok(());
        }
        let bytes = self.from.read(&meta.location).await?;
        segment::is_whole(&meta.location, entry, &bytes).await.map_err(damaged_index)?;
        self.copy(part(&name, &bytes, None), bytes).await
    }
}

/// The last of some kept objects must be the same here as there, byte for byte: by its hash all before it are, too. Else a
/// log that took another way after an old backup would pass for the one that was backed up.
async fn same(from: &Store, stream: &str, kept: Option<(&LogObject, ObjectPart)>) -> Result<()> {
    let Some((object, part)) = kept else { return Ok(()) };
    let path = &object.meta.location;
    let bytes = from.read(path).await?;
    if blake3::hash(&bytes).to_hex().as_str() == part.blake3 {
        return Ok(());
    }
    log::decode(stream, path, object.first, bytes).await.map_err(damaged)?;
    Err(other_object(path))
}

fn damaged(e: Error) -> Error {
    e.hint("nothing damaged is copied; daodb verify tells all that is wrong")
}

fn damaged_index(e: Error) -> Error {
    if e.kind != ErrorKind::Data {
        return e;
    }
    e.hint("daodb rebuild-index mends it; without --with-index the log alone is copied")
}
