//! Tuples of declared parts, and those that the database makes of other attributes.

use super::*;
use daodb_storage::FIRST_ENTITY;

const MISMATCH: SqlState = SqlState::DATATYPE_MISMATCH;

fn vector<const N: usize>(parts: [TxValue; N]) -> TxValue {
    TxValue::Vector(parts.into())
}

fn tuple<const N: usize>(parts: [Option<Value>; N]) -> Value {
    Value::Tuple(parts.into())
}

/// A declaration with what its tuples are made of.
fn made_of(a: &str, what: &[&str], of: &str, parts: TxValue) -> Op {
    let Op::Map { id, mut attrs } = declare(a, what) else { panic!("a declaration is a map") };
    attrs.push((of.into(), parts));
    Op::Map { id, attrs }
}

fn keywords<const N: usize>(names: [&str; N]) -> TxValue {
    vector(names.map(value))
}

/// The open values of an attribute, in the order of entities.
async fn values(database: &Database, a: &str) -> Vec<Value> {
    let facts = database.snapshot().all(&a.into()).await.unwrap();
    facts.into_iter().map(|f| f.v).collect()
}

#[tokio::test]
async fn parts_have_types() {
    let (_catalog, database) = database().await;
    let types = keywords([":db.type/double", ":db.type/string"]);
    let ops = vec![
        made_of(":p/pair", &["tuple"], ":db/tupleTypes", types),
        made_of(":p/longs", &["tuple", "many"], ":db/tupleType", value(":db.type/long")),
        made_of(
            ":p/link",
            &["tuple"],
            ":db/tupleTypes",
            keywords([":db.type/ref", ":db.type/keyword"]),
        ),
    ];
    run(&database, ops).await;
    let pair = |x: TxValue, y: TxValue| vec![add(temp("x"), ":p/pair", vector([x, y]))];
    run(&database, pair(value(1), value("a"))).await;
    run(&database, pair(TxValue::Nil, value("b"))).await;
    let [one, a, b] = [Value::Double(1.0), Value::string("a"), Value::string("b")];
    let expect = [tuple([Some(one), Some(a)]), tuple([None, Some(b)])];
    assert_eq!(values(&database, ":p/pair").await, expect);
    refuse(&database, pair(value("a"), value("b")), MISMATCH, "this is a string").await;
    let short = vec![add(temp("x"), ":p/pair", vector([value(1)]))];
    refuse(&database, short, MISMATCH, ":p/pair has 2 parts, this has 1 parts").await;

    let longs = |all: TxValue| vec![map(None, [(":p/longs", all)])];
    let two = vector([vector([value(1), value(2)]), vector([value(1), value(2), value(3)])]);
    run(&database, longs(two)).await;
    assert_eq!(values(&database, ":p/longs").await.len(), 2);
    let nine = vector([1, 2, 3, 4, 5, 6, 7, 8, 9].map(value));
    refuse(&database, longs(vector([nine])), MISMATCH, "two to eight parts").await;

    // Where an entity must stand, names are names of entities.
    let report = run(
        &database,
        vec![
            add(temp("y"), ":p/link", vector([value("y"), value(":k")])),
            add(temp("z"), ":p/link", vector([value(":p/pair"), value(":k")])),
        ],
    )
    .await;
    let k = || Some(Value::keyword("k"));
    let [y, pair] = [report.tempids["y"], FIRST_ENTITY].map(|e| Some(Value::Ref(e)));
    assert_eq!(values(&database, ":p/link").await, [tuple([y, k()]), tuple([pair, k()])]);
    let by_name = vector([vector([value(":db/ident"), value(":p/pair")]), value(":k")]);
    let same = run(&database, vec![add(EntityRef::Id(report.tempids["z"]), ":p/link", by_name)]);
    assert!(datoms(&same.await).is_empty());
    let missed = vector([vector([value(":db/ident"), value(":p/none")]), value(":k")]);
    let missed = vec![add(temp("z"), ":p/link", missed)];
    refuse(&database, missed, SqlState::FOREIGN_KEY_VIOLATION, "[:db/ident :p/none]").await;
    let nobody = vec![add(temp("z"), ":p/link", vector([value("nobody"), value(":k")]))];
    let unknown = SqlState::FOREIGN_KEY_VIOLATION;
    refuse(&database, nobody, unknown, "nothing is said of the tempid \"nobody\"").await;
}

async fn enrolments() -> (Arc<Catalog>, Arc<Database>) {
    let (catalog, database) = database().await;
    let parts = keywords([":e/student", ":e/course"]);
    let ops = vec![
        declare(":e/student", &["string"]),
        declare(":e/course", &["long"]),
        made_of(":e/both", &["tuple", "identity"], ":db/tupleAttrs", parts),
    ];
    run(&database, ops).await;
    (catalog, database)
}

fn both(student: Option<&str>, course: Option<i64>) -> Value {
    tuple([student.map(Value::string), course.map(Value::Long)])
}

#[tokio::test]
async fn a_composite_follows_its_attributes() {
    let (_catalog, database) = enrolments().await;
    let ada = || lookup(":e/both", both(Some("Ada"), Some(1)));
    let ops = vec![map(None, [(":e/student", value("Ada")), (":e/course", value(1))])];
    run(&database, ops).await;
    assert_eq!(values(&database, ":e/both").await, [both(Some("Ada"), Some(1))]);
    run(&database, vec![add(ada(), ":e/course", value(2))]).await;
    assert_eq!(values(&database, ":e/both").await, [both(Some("Ada"), Some(2))]);
    let e = lookup(":e/both", both(Some("Ada"), Some(2)));
    let report = run(&database, vec![retract(e, ":e/student", None)]).await;
    assert_eq!(report.datoms.iter().filter(|d| d.a.as_str() == ":e/both").count(), 2);
    assert_eq!(values(&database, ":e/both").await, [both(None, Some(2))]);
    let e = lookup(":e/both", both(None, Some(2)));
    run(&database, vec![Op::RetractEntity { e }]).await;
    assert!(values(&database, ":e/both").await.is_empty());
    // The past is as it was.
    let first = database.snapshot().as_of(report.t - 2);
    assert_eq!(first.all(&":e/both".into()).await.unwrap()[0].v, both(Some("Ada"), Some(1)));
}

#[tokio::test]
async fn a_composite_is_unique_and_finds_its_entity() {
    let (_catalog, database) = enrolments().await;
    let ada = || [(":e/student", value("Ada")), (":e/course", value(1))];
    let report = run(&database, vec![map(Some(temp("x")), ada())]).await;
    let unique = SqlState::UNIQUE_VIOLATION;
    refuse(&database, vec![map(None, ada())], unique, ":e/both is unique").await;
    // Given up and taken in one transaction.
    let first = || EntityRef::Id(report.tempids["x"]);
    let ops = vec![add(first(), ":e/course", value(2)), map(None, ada())];
    run(&database, ops).await;
    assert_eq!(values(&database, ":e/both").await.len(), 2);
    // Said by hand it names an entity, and changes nothing.
    let hand = vector([value("Ada"), value(2)]);
    let ops = vec![map(Some(temp("y")), [(":e/both", hand), (":e/room", value("x"))])];
    let found = run(&database, ops).await;
    assert_eq!(found.tempids["y"], report.tempids["x"]);
    let other = vector([value("Eve"), value(9)]);
    let report = run(&database, vec![add(first(), ":e/both", other)]).await;
    assert!(datoms(&report).is_empty(), "{:?}", datoms(&report));
    let wrong = vec![add(first(), ":e/both", vector([value("Eve")]))];
    refuse(&database, wrong, MISMATCH, "has 2 parts").await;
}

#[tokio::test]
async fn a_late_composite_gets_its_value_when_something_is_said_again() {
    let (_catalog, database) = database().await;
    let ops = vec![
        declare(":e/student", &["string", "identity"]),
        declare(":e/course", &["long"]),
        map(None, [(":e/student", value("Ada")), (":e/course", value(1))]),
    ];
    run(&database, ops).await;
    let parts = keywords([":e/student", ":e/course"]);
    run(&database, vec![made_of(":e/both", &["tuple"], ":db/tupleAttrs", parts)]).await;
    assert!(values(&database, ":e/both").await.is_empty());
    let again = run(&database, vec![map(None, [(":e/student", value("Ada"))])]).await;
    assert_eq!(datoms(&again).len(), 1);
    assert_eq!(values(&database, ":e/both").await, [both(Some("Ada"), Some(1))]);
    let many = map(
        Some(EntityRef::Ident(":e/course".into())),
        [(":db/cardinality", value(":db.cardinality/many"))],
    );
    refuse(&database, vec![many], SqlState::CHECK_VIOLATION, "which must have one value").await;
}
