//! `duplicate_job`: two live runs share a job's name.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while two or more runs of one job are alive at once: both read and write the same data.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DuplicateJob {}

impl Kind for DuplicateJob {
    fn aspect(&self) -> &'static str {
        Aspect::PLATFORM
    }

    fn demand(&self) -> Demand {
        Demand::default()
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let runs = job.job.live_runs;
        facts.verdict(runs >= 2, || {
            Why::from(evidence! { "live_runs": runs }).near(f64::from(runs.saturating_sub(1)), 1.0).words(match runs {
                0 => "no live run; a second one at the same time makes it true".to_owned(),
                1 => "1 live run; a second one at the same time makes it true".to_owned(),
                _ => format!("{runs} live runs; true until only one is left"),
            })
        })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["live_runs"]
    }
}
