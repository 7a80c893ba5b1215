//! The commands that ask a folder for its past (`log`, `history`, `diff`), and the one that adds to it (`transact`).

use super::embedded::imported;
use super::program::{Server, both, daodb, done, fails};

const DATA: [&str; 2] = ["--data", "data"];

fn with<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [command, &DATA].concat()
}

/// The cells of a CSV without its header.
fn cells(csv: &str) -> Vec<Vec<&str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect()).collect()
}

#[test]
fn the_log_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let rows = |more: &[&str]| done(dir.path(), &with(&[&["log"], more].concat()));
    let all = rows(&[]);
    let ts = |csv: &str| cells(csv).iter().map(|row| row[0].to_owned()).collect::<Vec<_>>();
    assert_eq!(ts(&all), ["1002", "1001", "1000"], "{all}");
    let row = &cells(&all)[0];
    assert!(row[2].parse::<i64>().unwrap() > 1 && row[3].len() == 64, "{all}");
    assert_eq!(ts(&rows(&["--limit", "1"])), ["1002"]);
    assert_eq!(ts(&rows(&["--from", "1000", "--to", "1002"])), ["1001", "1000"]);
    assert_eq!(ts(&rows(&["--from", "1003"])), [""; 0]);

    let whole = rows(&["--datoms"]);
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("{:t 1000, :tx 1000, :instant #inst "));
    assert!(lines[2].contains(":tx-data [[") && lines[2].contains(row[3]), "{whole}");
    fails(dir.path(), &with(&["log", "--limit", "0"]), 2);
}

#[test]
fn an_entity_is_told_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let of = |csv: &str| csv.lines().nth(1).unwrap_or_default().to_owned();
    let sql = "SELECT entity, new_value FROM dao.changes WHERE attribute = ':file/path' ORDER BY t LIMIT 1";
    let first = of(&done(dir.path(), &with(&["sql", sql])));
    let (id, path) = first.split_once(',').unwrap();
    let lookup = format!("[:file/path {path:?}]");
    let by_value = done(dir.path(), &with(&["history", &lookup]));
    assert_eq!(by_value, done(dir.path(), &with(&["history", id])));
    assert_eq!(by_value.lines().next(), Some("t,at,attribute,old_value,new_value"));
    assert!(by_value.contains(&format!(",:file/path,,{path}\n")), "{by_value}");
    let one = done(dir.path(), &with(&["history", id, "--attribute", ":file/path"]));
    assert!(cells(&one).iter().all(|row| row[2] == ":file/path"), "{one}");
    let early = done(dir.path(), &with(&["history", id, "--as-of", "999"]));
    assert_eq!(early.lines().count(), 1, "{early}");

    for (entity, status, expect) in [
        ("[:file/path \"nowhere\"]", 1, "no entity ever had :file/path \"nowhere\""),
        ("[1 2]", 2, "1 is no attribute"),
        ("\"README.md\"", 2, "a string names no entity"),
        ("[", 2, "[ is never closed"),
    ] {
        let text = fails(dir.path(), &with(&["history", entity]), status);
        assert!(text.contains(expect) && (status == 1 || text.contains("hint: ")), "{text}");
    }
}

#[test]
fn two_moments_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let diff = |from: &str, to: &str| done(dir.path(), &with(&["diff", from, to]));
    let all = diff("999", "1002");
    assert_eq!(all.lines().next(), Some("op,e,a,v,type"));
    assert!(cells(&all).iter().all(|row| row[0] == "+"), "{all}");
    // What holds now, and nothing of what was changed in between.
    let count = "SELECT count(*) FROM dao.datoms WHERE added";
    let said = done(dir.path(), &with(&["sql", count]));
    let gone = "SELECT count(*) FROM dao.datoms WHERE NOT added";
    let unsaid = done(dir.path(), &with(&["sql", gone]));
    let number = |csv: &str| csv.lines().nth(1).unwrap().parse::<usize>().unwrap();
    assert_eq!(cells(&all).len(), number(&said) - number(&unsaid));

    let forth = diff("1000", "1002");
    let back = diff("1002", "1000");
    assert!(cells(&forth).len() > 1 && cells(&forth).len() == cells(&back).len());
    let mut turned: Vec<String> = back
        .lines()
        .skip(1)
        .map(|line| match line.split_at(1) {
            ("+", rest) => format!("-{rest}"),
            (_, rest) => format!("+{rest}"),
        })
        .collect();
    let mut lines: Vec<&str> = forth.lines().skip(1).collect();
    turned.sort();
    lines.sort();
    assert_eq!(lines, turned);
    assert_eq!(cells(&diff("1001", "1001")).len(), 0);
    fails(dir.path(), &with(&["diff", "1000", "4711"]), 1);
}

#[test]
fn transactions_go_into_a_folder_and_through_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let transact = |text: &str, more: &[&str]| {
        let arguments = [&["transact", "--database", "people"], more].concat();
        both(daodb(dir.path(), &arguments), text)
    };
    let (said, status) = transact("[{:p/name \"Ada\"}]\n{:tx-data [{:p/name \"Lin\"}]}", &DATA);
    assert!(status.success(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("{:t 1000,") && lines[1].starts_with("{:t 1001,"), "{said}");
    let names = "SELECT name FROM p ORDER BY name";
    assert_eq!(done(dir.path(), &with(&["sql", names])), "name\nAda\nLin\n");
    for (text, status, expect) in [
        (
            "[{:p/name \"Eva\"}] [[:db/add 7]]",
            2,
            "line 1, column 20: :db/add does not take 1 arguments",
        ),
        ("[{:p/name", 2, "line 1, column 2: { is never closed"),
        ("", 2, "there is no transaction"),
        (
            "[{:p/a 1}\n [:db/add 4300000000 :p/a 1]]",
            1,
            "line 2, column 2: transaction refused: op 2 of 2",
        ),
    ] {
        let (said, ended) = transact(text, &DATA);
        assert_eq!(ended.code(), Some(status), "{text}: {said}");
        assert!(said.contains(expect), "{text}: {said}");
    }
    assert_eq!(done(dir.path(), &with(&["sql", names])), "name\nAda\nLin\n");

    let mut server = Server::start(dir.path(), &with(&["serve"]));
    let url = server.http();
    let (said, status) = transact("[{:p/name \"Mira\"}]", &["--url", &url]);
    assert!(status.success() && said.starts_with("{:t 1002,"), "{said}");
    let (said, status) = transact("[[:db/add 4300000000 :p/a 1]]", &["--url", &url]);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("error: transaction refused: op 1 of 1"), "{said}");
    assert!(server.signal("-TERM").success());
    let (said, status) = transact("[{:p/name \"x\"}]", &["--url", &url]);
    assert!(status.code() == Some(1) && said.contains("hint: is a server there?"), "{said}");
    assert_eq!(done(dir.path(), &with(&["sql", names])), "name\nAda\nLin\nMira\n");
}

#[test]
fn a_command_says_who_and_why_and_does_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let transact = |text: &str, more: &[&str]| {
        let arguments = [&["transact", "--database", "people"], more].concat();
        let mut command = daodb(dir.path(), &arguments);
        command.env("USER", "tester");
        both(command, text)
    };
    let said = |more: &[&str]| {
        let text =
            "[{:p/name \"Ada\"}] {:tx-data [{:p/name \"Lin\"}] :author \"lin\" :reason \"hers\"}";
        let (said, status) = transact(text, more);
        assert!(status.success(), "{said}");
        said
    };
    let flags = ["--reason", "names", "--key", "k"];
    let first = said(&[&flags[..], &DATA].concat());
    assert!(first.starts_with("{:t 1000,") && first.contains("\n{:t 1001,"), "{first}");
    assert_eq!(said(&[&flags[..], &DATA].concat()), first);
    let client = concat!("daodb/", env!("CARGO_PKG_VERSION"));
    let who = "SELECT _id, author, client, reason FROM tx ORDER BY 1";
    let expect =
        format!("_id,author,client,reason\n1000,tester,{client},names\n1001,lin,{client},hers\n");
    assert_eq!(done(dir.path(), &with(&["sql", who])), expect);
    for (text, more, expect) in [
        ("[{:p/a 1}]", &["--author", ""][..], "error: --author is empty"),
        ("{:tx-data [{:p/a 1}] :autor \"x\"}", &[], "line 1, column 22: unknown key :autor"),
        ("{:tx-data [{:p/a 1}] :author 7}", &[], "line 1, column 30: the value of :author"),
    ] {
        let (said, status) = transact(text, &[more, &DATA].concat());
        assert!(status.code() == Some(2) && said.contains(expect), "{text}: {said}");
    }

    let mut server = Server::start(dir.path(), &with(&["serve"]));
    let url = server.http();
    // The server knows what was done before it was there.
    assert_eq!(said(&[&flags[..], &["--url", &url]].concat()), first);
    let (other, status) = transact("[{:p/name \"Eva\"}]", &["--url", &url, "--author", "eva"]);
    assert!(status.success() && other.starts_with("{:t 1002,"), "{other}");
    // Data that say it themselves.
    let own = "[{:p/name \"Mira\"} [:db/add \"datomic.tx\" :tx/author \"mira\"]]";
    assert!(transact(own, &["--url", &url]).1.success());
    assert!(server.signal("-TERM").success());
    let expect = format!("_id,author,client,reason\n1002,eva,{client},\n1003,mira,{client},\n");
    let who = "SELECT _id, author, client, reason FROM tx WHERE _id > 1001 ORDER BY 1";
    assert_eq!(done(dir.path(), &with(&["sql", who])), expect);
}

/// What a folder says, a server that has it says too.
#[test]
fn a_server_answers_as_its_folder_does() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let texts = [
        "[{:db/ident :p/name :db/valueType :db.type/string :db/unique :db.unique/identity}]",
        "[{:p/name \"Ada\" :p/at #inst \"2026-01-01\" :p/x 1.5} {:p/name \"Lin\" :p/tag :red}]",
        "[[:db/add [:p/name \"Lin\"] :p/name \"Lin Falk\"] [:db/retract [:p/name \"Ada\"] :p/x 1.5]]",
    ];
    let (said, status) =
        both(daodb(dir, &with(&["transact", "--database", "people"])), &texts.join("\n"));
    assert!(status.success(), "{said}");
    let asked: [&[&str]; 16] = [
        &["sql", "SELECT name, at, x, tag FROM p ORDER BY name"],
        &[
            "sql",
            "SELECT name, at, x, tag FROM p ORDER BY name",
            "--as-of",
            "1001",
            "--format",
            "table",
        ],
        &[
            "sql",
            "SELECT name, tag FROM p ORDER BY 1; SELECT count(*) AS n FROM p -- ;",
            "--format",
            "jsonl",
        ],
        &["sql", "SELECT name FROM p WHERE name = 'nobody'", "--format", "table"],
        &["sql", "SELECT name FROM p WHERE name = 'nobody'"],
        &["sql", "SELECT name, tag FROM p ORDER BY name", "--format", "edn"],
        &["log"],
        &["log", "--limit", "2", "--format", "jsonl"],
        &["log", "--from", "1000", "--to", "1002"],
        &["log", "--datoms", "--from", "1001"],
        &["history", "[:p/name \"Lin\"]"],
        &["history", "[:p/name \"Lin Falk\"]", "--attribute", ":p/name", "--format", "table"],
        &["history", ":p/name"],
        &["history", "[:p/name \"Ada\"]", "--as-of", "1001"],
        &["diff", "1001", "1002"],
        &["diff", "1002", "1000", "--format", "json"],
    ];
    let here: Vec<String> = asked.iter().map(|arguments| done(dir, &with(arguments))).collect();
    assert!(here[0].contains("Lin Falk") && here[10].contains("Lin,Lin Falk"), "{here:?}");
    let refused: [(&[&str], i32); 4] = [
        (&["sql", "SELECT nothing FROM p"], 1),
        (&["history", "[:p/name \"Nobody\"]"], 1),
        (&["history", "seven"], 2),
        (&["diff", "1000", "4711"], 1),
    ];
    let words: Vec<String> =
        refused.iter().map(|(arguments, status)| fails(dir, &with(arguments), *status)).collect();

    // Datoms come in the order of an index here, and in that of an answer there.
    let exports: [&[&str]; 7] = [
        &["--format", "edn"],
        &["--format", "csv"],
        &["--format", "edn", "--as-of", "1001"],
        &["--format", "edn", "--since", "1001"],
        &["--format", "edn", "--history"],
        &["--format", "csv", "--history", "--since", "1000", "--as-of", "1001"],
        &["--format", "csv", "--table", "p"],
    ];
    let sorted = |arguments: &[&str], more: &[&str]| {
        let said = done(dir, &[&["export"], arguments, more].concat());
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let exported: Vec<_> = exports.iter().map(|arguments| sorted(arguments, &DATA)).collect();
    assert!(exported.iter().all(|lines| lines.len() > 1), "{exported:?}");
    // Of what lies in the store the closing of the server makes more.
    let about = |more: &[&str]| {
        let said = done(dir, &[&["info", "--format", "csv"], more].concat());
        let cells = |line: &str| line.split(',').take(8).collect::<Vec<_>>().join(",");
        said.lines().map(cells).collect::<Vec<_>>()
    };
    let held = about(&DATA);
    assert!(held.len() == 2 && held[1].starts_with("people,100"), "{held:?}");

    let mut server = Server::start(dir, &with(&["serve"]));
    let url = server.http();
    for (arguments, expect) in exports.iter().zip(&exported) {
        assert_eq!(&sorted(arguments, &["--url", &url]), expect, "{arguments:?}");
    }
    done(dir, &["export", "--format", "parquet", "--out", "p.parquet", "--url", &url]);
    assert!(std::fs::read(dir.join("p.parquet")).unwrap().starts_with(b"PAR1"));
    fails(dir, &["export", "--format", "edn", "--table", "nothing", "--url", &url], 1);
    assert_eq!(about(&["--url", &url]), held);
    assert_eq!(about(&["--url", &url, "--database", "people"]), held);
    // What is written while it is read is joined and merged under its eyes, and is no fault.
    let checked = |more: &[&str]| {
        let said = done(dir, &[&["verify", "--deep", "--format", "csv"], more].concat());
        let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split(',').collect()).collect();
        let cells = |name| {
            let at = rows[0].iter().position(|column| *column == name).unwrap();
            rows[1..].iter().map(|row| row[at].to_owned()).collect::<Vec<_>>()
        };
        ["database", "faults", "notes", "transactions", "datoms", "t", "hash"].map(cells)
    };
    let found = checked(&["--url", &url]);
    assert_eq!(found[..3], ["people", "0", "0"].map(|cell| vec![cell.to_owned()]), "{found:?}");
    assert!(found[6].iter().all(|hash| hash.len() == 64), "{found:?}");
    for (arguments, expect) in asked.iter().zip(&here) {
        let said = done(dir, &[arguments, &["--url", &url][..]].concat());
        assert_eq!(&said, expect, "{arguments:?}");
    }
    for ((arguments, status), expect) in refused.iter().zip(&words) {
        let said = fails(dir, &[arguments, &["--url", &url][..]].concat(), *status);
        assert_eq!(said.lines().next(), expect.lines().next(), "{arguments:?}");
    }
    assert!(server.signal("-TERM").success());
    assert_eq!(checked(&DATA), found);
    let said = fails(dir, &["sql", "SELECT 1", "--url", &url, "--database", "people"], 1);
    assert!(said.contains("hint: is a server there?"), "{said}");
}
