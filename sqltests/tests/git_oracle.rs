//! The git oracle: for every commit that was imported, table `file` as of its transaction is what `git ls-tree -r` prints.

use daodb_catalog::{Catalog, Database};
use daodb_gateway::import::run::import;
use daodb_sqltests::{engine, git, left_out};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Commits that are compared of each history.
const SAMPLE: usize = 50;

async fn take(database: &Arc<Database>, repository: &Path) -> u64 {
    let now = daodb_gateway::config::now();
    let stop = CancellationToken::new();
    let imported = import(Arc::clone(database), repository, now, &stop, &mut |_| {}).await;
    imported.unwrap().commits
}

/// What git says of a commit: mode and blob by path, a path as table `file` spells it.
fn tree(repository: &Path, commit: &str) -> BTreeMap<String, (String, String)> {
    let raw = git::git(repository, &["ls-tree", "-r", "-z", commit], b"").unwrap();
    let quoted = ["-c", "core.quotePath=true", "ls-tree", "-r", commit];
    let quoted = git::git(repository, &quoted, b"").unwrap();
    let quoted = String::from_utf8(quoted).unwrap();
    let raw = raw.split(|b| *b == 0).filter(|line| !line.is_empty());
    raw.zip(quoted.lines())
        .map(|(line, quoted)| {
            let tab = line.iter().position(|b| *b == b'\t').unwrap();
            let head: Vec<&str> = std::str::from_utf8(&line[..tab]).unwrap().split(' ').collect();
            let path = spelled(&line[tab + 1..], quoted.split_once('\t').unwrap().1);
            (path, (head[0].to_owned(), head[2].to_owned()))
        })
        .collect()
}

/// UTF-8 stands as it is, all else as git quotes it; and the one UTF-8 name of the generated histories that is letter for
/// letter the quoted form of such bytes is quoted too.
fn spelled(raw: &[u8], quoted: &str) -> String {
    match std::str::from_utf8(raw) {
        Ok(text) if text != "\"a\\377b\"" => text.to_owned(),
        _ => quoted.to_owned(),
    }
}

/// Compares random commits of the chain, always the first and the last.
async fn compare(catalog: &Arc<Catalog>, repository: &Path, rng: &mut SmallRng) -> usize {
    let log = ["log", "--first-parent", "--reverse", "--format=%H", "HEAD"];
    let log = String::from_utf8(git::git(repository, &log, b"").unwrap()).unwrap();
    let chain: Vec<&str> = log.lines().collect();
    let sql = "SELECT c.sha, g._id FROM git g JOIN commit c ON c._id = g.commit ORDER BY g._id";
    let imported = engine::rows(catalog, sql).await.unwrap();
    let shas: Vec<&str> = imported.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(shas, chain, "one transaction a commit, in the order of the chain");

    let mut picked: Vec<usize> = (0..chain.len()).collect();
    picked.shuffle(rng);
    picked.truncate(SAMPLE);
    picked.extend([0, chain.len() - 1]);
    for i in &picked {
        let t = &imported[*i][1];
        let sql = format!("SELECT path, mode, blob FROM file VERSION AS OF {t}");
        let rows = engine::rows(catalog, &sql).await.unwrap();
        let count = rows.len();
        let ours: BTreeMap<String, (String, String)> = rows
            .into_iter()
            .map(|mut row| (row.remove(0), (row.remove(0), row.remove(0))))
            .collect();
        assert_eq!(count, ours.len(), "{}: a path stands twice", chain[*i]);
        let theirs = tree(repository, chain[*i]);
        if ours != theirs {
            let only = |a: &BTreeMap<String, _>, b: &BTreeMap<String, (String, String)>| {
                let differ = a.iter().filter(|(path, file)| b.get(*path) != Some(file));
                format!("{:?}", differ.take(5).collect::<Vec<_>>())
            };
            panic!(
                "{} (t {t}): ours {} git's {}",
                chain[*i],
                only(&ours, &theirs),
                only(&theirs, &ours)
            );
        }
    }
    picked.len()
}

/// The repository that these sources lie in; None, loudly, where they lie in none or in a shallow one.
fn own_repository(suite: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(top) = git::git(here, &["rev-parse", "--show-toplevel"], b"") else {
        left_out(suite, "the sources lie in no git repository");
        return None;
    };
    Some(PathBuf::from(String::from_utf8(top).unwrap().trim_end()))
}

#[tokio::test(flavor = "multi_thread")]
async fn own_history() {
    let suite = "git oracle, own history";
    if !git::program(suite) {
        return;
    }
    let Some(repository) = own_repository(suite) else { return };
    let (catalog, database) = engine::memory(engine::options()).await.unwrap();
    assert!(take(&database, &repository).await > 0);
    let mut rng = SmallRng::seed_from_u64(1);
    assert!(compare(&catalog, &repository, &mut rng).await > 0);
    catalog.close().await.unwrap();
}

/// Renames, deletions, merges, modes, links, submodules, odd names, clocks that run backwards; imported in two parts.
#[tokio::test(flavor = "multi_thread")]
async fn generated_histories() {
    if !git::program("git oracle, generated histories") {
        return;
    }
    for seed in 0..4 {
        eprintln!("git oracle: seed {seed}");
        let mut rng = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let repository = dir.path().join("generated.git");
        std::fs::create_dir(&repository).unwrap();
        git::generate(&repository, seed, 400).unwrap();
        let whole = git::git(&repository, &["rev-parse", "main"], b"").unwrap();
        let whole = String::from_utf8(whole).unwrap().trim().to_owned();
        let count = ["rev-list", "--first-parent", "--count", "main"];
        let count = String::from_utf8(git::git(&repository, &count, b"").unwrap()).unwrap();
        let count: u64 = count.trim().parse().unwrap();

        let data = dir.path().join("data");
        let options = engine::options_with_tail(rng.random_range(50..2000));
        let half = format!("{whole}~{}", count / 2);
        git::git(&repository, &["update-ref", "refs/heads/main", &half], b"").unwrap();
        let (catalog, database) = engine::folder(&data, options.clone()).await.unwrap();
        let first = take(&database, &repository).await;
        compare(&catalog, &repository, &mut rng).await;
        catalog.close().await.unwrap();
        drop((catalog, database));

        git::git(&repository, &["update-ref", "refs/heads/main", &whole], b"").unwrap();
        let (catalog, database) = engine::folder(&data, options).await.unwrap();
        let second = take(&database, &repository).await;
        assert_eq!((first + second, first), (count, count - count / 2), "seed {seed}");
        compare(&catalog, &repository, &mut rng).await;
        assert_eq!(take(&database, &repository).await, 0, "nothing is taken twice");
        catalog.close().await.unwrap();
    }
}
