//! What the tests share, in the order in which a test uses it: an [`engine`] (embedded, served in this process, or the
//! real `daodb` program), [`ops`] that fill a database, [`show`] that prints rows as psql does; then the `.slt` runner
//! ([`slt`]), the naive evaluator ([`oracle`]), makers of data ([`git`], [`people`]), and object stores ([`servers`]).

pub mod crash;
pub mod engine;
pub mod git;
pub mod ops;
pub mod oracle;
pub mod people;
pub mod servers;
pub mod show;
pub mod slt;

use std::process::{Command, Stdio};

/// Says loudly that a suite, or a part of one, is left out, and why. Where `CI` is set that is a failure.
pub fn left_out(suite: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{suite}: {why}, and CI leaves nothing out");
    // Not eprintln: the test harness would swallow it.
    let line = format!("\nLEFT OUT: {suite}: {why}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// Whether a program is there (asked with `--version`); where it is not, `suite` is left out.
pub fn program(name: &str, suite: &str) -> bool {
    let mut command = Command::new(name);
    let asked = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = asked.is_ok_and(|status| status.success());
    if !there {
        left_out(suite, &format!("there is no program {name}"));
    }
    there
}

/// The seed of a random test: `DAODB_SEED` repeats one.
pub fn seed() -> Option<u64> {
    std::env::var("DAODB_SEED").ok()?.parse().ok()
}

/// `DAODB_SEED`, else any; the same wherever CI is set, so that a change is judged by what it does.
pub fn seed_or_any() -> u64 {
    let any = || if std::env::var_os("CI").is_some() { 1 } else { rand::random() };
    seed().unwrap_or_else(any)
}

/// A number from the environment, for tests that can run longer.
pub fn how_many(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}
