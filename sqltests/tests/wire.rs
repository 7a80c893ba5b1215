//! What only a real client sees: bases chosen while connecting, bound parameters as times, streams that do not grow memory,
//! cancels and time limits that reach a running query.

use daodb_catalog::{Catalog, Database};
use daodb_sqltests::engine::{self, DATABASE, Served};
use daodb_sqltests::ops::{self, Names};
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const NONE: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];

struct Server {
    catalog: Arc<Catalog>,
    database: Arc<Database>,
    names: Names,
    served: Served,
}

impl Server {
    /// Item a is 1 in t 1000 (January), 2 in t 1001 (February).
    async fn start() -> Server {
        let (catalog, database) = engine::memory(engine::options()).await.unwrap();
        let served = Served::start(&catalog).await.unwrap();
        let mut server = Server { catalog, database, names: Names::new(), served };
        server.set("2026-01-01T00:00:00Z", 1).await;
        server.set("2026-02-01T00:00:00Z", 2).await;
        server
    }
    async fn set(&mut self, at: &str, n: i64) {
        let text = format!("transact {at}\n+ a :item/n {n}\n");
        ops::transact(&self.database, &mut self.names, &text).await.unwrap();
    }
    async fn connect(
        &self,
        database: &str,
        options: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        engine::connect(self.served.address, database, options).await
    }
    async fn stop(self) {
        self.served.stop().await.unwrap();
        self.catalog.close().await.unwrap();
    }
}

async fn n(client: &Client) -> i64 {
    client.query_one("SELECT n FROM item", &[]).await.unwrap().get(0)
}

fn state(e: &tokio_postgres::Error) -> &str {
    e.code().unwrap_or_else(|| panic!("not from the server: {e:?}")).code()
}

/// Columns are described before values are there, with the types that parameters have.
#[tokio::test(flavor = "multi_thread")]
async fn datalog_with_parameters() {
    use tokio_postgres::types::Type;
    let server = Server::start().await;
    let client = server.connect(DATABASE, "").await.unwrap();
    let query = "SELECT d.n, d.x, i._id FROM datalog('[:find ?e ?n ?x :in $ ?x :where [?e :item/n ?n] [(< ?x ?n)]]', $1::bigint) d JOIN item i ON i._id = d.e";
    let statement = client.prepare(query).await.unwrap();
    assert_eq!(statement.params(), [Type::INT8]);
    let types: Vec<_> = statement.columns().iter().map(|c| (c.name(), c.type_().clone())).collect();
    assert_eq!(types, [("n", Type::INT8), ("x", Type::INT8), ("_id", Type::INT8)]);
    let found = client.query(&statement, &[&1i64]).await.unwrap();
    assert_eq!((found.len(), found[0].get::<_, i64>(0), found[0].get::<_, i64>(1)), (1, 2, 1));
    assert!(client.query(&statement, &[&2i64]).await.unwrap().is_empty());
    // Types that the client gives; one of which nothing says a type is a text.
    let echo = "SELECT * FROM datalog('[:find ?x :in ?x]', $1)";
    let typed = client.prepare_typed(echo, &[Type::FLOAT8]).await.unwrap();
    assert_eq!(*typed.columns()[0].type_(), Type::FLOAT8);
    assert_eq!(client.query_one(&typed, &[&0.5f64]).await.unwrap().get::<_, f64>(0), 0.5);
    let text = client.prepare(echo).await.unwrap();
    assert_eq!((&text.params()[0], text.columns()[0].type_()), (&Type::TEXT, &Type::TEXT));
    assert_eq!(client.query_one(&text, &[&"[1]"]).await.unwrap().get::<_, String>(0), "[1]");
    // What the rest of the statement says of a parameter holds here too.
    let both = "SELECT d.x FROM item, datalog('[:find ?x :in ?x]', $1) d WHERE item.n = $1";
    let both = client.prepare(both).await.unwrap();
    assert_eq!((&both.params()[0], both.columns()[0].type_()), (&Type::INT8, &Type::INT8));
    assert_eq!(client.query_one(&both, &[&2i64]).await.unwrap().get::<_, i64>(0), 2);
    // Collections are arrays, also one of nothing.
    let each = "SELECT * FROM datalog('[:find ?x :in [?x ...]]', $1::bigint[]) ORDER BY 1";
    let each = client.prepare(each).await.unwrap();
    assert_eq!(*each.columns()[0].type_(), Type::INT8);
    assert_eq!(client.query(&each, &[&vec![3i64, 4]]).await.unwrap().len(), 2);
    assert_eq!(client.query(&each, &[&Vec::<i64>::new()]).await.unwrap().len(), 0);
    // Planned before values are known: as if by ones with which anything can be done.
    let parts = "SELECT a + b AS both FROM datalog('[:find ?a ?b :in [?a ?b]]', $1::bigint[])";
    let both = client.query_one(parts, &[&vec![3i64, 4]]).await.unwrap();
    assert_eq!(both.try_get::<_, i64>(0).unwrap(), 7);
    let quotient =
        "SELECT y FROM datalog('[:find ?y :in ?x :where [(quot 100 ?x) ?y]]', $1::bigint)";
    let found = client.query_one(quotient, &[&5i64]).await.unwrap();
    assert_eq!(found.try_get::<_, i64>(0).unwrap(), 20);
    let rest = "SELECT r FROM datalog('[:find ?r :in ?s :where [(subs ?s 1) ?r]]', $1)";
    assert_eq!(client.query_one(rest, &[&"abc"]).await.unwrap().get::<_, String>(0), "bc");
    for (sql, expect) in [
        ("SELECT * FROM datalog($1)", "22023"),
        ("SELECT * FROM datalog('[:find ?x :in [[?x]]]', $1)", "42P18"),
        ("SELECT * FROM datalog('[:find ?x :in ?x]', edn($1))", "42P18"),
        ("SELECT * FROM datalog('[:find ?y :in ?x]', $1)", "42703"),
    ] {
        let e = client.prepare(sql).await.err().unwrap();
        assert_eq!(state(&e), expect, "{sql}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_chooses_its_basis() {
    let server = Server::start().await;
    let at = |suffix: &str| format!("{DATABASE}@{suffix}");
    for (database, options, expect) in [
        (DATABASE.to_owned(), "", 2),
        (at("1000"), "", 1),
        (at("2026-01-15"), "", 1),
        (at("2026-02-15T10:00:00Z"), "", 2),
        (DATABASE.to_owned(), "-c daodb.as_of=1000", 1),
        (DATABASE.to_owned(), "-c daodb.as_of=2026-01-15", 1),
        (at("1001"), "-c application_name=x", 2),
    ] {
        let client = server.connect(&database, options).await;
        let client = client.unwrap_or_else(|e| panic!("{database} {options}: {e:?}"));
        assert_eq!(n(&client).await, expect, "{database} {options}");
    }
    for (database, options, expect) in [
        (at("4711"), "", "22023"),
        (at("soon"), "", "22023"),
        ("nothing".to_owned(), "", "3D000"),
        ("nothing@1000".to_owned(), "", "3D000"),
        (DATABASE.to_owned(), "-c daodb.as_of=soon", "22023"),
    ] {
        let e = server.connect(&database, options).await.err();
        let e = e.unwrap_or_else(|| panic!("{database} {options}: connected"));
        assert_eq!(state(&e), expect, "{database} {options}");
    }
    let pinned = server.connect(&at("1000"), "").await.unwrap();
    for write in ["CREATE VIEW five AS SELECT 5 AS n", "INSERT INTO item (n) VALUES (5)"] {
        let e = pinned.simple_query(write).await.unwrap_err();
        assert_eq!(state(&e), "25006", "{write}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_sees_the_newest_snapshot() {
    let mut server = Server::start().await;
    let client = server.connect(DATABASE, "").await.unwrap();
    let statement = client.prepare("SELECT n FROM item").await.unwrap();
    assert_eq!(client.query_one(&statement, &[]).await.unwrap().get::<_, i64>(0), 2);
    server.set("2026-03-01T00:00:00Z", 3).await;
    assert_eq!(client.query_one(&statement, &[]).await.unwrap().get::<_, i64>(0), 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_times() {
    let server = Server::start().await;
    let client = server.connect(DATABASE, "").await.unwrap();
    let by_t = client.prepare("SELECT n FROM item VERSION AS OF $1").await.unwrap();
    for (t, expect) in [(1000_i64, 1_i64), (1001, 2)] {
        assert_eq!(client.query_one(&by_t, &[&t]).await.unwrap().get::<_, i64>(0), expect);
    }
    // Before the first transaction the database is empty; after the last one there is nothing to say yet.
    assert_eq!(state(&client.query(&by_t, &[&5_i64]).await.unwrap_err()), "42P01");
    assert_eq!(state(&client.query(&by_t, &[&4711_i64]).await.unwrap_err()), "22023");
    let sql = "SELECT n FROM item FOR SYSTEM_TIME AS OF $1::timestamptz";
    let by_instant = client.prepare(sql).await.unwrap();
    // 2026-01-15, 2026-02-15
    for (seconds, expect) in [(1_768_435_200, 1_i64), (1_771_113_600, 2)] {
        let at: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(client.query_one(&by_instant, &[&at]).await.unwrap().get::<_, i64>(0), expect);
    }
    let e = client.query(&by_instant, &[&UNIX_EPOCH]).await.unwrap_err();
    assert_eq!(state(&e), "42P01");
    let sql = "SELECT a.n, b.n FROM item VERSION AS OF $1 a JOIN item VERSION AS OF $2 b USING (_id) WHERE a.n < $3";
    let row = client.query_one(sql, &[&1000_i64, &1001_i64, &9_i64]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_between_connections() {
    let server = Server::start().await;
    let one = server.connect(DATABASE, "").await.unwrap();
    let other = server.connect(DATABASE, "").await.unwrap();
    one.batch_execute("SET daodb.as_of = '1000'; SET application_name = 'one'").await.unwrap();
    one.batch_execute("PREPARE mine AS SELECT 1; BEGIN").await.unwrap();
    assert_eq!((n(&one).await, n(&other).await), (1, 2));
    let shown = other.query_one("SHOW application_name", &[]).await.unwrap();
    assert_ne!(shown.get::<_, &str>(0), "one");
    assert_eq!(state(&other.batch_execute("EXECUTE mine").await.unwrap_err()), "26000");
    // Not in the other's transaction: a failure does not abort it.
    assert!(other.batch_execute("SELECT nothing").await.is_err());
    assert_eq!(n(&other).await, 2);
    server.stop().await;
}

/// Ten million rows, without a table of them.
const MANY: &str = "SELECT a.a AS a, b.b AS b FROM generate_series(1, 10000) a CROSS JOIN generate_series(1, 1000) b";

fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_million_rows_do_not_grow_memory() {
    let server = Server::start().await;
    let client = server.connect(DATABASE, "").await.unwrap();
    for simple in [true, false] {
        let (mut rows, mut most) = (0_u64, 0);
        let before = resident_mib();
        let mut count = |row: bool| {
            rows += u64::from(row);
            if rows.is_multiple_of(500_000) {
                most = most.max(resident_mib().unwrap_or(0));
            }
        };
        if simple {
            let stream = client.simple_query_raw(MANY).await.unwrap();
            let mut stream = std::pin::pin!(stream);
            while let Some(message) = stream.try_next().await.unwrap() {
                count(matches!(message, SimpleQueryMessage::Row(_)));
            }
        } else {
            let stream = client.query_raw(MANY, NONE).await.unwrap();
            let mut stream = std::pin::pin!(stream);
            while stream.try_next().await.unwrap().is_some() {
                count(true);
            }
        }
        assert_eq!(rows, 10_000_000, "simple: {simple}");
        if let Some(before) = before {
            // Other tests run in this process too; the rows are some 500 MB.
            assert!(most < before + 300, "simple: {simple}: from {before} to {most} MiB");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_and_time_limits_stop_a_running_query() {
    let server = Server::start().await;
    let client = server.connect(DATABASE, "").await.unwrap();
    let endless = "SELECT n AS a, n AS b FROM generate_series(1, 100000000000) AS g(n)";

    // While rows are produced.
    let stream = client.query_raw(endless, NONE).await.unwrap();
    let mut stream = std::pin::pin!(stream);
    for _ in 0..1000 {
        stream.next().await.unwrap().unwrap();
    }
    client.cancel_token().cancel_query(NoTls).await.unwrap();
    let start = Instant::now();
    let e = loop {
        match stream.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended"),
            Err(e) => break e,
        }
    };
    assert_eq!(state(&e), "57014");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(n(&client).await, 2);

    // Where no row comes at all.
    client.batch_execute("SET statement_timeout = '300ms'").await.unwrap();
    let silent = format!("SELECT count(*) FROM ({endless}) x");
    for simple in [true, false] {
        let start = Instant::now();
        let e = match simple {
            true => client.simple_query(&silent).await.unwrap_err(),
            false => client.query(&silent, &[]).await.unwrap_err(),
        };
        assert_eq!(state(&e), "57014", "simple: {simple}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
    let e = client.simple_query(endless).await.unwrap_err();
    assert_eq!(state(&e), "57014");
    assert_eq!(n(&client).await, 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transaction_waits_for_its_end() {
    let mut server = Server::start().await;
    let client = server.connect(DATABASE, "").await.unwrap();
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(n(&client).await, 2);
    server.set("2026-03-01T00:00:00Z", 3).await;
    assert_eq!(n(&client).await, 2, "one snapshot");
    assert!(client.query("SELECT 1/0", &[]).await.is_err());
    assert_eq!(state(&client.query("SELECT 1", &[]).await.unwrap_err()), "25P02");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(n(&client).await, 3);
    server.stop().await;
}

/// The program itself: from the command line to a client, and to an end that keeps everything.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_and_ends_on_sigterm() {
    let suite = "the daodb program";
    let dir = tempfile::tempdir().unwrap();
    let (catalog, database) = engine::folder(dir.path(), engine::options()).await.unwrap();
    let mut names = Names::new();
    ops::transact(&database, &mut names, "transact\n+ a :item/n 7").await.unwrap();
    catalog.close().await.unwrap();
    drop((catalog, database));
    if engine::daodb().is_err() {
        daodb_sqltests::left_out(suite, "it is not built (cargo build --release)");
        return;
    }
    let mut program = engine::Program::serve(dir.path()).unwrap();
    let client = engine::connect(program.address, DATABASE, "").await.unwrap();
    assert_eq!(n(&client).await, 7);
    let pid = program.child.id().to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    let status = program.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
}
