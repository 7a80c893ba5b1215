//! `daodb sql`: statements on a folder, without a server; or through one.

use super::prompt::Place;
use super::remote::{Remote, View};
use super::render::{Broken, Format};
use super::{Failure, folder, prompt, who};
use crate::config::{Config, Settings, Wire};
use crate::pg::{self, catalog::PgCatalog};
use clap::Args;
use daodb_catalog::{Catalog, Database, Error, Outcome, Session};
use futures::StreamExt;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb sql 'SELECT path, lines FROM file ORDER BY lines DESC LIMIT 5'
  daodb sql --as-of 2026-01-01 'SELECT count(*) FROM file'
  daodb sql 'SELECT * FROM file VERSION AS OF 1042' --format csv > tree.csv
  daodb sql -f report.sql
  echo 'SELECT * FROM dao.transactions' | daodb sql --format jsonl
  daodb sql --url http://127.0.0.1:8765    the same through a server
  daodb sql                                a prompt: SQL and Datalog, completion by Tab, what was typed by the arrows

A table on a terminal, CSV in a pipe. Only one process opens a folder: while a server has it, ask by psql or --url.
What is typed is kept in ~/.local/state/daodb/history; DAODB_HISTORY names another file, and none where it is empty.";

/// Run SQL, on a folder without a server or (--url) through one
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Sql {
    /// One or more statements; without any, and without --file, they are read from stdin, or typed on a terminal
    #[arg(conflicts_with = "file")]
    query: Option<String>,
    /// A file with statements; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    on: On,
    /// See the data as it stood then: a t, an instant, a date
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// How rows are written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl Sql {
    /// Whether a person types statements.
    pub fn is_prompt(&self) -> bool {
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        terminal && self.query.is_none() && self.file.is_none()
    }

    async fn prompt(self) -> Result<(), Failure> {
        let format = self.format.unwrap_or(Format::Table);
        if let Some(server) = self.on.remote().await? {
            let view = View { as_of: self.as_of, ..View::default() };
            return prompt::run(Place::there(server, view), format).await;
        }
        let opened = self.on.open(self.settings).await?;
        let options = self.as_of.into_iter().map(|time| ("daodb.as_of".to_owned(), time)).collect();
        let (catalog, name) = (Arc::clone(&opened.catalog), opened.name.clone());
        let look = async |database: &Arc<Database>| {
            let session = session(&catalog, &name, options).await?;
            Ok(prompt::run(Place::here(&catalog, database, session), format).await?)
        };
        opened.look(look).await
    }

    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        Format::check(self.format)?;
        if self.is_prompt() {
            return self.prompt().await;
        }
        let example = "daodb sql 'SELECT ...', or -f FILE, or a pipe; -f - reads the terminal";
        let text = text(self.query.as_deref(), self.file.as_deref(), example)?;
        if let Some(server) = self.on.remote().await? {
            let view = View { as_of: self.as_of, ..View::default() };
            return server.show(&text, &view, self.format, stop).await;
        }
        let opened = self.on.open(self.settings).await?;
        let options = self.as_of.into_iter().map(|time| ("daodb.as_of".to_owned(), time)).collect();
        opened.show(async |_: &Database| Ok(text), options, self.format, stop).await
    }
}

/// Which database a command reads.
#[derive(Args, Debug, Clone)]
pub struct On {
    /// The database [default: the only one]
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// The HTTP address of a server, in place of a folder
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// A database that is open to be read, and closed again.
pub struct Opened {
    catalog: Arc<Catalog>,
    name: String,
}

impl On {
    /// The server that has it; None: it is in a folder.
    pub async fn remote(&self) -> Result<Option<Remote>, Failure> {
        match &self.url {
            Some(url) => Remote::at(url, self.database.clone()).await.map(Some),
            None => Ok(None),
        }
    }

    pub async fn open(self, settings: Settings) -> Result<Opened, Failure> {
        let config = Config::resolve(settings, Wire::default())?.to_look();
        super::log(&config.log)?;
        let catalog = folder::open(&config, false).await?;
        let name = folder::choose(&catalog, self.database)?;
        Ok(Opened { catalog, name })
    }
}

impl Opened {
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    /// Looks at it; then closes it, however that ended.
    pub async fn look(
        self,
        look: impl AsyncFnOnce(&Arc<Database>) -> Result<(), Broken>,
    ) -> Result<(), Failure> {
        let looked = async {
            let database = self.catalog.database(&self.name).await?;
            look(&database).await
        };
        let looked = looked.await;
        self.catalog.close().await?;
        match looked {
            Ok(()) | Err(Broken::Closed) => Ok(()),
            Err(Broken::Failed(failure)) => Err(failure),
        }
    }

    /// Prints the rows of the statements that `query` makes.
    pub async fn show(
        self,
        query: impl AsyncFnOnce(&Database) -> Result<String, Failure>,
        options: Vec<(String, String)>,
        format: Option<Format>,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        let (catalog, name) = (Arc::clone(&self.catalog), self.name.clone());
        let look = async |database: &Arc<Database>| {
            let text = query(database).await?;
            let mut session = session(&catalog, &name, options).await?;
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            tokio::select! {
                ran = run(&mut session, &text, Format::or_default(format), &mut out) => ran,
                () = stop.cancelled() => Err(Failure::failed("stopped before the end").into()),
            }?;
            Ok(out.flush()?)
        };
        self.look(look).await
    }
}

/// A session as psql would have, without a wire.
pub async fn session(
    catalog: &Arc<Catalog>,
    database: &str,
    options: Vec<(String, String)>,
) -> Result<Session, Failure> {
    let user = who::user().unwrap_or_else(|| "daodb".to_owned());
    let extension = Arc::new(PgCatalog::new());
    Ok(Session::open(Arc::clone(catalog), database, &user, options, extension).await?)
}

/// What is to be run: as it is given, or of a file, or from stdin.
pub fn text(query: Option<&str>, file: Option<&Path>, example: &str) -> Result<String, Failure> {
    match (query, file) {
        (Some(query), _) => Ok(query.to_owned()),
        (None, Some(path)) if path != Path::new("-") => std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display()))),
        (None, file) => {
            if file.is_none() && std::io::stdin().is_terminal() {
                return Err(Failure::usage("no statement is given").hint(example));
            }
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Failure::failed(format!("stdin: {e}")))?;
            Ok(text)
        }
    }
}

/// Runs the statements in order, up to the first that fails.
pub async fn run(
    session: &mut Session,
    text: &str,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Broken> {
    let statements = session.parse(text).map_err(|e| Failure::of_statement(e, text))?;
    for statement in statements {
        let told = |e: Error| Failure::of_statement(e, &statement.text);
        let outcome = session.execute(&statement, &[]).await.map_err(told)?;
        for notice in session.take_notices() {
            eprintln!("NOTICE: {notice}");
        }
        match outcome {
            Outcome::Rows { schema, mut stream, .. } => {
                let mut rows = format.writer(&schema, &pg::style(session), out)?;
                while let Some(batch) = stream.next().await {
                    rows.batch(&batch.map_err(|e| told(e.into()))?)?;
                }
                rows.end()?;
            }
            Outcome::CopyOut { .. } => {
                let text = "COPY ... TO STDOUT is what psql speaks; here --format csv writes a query's rows";
                return Err(Failure::usage(text).into());
            }
            Outcome::Command { tag } if format == Format::Table => writeln!(out, "{tag}")?,
            Outcome::Command { .. } => {}
        }
        out.flush()?;
    }
    Ok(())
}
