//! What values and entities must be by declaration: predicates, floats, `:db/ensure`.

use super::*;

const CHECK: SqlState = SqlState::CHECK_VIOLATION;

fn symbol(name: &str) -> TxValue {
    value(Value::Symbol(name.into()))
}

fn ident(name: &str) -> EntityRef {
    EntityRef::Ident(name.into())
}

#[tokio::test]
async fn values_pass_predicates() {
    let (_catalog, database) = database().await;
    let even = |a: &str| add(ident(a), ":db.attr/preds", symbol("clojure.core/even?"));
    run(&database, vec![declare(":p/n", &["long", "many"]), map(None, [(":p/n", value(3))])]).await;
    let unknown = vec![add(ident(":p/n"), ":db.attr/preds", symbol("my.own/pred"))];
    let invalid = SqlState::INVALID_PARAMETER_VALUE;
    refuse(&database, unknown, invalid, "there is no such predicate").await;
    run(&database, vec![even(":p/n")]).await;
    refuse(&database, vec![map(None, [(":p/n", value(5))])], CHECK, "5 does not pass").await;
    let swap = Op::Cas { e: temp("x"), a: ":p/one".into(), old: None, new: value(5) };
    let ops = vec![declare(":p/one", &["long"])];
    run(&database, ops).await;
    run(&database, vec![even(":p/one")]).await;
    refuse(&database, vec![swap], CHECK, "clojure.core/even?").await;
    run(&database, vec![map(None, [(":p/n", value(4))])]).await;

    // A second one is asked too; what is there may go whatever it is.
    run(&database, vec![add(ident(":p/n"), ":db.attr/preds", symbol("clojure.core/pos?"))]).await;
    refuse(&database, vec![map(None, [(":p/n", value(-2))])], CHECK, "clojure.core/pos?").await;
    let facts_of = facts(&database, ":p/n").await;
    let e: i64 = facts_of[0].split(' ').next().unwrap().parse().unwrap();
    run(&database, vec![retract(EntityRef::Id(e), ":p/n", Some(value(3)))]).await;
    let gone = ["clojure.core/pos?", "clojure.core/even?"]
        .map(|p| retract(ident(":p/n"), ":db.attr/preds", Some(symbol(p))));
    run(&database, gone.into()).await;
    run(&database, vec![map(None, [(":p/n", value(-3))])]).await;
}

#[tokio::test]
async fn a_float_is_rounded() {
    let (_catalog, database) = database().await;
    run(&database, vec![declare(":p/f", &["float"])]).await;
    let said = |d: f64| vec![map(Some(temp("x")), [(":p/f", value(Value::Double(d)))])];
    let report = run(&database, said(0.100_000_000_9)).await;
    let e = || EntityRef::Id(report.tempids["x"]);
    let held = database.snapshot().all(&":p/f".into()).await.unwrap();
    assert_eq!(held[0].v, Value::Double(0.1));
    // However it is said: by its text, as the double that the float is, as any double between it and the next float.
    for same in [0.1, f64::from(0.1_f32), 0.100_000_000_9] {
        let again = run(&database, vec![add(e(), ":p/f", value(Value::Double(same)))]).await;
        assert!(datoms(&again).is_empty(), "{same}");
    }
    let (old, new) = (Some(value(Value::Double(0.1))), value(2));
    run(&database, vec![Op::Cas { e: e(), a: ":p/f".into(), old, new }]).await;
    let held = database.snapshot().all(&":p/f".into()).await.unwrap();
    assert_eq!(held[0].v, Value::Double(2.0));
    let mismatch = SqlState::DATATYPE_MISMATCH;
    refuse(&database, said(1e300), mismatch, "beyond what a float holds").await;
    let double = map(Some(ident(":p/f")), [(":db/valueType", value(":db.type/double"))]);
    refuse(&database, vec![double], CHECK, ":p/f is declared float").await;
}

#[tokio::test]
async fn an_entity_has_what_its_spec_requires() {
    let (_catalog, database) = database().await;
    let required = TxValue::Vector(vec![value(":p/name"), value(":p/age")]);
    let spec = map(None, [(":db/ident", value(":p/spec")), (":db.entity/attrs", required)]);
    run(&database, vec![declare(":p/name", &["string", "identity"]), spec]).await;
    let person = |age: Option<i64>| {
        let mut attrs: Vec<(Attr, TxValue)> =
            vec![(":p/name".into(), value("Ada")), (":db/ensure".into(), value(":p/spec"))];
        attrs.extend(age.map(|age| (":p/age".into(), value(age))));
        vec![Op::Map { id: Some(temp("x")), attrs }]
    };
    refuse(&database, person(None), CHECK, "has no :p/age, and :p/spec requires it").await;
    let report = run(&database, person(Some(36))).await;
    // It is asked, and not kept.
    assert_eq!(datoms(&report).len(), 2);
    // What is there already counts, what goes does not.
    run(&database, person(None)).await;
    let ada = || lookup(":p/name", "Ada");
    let ops = vec![retract(ada(), ":p/age", None), add(ada(), ":db/ensure", value(":p/spec"))];
    refuse(&database, ops, CHECK, "has no :p/age").await;
    let nobody = vec![add(ada(), ":db/ensure", value(":p/nothing"))];
    let unknown = SqlState::FOREIGN_KEY_VIOLATION;
    refuse(&database, nobody, unknown, "there is no entity :p/nothing").await;
    run(&database, vec![add(ident(":p/spec"), ":db.entity/preds", symbol("p/even?"))]).await;
    refuse(&database, person(Some(36)), CHECK, "there is no stored query of this name").await;
    let text = add(ident(":p/spec"), ":db.entity/preds", value("p/even?"));
    refuse(&database, vec![text], SqlState::DATATYPE_MISMATCH, ":db.entity/preds").await;
}

#[tokio::test]
async fn who_is_not_there_is_gone_already() {
    let (_catalog, database) = database().await;
    run(&database, vec![declare(":p/name", &["string", "identity"])]).await;
    let nothing = Vec::<String>::new();
    let gone = |e: EntityRef| vec![Op::RetractEntity { e }];
    let by_name = run(&database, gone(lookup(":p/name", "nobody"))).await;
    let by_id = run(&database, gone(EntityRef::Id(1 << 40))).await;
    let of_new = run(&database, vec![retract(temp("x"), ":p/name", Some(value("y")))]).await;
    let maps = [None, Some(temp("z"))].map(|id| Op::Map { id, attrs: Vec::new() });
    let empty = run(&database, maps.into()).await;
    for report in [&by_name, &by_id, &of_new, &empty] {
        assert_eq!(datoms(report), nothing);
    }
    assert_eq!(of_new.tempids.len(), 1);
    assert!(empty.tempids.is_empty());
    let unknown = SqlState::FOREIGN_KEY_VIOLATION;
    let stranger = add(lookup(":p/name", "nobody"), ":p/n", value(1));
    refuse(&database, vec![stranger], unknown, "there is no entity").await;
}
