//! The chain of commits, and the plan of each.

use super::super::plan::{Commit, CommitPlan};
use super::blob::Measures;
use super::{text, tree};
use daodb_catalog::{Error, Result, SqlState};
use gix::objs::CommitRef;
use gix::{ObjectId, Repository};
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Decoded objects kept by gix, in bytes: trees and delta bases of neighbouring commits.
const OBJECT_CACHE: usize = 64 << 20;

/// The repository that `from` stands in: `from` or a folder above it.
pub fn find(from: &Path) -> Option<PathBuf> {
    let (found, _) = gix::discover::upwards(from).ok()?;
    let git_dir = found.as_ref().to_owned();
    Some(match found {
        gix::discover::repository::Path::WorkTree(dir) => dir,
        gix::discover::repository::Path::LinkedWorkTree { work_dir, .. } => work_dir,
        gix::discover::repository::Path::Repository(_) => git_dir,
    })
}

/// Hex name of the commit that HEAD names; None where there is none yet.
pub fn head(path: &Path) -> Result<Option<String>> {
    let repo = open(path)?;
    Ok(head_of(&repo)?.map(|id| id.to_string()))
}

fn head_of(repo: &Repository) -> Result<Option<ObjectId>> {
    let mut head = repo.head().map_err(|e| failed(repo, "HEAD", e))?;
    if head.is_unborn() {
        return Ok(None);
    }
    let commit = head.peel_to_commit().map_err(|e| failed(repo, "HEAD", e))?;
    Ok(Some(commit.id))
}

fn open(path: &Path) -> Result<Repository> {
    gix::discover(path).map_err(|e| {
        let text = format!("{} is not a git repository: {e}", path.display());
        Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint("give the path of a clone, or of any folder inside one")
    })
}

/// An error of reading the repository: `what` names the object.
pub(super) fn failed(repo: &Repository, what: impl fmt::Display, e: impl fmt::Display) -> Error {
    let place = repo.path().display();
    Error::new(SqlState::DATA_CORRUPTED, format!("git repository {place}: {what}: {e}")).hint(
        "`git fsck` tells whether the repository is damaged; `git fetch --refetch` mends a clone",
    )
}

fn object_id(sha: &str) -> Result<ObjectId> {
    ObjectId::from_hex(sha.as_bytes()).map_err(|e| {
        let text = format!("the database holds a :commit/sha that is no object name: {sha}: {e}");
        Error::new(SqlState::DATA_CORRUPTED, text)
    })
}

/// A repository, and which of its commits are already imported.
pub struct Reader {
    repo: Repository,
    imported: HashSet<ObjectId>,
    measures: Measures,
}

impl Reader {
    /// `imported`: hex names of the commits that the database holds.
    pub fn open(
        path: &Path,
        imported: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Reader> {
        let mut repo = open(path)?;
        repo.object_cache_size(OBJECT_CACHE);
        let imported =
            imported.into_iter().map(|sha| object_id(sha.as_ref())).collect::<Result<_>>()?;
        Ok(Reader { repo, imported, measures: Measures::default() })
    }

    /// The commits of HEAD's first-parent chain after `last`, oldest first; all where there is no `last`. Empty where the
    /// repository has no commit yet.
    pub fn chain(&self, last: Option<&str>) -> Result<Vec<ObjectId>> {
        let last = last.map(object_id).transpose()?;
        let Some(head) = head_of(&self.repo)? else { return Ok(Vec::new()) };
        let mut chain = Vec::new();
        let mut next = Some(head);
        while let Some(id) = next {
            if last == Some(id) {
                chain.reverse();
                return Ok(chain);
            }
            chain.push(id);
            next = self.parents(id)?.first().copied();
        }
        match last {
            None => {
                chain.reverse();
                Ok(chain)
            }
            Some(last) => Err(self.rewritten(last)),
        }
    }

    fn rewritten(&self, last: ObjectId) -> Error {
        let text = format!(
            "commit {last}, the newest one imported, is not among the first parents of HEAD in {}",
            self.repo.path().display()
        );
        Error::new(SqlState::INVALID_PARAMETER_VALUE, text).hint(
            "the history was rewritten, another branch is checked out, or it is another repository; \
             check out the branch that was imported, or import into a new database (--database NAME)",
        )
    }

    /// What the transaction of `id` says, to be asked for in the order of the chain. Its commits count as imported then.
    pub fn plan(&mut self, id: ObjectId) -> Result<CommitPlan> {
        let parents = self.parents(id)?;
        let mut brought = Vec::new();
        for parent in parents.iter().skip(1) {
            self.bring(*parent, &mut brought)?;
        }
        let (commit, new) = self.commit(id)?;
        let old = match parents.first() {
            Some(parent) => Some(self.commit(*parent)?.1),
            None => None,
        };
        self.imported.insert(id);
        let changes = tree::changes(&self.repo, old, new, &mut self.measures)?;
        Ok(CommitPlan { commit, brought, changes })
    }

    /// Blobs that the repository lacks (a partial clone), among those asked for.
    pub fn missing_blobs(&self) -> u64 {
        self.measures.missing
    }

    /// `tip` and its ancestors that are not imported yet, parents before children; from now on they are.
    fn bring(&mut self, tip: ObjectId, brought: &mut Vec<Commit>) -> Result<()> {
        // A stack of its own: histories are deeper than threads' stacks.
        let mut stack = vec![(tip, false)];
        let mut entered = HashSet::new();
        while let Some((id, parents_done)) = stack.pop() {
            if self.imported.contains(&id) {
                continue;
            }
            if parents_done {
                let commit = self.commit(id)?.0;
                self.imported.insert(id);
                brought.push(commit);
            } else if entered.insert(id) {
                stack.push((id, true));
                stack.extend(self.parents(id)?.into_iter().rev().map(|p| (p, false)));
            }
        }
        Ok(())
    }

    /// The parents that the repository holds: a shallow clone ends somewhere.
    fn parents(&self, id: ObjectId) -> Result<Vec<ObjectId>> {
        let commit = self.repo.find_commit(id).map_err(|e| self.broken(id, e))?;
        let shallow = self.repo.shallow_commits().map_err(|e| failed(&self.repo, "shallow", e))?;
        if shallow.is_some_and(|ends| ends.iter().any(|end| *end == id)) {
            return Ok(Vec::new());
        }
        Ok(commit.parent_ids().map(gix::Id::detach).collect())
    }

    /// A commit and its tree. Parents that are not imported are left out.
    fn commit(&self, id: ObjectId) -> Result<(Commit, ObjectId)> {
        let object = self.repo.find_commit(id).map_err(|e| self.broken(id, e))?;
        let read =
            CommitRef::from_bytes(&object.data, id.kind()).map_err(|e| self.broken(id, e))?;
        let encoding = read.encoding.map(|e| e.as_ref());
        let message = text::decode(read.message, encoding);
        let commit = Commit {
            sha: id.to_string(),
            message: message.trim_end_matches(['\n', '\r']).to_owned(),
            author: read.author().ok().map(|s| text::signature(s, encoding)),
            committer: read.committer().ok().map(|s| text::signature(s, encoding)),
            parents: read
                .parents()
                .filter(|p| self.imported.contains(p))
                .map(|p| p.to_string())
                .collect(),
        };
        Ok((commit, read.tree()))
    }

    fn broken(&self, id: ObjectId, e: impl fmt::Display) -> Error {
        failed(&self.repo, format!("commit {id}"), e)
    }
}
