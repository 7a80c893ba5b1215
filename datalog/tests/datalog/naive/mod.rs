//! The language once more, as simply as it can be written: nested loops over rows of datoms. It shares nothing with the engine
//! but EDN and values, and is slow.
//!
//! In the order data flows: [`syntax`] reads a query; [`data`] makes rows of datoms as a view sees them; [`eval`] runs clauses
//! over bindings of variables, calling [`functions`] and [`rules`]; [`find`] makes the answer.

pub mod data;
mod eval;
mod find;
mod functions;
mod rules;
pub mod syntax;

pub use find::{Arg, answer};

use daodb_storage::Value;
use std::collections::BTreeMap;

pub type Cell = Option<Value>;
/// What each variable is.
pub type Env = BTreeMap<String, Cell>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// A variable that is needed is not bound.
    Unbound(String),
    /// More bindings than are worth waiting for.
    Large,
}

pub type Result<T> = std::result::Result<T, Stop>;
