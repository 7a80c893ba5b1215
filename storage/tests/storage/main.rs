//! Storage as its users see it: one binary, a module for each subject.
//!
//! Random tests print their seed; `DAODB_SEEDS=N` runs N seeds instead of a few, `DAODB_SEED=S` runs only S.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backup;
mod damage;
mod faults;
mod folder;
mod generate;
mod histories;
mod model;
mod rebuild;
mod round_trip;
mod shared;
mod sim;
mod verify;

use daodb_storage::log::{Head, Log, Transaction};
use daodb_storage::{Error, Store};
use futures::TryStreamExt;
use object_store::path::Path;

/// Runs `test` for `few` seeds, or as the environment asks; the failing one is the last printed.
fn for_seeds(few: u64, test: impl Fn(u64)) {
    let number = |name| std::env::var(name).ok().map(|n: String| n.parse::<u64>().unwrap());
    let seeds = match (number("DAODB_SEED"), number("DAODB_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, n) => 0..n.unwrap_or(few),
    };
    for seed in seeds {
        println!("seed {seed} (again with DAODB_SEED={seed})");
        test(seed);
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test)
}

fn log_on(store: &Store) -> Log {
    Log::new(store.clone(), Path::from("db/streams/main"), "main".to_owned())
}

async fn read(log: &Log, head: Head) -> Result<Vec<Transaction>, Error> {
    log.read_after(head).try_collect().await
}

/// All that is said of a transaction, as bytes: equal for equal transactions only.
fn bytes_of(t: &Transaction) -> (daodb_storage::log::Header, Vec<u8>) {
    let mut bytes = Vec::new();
    for d in t.datoms.iter() {
        bytes.extend_from_slice(format!("{} {} {} {} {} ", d.e, d.a, d.t, d.m, d.added).as_bytes());
        d.v.write_canonical(&mut bytes);
    }
    (t.header.clone(), bytes)
}

fn assert_same(found: &[Transaction], expected: &[Transaction]) {
    let ts = |ts: &[Transaction]| ts.iter().map(|t| t.header.t).collect::<Vec<_>>();
    assert_eq!(ts(found), ts(expected));
    for (f, e) in found.iter().zip(expected) {
        assert_eq!(bytes_of(f), bytes_of(e));
    }
}
