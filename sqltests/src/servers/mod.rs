//! Servers of object stores, and PostgreSQL, for tests and benchmarks, each on a free port and in a folder of its own; ended with the test that started it.
//!
//! | store | server | from |
//! |---|---|---|
//! | S3 | [`minio`]; where Go is missing [`moto`] | `go install`; PyPI |
//! | Azure | [`azurite`] | npm |
//! | Google Cloud Storage | [`gcs`], a script of ours | Python's own library |
//!
//! They are looked for under `~/.cache/daodb`, where `.ci/run` puts them. fake-gcs-server is no use: 1.54 refuses PUT as
//! the XML API has it, and knows its create-only header not at all.

pub mod azurite;
pub mod datomic;
pub mod gcs;
pub mod minio;
pub mod moto;
pub mod postgres;

use daodb_storage::Location;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A bucket that every server has.
pub const BUCKET: &str = "music";
const PATIENCE: Duration = Duration::from_secs(60);
/// Another process may take the free port first.
const ATTEMPTS: usize = 3;

pub struct Server {
    child: Child,
    pub port: u16,
    /// As settings would say it, without a prefix.
    pub location: Location,
    _folder: TempDir,
}

impl Server {
    /// `command` makes the program's command line for a port and an empty folder; `ready` asks whether it serves.
    fn start(
        command: impl Fn(u16, &TempDir) -> io::Result<Command>,
        ready: impl Fn(u16) -> bool,
        location: impl FnOnce(u16) -> Location,
    ) -> io::Result<Server> {
        let mut failure = io::Error::other("not tried");
        for _ in 0..ATTEMPTS {
            let folder = tempfile::tempdir()?;
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let log = std::fs::File::create(folder.path().join("log"))?;
            let mut command = command(port, &folder)?;
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            let mut child = command.spawn()?;
            match wait(&mut child, || ready(port)) {
                Ok(()) => {
                    return Ok(Server { child, port, location: location(port), _folder: folder });
                }
                Err(e) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    let log = std::fs::read_to_string(folder.path().join("log"))?;
                    failure = io::Error::other(format!("{e}\n{log}"));
                }
            }
        }
        Err(failure)
    }

    /// The place of a test, under a prefix.
    pub fn place(&self, prefix: &str) -> Location {
        let data = format!("{}/{prefix}", self.location.data.display());
        Location { data: data.into(), ..self.location.clone() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child, ready: impl Fn() -> bool) -> io::Result<()> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("it ended at once: {status}")));
        }
        if ready() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(io::Error::other("it does not begin to serve"))
}

/// What `.ci/run` has put under `~/.cache/daodb`.
pub fn cached(path: &str) -> Option<PathBuf> {
    let path = std::env::home_dir()?.join(".cache/daodb").join(path);
    path.exists().then_some(path)
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A request without credentials: the status, and all of the answer.
fn http(port: u16, method: &str, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.map(|status| (status, answer)).ok_or_else(|| io::Error::other("no HTTP"))
}

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Any S3 server that can be had; None: the suite is left out.
pub fn s3(suite: &str) -> io::Result<Option<Server>> {
    match (minio::program(), moto::program()) {
        (Some(program), _) => minio::start(&program).map(Some),
        (None, Some(program)) => moto::start(&program).map(Some),
        (None, None) => {
            crate::left_out(suite, "there is neither MinIO nor moto in ~/.cache/daodb");
            Ok(None)
        }
    }
}
