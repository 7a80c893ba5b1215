//! What a backup says of itself.

use crate::error::{Error, Result};
use crate::index::root::to_hex;
use crate::index::segment::parse_hex;
use crate::layout::Layout;
use crate::log::Head;
use crate::store::Store;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub database: String,
    /// Of `database.json`.
    pub id: Uuid,
    /// When it was made.
    pub instant: String,
    pub streams: Vec<StreamPart>,
    /// In the order in which they are restored: logs by t, indexes, `database.json`.
    pub objects: Vec<ObjectPart>,
}

/// The head of a stream's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPart {
    pub stream: String,
    pub t: i64,
    /// Microseconds.
    pub instant: i64,
    pub hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPart {
    /// Within the database's folder.
    pub path: String,
    pub bytes: u64,
    pub blake3: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogPart>,
}

/// Where an object stands in its log's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    pub stream: String,
    pub first: i64,
    pub last: i64,
    /// Of the last transaction, microseconds.
    pub instant: i64,
    /// Of the transaction before the first, and of the last one.
    pub previous: String,
    pub hash: String,
}

#[derive(Serialize, Deserialize)]
struct File {
    /// Of `backup` as compact JSON with sorted keys.
    blake3: String,
    backup: serde_json::Value,
}

impl Manifest {
    pub fn new(database: &str, id: Uuid, instant: String) -> Manifest {
        Manifest {
            format: FORMAT,
            database: database.to_owned(),
            id,
            instant,
            streams: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// Whether both hold the same, whenever they were made.
    pub fn is_same(&self, other: &Manifest) -> bool {
        self.id == other.id && self.streams == other.streams && self.objects == other.objects
    }

    pub fn to_json(&self) -> Result<Vec<u8>> {
        let internal = |e: serde_json::Error| Error::internal(format!("a manifest: {e}"));
        let backup = serde_json::to_value(self).map_err(internal)?;
        let blake3 = blake3::hash(backup.to_string().as_bytes()).to_hex().to_string();
        serde_json::to_vec(&File { blake3, backup }).map_err(internal)
    }

    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Manifest> {
        let bad = |what: &dyn std::fmt::Display| Error::data(path, what);
        let file: File = serde_json::from_slice(bytes).map_err(|e| bad(&e))?;
        let json = file.backup.to_string();
        if blake3::hash(json.as_bytes()).to_hex().as_str() != file.blake3 {
            return Err(bad(&"its contents are not those that were written"));
        }
        let manifest: Manifest = serde_json::from_value(file.backup).map_err(|e| bad(&e))?;
        match manifest.format == FORMAT {
            true => Ok(manifest),
            false => {
                let what = format!("format {} is not known", manifest.format);
                Err(bad(&what).hint("use a newer DaoDB"))
            }
        }
    }

    /// The newest one that can be read, and its number.
    pub async fn newest_readable(store: &Store, layout: &Layout) -> Option<(u64, Manifest)> {
        for (n, meta) in layout.backups.iter().rev() {
            let path = &meta.location;
            let read = async { Manifest::parse(path, &store.read(path).await?) };
            match read.await {
                Ok(manifest) => return Some((*n, manifest)),
                Err(e) => tracing::warn!("a backup's manifest is passed over: {e}"),
            }
        }
        None
    }

    pub fn head(&self, stream: &str) -> Option<Head> {
        let part = self.streams.iter().find(|s| s.stream == stream)?;
        Some(Head { t: part.t, instant: part.instant, hash: hash(&part.hash)? })
    }
}

impl StreamPart {
    pub fn new(stream: &str, head: &Head) -> StreamPart {
        let (t, instant, hash) = (head.t, head.instant, to_hex(&head.hash));
        StreamPart { stream: stream.to_owned(), t, instant, hash }
    }
}

impl LogPart {
    /// After it.
    pub fn head(&self) -> Option<Head> {
        Some(Head { t: self.last, instant: self.instant, hash: hash(&self.hash)? })
    }

    pub fn follows(&self, head: &Head) -> bool {
        self.first == head.t + 1 && hash(&self.previous) == Some(head.hash)
    }
}

pub fn hash(hex: &str) -> Option<[u8; 32]> {
    parse_hex(hex)?.try_into().ok()
}

/// Whether a manifest is whole.
pub fn check(path: &Path, bytes: &[u8]) -> Result<()> {
    Manifest::parse(path, bytes).map(drop)
}
