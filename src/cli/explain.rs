//! `weir explain [JOB] [RULE]`: why is this rule firing, or why not?

use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::web::explain::Explained;

mod text;

/// Asks a running weir why rules fire or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir explain                        what is firing, pending, and nearest to firing
  weir explain orders-enrich          every rule for the one job with this in its key
  weir explain orders CheckpointsStalled
  weir explain --source prod          rules about the source itself and its Flink clusters")]
pub(super) struct Args {
    /// Any unambiguous part of a job's key.
    job: Option<String>,
    /// Alert name, or group/alert, or group/alert/severity.
    #[arg(conflicts_with = "rule_option")]
    rule: Option<String>,
    /// The rule, where no job is named.
    #[arg(long = "rule", value_name = "RULE")]
    rule_option: Option<String>,
    /// A source and its Flink clusters instead of a job.
    #[arg(long, value_name = "NAME", conflicts_with = "job")]
    source: Option<String>,
    /// All of them, also what is n/a, each with its values.
    #[arg(long)]
    all: bool,
    /// So many at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

/// Rows of the table of what is nearest.
const NEAREST: u32 = 20;
/// Rules of one job: more than any pack has.
const OF_ONE: u32 = 1_000;

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let one = args.job.is_some() || args.source.is_some();
    let usual = if one || args.all { OF_ONE } else { NEAREST };
    let limit = args.limit.unwrap_or(usual).to_string();
    let rule = args.rule.or(args.rule_option);
    let mut query = vec![("limit", limit.as_str())];
    let given = [("job", &args.job), ("source", &args.source), ("rule", &rule)];
    query.extend(given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    let remote = Remote::find(&args.target)?;
    if matches!(args.output, output::Format::Json) {
        let answer: serde_json::Value = remote.get("/api/v1/explain", &query).await?;
        output::say(&serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    let answer: Explained = remote.get("/api/v1/explain", &query).await?;
    let text = if one {
        text::one(&answer, args.all || rule.is_some())
    } else {
        text::nearest(&answer, args.all)
    };
    output::say(&text);
    Ok(())
}
