//! All that a run leaves to chance, from one seed, and all that happened in it, in order.

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Microseconds at which every run begins.
const BEGIN: i64 = 1_700_000_000_000_000;

/// Clones share one sequence of choices, so the order in which they are made is part of the run.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<Inner>>);

struct Inner {
    rng: SmallRng,
    begin: Option<Instant>,
    trace: Vec<String>,
}

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("chance")
    }
}

impl Chance {
    pub fn new(seed: u64) -> Chance {
        let rng = SmallRng::seed_from_u64(seed);
        Chance(Arc::new(Mutex::new(Inner { rng, begin: None, trace: Vec::new() })))
    }

    /// A sequence of its own for what must not depend on what else happens.
    pub fn rng(&self) -> SmallRng {
        SmallRng::seed_from_u64(self.0.lock().rng.random())
    }

    pub fn of(&self, range: Range<u64>) -> u64 {
        self.0.lock().rng.random_range(range)
    }

    pub fn index(&self, len: usize) -> usize {
        self.0.lock().rng.random_range(0..len)
    }

    pub fn is(&self, probability: f64) -> bool {
        self.0.lock().rng.random_bool(probability)
    }

    pub fn one<T: Clone>(&self, of: &[T]) -> T {
        of.choose(&mut self.0.lock().rng).unwrap().clone()
    }

    pub fn millis(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.of(range))
    }

    pub fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.0.lock().rng.random())
    }

    /// The run's clock, in microseconds; it stands still unless all wait.
    pub fn now(&self) -> i64 {
        let now = Instant::now();
        let begin = *self.0.lock().begin.get_or_insert(now);
        BEGIN + (now - begin).as_micros() as i64
    }

    pub fn note(&self, what: impl std::fmt::Display) {
        let ms = (self.now() - BEGIN) / 1000;
        self.0.lock().trace.push(format!("{ms:>7} {what}"));
    }

    /// What happened, and what was chosen: equal for equal runs only.
    pub fn digest(&self) -> String {
        let mut inner = self.0.lock();
        let mut hasher = blake3::Hasher::new();
        inner.trace.iter().for_each(|line| {
            hasher.update(line.as_bytes()).update(b"\n");
        });
        hasher.update(&inner.rng.random::<[u8; 8]>());
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// How many lines of what happened hold a text.
    pub fn count(&self, text: &str) -> usize {
        self.0.lock().trace.iter().filter(|line| line.contains(text)).count()
    }

    /// The last lines of what happened; all of them where the environment has DAODB_TRACE.
    pub fn story(&self) -> String {
        let inner = self.0.lock();
        let all = std::env::var_os("DAODB_TRACE").is_some();
        let skipped = if all { 0 } else { inner.trace.len().saturating_sub(150) };
        let lines = inner.trace[skipped..].join("\n");
        match skipped {
            0 => lines,
            n => format!("({n} lines before these are shown with DAODB_TRACE=1)\n{lines}"),
        }
    }
}
