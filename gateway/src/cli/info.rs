//! `daodb info`: what a folder holds.

use super::render::{Broken, Format};
use super::{Failure, folder};
use crate::config::{Config, Settings, Wire};
use clap::Args;
use daodb_catalog::Catalog;
use daodb_storage::{FIRST_T, Usage};
use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use std::io::Write;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  daodb info --data /var/lib/daodb
  daodb info --format json | jq '.[].t'

A row a database: its newest transaction (t, instant), transactions, facts (and those that hold now), attributes, tables,
and what lies in the store. Only one process opens a folder: while a server has it, ask dao.streams and dao.segments by psql.";

/// Say what a folder holds
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Info {
    /// Only this database
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// How it is written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl Info {
    pub async fn run(self) -> Result<(), Failure> {
        let config = Config::resolve(self.settings, Wire::default())?.to_look();
        super::log(&config.log)?;
        let catalog = folder::open(&config, false).await?;
        let names = match self.database {
            Some(name) => vec![name],
            None => catalog.names(),
        };
        let mut about = Vec::new();
        for name in names {
            about.push(About::of(&catalog, &name).await?);
        }
        catalog.close().await?;
        let mut out = std::io::stdout().lock();
        match print(&about, Format::or_default(self.format), &mut out) {
            Ok(()) | Err(Broken::Closed) => Ok(()),
            Err(Broken::Failed(failure)) => Err(failure),
        }
    }
}

struct About {
    database: String,
    t: Option<i64>,
    instant: Option<i64>,
    transactions: i64,
    facts: u64,
    open: u64,
    attributes: usize,
    tables: usize,
    usage: Usage,
}

impl About {
    async fn of(catalog: &Catalog, name: &str) -> Result<About, Failure> {
        let database = catalog.database(name).await?;
        let snapshot = database.snapshot();
        let newest = snapshot.newest();
        let some = newest.t >= FIRST_T;
        let stats = snapshot.attributes();
        let mut names: Vec<_> = stats.iter().map(|s| &s.a).collect();
        names.dedup();
        Ok(About {
            database: database.name().to_owned(),
            t: some.then_some(newest.t),
            instant: some.then_some(newest.instant),
            transactions: newest.t - FIRST_T + 1,
            facts: stats.iter().map(|s| s.facts).sum(),
            open: stats.iter().map(|s| s.open).sum(),
            attributes: names.len(),
            tables: database.tables(&snapshot).await?.len(),
            usage: catalog.usage(name).await?,
        })
    }
}

fn print(about: &[About], format: Format, out: &mut dyn Write) -> Result<(), Broken> {
    let long = |f: &dyn Fn(&About) -> Option<i64>| -> ArrayRef {
        Arc::new(about.iter().map(f).collect::<Int64Array>())
    };
    let count = |n: usize| i64::try_from(n).ok();
    let instants: TimestampMicrosecondArray = about.iter().map(|a| a.instant).collect();
    let names: StringArray = about.iter().map(|a| Some(a.database.as_str())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("database", Arc::new(names)),
        ("t", long(&|a| a.t)),
        ("instant", Arc::new(instants.with_timezone("UTC"))),
        ("transactions", long(&|a| Some(a.transactions))),
        ("facts", long(&|a| i64::try_from(a.facts).ok())),
        ("hold_now", long(&|a| i64::try_from(a.open).ok())),
        ("attributes", long(&|a| count(a.attributes))),
        ("tables", long(&|a| count(a.tables))),
        ("log_objects", long(&|a| i64::try_from(a.usage.log.objects).ok())),
        ("segments", long(&|a| i64::try_from(a.usage.segments.objects).ok())),
        ("bytes", long(&|a| i64::try_from(a.usage.bytes()).ok())),
    ];
    format.columns(columns, out)
}
