//! Declarations against data, and when they count.

use super::*;
use daodb_catalog::schema::{Cardinality, Unique};
use daodb_storage::ValueType;

#[tokio::test]
async fn a_declaration_counts_for_its_own_transaction() {
    let (_catalog, database) = database().await;
    let ops = vec![
        declare(":p/tags", &["string", "many"]),
        declare(":p/email", &["identity"]),
        map(None, [(":p/tags", TxValue::Many(vec![value("x"), value("y")]))]),
        map(Some(temp("a")), [(":p/email", value("a@b"))]),
        map(Some(temp("b")), [(":p/email", value("a@b"))]),
    ];
    let report = run(&database, ops).await;
    assert_eq!(report.tempids["a"], report.tempids["b"]);
    assert_eq!(facts(&database, ":p/tags").await.len(), 2);
    let ops = vec![declare(":p/age", &["long"]), map(None, [(":p/age", value("old"))])];
    refuse(&database, ops, SqlState::DATATYPE_MISMATCH, "op 2 of 2").await;
}

#[tokio::test]
async fn data_must_fit() {
    let (_catalog, database) = database().await;
    let ops = vec![
        declare(":p/tags", &["many"]),
        map(None, [(":p/tags", TxValue::Many(vec![value("x"), value("y")])), (":p/n", value(1))]),
        map(None, [(":p/n", value(1))]),
        map(None, [(":p/n", value("two"))]),
    ];
    run(&database, ops).await;
    let check = |what, state, why| {
        let database = Arc::clone(&database);
        async move { refuse(&database, vec![what], state, why).await }
    };
    let tags = declare(":p/tags", &["one"]);
    check(tags, SqlState::CARDINALITY_VIOLATION, "has several values").await;
    let n = declare(":p/n", &["long"]);
    check(n, SqlState::DATATYPE_MISMATCH, "has the string \"two\", declared is long").await;
    let n = declare(":p/n", &["value"]);
    check(n, SqlState::UNIQUE_VIOLATION, "both have 1").await;

    // What was wrong is mended in a transaction of its own.
    let facts = database.snapshot().all(&":p/n".into()).await.unwrap();
    let gone = facts.iter().filter(|f| f.v != Value::Long(1)).map(|f| f.e);
    let gone = gone.chain([facts[0].e]);
    let mut ops: Vec<Op> = gone.map(|e| retract(EntityRef::Id(e), ":p/n", None)).collect();
    ops.push(retract(EntityRef::Id(facts[0].e), ":p/tags", Some(value("x"))));
    run(&database, ops).await;
    let ops = vec![declare(":p/n", &["long", "value"]), declare(":p/tags", &["one"])];
    run(&database, ops).await;
    let schema = database.schema(&database.snapshot()).await.unwrap();
    let n = schema.get(&":p/n".into()).unwrap();
    assert_eq!((n.value_type, n.unique), (Some(ValueType::Long), Some(Unique::Value)));
    assert_eq!(n.observed, [ValueType::Long, ValueType::String]);
    let tags = schema.get(&":p/tags".into()).unwrap();
    assert_eq!(tags.cardinality, Cardinality::One);
}

#[tokio::test]
async fn checks_see_transactions_that_wait() {
    let (_catalog, database) = database().await;
    let twice =
        database.transact(vec![map(None, [(":p/n", value(1))]), map(None, [(":p/n", value(1))])]);
    let unique = database.transact(vec![declare(":p/n", &["value"])]);
    let (twice, unique) = futures::join!(twice, unique);
    twice.unwrap();
    assert_eq!(unique.err().map(|e| e.state), Some(SqlState::UNIQUE_VIOLATION));
}

#[tokio::test]
async fn the_schema_is_read_as_it_stood() {
    let (catalog, database) = database().await;
    let t0 = run(&database, vec![map(None, [(":p/n", value(1))])]).await.t;
    let t1 = run(&database, vec![declare(":p/n", &["long", "many"])]).await.t;
    let ident = EntityRef::Ident(":p/n".into());
    let doc = map(Some(ident.clone()), [(":db/doc", value("a number"))]);
    let t2 = run(&database, vec![doc]).await.t;
    let t3 = run(&database, vec![Op::RetractEntity { e: ident }]).await.t;
    let newest = database.snapshot();
    let fresh = daodb_catalog::schema::Schema::read(&newest).await.unwrap();
    assert!(fresh.get(&":p/n".into()).unwrap().entity.is_none());
    for (t, many, doc) in
        [(t0, false, false), (t1, true, false), (t2, true, true), (t3, false, false)]
    {
        for snapshot in [newest.as_of(t), newest.as_of(t).history(), newest.as_of(t).since(t)] {
            let schema = database.schema(&snapshot).await.unwrap();
            let n = schema.get(&":p/n".into()).unwrap();
            assert_eq!((n.cardinality == Cardinality::Many, n.doc.is_some()), (many, doc), "{t}");
        }
        let read = daodb_catalog::schema::Schema::read(&newest.as_of(t)).await.unwrap();
        let cached = database.schema(&newest.as_of(t)).await.unwrap();
        assert_eq!(read.attributes, cached.attributes, "{t}");
    }
    let nothing = database.schema(&newest.as_of(999)).await.unwrap();
    assert!(nothing.get(&":p/n".into()).is_none());
    assert!(nothing.get(&":db/ident".into()).is_some());
    drop(catalog);
}

#[tokio::test]
async fn declarations_that_cannot_be() {
    let (_catalog, database) = database().await;
    let invalid = SqlState::INVALID_PARAMETER_VALUE;
    let ops = vec![declare(":db.x/y", &["long"])];
    refuse(&database, ops, SqlState::RESERVED_NAME, "the database's own").await;
    let ops = vec![declare(":p/x", &["component"])];
    refuse(&database, ops, SqlState::CHECK_VIOLATION, "declared a ref").await;
    let attrs = [(":db/ident", value(":p/x")), (":db/valueType", value(":db.unique/value"))];
    refuse(&database, vec![map(None, attrs)], invalid, "accepted are :db.type/string").await;
    let attrs = [(":db/ident", value(":p/x")), (":db/valueType", value(":db.type/text"))];
    let unknown = SqlState::FOREIGN_KEY_VIOLATION;
    refuse(&database, vec![map(None, attrs)], unknown, "no entity :db.type/text").await;
    let ops = vec![map(None, [(":db/valueType", value(":db.type/long"))])];
    refuse(&database, ops, SqlState::CHECK_VIOLATION, "without a name").await;
}

#[tokio::test]
async fn docs_of_other_entities_and_idents_of_them() {
    let (_catalog, database) = database().await;
    let ops = vec![
        declare(":p/email", &["identity"]),
        map(Some(temp("a")), [(":p/email", value("a@b")), (":db/doc", value("a person"))]),
        map(None, [(":db/ident", value(":colour/red"))]),
        map(None, [(":p/email", value("c@d"))]),
    ];
    run(&database, ops).await;
    let ops = vec![
        map(Some(temp("a")), [(":p/email", value("a@b")), (":db/doc", value("the same"))]),
        map(
            Some(lookup(":p/email", "c@d")),
            [(":p/colour", TxValue::Entity(EntityRef::Ident(":colour/red".into())))],
        ),
    ];
    let report = run(&database, ops).await;
    assert_eq!(datoms(&report).len(), 3, "{:?}", datoms(&report));
    let red = database.schema(&database.snapshot()).await.unwrap().entity_of(&":colour/red".into());
    let colours = database.snapshot().all(&":p/colour".into()).await.unwrap();
    assert_eq!(colours[0].v, Value::Ref(red.unwrap()));
}
