//! Covered indexes: facts as sorted columns, in memory and as Parquet segments named by a root.
//!
//! From small to large: [`rows`] are facts as columns, sorted in an [`order`]; a [`block`] holds the open and closed facts of
//! one attribute and value type, and the closings of facts that older sources opened; [`stat`] describes it. A [`segment`] is
//! a file of such facts, its bytes [`verified`], its columns kept in the [`cache`]; a [`stretch`] is where one attribute and type lie
//! in it, as [`row_group`]s; segments make a [`run`]; a [`root`] names the runs. [`write`] makes segments, [`build`] lays the tail down
//! as a run and merges runs, [`sort`] gives a run attributes by value that it has not.

pub mod block;
pub mod build;
pub mod cache;
pub mod order;
pub mod root;
pub mod row_group;
pub mod rows;
pub mod run;
pub mod segment;
pub mod sort;
pub mod stat;
pub mod stretch;
pub mod verified;
pub mod write;
