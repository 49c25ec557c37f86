//! Weir's entry point.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir::cli::run()
}
