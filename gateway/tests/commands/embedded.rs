//! The commands that need no server: `import git`, `sql`, `info`; and `serve`.

use super::program::{Server, both, daodb, done, fails, run};
use super::repository::{commit, git, init};
use std::io::Write;
use std::process::Stdio;

/// Imports a repository of three commits into `data`.
pub fn imported(dir: &std::path::Path) -> bool {
    if !init(dir, "commands on a folder") {
        return false;
    }
    commit(dir, "a", Some("1\n"), 1_700_000_000);
    commit(dir, "a", Some("1\n2\n"), 1_700_100_000);
    commit(dir, "b", Some("x\n"), 1_700_200_000);
    done(dir, &["import", "git", ".", "--database", "small", "--data", "data"]);
    true
}

#[test]
fn import_takes_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let import = ["import", "git", ".", "--database", "small", "--data", "data"];
    let said = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    let again = said(run(dir.path(), &import));
    assert!(again.contains("nothing new: t 1002 is the newest transaction"), "{again}");
    commit(dir.path(), "c", Some("y\n"), 1_700_300_000);
    let more = said(run(dir.path(), &import));
    assert!(more.contains("imported 1 commits"), "{more}");
    git(dir.path(), &["reset", "-q", "--hard", "HEAD~2"], 0);
    let text = fails(dir.path(), &import, 1);
    assert!(text.contains("is not among the first parents") && text.contains("hint: "), "{text}");
    fails(dir.path(), &["import", "git", "/no/such", "--data", "data"], 1);
}

#[test]
fn statements_from_everywhere_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let sql = |more: &[&str]| done(dir.path(), &[&["sql", "--data", "data"], more].concat());
    let query = "SELECT path, lines FROM file ORDER BY path";
    assert_eq!(sql(&[query]), "path,lines\na,2\nb,1\n");
    assert_eq!(sql(&[query, "--as-of", "1000"]), "path,lines\na,1\n");
    assert_eq!(sql(&[query, "--as-of", "2023-11-15 00:00:00"]), "path,lines\na,1\n");
    assert_eq!(
        sql(&[query, "--format", "json"]),
        "[{\"path\":\"a\",\"lines\":2},{\"path\":\"b\",\"lines\":1}]\n"
    );
    assert_eq!(
        sql(&["--format", "table", query]),
        " path | lines \n------+-------\n a    |     2\n b    |     1\n(2 rows)\n\n"
    );
    std::fs::write(dir.path().join("q.sql"), "SELECT 1 AS a; SELECT 'x' AS b;").unwrap();
    assert_eq!(sql(&["-f", "q.sql", "--format", "jsonl"]), "{\"a\":1}\n{\"b\":\"x\"}\n");

    let mut child = daodb(dir.path(), &["sql", "--data", "data"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"SELECT 2 AS two").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"two\n2\n");
}

#[test]
fn what_cannot_be_done_is_told_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let text = fails(dir.path(), &["sql", "--data", "nowhere", "SELECT 1"], 1);
    assert!(text.contains("there is no folder nowhere") && text.contains("hint: "), "{text}");
    assert!(!dir.path().join("nowhere").exists());
    if !imported(dir.path()) {
        return;
    }
    let fails = |more: &[&str], status| {
        fails(dir.path(), &[&["sql", "--data", "data"], more].concat(), status)
    };
    let text = fails(&["SELECT nope FROM file"], 1);
    assert!(text.contains("error: ") && text.contains("nope"), "{text}");
    let text = fails(&["SELECT FROM WHERE"], 1);
    assert!(text.contains("LINE 1: SELECT FROM WHERE") && text.contains('^'), "{text}");
    let text = fails(&["--database", "smal", "SELECT 1"], 1);
    assert!(text.contains("small"), "{text}");
    let text = fails(&["--as-of", "yesteryear", "SELECT 1"], 1);
    assert!(text.contains("yesteryear"), "{text}");
    fails(&["-f", "no-such.sql"], 2);
    fails(&["--format", "xml", "SELECT 1"], 2);
    // A reader that goes away is no failure.
    let out = std::process::Command::new("sh")
        .args([
            "-c",
            &format!(
                "{} sql --data data 'SELECT * FROM dao.datoms' | head -n 1",
                super::program::DAODB
            ),
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn info_of_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let text = done(dir.path(), &["info", "--data", "data"]);
    let (names, values) = text.trim_end().split_once('\n').unwrap();
    let of = |name: &str| {
        let at = names.split(',').position(|n| n == name).unwrap_or_else(|| panic!("{name}"));
        values.split(',').nth(at).unwrap().to_owned()
    };
    assert_eq!(
        (of("database"), of("t"), of("transactions")),
        ("small".into(), "1002".into(), "3".into())
    );
    assert_eq!(of("instant"), "2023-11-17 05:46:40+00");
    assert_eq!(of("tables"), "4");
    assert!(of("facts").parse::<i64>().unwrap() > of("hold_now").parse().unwrap());
}

#[test]
fn serve_needs_insecure_beyond_this_machine_and_ends_on_signals() {
    let dir = tempfile::tempdir().unwrap();
    let text = fails(dir.path(), &["serve", "--data", "data", "--pg", "0.0.0.0:0"], 2);
    assert!(text.contains("--insecure"), "{text}");
    let beyond = ["serve", "--data", "data", "--pg", "127.0.0.1:0", "--http", "0.0.0.0:0"];
    let text = fails(dir.path(), &beyond, 2);
    assert!(text.contains("--http 0.0.0.0:0 can be reached from other machines"), "{text}");
    for signal in ["-TERM", "-INT"] {
        let server = Server::start(dir.path(), &["serve", "--data", "data"]);
        assert!(server.signal(signal).success(), "{signal}");
    }
}

#[test]
fn memory_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["serve", "--data", "memory:"]);
    let client = server.connect("memory");
    assert_eq!(client.rows("SELECT count(*) > 0 FROM dao.storage"), [["t"]]);
    assert_eq!(client.rows("SELECT count(*) FROM dao.transactions"), [["0"]]);
    drop(client);
    assert!(server.signal("-TERM").success());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing stays");
}

#[test]
fn places_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let text = fails(dir.path(), &["serve", "--data", "ftp://music/a"], 2);
    assert!(text.contains("no kind of store has such a URL") && text.contains("hint: "), "{text}");
    let silent = ["--endpoint", "http://127.0.0.1:1", "--data", "s3://music/a"];
    let mut command = daodb(dir.path(), &["info"]);
    command.args(silent).env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s");
    let (text, status) = both(command, "");
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("s3://music/a: the store does not answer"), "{text}");
    assert!(text.contains("hint: check --endpoint"), "{text}");
}

#[test]
fn every_command_helps() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        &[][..],
        &["demo"],
        &["serve"],
        &["import"],
        &["import", "git"],
        &["sql"],
        &["info"],
        &["transact"],
        &["log"],
        &["history"],
        &["diff"],
        &["export"],
        &["verify"],
        &["rebuild-index"],
        &["backup"],
        &["restore"],
    ] {
        let text = done(dir.path(), &[command, &["--help"]].concat());
        assert!(text.contains("Usage: daodb"), "{command:?}: {text}");
        assert!(command == ["import"] || text.contains("Examples:"), "{command:?}: {text}");
    }
}
