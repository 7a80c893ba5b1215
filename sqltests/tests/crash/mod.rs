//! Processes that write and are stopped the hard way: [`kill`]ed, overtaken by another ([`race`]), out of space ([`full`]).
//! After each, every acknowledged transaction is there, none half, and the chain is whole.

mod full;
mod kill;
mod race;

use daodb_catalog::Catalog;
use daodb_sqltests::crash::{ENTITIES, options};
use daodb_sqltests::engine;
use daodb_storage::log::{Head, Log};
use daodb_storage::{Access, FIRST_T, Location, Store};
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// So many rounds on one database; then another one is begun, since each is read whole after every round.
const ROUNDS_A_DATABASE: u64 = 25;

/// Acknowledgements: writer and sequence, then t and hash.
#[derive(Default)]
struct Acknowledged(BTreeMap<(i64, i64), (i64, String)>);

impl Acknowledged {
    /// Whether the line is an acknowledgement.
    fn hear(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let ["ack", writer, sequence, t, hash] = words[..] else { return false };
        let key = (writer.parse().unwrap(), sequence.parse().unwrap());
        let told = self.0.insert(key, (t.parse().unwrap(), hash.to_owned()));
        assert_eq!(told, None, "{key:?} was acknowledged twice");
        true
    }
}

fn bench() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bench"))
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What lies at a location, once whoever had it before, also the catalog's last task, has let go.
async fn let_go<T, E: std::fmt::Display>(open: impl AsyncFn() -> Result<T, E>) -> T {
    let mut tries = 0;
    loop {
        match open().await {
            Ok(opened) => return opened,
            Err(e) => assert!(tries < 250, "{e}"),
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn opened(location: &Location) -> std::sync::Arc<Catalog> {
    let_go(|| Catalog::open_at(location, Access::ReadWrite, options())).await
}

async fn check(location: &Location, acknowledged: &Acknowledged) {
    let catalog = opened(location).await;
    let database = engine::open_or_create(&catalog).await.unwrap();
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
    for (key, (t, _)) in &acknowledged.0 {
        assert_eq!(stored.get(key), Some(t), "{key:?} was acknowledged as t {t}");
    }
    let newest = database.snapshot().newest().clone();
    catalog.close().await.unwrap();
    drop((catalog, database));

    // The log itself, read from its first transaction: every hash follows from the one before.
    let store = let_go(|| Store::open(location, Access::ReadOnly)).await;
    let folder = store.root.clone().join(engine::DATABASE).join("streams").join("0");
    let log = Log::new(store, folder, "0".into());
    let hashes: BTreeMap<i64, String> = log
        .read_after(Head::START)
        .map_ok(|tx| (tx.header.t, tx.header.hash.iter().map(|b| format!("{b:02x}")).collect()))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(hashes.len() as i64, newest.t - FIRST_T + 1, "every t once");
    for (key, (t, hash)) in &acknowledged.0 {
        assert_eq!(hashes.get(t), Some(hash), "{key:?} is not what was acknowledged");
    }
}
