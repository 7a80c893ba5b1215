//! The documents tell the truth: what they show is run, and its output compared.
//!
//! - A `sql` block with a `text` block after it: the statements, and what `daodb sql --format table` answers.
//! - A `sql` block alone: must run.
//! - A `console` block: lines after `$ ` are commands, those after `demo=> ` (and `demo-> `) statements for the psql that
//!   the last command started; the other lines are what they answer.
//! - A `python` block with a `text` block after it: a script, and what it prints. `DAODB_PYTHON` names a Python with `duckdb`.
//! - Other blocks are for the eye.
//!
//! All of it on the sample history, which is the same every time. Ports 5433 and 8765 stand for those that the test has.
//! `DAODB_DOCS=write` puts the answers of now into the documents.

use super::program::{DAODB, PATIENCE, Server, both, daodb, is_there, left_out, without_settings};
use super::psql;
use std::path::{Path, PathBuf};
use std::process::Command;

const DOCUMENTS: [&str; 8] = [
    "README.md",
    "docs/time-travel.md",
    "docs/storage.md",
    "docs/formats.md",
    "docs/operations.md",
    "docs/http.md",
    "docs/import.md",
    "docs/sql-datalog.md",
];

#[test]
fn documents() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = std::fs::read_to_string(&path).unwrap();
        let now = Run::new(document).document(&text);
        if std::env::var("DAODB_DOCS").is_ok_and(|how| how == "write") {
            std::fs::write(&path, now).unwrap();
        } else if now != text {
            let (line, says, answers) = first_difference(&text, &now);
            panic!(
                "{document}, line {line}: it says\n  {says}\nand the program answers\n  {answers}\n\
                 `just docs` puts all answers into the documents"
            );
        }
    }
}

fn first_difference<'a>(text: &'a str, now: &'a str) -> (usize, &'a str, &'a str) {
    let (mut old, mut new) = (text.lines(), now.lines());
    let mut line = 1;
    loop {
        match (old.next(), new.next()) {
            (a, b) if a == b && a.is_some() => line += 1,
            (a, b) => return (line, a.unwrap_or("(the end)"), b.unwrap_or("(the end)")),
        }
    }
}

/// A document while it is run.
struct Run {
    document: &'static str,
    home: tempfile::TempDir,
    server: Option<Server>,
}

impl Run {
    fn new(document: &'static str) -> Self {
        let home = tempfile::Builder::new().prefix("daodb").tempdir().unwrap();
        Run { document, home, server: None }
    }

    /// A folder named `orchard`, where commands stand; the sample history is in its `daodb-data`.
    fn orchard(&self) -> PathBuf {
        let orchard = self.home.path().join("orchard");
        if !orchard.exists() {
            std::fs::create_dir(&orchard).unwrap();
            let mut server = Server::start(&orchard, &["demo"]);
            server.wait_for("Ctrl-C ends");
            assert!(server.signal("-TERM").success());
        }
        orchard
    }

    /// A server on a copy: only one process opens a folder.
    fn server(&mut self) -> &mut Server {
        let orchard = self.orchard();
        let home = self.home.path();
        self.server.get_or_insert_with(|| {
            let copied =
                Command::new("cp").arg("-r").arg(&orchard).arg(home.join("served")).status();
            assert!(copied.unwrap().success());
            Server::start(&home.join("served"), &["serve"])
        })
    }

    /// The document with the answers of now.
    fn document(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut lines = text.lines().peekable();
        // The answer that the next `text` block is to show.
        let mut answer: Option<String> = None;
        while let Some(line) = lines.next() {
            out.push_str(line);
            out.push('\n');
            let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else {
                if !line.is_empty() {
                    answer = None;
                }
                continue;
            };
            let mut block = String::new();
            for line in lines.by_ref().take_while(|line| *line != "```") {
                block.push_str(line);
                block.push('\n');
            }
            let now = match (kind, answer.take()) {
                ("sql", _) => {
                    let (said, well) = self.statements(&block);
                    let shown = shows_answer(lines.clone());
                    assert!(well || shown, "{}: {block}{said}", self.document);
                    answer = Some(said);
                    block
                }
                ("python", _) => {
                    answer = self.script(&block);
                    block
                }
                ("text", Some(said)) => said,
                ("console", _) => self.console(&block),
                _ => block,
            };
            out.push_str(&now);
            out.push_str("```\n");
        }
        out
    }

    /// What `daodb sql` answers, and whether it ends well.
    fn statements(&self, sql: &str) -> (String, bool) {
        let command = daodb(&self.orchard(), &["sql", "--format", "table"]);
        let (said, status) = both(command, sql);
        (trimmed(&said), status.success())
    }

    /// What a script prints; None where there is no Python that can run it.
    fn script(&self, script: &str) -> Option<String> {
        let python = std::env::var("DAODB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let has = Command::new(&python).args(["-c", "import duckdb"]).output();
        if !has.is_ok_and(|output| output.status.success()) {
            let why =
                format!("{python} has no duckdb (pip install duckdb; DAODB_PYTHON names another)");
            left_out(&format!("the scripts of {}", self.document), &why);
            return None;
        }
        let mut command = Command::new(python);
        command.arg("-").current_dir(self.orchard());
        let (said, status) = both(command, script);
        assert!(status.success(), "{}: {script}{said}", self.document);
        Some(trimmed(&said))
    }

    fn console(&mut self, block: &str) -> String {
        let mut out = String::new();
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            out.push_str(line);
            out.push('\n');
            let mut shown = String::new();
            let prompt = |line: &str| line.starts_with("$ ") || line.starts_with("demo=");
            if let Some(command) = line.strip_prefix("$ ") {
                let mut command = command.to_owned();
                while command.ends_with('\\') {
                    let more = lines.next().unwrap();
                    out.push_str(&format!("{more}\n"));
                    command = format!("{command}\n{more}");
                }
                while let Some(line) = lines.next_if(|line| !prompt(line)) {
                    shown.push_str(&format!("{line}\n"));
                }
                match psql::arguments(&command) {
                    Some(arguments) => {
                        let rest = psql::session(&shown, &mut lines);
                        out.push_str(&self.psql(&arguments, &rest));
                    }
                    None => out.push_str(&self.command(&command, shown)),
                }
            }
        }
        out
    }

    /// What a psql session answers; as the document has it where there is no psql.
    fn psql(&mut self, arguments: &str, session: &psql::Session) -> String {
        if !psql::is_there(self.document) {
            return session.as_shown();
        }
        let port = self.server().address.port();
        as_documented(&session.run(&arguments.replace("5433", &port.to_string())), port)
    }

    /// What a shell answers; as `shown` where there is no program for it.
    fn command(&mut self, command: &str, shown: String) -> String {
        let mut command = command.replacen("cargo run --release -- ", "daodb ", 1);
        if command.trim_end() == "daodb demo" {
            return self.demo();
        }
        let mut port = 5433;
        if command.contains("psql ") {
            if !psql::is_there(self.document) {
                return shown;
            }
            port = self.server().address.port();
            command = command.replace("-p 5433", &format!("-p {port}"));
        }
        if command.contains("curl ") {
            if !is_there("curl", self.document) {
                return shown;
            }
            command = command.replace("http://127.0.0.1:8765", &self.server().http());
        }
        let program = Path::new(DAODB).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let mut sh = Command::new("sh");
        sh.args(["-c", &command]).current_dir(self.orchard()).env("PATH", path);
        let (said, _) = both(psql::quiet(without_settings(sh)), "");
        as_documented(&trimmed(&said), port)
            .replace(&self.home.path().display().to_string(), "/home/me")
    }

    /// All that the demo says before it waits, on both streams.
    fn demo(&self) -> String {
        let dir = self.home.path().join("demo/orchard");
        std::fs::create_dir_all(&dir).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = daodb(&dir, &["demo", "--pg", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        drop(command);
        let (tx, rx) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = std::io::Read::read(&mut reader, &mut chunk) {
                said.extend_from_slice(&chunk[..n]);
                let text = String::from_utf8_lossy(&said);
                if text.lines().any(|line| line.starts_with("Ctrl-C ends")) && text.ends_with('\n')
                {
                    let _ = tx.send(text.into_owned());
                    break;
                }
            }
        });
        let said = rx.recv_timeout(PATIENCE);
        child.kill().unwrap();
        child.wait().unwrap();
        let said = said.expect("the demo says its queries");
        let address = said.lines().find_map(|l| l.strip_prefix("serving ")?.rsplit_once(':'));
        let port = address.unwrap().1.parse().unwrap();
        let home = self.home.path().join("demo").display().to_string();
        let http = said.lines().find_map(|l| l.trim().strip_prefix("curl http://127.0.0.1:"));
        let http = http.and_then(|rest| rest.split_once('/')).unwrap().0;
        as_documented(&trimmed(&said), port)
            .replace(&format!("http://127.0.0.1:{http}"), "http://127.0.0.1:8765")
            .replace(&home, "/home/me")
    }
}

/// The port of the documents in place of the test's. Where a port may stand only: digits stand in names of commits too.
fn as_documented(said: &str, port: u16) -> String {
    said.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:5433")
        .replace(&format!("-p {port}"), "-p 5433")
        .replace(&format!("port {port}"), "port 5433")
}

/// Whether a `text` block comes next.
fn shows_answer<'a>(mut lines: impl Iterator<Item = &'a str>) -> bool {
    lines.find(|line| !line.is_empty()) == Some("```text")
}

/// Without spaces at the ends of lines (editors take them away) and empty lines at the end.
pub fn trimmed(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    match text.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}
