//! The `daodb` command; see [`daodb_gateway::cli`].

use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    daodb_gateway::cli::main()
}
