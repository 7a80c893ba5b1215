//! Engines under test: a catalog in memory or in a folder, the Postgres wire on a free port of this process, and the
//! `daodb` program itself.

use daodb_catalog::database::CatalogOptions;
use daodb_catalog::{Catalog, Database, Error, Outcome, Result, Session, SqlState};
use daodb_gateway::pg::catalog::PgCatalog;
use daodb_storage::{Store, StreamOptions};
use datafusion::arrow::array::RecordBatch;
use futures::TryStreamExt;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The database of a test.
pub const DATABASE: &str = "test";
/// 2030-01-01T00:00:00Z: after every instant that a test gives a transaction.
pub const EPOCH: i64 = 1_893_456_000_000_000;

/// A clock that makes runs repeatable: one second a look, from [`EPOCH`] on.
pub fn stepping_clock() -> daodb_storage::value::Clock {
    let at = AtomicI64::new(EPOCH);
    Arc::new(move || at.fetch_add(1_000_000, Ordering::Relaxed))
}

/// Small limits, so that tests meet them; a stepping clock.
pub fn options() -> CatalogOptions {
    options_with_tail(10_000)
}

/// The indexer starts when the tail holds this many datoms.
pub fn options_with_tail(tail_datoms: usize) -> CatalogOptions {
    let stream = StreamOptions::new(tail_datoms, 16 << 20, Arc::new(|| EPOCH));
    CatalogOptions { clock: stepping_clock(), ..CatalogOptions::new(stream, 256 << 20) }
}

/// An empty database named [`DATABASE`] in memory.
pub async fn memory(options: CatalogOptions) -> Result<(Arc<Catalog>, Arc<Database>)> {
    let catalog = Catalog::open_memory(options).await?;
    daodb_datalog::condition::speak(&catalog);
    let database = open_or_create(&catalog).await?;
    Ok((catalog, database))
}

/// The database named [`DATABASE`] in a folder, made where it is missing.
pub async fn folder(path: &Path, options: CatalogOptions) -> Result<(Arc<Catalog>, Arc<Database>)> {
    let catalog = Catalog::open_folder(path, options).await?;
    daodb_datalog::condition::speak(&catalog);
    let database = open_or_create(&catalog).await?;
    Ok((catalog, database))
}

/// The store of a folder, once all that had it open have let go.
pub async fn store(folder: &Path) -> daodb_storage::Result<Store> {
    for _ in 0..250 {
        if let Ok(store) = Store::folder(folder) {
            return Ok(store);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Store::folder(folder)
}

/// The database named [`DATABASE`], made where it is missing.
pub async fn open_or_create(catalog: &Catalog) -> Result<Arc<Database>> {
    match catalog.database(DATABASE).await {
        Err(e) if e.state == SqlState::UNDEFINED_DATABASE => catalog.create(DATABASE).await,
        other => other,
    }
}

/// A session on [`DATABASE`], as the wire opens it.
pub async fn session(catalog: &Arc<Catalog>, options: &[(&str, &str)]) -> Result<Session> {
    let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let extension = Arc::new(PgCatalog::new());
    Session::open(Arc::clone(catalog), DATABASE, "tester", options, extension).await
}

/// The rows of one statement (of the last that has any) on a session of its own.
pub async fn rows(catalog: &Arc<Catalog>, sql: &str) -> Result<Vec<Vec<String>>> {
    query(&mut session(catalog, &[]).await?, sql).await
}

pub async fn query(session: &mut Session, sql: &str) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for statement in session.parse(sql)? {
        if let Outcome::Rows { stream, .. } = session.execute(&statement, &[]).await? {
            let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(Error::from)?;
            rows = crate::show::rows(&batches);
        }
    }
    Ok(rows)
}

/// The Postgres wire, served by this process.
pub struct Served {
    pub address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Served {
    /// On a free port.
    pub async fn start(catalog: &Arc<Catalog>) -> io::Result<Served> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let task =
            tokio::spawn(daodb_gateway::pg::serve(listener, Arc::clone(catalog), stop.clone()));
        Ok(Served { address, stop, task })
    }
    pub async fn connect(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        connect(self.address, DATABASE, "").await
    }
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        let ended = self.task.await;
        ended.map_err(|e| Error::new(SqlState::INTERNAL, format!("the server task: {e}")))?
    }
}

/// `options` as in `PGOPTIONS`: `-c daodb.as_of=1042`.
pub async fn connect(
    address: SocketAddr,
    database: &str,
    options: &str,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port());
    config.user("tester").dbname(database).options(options);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The `daodb` program as a child process; ended with it.
pub struct Program {
    pub child: Child,
    pub address: SocketAddr,
}

impl Program {
    /// `daodb serve` on a folder and a free port; returns once it serves.
    pub fn serve(data: &Path) -> io::Result<Program> {
        let mut command = Command::new(daodb()?);
        command.args(["serve", "--pg", "127.0.0.1:0", "--http", "none", "--data"]).arg(data);
        Program::start(command)
    }

    /// A command that ends up serving: waits for the line `serving FOLDER on ADDRESS`.
    pub fn start(mut command: Command) -> io::Result<Program> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let Some(stdout) = child.stdout.take() else {
            return Err(io::Error::other("the child has no stdout"));
        };
        let mut lines = BufReader::new(stdout);
        let mut said = String::new();
        loop {
            let start = said.len();
            if lines.read_line(&mut said)? == 0 {
                let status = child.wait()?;
                return Err(io::Error::other(format!("daodb ended with {status}: {said}")));
            }
            let line = &said[start..];
            let address = line.rsplit_once(" on ").and_then(|(_, a)| a.trim().parse().ok());
            if let (true, Some(address)) = (line.starts_with("serving "), address) {
                // What it says later must not fill the pipe.
                std::thread::spawn(move || lines.read_to_string(&mut String::new()));
                return Ok(Program { child, address });
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `daodb` program of this build: `DAODB_BIN`, or the one that lies beside the test.
pub fn daodb() -> io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("DAODB_BIN") {
        return Ok(path.into());
    }
    let me = std::env::current_exe()?;
    let beside = me.ancestors().skip(1).take(2).map(|dir| dir.join("daodb")).find(|p| p.is_file());
    beside.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "there is no daodb program beside the tests: run cargo build --release first",
        )
    })
}
