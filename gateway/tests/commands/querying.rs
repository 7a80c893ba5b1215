//! `daodb query`: the same answers of a folder and through a server, in each format, and places of what is wrong.

use super::program::{Server, both, daodb, done, fails, run};
use std::path::Path;

const DATA: [&str; 2] = ["--data", "data"];

fn people(dir: &Path) {
    let text = "[{:db/ident :p/name :db/valueType :db.type/string :db/unique :db.unique/identity} \
         {:db/ident :p/age :db/valueType :db.type/long}]\n\
        [{:p/name \"Ada\" :p/age 36} {:p/name \"Bob\" :p/age 25 :p/tag :red}]\n\
        [{:p/name \"Bob\" :p/age 26}]";
    let (said, status) =
        both(daodb(dir, &["transact", "--database", "people", "--data", "data"]), text);
    assert!(status.success(), "{said}");
}

const AGES: &str = "[:find ?n ?a :where [?e :p/name ?n] [?e :p/age ?a] :order-by ?n]";

/// Arguments, and what is then said on stdout.
const CASES: [(&[&str], &str); 15] = [
    (&[AGES], "?n,?a\nAda,36\nBob,26\n"),
    (&[AGES, "--format", "table"], " ?n  | ?a \n-----+----\n Ada | 36\n Bob | 26\n(2 rows)\n\n"),
    (&[AGES, "--format", "edn"], "[\"Ada\" 36]\n[\"Bob\" 26]\n"),
    (&[AGES, "--format", "json"], "[[\"Ada\",36],\n[\"Bob\",26]]\n"),
    (&[AGES, "--format", "jsonl", "--limit", "1"], "[\"Ada\",36]\n"),
    (&[AGES, "--as-of", "1001"], "?n,?a\nAda,36\nBob,25\n"),
    (&["[:find ?a :where [_ :p/age ?a]]", "--since", "1001"], "?a\n26\n"),
    (
        &[
            "[:find ?a ?added :where [?e :p/name \"Bob\"] [?e :p/age ?a _ _ ?added] :order-by ?a ?added]",
            "--history",
        ],
        "?a,?added\n25,f\n25,t\n26,t\n",
    ),
    (&["[:find (sum ?a) . :where [_ :p/age ?a]]", "--format", "edn"], "62\n"),
    (&["[:find ?x . :where [_ :p/age 7] [_ :p/name ?x]]", "--format", "edn"], "nil\n"),
    (
        &[
            "[:find [?n ...] :in $ ?min :where [?e :p/age ?a] [(> ?a ?min)] [?e :p/name ?n]]",
            "--arg",
            "30",
        ],
        "?n\nAda\n",
    ),
    (
        &[
            "[:find ?was ?is :in $ $t :where [$t ?e :p/age ?was] [?e :p/age ?is] [(!= ?was ?is)]]",
            "--arg",
            "{:db \"people\" :as-of 1001}",
        ],
        "?was,?is\n25,26\n",
    ),
    (
        &[
            "[:find ?n (pull ?e [:p/tag]) :keys name it :where [?e :p/name ?n] [?e :p/tag :red]]",
            "--format",
            "jsonl",
        ],
        "{\"name\":\"Bob\",\"it\":{\":p/tag\":\":red\"}}\n",
    ),
    (
        &["[:find (pull ?e [:p/tag]) :where [?e :p/age 26]]", "--format", "csv"],
        "(pull ?e [:p/tag])\n{:p/tag :red}\n",
    ),
    (&["[:find ?a :where [?e :p/name \"Nobody\"] [?e :p/age ?a]]", "--format", "json"], "[]\n"),
];

#[test]
fn a_folder_and_a_server_answer_alike() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    people(dir);
    for (arguments, expect) in CASES {
        let said = done(dir, &[&["query"], arguments, &DATA[..]].concat());
        assert_eq!(said, expect, "{arguments:?}");
    }
    let stages = done(dir, &[&["query", AGES, "--explain"], &DATA[..]].concat());
    assert!(stages.starts_with("-- query\n") && stages.contains("-- physical\n"), "{stages}");

    let mut server = Server::start(dir, &[&["serve"], &DATA[..]].concat());
    let url = server.http();
    for (arguments, expect) in CASES {
        let said = done(dir, &[&["query"], arguments, &["--url", &url]].concat());
        assert_eq!(said, expect, "{arguments:?} through the server");
    }
    let stages = done(dir, &["query", AGES, "--explain", "--url", &url]);
    assert!(stages.starts_with("-- query\n") && stages.contains("-- physical\n"), "{stages}");
    wrong(dir, &["--url", &url], 1);
    assert!(server.signal("-TERM").success());
}

/// What is wrong is shown in the query's text.
fn wrong(dir: &Path, place: &[&str], status: i32) {
    let said =
        fails(dir, &[&["query", "[:find ?nme :where [_ :p/name ?name]]"], place].concat(), status);
    assert!(said.contains("?nme, which nothing binds"), "{said}");
    assert!(said.contains("LINE 1: [:find ?nme") && said.contains("               ^"), "{said}");
    assert!(said.contains("hint: perhaps ?name is meant"), "{said}");
    let said = fails(dir, &[&["query", AGES, "--as-of", "4711"], place].concat(), status);
    assert!(said.contains("4711 does not exist yet"), "{said}");
}

#[test]
fn what_is_asked_wrongly() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    people(dir);
    wrong(dir, &DATA, 1);
    for (more, expect) in [
        (&["--arg", "[1"][..], "--arg [1: "),
        (&["--arg", "{:db \"people\" :asof 1}"], ":asof 1 says nothing of a database"),
        (&["--arg", "{:db \"people\" :as-of [1]}"], "a time is a t"),
    ] {
        let said = fails(dir, &[&["query", AGES], more, &DATA[..]].concat(), 2);
        assert!(said.contains(expect), "{more:?}: {said}");
    }
    let said = fails(dir, &[&["query", AGES, "--arg", "{:db \"none\"}"], &DATA[..]].concat(), 1);
    assert!(said.contains("\"none\" does not exist"), "{said}");
    // What nothing has is told beside the answer.
    let output = run(dir, &[&["query", "[:find ?x :where [_ :p/nane ?x]]"], &DATA[..]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("note: ") && said.contains(":p/name"),
        "{said}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "?x\n");
    // From a pipe, and from a file.
    let (said, status) = both(daodb(dir, &[&["query"], &DATA[..]].concat()), AGES);
    assert!(status.success() && said == "?n,?a\nAda,36\nBob,26\n", "{said}");
    std::fs::write(dir.join("q.edn"), AGES).unwrap();
    assert_eq!(done(dir, &[&["query", "-f", "q.edn"], &DATA[..]].concat()), said);
}

/// Statements, too, give EDN and Arrow.
#[test]
fn rows_of_statements_as_edn_and_arrow() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    people(dir);
    let sql = "SELECT name, age, tag FROM p ORDER BY name";
    let said = done(dir, &[&["sql", sql, "--format", "edn"], &DATA[..]].concat());
    assert_eq!(said, "{:name \"Ada\" :age 36}\n{:name \"Bob\" :age 26 :tag :red}\n");
    for arguments in [&["sql", sql][..], &["query", AGES]] {
        let output = run(dir, &[arguments, &["--format", "arrow"], &DATA[..]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        // A stream of Arrow begins with the mark of a message, and ends with that of the end.
        assert!(output.stdout.starts_with(&[0xff, 0xff, 0xff, 0xff]), "{arguments:?}");
        assert!(output.stdout.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("Ada") && text.contains("Bob"), "{arguments:?}");
    }
}
