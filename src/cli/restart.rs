//! `weir restart JOB`: starts a job again from its last checkpoint, or says what would be done.

use super::remote::{Remote, Target, any_id};
use super::{Failure, output};
use crate::notify::render::escape::{line, plain};
use crate::web::command::Done;
use crate::web::restarts::{Item, Pause, Wanted};

/// Starts a dead job again from its last checkpoint, approves a restart that waits, or says what
/// would be done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir restart orders --dry-run              what would be done, and which guard would hold it
  weir restart orders                        from the newest checkpoint; approves one that waits
  weir restart orders --from chk-42          from this one (weir checkpoints orders lists them)
  weir restart orders --from s3://b/sp-1     from a path
  weir restart orders --decline -m 'on it'   what was not sent yet is not sent
  weir restart --list                        what was restarted, and how that went
  weir restart --pause-all -m 'upgrade'      nothing is restarted automatically any more
  weir restart --resume-all

A restart needs an entry under `restarts` whose matchers fit the job: it says how. Whoever asks by
hand is not held by budgets, hours or pauses, but by everything that keeps a job from running twice.")]
pub(super) struct Args {
    /// Any unambiguous part of the job's key.
    #[arg(required_unless_present_any = ["pause_all", "resume_all", "list"])]
    job: Option<String>,
    /// Path or number of the checkpoint or savepoint to restore from; the newest that can be.
    #[arg(long, value_name = "PATH|ID", requires = "job")]
    from: Option<String>,
    /// Change nothing: say what would be done, and what would hold it.
    #[arg(long, requires = "job")]
    dry_run: bool,
    /// A restart that was not sent yet is not to be sent.
    #[arg(long, requires = "job", conflicts_with_all = ["from", "dry_run"])]
    decline: bool,
    /// Restart nothing automatically until `--resume-all`.
    #[arg(long, conflicts_with_all = ["job", "resume_all", "list"])]
    pause_all: bool,
    /// Restart automatically again.
    #[arg(long, conflicts_with_all = ["job", "list"])]
    resume_all: bool,
    /// List what was restarted, newest first.
    #[arg(long, conflicts_with_all = ["from", "dry_run", "decline"])]
    list: bool,
    /// Why, for the timeline.
    #[arg(long, short = 'm', visible_alias = "reason", default_value = "", value_name = "TEXT")]
    comment: String,
    /// Who, where no token says so.
    #[arg(long, env = "USER", default_value = "", value_name = "NAME")]
    by: String,
    /// Name of this order: given again, it is not done again.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    if args.list {
        return list(&remote, &args).await;
    }
    let id = Some(args.id.clone().unwrap_or_else(any_id));
    let (comment, by) = (args.comment.clone(), args.by.clone());
    let done: Done = match args.job.clone() {
        None => {
            let pause = Pause { id, pause: args.pause_all, comment, by };
            remote.post("/api/v1/restarts/pause", &pause).await?
        }
        Some(job) => {
            let (from, dry_run) = (args.from.clone(), args.dry_run);
            let wanted = Wanted { id, job, from, dry_run, comment, by };
            let verb = if args.decline { "/decline" } else { "" };
            remote.post(&format!("/api/v1/restarts{verb}"), &wanted).await?
        }
    };
    match args.output {
        output::Format::Json => output::say(&serde_json::to_string(&done)?),
        output::Format::Text => {
            output::say(&plain(&done.said));
            if args.dry_run {
                for (guard, why) in &done.holds {
                    output::say(&format!("  {guard}: {}", plain(why)));
                }
            }
        }
    }
    if args.dry_run && !done.holds.is_empty() { Err(Failure::Found) } else { Ok(()) }
}

async fn list(remote: &Remote, args: &Args) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = args.job.iter().map(|job| ("job", job.as_str())).collect();
    let items: Vec<Item> = remote.get("/api/v1/restarts", &query).await?;
    match args.output {
        output::Format::Json => output::say(&serde_json::to_string_pretty(&items)?),
        output::Format::Text => items.iter().for_each(|item| output::say(&row(item))),
    }
    Ok(())
}

fn row(item: &Item) -> String {
    let at = item.at.as_deref().unwrap_or("-");
    let from = item.from.as_deref().map_or_else(|| "-".to_owned(), line);
    let note = item.note.as_deref().map(|note| format!("  ({})", line(note))).unwrap_or_default();
    let (id, state, job) = (item.id, &item.state, line(&item.job));
    let (attempt, of) = (item.attempt, item.of);
    format!("{id:>5}  {at}  {state:<9}  {job}  {attempt}/{of}  {from}{note}")
}
