//! What happened in some time, counted: failures, incidents, notices, messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Severity, Ts};

/// Failures are counted by the hour.
const HOUR_MS: i64 = 3_600_000;

/// Counts by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BySeverity {
    /// A person at once.
    pub critical: u64,
    /// Today.
    pub warning: u64,
    /// Only in a summary.
    pub info: u64,
}

impl BySeverity {
    /// So many more of a severity.
    pub fn add(&mut self, severity: Severity, more: u64) {
        let count = match severity {
            Severity::Critical => &mut self.critical,
            Severity::Warning => &mut self.warning,
            Severity::Info => &mut self.info,
        };
        *count += more;
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.critical + self.warning + self.info
    }
}

/// What a receiver was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverReport {
    /// Its name.
    pub receiver: String,
    /// Incidents it had notices about.
    pub incidents: u64,
    /// Its notices by outcome: `sent`, `folded`, `muted`, `brief`, `shadow`, `failed`, `pending`.
    pub notices: BTreeMap<String, u64>,
    /// Its messages by state: `sent`, `shadow` (would have gone), `failed`, `due`.
    pub messages: BTreeMap<String, u64>,
    /// Its messages by kind: `incident`, `group`, `digest`, `storm` …
    pub kinds: BTreeMap<String, u64>,
}

/// Notices that were not simply sent, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What became of them.
    pub outcome: String,
    /// What held them, without the number of an incident; empty: nothing but their end.
    pub by: String,
    /// How many.
    pub notices: u64,
}

/// A job or a rule with what it caused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noisy {
    /// Key of the job, or name of the alert.
    pub name: String,
    /// Incidents opened.
    pub incidents: u64,
    /// Distinct failures; 0 for a rule.
    pub failures: u64,
    /// Notices about it.
    pub notices: u64,
}

/// What happened since a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Distinct failures, those no incident was opened for included; counted from the beginning
    /// of the hour.
    pub failures: u64,
    /// Jobs that failed.
    pub failing_jobs: u64,
    /// Of these, jobs that recovered without an incident.
    pub mended_jobs: u64,
    /// Incidents opened, by severity.
    pub opened: BySeverity,
    /// Incidents that ended.
    pub ended: u64,
    /// Incidents over before anybody was to be told of them.
    pub brief: u64,
    /// Incidents open now, whenever they began.
    pub open: BySeverity,
    /// By receiver, in order of their names.
    pub receivers: Vec<ReceiverReport>,
    /// What was not simply sent, the most first; bounded.
    pub held: Vec<Held>,
    /// Jobs by notices, the most first; bounded.
    pub jobs: Vec<Noisy>,
    /// Rules by notices, the most first; bounded.
    pub rules: Vec<Noisy>,
}

impl Report {
    /// Rows of [`Report::held`] at most.
    pub const HELD: usize = 20;
    /// Rows of [`Report::jobs`] and of [`Report::rules`] at most.
    pub const NOISIEST: usize = 10;

    /// The hour a moment belongs to: its beginning.
    pub fn hour(at: Ts) -> Ts {
        Ts(at.0.div_euclid(HOUR_MS) * HOUR_MS)
    }
}
