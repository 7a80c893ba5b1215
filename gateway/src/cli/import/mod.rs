//! `daodb import`: what others have, into a database.

mod git;
mod rows;
mod server;
mod spooled;

pub use git::import;

use super::Failure;
use clap::Subcommand;
use tokio_util::sync::CancellationToken;

/// Take in the history of a repository, or the rows of a file
#[derive(Subcommand, Debug)]
pub enum Import {
    Git(git::Git),
    Csv(rows::Csv),
    Json(rows::Json),
    Parquet(rows::Parquet),
}

impl Import {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        match self {
            Import::Git(command) => command.run(stop).await,
            Import::Csv(command) => command.run(stop).await,
            Import::Json(command) => command.run(stop).await,
            Import::Parquet(command) => command.run(stop).await,
        }
    }
}
