//! `daodb demo`: a history worth looking at, served, and what to ask it.

mod queries;

use super::listen::Doors;
use super::serve::say;
use super::{Failure, folder, import, listen, serve, sql};
use crate::config::{self, Config, Settings, Wire};
use crate::import::{git, run, sample};
use clap::Args;
use daodb_catalog::{Catalog, Database};
use daodb_storage::FIRST_T;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const DATABASE: &str = "demo";

const EXAMPLES: &str = "\
Examples:
  daodb demo                         the history of the repository you stand in
  daodb demo --git ~/src/linux       of another one
  daodb demo --pg 127.0.0.1:5500     on another port

The history goes into database demo of ./daodb-data. Where there is no git repository, a small sample history does.
A second start takes what is new and serves. Ctrl-C or SIGTERM: running statements end, waiting writes are flushed.";

/// Import a git history, serve it to psql, and print queries worth trying
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Demo {
    /// The repository, or a folder inside it [default: the one you stand in]
    #[arg(long, value_name = "PATH")]
    git: Option<PathBuf>,
    #[command(flatten)]
    wire: Wire,
    #[command(flatten)]
    settings: Settings,
}

impl Demo {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings, self.wire)?;
        super::log(&config.log)?;
        let source = Source::find(self.git)?;
        // First, so that a port that is taken is told before the import.
        let doors = Doors::open(&config).await?;
        let (address, http) = (doors.pg_address()?, doors.http_url()?);
        let catalog = folder::open(&config, true).await?;
        let database = folder::open_or_create(&catalog, DATABASE).await?;
        let filled = source.fill(&database, &stop).await;
        if stop.is_cancelled() || filled.is_err() {
            catalog.close().await?;
            return filled;
        }
        let psql = listen::psql(address, DATABASE);
        let http = http.map(|url| format!("  curl {url}/api/{DATABASE}/basis\n"));
        let http = http.unwrap_or_default();
        say(&format!("serving {} on {address}\n\n  {psql}\n{http}\n", config.data.display()))?;
        let telling = tell(Arc::clone(&catalog), database, stop.clone());
        tokio::spawn(async move {
            if let Err(failure) = telling.await {
                failure.report();
            }
        });
        serve::until_stopped(doors, catalog, &config, stop).await
    }
}

/// Where the history comes from.
enum Source {
    Git(PathBuf),
    /// And why.
    Sample(String),
}

impl Source {
    fn find(given: Option<PathBuf>) -> Result<Source, Failure> {
        if let Some(path) = given {
            let repository = git::find(&path).ok_or_else(|| {
                Failure::usage(format!("--git {}: there is no git repository", path.display()))
                    .hint("give the path of a clone, or of any folder inside one")
            })?;
            return match git::head(&repository)? {
                None => Err(Failure::usage(format!("{} has no commit yet", repository.display()))),
                Some(_) => Ok(Source::Git(repository)),
            };
        }
        let here = std::env::current_dir()
            .map_err(|e| Failure::failed(format!("the current folder: {e}")))?;
        match git::find(&here) {
            Some(found) if git::head(&found)?.is_none() => {
                Ok(Source::Sample(format!("{} has no commit yet", found.display())))
            }
            Some(found) => Ok(Source::Git(found)),
            None => Ok(Source::Sample(format!("{} is in no git repository", here.display()))),
        }
    }

    /// Takes what the database lacks. A database that holds another history is left as it is.
    async fn fill(
        &self,
        database: &Arc<Database>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let newest = database.snapshot().newest().t;
        let filled = match self {
            Source::Git(repository) => git_history(database, repository, stop).await,
            Source::Sample(why) if newest < FIRST_T => {
                eprintln!("{why}: database {DATABASE} gets a small sample history");
                let plans = sample::plans()?;
                let taken = run::take(Arc::clone(database), plans, config::now()).await;
                taken.map(drop).map_err(Failure::from)
            }
            Source::Sample(_) => Ok(()),
        };
        match filled {
            Err(failure) if newest >= FIRST_T => {
                eprintln!("database {DATABASE} stays as it was, at t {newest}: {failure}");
                Ok(())
            }
            other => other,
        }
    }
}

async fn git_history(
    database: &Arc<Database>,
    repository: &Path,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    if run::is_complete(database, repository).await? {
        return Ok(());
    }
    eprintln!("importing the git history of {} into database {DATABASE}", repository.display());
    import::import(Arc::clone(database), repository, stop).await.map(drop)
}

/// Prints the queries. The server answers meanwhile: on a large history it takes a moment to choose them.
async fn tell(
    catalog: Arc<Catalog>,
    database: Arc<Database>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut session = sql::session(&catalog, DATABASE, Vec::new()).await?;
    let snapshot = database.snapshot();
    let queries = tokio::select! {
        queries = queries::worth_trying(&mut session, &snapshot, config::now()) => queries?,
        () = stop.cancelled() => return Ok(()),
    };
    let mut text = String::from("Six queries worth trying:\n\n");
    for (i, query) in queries.iter().enumerate() {
        text.push_str(&format!("-- {}. {}\n{};\n\n", i + 1, query.title, query.sql));
    }
    say(&format!("{text}Ctrl-C ends the server; the data stays.\n"))
}
