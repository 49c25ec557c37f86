//! What a demand costs a watched cluster, per job and poll, as `weir check` says it. The figures
//! are those of the Flink source.

use std::time::Duration;

use super::flink;
use crate::model::Demand;

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

/// Job detail with three vertices, once per run: taken as once in an hour.
const DETAIL: f64 = 3_500.0;
const DETAIL_EVERY: Duration = Duration::from_hours(1);

/// What every job costs although no rule demands anything.
pub fn base() -> Cost {
    // It costs the same whatever the time between two looks.
    let nothing = flink::cost(&Demand::default(), Duration::from_secs(10));
    Cost { requests: nothing.requests_per_job, bytes: nothing.bytes_per_job }
}

/// What a demand costs beside [`base`]. Exceptions (about 3 KB each) come on change only and cost
/// a healthy job nothing.
pub fn cost(demand: &Demand, poll: Duration) -> Cost {
    let all = flink::cost(demand, poll);
    let base = base();
    let mut cost = Cost::default();
    cost.add(all.requests_per_job - base.requests, all.bytes_per_job - base.bytes);
    if demand.job_type {
        let share = (poll.as_secs_f64() / DETAIL_EVERY.as_secs_f64()).min(1.0);
        cost.add(share, DETAIL * share);
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
