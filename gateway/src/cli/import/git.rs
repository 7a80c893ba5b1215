//! `daodb import git`

use crate::cli::progress::Shown;
use crate::cli::{Failure, folder};
use crate::config::{self, Config, Settings, Wire};
use crate::import::{git, run};
use clap::Args;
use daodb_catalog::Database;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb import git .                           into a database named after the repository's folder
  daodb import git ~/src/linux --database linux
  daodb import git .                           again: only what is new

One transaction a commit of HEAD's first parents, oldest first. Tables: file, commit, person, and git (the commit of each
transaction). `SELECT path, mode, blob FROM file VERSION AS OF 1042` is then what git ls-tree -r prints of that commit.";

/// Import a git repository: one transaction a commit; again: what is new
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Git {
    /// The repository, or a folder inside it
    path: PathBuf,
    /// The database to import into, made where it is missing [default: the name of the repository's folder]
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Git {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings, Wire::default())?;
        crate::cli::log(&config.log)?;
        let repository = git::find(&self.path).ok_or_else(|| {
            Failure::failed(format!("{} is not in a git repository", self.path.display()))
                .hint("give the path of a clone, or of any folder inside one")
        })?;
        if git::head(&repository)?.is_none() {
            let text = format!("{} has no commit yet", repository.display());
            return Err(Failure::failed(text).hint("HEAD must name a commit"));
        }
        let name = self.database.unwrap_or_else(|| database_name(&repository));
        let catalog = folder::open(&config, true).await?;
        let database = folder::open_or_create(&catalog, &name).await?;
        eprintln!("importing {} into database {name}", repository.display());
        let imported = import(database, &repository, &stop).await;
        catalog.close().await?;
        imported?;
        Ok(())
    }
}

/// Imports what is new and shows how far it is.
pub async fn import(
    database: Arc<Database>,
    repository: &Path,
    stop: &CancellationToken,
) -> Result<run::Summary, Failure> {
    let mut shown = Shown::new();
    let mut update = |progress| shown.update(progress);
    let summary = run::import(database, repository, config::now(), stop, &mut update).await?;
    shown.end(&summary);
    Ok(summary)
}

/// The repository's folder name as a name that psql takes without quotes; a bare `x.git` is `x`.
fn database_name(repository: &Path) -> String {
    let full = repository.canonicalize().unwrap_or_else(|_| repository.to_owned());
    let folder = full.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let folder = folder.strip_suffix(".git").unwrap_or(&folder);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = folder.chars().map(plain).collect();
    match name.trim_matches('_') {
        "" => "git".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::database_name;
    use std::path::Path;

    #[test]
    fn database_names() {
        let check = |path: &str, expect: &str| assert_eq!(database_name(Path::new(path)), expect);
        check("/no/such/My Project", "my_project");
        check("/no/such/linux.git", "linux");
        check("/no/such/.git", "git");
        check("/no/such/größe", "gr__e");
        check("/no/such/...", "git");
    }
}
