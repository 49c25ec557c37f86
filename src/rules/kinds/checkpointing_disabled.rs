//! `checkpointing_disabled`: a stream without periodic checkpoints.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, JobType, Kind, evidence, fresh_job, job_type};
use crate::model::{Aspect, Demand, JobState, Verdict, Why};
use crate::tracker::Fact;

/// True while a streaming job runs that takes no periodic checkpoints: what it has read is lost with
/// its first failure. Savepoints by hand do not count as checkpoints. A batch job has no need of
/// them: n/a. Whether it is one is told as for `job_finished`, and where nobody tells, it is taken
/// for a stream. Demands checkpoints, counters and job type.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointingDisabled {}

impl Kind for CheckpointingDisabled {
    fn aspect(&self) -> &'static str {
        Aspect::CHECKPOINTS
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, job_type: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["state"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let Some(run) = job.listed_run().filter(|run| run.state.is_live()) else {
            return facts.no(|| "the job is not alive".to_owned());
        };
        if !run.checkpoints.not_applicable {
            if run.checkpoints.policy_read {
                return facts.no(|| "it takes checkpoints".to_owned());
            }
            return facts.unknown(|| "its checkpoint configuration was not read yet".to_owned());
        }
        if run.state != JobState::Running {
            return facts.unknown(|| format!("the job is {}", run.state));
        }
        match job_type::of(facts, &job, JobType::Streaming) {
            Fact::Known(JobType::Streaming) => {}
            Fact::Known(JobType::Batch) => {
                return facts.not_applicable(|| "a batch job needs no checkpoints".to_owned());
            }
            _ => return facts.unknown(|| "batch or stream is not known yet".to_owned()),
        }
        facts.verdict(true, || {
            let state = run.state.as_str();
            Why::from(evidence! { "state": state }).words("a stream without periodic checkpoints")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, run, savepoint};
    use super::*;
    use crate::model::{CheckpointStats, Labels, RunObservation, Seen, Truth};

    #[test]
    fn streams_without_periodic_checkpoints() {
        use Truth::{False, NotApplicable, True, Unknown};
        let stats = |periodic| {
            Seen::Fresh(CheckpointStats {
                periodic,
                latest_savepoint: Some(savepoint(1)),
                ..CheckpointStats::default()
            })
        };
        let (stream, batch) = (Seen::Fresh(false), Seen::Fresh(true));
        let never = Seen::NotApplicable;
        for (checkpoints, kind, label, expected) in [
            (never.clone(), stream.clone(), "", True),
            (never.clone(), Seen::NotApplicable, "", True),
            (never.clone(), batch.clone(), "", NotApplicable),
            (never.clone(), batch, "false", True),
            (never.clone(), stream.clone(), "true", NotApplicable),
            (never, Seen::NotAsked, "", Unknown),
            (stats(Some(false)), stream.clone(), "", True),
            (stats(Some(true)), stream.clone(), "", False),
            (stats(None), stream.clone(), "", Unknown),
            (Seen::NotAsked, stream, "", Unknown),
        ] {
            let mut watch = Watch::new();
            watch.labels = Labels::from([("batch", label)]);
            let told = format!("{checkpoints:?} {kind:?} {label}");
            let batch = kind;
            watch.look(10, vec![RunObservation { checkpoints, batch, ..run("a", 1, JobState::Running) }]);
            assert_eq!(watch.truth(&CheckpointingDisabled {}), expected, "{told}");
        }
    }
}
