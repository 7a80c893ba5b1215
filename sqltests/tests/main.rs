//! All tests of the workspace that need more than one crate. One binary: each one more links the query engine again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod clojure;
mod corrupt;
mod crash;
mod datomic;
mod duckdb;
mod edn;
mod export;
mod fuzz;
mod git_oracle;
mod http;
mod oracle;
mod probes;
mod psql;
mod python;
mod readers;
mod slt;
mod stores;
mod units;
mod wire;
