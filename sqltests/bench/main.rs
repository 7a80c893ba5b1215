//! Benchmarks, one command each; figures as JSON on stdout, what goes on to stderr.
//!
//! `cargo run --release -p daodb-sqltests --bin bench -- people --n 1000000`

mod datalog;
mod history;
mod measure;
mod people;
mod scale;
mod storage;
mod transact;
mod writers;

use daodb_catalog::database::CatalogOptions;
use daodb_storage::StreamOptions;
use mimalloc::MiMalloc;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// As the server has it: what is measured in process is to be what users get.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const USAGE: &str = "\
bench people [--n 1000000] [--runs 7]        ingest, updates, queries now and as of the middle against a wide Parquet file
bench history [--commits 40000]              import of a generated git history
bench storage [--n 100000] [--seconds 3] [--small 1000000]
                                             durable transactions beside PostgreSQL, open time, long histories, a million small
                                             transactions, requests
bench commits [--seconds 3]                  the first part of storage alone: durable transactions beside PostgreSQL
bench scale [--datoms 10000000]              loading, memory, the time to open and queries as the number of datoms grows
bench datalog [--n 20000] [--only q1] [--alone] [--patience 30]
                                             Datalog in process, over HTTP, beside Datomic, Datalevin, DataScript and DuckDB
bench transact [--seconds 3]                 entities a second in batches of 1, 10 and 1,000, in process, over HTTP, beside Datomic
bench writers PLACE [--go-on] [--endpoint URL] [--region NAME]
                                             concurrent writers that say what was acknowledged, until they are killed
Options: --data DIR   keep the database there (default: a temporary folder)";

/// What the command line says.
pub struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    /// The number after a flag.
    pub fn number(&self, flag: &str, default: usize) -> Result<usize, String> {
        match self.after(flag) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|e| format!("{flag} {text}: {e}")),
        }
    }
    pub fn data(&self) -> Option<PathBuf> {
        self.after("--data").map(PathBuf::from)
    }
    pub fn has(&self, flag: &str) -> bool {
        self.words.iter().any(|word| word == flag)
    }
    fn after(&self, flag: &str) -> Option<&str> {
        let i = self.words.iter().position(|word| word == flag)?;
        self.words.get(i + 1).map(String::as_str)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if let Some(flag) = words.iter().find(|w| w.starts_with("--") && !USAGE.contains(w.as_str())) {
        return fail(&format!("{flag} is not known\n{USAGE}"));
    }
    let arguments = Arguments { words };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&format!("cannot start: {e}")),
    };
    let done = runtime.block_on(async {
        match arguments.words.first().map(String::as_str) {
            Some("people") => people::run(&arguments).await,
            Some("datalog") => datalog::run(&arguments).await,
            Some("history") => history::run(&arguments).await,
            Some("scale") => scale::run(&arguments).await,
            Some("storage") => storage::run(&arguments).await,
            Some("commits") => storage::commits(&arguments).await.map(|commits| {
                println!("{:#}", serde_json::json!({ "bench": "commits", "commits": commits }));
            }),
            Some("transact") => transact::run(&arguments).await,
            Some("writers") => writers::run(&arguments).await,
            _ => Err(USAGE.to_owned()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => fail(&what),
    }
}

impl Arguments {
    /// The word after the command.
    pub fn operand(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }
}

fn fail(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::FAILURE
}

/// The program's own defaults.
fn options() -> CatalogOptions {
    let clock = Arc::new(daodb_gateway::config::now);
    CatalogOptions::new(StreamOptions::new(200_000, 256 << 20, clock), 2 << 30)
}
