//! What lies in a database's folder, told apart by name alone: for whoever looks after the files themselves.

use crate::error::Result;
use crate::marker::{ARCHIVED, MARKER};
use crate::store::Store;
use object_store::ObjectMeta;
use object_store::path::{Path, PathPart};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Digits of a number in a name, so that names sort as their numbers do.
const DIGITS: usize = 20;

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Marker,
    /// Says that the database was put away.
    Archived,
    /// An object of a stream's log. `last` stands in the name where small objects were joined to one.
    Log {
        stream: String,
        first: i64,
        last: Option<i64>,
    },
    Root {
        stream: String,
        n: u64,
    },
    /// The list of a run.
    Run {
        stream: String,
        name: Uuid,
    },
    Segment {
        stream: String,
        name: Uuid,
    },
    /// What a backup says of itself.
    Backup {
        n: u64,
    },
    /// Not one of ours.
    Foreign,
}

impl Kind {
    /// `within` is a path within the database's folder.
    pub fn of(within: &[PathPart<'_>]) -> Kind {
        let parts: Vec<&str> = within.iter().map(AsRef::as_ref).collect();
        let known = match parts.as_slice() {
            [name] if *name == MARKER => Some(Kind::Marker),
            [name] if *name == ARCHIVED => Some(Kind::Archived),
            ["streams", stream, folder, name] => of_stream(stream, folder, name),
            ["backups", name] => json_number(name).map(|n| Kind::Backup { n }),
            _ => None,
        };
        known.unwrap_or(Kind::Foreign)
    }
}

fn of_stream(stream: &str, folder: &str, name: &str) -> Option<Kind> {
    let stream = stream.to_owned();
    match folder {
        "log" => {
            let (first, last) = log_name(name)?;
            Some(Kind::Log { stream, first, last })
        }
        "index" => json_number(name).map(|n| Kind::Root { stream, n }),
        "runs" => Some(Kind::Run { stream, name: uuid(name.strip_suffix(".json")?)? }),
        "segments" => Some(Kind::Segment { stream, name: uuid(name.strip_suffix(".parquet")?)? }),
        _ => None,
    }
}

/// A uuid can be written in several ways; ours is one.
fn uuid(text: &str) -> Option<Uuid> {
    text.parse::<Uuid>().ok().filter(|uuid| uuid.to_string() == text)
}

fn log_name(name: &str) -> Option<(i64, Option<i64>)> {
    let stem = name.strip_suffix(".parquet")?;
    match stem.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some((first, Some(last)))
        }
        None => Some((number(stem)?, None)),
    }
}

/// The largest one is none of ours: none could follow it.
fn json_number(name: &str) -> Option<u64> {
    number(name.strip_suffix(".json")?).filter(|n| *n < u64::MAX)
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    let plain = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// An object of a log.
#[derive(Debug, Clone)]
pub struct LogObject {
    pub first: i64,
    pub last: Option<i64>,
    pub meta: ObjectMeta,
}

/// The objects of one stream.
#[derive(Debug, Default)]
pub struct StreamObjects {
    /// By first t; of those with the same one the joined one first.
    pub log: Vec<LogObject>,
    /// By number.
    pub roots: BTreeMap<u64, ObjectMeta>,
    pub runs: BTreeMap<Uuid, ObjectMeta>,
    pub segments: BTreeMap<Uuid, ObjectMeta>,
}

impl StreamObjects {
    pub fn all(&self) -> impl Iterator<Item = &ObjectMeta> {
        let log = self.log.iter().map(|o| &o.meta);
        log.chain(self.roots.values()).chain(self.parts_of_index())
    }

    /// What an index root names.
    pub fn parts_of_index(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.runs.values().chain(self.segments.values())
    }
}

/// All objects of a database.
#[derive(Debug, Default)]
pub struct Layout {
    pub marker: Option<ObjectMeta>,
    pub streams: BTreeMap<String, StreamObjects>,
    pub backups: BTreeMap<u64, ObjectMeta>,
    pub foreign: Vec<ObjectMeta>,
}

impl Layout {
    pub async fn read(store: &Store, database: &Path) -> Result<Layout> {
        let mut layout = Layout::default();
        for meta in store.list(database).await? {
            let within: Vec<PathPart<'_>> =
                meta.location.prefix_match(database).into_iter().flatten().collect();
            match Kind::of(&within) {
                Kind::Marker => layout.marker = Some(meta),
                Kind::Log { stream, first, last } => {
                    let log = &mut layout.streams.entry(stream).or_default().log;
                    log.push(LogObject { first, last, meta });
                }
                Kind::Root { stream, n } => {
                    layout.streams.entry(stream).or_default().roots.insert(n, meta);
                }
                Kind::Run { stream, name } => {
                    layout.streams.entry(stream).or_default().runs.insert(name, meta);
                }
                Kind::Segment { stream, name } => {
                    layout.streams.entry(stream).or_default().segments.insert(name, meta);
                }
                Kind::Backup { n } => drop(layout.backups.insert(n, meta)),
                Kind::Archived => {}
                Kind::Foreign => layout.foreign.push(meta),
            }
        }
        for stream in layout.streams.values_mut() {
            stream.log.sort_by_key(|o| (o.first, std::cmp::Reverse(o.last)));
        }
        Ok(layout)
    }

    /// All that belongs to the database, and what lies there beside it.
    pub fn all(&self) -> impl Iterator<Item = &ObjectMeta> {
        let others = self.marker.iter().chain(self.backups.values()).chain(&self.foreign);
        self.streams.values().flat_map(StreamObjects::all).chain(others)
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.marker.is_none() && self.streams.is_empty() && self.foreign.is_empty()
    }
}

/// Names of folders that hold a database, or what is left of one.
pub async fn databases(store: &Store) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in store.folders(&store.root).await?.into_iter().filter(|n| !n.starts_with('.')) {
        let folder = store.root.clone().join(name.as_str());
        let marker = store.read_if_there(&folder.clone().join(MARKER)).await?;
        let is_database =
            marker.is_some() || store.folders(&folder).await?.iter().any(|f| f == "streams");
        if is_database {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |path: &str, expect: Kind| {
            let path = Path::from(path);
            assert_eq!(Kind::of(&path.parts().collect::<Vec<_>>()), expect, "{path}");
        };
        let stream = || "0".to_owned();
        let log = |first, last| Kind::Log { stream: stream(), first, last };
        check("database.json", Kind::Marker);
        check("archived.json", Kind::Archived);
        check("streams/0/log/00000000000000001000.parquet", log(1000, None));
        check(
            "streams/0/log/00000000000000001000-00000000000000001009.parquet",
            log(1000, Some(1009)),
        );
        check("streams/0/index/00000000000000000007.json", Kind::Root { stream: stream(), n: 7 });
        let name = Uuid::from_u128(5);
        let segment = Kind::Segment { stream: stream(), name };
        check(&format!("streams/0/segments/{name}.parquet"), segment);
        let run = Kind::Run { stream: stream(), name };
        check(&format!("streams/0/runs/{name}.json"), run);
        check("backups/00000000000000000001.json", Kind::Backup { n: 1 });
        for foreign in [
            "notes.txt",
            "streams/0/log/1000.parquet",
            "streams/0/log/00000000000000001000.parquet.bak",
            "streams/0/log/00000000000000001009-00000000000000001000.parquet",
            "streams/0/index/7.json",
            "streams/0/index/18446744073709551615.json",
            "streams/0/segments/x.parquet",
            "streams/0/other/x",
            "streams/x",
        ] {
            check(foreign, Kind::Foreign);
        }
    }
}
