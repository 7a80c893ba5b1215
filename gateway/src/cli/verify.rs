//! `daodb verify`: reads all that lies in a folder, and says what is wrong with it.

use super::progress::{Unit, Work};
use super::render::{Broken, Format};
use super::{Failure, folder};
use crate::config::{Config, Settings, Wire};
use clap::Args;
use daodb_storage::verify::{VerifyOptions, VerifyReport, verify};
use daodb_storage::{Access, FIRST_T, Store};
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

Reads every object: log objects (checksum, headers, chain of hashes), database.json, the newest index root and its segments
(every checksum; every description of a file compared with its rows). With --deep also: the facts of the index, as events,
are those of the log. What is wrong is told on stderr, with how far it reaches:

  the log         the truth: put it back from a backup (daodb restore)
  the index only  derived from the log: daodb rebuild-index makes it anew

Notes tell of what is harmless: files that are not DaoDB's, segments that no root names. Nothing is changed. The last hash
stands for the whole history: who keeps t and hash elsewhere finds out later whether any of it was changed.

Exit status: 0 all is well, 1 something is wrong, 2 asked wrongly. Only one process opens a folder: end the server first.";

/// Read all of a folder and say what is wrong with it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// Only this database
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
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
        let config = Config::resolve(self.settings, Wire::default())?;
        super::log(&config.log)?;
        let store = folder::store(&config.location, Access::ReadOnly, false).await?;
        let mut verified = Vec::new();
        for name in folder::databases(&store, self.database).await? {
            let options = VerifyOptions { deep: self.deep };
            tokio::select! {
                one = Verified::of(&store, &name, options) => verified.push(one?),
                () = stop.cancelled() => return Err(Failure::failed("stopped before the end")),
            }
        }
        verified.iter().for_each(|v| v.tell(self.deep));
        let mut out = std::io::stdout().lock();
        match print(&verified, Format::or_default(self.format), &mut out) {
            Ok(()) | Err(Broken::Closed) => {}
            Err(Broken::Failed(failure)) => return Err(failure),
        }
        let damaged: Vec<&str> = verified
            .iter()
            .filter(|v| !v.report.is_whole())
            .map(|v| v.report.database.as_str())
            .collect();
        match damaged.as_slice() {
            [] => Ok(()),
            names => Err(Failure::failed(format!("damaged: {}", names.join(", ")))),
        }
    }
}

struct Verified {
    report: VerifyReport,
    seconds: f64,
}

impl Verified {
    async fn of(store: &Store, name: &str, options: VerifyOptions) -> Result<Verified, Failure> {
        let start = Instant::now();
        let mut work = Work::new(format!("verifying {name}"), Unit::Bytes);
        let mut tell = |p: daodb_storage::verify::VerifyProgress| work.update(p.bytes, p.of_bytes);
        let report = verify(store, name, options, &mut tell).await;
        work.end();
        Ok(Verified { report: report?, seconds: start.elapsed().as_secs_f64() })
    }

    /// What is wrong, the first fault first.
    fn tell(&self, deep: bool) {
        let report = &self.report;
        for note in &report.notes {
            eprintln!("note: {note}");
        }
        for fault in &report.faults {
            eprintln!("fault: {fault}\n  reach: {}", fault.reach);
        }
        if deep && !report.compared {
            let name = &report.database;
            eprintln!(
                "note: {name}: the index was not compared with the log: mend the faults first"
            );
        }
        if report.more_faults > 0 {
            eprintln!("and {} more faults in {}", report.more_faults, report.database);
        }
    }
}

fn print(verified: &[Verified], format: Format, out: &mut dyn Write) -> Result<(), Broken> {
    let long = |f: &dyn Fn(&VerifyReport) -> Option<u64>| -> ArrayRef {
        let of = |v: &Verified| f(&v.report).and_then(|n| i64::try_from(n).ok());
        Arc::new(verified.iter().map(of).collect::<Int64Array>())
    };
    let text = |f: &dyn Fn(&VerifyReport) -> Option<String>| -> ArrayRef {
        Arc::new(verified.iter().map(|v| f(&v.report)).collect::<StringArray>())
    };
    let seconds: Float64Array =
        verified.iter().map(|v| Some((v.seconds * 1000.0).round() / 1000.0)).collect();
    let some = |r: &VerifyReport| r.head.t >= FIRST_T;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("database", text(&|r| Some(r.database.clone()))),
        ("faults", long(&|r| Some(r.faults.len() as u64 + r.more_faults))),
        ("notes", long(&|r| Some(r.notes.len() as u64))),
        ("transactions", long(&|r| Some(r.transactions))),
        ("datoms", long(&|r| Some(r.datoms))),
        ("log_objects", long(&|r| Some(r.log.objects))),
        ("segments", long(&|r| Some(r.segments.objects))),
        ("bytes", long(&|r| Some(r.bytes))),
        ("t", long(&|r| some(r).then_some(r.head.t.unsigned_abs()))),
        ("hash", text(&|r| some(r).then(|| hex(&r.head.hash)))),
        ("seconds", Arc::new(seconds)),
    ];
    format.columns(columns, out)
}

/// As the log's headers have it.
pub fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}
