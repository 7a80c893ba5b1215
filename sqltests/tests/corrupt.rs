//! Flipped and cut Parquet files: an error that names the file or the right answer, never another one; and the server goes
//! on.

use crate::fuzz::{Panics, serves};
use daodb_sqltests::ops::Names;
use daodb_sqltests::{engine, how_many, ops, seed_or_any};
use daodb_storage::verify::{VerifyOptions, verify};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::path::{Path, PathBuf};

const QUESTIONS: [&str; 5] = [
    "SELECT * FROM part ORDER BY _id",
    "SELECT n, name FROM part VERSION AS OF 1003 ORDER BY n, name",
    "SELECT * FROM part__history ORDER BY _id, _t_from",
    "SELECT * FROM dao.datoms ORDER BY e, a, t, v, added",
    "SELECT * FROM dao.changes ORDER BY entity, attribute, t, old_value, new_value",
];

/// A folder with a log of several objects, runs of several ages and a tail.
async fn make(folder: &Path) {
    let (catalog, database) = engine::folder(folder, engine::options()).await.unwrap();
    let mut names = Names::new();
    for i in 0..8 {
        let mut text = format!("transact 2026-01-0{}T00:00:00Z\n", i + 1);
        for j in 0..20 {
            text += &format!("+ p{j} :part/n {}\n+ p{j} :part/name \"name {}\"\n", i * j, j % 3);
            text += &format!("+ p{j} :part/other @p{}\n", (j + i) % 20);
        }
        ops::transact(&database, &mut names, &text).await.unwrap();
        if i % 3 == 1 {
            database.stream().index_now().await.unwrap();
        }
    }
    catalog.close().await.unwrap();
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "parquet") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), &to).unwrap()),
        }
    }
}

/// Flips some bits, or cuts the end off; says what it did.
fn damage(path: &Path, rng: &mut SmallRng) -> String {
    let mut bytes = std::fs::read(path).unwrap();
    if rng.random_bool(0.3) {
        let length = rng.random_range(0..bytes.len());
        std::fs::write(path, &bytes[..length]).unwrap();
        return format!("cut to {length} of {} bytes", bytes.len());
    }
    let mut what = String::from("flipped");
    for _ in 0..rng.random_range(1..4) {
        let (at, bit) = (rng.random_range(0..bytes.len()), rng.random_range(0..8));
        bytes[at] ^= 1 << bit;
        what += &format!(" bit {bit} of byte {at}");
    }
    std::fs::write(path, &bytes).unwrap();
    what
}

/// The answers, or the error and what it was about.
async fn answers(folder: &Path) -> Result<Vec<Vec<Vec<String>>>, String> {
    let opened = engine::folder(folder, engine::options()).await;
    let (catalog, _database) = opened.map_err(|e| format!("opening: {e}"))?;
    let mut answers = Vec::new();
    let mut failed = None;
    for question in QUESTIONS {
        match engine::rows(&catalog, question).await {
            Ok(rows) => answers.push(rows),
            Err(e) => failed = failed.or_else(|| Some(format!("{question}: {e}"))),
        }
    }
    if failed.is_some() {
        // What is damaged fails alone: the server still answers.
        let served = engine::Served::start(&catalog).await.unwrap();
        serves(&served).await;
        served.stop().await.unwrap();
    }
    let _ = catalog.close().await;
    match failed {
        Some(failed) => Err(failed),
        None => Ok(answers),
    }
}

/// The objects that `daodb verify` finds at fault.
async fn verified(folder: &Path) -> Vec<String> {
    let store = engine::store(folder).await.unwrap();
    let options = VerifyOptions { deep: true };
    let report = verify(&store, engine::DATABASE, options, &mut |_| {}).await.unwrap();
    report.faults.into_iter().map(|fault| fault.object).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_named() {
    let seed = seed_or_any();
    eprintln!("damaged files: DAODB_SEED={seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    make(&whole).await;
    let right = answers(&whole).await.unwrap();
    assert!(right.iter().all(|rows| !rows.is_empty()));
    assert_eq!(verified(&whole).await, [""; 0]);
    let (mut noticed, mut harmless) = (0, 0);
    let panics = Panics::watch();
    for round in 0..how_many("DAODB_DAMAGES", 150) {
        let hurt = dir.path().join(format!("hurt{round}"));
        copy(&whole, &hurt);
        let files = parquet_files(&hurt);
        let file = &files[rng.random_range(0..files.len())];
        let what = damage(file, &mut rng);
        let name = file.strip_prefix(&hurt).unwrap().display().to_string();
        // A bit that was flipped twice is as it was.
        let changed = std::fs::read(file).unwrap() != std::fs::read(whole.join(&name)).unwrap();
        let found = verified(&hurt).await.contains(&name);
        assert_eq!(found, changed, "seed {seed}, round {round}: {name} {what}");
        match answers(&hurt).await {
            Ok(answers) if answers == right => harmless += 1,
            Ok(_) => panic!("seed {seed}, round {round}: {name} {what}: a wrong answer"),
            Err(said) => {
                let stem = file.file_name().unwrap().to_string_lossy();
                let named = said.contains(stem.as_ref());
                assert!(named, "seed {seed}, round {round}: {name} {what}: unnamed: {said}");
                noticed += 1;
            }
        }
        std::fs::remove_dir_all(&hurt).unwrap();
    }
    assert_eq!(panics.seen(), Vec::<String>::new());
    eprintln!("damaged files: {noticed} noticed, {harmless} without effect");
    assert!(noticed > 0);
}
