//! The wires and the `daodb` command: the Postgres protocol in [`pg`], HTTP in [`http`], importers in [`import`], commands in
//! [`cli`]. Of both of the latter, [`forms`] writes rows as EDN, and [`provenance`] says who writes; [`about`] what a
//! database holds.
//!
//! **Invariant:** only this crate knows pgwire and HTTP.

mod about;
pub mod cli;
pub mod config;
mod forms;
pub mod http;
pub mod import;
pub mod pg;
mod provenance;
mod verified;
