//! Databases of datoms: schema-on-read, the transactor, entity tables, and SQL that travels in time.
//!
//! In the order data flows: [`transact`] turns ops into datoms by the [`schema`]; a [`database`] appends them to its stream;
//! a [`basis`] picks the point in time; [`table`] shows a snapshot as tables; [`timetravel`] reads SQL's version clauses; a
//! [`session`] runs statements, each against exactly one snapshot.

pub mod basis;
pub mod database;
pub mod error;
pub mod nearest;
pub mod schema;
pub mod session;
pub mod table;
pub mod timetravel;
pub mod transact;

pub use database::{Catalog, Database};
pub use error::{Error, Result, SqlState};
pub use schema::Schema;
pub use session::{Outcome, Session};
pub use transact::{
    Condition, EntityRef, Language, Op, Provenance, Transaction, TxReport, TxValue,
};
