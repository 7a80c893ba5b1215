//! The `daodb` program from outside: what it prints, how it ends, and that the documents tell the truth.
//!
//! **Invariant:** nothing here links our crates: a test binary that does takes half a minute to link.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asking;
mod demo;
mod docs;
mod embedded;
mod importing;
mod program;
mod prompting;
mod psql;
mod querying;
mod repository;
mod tools;
