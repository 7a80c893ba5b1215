//! EDN, and the language that is written in it.
//!
//! In the order data flows: [`edn`] reads text into forms that know where they stood, and writes them; [`tx_data`] makes the ops of
//! a transaction of such forms.

pub mod edn;
pub mod tx_data;
