//! What a commit changed: its tree against another, file by file, without guesses about renames.

use super::super::plan::{Change, File};
use super::blob::{Measure, Measures};
use super::path::path_text;
use super::reader::failed;
use daodb_catalog::Result;
use gix::diff::tree::{Recorder, recorder};
use gix::objs::TreeRefIter;
use gix::objs::tree::{EntryKind, EntryMode};
use gix::{ObjectId, Repository};
use std::collections::BTreeMap;

/// The changes from tree `old` (None: nothing) to tree `new`, by path.
pub fn changes(
    repo: &Repository,
    old: Option<ObjectId>,
    new: ObjectId,
    measures: &mut Measures,
) -> Result<Vec<Change>> {
    if old == Some(new) {
        return Ok(Vec::new());
    }
    let old_data = old.map(|id| tree(repo, id)).transpose()?.unwrap_or_default();
    let new_data = tree(repo, new)?;
    let mut recorder = Recorder::default();
    let hash = repo.object_hash();
    gix::diff::tree(
        TreeRefIter::from_bytes(&old_data, hash),
        TreeRefIter::from_bytes(&new_data, hash),
        gix::diff::tree::State::default(),
        &repo.objects,
        &mut recorder,
    )
    .map_err(|e| failed(repo, format!("tree {new}"), e))?;

    // A path may leave as a file and come as a folder, or the other way round: two records, of which the one that is left
    // standing counts.
    let mut changes = BTreeMap::new();
    for record in recorder.records {
        let (path, file) = match record {
            recorder::Change::Deletion { entry_mode, path, .. } if !entry_mode.is_tree() => {
                (path, None)
            }
            recorder::Change::Addition { entry_mode, oid, path, .. }
            | recorder::Change::Modification { entry_mode, oid, path, .. }
                if !entry_mode.is_tree() =>
            {
                (path, Some(file(repo, entry_mode, oid, measures)?))
            }
            recorder::Change::Modification { previous_entry_mode, path, .. }
                if !previous_entry_mode.is_tree() =>
            {
                (path, None)
            }
            _ => continue,
        };
        let path = path_text(&path).into_owned();
        if file.is_some() || !changes.contains_key(&path) {
            changes.insert(path, file);
        }
    }
    Ok(changes.into_iter().map(|(path, file)| Change { path, file }).collect())
}

fn tree(repo: &Repository, id: ObjectId) -> Result<Vec<u8>> {
    let tree = repo.find_tree(id).map_err(|e| failed(repo, format!("tree {id}"), e))?;
    Ok(tree.detach().data)
}

fn file(repo: &Repository, mode: EntryMode, id: ObjectId, measures: &mut Measures) -> Result<File> {
    let (mode, measure) = match mode.kind() {
        EntryKind::Commit => ("160000", Measure::default()),
        EntryKind::Link => ("120000", measures.of(repo, id)?),
        EntryKind::BlobExecutable => ("100755", measures.of(repo, id)?),
        EntryKind::Blob | EntryKind::Tree => ("100644", measures.of(repo, id)?),
    };
    Ok(File { mode, blob: id.to_string(), size: measure.size, lines: measure.lines })
}
