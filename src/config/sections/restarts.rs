//! `restarts`: which jobs are started again, when, and how.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::actions::drivers::DriverConfig;
use crate::actions::stores::StoreConfig;
use crate::actions::{Limits, Mode, Policy};
use crate::config::de::At;
use crate::model::{Hours, Matcher};
use crate::rules::{IntervalBook, named_intervals};
use crate::yaml::Place;
use crate::yaml::findings::Findings;

/// Alerts on which a job is dead.
const DEAD: [&str; 2] = ["JobFailed", "JobMissing"];
/// More attempts than this are a loop.
const MOST_ATTEMPTS: u32 = 100;

/// Which jobs are started again, when, and how. A job goes by the first entry that matches.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestartConfig {
    /// Name of the entry, for timelines and the API.
    pub name: At<String>,
    /// Which jobs, by their labels.
    pub matchers: Vec<At<String>>,
    /// Alerts, by name, on which a job is restarted. Default: `JobFailed` and `JobMissing`.
    #[serde(default)]
    pub alerts: Vec<At<String>>,
    /// Who has to say so. Default: `dry_run`.
    #[serde(default)]
    pub mode: ModeConfig,
    /// How many attempts there are.
    #[serde(default)]
    pub attempts: AttemptsConfig,
    /// How long is waited before an attempt.
    #[serde(default)]
    pub backoff: BackoffConfig,
    /// What to do where there is nothing to restore from. Default: `stop`.
    #[serde(default)]
    pub without_checkpoint: WithoutCheckpoint,
    /// Also replace a job that runs but is sick, on alerts such as `CheckpointsStalled`: it is stopped
    /// with a savepoint if that can be had, and started again. Default: false.
    #[serde(default)]
    pub replace: bool,
    /// Regular expressions of root causes (`class: message`) that no restart mends.
    #[serde(default)]
    pub never_on: Vec<At<String>>,
    /// Regular expressions of root causes that do not count towards `same_cause`.
    #[serde(default)]
    pub always_on: Vec<At<String>>,
    /// So many restarts in a row may end by the same root cause. Default: 3.
    pub same_cause: Option<At<u32>>,
    /// Names of `time_intervals` outside of which nothing is restarted.
    #[serde(default)]
    pub active_time_intervals: Vec<At<String>>,
    /// Names of `time_intervals` in which nothing is restarted.
    #[serde(default)]
    pub mute_time_intervals: Vec<At<String>>,
    /// A job that is gone from the listing is dead when it stays away for so long. Default: 1m.
    #[serde(default, with = "crate::config::de::duration::optional")]
    #[schemars(with = "Option<String>")]
    pub missing_for: Option<Duration>,
    /// The new run has to run with all its tasks within this. Default: 10m.
    #[serde(default, with = "crate::config::de::duration::optional")]
    #[schemars(with = "Option<String>")]
    pub start_within: Option<Duration>,
    /// After that it has to complete a checkpoint within this, or within three of its intervals.
    /// Default: 15m.
    #[serde(default, with = "crate::config::de::duration::optional")]
    #[schemars(with = "Option<String>")]
    pub checkpoint_within: Option<Duration>,
    /// How.
    pub driver: At<DriverConfig>,
}

/// Who has to say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeConfig {
    /// Nobody: it is restarted.
    Automatic,
    /// A person, by `weir restart`.
    Approve,
    /// It is only said what would be done.
    #[default]
    DryRun,
}

/// What to do where there is nothing to restore from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithoutCheckpoint {
    /// Nothing; a person is told.
    #[default]
    Stop,
    /// The job is started without state: what it knew is lost.
    StartEmpty,
}

/// How many attempts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttemptsConfig {
    /// So many.
    pub max: u32,
    /// They are given back when the job has been well for so long.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub per: Duration,
}

impl Default for AttemptsConfig {
    fn default() -> Self {
        AttemptsConfig { max: 3, per: Duration::from_hours(1) }
    }
}

/// How long is waited before an attempt: twice as long before each further one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackoffConfig {
    /// Before the first; `0s`: not at all.
    #[serde(with = "crate::config::de::duration::optional_or_zero")]
    #[schemars(with = "Option<String>")]
    pub initial: Option<Duration>,
    /// Before any, at most.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub max: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        BackoffConfig { initial: Some(Duration::from_secs(30)), max: Duration::from_mins(10) }
    }
}

/// How many restarts may be on their way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Of all jobs.
    pub concurrent: At<usize>,
    /// Of the jobs of one source.
    pub per_cluster: At<usize>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let Limits { concurrent, per_cluster } = Limits::default();
        LimitsConfig { concurrent: At::nowhere(concurrent), per_cluster: At::nowhere(per_cluster) }
    }
}

/// Restarts as the core and as the composition root see them.
#[derive(Debug, Clone, Default)]
pub struct Restarts {
    /// Entries in order.
    pub policies: Vec<Arc<Policy>>,
    /// How many at once.
    pub limits: Limits,
    /// Their drivers, by the names of the entries.
    pub drivers: Vec<(String, DriverConfig)>,
    /// Where checkpoints are that can be looked for.
    pub stores: Vec<StoreConfig>,
}

/// What is wrong with the stores of checkpoints.
pub(in crate::config) fn stores(
    written: Vec<At<StoreConfig>>,
    findings: &mut Findings,
) -> Vec<StoreConfig> {
    for At { value: store, place } in &written {
        if !findings.marked(*place) {
            for (what, hint) in store.problems() {
                findings.error(*place, what, hint);
            }
        }
    }
    written.into_iter().map(|store| store.value).collect()
}

impl LimitsConfig {
    pub(in crate::config) fn build(self, findings: &mut Findings) -> Limits {
        for (key, value) in [("concurrent", self.concurrent), ("per_cluster", self.per_cluster)] {
            if value.value == 0 {
                findings.error(
                    value.place,
                    format!("`restart_limits.{key}` is zero: nothing would ever be restarted"),
                    "write at least 1, or use `mode: dry_run`".to_owned(),
                );
            }
        }
        Limits { concurrent: self.concurrent.value, per_cluster: self.per_cluster.value }
    }
}

/// Builds them; mistakes are reported.
pub(in crate::config) fn build(
    written: Vec<At<RestartConfig>>,
    limits: LimitsConfig,
    book: &IntervalBook,
    findings: &mut Findings,
) -> Restarts {
    let mut built = Restarts { limits: limits.build(findings), ..Restarts::default() };
    for At { value: raw, place } in written {
        if raw.name.value.is_empty() {
            findings.error(raw.name.place, "an entry of `restarts` has an empty name", None);
        }
        if built.policies.iter().any(|known| known.name == raw.name.value) {
            findings.error(
                raw.name.place,
                format!("two entries of `restarts` are named `{}`", raw.name.value),
                "give each its own".to_owned(),
            );
        }
        let name = raw.name.value.clone();
        let driver = raw.driver.value.clone();
        let policy = one(raw, place, book, findings);
        let same = |known: &Arc<Policy>| known.matchers == policy.matchers;
        if !policy.matchers.is_empty()
            && let Some(first) = built.policies.iter().find(|known| same(known))
        {
            findings.error(
                place,
                format!("`{}` has the same matchers: this one would never count", first.name),
                "make them differ, or remove one".to_owned(),
            );
        }
        built.policies.push(Arc::new(policy));
        built.drivers.push((name, driver));
    }
    built
}

fn one(raw: RestartConfig, place: Place, book: &IntervalBook, findings: &mut Findings) -> Policy {
    if raw.matchers.is_empty() {
        findings.error(
            place,
            "an entry of `restarts` without `matchers` is about no job",
            "say which jobs: `matchers: ['job_name=\"orders\"']`".to_owned(),
        );
    }
    let matchers = super::matchers(&raw.matchers, findings);
    let driver = &raw.driver.value;
    let (kind, traits) = (driver.kind(), driver.traits());
    if !findings.marked(raw.driver.place) {
        for (what, hint) in driver.problems() {
            findings.error(raw.driver.place, format!("`{kind}`: {what}"), hint);
        }
    }
    if traits.one_program && !matchers.iter().any(Matcher::names_one_job) {
        findings.error(
            raw.driver.place,
            format!(
                "`{kind}` starts one program, and the matchers of `{}` name no job",
                raw.name.value
            ),
            "add its name to the matchers: `job_name=\"orders\"`".to_owned(),
        );
    }
    if raw.replace && !(traits.stops || traits.in_place) {
        findings.error(
            raw.driver.place,
            format!("`{kind}` cannot stop a job, which `replace` needs"),
            "remove `replace: true`, or use a driver that can".to_owned(),
        );
    }
    if raw.attempts.max == 0 || raw.attempts.max > MOST_ATTEMPTS {
        findings.error(
            place,
            format!("`attempts.max` is {}", raw.attempts.max),
            format!("write 1 to {MOST_ATTEMPTS}, or use `mode: dry_run`"),
        );
    }
    if let Some(same) = raw.same_cause.filter(|same| same.value == 0) {
        findings.error(same.place, "`same_cause` is zero", "write at least 1".to_owned());
    }
    let alerts = if raw.alerts.is_empty() {
        DEAD.map(str::to_owned).to_vec()
    } else {
        raw.alerts.into_iter().map(|alert| alert.value).collect()
    };
    Policy {
        name: raw.name.value,
        matchers,
        alerts,
        mode: match raw.mode {
            ModeConfig::Automatic => Mode::Automatic,
            ModeConfig::Approve => Mode::Approve,
            ModeConfig::DryRun => Mode::DryRun,
        },
        attempts: raw.attempts.max,
        per: raw.attempts.per,
        initial: raw.backoff.initial.unwrap_or_default(),
        longest: raw.backoff.max,
        start_empty: raw.without_checkpoint == WithoutCheckpoint::StartEmpty,
        replace: raw.replace,
        never_on: patterns(&raw.never_on, findings),
        always_on: patterns(&raw.always_on, findings),
        same_cause: raw.same_cause.map_or(3, |same| same.value),
        hours: Hours {
            mute: named_intervals(&raw.mute_time_intervals, book, findings),
            active: named_intervals(&raw.active_time_intervals, book, findings),
        },
        missing_for: raw.missing_for.unwrap_or(Duration::from_mins(1)),
        start_within: raw.start_within.unwrap_or(Duration::from_mins(10)),
        checkpoint_within: raw.checkpoint_within.unwrap_or(Duration::from_mins(15)),
        driver: kind.to_owned(),
        traits,
    }
}

fn patterns(written: &[At<String>], findings: &mut Findings) -> Vec<Regex> {
    let mut read = Vec::with_capacity(written.len());
    for text in written {
        if let Ok(regex) = Regex::new(&text.value) {
            read.push(regex);
        } else {
            let what = format!("`{}` is no regular expression", text.value);
            let hint = "it is looked for in `class: message` of the root cause".to_owned();
            findings.error(text.place, what, hint);
        }
    }
    read
}

#[cfg(test)]
#[path = "restarts_tests.rs"]
mod tests;
