//! `daodb info`: what a folder holds.

use super::remote::{Remote, databases, number};
use super::render::{Broken, Format};
use super::{Failure, folder};
use crate::about::About;
use crate::config::{Config, Settings, Wire};
use crate::http::formats::field;
use clap::Args;
use daodb_datalog::edn::Form;
use daodb_storage::Value;
use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use std::io::Write;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  daodb info --data /var/lib/daodb
  daodb info --format json | jq '.[].t'
  daodb info --url http://127.0.0.1:8765   of the databases of a server

A row a database: its newest transaction (t, instant), transactions, facts (and those that hold now), attributes, tables,
and what lies in the store. Only one process opens a folder: while a server has it, ask by --url.";

/// Say what a folder or (--url) a server holds
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Info {
    /// Only this database
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// The HTTP address of a server, in place of a folder
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How it is written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl Info {
    pub async fn run(self) -> Result<(), Failure> {
        let about = match &self.url {
            Some(url) => there(url, self.database).await?,
            None => here(self.settings, self.database).await?,
        };
        let mut out = std::io::stdout().lock();
        match print(&about, Format::or_default(self.format), &mut out) {
            Ok(()) | Err(Broken::Closed) => Ok(()),
            Err(Broken::Failed(failure)) => Err(failure),
        }
    }
}

/// Of the databases of a folder.
async fn here(settings: Settings, database: Option<String>) -> Result<Vec<About>, Failure> {
    let config = Config::resolve(settings, Wire::default())?.to_look();
    super::log(&config.log)?;
    let catalog = folder::open(&config, false).await?;
    let names = match database {
        Some(name) => vec![name],
        None => catalog.names(),
    };
    let mut about = Vec::new();
    for name in names {
        about.push(About::of(&catalog, &name).await?);
    }
    catalog.close().await?;
    Ok(about)
}

/// Of those of a server.
async fn there(url: &str, database: Option<String>) -> Result<Vec<About>, Failure> {
    let names = match database {
        Some(name) => vec![name],
        None => databases(url).await?,
    };
    let mut about = Vec::new();
    for name in names {
        let said = Remote::at(url, Some(name.clone())).await?.get("/info").await?;
        let value = |name: &str| match field(&said, name).map(|node| &node.form) {
            Some(Form::Value(value)) => Some(value.clone()),
            _ => None,
        };
        let whole = |name: &str| number(&said, name).map(i64::unsigned_abs);
        let count = |name: &str| whole(name).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        about.push(About {
            database: name,
            t: value("t").and_then(|v| v.as_i64()),
            instant: value("instant").and_then(|v| match v {
                Value::Instant(us) => Some(us),
                _ => None,
            }),
            transactions: number(&said, "transactions")?,
            facts: whole("facts")?,
            open: whole("hold-now")?,
            attributes: count("attributes")?,
            tables: count("tables")?,
            log_objects: whole("log-objects")?,
            segments: whole("segments")?,
            bytes: whole("bytes")?,
        });
    }
    Ok(about)
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
        ("log_objects", long(&|a| i64::try_from(a.log_objects).ok())),
        ("segments", long(&|a| i64::try_from(a.segments).ok())),
        ("bytes", long(&|a| i64::try_from(a.bytes).ok())),
    ];
    format.columns(columns, out)
}
