//! What helps who types: the prompt of `daodb sql`, completions of shells, pages of the manual.

use super::program::{DAODB, Server, both, daodb, done, fails, is_there, without_settings};
use std::process::Command;

/// Statements, a query and commands on a terminal, which `script` makes.
#[test]
fn a_prompt_takes_both_languages() {
    if !is_there("script", "the prompt of daodb sql") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = ["transact", "--database", "people", "--data", "data"];
    let (said, status) = both(daodb(dir, &data), "[{:p/name \"Ada\"}] [{:p/name \"Lin\"}]");
    assert!(status.success(), "{said}");
    let prompt_on = |place: &str, typed: &str| {
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &format!("{DAODB} sql {place}"), "/dev/null"]);
        command.current_dir(dir).env("NO_COLOR", "1").env("TERM", "xterm");
        let mut command = without_settings(command);
        command.env("DAODB_HISTORY", dir.join("history"));
        let (said, status) = both(command, typed);
        assert!(status.success(), "{said}");
        said.replace("\r\n", "\n")
    };
    let prompt = |typed: &str| prompt_on("--data data", typed);
    let statements = "SELECT count(*) AS people\nFROM p;\n[:find (count ?n) .\n:where [_ :p/name ?n]]\n\
         SELECT nothing FROM p;\nSET daodb.as_of = '1000';\n[:find ?n :where [_ :p/name ?n]]\n\\dt\n\\q\n";
    let answers = [
        "people=> ",
        "people-> ",
        " people \n--------\n      2\n(1 row)\n",
        " (count ?n) \n------------\n          2\n(1 row)\n",
        "error: ",
        "\nSET\n",
        " ?n  \n-----\n Ada\n(1 row)\n",
        " table_name \n------------\n p\n tx\n(2 rows)\n",
    ];
    let said = prompt(statements);
    for expect in answers {
        assert!(said.contains(expect), "{expect:?} in {said}");
    }
    // What was typed is remembered, whole.
    let history = std::fs::read_to_string(dir.join("history")).unwrap();
    assert!(
        history.starts_with("SELECT count(*) AS people\\nFROM p;\n[:find (count ?n) .\\n"),
        "{history}"
    );
    assert!(
        history.ends_with("\\dt\n\\\\q\n") || history.ends_with("\\\\dt\n\\\\q\n"),
        "{history}"
    );
    // Ctrl-P, Enter: the last entry again, which ends it.
    let said = prompt("\x10\n");
    assert!(said.contains("people=> \\q"), "{said}");

    // Several lines come back as they were: the comment in them ends where it did.
    prompt("SELECT 7 AS a -- seven\n, 8 AS b;\n\\q\n");
    let said = prompt("\x10\x10\n\\q\n");
    assert!(said.contains("people=> SELECT 7 AS a -- seven⏎, 8 AS b;"), "{said}");
    assert!(said.contains(" a | b \n---+---\n 7 | 8\n(1 row)\n"), "{said}");

    // Through a server the same, times that are set too.
    let mut server = Server::start(dir, &["serve", "--data", "data"]);
    let said = prompt_on(&format!("--url {}", server.http()), statements);
    for expect in answers {
        assert!(said.contains(expect), "{expect:?} in {said}");
    }
    let more = "SET daodb.as_of = '4711';\nRESET daodb.as_of;\n\\d p\nSELECT name FROM p;\n\\q\n";
    let said = prompt_on(&format!("--url {} --as-of 1000", server.http()), more);
    for expect in ["error: ", " column_name |", " name \n------\n Ada\n Lin\n(2 rows)\n"] {
        assert!(said.contains(expect), "{expect:?} in {said}");
    }
    assert!(server.signal("-TERM").success());
}

#[test]
fn shells_and_the_manual_know_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = done(dir, &["completions", shell]);
        for word in ["import", "parquet", "query", "--as-of", "--idempotency"] {
            let there = script.contains(word.trim_start_matches('-'));
            assert_eq!(there, word != "--idempotency", "{word} for {shell}");
        }
    }
    fails(dir, &["completions", "tcl"], 2);
    done(dir, &["man", "pages"]);
    for (page, words) in [
        ("daodb.1", &["daodb", "import", "Examples"][..]),
        ("daodb-import-csv.1", &["delimiter", "table"]),
        ("daodb-query.1", &["Datalog", "explain"]),
    ] {
        let text = std::fs::read_to_string(dir.join("pages").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
        for word in words {
            assert!(text.contains(word), "{word} in {page}");
        }
    }
}
