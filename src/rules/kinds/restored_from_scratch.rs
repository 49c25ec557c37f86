//! `restored_from_scratch`: a known job was started with nothing.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, JobType, Kind, Span, evidence, fresh_job, job_type, known};
use crate::model::{Aspect, Demand, Verdict, Why};
use crate::tracker::Fact;

/// True for `within` after the start of a run that was restored from nothing although an earlier
/// run of the same job had completed checkpoints: its state is empty and its offsets are wherever
/// the connector begins. Also true after a cancel and a fresh start by hand, which is just when the
/// savepoint is forgotten; somebody who means it can wait until it is over. Never true for a job
/// without an earlier run known to Weir, for runs that began before Weir first looked, for batch
/// jobs, or for jobs without checkpoints. Known a few seconds after all tasks run.
///
/// Restarts within one run are no matter of it: Flink restores them from the run's last checkpoint.
/// Demands checkpoints, counters and job type.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoredFromScratch {
    /// So long after the run's start (default 1h).
    #[serde(default = "an_hour")]
    pub within: Span,
}

fn an_hour() -> Span {
    Span(Duration::from_hours(1))
}

impl Kind for RestoredFromScratch {
    fn aspect(&self) -> &'static str {
        Aspect::CHECKPOINTS
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, job_type: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["left_checkpoint", "started_seconds_ago", "within_seconds"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let Some(scratch) = known!(facts, job.from_scratch(), "checkpointing") else {
            return facts.no(|| "nothing was left to restore, or it was restored".to_owned());
        };
        if job_type::of(facts, &job, JobType::Streaming) == Fact::Known(JobType::Batch) {
            return facts.not_applicable(|| "a batch job begins at its beginning".to_owned());
        }
        let (age, within) = (scratch.age, self.within.0);
        facts.verdict(age <= within, || {
            Why::from(evidence! {
                "left_checkpoint": scratch.left,
                "started_seconds_ago": age.as_secs(),
                "within_seconds": within.as_secs(),
            })
            .words(format!(
                "began with nothing {} s ago; true for {} s",
                age.as_secs(),
                within.as_secs()
            ))
        })
    }

    fn lasts(&self) -> Option<Duration> {
        Some(self.within.0)
    }

    fn span(&self) -> Option<Duration> {
        Some(self.within.0)
    }

    fn problem(&self) -> Option<String> {
        (self.within.0 < Duration::from_mins(1))
            .then(|| "restored_from_scratch.within must be at least 1m".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, checkpoint, run, savepoint};
    use super::*;
    use crate::model::{CheckpointStats, JobState, RunObservation, Seen, Truth};

    fn stats(completed: Option<u64>, restored: Option<u64>) -> CheckpointStats {
        CheckpointStats {
            periodic: Some(true),
            interval_ms: Some(60_000),
            completed: Some(completed.unwrap_or(0)),
            latest_completed: completed.map(checkpoint),
            restored: Some(u64::from(restored.is_some())),
            restored_from: restored.map(checkpoint),
            ..CheckpointStats::default()
        }
    }

    fn seen(id: &str, start: i64, state: JobState, said: CheckpointStats) -> RunObservation {
        RunObservation { checkpoints: Seen::Fresh(said), ..run(id, start, state) }
    }

    #[test]
    fn a_start_with_nothing_after_a_run_that_left_something() {
        use JobState::{Canceled, Failed, Finished, Running};
        let rule = RestoredFromScratch { within: an_hour() };
        for (name, before, restored, expected) in [
            ("cancelled, begun with nothing", Some((Canceled, Some(5))), None, true),
            ("failed, begun with nothing", Some((Failed, Some(5))), None, true),
            ("restored", Some((Canceled, Some(5))), Some(5), false),
            ("nothing was left", Some((Canceled, None)), None, false),
            // What ends by itself takes its checkpoints along.
            ("finished, begun with nothing", Some((Finished, Some(5))), None, false),
            ("a new job", None, None, false),
        ] {
            let mut watch = Watch::new();
            let first = |state| before.map(|(_, left)| seen("a", 1, state, stats(left, None)));
            watch.look(0, first(Running).into_iter().collect());
            let ended = || before.and_then(|(state, _)| first(state));
            watch.look(10, ended().into_iter().collect());
            let both = || ended().into_iter().chain([seen("b", 12, Running, stats(None, restored))]);
            watch.look(20, both().collect());
            if expected {
                assert_eq!(watch.truth(&rule), Truth::Unknown, "{name}: caches are 3 s old");
            }
            watch.look(30, both().collect());
            assert_eq!(watch.truth(&rule) == Truth::True, expected, "{name}");
            // Its own checkpoints do not make it restored.
            watch.look(300, vec![seen("b", 12, Running, stats(Some(4), restored))]);
            let verdict = watch.judge(&rule);
            assert_eq!(verdict.truth == Truth::True, expected, "{name}");
            if expected {
                assert_eq!(verdict.evidence["left_checkpoint"], "file:/ck/chk-5");
            }
            watch.look(3700, vec![seen("b", 12, Running, stats(Some(60), restored))]);
            assert_eq!(watch.truth(&rule), Truth::False, "{name}: over");
        }
    }

    /// FINISHED is also what a stop with savepoint ends in: that one left something.
    #[test]
    fn a_start_with_nothing_after_a_stop_with_savepoint() {
        let rule = RestoredFromScratch { within: an_hour() };
        let mut watch = Watch::new();
        watch.look(0, vec![seen("a", 1, JobState::Running, stats(Some(5), None))]);
        let stopped = CheckpointStats {
            latest_savepoint: Some(savepoint(8)),
            ..stats(Some(5), None)
        };
        let ended = || seen("a", 1, JobState::Finished, stopped.clone());
        for at in [10, 20] {
            watch.look(at, vec![ended()]);
        }
        for at in [30, 40] {
            let next = seen("b", 25, JobState::Running, stats(None, None));
            watch.look(at, vec![ended(), next]);
        }
        assert_eq!(watch.truth(&rule), Truth::True);
    }

    #[test]
    fn a_failover_that_restores_nothing_is_one_too() {
        let rule = RestoredFromScratch { within: an_hour() };
        let mut watch = Watch::new();
        watch.look(0, vec![seen("a", 1, JobState::Running, stats(Some(5), None))]);
        for at in [20, 30] {
            watch.look(at, vec![seen("a", 12, JobState::Running, stats(None, None))]);
        }
        assert_eq!(watch.truth(&rule), Truth::True);
    }
}
