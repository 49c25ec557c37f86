//! placeholder
use super::Failure;
/// Args
#[derive(Debug, clap::Args)]
pub(super) struct Args {}
pub(super) fn run(_args: &Args) -> Result<(), Failure> {
    Ok(())
}
