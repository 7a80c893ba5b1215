//! `daodb import csv`, `json` and `parquet`: the rows of a file, each an entity that its key names.

use super::server::There;
use super::spooled::Spooled;
use crate::cli::progress::{Unit, Work};
use crate::cli::remote::Remote;
use crate::cli::who::Who;
use crate::cli::{Failure, folder};
use crate::config::{Config, Settings, Wire};
use crate::import::rows::run::{self, Progress, Summary};
use crate::import::rows::{File, Format, Here, Target, Wanted};
use clap::Args;
use daodb_catalog::Provenance;
use daodb_storage::ValueType;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const CSV: &str = "\
Examples:
  daodb import csv people.csv --table person --key email --database crm
  daodb import csv people.csv --table person --key email              again, mended: what differs
  daodb import csv people.csv --table person --key email --url http://127.0.0.1:8765
  curl -s https://example.com/people.csv | daodb import csv - --table person --key email
  daodb import csv export.csv --table sale --key no --delimiter ';' --type price=bigdec --type zip=string

The first line names the columns; column name of table person is attribute :person/name. A row is the entity whose key has its
value, or a new one; what it has no value of is taken away from it. Empty is absent, \"\" an empty text, {a,b} a list where a column
has lists. Types are those that are declared, else those that values had before, else as all of the file look: boolean, long, bigint,
double, instant, uuid, string. A cell that is no value of its type is told with its row and column, and then nothing is written.";

const JSON: &str = "\
Examples:
  daodb import json people.jsonl --table person --key email --database crm
  daodb import json people.json --table person --key email --type born=instant

An array of objects, or an object a line. Keys are columns, null is absent, an array is several values; objects within objects are
refused. Texts stay texts unless --type says otherwise. All else is as `daodb import csv --help` says.";

const PARQUET: &str = "\
Examples:
  daodb import parquet people.parquet --table person --key email --database crm

Dates, and times without a zone, become instants of UTC; lists become several values; structs and maps are refused. All else is as
`daodb import csv --help` says.";

#[derive(Args, Debug)]
struct Common {
    /// The file; - is stdin
    file: PathBuf,
    /// The table: name and age become :TABLE/name and :TABLE/age
    #[arg(short, long, value_name = "NAME")]
    table: String,
    /// The column whose value tells entities apart; _id is the id that the database gave
    #[arg(short, long, value_name = "COLUMN")]
    key: String,
    /// The type of a column, as price=bigdec
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = column_type)]
    types: Vec<(String, ValueType)>,
    /// The database, in a folder made where it is missing [default: the only one]
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// The HTTP address of a server, in place of a folder
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    settings: Settings,
}

/// Import the rows of a CSV file into a table; again: what differs
#[derive(Args, Debug)]
#[command(after_help = CSV)]
pub struct Csv {
    #[command(flatten)]
    common: Common,
    /// What stands between fields; \t is a tab
    #[arg(long, value_name = "CHAR", default_value = ",", value_parser = delimiter)]
    delimiter: u8,
}

/// Import objects of a JSON file into a table, an array of them or one a line; again: what differs
#[derive(Args, Debug)]
#[command(after_help = JSON)]
pub struct Json {
    #[command(flatten)]
    common: Common,
}

/// Import the rows of a Parquet file into a table; again: what differs
#[derive(Args, Debug)]
#[command(after_help = PARQUET)]
pub struct Parquet {
    #[command(flatten)]
    common: Common,
}

impl Csv {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        self.common.run(Format::Csv { delimiter: self.delimiter }, stop).await
    }
}

impl Json {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        self.common.run(Format::Json, stop).await
    }
}

impl Parquet {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        self.common.run(Format::Parquet, stop).await
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err("one character of ASCII that is no quote and no line end, as ;".to_owned()),
    }
}

fn column_type(text: &str) -> Result<(String, ValueType), String> {
    let types = || {
        let all = ValueType::ALL.into_iter().filter(|ty| *ty != ValueType::Tuple);
        all.map(ValueType::name).collect::<Vec<_>>().join(", ")
    };
    let Some((column, ty)) = text.rsplit_once('=') else {
        return Err("write COLUMN=TYPE, as price=bigdec".to_owned());
    };
    match ValueType::parse(ty).filter(|ty| *ty != ValueType::Tuple) {
        Some(ty) => Ok((column.to_owned(), ty)),
        None => Err(format!("there is no type {ty}; there are {}", types())),
    }
}

impl Common {
    async fn run(self, format: Format, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings.clone(), Wire::default())?;
        crate::cli::log(&config.log)?;
        let mut provenance = self.who.provenance()?;
        // It lives as long as the import.
        let spooled = match self.file.as_os_str() == "-" {
            true => Some(Spooled::stdin()?),
            false => None,
        };
        let place = spooled.as_ref().map_or(&self.file, |spooled| &spooled.path).clone();
        let path = if spooled.is_some() { PathBuf::from("stdin") } else { place.clone() };
        let file = File { path, place, format };
        // Before a database is made for it.
        std::fs::File::open(&file.place)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.path.display())))?;
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        provenance.reason.get_or_insert_with(|| format!("import of {name}").into());
        if let Some(url) = &self.url {
            let server = Remote::at(url, self.database.clone()).await?;
            let name = server.database().to_owned();
            return self.import(Arc::new(There(server)), &name, &file, provenance, &stop).await;
        }
        let catalog = folder::open(&config, true).await?;
        let imported = async {
            let database = match &self.database {
                Some(name) => folder::open_or_create(&catalog, name).await?,
                None => catalog.database(&folder::choose(&catalog, None)?).await?,
            };
            let name = database.name().to_owned();
            self.import(Arc::new(Here(database)), &name, &file, provenance, &stop).await
        };
        let imported = imported.await;
        catalog.close().await?;
        imported
    }

    async fn import(
        &self,
        target: Arc<dyn Target>,
        database: &str,
        file: &File,
        provenance: Provenance,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let (mut reading, mut writing) = (None, None);
        let shown = file.path.display();
        let mut progress = |progress| match progress {
            Progress::Read(rows) => reading
                .get_or_insert_with(|| Work::new(format!("reading {shown}"), Unit::Rows))
                .update(rows, 0),
            Progress::Written(rows, of) => {
                reading = None;
                writing
                    .get_or_insert_with(|| Work::new(format!("importing {shown}"), Unit::RowsOf))
                    .update(rows, of);
            }
        };
        let types: BTreeMap<String, ValueType> = self.types.iter().cloned().collect();
        let wanted = Wanted { table: self.table.clone(), key: self.key.clone(), types };
        let summary = run::import(target, file, &wanted, provenance, stop, &mut progress).await?;
        self.tell(&summary, database, start.elapsed().as_secs_f64());
        Ok(())
    }

    fn tell(&self, summary: &Summary, database: &str, seconds: f64) {
        let Summary { written, rows, stopped, passed_over } = summary;
        if *passed_over {
            eprintln!("column _id is passed over: --key _id would take it");
        }
        eprintln!(
            "imported {} of {rows} rows into table {} of database {database} in {seconds:.1} s: \
             {} changes; t {} is the newest transaction",
            written.rows, self.table, written.changes, written.t
        );
        if *stopped {
            eprintln!("stopped before the end: the same command goes on from there");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flags_say() {
        assert_eq!(delimiter(";"), Ok(b';'));
        assert_eq!(delimiter("\\t"), Ok(b'\t'));
        assert!(delimiter("\"").is_err() && delimiter("ab").is_err() && delimiter("ß").is_err());
        assert_eq!(column_type("a=b=long"), Ok(("a=b".to_owned(), ValueType::Long)));
        assert!(column_type("price").is_err() && column_type("price=money").is_err());
        assert!(column_type("p=tuple").is_err());
    }
}
