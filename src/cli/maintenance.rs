//! `weir maintenance JOB|MATCHERS --for 6h --reason backfill`: mutes what a backfill causes, never
//! that a job fails.

use super::incident::Word;
use super::remote::Target;
use super::silence::{self, End, List, Span};
use super::{Failure, output};
use crate::web::silences::Wanted;

/// Holds back lag, throughput, back-pressure and slow checkpoints; never that a job fails.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  weir maintenance orders-enrich --for 6h --reason backfill
  weir maintenance team=payments cluster=prod --for 2h --start 2026-11-20T22:00:00Z
  weir maintenance list
  weir maintenance end 7")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// An unambiguous part of a job's key, or matchers such as team="payments".
    #[arg(required = true, value_name = "JOB|MATCHER")]
    what: Vec<String>,
    #[command(flatten)]
    span: Span,
    /// Hold back everything, failures too.
    #[arg(long)]
    all: bool,
    /// Restart none of these jobs automatically meanwhile.
    #[arg(long)]
    hold_restarts: bool,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Those that hold or will hold.
    List(List),
    /// End one; what it held back and is still wrong is told then.
    End(End),
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Some(Command::List(args)) => return silence::list(args, |item| item.maintenance).await,
        Some(Command::End(args)) => return silence::end(args).await,
        None => {}
    }
    let (matchers, jobs): (Vec<String>, Vec<String>) =
        args.what.into_iter().partition(|text| text.contains('='));
    if jobs.len() > 1 {
        let hint = "error: name one job, or several with a matcher such as job_name=~\"a|b\"";
        output::complain(hint);
        return Err(Failure::Refused);
    }
    let (job, all) = (jobs.into_iter().next(), args.all);
    let hold_restarts = args.hold_restarts;
    let wanted =
        Wanted { matchers, job, maintenance: true, all, hold_restarts, ..Wanted::default() };
    silence::add(wanted, &args.span, &args.word, &args.target).await
}
