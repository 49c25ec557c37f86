//! `weir config`: about the configuration file.

use super::{Failure, output};

/// About the configuration file.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print its JSON schema, for editors that complete.
    Schema,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match args.what {
        What::Schema => {
            output::say(&serde_json::to_string_pretty(&crate::config::schema())?);
            Ok(())
        }
    }
}
