//! What all scans of a snapshot share: a source that is read chunk by chunk, the plan node over it, predicates.

pub mod bounds;
mod exec;
pub mod filter;
mod keys;

pub use exec::{ScanExec, Source};
pub use keys::{Keys, NotedExec, passed_on};
