//! What rules need from the sources: the only thing that flows back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MetricQuery;

/// The union of what all rules need. A source fetches this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Demand {
    /// Restart and checkpoint counters of every live job.
    pub counters: bool,
    /// Checkpoint history where a counter moved unexpectedly, and every five minutes.
    pub checkpoints: bool,
    /// Exception history on change.
    pub failures: bool,
    /// Lag of the sources of every live job.
    pub lag: bool,
    /// Whether a job is a batch job.
    #[serde(default)]
    pub job_type: bool,
    /// Applications that ended before they had a job, where Flink keeps a list of them (≥ 2.3).
    #[serde(default)]
    pub applications: bool,
    /// Metrics by name, each with the longest time any rule looks back (zero: the present alone).
    #[serde(default)]
    pub metrics: BTreeMap<MetricQuery, Duration>,
    /// Flink's ids of runs that were alive and that nobody shows any more: how they ended is asked
    /// where ends are archived. Bounded; changes from look to look, and no rule names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<String>,
}

impl Demand {
    /// Everything either side needs.
    #[must_use]
    pub fn union(mut self, other: &Demand) -> Demand {
        let Demand { counters, checkpoints, failures, lag, job_type, applications, metrics, ends } =
            other;
        self.counters |= counters;
        self.checkpoints |= checkpoints;
        self.failures |= failures;
        self.lag |= lag;
        self.job_type |= job_type;
        self.applications |= applications;
        for (query, span) in metrics {
            let known = self.metrics.entry(query.clone()).or_default();
            *known = (*known).max(*span);
        }
        self.ends.extend(ends.iter().cloned());
        self.ends.sort_unstable();
        self.ends.dedup();
        self
    }

    /// One metric.
    pub fn of_metric(query: MetricQuery, span: Duration) -> Demand {
        Demand { metrics: BTreeMap::from([(query, span)]), ..Demand::default() }
    }

    /// What it names, in words.
    pub fn words(&self) -> String {
        let Demand {
            counters, checkpoints, failures, lag, job_type, applications, metrics, ..
        } = self;
        let flags = [
            (*counters, "counters"),
            (*checkpoints, "checkpoints"),
            (*failures, "exceptions on change"),
            (*lag, "lag"),
            (*job_type, "job type once per run"),
            (*applications, "applications (Flink 2.3 and later)"),
        ];
        let mut parts: Vec<String> =
            flags.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()).collect();
        parts.extend(metrics.keys().map(|query| query.key().to_string()));
        if parts.is_empty() { "state".to_owned() } else { parts.join(", ") }
    }
}
