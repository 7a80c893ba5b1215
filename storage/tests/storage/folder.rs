//! A local folder: one owner, whole objects or none.

use crate::run;
use bytes::Bytes;
use daodb_storage::store::Created;
use daodb_storage::{ErrorKind, Store};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::fs;
use std::time::Duration;

#[test]
fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er");
    let first = Store::folder(&path).unwrap();
    let clone = first.clone();
    let error = Store::folder(&path).err().expect("the folder has an owner already");
    assert_eq!(error.kind, ErrorKind::Fenced);
    assert!(error.message.contains(&path.display().to_string()), "{error}");
    assert!(error.hint.is_some());
    drop(first);
    assert!(Store::folder(&path).is_err(), "a clone still owns it");
    drop(clone);
    Store::folder(&path).unwrap();
}

#[test]
fn a_file_is_no_folder() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Store::folder(file.path()).err().expect("a file is no folder");
    assert!(error.message.contains(&file.path().display().to_string()), "{error}");
}

#[test]
fn a_name_is_taken_once() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        for store in [Store::folder(folder.path()).unwrap(), Store::memory()] {
            let path = Path::from("a/b/c");
            assert_eq!(store.create(&path, "one").await.unwrap(), Created::New);
            let two = store.create(&path, "two").await.unwrap();
            assert_eq!(two, Created::Taken(Bytes::from("one")));
            // The same bytes are the same write.
            assert_eq!(store.create(&path, "one").await.unwrap(), Created::New);
            assert_eq!(store.read(&path).await.unwrap(), "one");
            assert_eq!(store.read_if_there(&Path::from("a/b")).await.unwrap(), None);
            let error = store.read(&Path::from("a/x")).await.unwrap_err();
            assert!(error.message.starts_with("a/x: "), "{error}");
            store.delete(&path).await.unwrap();
            store.delete(&path).await.unwrap();
            assert!(store.list(&Path::default()).await.unwrap().is_empty());
        }
    });
}

#[test]
fn racing_creates_have_one_winner() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::folder(folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        for round in 0..20 {
            let path = Path::from(format!("race/{round}/name"));
            let racers: Vec<_> = (0..8)
                .map(|n| {
                    let (store, path) = (store.clone(), path.clone());
                    tokio::spawn(async move { store.create(&path, format!("{n}")).await.unwrap() })
                })
                .collect();
            let mut winners = 0;
            for racer in racers {
                winners += usize::from(racer.await.unwrap() == Created::New);
            }
            assert_eq!(winners, 1);
        }
    });
}

#[test]
fn unfinished_writes_are_never_seen_and_are_swept_away() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        store.create(&Path::from("db/x"), "x").await.unwrap();
        fs::write(folder.path().join(".tmp/7"), "half").unwrap();
        let names = |store: Store| async move {
            let listed = store.list(&Path::default()).await.unwrap();
            listed.into_iter().map(|o| o.location.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(store.clone()).await, ["db/x"]);
        assert_eq!(store.folders(&Path::default()).await.unwrap(), ["db"]);
        let top = store.objects.list_with_delimiter(None).await.unwrap();
        assert!(top.objects.is_empty());
        drop(store);
        let store = Store::folder(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
        assert_eq!(names(store).await, ["db/x"]);
    });
}

#[test]
fn a_settled_folder_leaves_nothing_to_the_next_opening_whoever_still_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::folder(folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let journals = || fs::read_dir(folder.path().join(".journal")).unwrap().count();
    let text = |n| fs::read_to_string(folder.path().join(format!("db/{n}"))).unwrap();
    runtime.block_on(async {
        for n in 0..10 {
            store.create(&Path::from(format!("db/{n}")), format!("{n}")).await.unwrap();
        }
        assert!(journals() > 0, "the journal has them");
        store.settle().await;
        assert_eq!(journals(), 0);
        (0..10).for_each(|n| assert_eq!(text(n), n.to_string()));
        // It is open still; what is put while it is settled is not lost.
        let puts = (10..200).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let path = Path::from(format!("db/{n}"));
                assert_eq!(store.create(&path, format!("{n}")).await.unwrap(), Created::New);
                if n % 10 == 0 {
                    store.settle().await;
                }
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
        store.settle().await;
        assert_eq!(journals(), 0);
        (0..200).for_each(|n| assert_eq!(text(n), n.to_string()));
        store.delete(&Path::from("db/7")).await.unwrap();
        assert_eq!(store.list(&Path::default()).await.unwrap().len(), 199);
    });
}

#[test]
fn a_large_object_is_seen_once_it_is_complete() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let path = Path::from("segments/large");
        let mut upload = store.objects.put_multipart(&path).await.unwrap();
        let parts = [upload.put_part("abc".into()), upload.put_part("defg".into())];
        // Parts may arrive in any order.
        let [first, second] = parts;
        second.await.unwrap();
        first.await.unwrap();
        assert_eq!(store.read_if_there(&path).await.unwrap(), None);
        upload.complete().await.unwrap();
        assert_eq!(store.read(&path).await.unwrap(), "abcdefg");

        let mut given_up = store.objects.put_multipart(&Path::from("segments/no")).await.unwrap();
        given_up.put_part("abc".into()).await.unwrap();
        drop(given_up);
        assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
        let all: Vec<_> = store.objects.list(None).try_collect().await.unwrap();
        assert_eq!(all.len(), 1);
    });
}

#[test]
fn names_cannot_leave_the_folder() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let store = Store::folder(&inner).unwrap();
        assert!(Path::parse("../outside").is_err());
        store.create(&Path::from("../outside"), "x").await.unwrap();
        assert!(!folder.path().join("outside").exists());
        assert_eq!(store.read(&Path::from("../outside")).await.unwrap(), "x");
    });
}

#[test]
fn a_damaged_record_of_the_journal_hides_no_later_one() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let path = |n: usize| Path::from(format!("db/log/{n}"));
        let content = |n: usize| format!("the content of object {n}");
        for n in 0..3 {
            store.create(&path(n), content(n)).await.unwrap();
        }
        // What a loss of power leaves: the journal is there, of the objects' own files nothing is.
        let left = tempfile::tempdir().unwrap();
        fs::create_dir(left.path().join(".journal")).unwrap();
        let journal = fs::read(folder.path().join(".journal/0")).unwrap();
        for (damaged, there) in [(None, [true, true, true]), (Some(1), [true, false, true])] {
            let mut journal = journal.clone();
            if let Some(n) = damaged {
                let content = content(n);
                let mut places = journal.windows(content.len());
                let at = places.position(|bytes| bytes == content.as_bytes()).unwrap();
                journal[at] ^= 1;
            }
            fs::write(left.path().join(".journal/0"), journal).unwrap();
            let recovered = Store::folder(left.path()).unwrap();
            for (n, there) in there.into_iter().enumerate() {
                let read = recovered.read_if_there(&path(n)).await.unwrap();
                assert_eq!(read, there.then(|| Bytes::from(content(n))), "object {n}");
                recovered.delete(&path(n)).await.unwrap();
            }
        }
    });
}

#[test]
fn small_objects_get_files_while_others_are_put_now_and_then() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let path = |n: usize| Path::from(format!("db/log/{n}"));
        let first = folder.path().join("db/log/0");
        for n in 0..1000 {
            store.create(&path(n), "content").await.unwrap();
            assert_eq!(store.list(&Path::from("db/log")).await.unwrap().len(), n + 1);
            if first.exists() {
                assert_eq!(fs::read(&first).unwrap(), b"content");
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("the first of many small objects has no file");
    });
}
