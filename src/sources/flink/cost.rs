//! What a demand costs the cluster that is watched: requests and bytes. Pure, so that it can be said
//! before anything is asked.
//!
//! Sizes are of answers' bodies as measured on Flink 1.20.5 and 2.2.1, jobs of three vertices with
//! one source: a row of the listing 350 bytes, a number as text 40 and its id, an aggregate 22 and
//! its id, a list of the ids of a vertex 4 KB, of a TaskManager 1.9 KB.

use std::time::Duration;

use crate::model::{Demand, MetricScope, Vertices};

use super::wanted::{Wanted, Wish};

/// A job's row in the listing.
const ROW: f64 = 350.0;
/// The counters every look at a job brings.
const COUNTERS: f64 = 320.0;
/// `/overview`, `/config` now and then, and the frame of the listing.
const OVERVIEW: f64 = 230.0;
/// A row of the applications, of which every job has one, and the listing's frame. Flink before 2.3
/// has none and is asked once.
const APPLICATION: f64 = 175.0;
const APPLICATIONS: f64 = 20.0;
/// The pulse: the `JobManager`'s CPU time.
const PULSE: f64 = 55.0;
/// A whole checkpoint history, and how often it is read without a reason.
const CHECKPOINTS: f64 = 5_000.0;
const CHECKPOINTS_EVERY: Duration = Duration::from_mins(5);
/// Around a number's id in an answer of texts, and in one of aggregates.
const TEXT: f64 = 32.0;
const AGGREGATE: f64 = 24.0;
/// What can wait is read this often.
const SLOW: Duration = Duration::from_secs(30);
/// An operator's name before an id.
const OPERATOR: f64 = 24.0;
/// Vertices of a job nobody has looked at yet.
const VERTICES: f64 = 3.0;

/// What a demand costs, on average.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Requests per job and poll.
    pub requests_per_job: f64,
    /// Bytes per job and poll.
    pub bytes_per_job: f64,
    /// Requests per Flink cluster and poll, whatever its jobs.
    pub requests_per_cluster: f64,
    /// Bytes per Flink cluster and poll, whatever its jobs.
    pub bytes_per_cluster: f64,
}

impl Cost {
    /// What it costs more than `less` does.
    #[must_use]
    pub fn beyond(self, less: Cost) -> Cost {
        Cost {
            requests_per_job: self.requests_per_job - less.requests_per_job,
            bytes_per_job: self.bytes_per_job - less.bytes_per_job,
            requests_per_cluster: self.requests_per_cluster - less.requests_per_cluster,
            bytes_per_cluster: self.bytes_per_cluster - less.bytes_per_cluster,
        }
    }
}

/// What `demand` costs a quiet cluster of healthy jobs that is polled every `interval`: jobs of
/// three vertices, one of them a source and one a sink. Exceptions, the search for ids after a start
/// and the closer looks at jobs in trouble come on top, when they happen.
pub fn cost(demand: &Demand, interval: Duration) -> Cost {
    let wanted = Wanted::of(demand);
    let poll = interval.as_secs_f64().max(1.0);
    // What is read every so often, per poll.
    let share = |every: Duration| (poll / every.as_secs_f64()).min(1.0);
    let mut cost = Cost {
        bytes_per_job: ROW,
        requests_per_cluster: 2.0,
        bytes_per_cluster: OVERVIEW,
        ..Cost::default()
    };
    if wanted.asks_jobs() {
        cost.requests_per_job += 1.0;
        let named = wanted.job.iter().map(|wish| TEXT + id_length(wish));
        cost.bytes_per_job += COUNTERS + named.sum::<f64>();
    }
    if demand.applications {
        cost.requests_per_cluster += 1.0;
        cost.bytes_per_cluster += APPLICATIONS;
        cost.bytes_per_job += APPLICATION;
    }
    if demand.checkpoints {
        cost.requests_per_job += share(CHECKPOINTS_EVERY);
        cost.bytes_per_job += CHECKPOINTS * share(CHECKPOINTS_EVERY);
    }
    // A vertex is asked once for all that is wanted of it: at every poll, or now and then.
    for place in [Vertices::Sources, Vertices::All, Vertices::Sinks] {
        let (source, sink) = (place == Vertices::Sources, place == Vertices::Sinks);
        let about = || wanted.vertex.iter().filter(move |w| w.is_about(source, sink));
        let vertices = if place == Vertices::All { VERTICES - 2.0 } else { 1.0 };
        let often = about().any(|w| w.often);
        if about().next().is_some() {
            cost.requests_per_job += vertices * if often { 1.0 } else { share(SLOW) };
        }
        let numbers = about().map(|w| {
            let every = if w.often { 1.0 } else { share(SLOW) };
            (AGGREGATE + OPERATOR + id_length(w)) * every
        });
        cost.bytes_per_job += vertices * numbers.sum::<f64>();
    }
    if wanted.asks_metrics_of_jobs() || wanted.asks_metrics_of_cluster() {
        cost.requests_per_cluster += 1.0;
        let named = wanted.jobmanager.iter().map(|wish| TEXT + id_length(wish));
        cost.bytes_per_cluster += PULSE + named.sum::<f64>();
    }
    if !wanted.taskmanager.is_empty() {
        let often = wanted.taskmanager.iter().any(|w| w.often);
        cost.requests_per_cluster += if often { 1.0 } else { share(SLOW) };
        let numbers = wanted.taskmanager.iter().map(|w| {
            let every = if w.often { 1.0 } else { share(SLOW) };
            (AGGREGATE + id_length(w)) * every
        });
        cost.bytes_per_cluster += numbers.sum::<f64>();
    }
    cost
}

/// Letters of the id: of an answer, only one of several alternatives is in it.
fn id_length(wish: &Wish) -> f64 {
    let letters = wish.longest();
    let scope = wish.key.0.split('/').next().unwrap_or_default();
    let several = wish.has_pattern() && scope == MetricScope::Jobmanager.as_str();
    letters as f64 * if several { 2.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Across, MetricQuery};

    const POLL: Duration = Duration::from_secs(10);

    fn of(scope: MetricScope, vertices: Vertices, id: &str, span_s: u64) -> Demand {
        let query = MetricQuery { scope, id: id.to_owned(), across: Across::Max, vertices };
        Demand::of_metric(query, Duration::from_secs(span_s))
    }

    #[test]
    fn state_restarts_and_checkpoint_age_stay_within_the_promise() {
        let demand =
            Demand { counters: true, checkpoints: true, failures: true, ..Demand::default() };
        let cost = cost(&demand, POLL);
        assert!(cost.bytes_per_job < 1200.0, "{cost:?}");
        assert!(cost.requests_per_job > 1.0 && cost.requests_per_job < 1.1, "{cost:?}");
    }

    #[test]
    fn every_demand_is_told_by_what_it_adds() {
        let nothing = cost(&Demand::default(), POLL);
        for (demand, requests_job, requests_cluster) in [
            (of(MetricScope::Job, Vertices::All, "lastCheckpointDuration", 0), 1.0, 1.0),
            (of(MetricScope::Vertex, Vertices::All, "busyTimeMsPerSecond", 0), 1.0, 1.0),
            (of(MetricScope::Vertex, Vertices::All, "busyTimeMsPerSecond", 60), 3.0, 1.0),
            (of(MetricScope::Operator, Vertices::Sources, "pendingRecords", 60), 1.0, 1.0),
            (of(MetricScope::Operator, Vertices::Sources, "pendingRecords", 0), 1.0 / 3.0, 1.0),
            (Demand { lag: true, ..Demand::default() }, 1.0, 1.0),
            (of(MetricScope::Taskmanager, Vertices::All, "x", 0), 0.0, 1.0 + 1.0 / 3.0),
            (of(MetricScope::Jobmanager, Vertices::All, "taskSlotsAvailable", 0), 0.0, 1.0),
        ] {
            let more = cost(&demand, POLL).beyond(nothing);
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(near(more.requests_per_job, requests_job), "{demand:?}: {more:?}");
            assert!(near(more.requests_per_cluster, requests_cluster), "{demand:?}: {more:?}");
            let of_cluster = requests_job == 0.0;
            assert_eq!(more.bytes_per_job == 0.0, of_cluster, "{demand:?}: {more:?}");
            assert!(more.bytes_per_cluster > 0.0);
        }
    }

    #[test]
    fn a_second_number_of_the_same_vertices_costs_no_request() {
        let one = of(MetricScope::Vertex, Vertices::All, "busyTimeMsPerSecond", 0);
        let two =
            one.clone().union(&of(MetricScope::Vertex, Vertices::All, "idleTimeMsPerSecond", 0));
        let more = cost(&two, POLL).beyond(cost(&one, POLL));
        assert!(more.requests_per_job.abs() < 1e-9 && more.bytes_per_job > 20.0, "{more:?}");
    }
}
