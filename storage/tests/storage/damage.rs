//! Damaged, cut, missing and foreign log objects: an error that names the object, never a panic, never other data.

use crate::{assert_same, generate, log_on, read, run};
use daodb_storage::log::{Head, Transaction};
use daodb_storage::{Error, ErrorKind, Store};
use object_store::path::Path;

/// Three objects in memory.
async fn three() -> (Store, Vec<Transaction>, Vec<Path>) {
    let store = Store::memory();
    let log = log_on(&store);
    let (mut head, mut all, mut paths) = (Head::START, Vec::new(), Vec::new());
    for seed in 0..3 {
        let mut rng = generate::rng(seed);
        paths.push(log.object_path(head.t + 1));
        let group = generate::group(&mut rng, head.t + 1, head.instant.max(0));
        all.extend(log.append(&head, group).await.unwrap());
        head = Head::after(&all.last().unwrap().header);
    }
    (store, all, paths)
}

fn assert_names(error: &Error, path: &Path) {
    assert_eq!(error.kind, ErrorKind::Data, "{error}");
    assert!(error.message.contains(path.as_ref()), "{error}");
    assert!(error.hint.is_some(), "{error}");
}

/// Puts `bytes` in the place of the object and reads the log.
async fn read_with(store: &Store, path: &Path, bytes: Vec<u8>) -> Result<Vec<Transaction>, Error> {
    store.replace(path, bytes).await.unwrap();
    read(&log_on(store), Head::START).await
}

#[test]
fn every_flipped_bit_is_found() {
    run(async {
        let (store, _, paths) = three().await;
        let whole = store.read(&paths[1]).await.unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[place] ^= 1 << (place % 8);
            assert_names(&read_with(&store, &paths[1], bytes).await.unwrap_err(), &paths[1]);
        }
    });
}

#[test]
fn every_cut_is_found() {
    run(async {
        let (store, _, paths) = three().await;
        let whole = store.read(&paths[1]).await.unwrap();
        for length in 0..whole.len() {
            let bytes = whole[..length].to_vec();
            assert_names(&read_with(&store, &paths[1], bytes).await.unwrap_err(), &paths[1]);
        }
        let longer = [whole.as_ref(), b"PAR1"].concat();
        assert_names(&read_with(&store, &paths[1], longer).await.unwrap_err(), &paths[1]);
    });
}

/// As whoever changes history on purpose would do it.
fn seal_again(bytes: &mut [u8]) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..12]).update(&bytes[44..]);
    bytes[12..44].copy_from_slice(hasher.finalize().as_bytes());
}

#[test]
fn a_forged_seal_does_not_make_other_data_true() {
    run(async {
        let (store, all, paths) = three().await;
        let whole = store.read(&paths[1]).await.unwrap();
        let (mut harmless, mut found) = (0, 0);
        for place in 44..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.to_vec();
                bytes[place] ^= 1 << bit;
                seal_again(&mut bytes);
                match read_with(&store, &paths[1], bytes).await {
                    // Padding, or what no reader of ours looks at.
                    Ok(read) => {
                        assert_same(&read, &all);
                        harmless += 1;
                    }
                    Err(e) => {
                        assert_names(
                            &e,
                            if e.message.contains(paths[2].as_ref()) {
                                &paths[2]
                            } else {
                                &paths[1]
                            },
                        );
                        found += 1;
                    }
                }
            }
        }
        println!("{found} changes found, {harmless} without any effect");
        assert!(found > harmless);
    });
}

#[test]
fn an_empty_object_is_named() {
    run(async {
        let (store, _, paths) = three().await;
        let error = read_with(&store, &paths[2], vec![]).await.unwrap_err();
        assert_names(&error, &paths[2]);
        assert!(error.message.contains("empty"), "{error}");
    });
}

#[test]
fn a_missing_object_is_found() {
    run(async {
        let (store, all, paths) = three().await;
        store.delete(&paths[1]).await.unwrap();
        let error = read(&log_on(&store), Head::START).await.unwrap_err();
        assert_names(&error, &paths[2]);
        assert!(error.message.contains("are missing"), "{error}");
        // The end of a log is missed by whoever has read it before.
        store.delete(&paths[2]).await.unwrap();
        let head = Head::after(&all.last().unwrap().header);
        let error = read(&log_on(&store), head.clone()).await.unwrap_err();
        assert_names(&error, &paths[0]);
        store.delete(&paths[0]).await.unwrap();
        let error = read(&log_on(&store), head).await.unwrap_err();
        assert_names(&error, &Path::from("db/streams/main/log"));
    });
}

#[test]
fn an_object_under_another_name_is_not_believed() {
    run(async {
        let (store, _, paths) = three().await;
        let bytes = store.read(&paths[1]).await.unwrap().to_vec();
        assert_names(&read_with(&store, &paths[2], bytes).await.unwrap_err(), &paths[2]);
    });
}

#[test]
fn another_streams_object_is_not_believed() {
    run(async {
        let (store, _, paths) = three().await;
        let other = daodb_storage::log::Log::new(
            store.clone(),
            Path::from("db/streams/main"),
            "other".into(),
        );
        let error = read(&other, Head::START).await.unwrap_err();
        assert_names(&error, &paths[0]);
    });
}

#[test]
fn foreign_files_in_the_folder_are_left_alone() {
    run(async {
        let (store, all, _) = three().await;
        for name in [".DS_Store", "1000.parquet", "00000000000000001001.parquet.bak"] {
            let path = Path::from("db/streams/main/log").join(name);
            store.replace(&path, "hello").await.unwrap();
        }
        assert_same(&read(&log_on(&store), Head::START).await.unwrap(), &all);
    });
}
