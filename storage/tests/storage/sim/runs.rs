//! Many seeds on all cores, and what is said of those that fail.

use super::{Failure, Mutant, Outcome, simulate};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seeds that CI runs; and others, to be quick.
const SEEDS_IN_CI: u64 = 2_000;
const SEEDS: u64 = 100;
/// So many failures are enough.
const SHOWN: usize = 3;

thread_local! {
    /// Panics of the run that this thread is at; None: it is at none, and panics are shown as ever.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs what may panic, in tasks of its own too, and says why it did.
pub fn catching<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let noted = PANICS.with_borrow_mut(|panics| match panics {
                Some(panics) => {
                    panics.push(info.to_string());
                    true
                }
                None => false,
            });
            if !noted {
                shown(info);
            }
        }));
    });
    PANICS.set(Some(Vec::new()));
    let done = panic::catch_unwind(AssertUnwindSafe(run));
    let panics = PANICS.take().unwrap_or_default();
    match (done, panics.is_empty()) {
        (Ok(done), true) => Ok(done),
        _ => Err(panics.join("\n")),
    }
}

fn print(seed: u64, failure: &Failure) {
    println!(
        "---- seed {seed}: what happened\n{}\n---- seed {seed} fails: {}\n---- again with: \
         DAODB_SEED={seed} cargo test --release --workspace --test storage sim::runs -- --nocapture\n",
        failure.story, failure.why
    );
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text}, and no number")))
}

/// The seeds that the environment asks for: DAODB_SEEDS of them, from DAODB_SEED on; that one alone where no more is said.
fn seeds() -> std::ops::Range<u64> {
    let usual = if std::env::var_os("CI").is_some() { SEEDS_IN_CI } else { SEEDS };
    let (first, count) = (number("DAODB_SEED"), number("DAODB_SEEDS"));
    let count = count.unwrap_or(if first.is_some() { 1 } else { usual });
    let first = first.unwrap_or(0);
    first..first.saturating_add(count)
}

/// What must happen now and then, by the words that tell of it; else the simulation has lost its teeth.
const EVENTS: [&str; 11] = [
    "ACKNOWLEDGED",
    "Fenced",
    "Io: ",
    "Busy: ",
    "DIES",
    "POWER LOSS",
    "is held up",
    "has indexed",
    ": lost",
    "already exists",
    "does not open",
];

#[derive(Default)]
struct Tally {
    failed: Vec<u64>,
    transactions: usize,
    events: [usize; EVENTS.len()],
}

impl Tally {
    fn add(&mut self, seed: u64, run: Result<Outcome, Failure>, alone: bool) {
        match run {
            Ok(outcome) => {
                self.transactions += outcome.transactions;
                for (n, event) in self.events.iter_mut().zip(EVENTS) {
                    *n += outcome.chance.count(event);
                }
                if alone {
                    println!("{}", outcome.chance.story());
                }
            }
            Err(failure) => {
                print(seed, &failure);
                self.failed.push(seed);
            }
        }
        if seed > 0 && seed.is_multiple_of(10_000) {
            println!("{seed} seeds");
        }
    }
}

/// Runs seeds on all cores until some have failed.
fn run_all(seeds: std::ops::Range<u64>) -> Tally {
    let (next, tally) = (AtomicU64::new(seeds.start), Mutex::new(Tally::default()));
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let work = || {
        while tally.lock().failed.len() < SHOWN {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if !seeds.contains(&seed) {
                return;
            }
            let run = simulate(seed, None);
            tally.lock().add(seed, run, seeds.end - seeds.start == 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    tally.into_inner()
}

#[test]
fn whatever_happens_what_was_acknowledged_is_there_and_reads_are_right() {
    let (seeds, begun) = (seeds(), Instant::now());
    let Tally { failed, transactions, events } = run_all(seeds.clone());
    println!("seeds {seeds:?}: {transactions} transactions, in {:?}", begun.elapsed());
    EVENTS.iter().zip(events).for_each(|(event, n)| println!("{n:>9} {event:?}"));
    assert!(failed.is_empty(), "seeds {failed:?} fail; what happened is printed above");
    let never = EVENTS.iter().zip(events).find(|(_, n)| *n == 0);
    assert!(never.is_none() || seeds.end - seeds.start < SEEDS, "never: {never:?}");
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in [seeds().start, 1, 2, 3, 4, 5, 6, 7] {
        let digest = || match simulate(seed, None) {
            Ok(outcome) => outcome.chance.digest(),
            // The other test tells of it.
            Err(failure) => failure.story,
        };
        assert_eq!(digest(), digest(), "seed {seed}");
    }
}

/// How many seeds it takes to find a fault. Seeds that fail without it do not count.
pub fn seeds_to_find(mutant: Mutant, at_most: u64) -> u64 {
    for seed in 0..at_most {
        if let Err(failure) = simulate(seed, Some(mutant))
            && simulate(seed, None).is_ok()
        {
            println!("{mutant:?} is found by seed {seed}: {}", failure.why);
            if std::env::var_os("DAODB_TRACE").is_some() {
                println!("{}", failure.story);
            }
            return seed + 1;
        }
    }
    panic!("{mutant:?} was not found by {at_most} seeds");
}
