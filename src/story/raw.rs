//! A test file as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::timeline::Timeline;
use super::times::{Moment, Spans};
use crate::config::sections::general::StormConfig;
use crate::config::sections::incidents::IncidentsConfig;
use crate::config::sections::inhibit::InhibitRuleConfig;
use crate::config::sections::route::RouteConfig;
use crate::config::sections::schedules::ScheduleConfig;
use crate::notify::Language;
use crate::rules::RawTimeIntervals;
use crate::rules::kinds::Span;
use crate::yaml::At;

pub(super) use super::raw_expect::{RawAlert, RawAt, RawExpect, RawIncident, RawMessage};

/// A file of tests of rules: stories, and what must follow from them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTests {
    /// The rules: paths relative to this file, or `shipped`.
    #[serde(default)]
    pub rule_files: Vec<At<String>>,
    /// Time between two looks; 10s.
    #[serde(default)]
    pub poll: Option<Span>,
    /// Time between two values of a series; 1m.
    #[serde(default)]
    pub interval: Option<Span>,
    /// The stories.
    pub tests: Vec<At<RawTest>>,
}

/// One story and what must follow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTest {
    /// What is tested, in words.
    pub name: At<String>,
    /// Only the rules with these alert names are in force; all of the files if left out.
    #[serde(default)]
    pub rules: Vec<At<String>>,
    /// Time between two looks; the file's if left out.
    #[serde(default)]
    pub poll: Option<Span>,
    /// Time between two values of a series; the file's if left out.
    #[serde(default)]
    pub interval: Option<Span>,
    /// Wall time of the beginning, such as `2026-01-05T00:00:00Z`, which is the default.
    #[serde(default)]
    pub start: Option<At<String>>,
    /// When it ends; if left out at the last time it names, expectations included.
    #[serde(default)]
    pub until: Option<Moment>,
    /// Jobs; each is healthy unless it says otherwise. Two of one name are two runs of one job.
    #[serde(default)]
    pub jobs: Vec<At<RawJob>>,
    /// The source all jobs are in, unless they name another.
    #[serde(default)]
    pub source: RawSource,
    /// More sources.
    #[serde(default)]
    pub more_sources: Vec<RawSource>,
    /// Flink clusters; one per source, with four `TaskManagers`, if left out.
    #[serde(default)]
    pub clusters: Vec<RawCluster>,
    /// Language of the messages; en.
    #[serde(default)]
    pub language: Option<Language>,
    /// Receivers that differ: by name.
    #[serde(default)]
    pub receivers: BTreeMap<String, RawReceiver>,
    /// The routing tree as in weir.yaml; everything to `team` if left out.
    #[serde(default)]
    pub route: Option<At<RouteConfig>>,
    /// Hours that the route refers to, as in weir.yaml.
    #[serde(default)]
    pub time_intervals: Vec<RawTimeIntervals>,
    /// When jobs are meant to run, as in weir.yaml; the zone is UTC where none is named.
    #[serde(default)]
    pub schedules: Vec<At<ScheduleConfig>>,
    /// What mutes what, as in weir.yaml.
    #[serde(default)]
    pub inhibit_rules: Vec<At<InhibitRuleConfig>>,
    /// Wait before the first message of a new group, where there is no `route`; 30s.
    #[serde(default)]
    pub group_wait: Option<Moment>,
    /// Wait between messages of a group, where there is no `route`; 5m.
    #[serde(default)]
    pub group_interval: Option<Moment>,
    /// First repetition, where there is no `route`; 4h.
    #[serde(default)]
    pub repeat_interval: Option<Moment>,
    /// Lifecycle of incidents as in weir.yaml.
    #[serde(default)]
    pub incidents: IncidentsConfig,
    /// Many incidents at once as in weir.yaml.
    #[serde(default)]
    pub storm: StormConfig,
    /// What must follow.
    pub expect: At<RawExpect>,
}

/// How a receiver differs from the others.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawReceiver {
    /// Language of its messages; the test's if left out.
    pub language: Option<Language>,
}

/// A source.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawSource {
    /// Its name, which is also the label `cluster` of its jobs; prod.
    pub name: Option<String>,
    /// Labels it gives to all its jobs.
    pub labels: BTreeMap<String, String>,
    /// Flink's version; 2.2.1.
    pub version: Option<String>,
    /// When no look succeeds.
    pub unreachable: Spans,
    /// When it says that it is starting (503).
    pub starting: Spans,
    /// When looks show only part: jobs that are not there may exist.
    pub partial: Spans,
    /// When its metric store stands still: numbers are unknown.
    pub metrics_frozen: Spans,
}

/// A Flink cluster of a source.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawCluster {
    /// Its name; the source's if left out.
    pub name: Option<String>,
    /// Its source; the first if left out.
    pub source: Option<At<String>>,
    /// Registered `TaskManagers`; 4.
    pub taskmanagers: Option<At<Timeline>>,
    /// All slots; 16.
    pub slots_total: Option<At<Timeline>>,
    /// Free slots; 8.
    pub slots_available: Option<At<Timeline>>,
    /// When it does not answer, though its platform (YARN, Kubernetes) shows it.
    pub unreachable: Spans,
    /// When another `JobManager` process takes over.
    pub jobmanager_restarts: Vec<Moment>,
    /// Numbers rules ask for by name: `taskmanager/max/Status.JVM.CPU.Load`.
    pub metrics: BTreeMap<String, At<Timeline>>,
}

/// A run of a job.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawJob {
    /// The job's name.
    pub name: At<String>,
    /// Its source; the first if left out.
    #[serde(default)]
    pub source: Option<At<String>>,
    /// Its Flink cluster; the source's name if left out.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Its Kubernetes namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Labels found out about it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What an inventory (StreamPark, Dinky) says of it, in Flink's words or LOST; `_` while it does not
    /// know the job. In none if left out.
    #[serde(default)]
    pub inventory: Option<At<Timeline>>,
    /// When it was submitted; ten hours before the story if left out.
    #[serde(default)]
    pub starts: Option<Moment>,
    /// Flink's word for its state; `_` while it is not in the listing. RUNNING if left out, but
    /// for what `failures` do.
    #[serde(default)]
    pub state: Option<At<Timeline>>,
    /// Its tasks.
    #[serde(default)]
    pub tasks: RawTasks,
    /// When and how it fails.
    #[serde(default)]
    pub failures: Vec<At<RawFailure>>,
    /// Flink's restart counter; one per failure with a restart if left out.
    #[serde(default)]
    pub restarts: Option<At<Timeline>>,
    /// Flink's counter of rescales (part of `restarts` there); 0.
    #[serde(default)]
    pub rescales: Option<At<Timeline>>,
    /// Its checkpoints: one a minute if left out.
    #[serde(default)]
    pub checkpoints: Option<At<RawCheckpoints>>,
    /// Records not yet read. Left out: its sources report none.
    #[serde(default)]
    pub lag: Option<At<Timeline>>,
    /// It ends when its input does.
    #[serde(default)]
    pub batch: bool,
    /// Numbers rules ask for by name: `vertex/max/busyTimeMsPerSecond`, `job/lastCheckpointSize`.
    #[serde(default)]
    pub metrics: BTreeMap<String, At<Timeline>>,
}

/// Tasks of a run by state. What is left out follows from the state of the run.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawTasks {
    /// All of them; 4.
    pub total: Option<At<Timeline>>,
    /// Running; all while the run is RUNNING, else none.
    pub running: Option<At<Timeline>>,
    /// Finished; 0.
    pub finished: Option<At<Timeline>>,
    /// Failed; 0.
    pub failed: Option<At<Timeline>>,
    /// Waiting for slots; 0.
    pub scheduled: Option<At<Timeline>>,
    /// Not begun; 0.
    pub created: Option<At<Timeline>>,
}

/// A failure of a run, once or again and again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFailure {
    /// When, or when first.
    pub at: Moment,
    /// Again after so long.
    #[serde(default)]
    pub every: Option<Span>,
    /// So many in all; 1.
    #[serde(default)]
    pub times: Option<u32>,
    /// `class: message` of the root cause.
    #[serde(default)]
    pub cause: Option<String>,
    /// First frame of the user's code: `OrderParser.parse(OrderParser.java:42)`.
    #[serde(default)]
    pub frame: Option<String>,
    /// The task it began in; none: a global failure.
    #[serde(default)]
    pub task: Option<String>,
    /// The `TaskManager` it happened on.
    #[serde(default)]
    pub taskmanager: Option<String>,
    /// It is RESTARTING for so long; at once by default.
    #[serde(default)]
    pub restarts_after: Option<Moment>,
    /// Flink tries no more: FAILED from the last of these on.
    #[serde(default)]
    pub gives_up: bool,
    /// It is not in the exception history.
    #[serde(default)]
    pub unlisted: bool,
}

/// Checkpoints of a run.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawCheckpoints {
    /// The job has none.
    pub disabled: bool,
    /// Time between two; 1m.
    pub every: Option<Span>,
    /// How long one takes; 1s.
    pub takes: Option<Span>,
    /// After so long one fails; 10m.
    pub timeout: Option<Span>,
    /// When none completes: each fails as soon as it was begun.
    pub fail: Spans,
    /// Why they fail.
    pub failure: Option<String>,
    /// When those begun hang until the span or the timeout ends.
    pub hang: Spans,
    /// When none is begun.
    pub pause: Spans,
    /// They stay after the job was cancelled or has failed; true.
    pub retained: Option<bool>,
    /// Folder they are written to.
    pub path: Option<String>,
    /// When savepoints complete.
    pub savepoints: Vec<Moment>,
    /// When the savepoint completes with which somebody stops the job: `state` says FINISHED.
    pub stopped: Option<Moment>,
    /// Subtasks that have acknowledged the one in progress, of four; not told if left out.
    pub acknowledged: Option<u32>,
    /// Checkpoint or savepoint this run was started from.
    pub restored_from: Option<String>,
    /// Restarts begin without any state.
    pub restarts_from_scratch: bool,
}
