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
    /// Print a JSON schema, for editors that complete: of the configuration, unless told otherwise.
    Schema(Schema),
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Schema {
    /// Of the configuration.
    #[arg(long)]
    config: bool,
    /// Of rule files.
    #[arg(long)]
    rules: bool,
    /// Of test files.
    #[arg(long)]
    tests: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let What::Schema(of) = &args.what;
    let schema = if of.rules {
        crate::rules::schema()
    } else if of.tests {
        crate::story::schema()
    } else {
        crate::config::schema()
    };
    output::say(&serde_json::to_string_pretty(&schema)?);
    Ok(())
}
