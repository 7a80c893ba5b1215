//! The naive oracle: random histories, random questions, and the answers of both compared. `DAODB_SEED` repeats one;
//! `DAODB_SEEDS` says how many (2,000 where `CI` is set).

use daodb_catalog::{Catalog, Database, Session, SqlState};
use daodb_sqltests::oracle::random::{Actors, Said, expected, ops, refused, transaction};
use daodb_sqltests::oracle::world::Datom;
use daodb_sqltests::oracle::{Cell, Val, View, World, query};
use daodb_sqltests::{engine, how_many, seed};
use daodb_storage::Value;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// One history under test.
struct Life {
    seed: u64,
    rng: SmallRng,
    world: World,
    actors: Actors,
    /// Where it can be reopened from.
    folder: Option<TempDir>,
    options: daodb_catalog::database::CatalogOptions,
    catalog: Arc<Catalog>,
    database: Arc<Database>,
    /// What was done, for who has to find out.
    story: String,
    questions: u64,
}

impl Life {
    async fn begin(seed: u64) -> Life {
        let mut rng = SmallRng::seed_from_u64(seed);
        let tail = [1, 4, 20, 100, 10_000].choose(&mut rng).copied().unwrap();
        let options = engine::options_with_tail(tail);
        // Folders cost an fsync a transaction.
        let folder = rng.random_bool(0.2).then(|| tempfile::tempdir().unwrap());
        let (catalog, database) = match &folder {
            Some(folder) => engine::folder(folder.path(), options.clone()).await.unwrap(),
            None => engine::memory(options.clone()).await.unwrap(),
        };
        let (world, actors) = (World::default(), Actors::default());
        let story = format!(
            "tail of {tail}, in {}\n",
            if folder.is_some() { "a folder" } else { "memory" }
        );
        Life { seed, rng, world, actors, folder, options, catalog, database, story, questions: 0 }
    }

    async fn live(&mut self) {
        for _ in 0..self.rng.random_range(5..30) {
            match self.rng.random_range(0..20) {
                0 | 1 => {
                    self.story += "index\n";
                    self.database.stream().index_now().await.unwrap();
                }
                2 if self.folder.is_some() => self.reopen().await,
                3 | 4 => self.ask(2).await,
                _ => self.transact().await,
            }
        }
        self.ask(14).await;
    }

    async fn reopen(&mut self) {
        self.story += "reopen\n";
        self.catalog.close().await.unwrap();
        let (spare, other) = engine::memory(engine::options()).await.unwrap();
        // The folder's lock is held as long as anybody holds the catalog.
        (self.catalog, self.database) = (spare, other);
        let folder = self.folder.as_ref().unwrap().path();
        // Tasks of queries that were dropped let go of their snapshots a little later.
        let mut tries = 0;
        (self.catalog, self.database) = loop {
            match engine::folder(folder, self.options.clone()).await {
                Ok(opened) => break opened,
                Err(e) => assert!(tries < 100 && e.state == SqlState::READ_ONLY, "{e}"),
            }
            tries += 1;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
    }

    async fn transact(&mut self) {
        let said = transaction(&self.world, &self.actors, &mut self.rng);
        writeln!(self.story, "transact {said:?}").unwrap();
        let result = self.database.transact(ops(&said, &self.actors)).await;
        if refused(&self.world, &said, &self.actors) {
            let e = result
                .err()
                .unwrap_or_else(|| self.fail("a declaration that does not fit was taken"));
            assert_ne!(e.state, SqlState::INTERNAL, "{}", self.story);
            return;
        }
        let report = match result {
            Ok(report) => report,
            Err(e) => self.fail(&format!("refused: {}: {e}", e.state.as_str())),
        };
        for (name, id) in &report.tempids {
            self.actors.ids[name.parse::<usize>().unwrap()] = Some(*id);
        }
        let t = report.t;
        assert_eq!(t, self.world.newest() + 1, "{}", self.story);
        let mut right = expected(&self.world, &said, &self.actors, t);
        let mut ours: Vec<Datom> =
            report.datoms.iter().filter(|d| !d.a.as_str().starts_with(":db/")).map(datom).collect();
        let key = |d: &Datom| (d.e, d.a, d.v.text(), d.v.type_name(), d.added);
        right.sort_by_key(key);
        ours.sort_by_key(key);
        if right != ours {
            self.fail(&format!("datoms {ours:#?}\nnot {right:#?}"));
        }
        for op in &said {
            if let Said::Declare(a, many) = op {
                self.world.declared.push((t, a, *many));
            }
        }
        self.world.datoms.extend(right);
        self.world.transactions.push((t, report.instant));
    }

    async fn ask(&mut self, times: usize) {
        if self.world.transactions.is_empty() {
            return;
        }
        let mut session = engine::session(&self.catalog, &[]).await.unwrap();
        for _ in 0..times {
            let (settings, view, explicit) = self.view();
            let Some(question) = query::ask(&self.world, view, explicit, &mut self.rng) else {
                continue;
            };
            self.questions += 1;
            self.compare(&mut session, &settings, &question).await;
        }
    }

    async fn compare(
        &self,
        session: &mut Session,
        settings: &[String],
        question: &query::Question,
    ) {
        for set in settings {
            engine::query(session, set).await.unwrap_or_else(|e| self.fail(&format!("{set}: {e}")));
        }
        let sql = &question.sql;
        let asked = format!("{}; {sql}", settings.join("; "));
        let mut rows = match engine::query(session, sql).await {
            Ok(rows) => rows,
            Err(e) => self.fail(&format!("{asked}\n{}: {e}", e.state.as_str())),
        };
        rows.sort();
        if rows != question.answer {
            self.fail(&format!("{asked}\nanswered {rows:#?}\nnot {:#?}", question.answer));
        }
    }

    /// Settings of the session, what is seen by them, and whether a table may go further back by itself.
    fn view(&mut self) -> (Vec<String>, View, bool) {
        let mut settings = vec!["RESET daodb.as_of".to_owned(), "RESET daodb.since".to_owned()];
        let mut view = View { t: self.world.newest(), since: None };
        let (t, instant) = self.world.transactions.choose(&mut self.rng).copied().unwrap();
        match self.rng.random_range(0..10) {
            0 => {
                settings.push(format!("SET daodb.as_of = '{t}'"));
                view.t = t;
            }
            1 => {
                let at = Cell::Instant(instant).text();
                settings.push(format!("SET daodb.as_of = '{at}'"));
                view.t = self.world.t_at(instant).unwrap();
            }
            2 => {
                settings.push(format!("SET daodb.since = '{t}'"));
                view.since = Some(t);
            }
            _ => {}
        }
        (settings, view, view.since.is_none())
    }

    fn fail(&self, what: &str) -> ! {
        panic!("DAODB_SEED={}\n{}{what}", self.seed, self.story)
    }
}

fn datom(d: &daodb_storage::Datom) -> Datom {
    let v = match &d.v {
        Value::Boolean(b) => Val::Boolean(*b),
        Value::Long(n) => Val::Long(*n),
        Value::Double(d) => Val::Double(*d),
        Value::Instant(us) => Val::Instant(*us),
        Value::Ref(e) => Val::Ref(*e),
        Value::String(s) => Val::Text(s.to_string()),
        Value::Keyword(s) => Val::Keyword(s.to_string()),
        other => panic!("nobody wrote {other}"),
    };
    let a = daodb_sqltests::oracle::world::ATTRIBUTES.into_iter().find(|a| *a == d.a.as_str());
    Datom { e: d.e, a: a.unwrap(), v, t: d.t, added: d.added }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories() {
    let default = if std::env::var_os("CI").is_some() { 2000 } else { 300 };
    let (first, count) = match seed() {
        Some(seed) => (seed, 1),
        None => (0, how_many("DAODB_SEEDS", default)),
    };
    let next = Arc::new(AtomicU64::new(first));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..std::thread::available_parallelism().map_or(2, |n| n.get()) {
        let next = Arc::clone(&next);
        workers.spawn(async move {
            let mut questions = 0;
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + count {
                    return questions;
                }
                let mut life = Life::begin(seed).await;
                life.live().await;
                life.catalog.close().await.unwrap();
                questions += life.questions;
            }
        });
    }
    let mut questions = 0;
    while let Some(done) = workers.join_next().await {
        match done {
            Ok(asked) => questions += asked,
            Err(e) => std::panic::resume_unwind(e.into_panic()),
        }
    }
    eprintln!("oracle: {count} histories, {questions} questions");
    assert!(questions > count);
}
