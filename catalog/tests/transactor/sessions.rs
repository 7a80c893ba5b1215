//! Sessions: what the `.slt` files cannot say. Parameters, what Describe answers, snapshots over time, states and notices.

use super::{add, database, declare, map, temp, value};
use daodb_catalog::session::{Extension, RowsTag, SessionInfo, Statement, TransactionStatus};
use daodb_catalog::{Catalog, Database, Error, Outcome, Result, Session};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use std::sync::Arc;

/// A front end without relations of its own.
struct Plain;

impl Extension for Plain {
    fn open(&self, _: &SessionContext) -> Result<()> {
        Ok(())
    }
    fn rewrite(
        &self,
        _: &mut datafusion::sql::sqlparser::ast::Statement,
        _: &SessionInfo,
    ) -> Result<()> {
        Ok(())
    }
    fn relation(
        &self,
        _: &str,
        _: &str,
        _: &SessionInfo,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(None)
    }
    fn relations(&self, _: &str) -> Vec<String> {
        vec![]
    }
    fn bind(&self, _: &SessionContext, _: &SessionInfo) -> Result<()> {
        Ok(())
    }
}

/// t 1000: Ada is 36; t 1001: Ada is 37, and there is Bob.
async fn people() -> (Arc<Catalog>, Arc<Database>) {
    let (catalog, database) = database().await;
    let report = database
        .transact(vec![
            add(temp("a"), ":person/name", value("Ada")),
            add(temp("a"), ":person/age", value(36)),
        ])
        .await
        .unwrap();
    let ada = daodb_catalog::EntityRef::Id(report.tempids["a"]);
    database
        .transact(vec![
            add(ada, ":person/age", value(37)),
            add(temp("b"), ":person/name", value("Bob")),
        ])
        .await
        .unwrap();
    (catalog, database)
}

async fn open(catalog: &Arc<Catalog>, name: &str) -> Result<Session> {
    Session::open(Arc::clone(catalog), name, "tester", vec![], Arc::new(Plain)).await
}

fn one(session: &Session, sql: &str) -> Statement {
    session.parse(sql).unwrap().remove(0)
}

/// Rows as `a|b`, joined by `;`; of a command its tag.
async fn text(outcome: Outcome) -> Result<String> {
    let stream = match outcome {
        Outcome::Rows { stream, .. } | Outcome::CopyOut { stream, .. } => stream,
        Outcome::Command { tag } => return Ok(tag),
    };
    let mut rows = Vec::new();
    let batches: Vec<_> = stream.try_collect().await.map_err(Error::from)?;
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|c| array_value_to_string(c, row).unwrap());
            rows.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    Ok(rows.join(";"))
}

async fn run(session: &mut Session, sql: &str, params: &[ScalarValue]) -> Result<String> {
    let mut last = String::new();
    for statement in session.parse(sql)? {
        let outcome = session.execute(&statement, params).await?;
        last = match text(outcome).await {
            Ok(rows) => rows,
            Err(e) => {
                session.fail();
                return Err(e);
            }
        };
    }
    Ok(last)
}

async fn check(session: &mut Session, sql: &str, expect: &str) {
    match run(session, sql, &[]).await {
        Ok(found) => assert_eq!(found, expect, "{sql}"),
        Err(e) => panic!("{sql}: {} {e:?}", e.state.as_str()),
    }
}

async fn fails(session: &mut Session, sql: &str, state: &str) -> Error {
    match run(session, sql, &[]).await {
        Ok(found) => panic!("{sql}: {found}"),
        Err(e) => {
            assert_eq!(e.state.as_str(), state, "{sql}: {e:?}");
            e
        }
    }
}

#[tokio::test]
async fn times_as_parameters() {
    let (catalog, database) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    let instant = database.snapshot().instant_of(1000).await.unwrap();
    let at_1000 = ScalarValue::TimestampMicrosecond(instant, Some("UTC".into()));
    let t = |t: i64| ScalarValue::Int64(Some(t));
    for (sql, params, expect) in [
        ("SELECT age FROM person VERSION AS OF $1", vec![t(1000)], "36"),
        ("SELECT age FROM person VERSION AS OF $1", vec![ScalarValue::from("1000")], "36"),
        ("SELECT age FROM person FOR SYSTEM_TIME AS OF $1", vec![t(1000)], "36"),
        ("SELECT age FROM person FOR SYSTEM_TIME AS OF $1", vec![at_1000.clone()], "36"),
        ("SELECT age FROM person TIMESTAMP AS OF $1", vec![at_1000.clone()], "36"),
        ("SELECT age FROM person FOR VERSION AS OF $1 - 1", vec![t(1001)], "36"),
        (
            "SELECT age FROM person FOR SYSTEM_TIME FROM $1 TO $2 WHERE name = $3 ORDER BY age",
            vec![t(1000), t(1002), ScalarValue::from("Ada")],
            "36;37",
        ),
        (
            "SELECT a.age, b.age FROM person VERSION AS OF $1 a JOIN person VERSION AS OF $2 b ON a._id = b._id",
            vec![t(1000), t(1001)],
            "36|37",
        ),
    ] {
        assert_eq!(run(&mut s, sql, &params).await.unwrap(), expect, "{sql} {params:?}");
    }
    for (param, state) in [
        (ScalarValue::Int64(None), "22023"),
        (t(4711), "22023"),
        (ScalarValue::from("soon"), "22023"),
        (ScalarValue::Boolean(Some(true)), "22023"),
    ] {
        let sql = "SELECT age FROM person FOR SYSTEM_TIME AS OF $1";
        let e = run(&mut s, sql, std::slice::from_ref(&param)).await.unwrap_err();
        assert_eq!(e.state.as_str(), state, "{param}: {e:?}");
    }
    let e = run(&mut s, "SELECT age FROM person VERSION AS OF $1", &[]).await.unwrap_err();
    assert_eq!(e.state.as_str(), "08P01");
}

#[tokio::test]
async fn describe() {
    let (catalog, _) = people().await;
    let s = open(&catalog, "test").await.unwrap();
    let instant = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    for (sql, parameters, columns) in [
        ("SELECT 1, 2, count(*) FROM person", vec![], Some("?column?,?column?,count")),
        ("SELECT * FROM person WHERE age > $1", vec![DataType::Int64], Some("_id,age,name")),
        ("SELECT name FROM person VERSION AS OF $1", vec![DataType::Int64], Some("name")),
        ("SELECT name n FROM person FOR SYSTEM_TIME AS OF $1", vec![instant()], Some("n")),
        (
            "SELECT * FROM person FOR SYSTEM_TIME BETWEEN $1 AND $2",
            vec![instant(), instant()],
            Some("_id,age,name,_t_from,_t_to,_valid_from,_valid_to"),
        ),
        ("SELECT $1", vec![DataType::Utf8], Some("?column?")),
        ("SELECT name FROM person LIMIT $1", vec![DataType::Int64], Some("name")),
        ("SHOW timezone", vec![], Some("TimeZone")),
        ("EXPLAIN SELECT 1", vec![], Some("QUERY PLAN")),
        ("BEGIN", vec![], None),
        ("COPY person TO STDOUT", vec![], None),
    ] {
        let found = s.describe(&one(&s, sql), &[], &[]).await.unwrap();
        let names = found
            .columns
            .map(|c| c.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>().join(","));
        assert_eq!((found.parameters, names.as_deref()), (parameters, columns), "{sql}");
    }
}

#[tokio::test]
async fn a_moment_that_is_executed_decides_what_columns_there_are() {
    let (catalog, database) = database().await;
    database.transact(vec![declare(":p/nick", &["string", "one"])]).await.unwrap();
    let al = vec![add(temp("a"), ":p/nick", value("Al"))];
    let t = database.transact(al).await.unwrap().t;
    let renamed = map(
        Some(daodb_catalog::EntityRef::Ident(":p/nick".into())),
        [(":db/ident", value(daodb_storage::Value::keyword(":p/called")))],
    );
    database.transact(vec![renamed]).await.unwrap();
    let mut s = open(&catalog, "test").await.unwrap();
    let prepare = "PREPARE n AS SELECT nick FROM p VERSION AS OF $1 WHERE nick > $2";
    check(&mut s, prepare, "PREPARE").await;
    check(&mut s, &format!("EXECUTE n({t}, 'A')"), "Al").await;
    let then = one(&s, &format!("EXECUTE n({t}, 'A')"));
    let columns = s.describe(&then, &[], &[]).await.unwrap().columns.unwrap();
    assert_eq!(columns.field(0).name(), "nick");
    let now = one(&s, &format!("EXECUTE n({}, 'A')", t + 1));
    let e = s.execute(&now, &[]).await.err().unwrap();
    assert_eq!(e.state.as_str(), "42703", "{e}");
}

#[tokio::test]
async fn a_prepared_statement_sees_the_newest_snapshot() {
    let (catalog, database) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    let count = one(&s, "SELECT count(*) FROM person");
    assert_eq!(text(s.execute(&count, &[]).await.unwrap()).await.unwrap(), "2");
    check(&mut s, "PREPARE c (bigint) AS SELECT count(*) FROM person WHERE _id > $1", "PREPARE")
        .await;
    database.transact(vec![add(temp("c"), ":person/name", value("Cy"))]).await.unwrap();
    assert_eq!(text(s.execute(&count, &[]).await.unwrap()).await.unwrap(), "3");
    check(&mut s, "EXECUTE c (1 + 1)", "3").await;
    fails(&mut s, "EXECUTE c", "42601").await;
    check(&mut s, "DEALLOCATE c", "DEALLOCATE").await;
    fails(&mut s, "EXECUTE c (1)", "26000").await;
}

#[tokio::test]
async fn a_transaction_reads_one_snapshot() {
    let (catalog, database) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    check(&mut s, "BEGIN", "BEGIN").await;
    assert_eq!(s.status(), TransactionStatus::Active);
    database.transact(vec![add(temp("c"), ":person/name", value("Cy"))]).await.unwrap();
    check(&mut s, "SELECT count(*), dao_basis() FROM person", "2|1001").await;
    check(&mut s, "SET LOCAL daodb.as_of = '1000'; SELECT count(*) FROM person", "1").await;
    check(&mut s, "COMMIT", "COMMIT").await;
    check(&mut s, "SELECT count(*), dao_basis() FROM person", "3|1002").await;

    check(&mut s, "BEGIN; SAVEPOINT a", "SAVEPOINT").await;
    fails(&mut s, "SELECT 1 / 0", "22012").await;
    assert_eq!(s.status(), TransactionStatus::Failed);
    fails(&mut s, "SELECT 1", "25P02").await;
    check(&mut s, "ROLLBACK TO a; SELECT 1", "1").await;
    fails(&mut s, "SELECT nothing", "42703").await;
    check(&mut s, "COMMIT", "ROLLBACK").await;
    assert_eq!(s.status(), TransactionStatus::Idle);

    check(&mut s, "COMMIT", "COMMIT").await;
    check(&mut s, "BEGIN; BEGIN; END", "COMMIT").await;
    let notices: Vec<&str> = s.take_notices().iter().map(|n| n.state.as_str()).collect();
    assert_eq!(notices, ["25P01", "25001"]);
}

#[tokio::test]
async fn sessions_pinned_to_a_time() {
    let (catalog, database) = people().await;
    let instant = database.snapshot().instant_of(1000).await.unwrap().unwrap();
    let by_instant = format!("test@{}", daodb_storage::value::instant_text(instant));
    for name in ["test@1000", &by_instant] {
        let mut s = match open(&catalog, name).await {
            Ok(s) => s,
            Err(e) => panic!("{name}: {e:?}"),
        };
        check(&mut s, "SELECT name, age FROM person", "Ada|36").await;
        fails(&mut s, "CREATE VIEW v AS SELECT 1", "25006").await;
        fails(&mut s, "SELECT age FROM person VERSION AS OF 1001", "22023").await;
        check(&mut s, "SELECT count(*) FROM person__history", "1").await;
        // RESET goes back to what the session began with.
        check(&mut s, "RESET ALL; SELECT age FROM person", "36").await;
    }
    for (name, state) in [("test@4711", "22023"), ("test@soon", "22023"), ("none@1000", "3D000")] {
        assert_eq!(open(&catalog, name).await.err().unwrap().state.as_str(), state, "{name}");
    }
    let mut s = open(&catalog, "test").await.unwrap();
    fails(&mut s, "SET daodb.as_of = 'soon'", "22023").await;
    check(&mut s, "SELECT count(*) FROM person", "2").await;
    check(&mut s, "SET daodb.as_of = 1000; SELECT count(*) FROM person", "1").await;
    check(&mut s, "SHOW daodb.as_of", "1000").await;
    check(&mut s, "RESET daodb.as_of; SET daodb.since = 1000; SELECT name FROM person", ";Bob")
        .await;
    check(&mut s, "RESET daodb.since; SET daodb.history = on; SELECT count(*) FROM person", "3")
        .await;
}

#[tokio::test]
async fn views_are_seen_from_their_transaction_on() {
    let (catalog, database) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    check(
        &mut s,
        "CREATE VIEW adults AS SELECT name, age FROM person WHERE age > 36",
        "CREATE VIEW",
    )
    .await;
    check(&mut s, "SELECT * FROM adults", "Ada|37").await;
    check(&mut s, "SELECT * FROM adults VERSION AS OF 1000", "").await;
    fails(&mut s, "CREATE VIEW adults AS SELECT 1", "42P07").await;
    fails(&mut s, "CREATE VIEW person AS SELECT 1", "42P07").await;
    fails(&mut s, "CREATE VIEW bad AS SELECT nothing FROM person", "42703").await;
    fails(&mut s, "SELECT * FROM adults FOR SYSTEM_TIME ALL", "0A000").await;
    let before = database.snapshot().t();
    check(
        &mut s,
        "CREATE OR REPLACE VIEW adults (who) AS SELECT name FROM person VERSION AS OF 1000; SELECT who FROM adults",
        "Ada",
    )
    .await;
    fails(&mut s, "CREATE OR REPLACE VIEW adults AS SELECT * FROM adults", "42P01").await;
    check(&mut s, &format!("SET daodb.as_of = {before}; SELECT name FROM adults"), "Ada").await;
    check(&mut s, "RESET daodb.as_of; DROP VIEW adults", "DROP VIEW").await;
    fails(&mut s, "SELECT * FROM adults", "42P01").await;
    fails(&mut s, "DROP VIEW adults", "42P01").await;
    check(&mut s, "DROP VIEW IF EXISTS adults", "DROP VIEW").await;
    fails(&mut s, "BEGIN; CREATE VIEW v AS SELECT 1", "25001").await;
}

#[tokio::test]
async fn version_clauses_stand_at_tables_only() {
    let (catalog, _) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    check(
        &mut s,
        "WITH person AS (SELECT * FROM person VERSION AS OF 1000) SELECT age FROM person",
        "36",
    )
    .await;
    for (sql, state) in [
        ("WITH p AS (SELECT 1) SELECT * FROM p VERSION AS OF 1000", "0A000"),
        (
            "WITH RECURSIVE p AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM p VERSION AS OF 1000) SELECT * FROM p",
            "0A000",
        ),
        ("SELECT * FROM generate_series(1, 3) VERSION AS OF 1000", "42601"),
        ("SELECT * FROM (SELECT 1) p VERSION AS OF 1000", "42601"),
        ("SELECT * FROM person AT (TIMESTAMP => 'x')", "0A000"),
        ("SELECT * FROM dao.datoms FOR SYSTEM_TIME ALL", "0A000"),
        ("SELECT * FROM person FOR SYSTEM_TIME AS OF age", "22023"),
        ("SELECT * FROM person FOR SYSTEM_TIME AS OF (SELECT 1000)", "22023"),
        ("SELECT * FROM person FOR SYSTEM_TIME AS OF random()", "22023"),
        ("SELECT * FROM person FOR SYSTEM_TIME BETWEEN 1001 AND 1000", "22023"),
        ("SELECT * FROM person TABLESAMPLE BERNOULLI (1)", "0A000"),
    ] {
        fails(&mut s, sql, state).await;
    }
    let e = fails(&mut s, "SELECT 1,\n * FROM person VERSION AS OF 4711", "22023").await;
    assert_eq!(e.position, Some(19), "{e:?}");
}

#[tokio::test]
async fn what_a_server_must_not_do() {
    let (catalog, database) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    let before = database.snapshot().t();
    for (sql, state) in [
        ("INSERT INTO person (name) VALUES ('x')", "0A000"),
        ("UPDATE person SET age = 1", "0A000"),
        ("DELETE FROM person", "0A000"),
        ("TRUNCATE person", "0A000"),
        ("CREATE TABLE t (a int)", "0A000"),
        ("CREATE TABLE t AS SELECT 1", "0A000"),
        ("SELECT 1 AS a INTO t", "0A000"),
        ("WITH x AS (DELETE FROM person RETURNING *) SELECT * FROM x", "0A000"),
        ("EXPLAIN ANALYZE DELETE FROM person", "0A000"),
        ("COPY person FROM STDIN", "0A000"),
        ("COPY person TO '/tmp/x'", "42501"),
        ("DROP TABLE person", "0A000"),
        ("ALTER TABLE person ADD COLUMN x int", "0A000"),
        ("SET datafusion.execution.batch_size = 1", "42704"),
        ("CREATE FUNCTION f() RETURNS int AS 'select 1' LANGUAGE sql", "0A000"),
        ("SELECT * FROM '/etc/passwd'", "42P01"),
        ("SELECT * FROM \"/etc/passwd\"", "42P01"),
        ("SELECT * FROM other.public.person", "0A000"),
    ] {
        let e = fails(&mut s, sql, state).await;
        assert!(!e.message.is_empty(), "{sql}");
    }
    assert_eq!(database.snapshot().t(), before);
}

#[tokio::test]
async fn values_that_postgres_would_give() {
    let (catalog, _) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    for (sql, expect) in [
        ("SELECT 'a' || 'b', '5'::int + 1, 'ABC' ILIKE 'a%', 'abc' ~ '^a'", "ab|6|true|true"),
        ("SELECT DISTINCT ON (name) name FROM person__history ORDER BY name", "Ada;Bob"),
        ("SELECT count(*) FILTER (WHERE age > 36) FROM person", "1"),
        (
            "SELECT name, row_number() OVER (ORDER BY name DESC) FROM person ORDER BY 1",
            "Ada|2;Bob|1",
        ),
        ("VALUES (1, 'a'), (2, 'b')", "1|a;2|b"),
        ("SELECT value FROM generate_series(1, 3) OFFSET 1 LIMIT 1", "2"),
        ("SELECT name, name FROM person LIMIT 1 OFFSET 0", "Ada|Ada"),
        ("SELECT *, name FROM person WHERE age = 37 AND _id > 0 AND false", ""),
        ("SELECT max(a) FROM (SELECT count(*) + 1 AS a FROM person) x", "3"),
        (
            "SELECT x.age FROM person p, LATERAL (SELECT q.age FROM person q WHERE q._id = p._id) x WHERE p.name = 'Ada'",
            "37",
        ),
        ("SELECT count FROM (SELECT count(*) FROM person) x", "2"),
        ("SELECT NAME FROM Person ORDER BY name DESC LIMIT 1", "Bob"),
        ("SELECT age FROM person ORDER BY age", "37;"),
        ("SELECT current_timestamp = now()", "true"),
    ] {
        check(&mut s, sql, expect).await;
    }
    for (sql, state) in [
        ("SELECT 9223372036854775807 + 1", "22003"),
        ("SELECT sum(age * 9223372036854775807) FROM person", "22003"),
        ("SELECT 1 / 0", "22012"),
        ("SELECT 1 % 0", "22012"),
        ("SELECT age / 0 FROM person", "22012"),
        ("SELECT 'x'::int", "22P02"),
        ("SELECT '2026-13-01'::date", "22008"),
        ("SELECT nofunction(1)", "42883"),
        ("SELECT nam FROM person", "42703"),
        ("SELECT \"NAME\" FROM person", "42703"),
        ("SELECT x.name FROM person p", "42P01"),
        ("SELECT * FROM persons", "42P01"),
        ("SELECT * FROM nowhere.person", "3F000"),
        ("SELECT name FROM person p JOIN person q ON true", "42702"),
        ("SELECT name FROM person GROUP BY age", "42803"),
        ("SELEC 1", "42601"),
        ("SELECT 1 FROM", "42601"),
    ] {
        fails(&mut s, sql, state).await;
    }
    let e = fails(&mut s, "SELECT 1,\n  nam FROM person", "42703").await;
    assert_eq!(e.position, Some(13), "{e:?}");
    assert!(e.hint.as_deref().is_some_and(|h| h.contains("name")), "{e:?}");
    let e = fails(&mut s, "SELECT * FROM persons", "42P01").await;
    assert_eq!((e.position, e.message.as_str()), (Some(15), "relation \"persons\" does not exist"));
}

#[tokio::test]
async fn the_time_zone_is_applied() {
    let (catalog, _) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    let hour = "SELECT EXTRACT(hour FROM instant)::int FROM dao.transactions WHERE t = 1000";
    check(&mut s, hour, "0").await;
    check(&mut s, &format!("SET TIME ZONE 'Europe/Berlin'; {hour}"), "1").await;
    let sql = "SELECT count(*) FROM dao.transactions WHERE instant < '2026-01-01 00:30:00'";
    check(&mut s, sql, "0").await;
    check(&mut s, &format!("RESET TimeZone; {sql}"), "2").await;
}

#[tokio::test]
async fn rows_come_with_their_tags() {
    let (catalog, _) = people().await;
    let mut s = open(&catalog, "test").await.unwrap();
    for (sql, expect) in [
        ("SELECT 1", RowsTag::Select),
        ("SHOW ALL", RowsTag::Show),
        ("EXPLAIN ANALYZE SELECT * FROM person", RowsTag::Explain),
    ] {
        let statement = one(&s, sql);
        match s.execute(&statement, &[]).await.unwrap() {
            Outcome::Rows { tag, .. } => assert_eq!(tag, expect, "{sql}"),
            _ => panic!("{sql}"),
        }
    }
    let plan =
        run(&mut s, "EXPLAIN SELECT name FROM person VERSION AS OF 1000", &[]).await.unwrap();
    assert!(plan.contains("StarScan") && plan.contains("as_of=1000"), "{plan}");
}
