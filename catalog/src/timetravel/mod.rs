//! SQL's version clauses: `person FOR SYSTEM_TIME AS OF ...`, `VERSION AS OF ...`, and the ranges of SQL:2011.
//!
//! ```text
//! text -> tokens -> [clause] marks each version clause -> parser with [dialect] -> a clause a table
//!      -> [bound] resolves its constants to transactions -> [planner] scans the table there, or the statement is refused
//! ```
//!
//! **Invariant:** a version clause is either planned or an error; never is another time's data read instead.

pub mod bound;
pub mod clause;
pub mod dialect;
pub mod planner;

pub use bound::When;
pub use clause::Clause;
pub use dialect::DaoDialect;
