//! DaoDB over HTTP. [`server`] accepts within limits; [`routes`] says which file answers what, and [`admit`] who may ask and
//! how many at once. A request becomes a [`call`]: its formats by [`accept`], its body as one form by [`formats`], its times
//! by [`basis`]. Transactions go in by [`transact`](mod@transact), or only might by [`with`], and come out by [`tx`], [`log`] (as rows: [`log_rows`]) and [`events`]; a statement runs by [`sql`] with
//! its [`args`]. A [`query`](mod@query) of Datalog has databases and values as its [`inputs`]; [`pull`], [`datoms`] and [`entity`] read without
//! one, and what they [`found`] leaves as rows do, by [`stream`]. What fails leaves by [`errors`]. [`fuzz`] says what must hold
//! of any body.
//!
//! **Invariant:** one request reads one snapshot, and says which.
//!
//! **Invariant:** an answer that ends early is told from a whole one: by `:error` as its last key, or by a connection cut.

mod accept;
mod admit;
mod args;
pub(crate) mod basis;
mod call;
mod databases;
mod datoms;
mod entity;
mod errors;
mod events;
pub(crate) mod formats;
pub(crate) mod found;
pub mod fuzz;
mod health;
mod info;
mod inputs;
mod log;
mod log_rows;
mod metrics;
mod openapi;
mod patient;
mod pull;
mod query;
pub(crate) mod report;
mod routes;
mod server;
mod sql;
mod stream;
mod transact;
mod tx;
mod verify;
mod with;

pub use server::{Limits, serve_within};
