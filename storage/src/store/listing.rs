//! Listing a folder of the machine's own with one question to the disk for each file that is wanted, and none for the others: an
//! opening lists a log, and wants its end.

use futures::stream::{self, BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, Result};
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// What lies under `prefix` and comes after `after`, as the store itself lists it, in any order.
pub(super) fn list(
    store: &LocalFileSystem,
    prefix: Option<&Path>,
    after: Option<&Path>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let whole = || match after {
        Some(after) => store.list_with_offset(prefix, after),
        None => store.list(prefix),
    };
    let Some((prefix, folder)) = prefix.and_then(|p| Some((p, store.path_to_filesystem(p).ok()?)))
    else {
        return whole();
    };
    let (prefix, after, whole) = (prefix.clone(), after.cloned(), whole());
    let work = move || files(folder, prefix, after.as_ref());
    let listed = async move {
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(Some(files))) => stream::iter(files).map(Ok).boxed(),
            Ok(Ok(None)) => whole,
            Ok(Err(e)) => failed(e),
            Err(e) => failed(e),
        }
    };
    stream::once(listed).flatten().boxed()
}

fn failed(
    e: impl std::error::Error + Send + Sync + 'static,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let e = Error::Generic { store: "LocalFileSystem", source: Box::new(e) };
    stream::iter([Err(e)]).boxed()
}

/// None: there is something else than files and folders, or a name that is no object's, which the store knows to handle.
fn files(
    folder: PathBuf,
    prefix: Path,
    after: Option<&Path>,
) -> io::Result<Option<Vec<ObjectMeta>>> {
    let (mut found, mut folders) = (Vec::new(), vec![(folder, prefix)]);
    while let Some((folder, prefix)) = folders.pop() {
        let entries = match fs::read_dir(folder) {
            // Nothing lies there, or no more; or it is an object.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                continue;
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(location) = name
                .to_str()
                .filter(|n| !n.contains('#'))
                .and_then(|name| Path::parse(format!("{prefix}/{name}")).ok())
            else {
                return Ok(None);
            };
            let kind = entry.file_type()?;
            match kind.is_file() {
                true if after.is_some_and(|after| location <= *after) => {}
                true => found.extend(described(&entry, location)?),
                false if kind.is_dir() => folders.push((entry.path(), location)),
                false => return Ok(None),
            }
        }
    }
    Ok(Some(found))
}

/// None: it was removed meanwhile.
fn described(entry: &DirEntry, location: Path) -> io::Result<Option<ObjectMeta>> {
    let about = match entry.metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        about => about?,
    };
    let last_modified = about.modified()?.into();
    Ok(Some(ObjectMeta { location, last_modified, size: about.len(), e_tag: None, version: None }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::TryStreamExt;

    /// Locations with their sizes, in order.
    async fn sorted(listed: BoxStream<'static, Result<ObjectMeta>>) -> Vec<(Path, u64)> {
        let listed: Vec<ObjectMeta> = listed.try_collect().await.unwrap();
        let mut all: Vec<_> = listed.into_iter().map(|o| (o.location, o.size)).collect();
        all.sort_unstable();
        all
    }

    #[tokio::test]
    async fn it_lists_what_the_store_lists() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        for name in ["a/1", "a/2", "a/b/3", "a/b/c/4", "ab/5", "é x/6"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let check = async || {
            for prefix in
                [None, Some("a"), Some("a/b"), Some("ab"), Some("a/1"), Some("no"), Some("é x")]
            {
                for after in [None, Some("a/1"), Some("a/b"), Some("a/b/3"), Some("z")] {
                    let (p, a) = (prefix.map(Path::from), after.map(Path::from));
                    let ours = sorted(list(&store, p.as_ref(), a.as_ref())).await;
                    let theirs = match &a {
                        Some(a) => sorted(store.list_with_offset(p.as_ref(), a)).await,
                        None => sorted(store.list(p.as_ref())).await,
                    };
                    assert_eq!(ours, theirs, "{prefix:?} after {after:?}");
                }
            }
        };
        check().await;
        // A folder that lies elsewhere.
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("7"), "7").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("a/there")).unwrap();
        check().await;
        let all = sorted(list(&store, Some(&Path::from("a")), None)).await;
        assert!(all.iter().any(|(path, _)| path.as_ref() == "a/there/7"), "{all:?}");
    }
}
