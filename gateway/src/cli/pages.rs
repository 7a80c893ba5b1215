//! `daodb completions` and `daodb man`: what shells and `man` know of the command line, made of its definition.

use super::{Cli, Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;

const COMPLETIONS: &str = "\
Examples:
  daodb completions bash > ~/.local/share/bash-completion/completions/daodb
  daodb completions zsh > ~/.zfunc/_daodb
  daodb completions fish > ~/.config/fish/completions/daodb.fish";

const MAN: &str = "\
Examples:
  daodb man ~/.local/share/man/man1     then: man daodb, man daodb-import-csv";

/// Print what a shell completes commands and flags by
#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write pages of the manual, one a command, into a folder
#[derive(Args, Debug)]
#[command(after_help = MAN)]
pub struct Man {
    /// The folder, made where it is missing
    folder: PathBuf,
}

impl Completions {
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "daodb", &mut script);
        let written = std::io::stdout().write_all(&script);
        written.map_err(|e| Failure::failed(format!("stdout: {e}")))
    }
}

impl Man {
    pub fn run(self) -> Result<(), Failure> {
        let folder = &self.folder;
        let failed = |e| Failure::failed(format!("cannot write {}: {e}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), folder).map_err(failed)
    }
}
