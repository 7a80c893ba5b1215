//! Covered indexes: facts as sorted columns, in memory and as Parquet segments named by a root.
//!
//! From small to large: [`rows`] are facts as columns, ordered by [`order`]; a [`block`] holds the open and closed facts of one
//! attribute and value type, and the closings of facts that older sources opened; [`stat`] describes it.

pub mod block;
pub mod order;
pub mod rows;
pub mod stat;
