//! `taskmanagers_lost`: the job stands still since `TaskManagers` went away.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job};
use crate::model::{Aspect, Demand, Truth, Verdict};
use crate::tracker::Fact;

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
            return Verdict::bare(Truth::False);
        }
        match job.lost_taskmanagers() {
            Fact::Known(lost) => {
                let state = job.job.state().as_str();
                Verdict::of(lost > 0, || evidence! { "lost_taskmanagers": lost, "state": state })
            }
            Fact::Unknown => Verdict::bare(Truth::Unknown),
            Fact::NotApplicable => Verdict::bare(Truth::NotApplicable),
        }
    }
}
