//! `job_state`: the job is in one of these states.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job};
use crate::model::{Aspect, Demand, JobState as State, Verdict, Why};

/// True while the job is in one of the states. A job gone from the listing is no state at all:
/// that is `job_missing`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobState {
    /// Flink's states: INITIALIZING, CREATED, RUNNING, FAILING, FAILED, CANCELLING, CANCELED,
    /// FINISHED, RESTARTING, SUSPENDED, RECONCILING.
    #[schemars(with = "Vec<String>")]
    pub any_of: Vec<State>,
}

impl Kind for JobState {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand { failures: true, ..Demand::default() }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let Some(state) = job.state() else {
            return facts.no(|| "the job is gone from the listing: that is job_missing".to_owned());
        };
        facts.verdict(self.any_of.contains(&state), || {
            let states: Vec<&str> = self.any_of.iter().map(|state| state.as_str()).collect();
            let words = format!("the job is {state}; true while it is {}", states.join(", "));
            Why::from(evidence! { "state": state.as_str() }).words(words)
        })
    }

    fn problem(&self) -> Option<String> {
        self.any_of.is_empty().then(|| "job_state.any_of is empty (name a state)".to_owned())
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["state"]
    }
}
