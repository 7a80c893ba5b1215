//! Datomic itself is the oracle of transactions: random schemas and sequences of transactions through its peer library, in
//! one process beside this one, and through ours. `DAODB_SEED` repeats one sequence, `DAODB_SEEDS` says how many there are
//! (2,000 where `CI` is set, 200 else).
//!
//! In the order data flows: [`schema`], [`world`] and [`generate`] make sequences as EDN, `datomic.clj` reads them and tells what came
//! of them, so does [`ours`]; both are an [`answer`], which [`mod@compare`] compares.

mod answer;
mod compare;
mod generate;
mod ours;
mod schema;
mod world;

use answer::Answer;
use compare::{Count, compare};
use daodb_datalog::edn;
use daodb_sqltests::servers::datomic;
use daodb_sqltests::{engine, how_many, left_out, program, seed};
use generate::{Sequence, sequence};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const SUITE: &str = "Datomic's transactions";
/// Sequences that share a database: making one takes longer than filling it.
const SHARED: u64 = 25;
/// Differences that are told of at once.
const SHOWN: usize = 20;

/// How many forms a transaction has.
fn forms(text: &str) -> Option<usize> {
    edn::read(text).ok()?.sequence().map(<[edn::Node]>::len)
}

fn line(n: u64, sequence: &Sequence) -> String {
    let views: Vec<String> = sequence.views.iter().map(usize::to_string).collect();
    format!(
        "{{:db {} :ns \"{}\" :txs [{}] :views [{}]}}\n",
        n / SHARED,
        sequence.ns,
        sequence.txs.join(" "),
        views.join(" ")
    )
}

/// What Datomic made of the sequences in the file `asked`.
fn theirs(class_path: &str, asked: &Path, answered: PathBuf) -> Vec<Answer> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/datomic/datomic.clj");
    let mut command = datomic::command(class_path, Path::new(script));
    command.stdin(std::fs::File::open(asked).unwrap());
    command.stdout(std::fs::File::create(&answered).unwrap()).stderr(Stdio::piped());
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(answered).unwrap();
    let read = |line: &str| Answer::read(&edn::read(line).unwrap()).expect("a line of datomic.clj");
    text.lines().map(read).collect()
}

/// Our answers, in the order of the sequences.
async fn ours(sequences: &[Sequence]) -> Vec<Answer> {
    let mut all = Vec::with_capacity(sequences.len());
    for shared in sequences.chunks(SHARED as usize) {
        let (catalog, database) = engine::memory(engine::options()).await.unwrap();
        for sequence in shared {
            all.push(ours::answer(&database, sequence).await);
        }
        catalog.close().await.unwrap();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn datomic_says_the_same() {
    if !program("java", SUITE) {
        return;
    }
    let Some(class_path) = datomic::class_path() else {
        return left_out(SUITE, "there is no ~/.cache/daodb/datomic/classpath");
    };
    let default = if std::env::var_os("CI").is_some() { 2000 } else { 200 };
    let (first, count) = match seed() {
        Some(seed) => (seed, 1),
        None => (0, how_many("DAODB_SEEDS", default)),
    };
    let sequences: Vec<Sequence> = (first..first + count)
        .map(|n| sequence(&format!("s{n}"), &mut SmallRng::seed_from_u64(n)))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let (asked, answered) = (folder.path().join("asked"), folder.path().join("answered"));
    let lines = sequences.iter().zip(0..).map(|(sequence, n)| line(n, sequence));
    std::fs::write(&asked, lines.collect::<String>()).unwrap();
    let theirs = tokio::task::spawn_blocking(move || theirs(&class_path, &asked, answered));
    let ours = ours(&sequences).await;
    let theirs = theirs.await.unwrap();
    assert_eq!(theirs.len(), sequences.len(), "datomic.clj answered a part of the sequences");

    let (mut counted, mut wrong, mut story) = (Count::default(), 0, String::new());
    for (n, sequence) in sequences.iter().enumerate() {
        if let Err(what) = compare(sequence, &theirs[n], &ours[n], &mut counted) {
            wrong += 1;
            if wrong <= SHOWN {
                let _ = write!(story, "\n\nDAODB_SEED={} {what}", first + n as u64);
            }
        }
    }
    assert!(wrong == 0, "{wrong} of {count} sequences differ ({counted:?}):{story}");
    eprintln!("Datomic: {count} sequences, {counted:?}");
    // One sequence may be refused as a whole; many are not.
    assert!(count < 100 || (counted.done > 4 * count && counted.refused > count), "{counted:?}");
}
