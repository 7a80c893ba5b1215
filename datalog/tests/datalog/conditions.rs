//! Conditions: queries that a transaction must leave with an answer.

use crate::support::World;
use daodb_catalog::{Condition, Error, SqlState, Transaction};
use daodb_datalog::{condition, edn, tx_data};
use std::sync::Arc;

fn transaction(world: &World, data: &str, conditions: &str) -> Transaction {
    let ops = tx_data::read(&edn::read(data).unwrap()).unwrap();
    Transaction { ops, conditions: conditions_of(world, conditions), ..Transaction::default() }
}

fn conditions_of(world: &World, conditions: &str) -> Vec<Arc<dyn Condition>> {
    condition::read(&edn::read(conditions).unwrap(), &world.catalog).unwrap()
}

async fn run(world: &World, data: &str, conditions: &str) -> Result<i64, Error> {
    let transaction = transaction(world, data, conditions);
    world.database.transact(transaction).await.map(|report| report.t)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_leaves_them_true_or_is_refused() {
    let world = World::new(1000).await;
    let name =
        "[{:db/ident :item/name :db/valueType :db.type/string :db/unique :db.unique/identity}]";
    run(&world, name, "[]").await.unwrap();
    run(&world, "[{:item/name \"nut\" :item/left 3}]", "[]").await.unwrap();
    let t = world.database.snapshot().t();
    let none_below = "(not [?e :item/left ?n] [(< ?n 0)])";
    let take = |n: i64| format!("[[:db/add [:item/name \"nut\"] :item/left {n}]]");
    // What a query finds in each shape, and whether that holds.
    for (query, expect) in [
        ("[:find ?e :where [?e :item/left 2]]", true),
        ("[:find ?e :where [?e :item/left 3]]", false),
        ("[:find [?e ...] :where [?e :item/left 2]]", true),
        ("[:find [?e ...] :where [?e :item/left 3]]", false),
        ("[:find [?e ?n] :where [?e :item/left ?n]]", true),
        ("[:find ?n . :where [_ :item/left ?n]]", true),
        ("[:find ?n . :where [_ :item/left 3] [_ :item/left ?n]]", false),
        ("[:find ?b . :where [_ :item/left ?n] [(> ?n 0) ?b]]", true),
        ("[:find ?b . :where [_ :item/left ?n] [(> ?n 5) ?b]]", false),
        ("[:find (count ?e) . :where [?e :item/left 3]]", false),
        // A false one among rows is a row.
        ("[:find ?b :where [(ground false) ?b]]", true),
        ("\"[:find ?e :where [?e :item/left 2]]\"", true),
        ("{:find [?e] :where [[?e :item/left 2]]}", true),
        ("{:query [:find ?e :in $ ?n :where [?e :item/left ?n]] :args [2]}", true),
        ("{:query [:find ?e :in $ ?n :where [?e :item/left ?n]] :args [3] :name \"left\"}", false),
    ] {
        let imagined = transaction(&world, &take(2), &format!("[{query}]"));
        let snapshot = world.database.snapshot();
        let found = world.database.with(&snapshot, imagined).await;
        assert_eq!(found.is_ok(), expect, "{query}: {:?}", found.err());
        if let Err(e) = found {
            assert_eq!(e.state, SqlState::CHECK_VIOLATION, "{e}");
        }
    }
    // All of them, in order; the first that fails is named.
    let both = format!(
        "[{{:name :stock/known :query [:find ?e :where [?e :item/name]]}} \
          {{:name \"enough\" :query [:find ?e :where [?e :item/name] {none_below}]}}]"
    );
    assert_eq!(run(&world, &take(1), &both).await.unwrap(), t + 1);
    let e = run(&world, &take(-1), &both).await.unwrap_err();
    assert_eq!(e.message, "transaction refused: condition enough does not hold after it");
    assert_eq!(world.database.snapshot().t(), t + 1, "nothing was written");
    // What cannot be asked refuses as well, as whose fault it is.
    let wrong = "[{:name \"typo\" :query [:find ?e :in $ ?n :where [?e :item/left ?n]]}]";
    let e = run(&world, &take(0), wrong).await.unwrap_err();
    assert!(e.message.starts_with("transaction refused: condition typo: "), "{e}");
    assert_eq!(world.database.snapshot().t(), t + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_never_break_one_together() {
    let world = World::new(1000).await;
    run(&world, "[{:seat/of \"hall\" :seat/limit 7}]", "[]").await.unwrap();
    let few = "[{:name \"few\" :query [:find ?ok . :where \
        [(q [:find (count ?e) . :where [?e :seat/taken-by]] $) ?n] [_ :seat/limit ?most] [(<= ?n ?most) ?ok]]}]";
    let writers = (0..30).map(|i| {
        let (world, data) = (&world, format!("[{{:seat/taken-by {i}}}]"));
        async move { run(world, &data, few).await }
    });
    let done = futures::future::join_all(writers).await;
    let (taken, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!((taken.len(), refused.len()), (7, 23));
    for e in refused.into_iter().filter_map(Result::err) {
        assert_eq!(e.state, SqlState::CHECK_VIOLATION, "{e}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn specs_ask_queries_of_their_entities() {
    let world = World::new(1000).await;
    let spec = "[{:db/ident :order/of :db/valueType :db.type/ref} {:db/ident :order/valid :db.entity/attrs [:order/total] :db.entity/query \
        [\"[:find ?e :in $ ?e :where [?e :order/total ?n] [(pos? ?n)]]\" \
         \"[:find ?e :in $ ?e :where [?e :order/of ?p] [?p :person/name]]\"]}]";
    run(&world, spec, "[]").await.unwrap();
    let order = |of: &str, total: i64| {
        format!(
            "[{{:db/id \"p\" :person/{of} \"Ada\"}} \
              {{:db/id \"o\" :order/of \"p\" :order/total {total} :db/ensure :order/valid}}]"
        )
    };
    run(&world, &order("name", 3), "[]").await.unwrap();
    let t = world.database.snapshot().t();
    for refused in [order("name", 0), order("nick", 3)] {
        let e = run(&world, &refused, "[]").await.unwrap_err();
        assert_eq!((e.state, e.op), (SqlState::CHECK_VIOLATION, Some(1)), "{e}");
        assert!(e.message.contains("op 2 of 2"), "{e}");
        assert!(e.message.contains("condition of :order/valid for entity "), "{e}");
    }
    // Without the ensure nothing is asked; nothing of what was refused was written.
    run(&world, "[{:order/total -1}]", "[]").await.unwrap();
    assert_eq!(world.database.snapshot().t(), t + 1);
    // A query that is none says whose it is.
    run(&world, "[{:db/ident :order/broken :db.entity/query \"[:find\"}]", "[]").await.unwrap();
    let e = run(&world, "[{:order/total 1 :db/ensure :order/broken}]", "[]").await.unwrap_err();
    assert!(e.message.contains("condition of :order/broken for entity"), "{e}");
    assert_eq!(e.state, SqlState::SYNTAX, "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn specs_name_stored_queries() {
    let world = World::new(1000).await;
    let spec = "[{:db/ident :order/valid :db.entity/preds [order/positive? order/small?]} \
        {:db/ident :order/positive? :db.entity/query \"[:find ?e :in $ ?e :where [?e :order/total ?n] [(pos? ?n)]]\"}]";
    run(&world, spec, "[]").await.unwrap();
    let order = |total: i64| format!("[{{:order/total {total} :db/ensure :order/valid}}]");
    // It is looked for when it is used, as Datomic does.
    let e = run(&world, &order(1), "[]").await.unwrap_err();
    assert_eq!(e.state, SqlState::CHECK_VIOLATION, "{e}");
    assert!(
        e.message.contains(":order/valid has the predicate order/small?, and there is no"),
        "{e}"
    );
    let small = "[{:db/ident :order/small? :db.entity/query \"[:find ?e :in $ ?e :where [?e :order/total ?n] [(< ?n 100)]]\"}]";
    run(&world, small, "[]").await.unwrap();
    run(&world, &order(1), "[]").await.unwrap();
    for (total, name) in [(0, "order/positive?"), (100, "order/small?")] {
        let e = run(&world, &order(total), "[]").await.unwrap_err();
        assert_eq!((e.state, e.op), (SqlState::CHECK_VIOLATION, Some(0)), "{e}");
        assert!(
            e.message.contains(&format!("condition of {name} of :order/valid for entity")),
            "{e}"
        );
    }
}

#[test]
fn what_is_no_condition_is_refused_with_its_place() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new(1000));
    for (text, at, message) in [
        ("{:find [?e]}", 0, "the value of :conditions is a map, not a vector"),
        ("[[:find ?e :where [?e :a/b] [?x ?y]] 3]", 37, "condition 2: "),
        ("[{:query [:find ?e] :arg [1]}]", 20, "unknown key :arg"),
        (
            "[{:query [:find ?e :where [?e :a/b]] :args 1}]",
            43,
            "the :args of a condition are a long",
        ),
        (
            "[{:query [:find ?e :where [?e :a/b]] :name 1}]",
            43,
            "the :name of a condition is a long",
        ),
        ("[[:find ?e :where [?x :a/b]]]", 8, "condition 1: "),
        ("[\"[:find\"]", 1, "condition 1: "),
    ] {
        let e = condition::read(&edn::read(text).unwrap(), &world.catalog).unwrap_err();
        assert!(e.message.starts_with(message), "{text}: {}", e.message);
        assert_eq!(e.span.start, at, "{text}: {}", e.message);
        assert!(e.hint.is_some(), "{text}");
    }
}
