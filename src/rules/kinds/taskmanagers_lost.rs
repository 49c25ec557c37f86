//! `taskmanagers_lost`: the job stands still since `TaskManagers` went away.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job, known};
use crate::model::{Aspect, Demand, Verdict};

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
        if !job.state().is_some_and(crate::model::JobState::is_live) {
            return facts.no(|| "the job is not alive".to_owned());
        }
        let lost = known!(facts, job.lost_taskmanagers(), "number of TaskManagers");
        let state = job.job.state().as_str();
        facts.verdict(lost > 0, || evidence! { "lost_taskmanagers": lost, "state": state })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["lost_taskmanagers", "state"]
    }
}
