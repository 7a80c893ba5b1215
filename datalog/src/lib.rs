//! EDN, and the languages that are written in it: transactions and Datalog.
//!
//! In the order data flows: [`edn`] reads text into forms that know where they stood, and writes them; [`tx_data`] makes the
//! ops of a transaction of such forms; [`query`] makes a query of them and checks it; [`resolve`] finds what its names mean in
//! its [`source`]s; [`functions`] are those that clauses call, over the values of variables ([`value`]).

pub mod edn;
pub mod functions;
pub mod query;
pub mod resolve;
pub mod source;
pub mod tx_data;
pub mod value;
