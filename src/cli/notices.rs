//! `weir notices`: what became of each piece of news, and why there was none.

mod text;

use super::history::Since;
use super::output::Words;
use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::clock::{Clock, SystemClock};
use crate::web::notices::{Item, Why};

/// Asks a running weir what it told whom, and why it told nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir notices                            the newest, each with its way
  weir notices --job orders --since 1d    why did I get no message about orders?
  weir notices --receiver ops --rule JobFailed
  weir notices --incident 12")]
pub(super) struct Args {
    /// Any unambiguous part of a job's key.
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only for this receiver.
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Alert name, or group/alert, or group/alert/severity.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// How far back: 7d, 12h, or a time such as 2026-11-20T06:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only about this incident.
    #[arg(long, value_name = "N")]
    incident: Option<u64>,
    /// So many at most.
    #[arg(long, default_value = "20", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Language of the words.
    #[arg(long, value_enum, default_value = "en", value_name = "LANGUAGE")]
    language: Words,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

/// What is printed for programs.
#[derive(serde::Serialize)]
struct Found<'a> {
    notices: &'a [Item],
    /// Only where nothing was found.
    why: Option<&'a Why>,
    /// The newest from before `--since`, where that left nothing.
    before: Option<&'a Item>,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    let language = args.language.code();
    let zone = jiff::tz::TimeZone::system();
    let mut about = vec![("language", language)];
    about.extend(zone.iana_name().map(|name| ("zone", name)));
    let given = [("job", &args.job), ("receiver", &args.receiver), ("rule", &args.rule)];
    about.extend(given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    // Says which job is meant, too; one that is gone may still have notices.
    let why: Result<Why, Failure> = remote.get("/api/v1/notices/why", &about).await;
    let job = why.as_ref().ok().and_then(|why| why.job.clone()).or(args.job);
    let (incident, limit) = (args.incident.map(|id| id.to_string()), args.limit.to_string());
    let now = SystemClock::anchored(None).now().wall;
    let since = args.since.map(|since| since.from(now));
    let since = since.map(|at| output::rfc3339(at, "--since")).transpose()?;
    let mut query = vec![("language", language)];
    query.extend(zone.iana_name().map(|name| ("zone", name)));
    let given = [
        ("job", &job),
        ("receiver", &args.receiver),
        ("rule", &args.rule),
        ("incident", &incident),
    ];
    query.extend(given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    let mut within = query.clone();
    within.push(("limit", &limit));
    within.extend(since.as_deref().map(|since| ("since", since)));
    let notices: Vec<Item> = remote.get("/api/v1/notices", &within).await?;
    let mut before: Vec<Item> = Vec::new();
    if notices.is_empty() && since.is_some() {
        query.push(("limit", "1"));
        before = remote.get("/api/v1/notices", &query).await?;
    }
    let why = if !notices.is_empty() || incident.is_some() { None } else { Some(why?) };
    if args.output == output::Format::Json {
        let found = Found { notices: &notices, why: why.as_ref(), before: before.first() };
        output::say(&serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    output::say(&text::all(&notices, args.language, &zone));
    if let Some(why) = why {
        output::say(&text::why(&why, args.language));
    }
    if let Some(last) = before.first() {
        output::say(&text::before(last, args.language, &zone));
    }
    Ok(())
}
