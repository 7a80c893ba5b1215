//! What users of other databases that speak Datalog complained of, where it was about speed or memory: by what is read and
//! held, not by the clock. `worked/11-complaints.edn` has the others.

use crate::support::{World, parse, told};
use daodb_catalog::{EntityRef, Op, TxValue};
use daodb_datalog::edn::Form;
use daodb_storage::Value;

const SCHEMA: &str = "[{:db/ident :g/n :db/valueType :db.type/long :db/unique :db.unique/identity}
    {:db/ident :g/name :db/valueType :db.type/string}
    {:db/ident :g/age :db/valueType :db.type/long}
    {:db/ident :g/to :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}]";
const REACH: &str = "[[(reach ?x ?y) [?x :g/to ?y]] [(reach ?x ?y) [?x :g/to ?z] (reach ?z ?y)]]";

/// Chains of `length` nodes, numbered from 0 on, one after the other.
async fn chains(chains: usize, length: usize, memory: usize) -> World {
    let world = World::with_memory(1_000_000, memory).await;
    world.transact(&parse(SCHEMA)).await.unwrap();
    let temp = |i: usize| EntityRef::Temp(format!("{i:06}").into());
    let node = |i: usize| {
        let attrs = vec![
            (":g/n".into(), TxValue::Value(Value::Long(i as i64))),
            (":g/name".into(), TxValue::Value(Value::string(["Ann", "Bob", "Cid"][i % 3]))),
            (":g/age".into(), TxValue::Value(Value::Long(i as i64 % 90))),
        ];
        Op::Map { id: Some(temp(i)), attrs }
    };
    let all = chains * length;
    let mut ops: Vec<Op> = (0..all).map(node).collect();
    ops.extend((1..all).filter(|i| i % length != 0).map(|i| Op::Add {
        e: temp(i - 1),
        a: ":g/to".into(),
        v: TxValue::Entity(temp(i)),
    }));
    world.database.transact(ops).await.unwrap();
    world
}

async fn count(world: &World, query: &str, args: &[&str]) -> Result<i64, String> {
    let args: Vec<_> = args.iter().map(|text| parse(text)).collect();
    match world.ask(world.request(&parse(query), None, &args)).await {
        Ok((_, Form::Value(Value::Long(n)))) => Ok(n),
        Ok((_, other)) => Err(other.to_string()),
        Err(e) => Err(told(&e)),
    }
}

/// The plans of a query: what `explain` says from the join order on.
async fn plans(world: &World, query: &str, args: &[&str]) -> String {
    let args: Vec<_> = args.iter().map(|text| parse(text)).collect();
    let request = world.request(&parse(query), None, &args);
    let text = daodb_datalog::explain(&world.catalog, request).await.unwrap();
    text.split_once("-- in join order").unwrap().1.to_owned()
}

/// datahike#889: a closure ends without a word after 999 steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datahike_889_a_closure_is_whole() {
    let world = chains(1, 1500, 256 << 20).await;
    let from = "[:find (count ?y) . :in $ % :where (reach [:g/n 0] ?y)]";
    assert_eq!(count(&world, from, &[REACH]).await, Ok(1499));
    let into = "[:find (count ?x) . :in $ % :where (reach ?x [:g/n 1499])]";
    assert_eq!(count(&world, into, &[REACH]).await, Ok(1499));
}

/// datahike#953, #973: asked of one node, a recursion works out the closure of all nodes first, and runs out of memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datahike_953_what_is_bound_is_not_worked_out_for_all() {
    let world = chains(300, 100, 12 << 20).await;
    let all = "[:find (count ?y) . :with ?x :in $ % :where (reach ?x ?y)]";
    let refused = count(&world, all, &[REACH]).await.unwrap_err();
    assert!(refused.starts_with("53200"), "the whole does not fit: {refused}");
    for rules in
        [REACH, "[[(reach ?x ?y) [?x :g/to ?y]] [(reach ?x ?y) (reach ?x ?z) [?z :g/to ?y]]]"]
    {
        let one = "[:find (count ?y) . :in $ % :where [?x :g/n 100] (reach ?x ?y)]";
        assert_eq!(count(&world, one, &[rules]).await, Ok(99), "{rules}");
    }
}

/// datascript#456, #151: what a rule says takes far longer than its clauses written out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datascript_456_a_rule_is_planned_as_its_clauses() {
    let world = chains(1, 30, 256 << 20).await;
    let inlined =
        "[:find ?n ?a :in $ % :where [?p :g/name ?n] [?p :g/age ?a] [(> ?a 20)] [?p :g/n 25]]";
    let called = "[:find ?n ?a :in $ % :where (grown ?p ?a) [?p :g/name ?n] [?p :g/n 25]]";
    let rules = "[[(grown ?p ?a) [?p :g/age ?a] [(> ?a 20)]]]";
    let (inlined, called) =
        (plans(&world, inlined, &[rules]).await, plans(&world, called, &[rules]).await);
    let scans = |text: &str| text.matches("EntityScan").count() + text.matches("StarScan").count();
    assert_eq!(scans(&inlined), scans(&called), "{inlined}\n{called}");
    assert!(!called.contains("Join"), "{called}");
}

/// datahike#425, and "Clause Order" of Datomic's documentation: the wrong order of clauses is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datahike_425_the_order_of_clauses_does_not_matter() {
    let world = chains(10, 30, 256 << 20).await;
    let clauses = ["[?p :g/age ?a]", "[?p :g/name \"Ann\"]", "[?q :g/to ?p]", "[?q :g/age 7]"];
    let query = |order: [usize; 4]| {
        let text: Vec<&str> = order.iter().map(|i| clauses[*i]).collect();
        format!("[:find ?q ?a :where {}]", text.join(" "))
    };
    let first = plans(&world, &query([0, 1, 2, 3]), &[]).await;
    let joins = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|l| l.contains("Join") || l.contains("Scan"));
        lines.map(|l| l.trim_start().split([',', ':']).next().unwrap_or("").to_owned()).collect()
    };
    assert!(!joins(&first).is_empty(), "{first}");
    for order in [[3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let other = plans(&world, &query(order), &[]).await;
        assert_eq!(joins(&other), joins(&first), "{other}");
    }
}

/// datahike#572: two transactions of one instant cannot be told apart by as-of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datahike_572_as_of_a_t_is_exact() {
    let world = chains(1, 1, 256 << 20).await;
    let mut ages = Vec::new();
    for age in [41, 42, 43] {
        let op = Op::Add {
            e: EntityRef::Lookup(":g/n".into(), Value::Long(0)),
            a: ":g/age".into(),
            v: TxValue::Value(Value::Long(age)),
        };
        let report = world.database.transact(vec![op]).await.unwrap();
        ages.push((report.t, age));
    }
    for (t, age) in ages {
        let on = parse(&format!("{{:as-of {t}}}"));
        let request = world.request(&parse("[:find ?a . :where [_ :g/age ?a]]"), Some(&on), &[]);
        let (_, form) = world.ask(request).await.unwrap();
        assert_eq!(form, Form::Value(Value::Long(age)), "as of {t}");
    }
}
