//! `weir jobs`: the jobs a running weir knows, and those nobody would hear of.

use serde::{Deserialize, Serialize};

use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::model::Labels;
use crate::notify::render::escape::line;

/// Lists the jobs of a running weir.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir jobs
  weir jobs --state failed --matchers 'team=\"ads\"'
  weir jobs --wide         with what StreamPark, Dinky or another source says
  weir jobs --unowned      exit code 1 when there are any

A job is unowned when nobody is told of a critical alert about it: all its routes lead to receivers
without channels, or to receivers in shadow. `weir routes JOB` shows the way.")]
pub(super) struct Args {
    /// Only jobs nobody would hear of; exit code 1 when there are any.
    #[arg(long)]
    unowned: bool,
    /// Show what StreamPark, Dinky or another source says of each beside it, and what there could not be joined to a job.
    #[arg(long)]
    wide: bool,
    /// Only jobs in this state, such as RUNNING or FAILED.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only jobs with these labels; may be given more than once.
    #[arg(long, value_name = "MATCHER")]
    matchers: Vec<String>,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

/// As much of a job as the table shows.
#[derive(Debug, Deserialize, Serialize)]
struct Job {
    key: String,
    state: String,
    stale: bool,
    missing: bool,
    labels: Labels,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// As much of a source as is said beside the table.
#[derive(Debug, Deserialize)]
struct Source {
    name: String,
    #[serde(default)]
    inventory: Option<Inventory>,
}

/// What could not be joined.
#[derive(Debug, Deserialize)]
struct Inventory {
    unseen: Vec<String>,
    conflicts: Vec<String>,
}

/// Jobs of one page.
const PAGE: &str = "1000";
/// Pages at most: more jobs than Weir takes in.
const PAGES: usize = 200;

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    let mut jobs: Vec<Job> = Vec::new();
    for _ in 0..PAGES {
        let after = jobs.last().map(|job| job.key.clone());
        let mut query = vec![("limit", PAGE)];
        query.extend(after.as_deref().map(|key| ("after", key)));
        query.extend(args.state.as_deref().map(|state| ("state", state)));
        query.extend(args.matchers.iter().map(|matcher| ("matchers", matcher.as_str())));
        query.extend(args.unowned.then_some(("unowned", "true")));
        let page: Vec<Job> = remote.get("/api/v1/jobs", &query).await?;
        if page.is_empty() {
            break;
        }
        jobs.extend(page);
    }
    match args.output {
        output::Format::Json => output::say(&serde_json::to_string_pretty(&jobs)?),
        output::Format::Text => output::say(&table(&jobs, args.unowned, args.wide)),
    }
    if args.wide {
        let sources: Vec<Source> = remote.get("/api/v1/sources", &[("limit", PAGE)]).await?;
        sources.iter().flat_map(doubts).for_each(|doubt| output::complain(&doubt));
    }
    if args.unowned && !jobs.is_empty() {
        return Err(Failure::Found);
    }
    Ok(())
}

/// Its schedule says that it need not run now.
fn outside(job: &Job) -> bool {
    let now = job.rest.get("schedule").and_then(|schedule| schedule.get("now"));
    now.and_then(serde_json::Value::as_str) == Some("outside")
}

/// What others say of it.
fn beside(job: &Job) -> String {
    let said = std::iter::once(inventory(job)).chain(seen_by(job));
    said.filter(|said| !said.is_empty()).collect::<Vec<_>>().join("; ")
}

/// What an inventory says: `sp: LOST (100002)`.
fn inventory(job: &Job) -> String {
    let word = |name: &str| job.rest.get("inventory").and_then(|of| of.get(name)?.as_str());
    match (word("source"), word("state"), word("id")) {
        (Some(source), Some(state), Some(id)) => format!("{source}: {state} ({id})"),
        _ => String::new(),
    }
}

/// What other sources say that show it too: `prod: FAILED (prod/orders)`.
fn seen_by(job: &Job) -> Vec<String> {
    let said = job.rest.get("seen_by").and_then(serde_json::Value::as_array);
    let shown = |seen: &serde_json::Value| {
        let word = |name: &str| seen.get(name)?.as_str();
        let differs = if word("state")? == job.state { "" } else { ", differs" };
        let (source, state, key) = (word("source")?, word("state")?, word("key")?);
        Some(format!("{source}: {state} ({key}{differs})"))
    };
    said.into_iter().flatten().filter_map(shown).collect()
}

/// What could not be joined, a line each.
fn doubts(source: &Source) -> Vec<String> {
    let Some(inventory) = &source.inventory else { return Vec::new() };
    let name = &source.name;
    let unseen = |job: &String| format!("{name}: says that `{job}` runs, and no source shows it");
    let conflict = |what: &String| format!("{name}: {what}");
    let conflicts = inventory.conflicts.iter().map(conflict);
    conflicts.chain(inventory.unseen.iter().map(unseen)).map(|doubt| line(&doubt)).collect()
}

fn table(jobs: &[Job], unowned: bool, wide: bool) -> String {
    if jobs.is_empty() {
        return if unowned { "every job has somebody" } else { "no jobs" }.to_owned();
    }
    let rows: Vec<[String; 4]> = jobs
        .iter()
        .map(|job| {
            let state = match (job.missing, job.stale) {
                (true, _) => format!("{} (missing)", job.state),
                (false, true) => format!("{} (not seen now)", job.state),
                (false, false) if outside(job) => format!("{} (outside of its hours)", job.state),
                (false, false) => job.state.clone(),
            };
            let own = ["owner", "team"].map(|name| job.labels.get(name));
            let own: Vec<&str> = own.into_iter().filter(|value| !value.is_empty()).collect();
            let beside = if wide { line(&beside(job)) } else { String::new() };
            [line(&job.key), line(&state), line(&own.join(", ")), beside]
        })
        .collect();
    let width = |n: usize| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or_default();
    let (keys, states, owns) = (width(0), width(1), width(2));
    let lines = rows.iter().map(|[key, state, own, beside]| {
        format!("{key:<keys$}  {state:<states$}  {own:<owns$}  {beside}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(key: &str, missing: bool, stale: bool, labels: Labels) -> Job {
        Job {
            key: key.to_owned(),
            state: "RUNNING".to_owned(),
            stale,
            missing,
            labels,
            rest: serde_json::Map::new(),
        }
    }

    #[test]
    fn jobs_are_a_table() {
        let mut scheduled = job("prod/c", false, false, Labels::default());
        scheduled.rest.insert("schedule".to_owned(), serde_json::json!({ "now": "outside" }));
        let jobs = [
            job("prod/a", false, false, Labels::from([("team", "ads"), ("owner", "duyao")])),
            job("prod/long", true, true, Labels::default()),
            job("prod/b", false, true, Labels::from([("team", "ro")])),
            scheduled,
        ];
        let expected = "\
prod/a     RUNNING                         duyao, ads
prod/long  RUNNING (missing)
prod/b     RUNNING (not seen now)          ro
prod/c     RUNNING (outside of its hours)";
        assert_eq!(table(&jobs, false, false), expected);
        assert_eq!(table(&[], true, false), "every job has somebody");
        assert_eq!(table(&[], false, false), "no jobs");
    }

    #[test]
    fn what_an_inventory_says_stands_beside() {
        let mut lost = job("prod/a", false, false, Labels::from([("owner", "du")]));
        let said = serde_json::json!({ "source": "sp", "state": "LOST", "id": "100002" });
        lost.rest.insert("inventory".to_owned(), said);
        let jobs = [lost, job("prod/b", false, false, Labels::default())];
        assert_eq!(
            table(&jobs, false, true),
            "prod/a  RUNNING  du  sp: LOST (100002)\nprod/b  RUNNING"
        );
        let source: Source = serde_json::from_value(serde_json::json!({
            "name": "sp",
            "inventory": { "entries": 2, "matched": 1, "unseen": ["c"], "conflicts": ["`a` fits 2 jobs"] },
        }))
        .unwrap();
        let expected = ["sp: `a` fits 2 jobs", "sp: says that `c` runs, and no source shows it"];
        assert_eq!(doubts(&source), expected);
    }
}
