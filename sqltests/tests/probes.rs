//! Joins whose first side names entities of the other: of tables of several chunks, whatever the kind of join and however many the
//! names, the answer is that of reading all.

use daodb_catalog::{Catalog, Database, EntityRef, Op, Session, TxValue};
use daodb_datalog::{QueryRequest, analyze, explain, query};
use daodb_sqltests::engine;
use daodb_storage::{Attr, FIRST_ENTITY, Value};
use std::sync::Arc;

const NODES: usize = 300_000;
const PER_TRANSACTION: usize = 30_000;
/// So many of the first nodes change later: their `g` is one more.
const CHANGED: usize = 2_000;

fn next(k: usize) -> usize {
    (k * 7919 + 13) % NODES
}

fn id(k: usize) -> i64 {
    FIRST_ENTITY + k as i64
}

fn g(k: usize, now: bool) -> usize {
    k % 1000 + usize::from(now && k < CHANGED)
}

fn add(k: usize, a: &Attr, v: TxValue) -> Op {
    Op::Add { e: EntityRef::Id(id(k)), a: a.clone(), v }
}

/// Nodes `k`, each of which leads `to` another one, the older part indexed; and the t before the last changes.
async fn graph() -> (Arc<Catalog>, Arc<Database>, i64) {
    let (catalog, database) = engine::memory(engine::options_with_tail(200_000)).await.unwrap();
    let [k, group, to] = [":n/k", ":n/g", ":n/to"].map(Attr::new);
    let long = |n: usize| TxValue::Value(Value::Long(n as i64));
    for first in (0..NODES).step_by(PER_TRANSACTION) {
        let node = |i: usize| Op::Map {
            id: None,
            attrs: vec![(k.clone(), long(i)), (group.clone(), long(g(i, false)))],
        };
        let nodes: Vec<Op> = (first..first + PER_TRANSACTION).map(node).collect();
        database.transact(nodes).await.unwrap();
    }
    for first in (0..NODES).step_by(PER_TRANSACTION) {
        let edge = |i: usize| add(i, &to, TxValue::Entity(EntityRef::Id(id(next(i)))));
        let edges: Vec<Op> = (first..first + PER_TRANSACTION).map(edge).collect();
        database.transact(edges).await.unwrap();
    }
    database.stream().index_now().await.unwrap();
    let before = database.snapshot().t();
    let changes = |i: usize| add(i, &group, long(g(i, true)));
    database.transact((0..CHANGED).map(changes).collect::<Vec<Op>>()).await.unwrap();
    (catalog, database, before)
}

async fn one(session: &mut Session, sql: &str) -> String {
    let rows = engine::query(session, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    assert_eq!(rows.len(), 1, "{sql}");
    rows[0].join("|")
}

async fn is(session: &mut Session, sql: &str, expected: String) {
    assert_eq!(one(session, sql).await, expected, "{sql}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_join_asks_for_is_all_that_is_needed() {
    let (catalog, database, before) = graph().await;
    let mut session = engine::session(&catalog, &[]).await.unwrap();
    let s = &mut session;
    // Few of a chunk, few of all, and more than are noted.
    for x in [1, 40, 3_000, 20_000] {
        let of = format!("a.k < {x}");
        let reached: Vec<usize> = (0..x).map(next).collect();
        let sum = |all: &[usize], of: &dyn Fn(usize) -> usize| -> usize {
            all.iter().map(|k| of(*k)).sum()
        };
        for (when, now) in [(String::new(), true), (format!(" VERSION AS OF {before}"), false)] {
            let sql = format!(
                "SELECT count(*), sum(b.k), sum(b.g) FROM n{when} a JOIN n{when} b ON b._id = a.to WHERE {of}"
            );
            let groups = sum(&reached, &|k| g(k, now));
            is(s, &sql, format!("{x}|{}|{groups}", sum(&reached, &|k| k))).await;
        }
        let far: Vec<usize> = reached.iter().map(|k| next(next(*k))).collect();
        let hops = "n a JOIN n b ON b._id = a.to JOIN n c ON c._id = b.to JOIN n d ON d._id = c.to";
        let sql = format!("SELECT count(*), sum(d.k) FROM {hops} WHERE {of}");
        is(s, &sql, format!("{x}|{}", sum(&far, &|k| k))).await;
        let five = reached.iter().filter(|k| g(**k, true) == 5).count();
        let left = format!("n a LEFT JOIN n b ON b._id = a.to AND b.g = 5 WHERE {of}");
        is(s, &format!("SELECT count(*), count(b.k) FROM {left}"), format!("{x}|{five}")).await;
        let right = format!("n a RIGHT JOIN n b ON b._id = a.to AND {of}");
        is(s, &format!("SELECT count(*), count(a.k) FROM {right}"), format!("{NODES}|{x}")).await;
        let full = format!("(SELECT * FROM n a WHERE {of}) a FULL JOIN n b ON b._id = a.to");
        is(s, &format!("SELECT count(*), count(a.k) FROM {full}"), format!("{NODES}|{x}")).await;
        let those = format!("(SELECT a.to FROM n a WHERE {of})");
        is(s, &format!("SELECT count(*) FROM n b WHERE b._id IN {those}"), x.to_string()).await;
        let rest = (NODES - x).to_string();
        is(s, &format!("SELECT count(*) FROM n b WHERE b._id NOT IN {those}"), rest.clone()).await;
        let none = format!("NOT EXISTS (SELECT 1 FROM n a WHERE a.to = b._id AND {of})");
        is(s, &format!("SELECT count(*) FROM n b WHERE {none}"), rest).await;
        let q = format!(
            "[:find (count ?a) (sum ?k) :with ?d :where [?a :n/k ?x] [(< ?x {x})] [?a :n/to ?b] [?b :n/to ?c] [?c :n/to ?d] [?d :n/k ?k]]"
        );
        let request = || QueryRequest::text(&q).of(&database, &database.snapshot());
        let answer = query(&catalog, request()).await.unwrap().form().await.unwrap().to_string();
        let expected = format!("[[{x} {}]]", sum(&far, &|k| k));
        assert_eq!(answer.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{q}");
        let plan = explain(&catalog, request()).await.unwrap();
        assert!(plan.contains("among the keys of the join"), "{plan}");
        // What is noted is estimated as what it is.
        let ran = analyze(&catalog, request()).await.unwrap();
        let mut joins = ran.lines().filter(|line| line.contains("HashJoinExec")).peekable();
        assert!(joins.peek().is_some() && joins.all(|line| line.contains("-> about")), "{ran}");
    }
    // Every round notes what it asks for anew.
    let walk = "WITH RECURSIVE r(id, d) AS (SELECT n._id, 0 FROM n WHERE n.k = 3 \
        UNION ALL SELECT n.to, d + 1 FROM r JOIN n ON n._id = r.id WHERE d < 20) \
        SELECT count(*), sum(n.k) FROM r JOIN n ON n._id = r.id";
    let all: Vec<usize> = std::iter::successors(Some(3), |k| Some(next(*k))).take(21).collect();
    is(s, walk, format!("21|{}", all.iter().sum::<usize>())).await;
    let plan =
        engine::query(s, "EXPLAIN SELECT b.k FROM n a JOIN n b ON b._id = a.to WHERE a.k = 7");
    let plan = plan.await.unwrap().concat().concat();
    assert!(plan.contains("among the keys of the join"), "{plan}");
}
