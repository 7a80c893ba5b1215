//! What plans have and have not: work that is known to be needless.

use crate::support::{World, parse};

async fn people() -> World {
    let world = World::new(10_000).await;
    let schema = "[{:db/ident :p/name :db/valueType :db.type/string :db/unique :db.unique/identity}
        {:db/ident :p/age :db/valueType :db.type/long}
        {:db/ident :p/sex :db/valueType :db.type/keyword}
        {:db/ident :p/likes :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
        {:db/ident :p/friend :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}]";
    world.transact(&parse(schema)).await.unwrap();
    let people = "[{:db/id \"a\" :p/name \"Ann\" :p/age 30 :p/sex :f :p/likes [:tea :rain] :p/friend [\"b\" \"c\"]}
        {:db/id \"b\" :p/name \"Bob\" :p/age 20 :p/sex :m :p/likes :tea :p/friend \"c\"}
        {:db/id \"c\" :p/name \"Cid\" :p/age 20 :p/sex :m}]";
    world.transact(&parse(people)).await.unwrap();
    world
}

const REACH: &str =
    "[[(reach ?x ?y) [?x :p/friend ?y]] [(reach ?x ?y) (reach ?x ?z) [?z :p/friend ?y]]]";

/// The engine's plan and the rows of the answer.
async fn asked(world: &World, query: &str, on: Option<&str>) -> (String, usize) {
    let on = on.map(parse);
    let rules = if query.contains('%') { vec![parse(REACH)] } else { vec![] };
    let request = || world.request(&parse(query), on.as_ref(), &rules);
    let text = daodb_datalog::explain(&world.catalog, request()).await.unwrap();
    let (_, form) = world.ask(request()).await.unwrap();
    let rows = parse(&form.to_string()).sequence().map_or(0, <[_]>::len);
    (text.split_once("-- physical").unwrap().1.to_owned(), rows)
}

/// Rows that keep what tells them apart are a set; others are made one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_is_not_made_one_again() {
    let world = people().await;
    let history = Some("{:history true}");
    let cases = [
        ("[:find ?p ?age :where [?p :p/age ?age]]", None, true, 3),
        ("[:find ?age :where [?p :p/age ?age]]", None, false, 2),
        ("[:find ?p ?what :where [?p :p/likes ?what]]", None, true, 3),
        ("[:find ?p :where [?p :p/likes ?what]]", None, false, 2),
        ("[:find ?what :where [?p :p/likes ?what]]", None, false, 2),
        ("[:find ?p ?q ?age :where [?p :p/friend ?q] [?q :p/age ?age]]", None, true, 3),
        ("[:find ?q ?age :where [?p :p/friend ?q] [?q :p/age ?age]]", None, false, 2),
        ("[:find ?p :where [?p :p/age 20] (not [?p :p/friend])]", None, true, 1),
        ("[:find ?p ?age ?t ?op :where [?p :p/age ?age ?t ?op]]", history, true, 3),
        ("[:find ?p ?age :where [?p :p/age ?age _ _]]", history, false, 3),
        ("[:find ?x ?y :in $ % :where (reach ?x ?y)]", None, true, 3),
        ("[:find ?y :in $ % :where (reach ?x ?y)]", None, false, 2),
    ];
    for (query, on, set, rows) in cases {
        let (plan, found) = asked(&world, query, on).await;
        assert_eq!(found, rows, "{query}");
        // What a `not` takes away is a set of its own.
        let joined = plan.split("HashJoinExec").next().unwrap_or("");
        assert_eq!(!joined.contains("AggregateExec"), set, "{query}\n{plan}");
    }
}

/// What must hold anyway is asked within the branches of an `or`: nothing is joined.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_or_about_one_entity_joins_nothing() {
    let world = people().await;
    let query = "[:find ?p :where [?p :p/sex :m] (or-join [?p] [?p :p/age 30] (and [?p :p/likes :tea] [?p :p/age 20]))]";
    let (_, rows) = asked(&world, query, None).await;
    assert_eq!(rows, 1);
    let query = "[:find ?p :where [?p :p/sex :m] (or [?p :p/age 30] [?p :p/name \"Cid\"] [?p :p/name \"Ann\"])]";
    let (plan, rows) = asked(&world, query, None).await;
    assert_eq!(rows, 1);
    assert!(!plan.contains("Join"), "{plan}");
    // Also where the rest of what is asked of the entity is not within.
    let query = "[:find ?n ?age :where [?p :p/name ?n] [?p :p/sex :m] [?p :p/age ?age] (or [?p :p/age 30] [?p :p/name \"Cid\"])]";
    assert_eq!(asked(&world, query, None).await.1, 1);
}

/// Where the branches of an `or` ask of one entity alone, what all of them read is read once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_or_about_one_entity_is_one_scan() {
    let world = people().await;
    let cases = [
        ("[:find ?p :where [?p :p/sex :m] (or [?p :p/age 30] [?p :p/age 20])]", 2),
        (
            "[:find ?p :where (or-join [?p] [?p :p/age 30] (and [?p :p/sex :m] [?p :p/age ?a] [(< ?a 10)]))]",
            1,
        ),
        (
            "[:find ?p ?a :where (or (and [?p :p/age ?a] [?p :p/sex :f]) (and [?p :p/age ?a] [(< ?a 25)]))]",
            3,
        ),
        (
            "[:find ?a :where (or (and [?p :p/age ?a] [?p :p/sex :m]) (and [?p :p/age ?a] [(< ?a 25)]))]",
            1,
        ),
        ("[:find ?n :where [?p :p/name ?n] (not (or [?p :p/age 30] [?p :p/sex :f]))]", 2),
    ];
    for (query, rows) in cases {
        let (plan, found) = asked(&world, query, None).await;
        assert_eq!(found, rows, "{query}\n{plan}");
        assert!(!plan.contains("UnionExec"), "{query}\n{plan}");
    }
    // What finds few entities by itself is asked by itself.
    let unique = "[:find ?p :where (or [?p :p/name \"Ann\"] [?p :p/age 20])]";
    let (plan, found) = asked(&world, unique, None).await;
    assert_eq!(found, 3);
    assert!(plan.contains("UnionExec"), "{plan}");
    // A value that is another one in each branch is no column.
    let two = "[:find ?p ?x :where (or [?p :p/age ?x] [?p :p/sex ?x])]";
    assert_eq!(asked(&world, two, None).await.1, 6);
}
