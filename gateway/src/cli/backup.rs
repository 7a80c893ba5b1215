//! `daodb backup`: copies databases to another folder.

use super::progress::{Unit, Work};
use super::serve::say;
use super::{Failure, folder};
use crate::config::{self, Config, Settings, Wire};
use crate::http::report::hash_text;
use clap::Args;
use daodb_storage::backup::{BackupOptions, Copied, backup};
use daodb_storage::{Access, Store};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb backup /mnt/backup                              all databases of ./daodb-data
  daodb backup /mnt/backup --database demo
  daodb backup /mnt/backup --with-index                 the index too: restoring need not make it
  daodb verify --data /mnt/backup                       reads a backup as it reads a database
  daodb restore /mnt/backup --data /var/lib/daodb       brings it back

Again: only what is new is copied, for objects never change. Every object is checked before it is copied; at the first
damaged one the backup stops and names it. Stopped halfway, the same command goes on. Each backup adds one small object,
backups/N.json: the objects it is made of, their hashes, and the head of the log. t and hash of that head stand for the
whole history: keep them elsewhere, and any change of it will be found.

Only one process opens a folder: end the server first, or copy a snapshot of the file system.";

/// Copy databases to another folder; again: what is new
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Backup {
    /// The folder that holds the backups; made where it is missing
    to: PathBuf,
    /// Only this database
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// Copy the index, too
    #[arg(long)]
    with_index: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Backup {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings.clone(), Wire::default())?;
        super::log(&config.log)?;
        let from = folder::store(&config.location, Access::ReadOnly, false).await?;
        let names = folder::databases(&from, self.database.clone()).await?;
        let to =
            folder::store(&folder::elsewhere(&config, &self.to), Access::ReadWrite, true).await?;
        for name in names {
            tokio::select! {
                said = self.save(&from, &to, &name) => say(&said?)?,
                () = stop.cancelled() => {
                    return Err(Failure::failed("stopped before the end")
                        .hint("the same command goes on from there"));
                }
            }
        }
        Ok(())
    }

    /// Makes one; what was done, as a line.
    async fn save(&self, from: &Store, to: &Store, name: &str) -> Result<String, Failure> {
        let mut work = Work::new(format!("copying {name}"), Unit::Bytes);
        let options = BackupOptions { with_index: self.with_index, now: config::now() };
        let mut tell = |p: daodb_storage::backup::CopyProgress| work.update(p.bytes, p.of_bytes);
        let saved = backup(from, to, name, options, &mut tell).await;
        work.end();
        let saved = saved?;
        let what = match saved.is_old {
            true => "nothing new since backup",
            false => "backup",
        };
        Ok(format!(
            "{name}: {what} {}, head t={} hash={}, {}\n",
            saved.n,
            saved.head.t,
            hash_text(&saved.head.hash),
            told(&saved.copied)
        ))
    }
}

/// What was copied, in words.
pub fn told(copied: &Copied) -> String {
    let Copied { new, kept } = copied;
    format!("{} objects copied ({} bytes), {} were there", new.objects, new.bytes, kept.objects)
}
