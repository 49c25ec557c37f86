//! `weir retire JOB`: a job is gone for good.

use super::Failure;
use super::incident::Word;
use super::remote::{Remote, Target, segment};
use crate::web::command::Done;

/// Ends a job's incidents and forgets it until it runs again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Any unambiguous part of the job's key.
    job: String,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    let path = format!("/api/v1/jobs/{}/retire", segment(&args.job));
    let done: Done = remote.post(&path, &args.word.order(0)).await?;
    args.word.print(&done)
}
