//! The forms that stand for others: maps within maps, references said backwards, vectors, comparisons, metadata.

use super::*;
use daodb_storage::FIRST_ENTITY;

const E: i64 = FIRST_ENTITY;
/// The first entity after the declarations.
const P: i64 = E + 7;

async fn people() -> (Arc<Catalog>, Arc<Database>) {
    let (catalog, database) = database().await;
    let ops = vec![
        declare(":p/email", &["string", "identity"]),
        declare(":p/tags", &["string", "many"]),
        declare(":p/kinds", &["keyword", "many"]),
        declare(":p/friend", &["ref"]),
        declare(":p/friends", &["ref", "many"]),
        declare(":p/part", &["ref", "many", "component"]),
        declare(":p/pair", &["tuple"]),
    ];
    run(&database, ops).await;
    (catalog, database)
}

fn inner<const N: usize>(id: Option<EntityRef>, attrs: [(&str, TxValue); N]) -> TxValue {
    TxValue::Map { id, attrs: attrs.into_iter().map(|(a, v)| (Attr::new(a), v)).collect() }
}

fn vector<const N: usize>(parts: [TxValue; N]) -> TxValue {
    TxValue::Vector(parts.into())
}

fn cas(e: EntityRef, a: &str, old: Option<TxValue>, new: TxValue) -> Op {
    Op::Cas { e, a: a.into(), old, new }
}

fn about(m: EntityRef, op: Op) -> Op {
    Op::About { m, op: Box::new(op) }
}

#[tokio::test]
async fn maps_within_maps() {
    let (_catalog, database) = people().await;
    let parts = vector([
        inner(None, [(":p/name", value("x")), (":p/part", inner(None, [(":p/name", value("y"))]))]),
        inner(Some(temp("z")), [(":p/name", value("z"))]),
    ]);
    let report =
        run(&database, vec![map(None, [(":p/email", value("a")), (":p/part", parts)])]).await;
    let names = facts(&database, ":p/name").await;
    assert_eq!(names.len(), 3);
    assert_eq!(facts(&database, ":p/part").await.len(), 3);
    assert_eq!(report.tempids.keys().map(|k| &**k).collect::<Vec<_>>(), ["z"]);

    // Where it is no part, something must name it.
    let friend = |attr| map(None, [(":p/email", value("b")), (":p/friend", inner(None, [attr]))]);
    let invalid = SqlState::INVALID_PARAMETER_VALUE;
    let nobody = friend((":p/name", value("n")));
    refuse(&database, vec![nobody], invalid, "declare :p/friend :db/isComponent").await;
    let report = run(&database, vec![friend((":p/email", value("a")))]).await;
    assert_eq!(
        facts(&database, ":p/friend").await,
        [format!("{} {P}", report.db_after.next_entity() - 1)]
    );
    let nothing = map(None, [(":p/email", value("c")), (":p/part", inner(None, []))]);
    let unknown = SqlState::FOREIGN_KEY_VIOLATION;
    refuse(&database, vec![nothing], unknown, "nothing is said of the map").await;
    let listed = add(EntityRef::Id(P), ":p/part", inner(None, [(":p/name", value("n"))]));
    refuse(&database, vec![listed], invalid, "only within a map").await;
}

#[tokio::test]
async fn references_said_backwards() {
    let (_catalog, database) = people().await;
    run(&database, vec![map(None, [(":p/email", value("a"))])]).await;
    let by_lookup = vector([value(":p/email"), value("a")]);
    let ops = vec![
        map(Some(temp("x")), [(":p/name", value("x")), (":p/_friend", by_lookup)]),
        map(
            Some(temp("y")),
            [(":p/name", value("y")), (":p/_friends", vector([value(P), value("x")]))],
        ),
    ];
    let report = run(&database, ops).await;
    let (x, y) = (report.tempids["x"], report.tempids["y"]);
    assert_eq!(facts(&database, ":p/friend").await, [format!("{P} {x}")]);
    assert_eq!(facts(&database, ":p/friends").await, [format!("{P} {y}"), format!("{x} {y}")]);
    // It may be all that a map says.
    run(&database, vec![map(Some(EntityRef::Id(y)), [(":p/_friend", value(P))])]).await;
    assert_eq!(facts(&database, ":p/friend").await, [format!("{P} {y}")]);

    let listed = add(EntityRef::Id(P), ":p/_friend", value(x));
    let invalid = SqlState::INVALID_PARAMETER_VALUE;
    refuse(&database, vec![listed], invalid, "write [:db/add other :p/friend this]").await;
    let text = map(Some(EntityRef::Id(P)), [(":p/_email", value(x))]);
    refuse(&database, vec![text], SqlState::DATATYPE_MISMATCH, ":p/email is a string").await;
}

#[tokio::test]
async fn a_vector_is_what_the_schema_says() {
    let (_catalog, database) = people().await;
    run(&database, vec![map(None, [(":p/email", value("a"))])]).await;
    let e = || Some(EntityRef::Id(P));
    let two = || vector([value(":p/email"), value("a")]);
    let ops = vec![
        map(e(), [(":p/kinds", vector([value(":p/email"), value(":k")]))]),
        map(e(), [(":p/friend", two())]),
        map(e(), [(":p/friends", vector([two()]))]),
        add(EntityRef::Id(P), ":p/pair", vector([value(1), TxValue::Nil])),
        // Undeclared: whom it names, where it names somebody.
        add(EntityRef::Id(P), ":u/who", two()),
        add(EntityRef::Id(P), ":u/what", vector([value(1), value("x")])),
    ];
    run(&database, ops).await;
    let shown = |a: &'static str| async { facts(&database, a).await.join(", ") };
    assert_eq!(shown(":p/kinds").await, format!("{P} :k, {P} :p/email"));
    assert_eq!(shown(":p/friend").await, format!("{P} {P}"));
    assert_eq!(shown(":p/friends").await, format!("{P} {P}"));
    assert_eq!(shown(":p/pair").await, format!("{P} [1 nil]"));
    assert_eq!(shown(":u/who").await, format!("{P} {P}"));
    assert_eq!(shown(":u/what").await, format!("{P} [1 \"x\"]"));

    let mismatch = SqlState::DATATYPE_MISMATCH;
    let one = add(EntityRef::Id(P), ":p/tags", vector([value("x"), value("y")]));
    refuse(&database, vec![one], mismatch, "this is the vector").await;
    let one = map(e(), [(":p/email", vector([value("x")]))]);
    refuse(&database, vec![one], mismatch, "this is the vector").await;
    let invalid = SqlState::INVALID_PARAMETER_VALUE;
    let nil = map(e(), [(":p/email", TxValue::Nil)]);
    refuse(&database, vec![nil], invalid, "nil is no value").await;
}

#[tokio::test]
async fn a_value_is_swapped_where_it_holds() {
    let (_catalog, database) = people().await;
    run(&database, vec![map(None, [(":p/email", value("a"))])]).await;
    let e = || EntityRef::Id(P);
    run(&database, vec![cas(e(), ":p/age", None, value(1))]).await;
    let by_name = lookup(":p/email", "a");
    let report = run(&database, vec![cas(by_name, ":p/age", Some(value(1)), value(2))]).await;
    assert_eq!(datoms(&report), [format!("-{P} :p/age 1"), format!("+{P} :p/age 2")]);
    let failed = SqlState::COMPARE_FAILED;
    refuse(&database, vec![cas(e(), ":p/age", None, value(3))], failed, "is 2, not nil").await;
    let old = Some(value(1));
    refuse(&database, vec![cas(e(), ":p/age", old, value(3))], failed, "op 1 of 1").await;
    let many = cas(e(), ":p/tags", None, value("x"));
    refuse(&database, vec![many], SqlState::INVALID_PARAMETER_VALUE, "has many values").await;
    let twice = vec![
        cas(e(), ":p/age", Some(value(2)), value(3)),
        cas(e(), ":p/age", Some(value(2)), value(4)),
    ];
    refuse(&database, twice, SqlState::CARDINALITY_VIOLATION, "gets 3 and 4").await;
    // Of two who wait at the same time, one wins.
    let swap = |new| database.transact(vec![cas(e(), ":p/age", Some(value(2)), value(new))]);
    let (x, y) = futures::join!(swap(7), swap(8));
    assert!(x.is_ok());
    assert_eq!(y.err().map(|e| e.state), Some(failed));
    assert_eq!(facts(&database, ":p/age").await, [format!("{P} 7")]);
}

#[tokio::test]
async fn the_fifth_part_names_who_tells_more() {
    let (_catalog, database) = people().await;
    let why = || temp("why");
    let ops = vec![
        map(Some(why()), [(":source/name", value("a.csv"))]),
        about(why(), map(Some(temp("x")), [(":p/email", value("x")), (":p/name", value("X"))])),
        map(None, [(":p/email", value("y"))]),
    ];
    let report = run(&database, ops).await;
    let m = |report: &TxReport, a: &str| -> Vec<i64> {
        report.datoms.iter().filter(|d| d.a.as_str() == a).map(|d| d.m).collect()
    };
    let meta = report.tempids["why"];
    assert_eq!(m(&report, ":p/name"), [meta]);
    assert_eq!(m(&report, ":p/email"), [meta, 1]);
    assert_eq!((m(&report, ":source/name"), m(&report, ":db/txInstant")), (vec![1], vec![1]));

    // Of a whole transaction; an op's own goes before. What replaces another value retracts it for the same reason.
    let x = || lookup(":p/email", "x");
    let ops = vec![
        about(temp("all"), map(Some(EntityRef::Tx), [])),
        map(Some(temp("all")), [(":source/name", value("b.csv"))]),
        add(x(), ":p/name", value("Y")),
        about(EntityRef::Id(meta), add(x(), ":p/age", value(1))),
    ];
    let report = run(&database, ops).await;
    let all = report.tempids["all"];
    assert_eq!((m(&report, ":p/name"), m(&report, ":p/age")), (vec![all, all], vec![meta]));
    assert_eq!(m(&report, ":source/name"), [1]);

    // What is said of it later changes no op.
    let before: Vec<_> = report.datoms.to_vec();
    run(&database, vec![add(EntityRef::Id(meta), ":source/name", value("other"))]).await;
    let fact = database.snapshot().facts(&":p/age".into(), &[P]).await.unwrap();
    let said = before.iter().find(|d| d.a.as_str() == ":p/age").unwrap();
    let of_x = database.snapshot().all(&":p/age".into()).await.unwrap();
    assert_eq!(of_x.iter().map(|f| f.m_from).collect::<Vec<_>>(), [said.m], "{fact:?}");

    let ghost = about(temp("ghost"), add(x(), ":p/age", value(2)));
    let unknown = SqlState::FOREIGN_KEY_VIOLATION;
    refuse(&database, vec![ghost], unknown, "nothing is said of the tempid \"ghost\"").await;
    let built_in = about(EntityRef::Ident(":db/ident".into()), add(x(), ":p/age", value(2)));
    refuse(&database, vec![built_in], SqlState::RESERVED_NAME, "is no metadata").await;
    let twice = vec![
        about(x(), map(Some(EntityRef::Tx), [])),
        about(EntityRef::Id(meta), map(Some(EntityRef::Tx), [])),
    ];
    let invalid = SqlState::INVALID_PARAMETER_VALUE;
    refuse(&database, twice, invalid, "two metadata entities").await;
    let elsewhere = add(x(), ":dao/m", value(meta));
    refuse(&database, vec![elsewhere], invalid, "of an op or of the transaction").await;
}
