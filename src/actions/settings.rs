//! What the configuration says about restarts.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::drivers::Traits;
use crate::model::{Hours, Labels, Matcher, RootCause, matches_all};

/// No attempt follows another one sooner.
const AGAIN: Duration = Duration::from_secs(1);

/// All about restarts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// In the order of the file: a job's is the first that matches.
    pub policies: Vec<Arc<Policy>>,
    /// How many at once.
    pub limits: Limits,
    /// What was seen longer ago proves nothing.
    pub fresh_for: Duration,
}

/// How many restarts may be on their way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all jobs.
    pub concurrent: usize,
    /// Of the jobs of one source.
    pub per_cluster: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { concurrent: 2, per_cluster: 1 }
    }
}

/// Who has to say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nobody.
    Automatic,
    /// A person.
    Approve,
    /// Nothing is done; what would be is said.
    #[default]
    DryRun,
}

/// One entry under `restarts`.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Which jobs, by their labels.
    pub matchers: Vec<Matcher>,
    /// On which alerts, by name.
    pub alerts: Vec<String>,
    /// Who has to say so.
    pub mode: Mode,
    /// Attempts there are, until the job has been well for `per`.
    pub attempts: u32,
    /// So long it has to be well for its attempts to be given back.
    pub per: Duration,
    /// Before the first attempt.
    pub initial: Duration,
    /// Before any attempt, at most.
    pub longest: Duration,
    /// What to do where there is nothing to restore from.
    pub start_empty: bool,
    /// A live but sick run is replaced.
    pub replace: bool,
    /// Root causes that no restart mends.
    pub never_on: Vec<Regex>,
    /// Root causes that count against no limit of like causes.
    pub always_on: Vec<Regex>,
    /// So many restarts in a row may end by the same root cause.
    pub same_cause: u32,
    /// When it restarts nothing.
    pub hours: Hours,
    /// A job gone from the listing counts as dead after so long.
    pub missing_for: Duration,
    /// The new run has to run with all tasks within this.
    pub start_within: Duration,
    /// After that, it has to complete a checkpoint within this, or three of its intervals.
    pub checkpoint_within: Duration,
    /// Kind of the driver.
    pub driver: String,
    /// What has to be known of the driver.
    pub traits: Traits,
}

impl Policy {
    /// It is about jobs with these labels.
    pub fn is_about(&self, labels: &Labels) -> bool {
        matches_all(&self.matchers, labels)
    }

    /// What no restart mends, if this is it.
    pub(super) fn never(&self, cause: Option<&RootCause>) -> Option<&Regex> {
        first(&self.never_on, cause)
    }

    /// It counts against no limit of like causes.
    pub(super) fn always(&self, cause: Option<&RootCause>) -> bool {
        first(&self.always_on, cause).is_some()
    }

    /// Before the attempt after so many.
    pub fn wait(&self, attempts: u32) -> Duration {
        let Some(more) = attempts.checked_sub(1) else { return self.initial };
        // At once is for the first one only.
        let base = self.initial.max(AGAIN).saturating_mul(2);
        let longest = self.longest.max(self.initial);
        base.saturating_mul(2_u32.saturating_pow(more.min(20))).min(longest)
    }
}

fn first<'a>(patterns: &'a [Regex], cause: Option<&RootCause>) -> Option<&'a Regex> {
    let cause = cause?;
    let text = format!("{}: {}", cause.class, cause.message);
    patterns.iter().find(|pattern| pattern.is_match(&text))
}

impl Settings {
    /// The entry a job goes by.
    pub fn policy(&self, labels: &Labels) -> Option<&Arc<Policy>> {
        self.policies.iter().find(|policy| policy.is_about(labels))
    }

    /// The entry of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Policy>> {
        self.policies.iter().find(|policy| policy.name == name)
    }
}
