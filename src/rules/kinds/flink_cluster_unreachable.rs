//! `flink_cluster_unreachable`: one Flink cluster does not answer, though its platform says that it
//! is there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{About, Facts, Kind, Scope, evidence};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while a Flink cluster that was looked into before no longer answers, though YARN or Kubernetes
/// shows it as running: its `JobManager` hangs, or nothing leads there. Its jobs are then unknown, not
/// failed. Where none of several answers, and where Flink is named by address (`flink`), that is
/// `source_unreachable`.
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
        if cluster.source.is_all_unseen() {
            return facts.unknown(|| format!("{error}, as none of this source: told as one"));
        }
        if !cluster.source.answered.contains(cluster.flink_cluster) {
            return facts.unknown(|| format!("{error}, and it has never been looked into"));
        }
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
        let cluster = |name: &str, hangs: bool| ClusterObservation {
            flink_cluster: name.to_owned(),
            unseen: hangs.then(|| "it does not answer".to_owned()),
            ..ClusterObservation::default()
        };
        // Whether each of two hangs; whether Weir was restarted before the look.
        for (at, hang, restarted, expected) in [
            (5, [true, false], false, Truth::Unknown),
            (10, [false, false], false, Truth::False),
            (20, [true, false], false, Truth::True),
            (30, [true, false], true, Truth::True),
            (40, [true, true], false, Truth::Unknown),
            (50, [true, false], false, Truth::True),
            (60, [false, false], false, Truth::False),
        ] {
            if restarted {
                watch = watch.restarted();
            }
            watch.clusters = vec![cluster("s", hang[0]), cluster("t", hang[1])];
            let runs = if hang[0] { vec![] } else { vec![run("a", 1, JobState::Running)] };
            watch.look(at, runs);
            assert_eq!(watch.cluster_truth(&rule), expected, "at {at}");
        }
    }
}
