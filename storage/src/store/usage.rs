//! What lies under a prefix, counted by kind.

use super::{Store, failed};
use crate::error::Result;
use futures::TryStreamExt;
use object_store::path::Path;

/// Objects and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pile {
    pub objects: u64,
    pub bytes: u64,
}

/// What a database takes in its store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Log objects of all streams.
    pub log: Pile,
    /// Segments, also those that no root names any more.
    pub segments: Pile,
    /// Roots, lists of runs, hints, `database.json`.
    pub other: Pile,
}

impl Usage {
    pub fn bytes(&self) -> u64 {
        self.log.bytes + self.segments.bytes + self.other.bytes
    }
}

impl Store {
    /// Counts what lies under `prefix`.
    pub async fn usage(&self, prefix: &Path) -> Result<Usage> {
        let mut usage = Usage::default();
        let mut objects = self.objects.list(Some(prefix));
        while let Some(object) = objects.try_next().await.map_err(|e| failed(prefix, e))? {
            let folder = object.location.parts().rev().nth(1);
            let pile = match folder.as_ref().map(|folder| folder.as_ref()) {
                Some("log") => &mut usage.log,
                Some("segments") => &mut usage.segments,
                _ => &mut usage.other,
            };
            pile.objects += 1;
            pile.bytes += object.size;
        }
        Ok(usage)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn counted_by_kind() {
        let store = Store::memory();
        for (path, bytes) in [
            ("a/streams/0/log/00000000000000001000.parquet", 3),
            ("a/segments/x.parquet", 5),
            ("a/segments/y.parquet", 7),
            ("a/index/00000000000000000001.json", 11),
            ("a/database.json", 13),
            ("ab/database.json", 17),
        ] {
            store.replace(&Path::from(path), vec![0; bytes]).await.unwrap();
        }
        let usage = store.usage(&Path::from("a")).await.unwrap();
        assert_eq!(usage.log, Pile { objects: 1, bytes: 3 });
        assert_eq!(usage.segments, Pile { objects: 2, bytes: 12 });
        assert_eq!(usage.other, Pile { objects: 2, bytes: 24 });
        assert_eq!(usage.bytes(), 39);
    }
}
