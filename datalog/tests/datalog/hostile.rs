//! Queries that ask for too much end in an error that says so, and leave others served; text that is no query is refused.

use crate::support::{World, parse, told};
use daodb_catalog::{Result, SqlState};
use daodb_datalog::edn::{Node, read, read_all};
use daodb_datalog::query::Shape;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// `n` entities with a number each, and as many references among them.
async fn graph(n: usize, memory: usize) -> World {
    let world = World::with_memory(10_000, memory).await;
    let schema = "[{:db/ident :g/n :db/valueType :db.type/long}
        {:db/ident :g/to :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}]";
    world.transact(&parse(schema)).await.unwrap();
    let mut text = "[".to_owned();
    for i in 0..n {
        // Every entity leads to two others, and all of them in a circle.
        let (next, other) = ((i + 1) % n, (i * 7 + 3) % n);
        write!(text, "[:db/add \"e{i}\" :g/n {i}] [:db/add \"e{i}\" :g/to \"e{next}\"] ").unwrap();
        write!(text, "[:db/add \"e{i}\" :g/to \"e{other}\"] ").unwrap();
    }
    world.transact(&parse(&(text + "]"))).await.unwrap();
    world
}

async fn ask(world: &World, query: &str, args: &[Node]) -> Result<String> {
    let (_, form): (Shape, _) = world.ask(world.request(&parse(query), None, args)).await?;
    Ok(form.to_string())
}

const REACH: &str = "[[(reach ?x ?y) [?x :g/to ?y]] [(reach ?x ?y) (reach ?x ?z) (reach ?z ?y)]]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_of_everything_ends_and_others_are_served() {
    let world = graph(2_000, 64 << 20).await;
    let product = "[:find (count ?a) . :with ?b ?c ?d ?e
        :where [?a :g/n] [?b :g/n] [?c :g/n] [?d :g/n] [?e :g/n] :timeout 2000]";
    let other = async {
        for n in 0..20 {
            let query = format!("[:find ?x . :where [?e :g/n {n}] [?e :g/n ?x]]");
            assert_eq!(ask(&world, &query, &[]).await.unwrap(), n.to_string());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let started = Instant::now();
    let (product, ()) = tokio::join!(ask(&world, product, &[]), other);
    let e = product.unwrap_err();
    // Time or memory, whichever ends first.
    let limits = [SqlState::QUERY_CANCELED, SqlState::OUT_OF_MEMORY];
    assert!(limits.contains(&e.state), "{}", told(&e));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(ask(&world, "[:find (count ?e) . :where [?e :g/n]]", &[]).await.unwrap(), "2000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recursion_beyond_the_memory_fails_alone() {
    let world = graph(2_000, 24 << 20).await;
    let all = "[:find (count ?y) . :with ?x :in $ % :where (reach ?x ?y)]";
    let e = ask(&world, all, &[parse(REACH)]).await.unwrap_err();
    assert_eq!(e.state, SqlState::OUT_OF_MEMORY, "{}", told(&e));
    let small = graph(60, 24 << 20).await;
    assert_eq!(ask(&small, all, &[parse(REACH)]).await.unwrap(), "3600");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recursion_that_is_given_up_stops() {
    let world = graph(50, 64 << 20).await;
    let endless = "[:find ?x :in % :where (num ?x) :timeout 300]";
    let rules = parse(
        "[[(num ?x) [(ground 1) ?x]]
          [(num ?x) (num ?y) [(ground [0 1 2 3 4 5 6 7 8 9]) [?d ...]] [(* ?y 10) ?t] [(+ ?t ?d) ?u]
           [(mod ?u 1000000007) ?x]]]",
    );
    let request = world.request(&parse(endless), None, &[rules]);
    let started = Instant::now();
    let e = world.ask(request).await.unwrap_err();
    assert!([SqlState::QUERY_CANCELED, SqlState::OUT_OF_MEMORY].contains(&e.state), "{}", told(&e));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// Few rows, which have very many matches with each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recursion_over_few_rows_is_given_up_too() {
    let world = graph(50, 64 << 20).await;
    let rules = parse(
        "[[(few ?x) [?x :g/n]]
          [(few ?x) (few ?x) (few ?a) (few ?b) (few ?c) (few ?d) (few ?e) (few ?f)
           [(+ ?a ?b ?c ?d ?e ?f) ?s] [(< ?s 0)]]]",
    );
    let all = parse("[:find ?x :in $ % :where (few ?x) :timeout 300]");
    let started = Instant::now();
    let e = world.ask(world.request(&all, None, &[rules])).await.unwrap_err();
    assert_eq!(e.state, SqlState::QUERY_CANCELED, "{}", told(&e));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_nested_or_written_out_too_far_is_refused() {
    let world = graph(3, 64 << 20).await;
    let deep = format!(
        "[:find ?e :where [?e :g/n] {} [?e :g/n 1] {}]",
        "(not ".repeat(100),
        ")".repeat(100)
    );
    assert_eq!(ask(&world, &deep, &[]).await.unwrap_err().state, SqlState::SYNTAX);
    let mut rules = "[[(r0 ?x) [?x :g/n]]".to_owned();
    for i in 1..40 {
        let before = i - 1;
        write!(rules, " [(r{i} ?x) (r{before} ?x) (r{before} ?x)]").unwrap();
    }
    let started = Instant::now();
    let asked = ask(&world, "[:find ?x :in $ % :where (r39 ?x)]", &[parse(&(rules + "]"))]).await;
    assert!(asked.unwrap_err().message.contains("20000 clauses"));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// All queries of the worked files.
fn queries() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/datalog/worked");
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for form in read_all(&text).unwrap() {
            let parts = form.sequence().unwrap();
            let at = parts.iter().position(|p| p.keyword() == Some(":query"));
            out.extend(at.map(|at| parts[at + 1].to_string()));
        }
    }
    out.sort();
    out
}

/// Some of it twice, some of it gone, some of it of another query.
fn garbled(rng: &mut SmallRng, query: &str, other: &str) -> String {
    let mut words: Vec<&str> = query.split_inclusive([' ', '[', ']', '(', ')']).collect();
    let others: Vec<&str> = other.split_inclusive([' ', '[', ']', '(', ')']).collect();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..words.len());
        match rng.random_range(0..4) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words[at]),
            2 => words[at] = others.choose(rng).unwrap(),
            _ => words.insert(at, others.choose(rng).unwrap()),
        }
        if words.is_empty() {
            break;
        }
    }
    words.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbled_queries_are_answered_or_refused() {
    let world = graph(5, 64 << 20).await;
    let queries = queries();
    let mut rng = SmallRng::seed_from_u64(7);
    let (mut read_as_edn, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let (one, other) = (queries.choose(&mut rng).unwrap(), queries.choose(&mut rng).unwrap());
        let query = garbled(&mut rng, one, other);
        let Ok(node) = read(&query) else { continue };
        read_as_edn += 1;
        let args: Vec<Node> = (0..rng.random_range(0..3)).map(|_| parse("[[1 2] [3 4]]")).collect();
        let request = world.request(&node, None, &args);
        match tokio::time::timeout(Duration::from_secs(20), world.ask(request)).await {
            Err(_) => panic!("no end: {query}"),
            Ok(Err(e)) if e.state == SqlState::INTERNAL => panic!("{query}: {}", told(&e)),
            Ok(Err(_)) => refused += 1,
            Ok(Ok(_)) => {}
        }
    }
    assert!(read_as_edn > 500 && refused > 300, "{read_as_edn} read, {refused} refused");
}
