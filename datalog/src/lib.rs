//! EDN, and the languages that are written in it: transactions and Datalog.
//!
//! [`edn`] reads text into forms that know where they stood, and writes them; [`tx_data`] makes the ops of a transaction of
//! such forms.
//!
//! A query runs through these, each of which prints ([`explain`] shows all): [`query`](mod@query) reads and checks it;
//! [`resolve`] finds what its names mean in its [`source`]s; [`algebra`] puts its relations in an order to join them in;
//! [`lower`] makes the engine's plan of them, whose leaves are tables of the catalog, [`scan`]s of datoms and [`fixpoint`]s;
//! [`find`] makes columns of the rows, and an [`answer`] gives them out, [`pull`]ing what it is asked for. Values of variables
//! are described in [`value`], what is called on them in [`functions`]. [`access`] reads datoms, entities and transactions
//! without a query;
//! a [`condition`] is a query that a transaction must leave with an answer;
//! a query that was [compiled](cache_figures) before is not compiled again;
//! [`sql`] is a query as a table of SQL.
//!
//! ```text
//! let request = QueryRequest::text("[:find ?name :where [_ :person/name ?name]]").of(&database, &database.snapshot());
//! let answer = daodb_datalog::query(&catalog, request).await?;
//! ```

pub mod access;
pub mod algebra;
pub mod answer;
mod cache;
pub mod condition;
pub mod edn;
mod engine;
mod explain;
pub mod find;
pub mod fixpoint;
pub mod functions;
pub mod fuzz;
pub mod lower;
pub mod pull;
pub mod query;
pub mod resolve;
pub mod run;
pub mod scan;
pub mod source;
pub mod sql;
pub mod tx_data;
pub mod value;

pub use answer::Answer;
pub use cache::CacheFigures;
pub use explain::{analyze, explain};
pub use run::{Arg, At, QueryRequest, cache_figures, query, value};
