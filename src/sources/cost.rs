//! What a demand costs a watched cluster, per job and poll. The one place that knows the figures:
//! measured on Flink 1.20 and 2.2 with jobs of three vertices, one of them a source.

use std::time::Duration;

use crate::model::{Demand, MetricScope};

/// Requests and bytes per job and poll, on average.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// HTTP requests. Those shared by all jobs of a cluster are not counted.
    pub requests: f64,
    /// Bytes of answers.
    pub bytes: f64,
}

impl Cost {
    fn add(&mut self, requests: f64, bytes: f64) {
        self.requests += requests;
        self.bytes += bytes;
    }
}

/// A row of `/jobs/overview`, fetched whatever rules demand.
const STATE: f64 = 330.0;
/// The job's counters in one call.
const COUNTERS: f64 = 320.0;
/// A full `/checkpoints`; asked every five minutes, more often only when something moved.
const CHECKPOINTS: f64 = 5_000.0;
const CHECKPOINTS_EVERY: Duration = Duration::from_mins(5);
/// Job detail with three vertices, once per run: taken as once in an hour.
const DETAIL: f64 = 3_500.0;
const DETAIL_EVERY: Duration = Duration::from_hours(1);
/// One number aggregated over subtasks.
const METRIC: f64 = 100.0;
/// Vertices of a job.
const VERTICES: f64 = 3.0;

/// What every job costs although no rule demands anything.
pub fn base() -> Cost {
    Cost { requests: 0.0, bytes: STATE }
}

/// What a demand costs beside [`base`]. Exceptions (about 3 KB each) come on change only and cost
/// a healthy job nothing.
pub fn cost(demand: &Demand, poll: Duration) -> Cost {
    let mut cost = Cost::default();
    let share = |every: Duration| (poll.as_secs_f64() / every.as_secs_f64()).min(1.0);
    let of_job = demand.metrics.keys().any(|q| q.scope == MetricScope::Job);
    if demand.counters || of_job {
        cost.add(1.0, if demand.counters { COUNTERS } else { 0.0 });
    }
    if demand.checkpoints {
        let share = share(CHECKPOINTS_EVERY);
        cost.add(share, CHECKPOINTS * share);
    }
    if demand.job_type {
        let share = share(DETAIL_EVERY);
        cost.add(share, DETAIL * share);
    }
    if demand.lag {
        cost.add(1.0, METRIC);
    }
    let of_vertices = |q: &&crate::model::MetricQuery| {
        matches!(q.scope, MetricScope::Vertex | MetricScope::Operator)
    };
    if demand.metrics.keys().any(|q| of_vertices(&q)) {
        cost.add(VERTICES, 0.0);
    }
    for query in demand.metrics.keys() {
        let of = match query.scope {
            MetricScope::Job => 1.0,
            MetricScope::Vertex | MetricScope::Operator => VERTICES,
            // Shared by all jobs of a cluster.
            MetricScope::Taskmanager | MetricScope::Jobmanager => 0.0,
        };
        cost.add(0.0, METRIC * of);
    }
    cost
}

/// The facts a demand names, in words.
pub fn facts(demand: &Demand) -> String {
    let Demand { counters, checkpoints, failures, lag, job_type, metrics } = demand;
    let flags = [
        (*counters, "counters"),
        (*checkpoints, "checkpoints"),
        (*failures, "exceptions on change"),
        (*lag, "lag"),
        (*job_type, "job type"),
    ];
    let mut parts: Vec<String> =
        flags.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()).collect();
    parts.extend(metrics.keys().map(|query| query.key().to_string()));
    if parts.is_empty() { "state".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promise_of_the_design_holds_for_the_figures() {
        let all = Demand { counters: true, checkpoints: true, failures: true, ..Demand::default() };
        let cost = cost(&all, Duration::from_secs(10));
        assert!(base().bytes + cost.bytes < 1_200.0, "{cost:?}");
        assert!((1.0..1.1).contains(&cost.requests), "{cost:?}");
        assert_eq!(facts(&Demand::default()), "state");
    }
}
