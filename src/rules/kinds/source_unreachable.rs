//! `source_unreachable`: Weir cannot see a source.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{About, Facts, Kind, Scope, evidence, words};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while every look at a source fails, and while YARN or Kubernetes answers and none of its Flink
/// clusters does, of several. Its jobs are then unknown, not failed. Not about inventories (StreamPark,
/// Dinky), which show no jobs: of those Weir itself tells, as a warning.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceUnreachable {}

impl Kind for SourceUnreachable {
    fn scope(&self) -> Scope {
        Scope::Sources
    }

    fn aspect(&self) -> &'static str {
        Aspect::PLATFORM
    }

    fn demand(&self) -> Demand {
        Demand::default()
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let About::Source(about) = facts.about else {
            return facts.not_applicable(|| "this condition is about sources".to_owned());
        };
        let source = about.source;
        if source.is_inventory {
            return facts.not_applicable(|| "an inventory: its jobs are seen elsewhere".to_owned());
        }
        if source.is_up() && source.is_all_unseen() {
            let error = source.unseen.first_key_value().map_or("", |(_, why)| why);
            let count = source.unseen.len();
            let error = format!("none of its {count} Flink clusters can be looked into: {error}");
            let down = source.all_unseen_since.map(|t| about.time.steady.since(t.steady));
            let evidence = evidence! {
                "jobs": about.jobs,
                "down_seconds": down.unwrap_or_default().as_secs(),
                "error": error.clone(),
            };
            return facts
                .verdict(true, || Why::from(evidence).words(format!("{error}; true until one can")));
        }
        let down = source.failing_since.map_or(0, |t| about.time.steady.since(t.steady).as_secs());
        let evidence = || evidence! {
            "jobs": about.jobs,
            "down_seconds": down,
            "error": source.error.clone().unwrap_or_default(),
        };
        facts.verdict(source.failing_since.is_some(), || {
            Why::from(evidence()).words(match (source.failing_since, source.last_success) {
                (Some(since), _) => format!(
                    "every look has failed since {} ({}); true until one succeeds",
                    words::at(about.time, since.steady),
                    source.error.as_deref().unwrap_or("no reason given")
                ),
                (None, Some(last)) => format!(
                    "last seen {}; true when a look fails",
                    words::at(about.time, last.steady)
                ),
                (None, None) => "no look yet".to_owned(),
            })
        })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["jobs", "down_seconds", "error"]
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, run};
    use super::*;
    use crate::model::{ClusterObservation, JobState, Truth};

    #[test]
    fn clusters_that_all_hang_are_one_matter_and_since_when_is_known() {
        let rule = SourceUnreachable {};
        let mut watch = Watch::new();
        let cluster = |name: &str, hangs: bool| ClusterObservation {
            flink_cluster: name.to_owned(),
            unseen: hangs.then(|| "it does not answer".to_owned()),
            ..ClusterObservation::default()
        };
        // (second, which of two hangs, what is said, since how many seconds)
        for (at, hang, truth, seconds) in [
            (0, [false, false], Truth::False, 0),
            (10, [true, false], Truth::False, 0),
            (20, [true, true], Truth::True, 0),
            (50, [true, true], Truth::True, 30),
            (60, [false, true], Truth::False, 0),
            (70, [true, true], Truth::True, 0),
        ] {
            watch.clusters = vec![cluster("s", hang[0]), cluster("t", hang[1])];
            let runs = if hang[0] { vec![] } else { vec![run("a", 1, JobState::Running)] };
            watch.look(at, runs);
            let verdict = watch.source_verdict(&rule);
            assert_eq!(verdict.truth, truth, "at {at}");
            if truth == Truth::True {
                let number = |name: &str| verdict.evidence[name].as_u64();
                assert_eq!(number("down_seconds"), Some(seconds), "at {at}");
                assert_eq!(number("jobs"), Some(1), "at {at}");
            }
        }
    }
}
