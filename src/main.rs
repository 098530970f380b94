//! The `orchestrator` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    resilient_orchestrator::cli::main()
}
