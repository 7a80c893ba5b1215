//! More data than one thread reads: the people of the peers' benchmarks, asked what those ask; the answers are compared with
//! loops over the rows. `DAODB_PEOPLE` says how many; what each query takes is printed (`--nocapture`).

use crate::support::{World, parse};
use daodb_catalog::{EntityRef, Op, TxValue};
use daodb_datalog::edn::Form;
use daodb_storage::Value;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

const NAMES: [&str; 10] =
    ["Ivan", "Petr", "Sergei", "Oleg", "Yuri", "Dmitry", "Fedor", "Denis", "Anna", "Olga"];

struct Person {
    name: &'static str,
    last: &'static str,
    sex: &'static str,
    age: i64,
    salary: i64,
    follows: usize,
}

fn people(n: usize) -> Vec<Person> {
    let mut rng = SmallRng::seed_from_u64(42);
    (0..n)
        .map(|_| Person {
            name: NAMES.choose(&mut rng).unwrap(),
            last: NAMES.choose(&mut rng).unwrap(),
            sex: ["male", "female"].choose(&mut rng).unwrap(),
            age: rng.random_range(0..100),
            salary: rng.random_range(0..100_000),
            follows: rng.random_range(0..n),
        })
        .collect()
}

async fn load(world: &World, people: &[Person]) {
    let schema = "[{:db/ident :p/id :db/valueType :db.type/long :db/unique :db.unique/identity}
        {:db/ident :p/name :db/valueType :db.type/string}
        {:db/ident :p/last :db/valueType :db.type/string}
        {:db/ident :p/sex :db/valueType :db.type/keyword}
        {:db/ident :p/age :db/valueType :db.type/long}
        {:db/ident :p/salary :db/valueType :db.type/long}
        {:db/ident :p/follows :db/valueType :db.type/ref}]";
    world.transact(&parse(schema)).await.unwrap();
    let mut ids = Vec::with_capacity(people.len());
    for (start, some) in people.chunks(5_000).enumerate() {
        let op = |(i, p): (usize, &Person)| {
            let value = |v: Value| TxValue::Value(v);
            let attrs = vec![
                (":p/id".into(), value(Value::Long((start * 5_000 + i) as i64))),
                (":p/name".into(), value(Value::string(p.name))),
                (":p/last".into(), value(Value::string(p.last))),
                (":p/sex".into(), value(Value::keyword(p.sex))),
                (":p/age".into(), value(Value::Long(p.age))),
                (":p/salary".into(), value(Value::Long(p.salary))),
            ];
            Op::Map { id: Some(EntityRef::Temp(format!("{i:05}").into())), attrs }
        };
        let ops: Vec<Op> = some.iter().enumerate().map(op).collect();
        let report = world.database.transact(ops).await.unwrap();
        ids.extend(report.tempids.values().copied());
    }
    for (start, some) in people.chunks(5_000).enumerate() {
        let op = |(i, p): (usize, &Person)| Op::Add {
            e: EntityRef::Id(ids[start * 5_000 + i]),
            a: ":p/follows".into(),
            v: TxValue::Entity(EntityRef::Id(ids[p.follows])),
        };
        world
            .database
            .transact(some.iter().enumerate().map(op).collect::<Vec<Op>>())
            .await
            .unwrap();
    }
    world.database.stream().index_now().await.unwrap();
}

/// The number of rows (or the number that is the answer), after the best time of some runs in milliseconds.
async fn ask(world: &World, name: &str, query: &str, args: &[&str]) -> i64 {
    let args: Vec<_> = args.iter().map(|text| parse(text)).collect();
    let (mut best, mut count) = (f64::MAX, 0);
    for _ in 0..5 {
        let started = Instant::now();
        let request = world.request(&parse(query), None, &args);
        let mut answer = daodb_datalog::query(&world.catalog, request).await.unwrap();
        let planned = started.elapsed().as_secs_f64() * 1e3;
        count = 0;
        if matches!(answer.shape, daodb_datalog::query::Shape::Scalar) {
            let Form::Value(Value::Long(n)) = answer.form().await.unwrap() else {
                panic!("{name}")
            };
            count = n;
        } else {
            while let Some(batch) = answer.batch().await.unwrap() {
                count += batch.num_rows() as i64;
            }
        }
        let took = started.elapsed().as_secs_f64() * 1e3;
        if took < best {
            best = took;
            println!("{name:12} {took:8.2} ms, {planned:.2} of them to plan: {count}");
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_people() {
    let n: usize = std::env::var("DAODB_PEOPLE").map_or(30_000, |text| text.parse().unwrap());
    let people = people(n);
    let world = World::with_memory(2_000_000, 1 << 30).await;
    let started = Instant::now();
    load(&world, &people).await;
    println!("loaded in {:?}", started.elapsed());
    let count = |holds: &dyn Fn(&Person) -> bool| people.iter().filter(|p| holds(p)).count() as i64;
    let ivan = |p: &Person| p.name == "Ivan";
    let check = async |name: &str, query: &str, args: &[&str], expect: i64| {
        assert_eq!(ask(&world, name, query, args).await, expect, "{name}");
    };
    check("q1", "[:find ?e :where [?e :p/name \"Ivan\"]]", &[], count(&ivan)).await;
    check("q2", "[:find ?e ?a :where [?e :p/name \"Ivan\"] [?e :p/age ?a]]", &[], count(&ivan))
        .await;
    check(
        "q2-switch",
        "[:find ?e ?a :where [?e :p/age ?a] [?e :p/name \"Ivan\"]]",
        &[],
        count(&ivan),
    )
    .await;
    let male = |p: &Person| ivan(p) && p.sex == "male";
    let q3 = "[:find ?e ?a :where [?e :p/name \"Ivan\"] [?e :p/age ?a] [?e :p/sex :male]]";
    check("q3", q3, &[], count(&male)).await;
    let q4 = "[:find ?e ?l ?a :where [?e :p/name \"Ivan\"] [?e :p/last ?l] [?e :p/age ?a] [?e :p/sex :male]]";
    check("q4", q4, &[], count(&male)).await;
    let rich = |p: &Person| p.salary > 50_000;
    let qpred1 = "[:find ?e ?s :where [?e :p/salary ?s] [(> ?s 50000)]]";
    check("qpred1", qpred1, &[], count(&rich)).await;
    let qpred2 = "[:find ?e ?s :in $ ?min :where [?e :p/salary ?s] [(> ?s ?min)]]";
    check("qpred2", qpred2, &["50000"], count(&rich)).await;
    check("point", "[:find ?a ?v :where [[:p/id 77] ?a ?v]]", &[], 7).await;
    let agg = "[:find ?n (avg ?s) :with ?e :where [?e :p/name ?n] [?e :p/salary ?s]]";
    check("agg", agg, &[], 10).await;
    let pairs: BTreeSet<(&str, &str)> = people.iter().map(|p| (p.sex, p.name)).collect();
    let agg2 = "[:find ?x ?n (count ?e) :where [?e :p/name ?n] [?e :p/sex ?x]]";
    check("agg2", agg2, &[], pairs.len() as i64).await;
    let follows = |p: &Person| ivan(p) && people[p.follows].age > 90;
    let join =
        "[:find ?e ?f :where [?e :p/name \"Ivan\"] [?e :p/follows ?f] [?f :p/age ?a] [(> ?a 90)]]";
    check("join", join, &[], count(&follows)).await;
    let hops = |p: &Person| p.age == 7 && people[people[p.follows].follows].sex == "male";
    let hop = "[:find ?e ?g :where [?e :p/age 7] [?e :p/follows ?f] [?f :p/follows ?g] [?g :p/sex :male]]";
    check("2-hop", hop, &[], count(&hops)).await;
    let not = "[:find ?e :where [?e :p/name \"Ivan\"] (not [?e :p/sex :male])]";
    check("not", not, &[], count(&|p| ivan(p) && p.sex != "male")).await;
    let or = "[:find ?e :where [?e :p/name \"Ivan\"] (or [?e :p/age 10] [?e :p/sex :male])]";
    check("or", or, &[], count(&|p| ivan(p) && (p.age == 10 || p.sex == "male"))).await;
    let mut by_salary: BTreeMap<i64, i64> = BTreeMap::new();
    people.iter().for_each(|p| *by_salary.entry(p.salary).or_default() += 1);
    let value = "[:find (count ?f) . :with ?e :where [?e :p/salary ?s] [?f :p/salary ?s]]";
    check("value join", value, &[], by_salary.values().map(|n| n * n).sum()).await;
    let among = "[:find ?e :in $ [?n ...] :where [?e :p/name ?n]]";
    let named = |p: &Person| ["Anna", "Olga"].contains(&p.name);
    check("collection", among, &["[\"Anna\" \"Olga\" \"Zoe\"]"], count(&named)).await;
    check(
        "history",
        "[:find (count ?e) . :in $ :where [?e :p/name \"Ivan\" _ true]]",
        &[],
        count(&ivan),
    )
    .await;
    let mut seen = BTreeSet::new();
    let mut at = people[5].follows;
    while seen.insert(at) {
        at = people[at].follows;
    }
    let rules =
        "[[(reach ?x ?y) [?x :p/follows ?y]] [(reach ?x ?y) [?x :p/follows ?z] (reach ?z ?y)]]";
    let reach = "[:find ?y :in $ % :where (reach [:p/id 5] ?y)]";
    check("reach", reach, &[rules], seen.len() as i64).await;
}
