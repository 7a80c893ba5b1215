//! `daodb demo` end to end: every history gets six queries, each of which runs and gives rows.

use super::program::{Client, PATIENCE, Server, done, fails};
use super::repository::{commit, git, init};
use std::path::Path;
use std::time::Instant;

const DAY: i64 = 86_400;

fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn demo(dir: &Path) -> Server {
    let mut server = Server::start(dir, &["demo", "--data", "data"]);
    server.wait_for("Ctrl-C ends");
    server
}

/// The printed queries: what stands between the comment lines.
fn queries(said: &str) -> Vec<String> {
    let text = said.split_once("Six queries").unwrap().1.split_once("Ctrl-C ends").unwrap().0;
    let mut queries: Vec<String> = Vec::new();
    for line in text.lines().skip(1) {
        if line.starts_with("-- ") {
            queries.push(String::new());
        } else if let Some(query) = queries.last_mut() {
            query.push_str(line);
            query.push('\n');
        }
    }
    queries
}

/// Six queries that give rows; they ask for what the six are about.
fn six_give_rows(server: &Server) -> Vec<String> {
    let client = server.connect("demo");
    let queries = queries(&server.said);
    assert_eq!(queries.len(), 6, "{}", server.said);
    for query in &queries {
        assert!(query.trim_end().ends_with(';'), "{query}");
        assert!(!client.rows(query).is_empty(), "no rows: {query}");
    }
    queries
}

fn count(client: &Client, sql: &str) -> i64 {
    client.rows(sql)[0][0].parse().unwrap()
}

#[test]
fn without_a_repository_the_sample_history() {
    let dir = tempfile::tempdir().unwrap();
    let server = demo(dir.path());
    let queries = six_give_rows(&server);
    for (query, part) in queries.iter().zip([
        "FOR SYSTEM_TIME AS OF TIMESTAMP '2025-07-",
        "GROUP BY person._id",
        "WHERE path = 'src/main.rs'",
        "date_trunc('month', at)",
        "old_value",
        "VERSION AS OF 1017",
    ]) {
        assert!(query.contains(part), "{part} is not in {query}");
    }
    let client = server.connect("demo");
    assert_eq!(count(&client, "SELECT count(*) FROM git"), 36);
    assert_eq!(count(&client, "SELECT count(*) FROM commit"), 37);
    drop(client);
    assert!(server.signal("-TERM").success());
}

#[test]
fn the_repository_it_stands_in_and_a_second_start() {
    let dir = tempfile::tempdir().unwrap();
    if !init(dir.path(), "the demo on a git repository") {
        return;
    }
    let now = now();
    commit(dir.path(), "it's \"odd\".txt", Some("1\n2\n3\n"), now - 400 * DAY);
    commit(dir.path(), "src/b.rs", Some("1\n"), now - 300 * DAY);
    commit(dir.path(), "it's \"odd\".txt", Some("1\n2\n3\n4\n"), now - 200 * DAY);
    commit(dir.path(), "src/b.rs", None, now - 20 * DAY);
    commit(dir.path(), "it's \"odd\".txt", Some("4\n"), now - 2 * DAY);

    // In a folder of it, as `cargo run` may stand.
    let below = dir.path().join("src");
    std::fs::create_dir_all(&below).unwrap();
    let server = demo(&below);
    let queries = six_give_rows(&server);
    assert!(queries[0].contains("now() - INTERVAL '1 month'"), "{}", queries[0]);
    assert!(queries[2].contains("WHERE path = 'it''s \"odd\".txt'"), "{}", queries[2]);
    let client = server.connect("demo");
    assert_eq!(count(&client, "SELECT max(t) FROM dao.transactions"), 1004);
    assert_eq!(client.rows("SELECT path, lines FROM file"), [["it's \"odd\".txt", "1"]]);
    drop(client);
    assert!(server.signal("-INT").success());

    // Again, with one commit more.
    commit(dir.path(), "c.txt", Some("new\n"), now - DAY);
    let start = Instant::now();
    let server = demo(&below);
    assert!(start.elapsed() < PATIENCE / 4);
    let client = server.connect("demo");
    assert_eq!(count(&client, "SELECT max(t) FROM dao.transactions"), 1005);
    assert_eq!(count(&client, "SELECT count(*) FROM file VERSION AS OF 1004"), 1);
    drop(client);
    assert!(server.signal("-TERM").success());

    // The history was rewritten: what is there is served as it is.
    git(dir.path(), &["commit", "-q", "--amend", "-m", "otherwise"], now - DAY);
    let server = demo(&below);
    six_give_rows(&server);
    assert_eq!(count(&server.connect("demo"), "SELECT max(t) FROM dao.transactions"), 1005);
}

/// Histories with next to nothing in them get six queries too.
#[test]
fn poor_histories() {
    type Make = fn(&Path, i64);
    let histories: [(&str, Make); 5] = [
        ("one commit without files", |dir, now| {
            git(dir, &["commit", "-q", "--allow-empty", "-m", "nothing"], now);
        }),
        ("one file", |dir, now| commit(dir, "a", Some("1\n"), now)),
        ("a file that is gone", |dir, now| {
            commit(dir, "a", Some("1\n"), now - 90 * DAY);
            commit(dir, "a", None, now - 80 * DAY);
        }),
        ("binary, with a name of two lines", |dir, now| {
            commit(dir, "a\nb", Some("\0"), now - 40 * DAY);
            commit(dir, "a\nb", Some("\0\0"), now);
        }),
        ("before there were computers, and after", |dir, now| {
            commit(dir, "a", Some("1\n"), 0);
            commit(dir, "b", Some("1\n"), now + 400 * DAY);
        }),
    ];
    for (what, make) in histories {
        let dir = tempfile::tempdir().unwrap();
        if !init(dir.path(), "the demo on poor histories") {
            return;
        }
        make(dir.path(), now());
        let server = demo(dir.path());
        assert_eq!(queries(&server.said).len(), 6, "{what}: {}", server.said);
        six_give_rows(&server);
    }
}

#[test]
fn a_repository_without_a_commit_and_none_at_all() {
    let dir = tempfile::tempdir().unwrap();
    if init(dir.path(), "the demo on an empty repository") {
        let text = fails(dir.path(), &["demo", "--data", "data", "--git", "."], 2);
        assert!(text.contains("has no commit yet"), "{text}");
        six_give_rows(&demo(dir.path()));
    }
    let text = fails(dir.path(), &["demo", "--data", "data", "--git", "/no/such"], 2);
    assert!(text.contains("/no/such") && text.contains("hint: "), "{text}");
}

#[test]
fn a_port_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = fails(dir.path(), &["demo", "--data", "data", "--pg", &address], 1);
    assert!(text.contains(&format!("cannot listen on {address}")), "{text}");
    assert!(text.contains("choose another: --pg 127.0.0.1:"), "{text}");
    assert!(!dir.path().join("data").exists(), "data is made before the port is known to be free");
}

#[test]
fn a_folder_that_another_process_has() {
    let dir = tempfile::tempdir().unwrap();
    let server = demo(dir.path());
    let text = fails(dir.path(), &["sql", "--data", "data", "SELECT 1"], 1);
    assert!(text.contains("hint: "), "{text}");
    assert!(server.signal("-TERM").success());
    assert_eq!(done(dir.path(), &["sql", "--data", "data", "SELECT 1 AS one"]), "one\n1\n");
}
