//! `weir rules`: about rule files.

use std::path::PathBuf;

use super::{Failure, check};

/// About rule files.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Check rule files without a configuration.
    Check {
        /// Rule files; `shipped` stands for the rules that come with Weir.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::Check { files } => check::files(files),
    }
}
