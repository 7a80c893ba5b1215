//! The `daodb` command; see [`daodb_gateway::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    daodb_gateway::cli::main()
}
