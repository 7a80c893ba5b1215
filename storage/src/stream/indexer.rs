//! The background indexer: the tail becomes runs, runs of about one size become one.
//!
//! A pass: freeze the tail; write its segments; write a root that names them; publish a state without what was frozen. The
//! order makes every crash harmless: segments that no root names are removed at the next start, and the log has the rest.

use super::Inner;
use crate::error::{Error, Result};
use crate::index::build::{Builder, can_sort};
use crate::index::root::{self, Root};
use crate::index::run::{Run, RunEntry};
use crate::index::segment::Segment;
use crate::index::stat::Stat;
use crate::snapshot::State;
use crate::tail::Batch;
use crate::world::Mutation;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Runs of about one size that become one: fewer means faster reads, more means fewer rewrites.
const FAN: usize = 8;
const RETRY: Duration = Duration::from_secs(2);

pub struct Indexer {
    signals: Arc<Signals>,
    /// One pass at a time.
    passing: tokio::sync::Mutex<()>,
    failure: Mutex<Option<Error>>,
    /// The highest number that a root has, whether it could be read or not.
    highest: AtomicU64,
    /// Segments that no root names any more; removed when no snapshot reads them.
    retired: Mutex<Vec<Arc<Segment>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Signals {
    wake: Arc<Notify>,
    progress: Notify,
    stop: AtomicBool,
}

impl Indexer {
    /// `wake` wakes it; `highest` is the highest number of a root.
    pub fn new(highest: u64, wake: Arc<Notify>) -> Indexer {
        Indexer {
            signals: Arc::new(Signals { wake, ..Signals::default() }),
            passing: tokio::sync::Mutex::default(),
            failure: Mutex::default(),
            highest: AtomicU64::new(highest),
            retired: Mutex::default(),
            task: Mutex::default(),
        }
    }

    pub fn wake(&self) {
        self.signals.wake.notify_one();
    }

    /// Ready after the next pass that ends, be it well or badly.
    pub fn progress(&self) -> impl Future<Output = ()> + Send + use<> {
        let signals = Arc::clone(&self.signals);
        // Counts from here on, not from when it is polled.
        let mut notified = Box::pin(async move { signals.progress.notified().await });
        let _ = futures::FutureExt::now_or_never(&mut notified);
        notified
    }

    /// Why the last pass failed, where it did.
    pub fn failure(&self) -> Option<Error> {
        self.failure.lock().clone()
    }

    pub fn tell_to_stop(&self) {
        self.signals.stop.store(true, Ordering::SeqCst);
        self.wake();
    }
}

/// Starts the background task; it ends when the stream is dropped or closed.
pub fn start(inner: &Arc<Inner>) {
    let signals = Arc::clone(&inner.indexer.signals);
    let weak = Arc::downgrade(inner);
    *inner.indexer.task.lock() = Some(tokio::spawn(run(signals, weak)));
}

async fn run(signals: Arc<Signals>, weak: Weak<Inner>) {
    loop {
        signals.wake.notified().await;
        loop {
            let Some(inner) = weak.upgrade().filter(|_| !signals.stop.load(Ordering::SeqCst))
            else {
                return;
            };
            let done = match inner.state().tail.rows() >= inner.tail_datoms {
                true => pass(inner).await,
                false if inner.needs_sorting() => sort(inner).await,
                false => break,
            };
            if let Err(e) = done {
                tracing::error!("indexing failed and is tried again: {e}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Waits for the background task to end.
pub async fn stop(inner: &Inner) {
    inner.indexer.tell_to_stop();
    let task = inner.indexer.task.lock().take();
    let Some(task) = task else { return };
    if let Err(e) = task.await {
        tracing::error!("the indexer ended badly: {e}");
    }
}

/// Lays the tail down and merges what is due.
pub fn pass(inner: Arc<Inner>) -> BoxFuture<'static, Result<()>> {
    Box::pin(on_a_thread(inner, Work::Pass))
}

/// Gives runs the attributes by value that they lack.
async fn sort(inner: Arc<Inner>) -> Result<()> {
    on_a_thread(inner, Work::Sort).await
}

enum Work {
    Pass,
    Sort,
}

/// Encoding takes long, so it has a thread of its own.
async fn on_a_thread(inner: Arc<Inner>, work: Work) -> Result<()> {
    if inner.files.world.is_simulated() {
        return inner.work(work).await;
    }
    let runtime = tokio::runtime::Handle::current();
    let done = tokio::task::spawn_blocking(move || runtime.block_on(inner.work(work)));
    done.await.map_err(|e| Error::internal(format!("indexing: {e}")))?
}

impl Inner {
    fn builder(&self) -> Builder<'_> {
        Builder { files: &self.files, stream: &self.name }
    }

    async fn work(&self, work: Work) -> Result<()> {
        let done = match work {
            Work::Pass => self.pass().await,
            Work::Sort => {
                let _one = self.indexer.passing.lock().await;
                self.sort().await
            }
        };
        *self.indexer.failure.lock() = done.clone().err();
        self.indexer.signals.progress.notify_waiters();
        done
    }

    async fn pass(&self) -> Result<()> {
        let _one = self.indexer.passing.lock().await;
        self.lay_down().await?;
        while let Some(merged) = self.merge_due().await? {
            self.replace(merged).await?;
        }
        self.sort().await?;
        self.collect_retired().await
    }

    async fn sort(&self) -> Result<()> {
        while let Some(sorted) = self.sort_due().await? {
            self.replace(sorted).await?;
        }
        Ok(())
    }

    /// Whether a run lacks an attribute by value that it could have.
    fn needs_sorting(&self) -> bool {
        let wanted = self.files.wanted_by_value();
        self.state().root.runs.iter().any(|run| can_sort(run, &wanted))
    }

    /// The tail as a run.
    async fn lay_down(&self) -> Result<()> {
        let frozen = self.publish(|current| {
            let (files, root) = (Arc::clone(&current.files), Arc::clone(&current.root));
            let (tail, basis) = (current.tail.freeze(), current.basis.clone());
            Ok(State::new(files, root, tail, basis, current.fresh))
        })?;
        if frozen.tail.frozen().is_empty() {
            return Ok(());
        }
        let batch = Batch::merge(frozen.tail.frozen())?;
        let by_value = self.files.wanted_by_value();
        let entry = self.builder().run(&batch, &by_value).await?;
        let run = Arc::new(Run::open(&self.files, entry, &[]).await?);
        let stats: Vec<(_, &Stat)> =
            batch.blocks.iter().map(|(key, block)| (key.clone(), &block.stat)).collect();
        let mut runs = frozen.root.runs.clone();
        if !run.groups.is_empty() {
            runs.push(run);
        }
        let root = Root {
            n: self.next_root(),
            basis: frozen.basis.clone(),
            fresh: frozen.fresh,
            by_value,
            runs,
            stats: root::add_stats(&frozen.root.stats, stats),
        };
        if self.files.world.has(Mutation::EarlyTruncation) {
            self.publish(|current| {
                let (files, root) = (Arc::clone(&current.files), Arc::clone(&current.root));
                let (tail, basis) = (current.tail.thawed(), current.basis.clone());
                Ok(State::new(files, root, tail, basis, current.fresh))
            })?;
        }
        root::write(&self.files, &self.name, &root).await?;
        let root = Arc::new(root);
        self.publish(|current| {
            let (files, root) = (Arc::clone(&current.files), Arc::clone(&root));
            let (tail, basis) = (current.tail.thawed(), current.basis.clone());
            Ok(State::new(files, root, tail, basis, current.fresh))
        })?;
        Ok(())
    }

    fn next_root(&self) -> u64 {
        self.indexer.highest.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The newest runs of about one size as one; None: there are not many.
    async fn merge_due(&self) -> Result<Option<Replaced>> {
        let state = self.state();
        let runs = &state.root.runs;
        let level =
            |run: &Run| (run.rows() / self.tail_datoms.max(1) as u64).checked_ilog(FAN as u64);
        let Some(newest) = runs.last().map(|r| level(r)) else { return Ok(None) };
        let of_a_size = runs.iter().rev().take_while(|r| level(r) <= newest).count();
        if of_a_size < FAN {
            return Ok(None);
        }
        let first = runs.len() - of_a_size;
        let merging: Vec<&Run> = runs[first..].iter().map(|r| r.as_ref()).collect();
        let with = self.builder().merge(&merging).await?;
        Ok(Some(Replaced { first, count: of_a_size, with }))
    }

    /// A run that lacks an attribute by value, with it.
    async fn sort_due(&self) -> Result<Option<Replaced>> {
        let wanted = self.files.wanted_by_value();
        let state = self.state();
        for (first, run) in state.root.runs.iter().enumerate() {
            if can_sort(run, &wanted) {
                let with = self.builder().sort_by_value(run, &wanted).await?;
                return Ok(Some(Replaced { first, count: 1, with }));
            }
        }
        Ok(None)
    }

    /// Writes and publishes a root in which a run stands for others.
    async fn replace(&self, replaced: Replaced) -> Result<()> {
        let old = self.state();
        let gone = replaced.first..replaced.first + replaced.count;
        let known: Vec<Arc<Segment>> =
            old.root.runs[gone.clone()].iter().flat_map(|run| run.segments.clone()).collect();
        let run = Arc::new(Run::open(&self.files, replaced.with, &known).await?);
        drop(known);
        let mut runs = old.root.runs.clone();
        let replaced: Vec<Arc<Run>> = runs.splice(gone, [Arc::clone(&run)]).collect();
        let root = Root {
            n: self.next_root(),
            basis: old.root.basis.clone(),
            fresh: old.root.fresh,
            by_value: self.files.wanted_by_value(),
            runs,
            stats: old.root.stats.clone(),
        };
        root::write(&self.files, &self.name, &root).await?;
        let root = Arc::new(root);
        self.publish(|current| {
            let (files, tail) = (Arc::clone(&current.files), current.tail.clone());
            let basis = current.basis.clone();
            Ok(State::new(files, Arc::clone(&root), tail, basis, current.fresh))
        })?;
        let kept: HashSet<_> = run.entry.segments.iter().map(|s| s.name).collect();
        let mut retired = self.indexer.retired.lock();
        for segment in replaced.iter().flat_map(|r| &r.segments) {
            if !kept.contains(&segment.entry.name) {
                retired.push(Arc::clone(segment));
            }
        }
        Ok(())
    }

    /// Removes retired segments that no snapshot reads, and older roots.
    pub async fn collect_retired(&self) -> Result<()> {
        let free: Vec<Arc<Segment>> = {
            let mut retired = self.indexer.retired.lock();
            // One reference is ours: no snapshot can get another from it.
            let mutated = self.files.world.has(Mutation::NoGrace);
            let (free, used) =
                retired.drain(..).partition(|segment| mutated || Arc::strong_count(segment) == 1);
            *retired = used;
            free
        };
        root::remove_older(&self.files, self.state().root.n).await?;
        for segment in free {
            root::remove(&self.files, segment.path()).await?;
        }
        Ok(())
    }

    /// At the start: removes what a crash left behind.
    pub async fn collect_lost(&self) -> Result<()> {
        root::collect(&self.files, &self.state().root).await
    }
}

/// Runs, by their place, and what stands for them.
struct Replaced {
    first: usize,
    count: usize,
    with: RunEntry,
}
