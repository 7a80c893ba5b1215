//! Datalog over databases in memory: a worked file of queries, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
