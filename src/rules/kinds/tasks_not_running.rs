//! `tasks_not_running`: the job says RUNNING, and not all of its tasks run.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job};
use crate::model::{Aspect, Demand, JobState, Verdict, Why};

/// True while the job is RUNNING and some of its tasks neither run nor have finished: they wait
/// for slots, are being deployed, or restore their state. Flink calls that RUNNING too.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TasksNotRunning {}

impl Kind for TasksNotRunning {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand { failures: true, ..Demand::default() }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let (Some(state), Some(run)) = (job.state(), job.run()) else {
            return facts.no(|| "the job is gone from the listing: that is job_missing".to_owned());
        };
        if state != JobState::Running || run.tasks.all_running() {
            let running = run.tasks.running + run.tasks.finished;
            return facts.no(|| match state {
                JobState::Running => {
                    format!("RUNNING with {running} of {} tasks running; true while some wait", run.tasks.total)
                }
                _ => format!("{state}; true only while RUNNING with tasks that wait"),
            });
        }
        let running = run.tasks.running + run.tasks.finished;
        let state = format!("{state} {running}/{}", run.tasks.total);
        let waiting = run.tasks.total.saturating_sub(running);
        facts.verdict(true, || {
            let words = format!("{state}: {waiting} tasks wait; true until all run");
            Why::from(evidence! { "state": state, "tasks_waiting": waiting }).words(words)
        })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["state", "tasks_waiting"]
    }
}
