//! `daodb import csv`, `json` and `parquet`: rows go in, again they change nothing, and what is no value is told with its place.

use super::program::{Server, both, daodb, done, fails, run};
use std::path::Path;

const DATA: [&str; 2] = ["--data", "data"];

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

/// Imports into database d; what it says on stderr. It must end well.
fn import(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, &[&["import"], arguments, &DATA, &["--database", "d"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    stderr
}

/// The same, and it must fail.
fn refused(dir: &Path, arguments: &[&str], status: i32) -> String {
    fails(dir, &[&["import"], arguments, &DATA, &["--database", "d"]].concat(), status)
}

fn sql(dir: &Path, query: &str) -> String {
    done(dir, &[&["sql", query], &DATA[..]].concat())
}

#[test]
fn csv_goes_in_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(
        dir,
        "people.csv",
        "email,name,age,born,zip,note\r\n\
         a@b,Ada,36,1815-12-10,007,\"two\nlines, and \"\"quotes\"\"\"\r\n\
         l@b,Lin,,1990-01-02 03:04:05+01,123,\r\n\
         e@b,\"\",7,2018-01-01,9,x\r\n",
    );
    let people = ["csv", "people.csv", "--table", "person", "--key", "email"];
    let said = import(dir, &people);
    assert!(said.contains("imported 3 of 3 rows into table person of database d"), "{said}");
    let all = "SELECT email, name, age, born, zip, note FROM person ORDER BY email";
    let expect = "email,name,age,born,zip,note\n\
        a@b,Ada,36,1815-12-10 00:00:00+00,007,\"two\nlines, and \"\"quotes\"\"\"\n\
        e@b,\"\",7,2018-01-01 00:00:00+00,9,x\n\
        l@b,Lin,,1990-01-02 02:04:05+00,123,\n";
    assert_eq!(sql(dir, all), expect);
    // Who, from where and why; the declaration of the key is a transaction of its own.
    let why = sql(dir, "SELECT reason, count(*) AS n FROM tx GROUP BY reason");
    assert_eq!(why, "reason,n\nimport of people.csv,2\n");

    let said = import(dir, &people);
    assert!(said.contains(": 0 changes;"), "{said}");
    assert_eq!(sql(dir, all), expect);

    // By a pipe, too; nothing of it stays behind.
    let piped = ["import", "csv", "-", "--table", "piped", "--key", "n", "--database", "d"];
    let mut command = daodb(dir, &[&piped[..], &DATA].concat());
    command.env("TMPDIR", dir.join("spool"));
    std::fs::create_dir(dir.join("spool")).unwrap();
    let (said, status) = both(command, "n,x\n1,a\n2,b\n");
    assert!(status.success(), "{said}");
    assert_eq!(sql(dir, "SELECT n, x FROM piped ORDER BY n"), "n,x\n1,a\n2,b\n");
    assert_eq!(std::fs::read_dir(dir.join("spool")).unwrap().count(), 0);

    // Mended: a cell that is empty takes its value away, and what was a text stays one.
    write(dir, "mended.csv", "email,age,zip,note\nl@b,33,456,\na@b,,456,\nn@b,1,1,new\n");
    let said = import(dir, &["csv", "mended.csv", "--table", "person", "--key", "email"]);
    // l: age and zip; a: age and note away, zip; n: four. A value that is replaced is two datoms.
    assert!(said.contains("imported 3 of 3 rows") && said.contains(": 11 changes;"), "{said}");
    let now = sql(dir, "SELECT email, name, age, zip, note FROM person ORDER BY email");
    let expect =
        "email,name,age,zip,note\na@b,Ada,,456,\ne@b,\"\",7,9,x\nl@b,Lin,33,456,\nn@b,,1,1,new\n";
    assert_eq!(now, expect);
    let types = "SELECT DISTINCT a, type FROM dao.datoms WHERE a LIKE ':person/%' ORDER BY a";
    let expect = "a,type\n:person/age,long\n:person/born,instant\n:person/email,string\n\
        :person/name,string\n:person/note,string\n:person/zip,string\n";
    assert_eq!(sql(dir, types), expect);
}

#[test]
fn bad_rows_are_told_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, "good.csv", "id,n,price\n1,7,2.50\n");
    let good = ["--table", "t", "--key", "id", "--type", "price=bigdec"];
    import(dir, &[&["csv", "good.csv"], &good[..]].concat());
    let before = sql(dir, "SELECT count(*) FROM dao.transactions");
    for (text, more, expect) in [
        ("id,n\n2,8\n3,many\n", &[][..], "bad.csv, row 2 (line 3), column n: \"many\" is no long"),
        ("id,n\n2,8\n,9\n", &[], "bad.csv, row 2 (line 3), column id: the key is missing"),
        ("id,n\n2,8,1\n", &[], "bad.csv, row 1 (line 2): it has 3 fields"),
        ("id,price\n2,cheap\n", &[], "row 1 (line 2), column price: \"cheap\" is no bigdec"),
        ("id,n\n2,\"8\n", &[], "row 1 (line 2): a quote is never closed"),
        ("nr,n\n2,8\n", &[], "bad.csv: there is no column id"),
        ("id,n\n2,8\n", &["--type", "m=long"], "bad.csv: there is no column m"),
        ("id,a b,a_b\n2,1,2\n", &[], "bad.csv: columns a b and a_b are both :t/a_b"),
        ("", &[], "bad.csv: the file is empty"),
    ] {
        write(dir, "bad.csv", text);
        let arguments = [&["csv", "bad.csv", "--table", "t", "--key", "id"], more].concat();
        let said = refused(dir, &arguments, 1);
        assert!(said.contains(expect), "{text:?}: {said}");
    }
    for (text, expect) in [
        (
            "[{\"id\": 2},\n {\"id\": 3, \"n\": {\"x\": 1}}]",
            "row 2 (line 2), column n: an object is no value",
        ),
        ("{\"id\": 2}\n{\"id\": 3, }", "bad.json, row 2 (line 2): "),
        ("[{\"id\": 2}", "bad.json, row 2 (line 1): the end where a comma"),
        ("{\"id\": [2, 3]}", "column id: it has lists"),
        ("{\"id\": 2, \"n\": true}", "row 1 (line 1), column n: \"true\" is no long"),
    ] {
        write(dir, "bad.json", text);
        let said = refused(dir, &["json", "bad.json", "--table", "t", "--key", "id"], 1);
        assert!(said.contains(expect), "{text:?}: {said}");
    }
    write(dir, "bad.parquet", "PAR1 no");
    let said = refused(dir, &["parquet", "bad.parquet", "--table", "t", "--key", "id"], 1);
    assert!(said.contains("bad.parquet: cannot be read as Parquet"), "{said}");
    let usage = |arguments: &[&str], expect: &str| {
        let said = refused(dir, arguments, 2);
        assert!(said.contains(expect), "{said}");
    };
    usage(&["csv", "none.csv", "--table", "t", "--key", "id"], "cannot read none.csv");
    usage(&["csv", "good.csv", "--table", "t"], "--key <COLUMN>");
    usage(
        &["csv", "good.csv", "--table", "t", "--key", "id", "--type", "n=money"],
        "no type money",
    );
    assert_eq!(sql(dir, "SELECT count(*) FROM dao.transactions"), before);
    assert_eq!(sql(dir, "SELECT id, n, price FROM t"), "id,n,price\n1,7,2.5\n");
}

#[test]
fn json_goes_in_as_an_array_or_line_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(
        dir,
        "a.json",
        "[{\"id\": \"x\", \"n\": 1, \"tags\": [\"a\", \"b\"]},\n\n {\"id\": \"y\", \"n\": 2.5, \"say\": \":-)\", \"n2\": null}]\n",
    );
    write(
        dir,
        "b.jsonl",
        "{\"id\": \"y\", \"ok\": true, \"big\": 123456789012345678901234567890}\n{\"id\": \"z\", \"tags\": [\"c\"]}\n",
    );
    let import = |file: &str| import(dir, &["json", file, "--table", "t", "--key", "id"]);
    import("a.json");
    let all = "SELECT id, n, say, tags FROM t ORDER BY id";
    let expect = "id,n,say,tags\nx,1,,\"{a,b}\"\ny,2.5,:-),\n";
    assert_eq!(sql(dir, all), expect);
    assert!(import("a.json").contains(": 0 changes;"));
    import("b.jsonl");
    // What a file does not name stays.
    let all = "SELECT id, n, ok, big, tags FROM t ORDER BY id";
    let expect =
        "id,n,ok,big,tags\nx,1,,,\"{a,b}\"\ny,2.5,t,123456789012345678901234567890,\nz,,,,{c}\n";
    assert_eq!(sql(dir, all), expect);
}

/// What `daodb export` writes comes in as it was, in each format that both know.
#[test]
fn what_was_exported_comes_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(
        dir,
        "all.csv",
        "code,n,d,ok,at,id,dec\n\
         a,1,2.5,true,2026-01-01 12:30:00.25+00,67e55044-10b1-426f-9247-bb680e5fe0c8,1.5\n\
         b,-9223372036854775808,1e300,false,1969-12-31,,\n",
    );
    let types = ["--type", "dec=bigdec"];
    import(dir, &[&["csv", "all.csv", "--table", "t", "--key", "code"], &types[..]].concat());
    let all = "SELECT code, n, d, ok, at, id, dec FROM t ORDER BY code";
    let expect = sql(dir, all);
    for format in ["csv", "parquet"] {
        let file = format!("out.{format}");
        let arguments =
            ["export", "--format", format, "--table", "t", "--out", &file, "--database", "d"];
        done(dir, &[&arguments[..], &DATA].concat());
        // By the key, into the same table: nothing differs. The id of the database is passed over.
        let said = import(dir, &[format, &file, "--table", "t", "--key", "code"]);
        assert!(
            said.contains(": 0 changes;") && said.contains("column _id is passed over"),
            "{said}"
        );
        // By id.
        let said = import(dir, &[format, &file, "--table", "t", "--key", "_id"]);
        assert!(said.contains(": 0 changes;"), "{said}");
        // Into a table of another name: the same rows.
        let other = format!("t_{format}");
        let arguments = [format, &file, "--table", &other, "--key", "code"];
        import(dir, &[&arguments[..], &types].concat());
        assert_eq!(sql(dir, &all.replace("FROM t ", &format!("FROM {other} "))), expect);
    }
}

/// More rows than a transaction takes, some of them twice: the last one counts.
#[test]
fn many_rows_are_several_transactions() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut text = String::from("id,n,odd\n");
    for n in 0..12_000 {
        let odd = if n % 2 == 1 { "odd" } else { "" };
        text.push_str(&format!("{n},{},{odd}\n", n * 2));
    }
    // The first row again, without what it has; and one that follows it at once.
    text.push_str("1,7,\n0,3,a\n0,4,b\n");
    write(dir, "many.csv", &text);
    let many = ["csv", "many.csv", "--table", "t", "--key", "id"];
    let said = import(dir, &many);
    assert!(said.contains("imported 12003 of 12003 rows"), "{said}");
    let counted = sql(dir, "SELECT count(*) AS all_rows, count(odd) AS odd FROM t");
    assert_eq!(counted, "all_rows,odd\n12000,6000\n");
    assert_eq!(
        sql(dir, "SELECT id, n, odd FROM t WHERE id < 3 ORDER BY id"),
        "id,n,odd\n0,4,b\n1,7,\n2,4,\n"
    );
    let transactions = sql(dir, "SELECT count(*) > 2 FROM dao.transactions");
    assert!(transactions.ends_with("\nt\n"), "{transactions}");
}

/// The same through a server, which has the folder meanwhile.
#[test]
fn rows_go_in_through_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut text = String::from("id,name,tags,at\n");
    for n in 0..11_000 {
        text.push_str(&format!("{n},\"name \"\"{n}\"\"\",x,2026-01-01 00:00:00.5+00\n"));
    }
    write(dir, "a.csv", &text);
    write(
        dir,
        "b.json",
        "[{\"id\": 1, \"name\": null, \"many\": [1, 2]}, {\"id\": 2, \"name\": \"\\u00df\"}]",
    );
    write(dir, "bad.csv", "id,at\n1,soon\n");
    // A uniqueness that the second row breaks, which only the database knows.
    write(dir, "twice.csv", "id,name\n3,one\n4,one\n");
    import(dir, &["csv", "a.csv", "--table", "t", "--key", "id"]);

    let mut server = Server::start(dir, &[&["serve"], &DATA[..]].concat());
    let url = server.http();
    let through = |arguments: &[&str]| {
        let output = run(dir, &[&["import"], arguments, &["--key", "id", "--url", &url]].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = through(&["csv", "a.csv", "--table", "t"]);
    assert!(
        status == Some(0)
            && said.contains("imported 11000 of 11000 rows into table t of database d"),
        "{said}"
    );
    assert!(said.contains(": 0 changes;"), "{said}");
    let newest = || {
        let rows = done(dir, &["log", "--limit", "1", "--format", "csv", "--url", &url]);
        rows.lines().nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    // What changes nothing is no transaction.
    let before = newest();
    assert!(through(&["csv", "a.csv", "--table", "t"]).0 == Some(0));
    assert_eq!(newest(), before);
    let (status, said) = through(&["csv", "a.csv", "--table", "other"]);
    assert!(status == Some(0) && said.contains("imported 11000 of 11000"), "{said}");
    let (status, said) = through(&["json", "b.json", "--table", "t"]);
    // A name less, two numbers more; a name for another.
    assert!(status == Some(0) && said.contains("imported 2 of 2 rows"), "{said}");
    let (status, said) = through(&["csv", "bad.csv", "--table", "t"]);
    assert!(
        status == Some(1) && said.contains("bad.csv, row 1 (line 2), column at: \"soon\""),
        "{said}"
    );
    let unique = "[{:db/ident :t/name :db/unique :db.unique/value}]";
    std::fs::write(dir.join("unique.edn"), unique).unwrap();
    done(dir, &["transact", "unique.edn", "--url", &url]);
    let (status, said) = through(&["csv", "twice.csv", "--table", "t"]);
    assert!(status == Some(1) && said.contains("error: twice.csv, row "), "{said}");
    assert!(server.signal("-TERM").success());

    let all = sql(dir, "SELECT id, name, tags, many FROM t WHERE id < 4 ORDER BY id");
    let expect = "id,name,tags,many\n0,\"name \"\"0\"\"\",x,\n1,,x,\"{1,2}\"\n2,ß,x,\n3,\"name \"\"3\"\"\",x,\n";
    assert_eq!(all, expect);
    let same = "SELECT count(*) AS n FROM other JOIN t USING (id) WHERE other.at = t.at";
    assert_eq!(sql(dir, same), "n\n11000\n");
    let client = "SELECT DISTINCT client FROM tx";
    assert_eq!(sql(dir, client), format!("client\ndaodb/{}\n", env!("CARGO_PKG_VERSION")));
}
