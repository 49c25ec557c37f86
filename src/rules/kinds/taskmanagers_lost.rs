//! `taskmanagers_lost`: the job stands still since `TaskManagers` went away.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job, known};
use crate::model::{Aspect, Demand, JobState, Verdict, Why};

/// True while the job does not run with all its tasks and its Flink cluster has fewer TaskManagers
/// than when it last did. Needs no metrics, which stand still for minutes when a TaskManager dies.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskmanagersLost {}

impl Kind for TaskmanagersLost {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand { failures: true, ..Demand::default() }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        if !job.state().is_some_and(JobState::is_live) {
            return facts.no(|| "the job is not alive: it waits for no TaskManager".to_owned());
        }
        if job.state() == Some(JobState::Cancelling) {
            return facts.no(|| "somebody cancels the job: it waits for no TaskManager".to_owned());
        }
        let lost = known!(facts, job.lost_taskmanagers(), "number of TaskManagers");
        let state = job.job.state().as_str();
        facts.verdict(lost > 0, || {
            let healthy = job.run().is_some_and(crate::tracker::Run::is_healthy);
            let words = match lost {
                0 if healthy => "all its tasks run; true when it stands still with fewer TaskManagers".to_owned(),
                0 => "as many TaskManagers as when it last ran; true with fewer".to_owned(),
                n => format!("{n} TaskManagers fewer than when it last ran; true until all its tasks run"),
            };
            Why::from(evidence! { "lost_taskmanagers": lost, "state": state }).words(words)
        })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["lost_taskmanagers", "state"]
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, run};
    use super::*;
    use crate::model::{ClusterObservation, Truth};

    fn with(taskmanagers: u32) -> Vec<ClusterObservation> {
        vec![ClusterObservation {
            flink_cluster: "s".to_owned(),
            taskmanagers: Some(taskmanagers),
            ..ClusterObservation::default()
        }]
    }

    /// Those its predecessor ran on may have gone with it: only what has run itself can lose any.
    #[test]
    fn a_run_that_never_ran_has_lost_none() {
        use JobState::{Canceled, Cancelling, Created, Failed, Restarting, Running};
        for (name, looks, expected) in [
            ("it ran on them", vec![(3, "a", Running), (1, "a", Restarting)], true),
            ("all are there", vec![(3, "a", Running), (3, "a", Restarting)], false),
            ("somebody cancels it", vec![(3, "a", Running), (1, "a", Cancelling)], false),
            ("it runs without", vec![(3, "a", Running), (1, "a", Running)], false),
            (
                "the next one waits for its own",
                vec![(3, "a", Running), (3, "a", Canceled), (1, "b", Created)],
                false,
            ),
            (
                "the next one cannot start",
                vec![(3, "a", Running), (3, "a", Failed), (0, "b", Restarting)],
                false,
            ),
            (
                "the next one lost some of its own",
                vec![(3, "a", Running), (3, "a", Canceled), (2, "b", Running), (1, "b", Restarting)],
                true,
            ),
        ] {
            let mut watch = Watch::new();
            for (at, (taskmanagers, id, state)) in (10..).step_by(10).zip(looks) {
                watch.clusters = with(taskmanagers);
                watch.look(at, vec![run(id, if id == "a" { 1 } else { 25 }, state)]);
            }
            assert_eq!(watch.truth(&TaskmanagersLost {}) == Truth::True, expected, "{name}");
        }
    }
}
