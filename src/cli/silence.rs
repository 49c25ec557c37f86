//! `weir silence add | list | end`: what nobody wants to hear of for a while.

use super::incident::Word;
use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::clock::{Clock, SystemClock};
use crate::config::de::duration;
use crate::notify::render::escape;
use crate::web::command::Done;
use crate::web::silences::{Item, Wanted};

/// About silences.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Hold back what matches; prints what that is now.
    Add(Add),
    /// Those that hold or will hold.
    List(List),
    /// End one; what it held back and is still wrong is told then.
    End(End),
}

/// For how long, from when, and whether at all.
#[derive(Debug, clap::Args)]
pub(super) struct Span {
    /// How long: 30m, 2h, 1d.
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse, required = true)]
    length: Option<std::time::Duration>,
    /// From when: a time such as 2026-11-20T06:00:00Z, or so long from now: 30m.
    #[arg(long, value_name = "TIME")]
    start: Option<Start>,
    /// Only say what it would hold back.
    #[arg(long)]
    dry_run: bool,
}

/// A point in time to come.
#[derive(Debug, Clone, Copy)]
enum Start {
    In(std::time::Duration),
    At(jiff::Timestamp),
}

impl std::str::FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Start, String> {
        if let Ok(span) = duration::parse(text) {
            return Ok(Start::In(span));
        }
        text.parse().map(Start::At).map_err(|_| {
            "write a time such as 2026-11-20T06:00:00Z, or a duration from now such as 30m"
                .to_owned()
        })
    }
}

impl Span {
    /// RFC 3339; none: now.
    fn starts_at(&self) -> Option<String> {
        let at = match self.start? {
            Start::At(at) => at,
            Start::In(span) => {
                let at = SystemClock::anchored(None).now().wall + span;
                jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX)
            }
        };
        Some(at.to_string())
    }
}

#[derive(Debug, clap::Args)]
struct Add {
    /// All must hold, such as `team="payments"`, `job_name=~"orders-.*"` or `alertname!=JobFailed`.
    #[arg(required = true, value_name = "MATCHER")]
    matchers: Vec<String>,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Also those that are over.
    #[arg(long)]
    all: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
pub(super) struct End {
    /// Its number.
    #[arg(value_name = "ID")]
    silence: String,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Add(args) => {
            let wanted = Wanted { matchers: args.matchers, ..Wanted::default() };
            add(wanted, &args.span, &args.word, &args.target).await
        }
        Command::List(args) => list(args, |_| true).await,
        Command::End(args) => end(args).await,
    }
}

/// Gives it to weir and prints what it hits.
pub(super) async fn add(
    wanted: Wanted,
    span: &Span,
    word: &Word,
    target: &Target,
) -> Result<(), Failure> {
    let remote = Remote::find(target)?;
    let order = word.order(0);
    let wanted = Wanted {
        id: order.id,
        comment: order.comment,
        by: order.by,
        starts_at: span.starts_at(),
        duration_seconds: span.length.map(|length| length.as_secs().max(1)),
        ..wanted
    };
    let path = if span.dry_run { "/api/v1/silences?preview=true" } else { "/api/v1/silences" };
    let done: Done = remote.post(path, &wanted).await?;
    word.print(&done)?;
    if word.output == output::Format::Text {
        let hits = done.hits.unwrap_or_default();
        for (id, title) in &hits.incidents {
            output::say(&format!("  #{id} {}", escape::plain(title)));
        }
        more(hits.incidents_in_all, hits.incidents.len());
        for job in &hits.jobs {
            output::say(&format!("  {}", escape::plain(job)));
        }
        more(hits.jobs_in_all, hits.jobs.len());
    }
    Ok(())
}

fn more(all: usize, named: usize) {
    if all > named {
        output::say(&format!("  … and {} more", all - named));
    }
}

/// Prints those `wanted`.
pub(super) async fn list(args: List, wanted: fn(&Item) -> bool) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    let mut items: Vec<Item> = remote.get("/api/v1/silences", &[("limit", "1000")]).await?;
    items.retain(|item| wanted(item) && (args.all || item.state != "expired"));
    if args.output == output::Format::Json {
        output::say(&serde_json::to_string_pretty(&items)?);
        return Ok(());
    }
    if items.is_empty() {
        output::say("none");
    }
    for item in items {
        output::say(&escape::plain(&line(&item)));
    }
    Ok(())
}

/// `#7  active  until 2026-…  team="ro"  (maintenance: backfill, by ann)`.
fn line(item: &Item) -> String {
    let when = match (item.state.as_str(), &item.starts_at, &item.ends_at) {
        ("pending", Some(from), Some(until)) => format!("{from} until {until}"),
        (_, _, Some(until)) => format!("until {until}"),
        _ => String::new(),
    };
    let what = match (item.maintenance, item.only_work) {
        (true, true) => "maintenance: ",
        (true, false) => "maintenance, everything: ",
        (false, _) => "",
    };
    let comment = if item.comment.is_empty() { "no comment" } else { &item.comment };
    let matchers = item.matchers.join(" ");
    let by = &item.created_by;
    format!("#{}  {}  {when}  {matchers}  ({what}{comment}, by {by})", item.id, item.state)
}

/// Ends one by its number.
pub(super) async fn end(args: End) -> Result<(), Failure> {
    let number = args.silence.trim_start_matches('#');
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        output::complain(&format!("error: `{}` is no silence; write it like 7", args.silence));
        return Err(Failure::Refused);
    }
    let remote = Remote::find(&args.target)?;
    let path = format!("/api/v1/silences/{number}");
    let done: Done = remote.delete(&path, &args.word.order(0)).await?;
    args.word.print(&done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_one_line() {
        let item = Item {
            id: 7,
            state: "active".to_owned(),
            matchers: vec!["team=\"ro\"".to_owned()],
            maintenance: true,
            hold_restarts: false,
            only_work: true,
            starts_at: Some("2026-11-20T06:00:00Z".to_owned()),
            ends_at: Some("2026-11-20T12:00:00Z".to_owned()),
            created_by: "ann".to_owned(),
            created_at: None,
            comment: "backfill".to_owned(),
        };
        let text = line(&item);
        let wanted =
            "#7  active  until 2026-11-20T12:00:00Z  team=\"ro\"  (maintenance: backfill, by ann)";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_start_is_a_time_or_a_while_from_now() {
        assert!(matches!("30m".parse(), Ok(Start::In(_))));
        assert!(matches!("2026-11-20T06:00:00+08:00".parse(), Ok(Start::At(_))));
        assert!("tomorrow".parse::<Start>().is_err());
    }
}
