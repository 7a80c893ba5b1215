//! What one reading took from the store and from caches. A reading is a task's: what it awaits is counted to it, however
//! deep below, without a parameter on the way down.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static READING: Arc<ReadStats>;
}

#[derive(Debug, Default)]
pub struct ReadStats {
    requests: AtomicU64,
    store_bytes: AtomicU64,
    disk_bytes: AtomicU64,
    memory_bytes: AtomicU64,
}

/// What a reading took so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Requests to the store, and the bytes that they gave.
    pub requests: u64,
    pub store_bytes: u64,
    /// From the folder of `--cache`.
    pub disk_bytes: u64,
    /// Decoded columns from memory.
    pub memory_bytes: u64,
}

impl ReadStats {
    /// Counts what `work` reads.
    pub fn during<F: Future>(
        self: &Arc<Self>,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        READING.scope(Arc::clone(self), work)
    }

    pub fn took(&self) -> Took {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Took {
            requests: get(&self.requests),
            store_bytes: get(&self.store_bytes),
            disk_bytes: get(&self.disk_bytes),
            memory_bytes: get(&self.memory_bytes),
        }
    }
}

fn note(which: impl FnOnce(&ReadStats) -> &AtomicU64, n: u64) {
    // Nobody counts what is read outside of a query.
    let _ = READING.try_with(|stats| which(stats).fetch_add(n, Ordering::Relaxed));
}

pub(super) fn request() {
    note(|stats| &stats.requests, 1);
}

pub(super) fn from_store(bytes: u64) {
    note(|stats| &stats.store_bytes, bytes);
}

pub(crate) fn from_disk(bytes: u64) {
    note(|stats| &stats.disk_bytes, bytes);
}

pub(crate) fn from_memory(bytes: usize) {
    note(|stats| &stats.memory_bytes, bytes as u64);
}
