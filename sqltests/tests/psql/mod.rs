//! psql 15 on DaoDB beside psql 15 on PostgreSQL 15: the same tables, the same commands (`suites/psql/commands.txt`), the same
//! output, but for the differences that `suites/psql/differences.txt` lists with a reason each.

mod compare;

use compare::{comparable, difference, judge, psql, read, write};
use daodb_sqltests::engine::{self, DATABASE, Served};
use daodb_sqltests::ops::{self, Names};
use daodb_sqltests::servers::postgres::{self, Postgres};
use daodb_sqltests::{left_out, program};
use std::collections::BTreeMap;
use std::path::Path;

const SUITE: &str = "psql beside PostgreSQL 15";

#[tokio::test(flavor = "multi_thread")]
async fn psql_prints_what_it_prints_on_postgresql() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/psql");
    if !program("psql", SUITE) {
        return;
    }
    let Some(programs) = postgres::programs() else {
        return left_out(SUITE, "there is no PostgreSQL 15");
    };
    let postgres = Postgres::start(programs, &folder.join("postgres.sql")).unwrap();

    let (catalog, database) = engine::memory(engine::options()).await.unwrap();
    let mut names = Names::new();
    let facts = std::fs::read_to_string(folder.join("facts.txt")).unwrap();
    for transaction in facts.split("\n\n") {
        ops::transact(&database, &mut names, transaction).await.unwrap();
    }
    let view = "CREATE VIEW recent AS SELECT path FROM file";
    engine::rows(&catalog, view).await.unwrap();
    let served = Served::start(&catalog).await.unwrap();

    let commands = std::fs::read_to_string(folder.join("commands.txt")).unwrap();
    let commands: Vec<&str> = commands.lines().filter(|l| !l.trim().is_empty()).collect();
    let mut found = BTreeMap::new();
    for command in &commands {
        let (ours, theirs) = (served.address.port(), postgres.port);
        let owned = (*command).to_owned();
        let lines = tokio::task::spawn_blocking(move || {
            let print = |port| comparable(&psql(port, DATABASE, &owned), port);
            difference(&print(theirs), &print(ours))
        });
        found.insert((*command).to_owned(), lines.await.unwrap());
    }
    served.stop().await.unwrap();
    catalog.close().await.unwrap();

    let listed = folder.join("differences.txt");
    let (complaints, listing) = judge(&found, &read(&std::fs::read_to_string(&listed).unwrap()));
    if std::env::var_os("DAODB_UPDATE").is_some() {
        std::fs::write(&listed, write(&listing, &commands)).unwrap();
    }
    let same = found.values().filter(|lines| lines.is_empty()).count();
    println!(
        "{same} of {} commands print the same; {} differ as listed",
        found.len(),
        listing.len()
    );
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}
