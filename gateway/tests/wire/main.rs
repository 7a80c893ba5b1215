//! The Postgres wire from outside: a real server on a free port, asked by tokio-postgres and by messages made by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cursors;
mod extended;
mod load;
mod raw;
mod simple;
mod startup;
mod stop;
mod support;
mod values;
