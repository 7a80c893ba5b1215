//! `daodb export`: datoms or tables, as files that others read.
//!
//! [`out`] writes any format to a file or stdout; batch by batch, so that no database must fit
//! in memory.

mod out;
mod there;

use super::progress::{Unit, Work};
use super::remote::Remote;
use super::render::Broken;
use super::{Failure, folder, sql};
use crate::config::{Config, Settings, Wire};
use crate::pg;
use clap::{Args, ValueEnum};
use daodb_catalog::basis::{EMPTY_T, Moment};
use daodb_catalog::{Catalog, Database, Error, Outcome};
use daodb_storage::{Datom, export};
use futures::StreamExt;
use out::{Datoms, Table, Target};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb export --format edn > now.edn                      the facts that hold now, a datom [e a v t m added] a line
  daodb export --format edn --as-of 2026-01-01             those that held then
  daodb export --format csv --history --out all.csv        all datoms ever, retractions too, in order of t
  daodb export --format parquet --out now.parquet          columns as in the log: e, a, v_string, v_long, ..., value_type, t, m, added
  daodb export --format csv --table file                   a table, as SELECT * shows it
  daodb export --format parquet --table file --table person --out tables/

EDN loses nothing: references are #dao/ref 4294967296, bytes #dao/bytes \"base64\", uris #dao/uri \"...\"; instants have
microseconds; a keyword that no reader takes is #dao/keyword \"...\". In Clojure: (clojure.edn/read {:default tagged-literal} in).
CSV is what Postgres's COPY ... WITH (FORMAT csv, HEADER) reads. --history with --table: the versions of its rows.

  daodb export --url http://127.0.0.1:8765 --format edn > now.edn   through a server

Only one process opens a folder: while a server has it, --url asks that one.";

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Typed columns; needs --out
    Parquet,
    /// A line a datom, or a map a row
    Edn,
    /// With a header, as COPY writes it
    Csv,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Edn => "edn",
            Format::Csv => "csv",
        }
    }
}

/// Write datoms or tables as Parquet, EDN or CSV, of a folder or (--url) through a server
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// The database [default: the only one of the folder]
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// The HTTP address of a server, in place of a folder
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[arg(long, value_enum)]
    format: Format,
    /// As it stood then: a t, an instant, a date
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Only what was asserted (with --history: written) after then
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// All datoms that there were, retractions too; of tables all versions
    #[arg(long)]
    history: bool,
    /// A table instead of datoms; may be given several times
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
    /// The file to write; with several tables the folder, made where it is missing [default: stdout]
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Export {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings.clone(), Wire::default())?.to_look();
        super::log(&config.log)?;
        if self.out.is_none() && (self.format == Format::Parquet || self.tables.len() > 1) {
            let what = match self.format {
                Format::Parquet => "Parquet is written to a file",
                _ => "several tables are written to a folder",
            };
            return Err(Failure::usage(what).hint("--out names it"));
        }
        if let Some(url) = &self.url {
            let server = Remote::at(url, self.database.clone()).await?;
            let exported = tokio::select! {
                exported = self.through(&server) => exported,
                () = stop.cancelled() => Err(Failure::failed("stopped before the end").into()),
            };
            return match exported {
                Ok(()) | Err(Broken::Closed) => Ok(()),
                Err(Broken::Failed(failure)) => Err(failure),
            };
        }
        let catalog = folder::open(&config, false).await?;
        let name = folder::choose(&catalog, self.database.clone())?;
        let exported = tokio::select! {
            exported = self.export(&catalog, &name) => exported,
            () = stop.cancelled() => Err(Failure::failed("stopped before the end").into()),
        };
        catalog.close().await?;
        match exported {
            Ok(()) | Err(Broken::Closed) => Ok(()),
            Err(Broken::Failed(failure)) => Err(failure),
        }
    }

    async fn export(&self, catalog: &Arc<Catalog>, name: &str) -> Result<(), Broken> {
        let database = catalog.database(name).await?;
        let times = Times::resolve(self, &database).await?;
        if self.tables.is_empty() {
            return self.datoms(&database, times).await;
        }
        for table in &self.tables {
            let file = self.file_of(table)?;
            self.table(catalog, name, table, times, file.as_deref()).await?;
        }
        Ok(())
    }

    async fn datoms(&self, database: &Database, times: Times) -> Result<(), Broken> {
        let mut batches = match self.history {
            true => export::events(database.stream(), times.since.unwrap_or(EMPTY_T), times.as_of),
            false => {
                let snapshot = database.snapshot().as_of(times.as_of);
                export::datoms(&times.since.map_or(snapshot.clone(), |t| snapshot.since(t)))
            }
        };
        let next = async || -> Result<_, Broken> { Ok(batches.next().await.transpose()?) };
        self.write_datoms(database.name(), next).await
    }

    /// `next` gives some datoms; None: there are no more.
    async fn write_datoms(
        &self,
        of: &str,
        mut next: impl AsyncFnMut() -> Result<Option<Vec<Datom>>, Broken>,
    ) -> Result<(), Broken> {
        let (target, out) = Target::open(self.out.as_deref())?;
        let mut sink = Datoms::new(self.format, out)?;
        let mut work = Work::new(format!("exporting {of}"), Unit::Datoms);
        let mut done = 0;
        while let Some(datoms) = next().await? {
            sink.write(&datoms)?;
            done += datoms.len() as u64;
            work.update(done, 0);
        }
        sink.finish()?;
        work.end();
        target.done()?;
        Ok(())
    }

    /// Where a table goes. One table may go to a file or to a folder that is there.
    fn file_of(&self, table: &str) -> Result<Option<PathBuf>, Failure> {
        let Some(out) = &self.out else { return Ok(None) };
        if self.tables.len() == 1 && !out.is_dir() {
            return Ok(Some(out.clone()));
        }
        std::fs::create_dir_all(out)
            .map_err(|e| Failure::failed(format!("cannot make {}: {e}", out.display())))?;
        Ok(Some(out.join(format!("{}.{}", table.replace('/', "_"), self.format.extension()))))
    }

    /// The rows of a table, or of its versions.
    fn query(&self, table: &str) -> String {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        match self.history {
            true => format!(
                "SELECT * FROM {} ORDER BY _id, _t_from",
                quoted(&format!("{table}__history"))
            ),
            false => format!("SELECT * FROM {} ORDER BY _id", quoted(table)),
        }
    }

    async fn table(
        &self,
        catalog: &Arc<Catalog>,
        database: &str,
        table: &str,
        times: Times,
        file: Option<&Path>,
    ) -> Result<(), Broken> {
        let mut options = vec![("daodb.as_of".to_owned(), times.as_of.to_string())];
        options.extend(times.since.map(|t| ("daodb.since".to_owned(), t.to_string())));
        let mut session = sql::session(catalog, database, options).await?;
        let query = self.query(table);
        let told = |e: Error| Failure::from(e).inside(format!("table {table}"));
        let statements = session.parse(&query).map_err(told)?;
        let Some(statement) = statements.first() else {
            return Err(Failure::failed(format!("{query} is no statement")).into());
        };
        let style = pg::style(&session);
        let outcome = session.execute(statement, &[]).await.map_err(told)?;
        let Outcome::Rows { schema, mut stream, .. } = outcome else {
            return Err(Failure::failed(format!("{query} gives no rows")).into());
        };
        let (target, out) = Target::open(file)?;
        let mut sink = Table::new(self.format, &schema, style, out)?;
        let mut work = Work::new(format!("exporting {table}"), Unit::Rows);
        let mut done = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| told(e.into()))?;
            sink.write(&batch)?;
            done += batch.num_rows() as u64;
            work.update(done, 0);
        }
        sink.finish()?;
        work.end();
        target.done()?;
        Ok(())
    }
}

/// The times asked for, as transactions.
#[derive(Debug, Clone, Copy)]
struct Times {
    as_of: i64,
    since: Option<i64>,
}

impl Times {
    /// All tables of an export are of one moment, so it is fixed here.
    async fn resolve(export: &Export, database: &Database) -> Result<Times, Failure> {
        let snapshot = database.snapshot();
        let resolve = async |text: &Option<String>| -> Result<Option<i64>, Failure> {
            let Some(text) = text else { return Ok(None) };
            Ok(Some(Moment::parse(text)?.resolve(&snapshot, database.now()).await?))
        };
        let as_of = resolve(&export.as_of).await?.unwrap_or(snapshot.newest().t);
        Ok(Times { as_of, since: resolve(&export.since).await? })
    }
}
