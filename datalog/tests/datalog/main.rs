//! Datalog over databases in memory: worked files of queries with their answers ([`worked`]).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
mod worked;
