//! What every store must do: creates, order, ranges, the probe; a database on it, again and again; counts; the cache on disk.

use super::again;
use daodb_catalog::{Catalog, Database};
use daodb_sqltests::engine::{self, DATABASE};
use daodb_sqltests::ops::{self, Names};
use daodb_storage::Store;
use daodb_storage::store::Created;
use datafusion::object_store::{ObjectStore, path::Path};
use futures::StreamExt;
use futures::future::{LocalBoxFuture, join_all};
use std::sync::Arc;

pub type Opener = Box<dyn Fn() -> LocalBoxFuture<'static, Store>>;

const NAMES: &str = "SELECT name FROM person ORDER BY name";

pub async fn conforms(open: Opener, shared: bool) {
    let store = open().await;
    assert_eq!(store.shared, shared, "{}", store.name);
    creates(&store).await;
    lists(&store).await;
    ranges(&store).await;
    probe(&store).await;
    drop(store);
    database(&open).await;
    disk_cache(&open).await;
    nothing_beside_the_root(&open().await).await;
}

fn at(store: &Store, path: &str) -> Path {
    path.split('/').fold(store.root.clone(), |path, part| path.join(part))
}

async fn creates(store: &Store) {
    let path = at(store, "creates/one");
    assert!(!store.exists(&path).await.unwrap());
    assert_eq!(store.read_if_there(&path).await.unwrap(), None);
    assert_eq!(store.create(&path, "mine").await.unwrap(), Created::New);
    assert_eq!(store.create(&path, "theirs").await.unwrap(), Created::Taken("mine".into()));
    assert_eq!(store.create(&path, "mine").await.unwrap(), Created::New, "it is ours");
    assert!(store.exists(&path).await.unwrap());
    store.replace(&path, "a hint").await.unwrap();
    assert_eq!(store.read(&path).await.unwrap(), "a hint");
    store.delete(&path).await.unwrap();
    store.delete(&path).await.unwrap();
    assert!(!store.exists(&path).await.unwrap());
    for n in 0..20 {
        let path = at(store, &format!("creates/race-{n}"));
        let racers = (0..8).map(|racer| store.create(&path, format!("racer {racer}")));
        let done: Vec<Created> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
        let won = done.iter().filter(|done| **done == Created::New).count();
        assert_eq!(won, 1, "{path}: {done:?}");
        let winner = done.iter().position(|done| *done == Created::New).unwrap();
        let bytes = format!("racer {winner}");
        assert_eq!(store.read(&path).await.unwrap(), bytes.as_bytes());
        let taken = Created::Taken(bytes.into());
        assert!(done.iter().all(|done| *done == Created::New || *done == taken), "{done:?}");
    }
}

async fn lists(store: &Store) {
    let names = ["00000000000000000009.x", "00000000000000000010.x", "a", "b c", "b-", "log"];
    for name in names.iter().rev() {
        store.create(&at(store, "lists").join(*name), *name).await.unwrap();
    }
    let nested = at(store, "lists/sub/one");
    store.create(&nested, "nested").await.unwrap();
    store.create(&at(store, "lists-beside"), "not under it").await.unwrap();
    let folder = at(store, "lists");
    let listed: Vec<Path> =
        store.list(&folder).await.unwrap().into_iter().map(|o| o.location).collect();
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    assert_eq!(listed.len(), names.len() + 1, "{listed:?}");
    let after = at(store, "lists/00000000000000000009.x");
    let later: Vec<Path> =
        store.list_after(&folder, &after).await.unwrap().into_iter().map(|o| o.location).collect();
    assert_eq!(later, listed[1..]);
    assert_eq!(store.folders(&folder).await.unwrap(), ["sub"]);
    let sizes = store.list(&at(store, "lists/sub")).await.unwrap();
    assert_eq!((sizes.len(), sizes[0].size, &sizes[0].location), (1, 6, &nested));
    assert!(store.list(&at(store, "nothing")).await.unwrap().is_empty());
}

async fn ranges(store: &Store) {
    let bytes: Vec<u8> = (0..5_000_000u32).map(|i| (i / 7) as u8).collect();
    let path = at(store, "ranges");
    store.create(&path, bytes.clone()).await.unwrap();
    let wanted = [4_999_999..5_000_000, 0..1, 100..200, 150..3000, 3_000_000..3_500_000];
    let parts = store.read_ranges(&path, &wanted).await.unwrap();
    for (range, part) in wanted.iter().zip(&parts) {
        assert!(part == &bytes[range.start as usize..range.end as usize], "{range:?}");
    }
    assert!(store.read(&path).await.unwrap() == bytes, "all of it");
    store.read_ranges(&path, &[0..1, 9_000_000..9_000_001]).await.unwrap_err();
    store.read_ranges(&at(store, "no-such"), &[0..1, 5..6]).await.unwrap_err();
}

async fn probe(store: &Store) {
    store.probe().await.unwrap();
    let left = store.list(&at(store, ".probe")).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

async fn nothing_beside_the_root(store: &Store) {
    let mut all = store.objects.list(None);
    while let Some(object) = all.next().await {
        let location = object.unwrap().location;
        assert!(location.prefix_matches(&store.root), "{location} is beside {}", store.root);
    }
}

async fn open_catalog(open: &Opener) -> Arc<Catalog> {
    Catalog::open_store(open().await, engine::options()).await.unwrap()
}

/// Ends all that holds the store.
async fn end(catalog: Arc<Catalog>, database: Arc<Database>) {
    catalog.close().await.unwrap();
    drop((catalog, database));
}

fn people(from: usize, to: usize) -> String {
    let person = |n| format!("\n+ p{n} :person/name \"P{n:05}\"\n+ p{n} :person/age {}", n % 90);
    format!("transact{}", (from..to).map(person).collect::<String>())
}

async fn database(open: &Opener) {
    let catalog = open_catalog(open).await;
    let database = catalog.create(DATABASE).await.unwrap();
    catalog.create(DATABASE).await.err().unwrap();
    ops::transact(&database, &mut Names::new(), &people(0, 3000)).await.unwrap();
    database.stream().index_now().await.unwrap();
    ops::transact(&database, &mut Names::new(), &people(3000, 3010)).await.unwrap();
    let told = engine::rows(&catalog, NAMES).await.unwrap();
    assert_eq!(told.len(), 3010);
    counts(&catalog).await;
    end(catalog, database).await;

    let catalog = open_catalog(open).await;
    assert_eq!(catalog.names(), [DATABASE]);
    let database = catalog.database(DATABASE).await.unwrap();
    assert_eq!(engine::rows(&catalog, NAMES).await.unwrap(), told);
    let then = "SELECT count(*) FROM person VERSION AS OF 1000";
    assert_eq!(engine::rows(&catalog, then).await.unwrap(), [["3000"]]);
    explains(&catalog).await;
    ops::transact(&database, &mut Names::new(), &people(3010, 3011)).await.unwrap();
    assert_eq!(engine::rows(&catalog, NAMES).await.unwrap().len(), 3011);
    end(catalog, database).await;
}

/// What `dao.storage` says adds up: what was done so far, and that a look at it costs nothing.
async fn counts(catalog: &Arc<Catalog>) {
    let rows = engine::rows(catalog, "SELECT * FROM dao.storage").await.unwrap();
    let of = |area: &str, kind: &str| -> [u64; 3] {
        let row = rows.iter().find(|row| row[0] == area && row[1] == kind).unwrap();
        [2, 3, 4].map(|column| row[column].parse().unwrap())
    };
    assert_eq!(rows.len(), 23);
    // Two transactions, and what creating a database writes by itself.
    let [puts, bytes, errors] = of("log", "put");
    assert!(puts >= 2 && bytes > 10_000 && errors == 0, "{puts} {bytes} {errors}");
    let [segments, segment_bytes, _] = of("segments", "put");
    assert!(segments >= 1 && segment_bytes > 10_000, "{segments} {segment_bytes}");
    assert!(of("index", "put")[0] >= 1);
    let [gets, got, _] = of("segments", "get");
    assert!(gets >= segments && got > 0, "each was opened: {gets} of {segments}");
    let sum = "SELECT sum(requests), sum(errors) FROM dao.storage";
    let total = engine::rows(catalog, sum).await.unwrap();
    assert_eq!(engine::rows(catalog, sum).await.unwrap(), total, "looking is no request");
    // Other objects are those of the checks before, which ask for what is not there; memory is still the same store.
    let errors = "SELECT area, kind, errors FROM dao.storage WHERE errors > 0 AND area <> 'other'";
    assert_eq!(engine::rows(catalog, errors).await.unwrap(), Vec::<Vec<String>>::new());
}

/// The store is asked the first time, and memory the second time.
async fn explains(catalog: &Arc<Catalog>) {
    let explain = async || {
        let rows = engine::rows(catalog, "EXPLAIN ANALYZE SELECT age FROM person").await.unwrap();
        rows.into_iter().flatten().find(|line| line.contains("store_requests=")).unwrap()
    };
    let first = explain().await;
    assert!(!first.contains("store_requests=0"), "{first}");
    assert!(!first.contains("store_bytes=0"), "{first}");
    let second = explain().await;
    assert!(second.contains("store_requests=0"), "{second}");
    assert!(!second.contains("memory_cache_bytes=0"), "{second}");
}

async fn disk_cache(open: &Opener) {
    let cache = tempfile::tempdir().unwrap();
    let mut answers = Vec::new();
    for round in 0..3 {
        if round == 2 {
            damage(cache.path());
        }
        let store = again(async || open().await.with_disk_cache(cache.path(), 64 << 20)).await;
        let requests = |area: &str| {
            let rows = store.requests();
            rows.iter().find(|row| row.area == area && row.kind == "get").unwrap().requests
        };
        // Memory is the same store each time, and counts on.
        let before = (requests("segments"), requests("cache"));
        let catalog = Catalog::open_store(store.clone(), engine::options()).await.unwrap();
        let database = catalog.database(DATABASE).await.unwrap();
        answers.push(engine::rows(&catalog, NAMES).await.unwrap());
        let (segments, cached) = (requests("segments") - before.0, requests("cache") - before.1);
        match round {
            // What was read a moment ago is in the cache already.
            0 => assert!(segments > 0, "{segments} {cached}"),
            1 => assert!(segments == 0 && cached > 0, "{segments} {cached}"),
            _ => assert!(segments > 0 && cached > 0, "{segments} {cached}"),
        }
        end(catalog, database).await;
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.len() == 3011));
}

/// A bit of every block.
fn damage(cache: &std::path::Path) {
    for block in std::fs::read_dir(cache.join("blocks")).unwrap() {
        let path = block.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}
