//! `daodb rebuild-index`: the index of a database, made anew from its log.

use super::progress::{Unit, Work};
use super::serve::say;
use super::{Failure, folder};
use crate::config::{Config, Settings, Wire};
use crate::http::report::hash_text;
use clap::Args;
use daodb_storage::Access;
use daodb_storage::rebuild::{RebuildProgress, RebuildStep, rebuild_index};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb rebuild-index --data /var/lib/daodb
  daodb rebuild-index --database demo

The index (roots and segments) is derived from the log and can be made again at any time: after daodb verify found it
damaged, or to have it compact. The log is read first, as a whole; where that is damaged, nothing is changed. What is
stopped halfway goes on when the database is opened. Memory: about four times --tail-datoms facts.

Only one process opens a folder: end the server first.";

/// Make the index of a database anew, from its log
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct RebuildIndex {
    /// Only this database
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl RebuildIndex {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings, Wire::default())?;
        super::log(&config.log)?;
        let store = folder::store(&config.location, Access::ReadWrite, false).await?;
        for name in folder::databases(&store, self.database).await? {
            tokio::select! {
                said = rebuild(&store, &name, &config) => say(&said?)?,
                () = stop.cancelled() => {
                    return Err(Failure::failed("stopped before the end")
                        .hint("nothing is lost: the next opening makes what is missing of the index"));
                }
            }
        }
        Ok(())
    }
}

/// Rebuilds one; what was done, as a line.
pub async fn rebuild(
    store: &daodb_storage::Store,
    name: &str,
    config: &Config,
) -> Result<String, Failure> {
    let start = Instant::now();
    let mut work = Works::default();
    let mut tell = |progress| work.update(name, progress);
    let rebuilt = rebuild_index(store, name, config.catalog_options().stream, &mut tell).await;
    work.end();
    let rebuilt = rebuilt?;
    Ok(format!(
        "rebuilt the index of {name}: head t={} hash={}, {} segments, {} bytes, {:.1} s\n",
        rebuilt.head.t,
        hash_text(&rebuilt.head.hash),
        rebuilt.segments,
        rebuilt.bytes,
        start.elapsed().as_secs_f64()
    ))
}

/// Two steps, each with a progress of its own.
#[derive(Default)]
struct Works {
    work: Option<(RebuildStep, Work)>,
}

impl Works {
    fn update(&mut self, name: &str, progress: RebuildProgress) {
        if self.work.as_ref().is_none_or(|(step, _)| *step != progress.step) {
            let what = match progress.step {
                RebuildStep::Reading => format!("reading the log of {name}"),
                RebuildStep::Writing => format!("indexing {name}"),
            };
            let work = Work::new(what, Unit::Transactions);
            if let Some((_, done)) = self.work.replace((progress.step, work)) {
                done.end();
            }
        }
        if let Some((_, work)) = &mut self.work {
            work.update(progress.done, progress.of);
        }
    }

    fn end(self) {
        if let Some((_, work)) = self.work {
            work.end();
        }
    }
}
