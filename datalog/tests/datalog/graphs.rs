//! Closures of graphs, whole and from one node, by recursion on either side and on both; the sizes are known or counted by a
//! search. `DAODB_NODES` says how large they are; what each takes is printed (`--nocapture`).

use crate::support::{World, parse};
use daodb_catalog::{EntityRef, Op, TxValue};
use daodb_datalog::edn::Form;
use daodb_storage::Value;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::time::Instant;

async fn load(edges: &[(usize, usize)], n: usize) -> World {
    let world = World::with_memory(2_000_000, 2 << 30).await;
    let schema = "[{:db/ident :g/n :db/valueType :db.type/long :db/unique :db.unique/identity}
        {:db/ident :g/to :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}]";
    world.transact(&parse(schema)).await.unwrap();
    let temp = |i: usize| EntityRef::Temp(format!("{i:06}").into());
    let node = |i: usize| Op::Add {
        e: temp(i),
        a: ":g/n".into(),
        v: TxValue::Value(Value::Long(i as i64)),
    };
    let report = world.database.transact((0..n).map(node).collect::<Vec<Op>>()).await.unwrap();
    let ids: Vec<i64> = report.tempids.values().copied().collect();
    for some in edges.chunks(20_000) {
        let edge = |(x, y): &(usize, usize)| Op::Add {
            e: EntityRef::Id(ids[*x]),
            a: ":g/to".into(),
            v: TxValue::Entity(EntityRef::Id(ids[*y])),
        };
        world.database.transact(some.iter().map(edge).collect::<Vec<Op>>()).await.unwrap();
    }
    world.database.stream().index_now().await.unwrap();
    world
}

const RIGHT: &str = "[[(reach ?x ?y) [?x :g/to ?y]] [(reach ?x ?y) [?x :g/to ?z] (reach ?z ?y)]]";
const LEFT: &str = "[[(reach ?x ?y) [?x :g/to ?y]] [(reach ?x ?y) (reach ?x ?z) [?z :g/to ?y]]]";
const BOTH: &str = "[[(reach ?x ?y) [?x :g/to ?y]] [(reach ?x ?y) (reach ?x ?z) (reach ?z ?y)]]";
const ODD: &str = "[[(odd ?x ?y) [?x :g/to ?y]] [(odd ?x ?y) (even ?x ?z) [?z :g/to ?y]]
    [(even ?x ?y) (odd ?x ?z) [?z :g/to ?y]]]";
const SAME: &str = "[[(same ?x ?y) [?p :g/to ?x] [?p :g/to ?y]]
    [(same ?x ?y) [?p :g/to ?x] [?q :g/to ?y] (same ?p ?q)]]";

async fn check(world: &World, name: &str, query: &str, rules: &str, expect: usize) {
    let started = Instant::now();
    let request = world.request(&parse(query), None, &[parse(rules)]);
    let (_, form) = world.ask(request).await.unwrap();
    println!("{name:24} {:9.1} ms: {form}", started.elapsed().as_secs_f64() * 1e3);
    assert_eq!(form, Form::Value(Value::Long(expect as i64)), "{name}");
}

/// What can be reached from a node in one step or more.
fn reached(edges: &[Vec<usize>], from: usize) -> usize {
    let (mut seen, mut rest) = (vec![false; edges.len()], vec![from]);
    let mut count = 0;
    while let Some(x) = rest.pop() {
        for y in &edges[x] {
            if !std::mem::replace(&mut seen[*y], true) {
                count += 1;
                rest.push(*y);
            }
        }
    }
    count
}

fn size() -> usize {
    std::env::var("DAODB_NODES").map_or(300, |text| text.parse().unwrap())
}

const ALL: &str = "[:find (count ?y) . :with ?x :in $ % :where (reach ?x ?y)]";
const FROM: &str = "[:find (count ?y) . :in $ % :where (reach [:g/n 0] ?y)]";
const FROM_FOUND: &str = "[:find (count ?y) . :in $ % :where [?x :g/n 0] (reach ?x ?y)]";
const INTO: &str = "[:find (count ?x) . :in $ % :where (reach ?x [:g/n 7])]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain() {
    let n = size();
    let edges: Vec<(usize, usize)> = (1..n).map(|i| (i - 1, i)).collect();
    let world = load(&edges, n).await;
    for (name, rules) in [("right", RIGHT), ("left", LEFT), ("both", BOTH)] {
        check(&world, &format!("chain {name}"), ALL, rules, n * (n - 1) / 2).await;
        check(&world, &format!("chain from 0, {name}"), FROM, rules, n - 1).await;
        check(&world, &format!("chain from ?x, {name}"), FROM_FOUND, rules, n - 1).await;
        check(&world, &format!("chain into 7, {name}"), INTO, rules, 7).await;
    }
    let even = "[:find (count ?y) . :in $ % :where (even [:g/n 0] ?y)]";
    check(&world, "chain even", even, ODD, (n - 1) / 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree() {
    let n = size();
    let edges: Vec<(usize, usize)> = (1..n).map(|i| ((i - 1) / 2, i)).collect();
    let world = load(&edges, n).await;
    let depth = |i: usize| (i + 1).ilog2() as usize;
    let all = (0..n).map(depth).sum();
    for (name, rules) in [("right", RIGHT), ("left", LEFT), ("both", BOTH)] {
        check(&world, &format!("tree {name}"), ALL, rules, all).await;
    }
    let mut levels = vec![0usize; depth(n - 1) + 1];
    (0..n).for_each(|i| levels[depth(i)] += 1);
    // The root has no parent, so that it is of no generation.
    let pairs = levels[1..].iter().map(|n| n * n).sum();
    let same = "[:find (count ?y) . :with ?x :in $ % :where (same ?x ?y)]";
    check(&world, "tree same generation", same, SAME, pairs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_graph() {
    let n = size();
    let mut rng = SmallRng::seed_from_u64(3);
    let drawn = (0..2 * n).map(|_| (rng.random_range(0..n), rng.random_range(0..n)));
    let edges: BTreeSet<(usize, usize)> = drawn.chain([(0, 1), (1, 2), (2, 0)]).collect();
    let mut from = vec![Vec::new(); n];
    edges.iter().for_each(|(x, y)| from[*x].push(*y));
    let edges: Vec<(usize, usize)> = edges.into_iter().collect();
    let world = load(&edges, n).await;
    let all = (0..n).map(|x| reached(&from, x)).sum();
    for (name, rules) in [("right", RIGHT), ("left", LEFT), ("both", BOTH)] {
        check(&world, &format!("graph {name}"), ALL, rules, all).await;
        check(&world, &format!("graph from 0, {name}"), FROM, rules, reached(&from, 0)).await;
    }
    // From several: those whose number is below 5.
    let some = "[:find (count ?y) . :with ?x :in $ % :where [?x :g/n ?n] [(< ?n 5)] (reach ?x ?y)]";
    let expect = (0..5).map(|x| reached(&from, x)).sum();
    for (name, rules) in [("right", RIGHT), ("left", LEFT), ("both", BOTH)] {
        check(&world, &format!("graph from five, {name}"), some, rules, expect).await;
    }
}
