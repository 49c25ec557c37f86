//! `job_outside_hours`: a job runs at an hour at which its schedule says it should not.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job, hours};
use crate::model::{Aspect, Demand, Standing, Verdict, Why};

/// True outside of the hours of a job's schedule while the job is alive. Give the rule a `for` of
/// what a stop with a savepoint may take. Not applicable to a job without a schedule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobOutsideHours {}

impl Kind for JobOutsideHours {
    fn aspect(&self) -> &'static str {
        Aspect::HOURS
    }

    fn demand(&self) -> Demand {
        Demand::default()
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["state", "hours"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let Some(schedule) = &job.job.schedule else {
            return facts.not_applicable(|| "no schedule is about this job".to_owned());
        };
        let now = job.time.wall;
        let stands = || hours::words(schedule, now);
        let Some(state) = job.state().filter(|state| state.is_live()) else {
            return facts.no(|| format!("{}, and it does not run", stands()));
        };
        facts.verdict(schedule.standing(now) == Standing::Outside, || {
            Why::from(evidence! { "state": state.as_str(), "hours": schedule.words() })
                .words(format!("{}, and it is {state}", stands()))
        })
    }
}
