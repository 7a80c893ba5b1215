//! The bottom of DaoDB: datoms `[e a v t m]`, the log that is the truth, and the covered indexes derived from it.
//!
//! Modules in the order data flows: a [`value`] stands in a [`datom`]; whole transactions are appended to the [`log`] in a
//! [`store`]; the log's events become [`fact`]s (intervals); facts wait in the [`tail`] and are laid down by the [`index`] as
//! Parquet segments named by a root; a [`snapshot`] reads root and tail together at a basis; [`stream`] owns the whole,
//! in a [`world`] that gives it ids and threads.
//!
//! For whoever looks after the files: [`layout`] tells them apart by name, [`verify`] reads them all and says what is wrong,
//! [`rebuild`] makes the index anew, [`mod@backup`] copies a database to another store and back, [`export`] gives datoms out.
//!
//! **Invariant:** only this crate knows Parquet files and object names.
//!
//! **Invariant:** what other crates await is a boxed future. The body of an `async fn` is compiled again in every crate that
//! awaits it, with all that it calls: minutes for each test binary.

pub mod backup;
pub mod datom;
pub mod error;
pub mod export;
pub mod fact;
mod index;
mod layout;
pub mod log;
pub mod marker;
pub mod rebuild;
pub mod snapshot;
pub mod store;
pub mod stream;
mod tail;
pub mod value;
pub mod verify;
pub mod world;

pub use datom::{
    Attr, Datom, FIRST_ENTITY, FIRST_T, FIRST_USER_META, META_ASSERTED, META_DERIVED,
    META_RETRACTED, MetaOp,
};
pub use error::{Error, ErrorKind, Result};
pub use fact::{Fact, OPEN};
pub use index::cache::Ascends;
pub use snapshot::{AttributeStat, Basis, FactColumns, SegmentInfo, Slice, Snapshot, Times, View};
pub use store::{Access, Location, ReadStats, Requests, Store, Took, Usage};
pub use stream::{Appended, Job, JobKind, NewTransaction, Stream, StreamOptions};
pub use value::{Value, ValueType};
pub use world::World;
