//! EDN, and the language that is written in it.
//!
//! In the order data flows: [`edn`] reads text into forms that know where they stood, and writes them; [`query`] makes a
//! query of forms and checks it; [`functions`] are those that clauses call, over the values of variables ([`value`]).

pub mod edn;
pub mod functions;
pub mod query;
pub mod resolve;
pub mod source;
pub mod value;
