//! One rule of transactions a test.

use super::*;
use daodb_storage::FIRST_ENTITY;

const E: i64 = FIRST_ENTITY;

async fn people() -> (Arc<Catalog>, Arc<Database>) {
    let (catalog, database) = database().await;
    let ops = vec![
        declare(":p/email", &["string", "identity"]),
        declare(":p/code", &["long", "value"]),
        declare(":p/tags", &["string", "many"]),
        declare(":p/friend", &["ref"]),
        declare(":p/part", &["ref", "many", "component"]),
        declare(":p/size", &["double"]),
    ];
    let report = run(&database, ops).await;
    assert_eq!((report.t, report.instant), (1000, EPOCH));
    (catalog, database)
}

/// The first entity after the six attributes.
const P: i64 = E + 6;

#[tokio::test]
async fn replaced_values_are_retracted_and_the_same_is_not_written() {
    let (_catalog, database) = people().await;
    let ops = || {
        vec![map(
            None,
            [
                (":p/email", value("a@b")),
                (":p/name", value("Ada")),
                (":p/tags", TxValue::Many(vec![value("x"), value("y")])),
            ],
        )]
    };
    let report = run(&database, ops()).await;
    let first = [
        format!("+{P} :p/email \"a@b\""),
        format!("+{P} :p/name \"Ada\""),
        format!("+{P} :p/tags \"x\""),
        format!("+{P} :p/tags \"y\""),
    ];
    assert_eq!(datoms(&report), first);
    assert_eq!(datoms(&run(&database, ops()).await), [""; 0]);

    let e = lookup(":p/email", "a@b");
    let ops = vec![
        add(e.clone(), ":p/name", value("Ida")),
        add(e.clone(), ":p/tags", value("z")),
        retract(e.clone(), ":p/tags", Some(value("x"))),
        retract(e.clone(), ":p/tags", Some(value("none"))),
    ];
    let expect = [
        format!("-{P} :p/name \"Ada\""),
        format!("+{P} :p/name \"Ida\""),
        format!("-{P} :p/tags \"x\""),
        format!("+{P} :p/tags \"z\""),
    ];
    assert_eq!(datoms(&run(&database, ops).await), expect);
    assert_eq!(datoms(&run(&database, vec![retract(e, ":p/tags", None)]).await).len(), 2);
    assert_eq!(facts(&database, ":p/tags").await, [""; 0]);
}

#[tokio::test]
async fn tempids() {
    let (_catalog, database) = people().await;
    let ops = vec![
        map(
            Some(temp("a")),
            [(":p/email", value("a@b")), (":p/friend", TxValue::Entity(temp("b")))],
        ),
        map(Some(temp("b")), [(":p/email", value("b@b"))]),
        map(Some(temp("again")), [(":p/email", value("a@b")), (":p/name", value("Ada"))]),
        add(EntityRef::Tx, ":p/name", value("who did it")),
    ];
    let report = run(&database, ops).await;
    let ids: Vec<i64> = ["a", "b", "again"].map(|name| report.tempids[name]).to_vec();
    assert_eq!(ids, [P, P + 1, P]);
    assert_eq!(facts(&database, ":p/friend").await, [format!("{P} {}", P + 1)]);
    let names = [format!("{} \"who did it\"", report.t), format!("{P} \"Ada\"")];
    assert_eq!(facts(&database, ":p/name").await, names);

    let unique = SqlState::UNIQUE_VIOLATION;
    run(&database, vec![map(Some(EntityRef::Id(P)), [(":p/code", value(7))])]).await;
    let ops = vec![map(None, [(":p/email", value("b@b")), (":p/code", value(7))])];
    refuse(&database, ops, unique, ":p/code is unique").await;
    let unknown = SqlState::FOREIGN_KEY_VIOLATION;
    let ops = vec![add(EntityRef::Id(P), ":p/friend", TxValue::Entity(temp("nobody")))];
    refuse(&database, ops, unknown, "nothing is said of the tempid \"nobody\"").await;
    let ops = vec![add(lookup(":p/email", "x@b"), ":p/name", value("x"))];
    refuse(&database, ops, unknown, "op 1 of 1, [:db/add [:p/email \"x@b\"] :p/name").await;
    let ops = vec![add(EntityRef::Id(P + 1000), ":p/name", value("x"))];
    refuse(&database, ops, unknown, "the database gives ids").await;
    let ops = vec![add(EntityRef::Ident(":no/body".into()), ":p/name", value("x"))];
    refuse(&database, ops, unknown, "there is no entity :no/body").await;
}

#[tokio::test]
async fn two_identities_of_two_entities_conflict() {
    let (_catalog, database) = people().await;
    run(&database, vec![declare(":p/phone", &["string", "identity"])]).await;
    let ops = vec![map(None, [(":p/email", value("a@b"))]), map(None, [(":p/phone", value("1"))])];
    run(&database, ops).await;
    let ops = vec![map(None, [(":p/email", value("a@b")), (":p/phone", value("1"))])];
    refuse(&database, ops, SqlState::UNIQUE_VIOLATION, "by one unique attribute").await;
}

#[tokio::test]
async fn unique_values_move_within_one_transaction() {
    let (_catalog, database) = people().await;
    let ops = vec![map(None, [(":p/code", value(1))]), map(None, [(":p/code", value(2))])];
    run(&database, ops).await;
    let (x, y) = (EntityRef::Id(P), EntityRef::Id(P + 1));
    let ops = vec![add(x.clone(), ":p/code", value(2)), add(y.clone(), ":p/code", value(1))];
    assert_eq!(datoms(&run(&database, ops).await).len(), 4);
    let ops = vec![add(x.clone(), ":p/code", value(3)), add(y, ":p/code", value(3))];
    refuse(&database, ops, SqlState::UNIQUE_VIOLATION, "op 2 of 2").await;
    let ops = vec![add(x, ":p/code", value(1))];
    refuse(&database, ops, SqlState::UNIQUE_VIOLATION, "entity 4294967303 has 1 too").await;
}

#[tokio::test]
async fn contradictions_are_refused() {
    let (_catalog, database) = people().await;
    run(&database, vec![map(None, [(":p/name", value("Ada"))])]).await;
    let e = || EntityRef::Id(P);
    let ops = vec![add(e(), ":p/name", value("Ida")), retract(e(), ":p/name", Some(value("Ida")))];
    refuse(&database, ops, SqlState::INVALID_PARAMETER_VALUE, "added and retracted").await;
    let ops = vec![add(e(), ":p/name", value("x")), add(e(), ":p/name", value("y"))];
    refuse(&database, ops, SqlState::CARDINALITY_VIOLATION, "gets \"x\" and \"y\"").await;
    let ops = vec![map(Some(e()), [(":p/name", TxValue::Many(vec![value("x"), value("y")]))])];
    refuse(&database, ops, SqlState::CARDINALITY_VIOLATION, "declare :p/name").await;
    let ops = vec![Op::RetractEntity { e: e() }, add(e(), ":p/name", value("Ada"))];
    refuse(&database, ops, SqlState::INVALID_PARAMETER_VALUE, "added and retracted").await;
    let nothing = Op::Map { id: Some(e()), attrs: vec![] };
    assert_eq!(datoms(&run(&database, vec![nothing]).await), Vec::<String>::new());
}

#[tokio::test]
async fn types() {
    let (_catalog, database) = people().await;
    let mismatch = SqlState::DATATYPE_MISMATCH;
    let ops = vec![map(None, [(":p/size", value(2)), (":p/any", value(2))])];
    let expect = [format!("+{P} :p/any 2"), format!("+{P} :p/size 2.0")];
    assert_eq!(datoms(&run(&database, ops).await), expect);
    let ops = vec![map(None, [(":p/size", value("2"))])];
    refuse(&database, ops, mismatch, ":p/size is declared double, this is a string").await;
    let ops = vec![map(None, [(":p/email", TxValue::Entity(EntityRef::Tx))])];
    refuse(&database, ops, mismatch, "this is the reference").await;
    // A long is an entity where a reference is declared, a keyword is its name.
    let ops = vec![
        map(Some(EntityRef::Id(P)), [(":p/friend", value(P))]),
        map(None, [(":p/friend", value(":p/email"))]),
    ];
    let expect = [format!("+{P} :p/friend {P}"), format!("+{} :p/friend {E}", P + 1)];
    assert_eq!(datoms(&run(&database, ops).await), expect);
    let ops = vec![map(None, [(":p/friend", value(P + 50))])];
    refuse(&database, ops, SqlState::FOREIGN_KEY_VIOLATION, "there is no entity").await;
    let ops = vec![map(None, [("p bad", value(1))])];
    refuse(&database, ops, SqlState::INVALID_NAME, "no name for a attribute").await;
    let ops = vec![map(None, [(":db/cardinalty", value(1))])];
    refuse(&database, ops, SqlState::RESERVED_NAME, "perhaps :db/cardinality").await;
    let ops = vec![add(EntityRef::Id(16), ":p/name", value("x"))];
    refuse(&database, ops, SqlState::RESERVED_NAME, "built in").await;
}

#[tokio::test]
async fn an_entity_goes_with_its_parts_and_what_refers_to_it() {
    for extra in [0, 20] {
        let (_catalog, database) = people().await;
        let part = |name: &str| TxValue::Entity(temp(name));
        let mut ops = vec![
            map(Some(temp("whole")), [(":p/part", TxValue::Many(vec![part("x"), part("y")]))]),
            map(Some(temp("x")), [(":p/name", value("x")), (":p/part", part("z"))]),
            map(Some(temp("y")), [(":p/name", value("y"))]),
            map(Some(temp("z")), [(":p/name", value("z")), (":p/part", part("whole"))]),
            map(Some(temp("other")), [(":p/friend", part("x")), (":p/name", value("other"))]),
        ];
        // More than a few at once are read in another way.
        ops.extend((0..extra).map(|i| map(None, [(":p/name", value(i))])));
        let report = run(&database, ops).await;
        let whole = report.tempids["whole"];
        let mut ops = vec![Op::RetractEntity { e: EntityRef::Id(whole) }];
        ops.extend((0..extra).map(|i| Op::RetractEntity { e: EntityRef::Id(P + 5 + i) }));
        let report = run(&database, ops).await;
        assert_eq!(datoms(&report).len() as i64, 4 + 3 + 1 + extra, "{:?}", datoms(&report));
        assert_eq!(facts(&database, ":p/part").await, [""; 0]);
        assert_eq!(facts(&database, ":p/name").await, [format!("{} \"other\"", P + 4)]);
        let ops = vec![Op::RetractEntity { e: EntityRef::Id(1000) }];
        refuse(&database, ops, SqlState::INVALID_PARAMETER_VALUE, "is a transaction").await;
    }
}

#[tokio::test]
async fn instants_do_not_go_back() {
    let (_catalog, database) = people().await;
    let at = |us: i64| add(EntityRef::Tx, ":db/txInstant", value(Value::Instant(us)));
    let invalid = SqlState::INVALID_PARAMETER_VALUE;
    refuse(&database, vec![at(EPOCH - 1)], invalid, "never go back").await;
    refuse(&database, vec![at(EPOCH + 1_000_000_000)], invalid, "yet to come").await;
    refuse(&database, vec![at(EPOCH), at(EPOCH + 1)], invalid, "two instants").await;
    let ops = vec![add(EntityRef::Id(P), ":db/txInstant", value(Value::Instant(EPOCH)))];
    refuse(&database, ops, SqlState::FOREIGN_KEY_VIOLATION, "there is no entity").await;
    let ops = vec![add(EntityRef::Id(1000), ":db/txInstant", value(Value::Instant(EPOCH)))];
    refuse(&database, ops, invalid, "is not this transaction").await;
    let ops = vec![retract(EntityRef::Id(1000), ":db/txInstant", None)];
    refuse(&database, ops, invalid, "cannot be retracted").await;

    let report = run(&database, vec![at(EPOCH)]).await;
    assert_eq!((report.t, report.instant, report.datoms.len()), (1001, EPOCH, 1));
    let next = run(&database, vec![]).await;
    assert!(next.instant > EPOCH);
    assert_eq!(next.db_before.t(), 1001);
    assert_eq!(next.db_after.newest().hash, next.hash);
}
