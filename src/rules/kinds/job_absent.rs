//! `job_absent`: a job does not run at an hour at which its schedule says it should.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, JobType, Kind, evidence, fresh_job, hours, job_type};
use crate::model::{Aspect, Demand, JobState, Standing, Verdict, Why};
use crate::tracker::Fact;

/// What its state is called where it is not listed any more.
const GONE: &str = "MISSING";

/// True within the hours of a job's schedule while the job is CANCELED or FINISHED, whoever ended it
/// and when, or MISSING: gone since before the hours began. Nobody has started it. Give the rule a
/// `for` of what a start and a redeployment may take. A batch job that FINISHED within the hours has
/// done its work: false.
///
/// A job that FAILED is `job_state`'s, and one that vanished alive within the hours is
/// `job_missing`'s, until they end. Not applicable to a job without a schedule. Demands the job's type.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobAbsent {}

impl Kind for JobAbsent {
    fn aspect(&self) -> &'static str {
        Aspect::SCHEDULE
    }

    fn demand(&self) -> Demand {
        Demand { job_type: true, ..Demand::default() }
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
        if schedule.standing(now) != Standing::Inside {
            return facts.no(|| format!("{}: it need not run", stands()));
        }
        let state = job.state();
        if job.job.is_missed(job.time) {
            return facts.no(|| format!("{}; gone while it was alive: see job_missing", stands()));
        }
        if let Some(state) = state.filter(|state| !state.is_deliberate_end()) {
            return facts.no(|| format!("{}, and it is {state}", stands()));
        }
        if state == Some(JobState::Finished) {
            match job_type::of(facts, &job, JobType::Streaming) {
                Fact::Known(JobType::Batch) => {
                    let ended = job.run().and_then(|run| run.end_time);
                    let ended = ended.map(|end| job.source.to_wall(end));
                    if ended >= schedule.inside_since(now) {
                        return facts.no(|| format!("{}, and the batch is done", stands()));
                    }
                }
                Fact::Known(JobType::Streaming) => {}
                _ => return facts.unknown(|| "batch or stream is not known yet".to_owned()),
            }
        }
        facts.verdict(true, || {
            let state = state.map_or(GONE, JobState::as_str);
            Why::from(evidence! { "state": state, "hours": schedule.words() })
                .words(format!("{}, and it is {state}; true until it runs", stands()))
        })
    }
}
