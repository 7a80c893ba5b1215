//! The naive oracle: the same questions answered from raw datoms, one by one, without any index, plan or column of the
//! product.
//!
//! A [`World`] is a list of datoms with the rules of reading them ([`world`]); it shows them as a [`Relation`] of
//! [`Cell`]s ([`cell`]); [`query`] asks a random question in SQL and answers it from relations; [`random`] makes
//! transactions.

pub mod cell;
pub mod query;
pub mod random;
pub mod world;

pub use cell::{Cell, Relation, Ty, Val};
pub use world::{View, World};
