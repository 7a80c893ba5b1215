//! What the tests share: generated histories, and finding programs.

pub mod git;
