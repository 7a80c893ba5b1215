//! An attribute that is renamed: tables and forms take the new name, its datoms keep the first one.

use super::*;
use daodb_catalog::Schema;

fn rename(from: &str, to: &str) -> Op {
    map(Some(EntityRef::Ident(from.into())), [(":db/ident", value(Value::keyword(to)))])
}

async fn columns(database: &Database, t: i64) -> Vec<String> {
    let snapshot = database.snapshot().as_of(t);
    let tables = database.tables(&snapshot).await.unwrap();
    let of = |name: &str| tables.iter().find(|t| t.name == name).cloned();
    let columns = of("p").map(|p| p.columns.iter().map(|c| c.name.clone()).collect());
    columns.unwrap_or_default()
}

#[tokio::test]
async fn all_names_mean_the_attribute() {
    let (_catalog, database) = database().await;
    let ops = vec![
        declare(":p/email", &["string", "identity"]),
        map(None, [(":p/email", value("a")), (":p/n", value(1))]),
    ];
    let t0 = run(&database, ops).await.t;
    let t1 = run(&database, vec![rename(":p/email", ":p/mail")]).await.t;
    run(&database, vec![rename(":p/mail", ":p/post")]).await;
    assert_eq!(columns(&database, t0).await, ["email", "n"]);
    assert_eq!(columns(&database, t1).await, ["mail", "n"]);
    assert_eq!(columns(&database, t1 + 1).await, ["n", "post"]);

    // Said by two of its names in one transaction it is one attribute.
    let ops = vec![
        map(Some(temp("x")), [(":p/email", value("b"))]),
        map(Some(temp("y")), [(":p/post", value("b"))]),
        add(lookup(":p/mail", "a"), ":p/n", value(2)),
    ];
    let report = run(&database, ops).await;
    assert_eq!(report.tempids["x"], report.tempids["y"]);
    assert_eq!(facts(&database, ":p/email").await.len(), 2);
    assert!(facts(&database, ":p/post").await.is_empty());
    let ops = vec![map(None, [(":p/post", value(1))])];
    refuse(&database, ops, SqlState::DATATYPE_MISMATCH, ":p/post is declared string").await;

    // What is read from the data is what the transactor knows.
    let read = Schema::read(&database.snapshot()).await.unwrap();
    for name in [":p/email", ":p/mail", ":p/post"] {
        let attribute = read.get(&name.into()).unwrap();
        assert_eq!(attribute.ident.as_str(), ":p/email", "{name}");
        assert_eq!(attribute.name.as_str(), ":p/post", "{name}");
    }
    let then = Schema::read(&database.snapshot().as_of(t1)).await.unwrap();
    assert_eq!(then.name_of(&":p/email".into()).as_str(), ":p/mail");
    assert!(then.get(&":p/post".into()).is_none());
}

#[tokio::test]
async fn a_former_name_is_taken() {
    let (_catalog, database) = database().await;
    let ops = vec![
        declare(":p/name", &["string"]),
        declare(":p/age", &["long"]),
        map(None, [(":p/other", value(1))]),
        map(None, [(":db/ident", value(":color/red"))]),
    ];
    run(&database, ops).await;
    run(&database, vec![rename(":p/name", ":p/called")]).await;
    let check = SqlState::CHECK_VIOLATION;
    let again = vec![declare(":p/name", &["long"])];
    refuse(&database, again, check, ":p/name is a former name of :p/called").await;
    let age = vec![rename(":p/age", ":p/name")];
    refuse(&database, age, check, "is a former name").await;
    let unique = SqlState::UNIQUE_VIOLATION;
    refuse(&database, vec![rename(":p/age", ":p/called")], unique, ":db/ident is unique").await;
    let other = vec![rename(":p/age", ":p/other")];
    refuse(&database, other, check, "datoms of another attribute :p/other").await;
    // Back to the first name, and no attribute's name is free again.
    run(&database, vec![rename(":p/called", ":p/name")]).await;
    run(&database, vec![map(None, [(":p/called", value("Ada"))])]).await;
    assert_eq!(facts(&database, ":p/name").await.len(), 1);
    run(&database, vec![rename(":color/red", ":color/rot")]).await;
    let reports =
        run(&database, vec![map(Some(temp("r")), [(":db/ident", value(":color/red"))])]).await;
    let schema = database.schema(&database.snapshot()).await.unwrap();
    assert_eq!(schema.entity_of(&":color/red".into()), Some(reports.tempids["r"]));
}
