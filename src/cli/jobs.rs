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
  weir jobs --unowned      exit code 1 when there are any

A job is unowned when nobody is told of a critical alert about it: all its routes lead to receivers
without channels, or to receivers in shadow. `weir routes JOB` shows the way.")]
pub(super) struct Args {
    /// Only jobs nobody would hear of; exit code 1 when there are any.
    #[arg(long)]
    unowned: bool,
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
        output::Format::Text => output::say(&table(&jobs, args.unowned)),
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

fn table(jobs: &[Job], unowned: bool) -> String {
    if jobs.is_empty() {
        return if unowned { "every job has somebody" } else { "no jobs" }.to_owned();
    }
    let rows: Vec<[String; 3]> = jobs
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
            [line(&job.key), line(&state), line(&own.join(", "))]
        })
        .collect();
    let width = |n: usize| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or_default();
    let (keys, states) = (width(0), width(1));
    let lines = rows.iter().map(|[key, state, own]| {
        format!("{key:<keys$}  {state:<states$}  {own}").trim_end().to_owned()
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
        assert_eq!(table(&jobs, false), expected);
        assert_eq!(table(&[], true), "every job has somebody");
        assert_eq!(table(&[], false), "no jobs");
    }
}
