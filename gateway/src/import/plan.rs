//! What one transaction of an imported history says, before it becomes ops.

/// One commit of the first-parent chain: one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPlan {
    pub commit: Commit,
    /// Commits that a merge brings in, parents before children.
    pub brought: Vec<Commit>,
    /// Against the first parent, each path at most once.
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Hex.
    pub sha: String,
    /// Without the line ends at its end.
    pub message: String,
    /// None where the commit's own line cannot be read.
    pub author: Option<Signature>,
    pub committer: Option<Signature>,
    /// Hex, in order; only parents that are imported (a shallow clone lacks some).
    pub parents: Vec<String>,
}

/// Who, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    /// The person's identity. Where git has none, `NAME <>`: people without an address are told apart by name.
    pub email: String,
    /// Microseconds, UTC.
    pub at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As [`super::git::path_text`] spells it.
    pub path: String,
    /// None: deleted.
    pub file: Option<File>,
}

/// A path of a tree, as `git ls-tree` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Six octal digits: `100644`, `100755`, `120000` (symbolic link), `160000` (submodule).
    pub mode: &'static str,
    /// Hex.
    pub blob: String,
    /// Bytes. None for a submodule, and for a blob that a partial clone lacks.
    pub size: Option<i64>,
    /// None for what has no size, is binary, or is larger than [`super::git::LARGEST_TEXT`].
    pub lines: Option<i64>,
}
