//! Background work, as `dao.jobs` shows it: what goes on and what ended lately.

use crate::error::Error;
use crate::value::Clock;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// So many jobs that ended are remembered.
const KEPT: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// The tail becomes a run.
    LayDown,
    /// Runs become one.
    Merge,
    /// A run gets an attribute sorted by value.
    Sort,
    /// Log objects become one.
    Consolidate,
    /// Objects that nothing names are removed.
    Collect,
}

impl JobKind {
    pub fn name(self) -> &'static str {
        match self {
            JobKind::LayDown => "lay down",
            JobKind::Merge => "merge",
            JobKind::Sort => "sort",
            JobKind::Consolidate => "consolidate",
            JobKind::Collect => "collect",
        }
    }
}

/// One piece of background work.
#[derive(Debug, Clone)]
pub struct Job {
    pub kind: JobKind,
    /// Microseconds, UTC.
    pub started: i64,
    /// None: it goes on.
    pub ended: Option<i64>,
    /// Facts or objects that it took in.
    pub items: u64,
    pub bytes: u64,
    /// Why it failed; it is tried again.
    pub error: Option<String>,
}

pub struct Jobs {
    clock: Clock,
    all: Mutex<VecDeque<Job>>,
}

impl Jobs {
    pub fn new(clock: Clock) -> Jobs {
        Jobs { clock, all: Mutex::default() }
    }

    pub fn list(&self) -> Vec<Job> {
        self.all.lock().iter().cloned().collect()
    }

    /// Runs one job; `work` says how many items and bytes it took in. Where there was nothing to do, nothing is remembered.
    pub async fn run<T>(
        &self,
        kind: JobKind,
        work: impl Future<Output = Result<(T, Done), Error>>,
    ) -> Result<T, Error> {
        let started = (self.clock)();
        let job = Job { kind, started, ended: None, items: 0, bytes: 0, error: None };
        self.all.lock().push_back(job);
        let done = work.await;
        let ended = (self.clock)();
        let mut all = self.all.lock();
        // One job of a kind at a time.
        let at = all.iter().rposition(|job| job.kind == kind && job.ended.is_none());
        match (&done, at) {
            (Ok((_, Done { items: 0, .. })), Some(at)) => {
                all.remove(at);
            }
            (Ok((_, done)), Some(at)) => {
                let job = &mut all[at];
                (job.ended, job.items, job.bytes) = (Some(ended), done.items, done.bytes);
            }
            (Err(e), Some(at)) => {
                (all[at].ended, all[at].error) = (Some(ended), Some(e.to_string()))
            }
            (_, None) => {}
        }
        while all.len() > KEPT {
            all.pop_front();
        }
        done.map(|(out, _)| out)
    }
}

/// What a job took in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done {
    pub items: u64,
    pub bytes: u64,
}
