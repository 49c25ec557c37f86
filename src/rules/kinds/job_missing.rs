//! `job_missing`: a job that was alive is gone from a complete listing.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{About, Facts, Kind, Scope, evidence, fresh_job};
use crate::model::{Aspect, Demand, Verdict};

/// True for a job last seen alive and now absent from complete listings of a healthy source. When
/// all jobs of a Flink cluster are gone at once (two or more), it is true for the cluster instead.
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
            return facts.verdict(jobs > 0, || evidence! { "jobs": jobs });
        }
        let job = fresh_job!(facts);
        let Some(since) = job.job.missing_since else {
            return facts.no(|| "the job is in the listing".to_owned());
        };
        let missing = job.time.steady.since(since).as_secs();
        facts.verdict(!job.cluster_emptied(), || evidence! { "missing_seconds": missing })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["jobs", "missing_seconds"]
    }
}
