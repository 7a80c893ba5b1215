//! `daodb verify`: reads all that lies in a folder, and says what is wrong with it.

use super::progress::{Unit, Work};
use super::remote::{Remote, databases, number};
use super::render::{Broken, Format};
use super::{Failure, folder};
use crate::config::{Config, Settings, Wire};
use crate::http::formats::field;
use crate::verified::{Fault, Verified};
use clap::Args;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::verify::{VerifyOptions, VerifyProgress, verify};
use daodb_storage::{Access, Store, Value};
use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb verify --data /var/lib/daodb
  daodb verify --deep                      compares the index with the log, too
  daodb verify --data /mnt/backup          a backup is checked by the same command
  daodb verify --format json | jq '.[] | {database, t, hash}'
  daodb verify --url http://127.0.0.1:8765   by a server, while it goes on

Reads every object: log objects (checksum, headers, chain of hashes), database.json, the newest index root, the runs that it names
and their segments (every checksum; every description of a file compared with its rows). With --deep also: the facts of the index, as events,
are those of the log. What is wrong is told on stderr, with how far it reaches:

  the log         the truth: put it back from a backup (daodb restore)
  the index only  derived from the log: daodb rebuild-index makes it anew

Notes tell of what is harmless: files that are not DaoDB's, lists and segments that no root names. Nothing is changed. The last hash
stands for the whole history: who keeps t and hash elsewhere finds out later whether any of it was changed.

Exit status: 0 all is well, 1 something is wrong, 2 asked wrongly. Only one process opens a folder: while a server has it, ask
by --url.";

/// Read all of a folder, or (--url) let a server read, and say what is wrong with it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// Only this database
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// The HTTP address of a server, in place of a folder
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Compare the index with the log, fact by fact
    #[arg(long)]
    deep: bool,
    /// How the summary is written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl Verify {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let deep = self.deep;
        let verified = async {
            match &self.url {
                Some(url) => there(url, self.database, deep).await,
                None => here(self.settings, self.database, deep).await,
            }
        };
        let verified = tokio::select! {
            verified = verified => verified?,
            () = stop.cancelled() => return Err(Failure::failed("stopped before the end")),
        };
        verified.iter().for_each(|v| tell(v, deep));
        let mut out = std::io::stdout().lock();
        match print(&verified, Format::or_default(self.format), &mut out) {
            Ok(()) | Err(Broken::Closed) => {}
            Err(Broken::Failed(failure)) => return Err(failure),
        }
        let damaged = verified.iter().filter(|v| !v.faults.is_empty());
        let damaged: Vec<&str> = damaged.map(|v| v.database.as_str()).collect();
        match damaged.as_slice() {
            [] => Ok(()),
            names => Err(Failure::failed(format!("damaged: {}", names.join(", ")))),
        }
    }
}

/// The databases of a folder.
async fn here(
    settings: Settings,
    database: Option<String>,
    deep: bool,
) -> Result<Vec<Verified>, Failure> {
    let config = Config::resolve(settings, Wire::default())?;
    super::log(&config.log)?;
    let store = folder::store(&config.location, Access::ReadOnly, false).await?;
    let mut verified = Vec::new();
    for name in folder::databases(&store, database).await? {
        verified.push(of_store(&store, &name, VerifyOptions { deep }).await?);
    }
    Ok(verified)
}

async fn of_store(store: &Store, name: &str, options: VerifyOptions) -> Result<Verified, Failure> {
    let start = Instant::now();
    let mut work = Work::new(format!("verifying {name}"), Unit::Bytes);
    let mut tell = |p: VerifyProgress| work.update(p.bytes, p.of_bytes);
    let report = verify(store, name, options, &mut tell).await;
    work.end();
    Ok(Verified::new(report?, start.elapsed().as_secs_f64()))
}

/// Those of a server, as it finds them.
async fn there(url: &str, database: Option<String>, deep: bool) -> Result<Vec<Verified>, Failure> {
    let names = match database {
        Some(name) => vec![name],
        None => databases(url).await?,
    };
    let mut verified = Vec::new();
    for name in names {
        let path = format!("/verify?deep={deep}");
        let said = Remote::at(url, Some(name.clone())).await?.get(&path).await?;
        verified.push(of_answer(name, &said)?);
    }
    Ok(verified)
}

fn of_answer(database: String, said: &Node) -> Result<Verified, Failure> {
    let whole = |name: &str| number(said, name).map(i64::unsigned_abs);
    let all = |name: &str| field(said, name).and_then(Node::sequence).unwrap_or_default();
    let text = |node: &Node, name: &str| {
        field(node, name).and_then(Node::string).unwrap_or_default().to_owned()
    };
    let value = |name: &str| match field(said, name).map(|node| &node.form) {
        Some(Form::Value(value)) => Some(value),
        _ => None,
    };
    let fault = |fault: &Node| Fault {
        object: text(fault, "object"),
        what: text(fault, "what"),
        reach: text(fault, "reach"),
    };
    Ok(Verified {
        database,
        faults: all("faults").iter().map(fault).collect(),
        more_faults: whole("more-faults")?,
        notes: all("notes").iter().filter_map(Node::string).map(str::to_owned).collect(),
        transactions: whole("transactions")?,
        datoms: whole("datoms")?,
        log_objects: whole("log-objects")?,
        segments: whole("segments")?,
        bytes: whole("bytes")?,
        head: value("t").and_then(Value::as_i64).map(|t| (t, text(said, "hash"))),
        compared: matches!(value("compared"), Some(Value::Boolean(true))),
        seconds: match value("seconds") {
            Some(Value::Double(seconds)) => *seconds,
            _ => 0.0,
        },
    })
}

/// What is wrong, the first fault first.
fn tell(verified: &Verified, deep: bool) {
    let name = &verified.database;
    for note in &verified.notes {
        eprintln!("note: {note}");
    }
    for Fault { object, what, reach } in &verified.faults {
        eprintln!("fault: {object}: {what}\n  reach: {reach}");
    }
    if deep && !verified.compared {
        let why = match verified.faults.is_empty() {
            true => "it was written all the time",
            false => "mend the faults first",
        };
        eprintln!("note: {name}: the index was not compared with the log: {why}");
    }
    if verified.more_faults > 0 {
        eprintln!("and {} more faults in {name}", verified.more_faults);
    }
}

fn print(verified: &[Verified], format: Format, out: &mut dyn Write) -> Result<(), Broken> {
    let long = |f: &dyn Fn(&Verified) -> Option<u64>| -> ArrayRef {
        let of = |v: &Verified| f(v).and_then(|n| i64::try_from(n).ok());
        Arc::new(verified.iter().map(of).collect::<Int64Array>())
    };
    let text = |f: &dyn Fn(&Verified) -> Option<String>| -> ArrayRef {
        Arc::new(verified.iter().map(f).collect::<StringArray>())
    };
    let seconds: Float64Array = verified.iter().map(|v| Some(v.seconds)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("database", text(&|v| Some(v.database.clone()))),
        ("faults", long(&|v| Some(v.faults.len() as u64 + v.more_faults))),
        ("notes", long(&|v| Some(v.notes.len() as u64))),
        ("transactions", long(&|v| Some(v.transactions))),
        ("datoms", long(&|v| Some(v.datoms))),
        ("log_objects", long(&|v| Some(v.log_objects))),
        ("segments", long(&|v| Some(v.segments))),
        ("bytes", long(&|v| Some(v.bytes))),
        ("t", long(&|v| v.head.as_ref().map(|head| head.0.unsigned_abs()))),
        ("hash", text(&|v| v.head.as_ref().map(|head| head.1.clone()))),
        ("seconds", Arc::new(seconds)),
    ];
    format.columns(columns, out)
}
