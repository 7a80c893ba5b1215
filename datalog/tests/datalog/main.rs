//! Datalog over databases in memory: worked files of queries with their answers ([`worked`]), reading without a query ([`access`]).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod support;
mod worked;
