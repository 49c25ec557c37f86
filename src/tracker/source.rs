//! What is known about a source.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::jobmanager::JobManagerTrack;
use super::{Numbers, Spans};
use crate::model::{Change, ClusterObservation, Completeness, Snapshot, Time, Ts};

/// A clock that moved by less is not written down again.
const OFFSET_ROW_MS: u64 = 5_000;

/// A source as of its last poll.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceTrack {
    /// Configured name.
    pub name: String,
    /// First successful look.
    pub first_look: Option<Time>,
    /// Source time of that look, in raw ms.
    pub first_look_source: Option<i64>,
    /// Last successful look.
    #[serde(skip)]
    pub last_success: Option<Time>,
    /// Last complete look.
    #[serde(skip)]
    pub last_complete: Option<Time>,
    /// Since when every look has failed.
    #[serde(skip)]
    pub failing_since: Option<Time>,
    /// Why.
    #[serde(skip)]
    pub error: Option<String>,
    /// It says itself that it is starting or electing a leader.
    #[serde(skip)]
    pub starting: bool,
    /// It says more about jobs that others show, and shows none.
    #[serde(skip)]
    pub is_inventory: bool,
    /// Its metric store stands still.
    #[serde(skip)]
    pub frozen: bool,
    /// Flink version.
    #[serde(skip)]
    pub version: Option<String>,
    /// Source clock minus Weir's, in ms.
    pub offset_ms: Option<i64>,
    /// The offset that was last written.
    #[serde(skip)]
    offset_written: Option<i64>,
    /// Its Flink clusters.
    #[serde(skip)]
    pub clusters: Vec<ClusterObservation>,
    /// Numbers of its Flink clusters that rules asked for by name.
    #[serde(skip)]
    pub numbers: BTreeMap<String, Numbers>,
    /// Steady time of the last look, if it was one without the platform's listing.
    #[serde(skip)]
    pub unlisted_at: Option<Ts>,
    /// Flink clusters the last look could not look into, with why.
    #[serde(skip)]
    pub unseen: BTreeMap<String, String>,
    /// Since when none of several could be.
    #[serde(skip)]
    pub all_unseen_since: Option<Time>,
    /// Flink clusters that have been looked into since they are listed.
    #[serde(default)]
    pub answered: BTreeSet<String>,
    /// Flink clusters whose jobs are all gone, with how many.
    #[serde(skip)]
    pub emptied: BTreeMap<String, usize>,
    /// What is known of the `JobManager`s of its Flink clusters.
    #[serde(default)]
    pub jobmanagers: BTreeMap<String, JobManagerTrack>,
    #[serde(skip)]
    dirty: bool,
    /// Polls that succeeded and failed, and what the last one cost.
    #[serde(skip)]
    pub polls: PollStats,
}

/// Cost of polling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollStats {
    /// Successful polls.
    pub ok: u64,
    /// Failed polls.
    pub failed: u64,
    /// Duration of the last one, ms.
    pub took_ms: u32,
    /// Requests of the last one.
    pub requests: u32,
    /// Bytes of the last one.
    pub bytes: u64,
}

impl SourceTrack {
    /// A source never seen.
    pub fn new(name: &str) -> SourceTrack {
        SourceTrack {
            name: name.to_owned(),
            first_look: None,
            first_look_source: None,
            last_success: None,
            last_complete: None,
            failing_since: None,
            error: None,
            starting: false,
            is_inventory: false,
            frozen: false,
            version: None,
            offset_ms: None,
            offset_written: None,
            clusters: Vec::new(),
            numbers: BTreeMap::new(),
            unlisted_at: None,
            unseen: BTreeMap::new(),
            all_unseen_since: None,
            answered: BTreeSet::new(),
            emptied: BTreeMap::new(),
            jobmanagers: BTreeMap::new(),
            dirty: false,
            polls: PollStats::default(),
        }
    }

    /// Takes in a look; true if it was the first successful one ever.
    pub fn observe(&mut self, time: Time, snapshot: &Snapshot, spans: &Spans) -> bool {
        self.polls.took_ms = snapshot.took_ms;
        self.polls.requests = snapshot.requests;
        self.polls.bytes = snapshot.bytes;
        self.unlisted_at = None;
        match &snapshot.completeness {
            Completeness::Failed { error, starting } => {
                self.fail(time, error, *starting);
                return false;
            }
            Completeness::Unlisted { error, starting } => {
                self.fail(time, error, *starting);
                self.unlisted_at = Some(time.steady);
            }
            Completeness::Complete | Completeness::Partial { .. } => self.succeed(time),
        }
        if snapshot.completeness == Completeness::Complete {
            self.last_complete = Some(time);
        }
        self.frozen = snapshot.metrics_frozen;
        self.clusters.clone_from(&snapshot.clusters);
        let why = |c: &ClusterObservation| Some((c.flink_cluster.clone(), c.unseen.clone()?));
        self.unseen = self.clusters.iter().filter_map(why).collect();
        let since = self.all_unseen_since.unwrap_or(time);
        self.all_unseen_since = self.is_all_unseen().then_some(since);
        if snapshot.completeness == Completeness::Complete {
            let listed = |name: &String| self.clusters.iter().any(|c| c.flink_cluster == *name);
            self.jobmanagers.retain(|name, _| listed(name));
            self.answered.retain(listed);
            self.numbers.retain(|name, _| listed(name));
        }
        // An application that is seen to have ended took its JobManager with it, also where more may
        // come than is listed: the next one's is no successor.
        let ended = |name: &String| {
            let mut runs = snapshot.runs.iter().filter(|run| run.flink_cluster == *name).peekable();
            runs.peek().is_some() && runs.all(|run| run.state.is_terminal())
        };
        let listed = |name: &String| self.clusters.iter().any(|c| c.flink_cluster == *name);
        self.jobmanagers.retain(|name, _| listed(name) || !ended(name));
        for cluster in &snapshot.clusters {
            if cluster.unseen.is_none() && !self.answered.contains(&cluster.flink_cluster) {
                self.dirty |= self.answered.insert(cluster.flink_cluster.clone());
            }
            if cluster.planned {
                // Whoever comes after the change is no successor of the one before.
                self.dirty |= self.jobmanagers.remove(&cluster.flink_cluster).is_some();
            } else if let Some(cpu) = cluster.jobmanager_cpu {
                let known = self.jobmanagers.entry(cluster.flink_cluster.clone()).or_default();
                self.dirty |= known.hear_cpu(time.steady, cpu);
            }
            if !cluster.metrics.is_empty() {
                let numbers = self.numbers.entry(cluster.flink_cluster.clone()).or_default();
                numbers.hear(time.steady, &cluster.metrics, spans);
            }
        }
        if snapshot.version.is_some() {
            self.version.clone_from(&snapshot.version);
        }
        if let Some(clock) = snapshot.clock {
            self.offset_ms = Some(clock.offset_ms);
        }
        if self.first_look.is_some() || self.unlisted_at.is_some() {
            return false;
        }
        self.first_look = Some(time);
        self.first_look_source = Some(snapshot.clock.map_or(time.wall.0, |clock| clock.now));
        true
    }

    fn fail(&mut self, time: Time, error: &str, starting: bool) {
        self.polls.failed += 1;
        self.failing_since.get_or_insert(time);
        self.error = Some(error.to_owned());
        self.starting = starting;
    }

    fn succeed(&mut self, time: Time) {
        self.polls.ok += 1;
        self.failing_since = None;
        self.error = None;
        self.starting = false;
        self.last_success = Some(time);
    }

    pub(super) fn fit_numbers(&mut self, spans: &Spans) {
        self.numbers.values_mut().for_each(|numbers| numbers.fit(spans));
    }

    /// The source can be seen now.
    pub fn is_up(&self) -> bool {
        self.failing_since.is_none() && self.last_success.is_some()
    }

    /// Its platform answers, and none of its Flink clusters does, of several: the way to all of them
    /// is closed, which is one matter, not many.
    pub fn is_all_unseen(&self) -> bool {
        self.unseen.len() > 1 && self.unseen.len() == self.clusters.len()
    }

    /// The source's own now, in raw ms.
    pub fn source_now(&self, time: Time) -> i64 {
        time.wall.0.saturating_add(self.offset_ms.unwrap_or(0))
    }

    /// A raw source time as steady time, never in the future.
    pub fn to_steady(&self, time: Time, source_ms: i64) -> Ts {
        let age = self.source_now(time).saturating_sub(source_ms).max(0);
        time.steady.shifted(age.saturating_neg())
    }

    /// A raw source time as wall time.
    pub fn to_wall(&self, source_ms: i64) -> Ts {
        Ts(source_ms.saturating_sub(self.offset_ms.unwrap_or(0)))
    }

    pub(super) fn set_emptied(&mut self, clusters: impl Iterator<Item = (String, usize)>) {
        self.emptied = clusters.collect();
    }

    /// Jobs of a Flink cluster began anew under their old ids; where it is being changed on purpose,
    /// that is how it is meant.
    pub(super) fn note_failover(&mut self, time: Time, flink_cluster: &str) {
        let mut clusters = self.clusters.iter();
        if clusters.any(|cluster| cluster.planned && cluster.flink_cluster == flink_cluster) {
            return;
        }
        let known = self.jobmanagers.entry(flink_cluster.to_owned()).or_default();
        known.note_job(time.steady);
        self.dirty = true;
    }

    /// The row, if the clock moved so far that ages would be wrong without it after a restart, or a
    /// `JobManager` is another one.
    pub(super) fn moved_row(&mut self) -> Option<Change> {
        let offset = self.offset_ms.unwrap_or(0);
        let off = offset.abs_diff(self.offset_written.unwrap_or(0));
        (off > OFFSET_ROW_MS || self.dirty).then(|| self.row())
    }

    pub(super) fn row(&mut self) -> Change {
        self.offset_written = self.offset_ms;
        self.dirty = false;
        Change::Source {
            name: self.name.clone(),
            body: serde_json::to_string(self).unwrap_or_default(),
        }
    }
}
