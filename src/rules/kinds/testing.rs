//! A job and its cluster whose numbers a test writes down.

use crate::model::{
    ClusterObservation, Completeness, JobKey, JobState, Lag, MetricQuery, Metrics, RunId,
    RunObservation, Seen, Snapshot, TaskCounts, Time, Verdict,
};
use crate::tracker::{ClusterFacts, Tracker};

use super::{About, Facts, Kind, Scope};

pub(super) struct World {
    tracker: Tracker,
    now: Time,
    pub(super) state: JobState,
    pub(super) lag: Seen<f64>,
}

impl World {
    /// A running job, looked at for `kind`.
    pub(super) fn new(kind: &dyn Kind) -> World {
        let mut tracker = Tracker::default();
        tracker.set_demand(&kind.demand());
        World { tracker, now: Time::at(0), state: JobState::Running, lag: Seen::NotAsked }
    }

    /// One look at this second that shows these numbers.
    pub(super) fn look(&mut self, at_s: i64, numbers: &[(MetricQuery, Seen<f64>)]) {
        self.now = Time::at(1_000_000_000 + at_s * 1000);
        let metrics: Metrics = numbers.iter().map(|(q, seen)| (q.key(), seen.clone())).collect();
        let of = |cluster: bool| {
            let mine = numbers.iter().filter(|(q, _)| q.scope.is_of_cluster() == cluster);
            mine.map(|(q, _)| (q.key(), metrics[&q.key()].clone())).collect::<Metrics>()
        };
        let running = TaskCounts { total: 1, running: 1, ..TaskCounts::default() };
        let run = RunObservation {
            key: JobKey::new("prod", "", "", "orders"),
            name: "orders".to_owned(),
            cluster: "prod".to_owned(),
            flink_cluster: "prod".to_owned(),
            run: RunId { start_time: 1, job_id: "a".to_owned() },
            state: self.state,
            tasks: running,
            lag: match &self.lag {
                Seen::Fresh(records) => Seen::Fresh(Lag { records: Some(*records) }),
                Seen::Unknown => Seen::Unknown,
                Seen::NotApplicable => Seen::NotApplicable,
                Seen::NotAsked => Seen::NotAsked,
            },
            metrics: of(false),
            ..RunObservation::default()
        };
        let cluster = ClusterObservation {
            flink_cluster: "prod".to_owned(),
            metrics: of(true),
            ..ClusterObservation::default()
        };
        let snapshot = Snapshot {
            completeness: Completeness::Complete,
            clusters: vec![cluster],
            runs: vec![run],
            ..Snapshot::failed("prod", "test", String::new(), false)
        };
        self.tracker.step(self.now, &snapshot);
    }

    /// The judgement now, with its reasons.
    pub(super) fn judge(&self, kind: &dyn Kind) -> Verdict {
        let key = JobKey::new("prod", "", "", "orders");
        let source = self.tracker.source("prod").unwrap();
        let about = match kind.scope() {
            Scope::Clusters => {
                About::Cluster(ClusterFacts { source, flink_cluster: "prod", time: self.now })
            }
            _ => About::Job(self.tracker.job_facts(&key, self.now).unwrap()),
        };
        let asked = kind.judge(&Facts { asks_why: true, ..Facts::of(about) });
        let bare = kind.judge(&Facts::of(about));
        assert_eq!(bare.truth, asked.truth, "asking changes nothing");
        assert!(!asked.why.as_ref().unwrap().words.is_empty(), "{asked:?}");
        asked
    }

    /// In words.
    pub(super) fn words(&self, kind: &dyn Kind) -> String {
        self.judge(kind).why.unwrap().words
    }
}
