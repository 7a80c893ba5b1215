//! `daodb restore`: brings databases back from a backup.

use super::backup::told;
use super::progress::{Unit, Work};
use super::serve::say;
use super::{Failure, folder, rebuild_index};
use crate::config::{Config, Settings, Wire};
use crate::http::report::hash_text;
use clap::Args;
use daodb_storage::backup::restore;
use daodb_storage::{Access, Store};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb restore /mnt/backup --data /var/lib/daodb
  daodb restore /mnt/backup --database demo

The newest backup of each database is copied back, every object compared with its hash, and the whole log read again: the
line at the end shows its head, t and hash, as the backup did. An index that was not backed up is made anew.

A database that is there already must be of the same history, else nothing is changed. So a database that lost objects, or
whose damaged ones were moved away, gets these back and keeps what it has written since. Stopped halfway, the same command
goes on; until the end there is no database.json, so that nobody takes a half for the whole.";

/// Bring databases back from a backup
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Restore {
    /// The folder that holds the backups
    from: PathBuf,
    /// Only this database
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Restore {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings.clone(), Wire::default())?;
        super::log(&config.log)?;
        let from =
            folder::store(&folder::elsewhere(&config, &self.from), Access::ReadOnly, false).await?;
        let names = folder::databases(&from, self.database.clone()).await?;
        if names.is_empty() {
            let text = format!("{} holds no backup", self.from.display());
            return Err(Failure::failed(text).hint("daodb backup makes one"));
        }
        let to = folder::store(&config.location, Access::ReadWrite, true).await?;
        for name in names {
            tokio::select! {
                done = bring_back(&from, &to, &name, &config) => done?,
                () = stop.cancelled() => {
                    return Err(Failure::failed("stopped before the end")
                        .hint("the same command goes on from there"));
                }
            }
        }
        Ok(())
    }
}

async fn bring_back(from: &Store, to: &Store, name: &str, config: &Config) -> Result<(), Failure> {
    let mut work = Work::new(format!("restoring {name}"), Unit::Bytes);
    let mut tell = |p: daodb_storage::backup::CopyProgress| work.update(p.bytes, p.of_bytes);
    let restored = restore(from, to, name, &mut tell).await;
    work.end();
    let restored = restored?;
    say(&format!(
        "{name}: restored backup {}, head t={} hash={}, {}\n",
        restored.n,
        restored.head.t,
        hash_text(&restored.head.hash),
        told(&restored.copied)
    ))?;
    if !restored.has_index {
        say(&rebuild_index::rebuild(to, name, config).await?)?;
    }
    Ok(())
}
