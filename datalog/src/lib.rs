//! EDN, and the language that is written in it.
//!
//! In the order data flows: [`edn`] reads text into forms that know where they stood, and writes them.

pub mod edn;
