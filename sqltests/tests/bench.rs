//! The benchmarks still run, and their answers are right: on few rows, without looking at the times.

use std::process::Command;

fn check(arguments: &[&str], expect: &[(&str, i64)]) {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (pointer, value) in expect {
        assert_eq!(
            report.pointer(pointer).and_then(|v| v.as_i64()),
            Some(*value),
            "{pointer}: {report:#}"
        );
    }
}

#[test]
fn people() {
    let rows = |query: &str| format!("/queries/{query}/rows");
    let (agg, point) = (rows("agg"), rows("point"));
    check(
        &["people", "--n", "20000", "--runs", "1"],
        &[("/n", 20_000), (&agg, 10), (&point, 1), ("/updates/transactions", 100)],
    );
}

/// Each answer's rows are counted by the benchmark itself.
#[test]
fn datalog() {
    let rows = "/questions/0/rows";
    check(
        &["datalog", "--n", "20000", "--alone", "--only", "people"],
        &[(rows, 2010), ("/questions/10/rows", 1)],
    );
    check(&["datalog", "--n", "20000", "--alone", "--only", "wide-5x3"], &[(rows, 1641)]);
}

#[test]
fn transact() {
    check(
        &["transact", "--seconds", "0"],
        &[("/cases/0/batch", 1), ("/cases/5/batch", 1000), ("/seconds", 0)],
    );
}

#[test]
fn history() {
    if daodb_sqltests::git::program("bench of a git history") {
        check(&["history", "--commits", "200"], &[("/commits", 200), ("/changes", 491)]);
    }
}

#[test]
fn storage() {
    check(
        &["storage", "--n", "2000", "--seconds", "1"],
        &[("/n", 2000), ("/history/2/length", 100)],
    );
}
