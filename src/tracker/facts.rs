//! What rules may ask about a subject at a turn. Ages are computed in source time.

use std::time::Duration;

use super::{Inventoried, JobTrack, Numbers, Run, SourceTrack};
use crate::model::{JobState, MetricKey, Time, Ts};

/// The last word on checkpoints or lag is good for this long.
pub(super) const GOOD_FOR_MS: u128 = 90_000;
/// The last word of an inventory is good for this long: it is asked less often than its jobs.
const INVENTORY_GOOD_FOR: Duration = Duration::from_mins(5);

/// Facts about one job.
#[derive(Debug, Clone, Copy)]
pub struct JobFacts<'a> {
    /// The job.
    pub job: &'a JobTrack,
    /// Its source, or the one it is seen by while that cannot see it.
    pub source: &'a SourceTrack,
    /// The turn.
    pub time: Time,
}

/// A fact that may be unknown or impossible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact<T> {
    /// Known.
    Known(T),
    /// Not now.
    Unknown,
    /// Never, for this job.
    NotApplicable,
}

impl<T> Fact<T> {
    /// The same fact in other terms.
    pub fn map<U>(self, terms: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Fact::Known(value) => Fact::Known(terms(value)),
            Fact::Unknown => Fact::Unknown,
            Fact::NotApplicable => Fact::NotApplicable,
        }
    }

    /// The value, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Fact::Known(value) => Some(value),
            Fact::Unknown | Fact::NotApplicable => None,
        }
    }
}

impl<'a> JobFacts<'a> {
    /// The job was looked at by the last look at its source: in it, or absent from a complete one.
    /// Nothing is fresh otherwise, but
    /// an end that an archive told.
    pub fn is_fresh(&self) -> bool {
        if self.job.current().is_some_and(|run| run.archived) {
            return true;
        }
        if self.source.name != self.job.source {
            let last = self.source.last_success.map(|t| t.steady);
            let seen = self.job.eyes.as_ref().map(|(_, at)| *at);
            return self.source.is_up() && seen >= last;
        }
        if self.source.unseen.contains_key(&self.job.flink_cluster) {
            return false;
        }
        let own_seen = self.job.own_seen.unwrap_or(self.job.last_seen);
        if let Some(at) = self.source.unlisted_at {
            // Whoever lists the jobs cannot be seen: those that were looked at by another way.
            return own_seen >= at;
        }
        let last = self.source.last_success.map(|t| t.steady);
        let complete = self.source.last_complete.map(|t| t.steady);
        self.source.is_up() && (complete == last || Some(own_seen) >= last)
    }

    /// Fresh, and not looked at longer ago than this: time may have passed without a look.
    pub fn is_recent(&self, within: Duration) -> bool {
        let archived = self.job.current().is_some_and(|run| run.archived);
        let last = self.source.unlisted_at.or(self.source.last_success.map(|last| last.steady));
        let recent = last.is_some_and(|at| self.time.steady.since(at) <= within);
        self.is_fresh() && (archived || recent)
    }

    /// The run that counts.
    pub fn run(&self) -> Option<&'a Run> {
        self.job.current()
    }

    /// The run that counts, unless it was alive and is gone: of such a one nothing is known, and
    /// time alone must make nothing true.
    pub fn listed_run(&self) -> Option<&'a Run> {
        let gone = |run: &Run| !run.listed || self.job.missing_since.is_some();
        self.run().filter(|run| run.state.is_terminal() || !gone(run))
    }

    /// The state, unless the job has gone missing.
    pub fn state(&self) -> Option<JobState> {
        self.job.missing_since.is_none().then(|| self.job.state())
    }

    /// All jobs of its Flink cluster are gone with it.
    pub fn cluster_emptied(&self) -> bool {
        self.source.emptied.contains_key(&self.job.flink_cluster)
    }

    /// `TaskManagers` gone from its Flink cluster since it was last healthy; zero while it is.
    pub fn lost_taskmanagers(&self) -> Fact<u32> {
        let Some(run) = self.listed_run() else { return Fact::Unknown };
        // A run that never ran has lost none: its TaskManagers are still to come.
        if run.is_healthy() || run.first_healthy.is_none() {
            return Fact::Known(0);
        }
        let cluster =
            |c: &&crate::model::ClusterObservation| c.flink_cluster == self.job.flink_cluster;
        let now = self.source.clusters.iter().find(cluster).and_then(|c| c.taskmanagers);
        match (self.job.healthy_taskmanagers, now) {
            (Some(before), Some(now)) => Fact::Known(before.saturating_sub(now)),
            _ => Fact::Unknown,
        }
    }

    /// Source time, raw ms, the age of the last completed checkpoint counts from: the run's start
    /// where none completed.
    fn checkpoint_base(&self) -> Fact<i64> {
        let Some(run) = self.listed_run() else { return Fact::Unknown };
        if run.state.is_terminal() || run.checkpoints.not_applicable {
            return Fact::NotApplicable;
        }
        if !self.is_good(run.checkpoints.heard) {
            return Fact::Unknown;
        }
        match run.checkpoints.last_completed {
            Some(at) => Fact::Known(at),
            // Some completed, nobody has said when: neither young nor as old as the run.
            None if run.checkpoints.has_completed() => Fact::Unknown,
            // One that never ran could not take any: that it does not run is another matter.
            None if run.first_healthy.is_none() => Fact::Unknown,
            None => Fact::Known(run.id.start_time),
        }
    }

    /// Age of the last completed checkpoint; counted from the run's start where none completed.
    pub fn checkpoint_age(&self) -> Fact<Duration> {
        self.checkpoint_base().map(|base| {
            let age = self.source.source_now(self.time).saturating_sub(base).max(0);
            Duration::from_millis(age as u64)
        })
    }

    /// The job's own checkpoint interval, ms; unknown while its configuration was never read.
    pub fn checkpoint_interval(&self) -> Fact<i64> {
        self.of_policy(|checkpoints| checkpoints.interval_ms)
    }

    /// The job's own checkpoint timeout, ms.
    pub fn checkpoint_timeout(&self) -> Fact<i64> {
        self.of_policy(|checkpoints| checkpoints.timeout_ms)
    }

    fn of_policy(&self, what: impl Fn(&super::CheckpointTrack) -> Option<i64>) -> Fact<i64> {
        let Some(run) = self.run() else { return Fact::Unknown };
        if run.checkpoints.not_applicable {
            return Fact::NotApplicable;
        }
        what(&run.checkpoints).map_or(Fact::Unknown, Fact::Known)
    }

    /// Wall time that age counts from.
    pub fn checkpoint_from(&self) -> Fact<Ts> {
        self.checkpoint_base().map(|base| self.source.to_wall(base))
    }

    /// Distinct checkpoints that failed since the last completed one.
    pub fn failed_checkpoints(&self) -> Fact<usize> {
        let Some(run) = self.listed_run() else { return Fact::Unknown };
        if run.state.is_terminal() || run.checkpoints.not_applicable {
            return Fact::NotApplicable;
        }
        if !self.is_good(run.checkpoints.heard) {
            return Fact::Unknown;
        }
        Fact::Known(run.checkpoints.failed.len())
    }

    /// Records behind.
    pub fn lag(&self) -> Fact<f64> {
        let Some(run) = self.listed_run() else { return Fact::Unknown };
        if run.state.is_terminal() || self.job.lag_not_applicable {
            return Fact::NotApplicable;
        }
        match self.job.lag.last() {
            Some(value) if self.is_good(self.job.lag_heard) => Fact::Known(value),
            _ => Fact::Unknown,
        }
    }

    /// What an inventory says about it; n/a where none knows it.
    pub fn inventory(&self) -> Fact<&'a Inventoried> {
        let Some(found) = self.job.inventory.as_deref() else { return Fact::NotApplicable };
        let good = |heard: Ts| self.time.steady.since(heard) <= INVENTORY_GOOD_FOR;
        if found.heard.is_some_and(good) { Fact::Known(found) } else { Fact::Unknown }
    }

    /// A number asked for by name; n/a once the run has ended.
    pub fn number(&self, key: &MetricKey) -> Fact<f64> {
        let Some(run) = self.listed_run() else { return Fact::Unknown };
        if run.state.is_terminal() {
            return Fact::NotApplicable;
        }
        self.job.numbers.now(key, self.time.steady)
    }

    pub(super) fn is_good(&self, heard: Option<Ts>) -> bool {
        heard.is_some_and(|at| self.time.steady.since(at).as_millis() <= GOOD_FOR_MS)
    }
}

/// Facts about a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceFacts<'a> {
    /// The source.
    pub source: &'a SourceTrack,
    /// Jobs known of it; while it cannot be seen, those that nobody else sees.
    pub jobs: usize,
    /// The turn.
    pub time: Time,
}

/// Facts about a Flink cluster inside a source.
#[derive(Debug, Clone, Copy)]
pub struct ClusterFacts<'a> {
    /// The source.
    pub source: &'a SourceTrack,
    /// Name of the Flink cluster.
    pub flink_cluster: &'a str,
    /// The turn.
    pub time: Time,
}

impl<'a> ClusterFacts<'a> {
    /// All its jobs are gone: how many.
    pub fn emptied(&self) -> Option<usize> {
        self.source.emptied.get(self.flink_cluster).copied()
    }

    /// The numbers of this cluster that rules asked for by name.
    pub fn numbers(&self) -> Option<&'a Numbers> {
        self.source.numbers.get(self.flink_cluster)
    }
}
