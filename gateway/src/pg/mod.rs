//! The Postgres wire. [`server`] accepts; [`startup`] reads who comes and what for; [`connection`] takes message after
//! message off the [`wire`] and answers each: [`simple`] a string of statements, [`extended`] the steps of a prepared one,
//! whose result is a [`portal`]. [`run`] lets a statement be stopped at any moment, [`rows`] streams its result through
//! [`encode`]; [`params`] reads what the client binds.
//!
//! **Invariant:** nothing is shared between connections but the catalog and the register of [`cancel`].

pub mod catalog;

mod cancel;
mod connection;
mod copy;
pub(crate) mod encode;
mod errors;
mod extended;
mod frontend;
mod options;
pub(crate) mod params;
mod portal;
mod rows;
mod run;
mod server;
mod simple;
mod startup;
mod status;
mod wire;

pub(crate) use errors::panicked;
pub(crate) use portal::style;
pub(crate) use rows::Producer;
pub use server::{Limits, serve, serve_within};
pub use status::SERVER_VERSION;
