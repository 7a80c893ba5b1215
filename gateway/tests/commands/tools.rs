//! The commands of whoever looks after a folder: `verify`, `rebuild-index`, `export`, `backup`, `restore`.

use super::embedded::imported;
use super::program::{Server, done, fails, run};
use std::path::{Path, PathBuf};

const DATA: [&str; 2] = ["--data", "data"];

fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, more].concat()
}

/// The files of a folder of database `small`, by name.
fn files(dir: &Path, folder: &str) -> Vec<PathBuf> {
    let folder = dir.join("data/small/streams/0").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Changes one byte in the middle.
fn hurt(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

/// The value of a column in a CSV of one row.
fn of(csv: &str, column: &str) -> String {
    let (names, values) = csv.trim_end().split_once('\n').unwrap();
    let at = names.split(',').position(|n| n == column).unwrap_or_else(|| panic!("{column}"));
    values.split(',').nth(at).unwrap().to_owned()
}

#[test]
fn a_folder_is_verified_and_its_index_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let verified = done(dir.path(), &with(&["verify", "--deep"], &DATA));
    assert_eq!((of(&verified, "database"), of(&verified, "faults")), ("small".into(), "0".into()));
    assert_eq!((of(&verified, "t"), of(&verified, "transactions")), ("1002".into(), "3".into()));
    assert_eq!(of(&verified, "hash").len(), 64);
    let rebuilt = done(dir.path(), &with(&["rebuild-index"], &DATA));
    assert!(rebuilt.contains(&format!("head t=1002 hash={}", of(&verified, "hash"))), "{rebuilt}");
    let again = done(dir.path(), &with(&["verify", "--deep"], &DATA));
    assert!(of(&again, "segments").parse::<i64>().unwrap() > 0, "{again}");

    let segment = files(dir.path(), "segments").remove(0);
    hurt(&segment);
    let text = fails(dir.path(), &with(&["verify"], &DATA), 1);
    assert!(text.contains(name(&segment)) && text.contains("reach: the index only"), "{text}");
    assert!(text.contains("rebuild-index") && text.contains("error: damaged: small"), "{text}");
    done(dir.path(), &with(&["rebuild-index", "--database", "small"], &DATA));
    let mended = done(dir.path(), &with(&["verify", "--deep"], &DATA));
    assert_eq!(of(&mended, "hash"), of(&verified, "hash"));

    let log = files(dir.path(), "log").remove(0);
    hurt(&log);
    let text = fails(dir.path(), &with(&["verify"], &DATA), 1);
    assert!(text.contains(name(&log)) && text.contains("back from a backup"), "{text}");
    let text = fails(dir.path(), &with(&["rebuild-index"], &DATA), 1);
    assert!(text.contains(name(&log)) && text.contains("the index is left as it was"), "{text}");
    hurt(&log);
    std::fs::remove_file(dir.path().join("data/small/database.json")).unwrap();
    let text = fails(dir.path(), &with(&["verify"], &DATA), 1);
    assert!(text.contains("database.json: it is missing"), "{text}");
}

#[test]
fn what_cannot_be_verified_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = fails(dir.path(), &["verify", "--data", "nowhere"], 1);
    assert!(text.contains("there is no folder nowhere"), "{text}");
    assert!(!dir.path().join("nowhere").exists());
    if !imported(dir.path()) {
        return;
    }
    let text = fails(dir.path(), &with(&["verify", "--database", "smal"], &DATA), 1);
    assert!(text.contains("perhaps small"), "{text}");
    fails(dir.path(), &with(&["verify", "--depth", "3"], &DATA), 2);
    let server = Server::start(dir.path(), &with(&["serve"], &DATA));
    for command in [&["verify"][..], &["rebuild-index"], &["backup", "copy"]] {
        let text = fails(dir.path(), &with(command, &DATA), 1);
        assert!(text.contains("is in use by process"), "{command:?}: {text}");
    }
    assert!(server.signal("-TERM").success());
}

/// `head t=... hash=...`
fn head(said: &str) -> &str {
    let (_, rest) = said.split_once("head ").unwrap_or_else(|| panic!("{said}"));
    rest.split(',').next().unwrap()
}

#[test]
fn a_backup_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let said = |arguments: &[&str]| done(dir.path(), arguments);
    let query = "SELECT path, lines FROM file ORDER BY path";
    let right = said(&["sql", "--data", "data", query]);
    let saved = said(&["backup", "copy", "--data", "data"]);
    assert!(saved.starts_with("small: backup 1, head t=1002 hash="), "{saved}");
    let again = said(&["backup", "copy", "--data", "data"]);
    assert!(again.contains("nothing new since backup 1") && again.contains("0 objects"), "{again}");
    let verified = said(&["verify", "--data", "copy"]);
    assert!(head(&saved).ends_with(&of(&verified, "hash")), "{saved}{verified}");

    let restored = said(&["restore", "copy", "--data", "back"]);
    assert_eq!(head(&restored), head(&saved));
    assert!(restored.contains("rebuilt the index of small"), "{restored}");
    assert_eq!(said(&["sql", "--data", "back", query]), right);
    let with_index = said(&["backup", "copy", "--data", "back", "--with-index"]);
    assert!(with_index.starts_with("small: backup 2, "), "{with_index}");
    let restored = said(&["restore", "copy", "--data", "third", "--database", "small"]);
    assert!(!restored.contains("rebuilt"), "{restored}");
    assert_eq!(said(&["sql", "--data", "third", query]), right);
    assert_eq!(of(&said(&["verify", "--deep", "--data", "third"]), "faults"), "0");

    // Damaged objects are not copied, in either direction.
    let log = files(dir.path(), "log").remove(0);
    hurt(&log);
    let text = fails(dir.path(), &["backup", "other", "--data", "data"], 1);
    assert!(text.contains(name(&log)) && text.contains("hint: "), "{text}");
    hurt(&log);
    hurt(&dir.path().join("copy/small/streams/0/log").join(name(&log)));
    let text = fails(dir.path(), &["restore", "copy", "--data", "fourth"], 1);
    assert!(text.contains(name(&log)), "{text}");
    assert!(!dir.path().join("fourth/small/database.json").exists());
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = fails(dir.path(), &["restore", "nowhere", "--data", "data"], 1);
    assert!(text.contains("there is no folder nowhere"), "{text}");
    if !imported(dir.path()) {
        return;
    }
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let text = fails(dir.path(), &["restore", "empty", "--data", "data"], 1);
    assert!(text.contains("holds no backup"), "{text}");
    let text = fails(dir.path(), &["restore", "data", "--data", "other"], 1);
    assert!(text.contains("there is no backup"), "{text}");
    let text = fails(dir.path(), &["backup", "data", "--data", "data"], 1);
    assert!(text.contains("in use by this same process"), "{text}");
    // Another database of the same name.
    done(dir.path(), &["backup", "copy", "--data", "data"]);
    done(dir.path(), &["import", "git", ".", "--database", "small", "--data", "twin"]);
    let text = fails(dir.path(), &["restore", "copy", "--data", "twin"], 1);
    assert!(text.contains("is another database") && text.contains("hint: "), "{text}");
    let text = fails(dir.path(), &["backup", "copy", "--data", "twin"], 1);
    assert!(text.contains("another database"), "{text}");
}

#[test]
fn tables_and_datoms_are_exported() {
    let dir = tempfile::tempdir().unwrap();
    if !imported(dir.path()) {
        return;
    }
    let export = |more: &[&str]| done(dir.path(), &[&["export"][..], &DATA, more].concat());
    let sql = |query: &str| done(dir.path(), &["sql", "--data", "data", query]);
    let table = sql("SELECT * FROM file ORDER BY _id");
    assert_eq!(export(&["--format", "csv", "--table", "file"]), table);
    let then = sql("SELECT * FROM file VERSION AS OF 1000 ORDER BY _id");
    assert_eq!(export(&["--format", "csv", "--table", "file", "--as-of", "1000"]), then);
    let versions = sql("SELECT * FROM file__history ORDER BY _id, _t_from");
    assert_eq!(export(&["--format", "csv", "--table", "file", "--history"]), versions);
    let edn = export(&["--format", "edn", "--table", "file"]);
    assert_eq!(edn.lines().count(), 2);
    assert!(edn.starts_with("{:_id ") && edn.contains(":path \"a\""), "{edn}");

    let datoms = export(&["--format", "edn"]);
    let facts = sql("SELECT count(*) AS n FROM dao.datoms");
    let all = export(&["--format", "edn", "--history"]);
    assert_eq!(format!("n\n{}\n", all.lines().count()), facts);
    assert!(datoms.lines().count() < all.lines().count());
    assert!(datoms.lines().all(|line| line.starts_with('[') && line.ends_with(" true]")));
    assert!(all.lines().any(|line| line.ends_with(" false]")));
    let csv = export(&["--format", "csv"]);
    assert!(csv.starts_with("e,a,v,type,t,m,added\n"), "{csv}");
    assert!(csv.lines().count() > datoms.lines().count());

    let nothing =
        export(&["--format", "csv", "--table", "file", "--table", "person", "--out", "t"]);
    assert_eq!(nothing, "");
    assert_eq!(std::fs::read_to_string(dir.path().join("t/file.csv")).unwrap(), table);
    assert!(dir.path().join("t/person.csv").exists());
    export(&["--format", "parquet", "--out", "now.parquet"]);
    let bytes = std::fs::read(dir.path().join("now.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    export(&["--format", "parquet", "--table", "file", "--out", "file.parquet"]);
    assert!(!dir.path().join("file.parquet.part").exists());

    let fails =
        |more: &[&str], status| fails(dir.path(), &[&["export"][..], &DATA, more].concat(), status);
    assert!(fails(&["--format", "parquet"], 2).contains("--out"));
    fails(&["--format", "csv", "--table", "file", "--table", "person"], 2);
    fails(&["--format", "xml"], 2);
    let text = fails(&["--format", "csv", "--table", "fil"], 1);
    assert!(text.contains("table fil"), "{text}");
    let text = fails(&["--format", "edn", "--as-of", "yesteryear"], 1);
    assert!(text.contains("yesteryear"), "{text}");
    // A reader that goes away is no failure.
    let out = std::process::Command::new("sh")
        .args([
            "-c",
            &format!(
                "{} export --data data --format edn --history | head -n 1",
                super::program::DAODB
            ),
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(run(dir.path(), &["export", "--format", "edn", "--data", "data"]).status.success());
}
