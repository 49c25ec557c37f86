//! A tracker fed by hand, for the tests of the kinds.

use super::{About, Facts, Kind};
use crate::model::{
    Change, CheckpointSummary, ClusterObservation, Completeness, Counters, Failure, InventoryEntry,
    JobKey, JobState, Labels, Loaded, RunId, RunObservation, Seen, Snapshot, SourceClock,
    TaskCounts, Time, Truth, Verdict,
};
use crate::tracker::{ClusterFacts, JobTrack, Tracker};

/// One source `s` with one Flink cluster `s`; seconds are those of the source's clock too.
pub(super) struct Watch {
    tracker: Tracker,
    time: Time,
    kept: Loaded,
    pub(super) labels: Labels,
    pub(super) clusters: Vec<ClusterObservation>,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch {
            tracker: Tracker::default(),
            time: Time::at(0),
            kept: Loaded::default(),
            labels: Labels::default(),
            clusters: Vec::new(),
        }
    }

    /// One complete look.
    pub(super) fn look(&mut self, second: i64, runs: Vec<RunObservation>) {
        self.time = Time::at(second * 1000);
        let snapshot = Snapshot {
            completeness: Completeness::Complete,
            clock: Some(SourceClock { now: second * 1000, offset_ms: 0 }),
            clusters: self.clusters.clone(),
            runs,
            ..Snapshot::failed("s", "p", String::new(), false)
        };
        self.take(&snapshot);
    }

    /// One complete look at an inventory.
    pub(super) fn inventory(&mut self, second: i64, entries: Vec<InventoryEntry>) {
        self.time = Time::at(second * 1000);
        self.take(&Snapshot {
            completeness: Completeness::Complete,
            inventory: entries,
            ..Snapshot::failed("sp", "p", String::new(), false)
        });
    }

    fn take(&mut self, snapshot: &Snapshot) {
        for change in self.tracker.step(self.time, snapshot).changes {
            match change {
                Change::Source { name, body } => {
                    self.kept.sources.retain(|known| known.0 != name);
                    self.kept.sources.push((name, body));
                }
                Change::Job { key, body } => {
                    self.kept.jobs.retain(|known| known.0 != key);
                    self.kept.jobs.push((key, body));
                }
                _ => {}
            }
        }
    }

    /// The same after a restart of Weir: what was kept.
    pub(super) fn restarted(self) -> Watch {
        Watch { tracker: Tracker::restore(&self.kept), ..self }
    }

    fn key() -> JobKey {
        JobKey::new("s", "", "", "orders")
    }

    pub(super) fn job(&self) -> &JobTrack {
        self.tracker.job(&Watch::key()).unwrap()
    }

    /// The judgement on the job, as it is and as it is told to who asks why.
    pub(super) fn judge(&self, kind: &dyn Kind) -> Verdict {
        let Some(job) = self.tracker.job_facts(&Watch::key(), self.time) else {
            return Verdict::bare(Truth::Unknown);
        };
        let labels = || self.labels.clone();
        Watch::both(kind, Facts::of(About::Job(job)).with_labels(&labels))
    }

    pub(super) fn truth(&self, kind: &dyn Kind) -> Truth {
        self.judge(kind).truth
    }

    pub(super) fn cluster_truth(&self, kind: &dyn Kind) -> Truth {
        let source = self.tracker.source("s").unwrap();
        let cluster = ClusterFacts { source, flink_cluster: "s", time: self.time };
        Watch::both(kind, Facts::of(About::Cluster(cluster))).truth
    }

    pub(super) fn source_verdict(&self, kind: &dyn Kind) -> Verdict {
        let source = self.tracker.source_facts("s", self.time).unwrap();
        Watch::both(kind, Facts::of(About::Source(source)))
    }

    fn both(kind: &dyn Kind, facts: Facts<'_>) -> Verdict {
        let verdict = kind.judge(&facts);
        let told = kind.judge(&Facts { asks_why: true, ..facts });
        assert_eq!(verdict.truth, told.truth, "asking why changes nothing");
        let why = told.why.as_ref().unwrap();
        assert!(!why.words.is_empty(), "a judgement without words: {told:?}");
        assert!(why.near.is_none_or(|near| (0.0..=1.0).contains(&near)), "{told:?}");
        verdict
    }
}

/// A run of `orders`; RUNNING is with all its tasks.
pub(super) fn run(id: &str, start: i64, state: JobState) -> RunObservation {
    let running = u32::from(state == JobState::Running);
    RunObservation {
        key: Watch::key(),
        name: "orders".to_owned(),
        cluster: "s".to_owned(),
        flink_cluster: "s".to_owned(),
        flink_job_name: "orders".to_owned(),
        run: RunId { start_time: start * 1000, job_id: id.to_owned() },
        state,
        tasks: TaskCounts { total: 1, running, ..TaskCounts::default() },
        counters: Seen::Fresh(Counters { restarts: Some(0), ..Counters::default() }),
        failures: Seen::Fresh(Vec::new()),
        ..RunObservation::default()
    }
}

/// A completed checkpoint, at a second of its number.
pub(super) fn checkpoint(id: u64) -> CheckpointSummary {
    CheckpointSummary {
        id,
        ended_at: Some(i64::try_from(id).unwrap() * 1000),
        path: Some(format!("file:/ck/chk-{id}")),
        ..CheckpointSummary::default()
    }
}

/// The savepoint of a stop.
pub(super) fn savepoint(id: u64) -> CheckpointSummary {
    CheckpointSummary { savepoint: true, stops_job: true, ..checkpoint(id) }
}

pub(super) fn failure(at: i64, class: &str, message: &str) -> Failure {
    Failure {
        at,
        task: None,
        class: class.to_owned(),
        message: message.to_owned(),
        frame: None,
        taskmanager: None,
        gave_up: false,
    }
}
