//! Running the program: to its end, or as a server until a signal ends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub const DAODB: &str = env!("CARGO_BIN_EXE_daodb");

/// No test waits longer for what the program should say or do.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Says loudly what is left out; a failure where `CI` is set.
pub fn left_out(suite: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{suite}: {why}, and CI leaves nothing out");
    // Not eprintln: the test harness would swallow it.
    let _ = std::io::stderr().write_all(format!("\nLEFT OUT: {suite}: {why}\n").as_bytes());
}

/// Whether a program is there; where it is not, `suite` is left out.
pub fn is_there(program: &str, suite: &str) -> bool {
    let mut command = Command::new(program);
    let asked = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = asked.is_ok_and(|status| status.success());
    if !there {
        left_out(suite, &format!("there is no program {program}"));
    }
    there
}

/// The program in a folder, apart from the settings of whoever runs the test.
pub fn daodb(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(DAODB);
    command.args(arguments).current_dir(dir).env("NO_COLOR", "1");
    without_settings(command)
}

/// Apart from the settings of whoever runs the test.
pub fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DAODB_") {
            command.env_remove(name);
        }
    }
    command
}

pub fn run(dir: &Path, arguments: &[&str]) -> Output {
    daodb(dir, arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs it; what it says on stdout. It must end well.
pub fn done(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "daodb {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it; what it says on stderr. It must end with this status.
pub fn fails(dir: &Path, arguments: &[&str], status: i32) -> String {
    let output = run(dir, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "daodb {arguments:?}: {stderr}");
    stderr
}

/// A command that serves.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    /// What it said on stdout.
    pub said: String,
    pub address: SocketAddr,
}

impl Server {
    /// Waits until it says where it serves. `arguments` are without `--pg` and `--http`.
    pub fn start(dir: &Path, arguments: &[&str]) -> Server {
        let mut command = daodb(dir, arguments);
        command.args(["--pg", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        Self::of(command)
    }

    pub fn of(mut command: Command) -> Server {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tx, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Read on where nobody listens: the program must not stop at a full pipe.
                let _ = tx.send(line);
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Server { child, lines, said: String::new(), address: nowhere };
        server.wait_for("serving ");
        let line = server.said.lines().find(|line| line.starts_with("serving ")).unwrap();
        server.address = line.rsplit_once(" on ").unwrap().1.parse().unwrap();
        server
    }

    /// Until a line that starts so.
    pub fn wait_for(&mut self, start: &str) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.said.push_str(&line);
                    self.said.push('\n');
                    if line.starts_with(start) {
                        return;
                    }
                }
                Err(_) => {
                    let status = self.child.try_wait();
                    panic!("no line {start:?}; the program: {status:?}; it said:\n{}", self.said)
                }
            }
        }
    }

    /// Where it speaks HTTP: `http://127.0.0.1:8765`.
    pub fn http(&mut self) -> String {
        if !self.said.contains("\n  http://") {
            self.wait_for("  http://");
        }
        let line = self.said.lines().find_map(|line| line.trim().strip_suffix("/api")).unwrap();
        line.to_owned()
    }

    /// Sends a signal and waits for the end.
    pub fn signal(mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the program does not end on {signal}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn connect(&self, database: &str) -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = format!(
            "host={} port={} user=tester dbname={database}",
            self.address.ip(),
            self.address.port()
        );
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(&config, tokio_postgres::NoTls)).unwrap();
        runtime.spawn(connection);
        Client { runtime, client }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Postgres client, blocking.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Client {
    /// The rows of one query; `NULL` for an absent value.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let messages = self.runtime.block_on(self.client.simple_query(sql));
        let messages = messages.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let rows = messages.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let text = |value: Option<&str>| value.unwrap_or("NULL").to_owned();
        rows.map(|row| (0..row.len()).map(|i| text(row.get(i))).collect()).collect()
    }
}

/// Everything that a child says on both streams, in the order it says it.
pub fn both(mut command: Command, input: &str) -> (String, ExitStatus) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    command.stdin(Stdio::piped()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    // The command holds the writing end: without it, reading ends with the child.
    drop(command);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    (said, child.wait().unwrap())
}
