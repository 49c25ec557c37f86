//! `weir report`: what happened since a time, and what was told of it.

mod text;

use super::history::Since;
use super::output::Words;
use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::clock::{Clock, SystemClock};
use crate::web::report::Reported;

/// Asks a running weir what happened.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir report                             the last seven days
  weir report --since 1d --language zh
  weir report --since 2026-11-20T06:00:00Z --output json")]
pub(super) struct Args {
    /// How far back: 7d, 12h, or a time such as 2026-11-20T06:00:00Z. No further than
    /// `store.retention`; failures are counted by the hour.
    #[arg(long, default_value = "7d", value_name = "TIME")]
    since: Since,
    /// Language of the words.
    #[arg(long, value_enum, default_value = "en", value_name = "LANGUAGE")]
    language: Words,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    let now = SystemClock::anchored(None).now().wall;
    let since = output::rfc3339(args.since.from(now), "--since")?;
    let query = [("since", since.as_str())];
    if args.output == output::Format::Json {
        let answer: serde_json::Value = remote.get("/api/v1/report", &query).await?;
        output::say(&serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    let answer: Reported = remote.get("/api/v1/report", &query).await?;
    output::say(&text::report(&answer, args.language, &jiff::tz::TimeZone::system()));
    Ok(())
}
