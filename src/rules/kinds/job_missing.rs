//! `job_missing`: a job that was alive is gone from a complete listing.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{About, Facts, Kind, Scope, evidence, fresh_job, hours, words};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True for a job last seen alive and now absent from complete listings of a healthy source. When
/// all jobs of a Flink cluster are gone at once (two or more), it is true for the cluster instead.
/// A job with a schedule is missed only in the hours in which it vanished: outside of them it may be
/// absent, and when the next ones begin it is `job_absent` that speaks. Until then it is not counted
/// among those that are gone, either.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobMissing {}

impl Kind for JobMissing {
    fn scope(&self) -> Scope {
        Scope::JobsAndClusters
    }

    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand::default()
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        if let About::Cluster(cluster) = facts.about {
            if !cluster.source.is_up() {
                return facts.unknown(|| "the source cannot be seen".to_owned());
            }
            let jobs = cluster.emptied().unwrap_or(0);
            return facts.verdict(jobs > 0, || {
                Why::from(evidence! { "jobs": jobs }).words(match jobs {
                    0 => "its jobs are in the listing; true when all of two or more are gone at once".to_owned(),
                    n => format!("all its {n} jobs are gone from the listing; true until one is back"),
                })
            });
        }
        let job = fresh_job!(facts);
        let Some(since) = job.job.missing_since else {
            return facts.no(|| match job.state() {
                Some(state) if state.is_live() => {
                    format!("the job is in the listing ({state}); true when it is absent from a complete one")
                }
                Some(state) => format!("{state}: only a live job can go missing"),
                None => "the job is not in the listing".to_owned(),
            });
        };
        if let Some(schedule) = job.job.schedule.as_ref().filter(|_| !job.job.is_missed(job.time)) {
            return facts.no(|| {
                let stands = hours::words(schedule, job.time.wall);
                format!("gone, but not in these hours: {stands}; see job_absent")
            });
        }
        let missing = job.time.steady.since(since).as_secs();
        let with_cluster = job.cluster_emptied();
        facts.verdict(!with_cluster, || {
            let gone = words::at(job.time, since);
            Why::from(evidence! { "missing_seconds": missing }).words(if with_cluster {
                format!("gone since {gone} with all jobs of its Flink cluster: judged for the cluster")
            } else {
                format!("alive before, gone from complete listings since {gone}; true until it is back")
            })
        })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["jobs", "missing_seconds"]
    }
}
