//! `kill -9` under writers: every acknowledged transaction is there, none half, and the chain is whole.

use daodb_sqltests::crash::ENTITIES;
use daodb_sqltests::{engine, how_many, seed};
use daodb_storage::log::{Head, Log};
use daodb_storage::{FIRST_T, Store};
use futures::TryStreamExt;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// An acknowledgement: writer and sequence, then t and hash.
type Acknowledged = BTreeMap<(i64, i64), (i64, String)>;

/// Lets writers run on the folder for so long after their first acknowledgement; kills them; what they had been told.
fn round(folder: &Path, run: Duration, acknowledged: &mut Acknowledged) -> usize {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bench"))
        .arg("writers")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().expect("the writers ended before they wrote").unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(run);
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap()
    });
    let mut count = 0;
    for line in std::iter::once(first).chain(lines.map_while(Result::ok)) {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, writer, sequence, t, hash] = words[..] else { continue };
        let key = (writer.parse().unwrap(), sequence.parse().unwrap());
        let told = acknowledged.insert(key, (t.parse().unwrap(), hash.to_owned()));
        assert_eq!(told, None, "{key:?} was acknowledged twice");
        count += 1;
    }
    let status = killer.join().unwrap();
    assert_eq!(status.code(), None, "killed, not ended: {status}");
    count
}

async fn check(folder: &Path, acknowledged: &Acknowledged) {
    let (catalog, database) = engine::folder(folder, engine::options_with_tail(500)).await.unwrap();
    let sql = "SELECT w.writer, w.sequence, count(*), count(DISTINCT w.part), min(c.t), max(c.t) \
               FROM write w JOIN dao.changes c ON c.entity = w._id AND c.column_name = 'sequence' \
               GROUP BY w.writer, w.sequence ORDER BY w.writer, w.sequence";
    let rows = engine::rows(&catalog, sql).await.unwrap();
    let mut stored: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    let mut sequences: BTreeMap<i64, i64> = BTreeMap::new();
    for row in rows {
        let row: Vec<i64> = row.iter().map(|n| n.parse().unwrap()).collect();
        assert_eq!(row[2..4], [ENTITIES, ENTITIES], "a transaction is half there: {row:?}");
        assert_eq!(row[4], row[5], "one write in two transactions: {row:?}");
        let next = sequences.entry(row[0]).or_default();
        assert_eq!(row[1], *next, "writer {} misses one", row[0]);
        *next += 1;
        stored.insert((row[0], row[1]), row[4]);
    }
    for (key, (t, _)) in acknowledged {
        assert_eq!(stored.get(key), Some(t), "{key:?} was acknowledged as t {t}");
    }
    let newest = database.snapshot().newest().clone();
    catalog.close().await.unwrap();
    drop((catalog, database));

    // The log itself, read from its first transaction: every hash follows from the one before.
    let stream = streams(folder);
    let store = Store::folder(folder).unwrap();
    let prefix = format!("{}/streams/{stream}", engine::DATABASE);
    let log = Log::new(store, prefix.as_str().into(), stream);
    let head = Head { t: FIRST_T - 1, instant: i64::MIN, hash: [0; 32] };
    let hashes: BTreeMap<i64, String> = log
        .read_after(head)
        .map_ok(|tx| (tx.header.t, tx.header.hash.iter().map(|b| format!("{b:02x}")).collect()))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(hashes.len() as i64, newest.t - FIRST_T + 1, "every t once");
    for (key, (t, hash)) in acknowledged {
        assert_eq!(hashes.get(t), Some(hash), "{key:?} is not what was acknowledged");
    }
}

/// The one stream of the database.
fn streams(folder: &Path) -> String {
    let dir = std::fs::read_dir(folder.join(engine::DATABASE).join("streams")).unwrap();
    let names: Vec<String> =
        dir.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_transaction_survives_a_kill() {
    let seed = seed().unwrap_or_else(rand::random);
    eprintln!("kill -9: DAODB_SEED={seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for number in 0..how_many("DAODB_KILLS", 20) {
        let run = Duration::from_micros(rng.random_range(0..600_000));
        let count = round(dir.path(), run, &mut acknowledged);
        eprintln!("kill -9: round {number}: {count} acknowledged within {run:?}");
        check(dir.path(), &acknowledged).await;
    }
}
