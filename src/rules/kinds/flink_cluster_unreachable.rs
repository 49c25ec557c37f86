//! `flink_cluster_unreachable`: one Flink cluster does not answer, though its platform says that it
//! is there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{About, Facts, Kind, Scope, evidence};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while a Flink cluster cannot be looked into though YARN or Kubernetes shows it as running: its
/// `JobManager` hangs, or nothing leads there. Its jobs are then unknown, not failed. Where Flink is
/// named by address (`flink`), that is `source_unreachable`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlinkClusterUnreachable {}

impl Kind for FlinkClusterUnreachable {
    fn scope(&self) -> Scope {
        Scope::Clusters
    }

    fn aspect(&self) -> &'static str {
        Aspect::PLATFORM
    }

    fn demand(&self) -> Demand {
        Demand::default()
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["error"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let About::Cluster(cluster) = facts.about else {
            return facts.not_applicable(|| "this condition is about Flink clusters".to_owned());
        };
        if !cluster.source.is_up() {
            return facts.unknown(|| "the source cannot be seen".to_owned());
        }
        let Some(error) = cluster.source.unseen.get(cluster.flink_cluster) else {
            return facts.no(|| "it was looked into; true when it does not answer".to_owned());
        };
        facts.verdict(true, || {
            Why::from(evidence! { "error": error.clone() })
                .words(format!("{error}; true until it answers"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, run};
    use super::*;
    use crate::model::{ClusterObservation, JobState, Truth};

    #[test]
    fn what_cannot_be_looked_into_is_told_by_its_cluster() {
        let rule = FlinkClusterUnreachable {};
        let mut watch = Watch::new();
        let shown = |unseen: Option<&str>| {
            let unseen = unseen.map(str::to_owned);
            let flink_cluster = "s".to_owned();
            vec![ClusterObservation { flink_cluster, unseen, ..ClusterObservation::default() }]
        };
        for (at, unseen, expected) in [
            (10, None, Truth::False),
            (20, Some("it does not answer"), Truth::True),
            (30, Some("it does not answer"), Truth::True),
            (40, None, Truth::False),
        ] {
            watch.clusters = shown(unseen);
            let runs = if unseen.is_none() { vec![run("a", 1, JobState::Running)] } else { vec![] };
            watch.look(at, runs);
            assert_eq!(watch.cluster_truth(&rule), expected, "at {at}");
        }
    }
}
