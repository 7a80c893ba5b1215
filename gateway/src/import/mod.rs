//! Importers of foreign histories, and of files.
//!
//! A git repository is read by [`git`] into one [`plan`] a commit; [`write`] turns plans into transactions by the attributes
//! of [`schema`]. [`sample`] makes plans where there is no repository. [`run`] joins reading and writing. Files of [`rows`]
//! (CSV, JSON, Parquet) go into a table.

pub mod git;
pub mod plan;
pub mod rows;
pub mod run;
pub mod sample;
pub mod schema;
pub mod write;
