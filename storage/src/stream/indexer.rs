//! The background indexer: the tail becomes runs, runs of about one size become one.
//!
//! A pass: freeze the tail; write its segments, then the list of the run that they make; write a root that names it; publish a
//! state without what was frozen. The order makes every crash harmless: lists and segments that no root names are removed at
//! the next start, and the log has the rest.

use super::Inner;
use super::jobs::{Done, JobKind};
use crate::datom::Attr;
use crate::error::{Error, Result};
use crate::index::block::Kind;
use crate::index::build::Builder;
use crate::index::root::{self, Root};
use crate::index::run::{self, Run, RunEntry};
use crate::index::segment::Segment;
use crate::index::sort::lacks;
use crate::index::stat::Stat;
use crate::snapshot::State;
use crate::tail::Batch;
use crate::value::ValueType;
use crate::world::Mutation;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Runs of about one size that become one: fewer means faster reads, more means fewer rewrites.
const FAN: usize = 8;
/// A run is written again when a part of its facts has ended since: the rest is read past the dead ones.
const ENDED_PART: u64 = 4;
/// Fewer facts than this part of a tail are read past, whatever part of a run they are.
const FEW: u64 = 64;
/// While nothing is written: what is smaller is read past in no time, and what holds more is not written again for so little.
const ENDED_PART_AT_REST: u64 = 64;
const REST_ROWS: u64 = 4_000_000;
/// Log objects are looked through for some to join after so many commits.
const COMMITS: usize = 256;
/// After so many without a pass, on a store of our own: before most of them get files in a folder.
const MANY_COMMITS: usize = 512;
/// Roots that another process has written since the newest was read, at most.
const TAKEN_ROOTS: usize = 1000;
/// The longest between merges at rest that fail is the first wait doubled so often: an hour or two.
const MOST_DOUBLED: u32 = 12;
const RETRY: Duration = Duration::from_secs(2);

pub struct Indexer {
    signals: Arc<Signals>,
    /// One pass at a time.
    passing: tokio::sync::Mutex<()>,
    failure: Mutex<Option<Error>>,
    /// The highest number that a root has, whether it could be read or not.
    highest: AtomicU64,
    /// Segments that no root names any more; removed when no snapshot reads them.
    retired: Mutex<Retired>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// When what nothing names was last looked for, in microseconds.
    collected: AtomicI64,
    /// Commits since log objects were last joined.
    commits: AtomicUsize,
}

/// What the newest root does not name any more.
#[derive(Default)]
struct Retired {
    segments: Vec<Arc<Segment>>,
    /// Their lists.
    runs: Vec<Uuid>,
}

#[derive(Default)]
pub struct Signals {
    wake: Arc<Notify>,
    /// There may be room in the tail, or none for a reason.
    progress: Notify,
    stop: AtomicBool,
}

impl Signals {
    /// Ready once the task is told to stop.
    pub async fn stopped(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            self.wake.notified().await;
        }
    }
}

impl Indexer {
    /// `wake` wakes it; `highest` is the highest number of a root.
    pub fn new(highest: u64, wake: Arc<Notify>, now: i64) -> Indexer {
        Indexer {
            signals: Arc::new(Signals { wake, ..Signals::default() }),
            passing: tokio::sync::Mutex::default(),
            failure: Mutex::default(),
            highest: AtomicU64::new(highest),
            retired: Mutex::default(),
            task: Mutex::default(),
            collected: AtomicI64::new(now),
            // What an earlier process left is not known.
            commits: AtomicUsize::new(COMMITS),
        }
    }

    /// Whether there are roots, readable or not.
    pub fn has_roots(&self) -> bool {
        self.highest.load(Ordering::Relaxed) > 0
    }

    pub fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    /// The background task, for [`stop`] to wait for.
    pub fn keep(&self, task: JoinHandle<()>) {
        *self.task.lock() = Some(task);
    }

    /// Another log object was written.
    pub fn count_commit(&self) {
        if (self.commits.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(MANY_COMMITS) {
            self.wake();
        }
    }

    pub fn wake(&self) {
        self.signals.wake.notify_one();
    }

    /// Ready after the tail is laid down the next time, or work ends, be it well or badly.
    pub fn progress(&self) -> impl Future<Output = ()> + Send + use<> {
        let signals = Arc::clone(&self.signals);
        // Counts from here on, not from when it is polled. A pass may end at this very moment.
        let mut notified = Box::pin(async move { signals.progress.notified().await });
        let ended = futures::FutureExt::now_or_never(&mut notified).is_some();
        async move {
            if !ended {
                notified.await;
            }
        }
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
    inner.indexer.keep(tokio::spawn(run(signals, weak)));
}

async fn run(signals: Arc<Signals>, weak: Weak<Inner>) {
    // Merges at rest that failed, one after the other: each waits twice as long.
    let mut failed = 0;
    loop {
        let rests = rests(&signals, &weak, failed).await;
        loop {
            let Some(inner) = weak.upgrade().filter(|_| !signals.stop.load(Ordering::SeqCst))
            else {
                return;
            };
            let done = match inner.has_full_tail() {
                true => pass(inner).await,
                false if inner.needs_sorting() => on_a_thread(inner, Work::Sort).await,
                false if inner.needs_joining() => on_a_thread(inner, Work::Join).await,
                false if rests && inner.due_at_rest().is_some() => {
                    // Nobody needs it: what is written goes before, and so does who waits for the disk.
                    if let Err(e) = on_a_thread(inner, Work::Rest).await {
                        tracing::warn!("merging at rest failed and is put off: {e}");
                        failed = (failed + 1).min(MOST_DOUBLED);
                        break;
                    }
                    failed = 0;
                    Ok(())
                }
                false => break,
            };
            if let Err(e) = done {
                tracing::error!("indexing failed and is tried again: {e}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Waits until there is something to do. True: nothing was written for a while, and something is due then.
async fn rests(signals: &Signals, weak: &Weak<Inner>, failed: u32) -> bool {
    // Nobody is kept by who waits.
    let look = || {
        let inner = weak.upgrade()?;
        Some((inner.state().basis.t, inner.due_at_rest().is_some(), inner.options.rest_after))
    };
    let mut before = look();
    while let Some((_, due, after)) = before {
        tokio::select! {
            () = signals.wake.notified() => return false,
            () = tokio::time::sleep(after * 2_u32.pow(failed)), if due => {}
        }
        let now = look();
        if now == before {
            return true;
        }
        before = now;
    }
    false
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

enum Work {
    Pass,
    /// Gives runs the attributes by value that they lack.
    Sort,
    /// Joins log objects, whether the index has them or not.
    Join,
    /// Merges what is due while nothing is written.
    Rest,
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
        let between = Box::new(|| Box::pin(self.lay_down_if_full()) as BoxFuture<'_, _>);
        Builder { files: &self.files, stream: &self.name, between }
    }

    async fn work(&self, work: Work) -> Result<()> {
        let at_rest = matches!(work, Work::Rest);
        let done = match work {
            Work::Pass => self.pass().await,
            Work::Sort => {
                let _one = self.indexer.passing.lock().await;
                self.sort().await
            }
            Work::Join => {
                let _one = self.indexer.passing.lock().await;
                self.join().await
            }
            Work::Rest => {
                let _one = self.indexer.passing.lock().await;
                self.rest().await
            }
        };
        if !at_rest {
            *self.indexer.failure.lock() = done.clone().err();
        }
        self.indexer.signals.progress.notify_waiters();
        // Whoever asked for it: there may be something due at rest.
        self.indexer.wake();
        done
    }

    async fn pass(&self) -> Result<()> {
        let _one = self.indexer.passing.lock().await;
        // What a newer writer reads is not ours to change.
        if let Some(why) = self.log.fenced() {
            return Err(why.clone());
        }
        // Those that the basis of the next root covers for certain.
        let commits = self.indexer.commits.load(Ordering::Relaxed);
        self.room().await?;
        while self.jobs.run(JobKind::Merge, self.merge()).await? {}
        self.sort().await?;
        let indexed = self.state().root.basis.t;
        self.jobs.run(JobKind::Consolidate, self.consolidate(commits, indexed)).await?;
        self.collect_retired().await
    }

    /// What a replay reads may be joined while no other process reads it.
    async fn join(&self) -> Result<()> {
        if let Some(why) = self.log.fenced() {
            return Err(why.clone());
        }
        let commits = self.indexer.commits.load(Ordering::Relaxed);
        let newest = self.state().basis.t;
        self.jobs.run(JobKind::Consolidate, self.consolidate(commits, newest)).await
    }

    async fn rest(&self) -> Result<()> {
        let one = async {
            let Some(first) = self.due_at_rest() else { return Ok((false, Done::default())) };
            let merged = self.merge_live_from(first).await?;
            let done = merged.done();
            self.replace(merged).await?;
            Ok((true, done))
        };
        self.jobs.run(JobKind::Merge, one).await?;
        self.collect_retired().await
    }

    /// From which one on, of all runs of facts that hold, they are to be written together at rest.
    fn due_at_rest(&self) -> Option<usize> {
        let state = self.state();
        let live: Vec<&Run> =
            state.root.runs.iter().filter(|run| !run.entry.is_past()).map(AsRef::as_ref).collect();
        // What a newer writer reads is not ours to change.
        let first =
            superseded(&live, 1, ENDED_PART_AT_REST).filter(|_| self.log.fenced().is_none())?;
        let rows: u64 = live[first..].iter().map(|run| run.rows(&[Kind::Current])).sum();
        (rows <= REST_ROWS).then_some(first)
    }

    async fn merge(&self) -> Result<(bool, Done)> {
        let Some(merged) = self.merge_due().await? else { return Ok((false, Done::default())) };
        let done = merged.done();
        self.replace(merged).await?;
        Ok((true, done))
    }

    async fn sort(&self) -> Result<()> {
        while self.jobs.run(JobKind::Sort, self.sort_one()).await? {}
        Ok(())
    }

    async fn sort_one(&self) -> Result<(bool, Done)> {
        let Some(sorted) = self.sort_due().await? else { return Ok((false, Done::default())) };
        let done = sorted.done();
        self.replace(sorted).await?;
        Ok((true, done))
    }

    /// Joins small log objects up to a transaction.
    async fn consolidate(&self, commits: usize, up_to: i64) -> Result<((), Done)> {
        if commits < COMMITS {
            return Ok(((), Done::default()));
        }
        let joined = self.log.consolidate(up_to).await?;
        self.indexer.commits.fetch_sub(commits, Ordering::Relaxed);
        Ok(((), Done { items: (joined.objects + joined.removed) as u64, bytes: joined.bytes }))
    }

    fn needs_joining(&self) -> bool {
        let commits = self.indexer.commits.load(Ordering::Relaxed);
        !self.files.store.shared && commits >= MANY_COMMITS
    }

    /// Whether a run lacks an attribute by value that is wanted so.
    fn needs_sorting(&self) -> bool {
        let wanted = self.files.wanted_by_value();
        self.state().root.runs.iter().any(|run| lacks(run, &wanted))
    }

    /// Merging and sorting take as long as there is much; who writes meanwhile waits for the tail alone.
    async fn lay_down_if_full(&self) -> Result<()> {
        match self.has_full_tail() {
            true => self.room().await,
            false => Ok(()),
        }
    }

    fn has_full_tail(&self) -> bool {
        self.state().tail.rows() >= self.tail_datoms()
    }

    /// Lays the tail down, and tells those who wait for room in it.
    async fn room(&self) -> Result<()> {
        self.jobs.run(JobKind::LayDown, self.lay_down()).await?;
        self.indexer.signals.progress.notify_waiters();
        Ok(())
    }

    /// The tail as a run.
    async fn lay_down(&self) -> Result<((), Done)> {
        let frozen = self.publish(|current| {
            let (files, root) = (Arc::clone(&current.files), Arc::clone(&current.root));
            let (tail, basis) = (current.tail.freeze(), current.basis.clone());
            Ok(State::new(files, root, tail, basis, current.fresh))
        })?;
        if frozen.tail.frozen().is_empty() {
            return Ok(((), Done::default()));
        }
        let batch = Batch::merge(frozen.tail.frozen())?;
        let by_value = self.files.wanted_by_value();
        let entry = self.builder().run(&batch, &by_value).await?;
        let bytes = entry.bytes();
        let done = Done { items: batch.rows as u64, bytes };
        let stats: Vec<(_, &Stat)> =
            batch.blocks.iter().map(|(key, block)| (key.clone(), &block.stat)).collect();
        let mut runs = frozen.root.runs.clone();
        if !entry.segments.is_empty() {
            runs.push(Arc::new(Run::create(&self.files, &self.name, entry, &[]).await?));
        }
        let root = Root {
            n: 0,
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
        let root = self.write_root(root).await?;
        self.publish(|current| {
            let (files, root) = (Arc::clone(&current.files), Arc::clone(&root));
            let (tail, basis) = (current.tail.thawed(), current.basis.clone());
            Ok(State::new(files, root, tail, basis, current.fresh))
        })?;
        Ok(((), done))
    }

    /// Stores a root under the next number that is free: a writer that was overtaken, and does not know yet, may have taken
    /// some. What it wrote is true of an earlier basis.
    async fn write_root(&self, mut root: Root) -> Result<Arc<Root>> {
        for _ in 0..TAKEN_ROOTS {
            root.n = self.indexer.highest.fetch_add(1, Ordering::SeqCst) + 1;
            if root::write(&self.files, &self.name, &root).await? {
                return Ok(Arc::new(root));
            }
            tracing::warn!("index root {} was written by another process", root.n);
            if let Some(why) = self.log.fenced() {
                return Err(why.clone());
            }
        }
        Err(Error::io(&self.name, format!("{TAKEN_ROOTS} numbers of index roots are taken"))
            .hint("another process writes this database: stop it"))
    }

    /// The runs that are to become one, as one; None: there are none.
    async fn merge_due(&self) -> Result<Option<Replaced>> {
        let state = self.state();
        let runs = &state.root.runs;
        let (past, live): (Vec<usize>, Vec<usize>) =
            (0..runs.len()).partition(|i| runs[*i].entry.is_past());
        let rows = |i: &usize, kinds: &[Kind]| runs[*i].rows(kinds);
        let of = |gone: &[usize]| gone.iter().map(|i| runs[*i].as_ref()).collect::<Vec<&Run>>();
        let tail = self.tail_datoms() as u64;
        let sizes = |all: &[usize], kinds: &[Kind]| all.iter().map(|i| rows(i, kinds)).collect();
        let due = of_a_size(sizes(&live, &[Kind::Current, Kind::Closings]), tail)
            .or_else(|| superseded(&of(&live), tail / FEW, ENDED_PART));
        if let Some(first) = due {
            return self.merge_live_from(first).await.map(Some);
        }
        let Some(first) = of_a_size(sizes(&past, &[Kind::History]), tail) else { return Ok(None) };
        let gone = past[first..].to_vec();
        let with = self.builder().merge_past(&of(&gone)).await?;
        Ok(Some(Replaced { gone, with }))
    }

    /// The runs of facts that hold, from this of them on, as one.
    async fn merge_live_from(&self, first: usize) -> Result<Replaced> {
        let state = self.state();
        let runs = &state.root.runs;
        let live = (0..runs.len()).filter(|i| !runs[*i].entry.is_past());
        let gone: Vec<usize> = live.skip(first).collect();
        let of: Vec<&Run> = gone.iter().map(|i| runs[*i].as_ref()).collect();
        let with = self.builder().merge(&of).await?;
        Ok(Replaced { gone, with })
    }

    /// A run that lacks an attribute by value, with it.
    async fn sort_due(&self) -> Result<Option<Replaced>> {
        let wanted = self.files.wanted_by_value();
        let state = self.state();
        for (first, run) in state.root.runs.iter().enumerate() {
            if lacks(run, &wanted) {
                let with = vec![self.builder().sort_by_value(run, &wanted).await?];
                return Ok(Some(Replaced { gone: vec![first], with }));
            }
        }
        Ok(None)
    }

    /// Writes and publishes a root in which some runs stand for others.
    async fn replace(&self, Replaced { gone, with }: Replaced) -> Result<()> {
        let old = self.state();
        let mut runs = Vec::with_capacity(old.root.runs.len() + with.len());
        let (mut replaced, mut with) = (Vec::new(), with);
        let last = gone.last().copied();
        let known: Vec<Arc<Segment>> =
            gone.iter().flat_map(|i| old.root.runs[*i].segments.clone()).collect();
        let mut kept = HashSet::new();
        for (i, run) in old.root.runs.iter().enumerate() {
            match gone.contains(&i) {
                true => replaced.push(Arc::clone(run)),
                false => runs.push(Arc::clone(run)),
            }
            if Some(i) == last {
                for entry in std::mem::take(&mut with) {
                    kept.extend(entry.segments.iter().map(|s| s.name));
                    let run = Run::create(&self.files, &self.name, entry, &known).await?;
                    runs.push(Arc::new(run));
                }
            }
        }
        drop(known);
        let root = Root {
            n: 0,
            basis: old.root.basis.clone(),
            fresh: old.root.fresh,
            by_value: self.files.wanted_by_value(),
            runs,
            stats: old.root.stats.clone(),
        };
        let root = self.write_root(root).await?;
        self.publish(|current| {
            let (files, tail) = (Arc::clone(&current.files), current.tail.clone());
            let basis = current.basis.clone();
            Ok(State::new(files, Arc::clone(&root), tail, basis, current.fresh))
        })?;
        let mut retired = self.indexer.retired.lock();
        for segment in replaced.iter().flat_map(|r| &r.segments) {
            if !kept.contains(&segment.entry.name) {
                retired.segments.push(Arc::clone(segment));
            }
        }
        retired.runs.extend(replaced.iter().map(|run| run.name.name));
        Ok(())
    }

    /// Removes retired segments that no snapshot reads, and older roots. On a shared store other processes may be reading
    /// them: there they lie for the grace.
    pub async fn collect_retired(&self) -> Result<()> {
        // A writer that took over collects for itself.
        if self.log.fenced().is_some() {
            return Ok(());
        }
        if self.files.store.shared {
            return self.collect_at_times().await;
        }
        let mut free = {
            let mut retired = self.indexer.retired.lock();
            // One reference is ours: no snapshot can get another from it.
            let mutated = self.files.world.has(Mutation::NoGrace);
            let is_free = |segment: &Arc<Segment>| mutated || Arc::strong_count(segment) == 1;
            let (free, used) = retired.segments.drain(..).partition(is_free);
            retired.segments = used;
            // Lists are read when a root is opened, and no older one is any more.
            Retired { segments: free, runs: std::mem::take(&mut retired.runs) }
        };
        let done = self.remove(&mut free).await;
        // What is left is tried again.
        let mut retired = self.indexer.retired.lock();
        retired.segments.append(&mut free.segments);
        retired.runs.append(&mut free.runs);
        done
    }

    async fn remove(&self, free: &mut Retired) -> Result<()> {
        root::remove_older(&self.files, self.state().root.n).await?;
        while let Some(segment) = free.segments.last() {
            self.files.store.delete(segment.path()).await?;
            free.segments.pop();
        }
        while let Some(name) = free.runs.last() {
            self.files.store.delete(&run::path(&self.files.prefix, *name)).await?;
            free.runs.pop();
        }
        Ok(())
    }

    /// In microseconds.
    pub fn grace(&self) -> i64 {
        match self.files.world.has(Mutation::NoGrace) {
            true => 0,
            false => i64::try_from(self.options.grace.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// Looking through all names costs requests: once in a part of the grace is enough.
    async fn collect_at_times(&self) -> Result<()> {
        *self.indexer.retired.lock() = Retired::default();
        let now = (self.options.clock)();
        let grace = self.grace();
        let last = self.indexer.collected.load(Ordering::Relaxed);
        if now.saturating_sub(last) < grace / 8 {
            return Ok(());
        }
        self.indexer.collected.store(now, Ordering::Relaxed);
        self.collect_lost().await
    }

    /// Removes what no root names: what a crash left behind, and on a shared store what was retired.
    pub async fn collect_lost(&self) -> Result<()> {
        let before = match self.files.store.shared {
            false => i64::MAX,
            true => (self.options.clock)().saturating_sub(self.grace()),
        };
        let work = async {
            let removed = root::collect(&self.files, &self.state().root, before).await?;
            Ok(((), Done { items: removed, bytes: 0 }))
        };
        self.jobs.run(JobKind::Collect, work).await
    }
}

/// From which one on there are enough of about one size, up to the newest, to become one.
fn of_a_size(rows: Vec<u64>, tail: u64) -> Option<usize> {
    let level = |rows: &u64| (rows / tail).checked_ilog(FAN as u64);
    let newest = level(rows.last()?);
    let count = rows.iter().rev().take_while(|rows| level(rows) <= newest).count();
    (count >= FAN).then(|| rows.len() - count)
}

/// From which one on so many facts ended in newer ones that reading past them costs more than writing all again: a part of all,
/// or a part of one attribute where it is worth it. Fewer than `least` are none.
fn superseded(runs: &[&Run], least: u64, ended_part: u64) -> Option<usize> {
    let mut ended: BTreeMap<&(Attr, ValueType), u64> = BTreeMap::new();
    let (mut all_ended, mut found) = (0, None);
    for (i, run) in runs.iter().enumerate().rev() {
        let part = |ended: u64, held: u64, of: u64| ended > 0 && ended >= held / of;
        let held = run.rows(&[Kind::Current]);
        let of_one = |part_of: u64| {
            run.groups.iter().any(|(key, group)| {
                part(ended.get(key).copied().unwrap_or(0), group.rows(Kind::Current), part_of)
            })
        };
        let worth = part(all_ended, held, ended_part)
            || (part(all_ended, held, ended_part * 4) && of_one(ended_part));
        if all_ended >= least && worth {
            found = Some(i);
        }
        for (key, group) in &run.groups {
            *ended.entry(key).or_default() += group.rows(Kind::Closings);
        }
        all_ended += run.rows(&[Kind::Closings]);
    }
    found
}

/// Runs, by their places, ascending, and what stands for them.
struct Replaced {
    gone: Vec<usize>,
    with: Vec<RunEntry>,
}

impl Replaced {
    fn done(&self) -> Done {
        let segments = self.with.iter().flat_map(|run| &run.segments);
        let bytes = self.with.iter().map(RunEntry::bytes).sum();
        Done { items: segments.map(|s| s.rows).sum(), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_may_end_while_progress_is_asked_for() {
        let indexer = Indexer::new(0, Arc::default(), 0);
        let (signals, over) = (indexer.signals(), Arc::new(AtomicBool::new(false)));
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        std::thread::scope(|threads| {
            let passes = Arc::clone(&over);
            threads.spawn(move || {
                while !passes.load(Ordering::Relaxed) {
                    signals.progress.notify_waiters();
                }
            });
            let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                runtime.map(|runtime| {
                    runtime.block_on(async {
                        for _ in 0..20_000 {
                            indexer.progress().await;
                        }
                    });
                })
            }));
            over.store(true, Ordering::Relaxed);
            assert!(asked.is_ok_and(|ran| ran.is_ok()));
        });
    }
}
