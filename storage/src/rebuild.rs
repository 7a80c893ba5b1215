//! Making the index of a database anew, from the log alone.
//!
//! ```text
//! read the whole log: where it is damaged, the index that there is may be all that still answers, and stays
//! write a root that names no runs: from here on that is the index, and everything else is left over
//! open the stream: that removes what is left over, replays the log and lays runs down as the tail fills
//! ```
//!
//! So a crash at any moment leaves the old index, or a young one that the next opening completes.

use crate::error::{Error, ErrorKind, Result};
use crate::index::cache::Cache;
use crate::index::root::{self, Root};
use crate::index::segment::Files;
use crate::layout::{Layout, StreamObjects};
use crate::log::{Head, Log};
use crate::store::Store;
use crate::stream::{Stream, StreamOptions};
use futures::StreamExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked how far the work is.
const TICK: Duration = Duration::from_millis(500);
/// Transactions between two looks at the progress of reading.
const STRIDE: i64 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildStep {
    /// Reading the log.
    Reading,
    /// Laying runs down.
    Writing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildProgress {
    pub step: RebuildStep,
    /// Transactions done, and how many there are (about, while reading).
    pub done: u64,
    pub of: u64,
}

type Tell<'a> = &'a mut (dyn FnMut(RebuildProgress) + Send);

/// What there is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    pub head: Head,
    pub segments: u64,
    pub bytes: u64,
}

/// Makes the index of a database anew. The database must not be open. Damage in the log: `Data`, and nothing is changed.
pub fn rebuild_index<'a>(
    store: &'a Store,
    database: &'a str,
    options: StreamOptions,
    tell: Tell<'a>,
) -> BoxFuture<'a, Result<Rebuilt>> {
    Box::pin(async move {
        let folder = store.root.clone().join(database);
        let layout = Layout::read(store, &folder).await?;
        let mut rebuilt = Rebuilt { head: Head::START, segments: 0, bytes: 0 };
        for (name, objects) in &layout.streams {
            let prefix = folder.clone().join("streams").join(name.as_str());
            let of = Of { store, name, prefix, objects };
            let one = of.rebuild(options.clone(), &mut *tell).await?;
            rebuilt.head = one.head;
            rebuilt.segments += one.segments;
            rebuilt.bytes += one.bytes;
        }
        Ok(rebuilt)
    })
}

/// One stream.
struct Of<'a> {
    store: &'a Store,
    name: &'a str,
    /// Its folder.
    prefix: Path,
    objects: &'a StreamObjects,
}

impl Of<'_> {
    async fn rebuild(&self, options: StreamOptions, tell: Tell<'_>) -> Result<Rebuilt> {
        let head = self.read_log(&mut *tell).await?;
        let cache = Cache::new(0);
        let files = Arc::new(Files::new(self.store.clone(), self.prefix.clone(), cache));
        let n = self.objects.roots.keys().max().map_or(0, |n| *n) + 1;
        let empty = Root { n, by_value: self.by_value().await, ..Root::empty() };
        if !root::write(&files, self.name, &empty).await? {
            return Err(Error::new(ErrorKind::Fenced, "another process writes an index meanwhile")
                .hint("stop it, then try again"));
        }
        let stream = self.lay_down(&files, options, &head, &mut *tell).await?;
        let snapshot = stream.snapshot();
        let newest = snapshot.newest();
        if (newest.t, newest.hash) != (head.t, head.hash) {
            let text = format!("{}: the log changed while its index was made", self.prefix);
            return Err(Error::internal(text));
        }
        let segments = snapshot.segments();
        drop(snapshot);
        stream.close().await?;
        Ok(Rebuilt {
            head,
            segments: segments.len() as u64,
            bytes: segments.iter().map(|s| s.bytes).sum(),
        })
    }

    /// The head of the log, which must be whole.
    async fn read_log(&self, tell: Tell<'_>) -> Result<Head> {
        let log = Log::new(self.store.clone(), self.prefix.clone(), self.name.to_owned());
        let ends = self.objects.log.iter().map(|o| o.last.unwrap_or(o.first));
        let of = count(ends.max().unwrap_or(Head::START.t));
        let mut transactions = log.read_after(Head::START);
        let mut head = Head::START;
        while let Some(transaction) = transactions.next().await {
            let kept = "the index is left as it was; put the log back from a backup first";
            head = Head::after(&transaction.map_err(|e| e.hint(kept))?.header);
            if head.t % STRIDE == 0 {
                let done = count(head.t);
                tell(RebuildProgress { step: RebuildStep::Reading, done, of: of.max(done) });
            }
        }
        Ok(head)
    }

    /// Which attributes the newest readable root keeps by value: the log does not tell.
    async fn by_value(&self) -> BTreeSet<String> {
        for meta in self.objects.roots.values().rev() {
            let path = &meta.location;
            let read = async { root::parse(path, &self.store.read(path).await?) };
            if let Ok(told) = read.await {
                return told.by_value;
            }
        }
        BTreeSet::new()
    }

    async fn lay_down(
        &self,
        files: &Arc<Files>,
        options: StreamOptions,
        head: &Head,
        tell: Tell<'_>,
    ) -> Result<Arc<Stream>> {
        let opening = async {
            let (store, prefix) = (self.store.clone(), self.prefix.clone());
            let stream = Stream::open(store, prefix, options).await?;
            stream.index_now().await?;
            Ok(stream)
        };
        let mut opening = std::pin::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return opened,
                () = tokio::time::sleep(TICK) => {
                    let (done, of) = (count(root::reached(files).await), count(head.t));
                    tell(RebuildProgress { step: RebuildStep::Writing, done, of });
                }
            }
        }
    }
}

/// Transactions up to t.
fn count(t: i64) -> u64 {
    t.abs_diff(Head::START.t.min(t))
}
