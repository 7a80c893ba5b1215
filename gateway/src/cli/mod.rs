//! The commands of `daodb`, one file each.

mod backup;
mod demo;
mod diff;
mod export;
mod failure;
mod folder;
mod history;
mod import;
mod info;
mod listen;
mod log;
mod pages;
mod progress;
mod prompt;
mod query;
mod rebuild_index;
mod remote;
pub mod render;
mod restore;
mod serve;
mod signals;
pub mod sql;
mod transact;
mod verify;
mod who;

pub use failure::Failure;

use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

const EXAMPLES: &str = "\
Examples:
  daodb demo                              the history of the repository you stand in, served to psql
  daodb demo --git ~/src/other            of another one
  daodb import git ~/src/other            into a database named after the folder; again: what is new
  daodb import csv x.csv --table t --key id  rows of a file; again: what differs
  daodb serve --data ./daodb-data         then: psql -h 127.0.0.1 -p 5433 demo
  daodb sql 'SELECT count(*) FROM file'   without a server
  daodb query '[:find ?p :where [_ :file/path ?p]]'  the same in Datalog
  daodb transact data.edn --database d    facts of yours; --url: through a server
  daodb info                              what a folder holds
  daodb log                               its last transactions
  daodb history '[:file/path \"README.md\"]'  one entity, change by change
  daodb diff 2026-01-01 2026-02-01        what differs between two moments
  daodb serve --data s3://bucket/prefix   in a bucket: docs/storage.md
  daodb export --format edn > now.edn     datoms or tables for other programs
  daodb backup /mnt/backup                copies what is new there; daodb restore brings it back
  daodb verify --deep                     reads all of it, and says what is wrong

Every setting is a flag, a variable (--tail-datoms is DAODB_TAIL_DATOMS) and a key of the TOML file that --config names;
the flag goes first, then the variable, then the file.";

/// A database that forgets nothing: facts are added, never overwritten, and SQL reads any moment of them.
#[derive(Parser, Debug)]
#[command(name = "daodb", version, after_help = EXAMPLES, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    #[command(subcommand)]
    Import(import::Import),
    Sql(sql::Sql),
    Query(query::Query),
    Transact(transact::Transact),
    Info(info::Info),
    Log(log::Log),
    History(history::History),
    Diff(diff::Diff),
    Export(export::Export),
    Verify(verify::Verify),
    RebuildIndex(rebuild_index::RebuildIndex),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Completions(pages::Completions),
    Man(pages::Man),
}

/// Runs the command that the arguments name. Exit status: 0 done, 1 failed, 2 asked wrongly.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start: {e}")))?;
    let result = runtime.block_on(async {
        let stop = match &cli.command {
            // There Ctrl-C forgets a line, or stops one statement.
            Command::Sql(command) if command.is_prompt() => CancellationToken::new(),
            _ => signals::watch(),
        };
        match cli.command {
            Command::Demo(command) => command.run(stop).await,
            Command::Serve(command) => command.run(stop).await,
            Command::Import(command) => command.run(stop).await,
            Command::Sql(command) => command.run(stop).await,
            Command::Query(command) => command.run(stop).await,
            Command::Transact(command) => command.run().await,
            Command::Info(command) => command.run().await,
            Command::Log(command) => command.run(stop).await,
            Command::History(command) => command.run(stop).await,
            Command::Diff(command) => command.run(stop).await,
            Command::Export(command) => command.run(stop).await,
            Command::Verify(command) => command.run(stop).await,
            Command::RebuildIndex(command) => command.run(stop).await,
            Command::Backup(command) => command.run(stop).await,
            Command::Restore(command) => command.run(stop).await,
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        }
    });
    runtime.shutdown_background();
    result
}

/// Logs go to stderr, in colors only on a terminal.
fn log(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|e| {
        Failure::usage(format!("--log {filter}: {e}"))
            .hint("error, warn, info, debug, trace, or a list such as daodb_storage=debug,warn")
    })?;
    let colors = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colors)
        .try_init()
        .map_err(|e| Failure::failed(format!("cannot log: {e}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        super::Cli::command().debug_assert();
    }
}
