//! Recursion: the smallest set of rows that the rules of a cycle agree with.
//!
//! In the order data flows: [`table`] is the node of a plan and reads what the rules do not make themselves; [`words`] makes
//! numbers of values, [`rows`] keeps rows of them, and a [`set`] knows which are there; a [`program`] is one branch of a rule;
//! [`run`] repeats them.

mod program;
mod rows;
mod run;
mod set;
mod table;
mod words;

pub use table::{FixpointTable, inputs};
