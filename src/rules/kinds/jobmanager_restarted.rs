//! `jobmanager_restarted`: another `JobManager` process runs a Flink cluster.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{About, Facts, Kind, Scope, Span, evidence};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True for `within` after a Flink cluster was found to have another JobManager: the CPU time of its
/// process went back and has grown from there for two more polls, none of the JobManagers that
/// answer at the same address explaining it; or jobs that were alive began anew under their old ids,
/// as they do after a failover. It is about the Flink cluster: one alert, however many jobs it
/// carried. Jobs that did not come back are `job_missing`. Deploying an application anew under its
/// old job id looks the same. Demands counters.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobmanagerRestarted {
    /// So long after it was found (default 10m).
    #[serde(default = "ten_minutes")]
    pub within: Span,
}

fn ten_minutes() -> Span {
    Span(Duration::from_mins(10))
}

impl Kind for JobmanagerRestarted {
    fn scope(&self) -> Scope {
        Scope::Clusters
    }

    fn aspect(&self) -> &'static str {
        Aspect::PLATFORM
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["seconds_ago", "within_seconds", "jobs_begun_anew", "jobs_gone"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let About::Cluster(cluster) = facts.about else {
            return facts.not_applicable(|| "this condition is about Flink clusters".to_owned());
        };
        if !cluster.source.is_up() {
            return facts.unknown(|| "the source cannot be seen".to_owned());
        }
        let Some((at, jobs)) = cluster.restarted() else {
            return facts.no(|| "the JobManager is the one that was first seen".to_owned());
        };
        let (ago, within) = (cluster.time.steady.since(at), self.within.0);
        facts.verdict(ago <= within, || {
            Why::from(evidence! {
                "seconds_ago": ago.as_secs(),
                "within_seconds": within.as_secs(),
                "jobs_begun_anew": jobs,
                "jobs_gone": cluster.emptied().unwrap_or(0),
            })
            .words(format!("another JobManager {} s ago; true for {} s", ago.as_secs(), within.as_secs()))
        })
    }

    fn lasts(&self) -> Option<Duration> {
        Some(self.within.0)
    }

    fn problem(&self) -> Option<String> {
        (self.within.0 < Duration::from_mins(1))
            .then(|| "jobmanager_restarted.within must be at least 1m".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, run};
    use super::*;
    use crate::model::{ClusterObservation, JobState, Truth};

    fn with_cpu(cpu: i64) -> Vec<ClusterObservation> {
        let flink_cluster = "s".to_owned();
        let jobmanager_cpu = Some(cpu);
        vec![ClusterObservation { flink_cluster, jobmanager_cpu, ..ClusterObservation::default() }]
    }

    #[test]
    fn a_process_that_is_another_one_and_a_job_that_began_anew() {
        use JobState::{Canceled, Running};
        let rule = JobmanagerRestarted { within: ten_minutes() };
        let job = |start, state| vec![run("a", start, state)];
        for (name, looks, expected) in [
            ("the same", ([50, 60, 70, 80], job(1, Running), job(1, Running)), false),
            ("another process", ([50, 7, 8, 9], job(1, Running), job(1, Running)), true),
            ("another process without jobs", ([50, 7, 8, 9], job(1, Running), vec![]), true),
            ("another answers", ([50, 7, 60, 8], job(1, Running), job(1, Running)), false),
            ("a failover", ([50, 60, 70, 80], job(1, Running), job(15, Running)), true),
            ("started again", ([50, 60, 70, 80], job(1, Canceled), job(15, Running)), false),
            ("another job", ([50, 60, 70, 80], job(1, Running), vec![run("b", 15, Running)]), false),
        ] {
            let mut watch = Watch::new();
            let (cpus, first, last) = looks;
            let shown = [first, last.clone(), last.clone(), last.clone()];
            for ((at, cpu), runs) in [10, 20, 30, 40].into_iter().zip(cpus).zip(shown) {
                watch.clusters = with_cpu(cpu);
                watch.look(at, runs);
            }
            assert_eq!(watch.cluster_truth(&rule) == Truth::True, expected, "{name}");
            let mut watch = watch.restarted();
            watch.clusters = with_cpu(90);
            watch.look(600, last.clone());
            assert_eq!(watch.cluster_truth(&rule) == Truth::True, expected, "{name}: kept");
            watch.look(700, last);
            assert_eq!(watch.cluster_truth(&rule), Truth::False, "{name}: over");
        }
    }

    #[test]
    fn what_is_done_on_purpose_is_no_restart() {
        let rule = JobmanagerRestarted { within: ten_minutes() };
        for (planned, expected) in [(true, false), (false, true)] {
            let mut watch = Watch::new();
            let before = (10, 50, 1, false);
            let after = [(20, 7, 15, planned), (30, 8, 15, planned), (40, 9, 15, false)];
            for (at, cpu, start, planned) in [before].into_iter().chain(after) {
                watch.clusters = with_cpu(cpu);
                watch.clusters[0].planned = planned;
                watch.look(at, vec![run("a", start, JobState::Running)]);
            }
            assert_eq!(watch.cluster_truth(&rule) == Truth::True, expected, "planned: {planned}");
        }
    }
}
