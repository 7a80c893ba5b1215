//! The wires and the `daodb` command: the Postgres protocol in [`pg`], importers in [`import`], commands in [`cli`].
//!
//! **Invariant:** only this crate knows pgwire.

pub mod cli;
pub mod config;
pub mod import;
pub mod pg;
