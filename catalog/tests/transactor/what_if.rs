//! A transaction that is asked for and not made does what it would do, and leaves nothing.

use super::{add, database, declare, facts, map, temp, value};
use daodb_catalog::{EntityRef, Op, SqlState};

fn ops() -> Vec<Op> {
    vec![
        declare(":p/email", &["string", "identity"]),
        map(Some(temp("a")), [(":p/email", value("a@b")), (":p/age", value(1))]),
    ]
}

#[tokio::test]
async fn it_is_what_a_transaction_does() {
    let (_catalog, database) = database().await;
    database.transact(vec![map(None, [(":p/age", value(7))])]).await.unwrap();
    let before = database.snapshot();
    let imagined = database.with(&before, ops()).await.unwrap();
    assert_eq!(database.snapshot().newest(), before.newest());
    assert_eq!(facts(&database, ":p/email").await.len(), 0);

    let other = database.imagine(imagined.db_after.clone()).await.unwrap();
    assert_eq!(facts(&other, ":p/email").await.len(), 1);
    assert!(other.only_reads());
    // The schema of each is its own.
    let unique = |schema: &daodb_catalog::Schema| schema.get(&":p/email".into()).is_some();
    assert!(unique(&other.schema(&other.snapshot()).await.unwrap()));
    assert!(!unique(&database.schema(&database.snapshot()).await.unwrap()));
    // What goes on from it is checked by it, and is imagined too.
    let twice = vec![add(EntityRef::Id(imagined.tempids["a"]), ":p/age", value(2))];
    let further = other.with(&other.snapshot(), twice).await.unwrap();
    assert_eq!((further.t, further.datoms.len()), (imagined.t + 1, 3));

    let done = database.transact(ops()).await.unwrap();
    assert_eq!((done.t, &done.tempids), (imagined.t, &imagined.tempids));
    let said = |datoms: &[daodb_storage::Datom]| -> Vec<String> {
        let all = datoms.iter().filter(|d| d.a.as_str() != ":db/txInstant");
        all.map(ToString::to_string).collect()
    };
    assert_eq!(said(&done.datoms), said(&imagined.datoms));
    assert_eq!(imagined.db_after.t(), done.db_after.t());
    assert_ne!(imagined.hash, before.newest().hash);
}

#[tokio::test]
async fn what_is_refused_is_refused_here_too() {
    let (_catalog, database) = database().await;
    database.transact(ops()).await.unwrap();
    let snapshot = database.snapshot();
    let refused = async |op: Op| {
        let e = database.with(&snapshot, vec![op.clone()]).await.err().unwrap();
        let made = database.transact(vec![op]).await.err().unwrap();
        assert_eq!((e.state, &e.message, e.op), (made.state, &made.message, made.op));
        e.state
    };
    let nobody = add(EntityRef::Id(1 << 40), ":p/age", value(1));
    assert_eq!(refused(nobody).await, SqlState::FOREIGN_KEY_VIOLATION);
    let wrong = map(None, [(":p/email", value(1))]);
    assert_eq!(refused(wrong).await, SqlState::DATATYPE_MISMATCH);
    let past = database.with(&snapshot.as_of(snapshot.t() - 1), ops()).await.err().unwrap();
    assert_eq!(past.state, SqlState::INVALID_PARAMETER_VALUE);
}
