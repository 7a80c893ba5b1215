//! Reads a git repository, without a git program: the first-parent chain of HEAD, oldest first, one plan a commit.

mod blob;
mod path;
mod reader;
mod text;
mod tree;

pub use blob::LARGEST_TEXT;
pub use path::path_text;
pub use reader::{Reader, find, head};

#[cfg(test)]
mod tests;
