//! `weir doctor`: reaches every source once, as `run` would, then whoever restarts and keeps checkpoints;
//! changes nothing, and says what is wrong.

mod fits;
mod restarts;

use futures_util::future::join_all;
use serde::Serialize;

use super::{ConfigFile, Failure, check, output};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::SourceConfig;
use crate::engine::Engine;
use crate::model::{Completeness, Demand, JobState, Loaded, Snapshot};
use crate::notify::Composers;
use crate::sources::{Allowance, Shows};

/// Clusters that do not answer are named up to this many.
const MOST_NAMED: usize = 5;

/// Looks at every source once, and at what restarts need; nothing is changed, nobody is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir doctor
  weir doctor --source emr --source tke
  weir doctor --output json

With `restarts`, also whether each entry could start its jobs (its cluster, jar, script, program,
token or rights), whether each of `checkpoint_stores` takes its keys, and which of the jobs that
are seen fit no entry, or several; not with --source.

Exit code 1 when a source cannot be seen, or not wholly, or when a restart or store would fail; a
`note` is none. Channels are tried by `weir test-message RECEIVER`, which sends.")]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Only this source; may be given more than once.
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    /// It was seen wholly.
    Ok,
    /// It was seen in part, or is on its way.
    Partly,
    /// It could not be seen.
    Failed,
    /// Nothing is wrong, and there is something to be known.
    Note,
}

impl Health {
    fn word(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::Partly => "partly",
            Health::Failed => "FAILED",
            Health::Note => "note",
        }
    }

    fn is_wrong(self) -> bool {
        matches!(self, Health::Partly | Health::Failed)
    }
}

/// What was found at a source.
#[derive(Debug, PartialEq, Serialize)]
struct Finding {
    source: String,
    kind: &'static str,
    health: Health,
    /// What it showed, or what is wrong with the way out.
    says: String,
    /// Clusters of it that do not answer, with the reason.
    unseen: Vec<String>,
    /// What may not be read though all else was seen, with the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    lacks: Option<String>,
    took_ms: u32,
    requests: u32,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let checked = check::read(&args.file.config)?;
    output::problems(&checked.warnings);
    crate::http::install_tls();
    let config = checked.config;
    for name in &args.source {
        if config.sources.iter().all(|source| source.name() != name) {
            let known: Vec<&str> = config.sources.iter().map(SourceConfig::name).collect();
            let known = known.join(", ");
            output::complain(&format!("error: no source is named `{name}` (sources: {known})"));
            return Err(Failure::Refused);
        }
    }
    let settings = app::engine_settings(&config);
    let rules = checked.rules.set;
    let mut engine = Engine::new(settings, rules, Composers::new(), &Loaded::default());
    let demand = engine.demand();
    let wanted = |source: &&SourceConfig| {
        args.source.is_empty() || args.source.iter().any(|name| name == source.name())
    };
    let sources: Vec<&SourceConfig> = config.sources.iter().filter(wanted).collect();
    output::progress(&format!("looking at {} sources …", sources.len()));
    let looks = sources.iter().map(|source| look(source, config.poll.allowance(), &demand));
    let (found, snapshots): (Vec<Finding>, Vec<Option<Snapshot>>) =
        join_all(looks).await.into_iter().unzip();
    let checkups = if args.source.is_empty() && !config.restarts.policies.is_empty() {
        output::progress("looking at what restarts need …");
        let view = restarts::view(&mut engine, snapshots.into_iter().flatten());
        let wholly = found.iter().all(|finding| !finding.health.is_wrong());
        restarts::look_over(&config, &view, wholly).await
    } else {
        Vec::new()
    };
    output::end_progress();
    match args.output {
        output::Format::Json => {
            let all: Result<Vec<_>, _> = found.iter().map(serde_json::to_value).collect();
            let mut all = all?;
            for checkup in &checkups {
                all.push(serde_json::to_value(checkup)?);
            }
            output::say(&serde_json::to_string_pretty(&all)?);
        }
        output::Format::Text => {
            let lines = found.iter().flat_map(lines);
            for line in lines.chain(checkups.iter().map(Checkup::line)) {
                output::say(&line);
            }
        }
    }
    let mut healths = found.iter().map(|f| f.health).chain(checkups.iter().map(|c| c.health));
    if healths.any(Health::is_wrong) { Err(Failure::Found) } else { Ok(()) }
}

/// One thing that was looked at beside the sources.
#[derive(Debug, PartialEq, Serialize)]
struct Checkup {
    /// `restart`, `checkpoint_store` or `restarts`, which is all of them.
    about: &'static str,
    /// Name of the entry, or prefix of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Kind of the driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    health: Health,
    /// What was found, or what is wrong with the way out.
    says: String,
}

impl Checkup {
    fn line(&self) -> String {
        let Checkup { about, name, kind, health, says } = self;
        let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let kind = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
        format!("{:<7} {about}{name}{kind}: {says}", health.word())
    }
}

async fn look(
    source: &SourceConfig,
    allowance: Allowance,
    demand: &Demand,
) -> (Finding, Option<Snapshot>) {
    let clock = SystemClock::anchored(None);
    match source.build(allowance, "doctor") {
        Ok(mut built) => {
            let snapshot = built.poll(demand, clock.now()).await;
            let lacks = built.lacks().map(str::to_owned);
            let found = finding(source.kind(), built.shows(), &snapshot);
            (Finding { lacks, ..found }, Some(snapshot))
        }
        Err(error) => {
            let found = Finding {
                source: source.name().to_owned(),
                kind: source.kind(),
                health: Health::Failed,
                says: error.to_string(),
                unseen: Vec::new(),
                lacks: None,
                took_ms: 0,
                requests: 0,
            };
            (found, None)
        }
    }
}

/// What a look says of its source.
fn finding(kind: &'static str, shows: Shows, snapshot: &Snapshot) -> Finding {
    let unseen: Vec<String> = snapshot
        .clusters
        .iter()
        .filter_map(|c| Some(format!("{}: {}", c.flink_cluster, c.unseen.as_deref()?)))
        .collect();
    let (health, says) = match &snapshot.completeness {
        Completeness::Failed { error, .. } => (Health::Failed, error.clone()),
        Completeness::Unlisted { error, .. } => {
            (Health::Failed, format!("{error}; seen without it: {}", shown(shows, snapshot)))
        }
        Completeness::Partial { reason } => {
            (Health::Partly, format!("{reason}; seen: {}", shown(shows, snapshot)))
        }
        Completeness::Complete if unseen.is_empty() => (Health::Ok, shown(shows, snapshot)),
        Completeness::Complete => (Health::Partly, shown(shows, snapshot)),
    };
    Finding {
        source: snapshot.source.clone(),
        kind,
        health,
        says,
        unseen,
        lacks: None,
        took_ms: snapshot.took_ms,
        requests: snapshot.requests,
    }
}

/// What was seen, in a few words.
fn shown(shows: Shows, snapshot: &Snapshot) -> String {
    let mut said = Vec::new();
    if let Some(version) = &snapshot.version {
        said.push(format!("Flink {version}"));
    }
    if snapshot.clusters.len() > 1 {
        said.push(format!("{} Flink clusters", snapshot.clusters.len()));
    }
    said.push(match shows {
        Shows::Inventory => format!("{} jobs in its tables", snapshot.inventory.len()),
        Shows::Ends => "it answers".to_owned(),
        Shows::Jobs => {
            let count =
                |is: fn(JobState) -> bool| snapshot.runs.iter().filter(|run| is(run.state)).count();
            let (live, failed) = (count(JobState::is_live), count(|s| s == JobState::Failed));
            format!("{live} live jobs, {failed} failed")
        }
    });
    said.join(", ")
}

fn lines(finding: &Finding) -> Vec<String> {
    let word = finding.health.word();
    let Finding { source, kind, says, unseen, lacks, took_ms, requests, .. } = finding;
    let mut lines = vec![format!(
        "{word:<7} {source} ({kind}): {says} [{:.1} s, {requests} requests]",
        f64::from(*took_ms) / 1_000.0
    )];
    lines.extend(unseen.iter().take(MOST_NAMED).map(|line| format!("        {line}")));
    let more = unseen.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        lines.push(format!("        and {more} more that do not answer"));
    }
    lines.extend(lacks.iter().map(|lack| format!("note    {source} ({kind}): {lack}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterObservation, RunObservation};

    fn snapshot(completeness: Completeness) -> Snapshot {
        let run = |state| RunObservation { state, ..RunObservation::default() };
        Snapshot {
            completeness,
            version: Some("1.20.5".to_owned()),
            runs: vec![run(JobState::Running), run(JobState::Failed), run(JobState::Finished)],
            ..Snapshot::failed("emr", "doctor", String::new(), false)
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let error = || "cannot connect to rm-1 (is it running?)".to_owned();
        let reason = || "2 jobs without an id".to_owned();
        for (completeness, health, says) in [
            (Completeness::Complete, Health::Ok, "Flink 1.20.5, 1 live jobs, 1 failed"),
            (
                Completeness::Partial { reason: reason() },
                Health::Partly,
                "2 jobs without an id; seen: Flink 1.20.5, 1 live jobs, 1 failed",
            ),
            (
                Completeness::Unlisted { error: error(), starting: false },
                Health::Failed,
                "cannot connect to rm-1 (is it running?); seen without it: Flink 1.20.5, 1 live \
                 jobs, 1 failed",
            ),
            (
                Completeness::Failed { error: error(), starting: true },
                Health::Failed,
                "cannot connect to rm-1 (is it running?)",
            ),
            (
                Completeness::Failed { error: error(), starting: false },
                Health::Failed,
                "cannot connect to rm-1 (is it running?)",
            ),
        ] {
            let found = finding("yarn", Shows::Jobs, &snapshot(completeness));
            assert_eq!((found.health, found.says.as_str()), (health, says));
            assert_eq!(lines(&found).len(), 1);
        }
    }

    #[test]
    fn clusters_that_do_not_answer_are_named_up_to_a_few() {
        let silent = |n: usize| ClusterObservation {
            flink_cluster: format!("app-{n}"),
            unseen: Some("timed out".to_owned()),
            ..ClusterObservation::default()
        };
        let clusters = (0..9).map(silent).collect();
        let empty = snapshot(Completeness::Complete);
        assert_eq!(
            finding("dinky", Shows::Inventory, &empty).says,
            "Flink 1.20.5, 0 jobs in its tables"
        );
        assert_eq!(finding("history_server", Shows::Ends, &empty).says, "Flink 1.20.5, it answers");
        let found = finding("yarn", Shows::Jobs, &Snapshot { clusters, ..empty });
        assert_eq!(found.health, Health::Partly);
        let lines = lines(&found);
        assert_eq!(lines.len(), 1 + MOST_NAMED + 1);
        assert_eq!(lines[1], "        app-0: timed out");
        assert_eq!(lines[6], "        and 4 more that do not answer");
    }
}
