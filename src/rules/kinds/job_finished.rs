//! `job_finished`: a streaming job came to an end of itself.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, JobType, Kind, Span, evidence, fresh_job, job_type};
use crate::model::{Aspect, Demand, JobState, Verdict, Why};
use crate::tracker::Fact;

/// True for `within` after a streaming job was seen to be FINISHED: its source ran dry, which no
/// stream should. A batch job
/// is meant to end so, and a job stopped with a savepoint was stopped by a person or a tool: false.
/// A job that was FINISHED before Weir first looked at its cluster is not news: false. Of a job with
/// a schedule it is `job_absent` that speaks, where it should run: false.
///
/// Whether it is a batch job is told by its label `batch` (`"true"` or `"false"`), else by Flink's
/// job type; `unknown_is` decides where neither tells. Unknown for up to a minute after the end,
/// until the type and the last checkpoints are known. Demands job type and checkpoints.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobFinished {
    /// What a job is taken for whose type nobody tells: `streaming`, since the unnoticed end of
    /// a stream is the worse mistake, or `batch` (default `streaming`).
    #[serde(default)]
    pub unknown_is: JobType,
    /// So long after the end was noticed, or until the job runs again (default 12h): nobody can
    /// undo an end, so that it would be true for ever.
    #[serde(default = "half_a_day")]
    pub within: Span,
}

fn half_a_day() -> Span {
    Span(Duration::from_hours(12))
}

impl Kind for JobFinished {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, job_type: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["state", "ran_seconds"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let (Some(state), Some(run)) = (job.state(), job.run()) else {
            return facts.no(|| "the job is not there".to_owned());
        };
        if state != JobState::Finished {
            return facts.no(|| format!("the job is {state}; true once a stream is FINISHED"));
        }
        if let Some(schedule) = &job.job.schedule {
            return facts.no(|| {
                let hours = schedule.words();
                format!("its schedule says when it runs, not its end: {hours}; see job_absent")
            });
        }
        if !run.is_fresh_end() {
            return facts.no(|| "it was FINISHED before the first look at its cluster".to_owned());
        }
        match job_type::of(facts, &job, self.unknown_is) {
            Fact::Known(JobType::Streaming) => {}
            Fact::Known(JobType::Batch) => {
                return facts.no(|| "a batch job, which is meant to finish".to_owned());
            }
            _ => return facts.unknown(|| "batch or stream is not known yet".to_owned()),
        }
        match job.is_stopped() {
            Fact::Known(false) => {}
            Fact::Known(true) => {
                return facts.no(|| "it was stopped with a savepoint".to_owned());
            }
            _ => return facts.unknown(|| "its last checkpoints are not known yet".to_owned()),
        }
        let ago = job.ended_for().unwrap_or_default();
        let ran = run.end_time.map_or(0, |end| end.saturating_sub(run.id.start_time).max(0) / 1000);
        facts.verdict(ago <= self.within.0, || {
            let words = format!(
                "a streaming job that finished of itself {} s ago; true for {} s",
                ago.as_secs(),
                self.within.0.as_secs()
            );
            Why::from(evidence! { "state": state.as_str(), "ran_seconds": ran }).words(words)
        })
    }

    fn problem(&self) -> Option<String> {
        (self.within.0 < Duration::from_mins(5))
            .then(|| "job_finished.within must be at least 5m".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, checkpoint, run, savepoint};
    use super::*;
    use crate::model::{CheckpointStats, Labels, RunObservation, Seen, Truth};

    fn rule(unknown_is: JobType) -> JobFinished {
        JobFinished { unknown_is, within: half_a_day() }
    }

    fn ended(batch: Seen<bool>, stats: CheckpointStats) -> RunObservation {
        let checkpoints = Seen::Fresh(stats);
        RunObservation { batch, checkpoints, end_time: Some(9_000), ..run("a", 1, JobState::Finished) }
    }

    fn stats(completed: u64, stopped: Option<u64>) -> CheckpointStats {
        CheckpointStats {
            latest_completed: Some(checkpoint(completed)),
            latest_savepoint: stopped.map(savepoint),
            periodic: Some(true),
            ..CheckpointStats::default()
        }
    }

    #[test]
    fn the_end_of_a_stream_is_told_from_every_other_end() {
        use Truth::{False, True, Unknown};
        let rule = rule(JobType::Streaming);
        let (stream, batch) = (Seen::Fresh(false), Seen::Fresh(true));
        for (name, kind, stats, label, expected) in [
            ("stream", stream.clone(), stats(5, None), "", [Unknown, True]),
            ("batch", batch.clone(), stats(5, None), "", [False, False]),
            ("a batch by its label", stream.clone(), stats(5, None), "true", [False, False]),
            ("a stream by its label", batch, stats(5, None), "false", [Unknown, True]),
            ("stopped", stream.clone(), stats(5, Some(6)), "", [False, False]),
            ("stopped, and went on", stream, stats(7, Some(6)), "", [Unknown, True]),
            ("never told", Seen::NotApplicable, stats(5, None), "", [Unknown, True]),
            ("not asked yet", Seen::Unknown, stats(5, None), "", [Unknown, Unknown]),
        ] {
            let mut watch = Watch::new();
            watch.look(0, vec![run("a", 1, JobState::Running)]);
            watch.labels = Labels::from([("batch", label)]);
            for (at, truth) in [10, 20].into_iter().zip(expected) {
                watch.look(at, vec![ended(kind.clone(), stats.clone())]);
                assert_eq!(watch.truth(&rule), truth, "{name} at {at}");
            }
        }
    }

    #[test]
    fn what_was_finished_before_is_no_news_and_what_nobody_tells_is_as_configured() {
        let mut watch = Watch::new();
        let over = ended(Seen::Fresh(false), stats(5, None));
        watch.look(10, vec![over.clone()]);
        watch.look(20, vec![over]);
        assert_eq!(watch.truth(&rule(JobType::Streaming)), Truth::False);
        let mut watch = Watch::new();
        watch.look(0, vec![run("a", 1, JobState::Running)]);
        for at in [10, 20] {
            watch.look(at, vec![ended(Seen::NotApplicable, stats(5, None))]);
        }
        assert_eq!(watch.truth(&rule(JobType::Batch)), Truth::False);
        // What is still not known after a minute is not going to be.
        let mut watch = Watch::new();
        watch.look(0, vec![run("a", 1, JobState::Running)]);
        for at in [10, 80] {
            let gone = RunObservation { checkpoints: Seen::Unknown, ..ended(Seen::Unknown, stats(5, None)) };
            watch.look(at, vec![gone]);
        }
        assert_eq!(watch.truth(&rule(JobType::Streaming)), Truth::True);
    }

    #[test]
    fn an_end_is_news_for_a_while() {
        let rule = JobFinished { unknown_is: JobType::Streaming, within: Span(Duration::from_mins(5)) };
        assert_eq!(rule.problem(), None);
        let mut watch = Watch::new();
        watch.look(0, vec![run("a", 1, JobState::Running)]);
        for (at, truth) in [(10, Truth::Unknown), (20, Truth::True), (310, Truth::True), (311, Truth::False)] {
            watch.look(at, vec![ended(Seen::Fresh(false), stats(5, None))]);
            assert_eq!(watch.truth(&rule), truth, "at {at}");
        }
        assert!(JobFinished { within: Span(Duration::from_mins(4)), ..rule }.problem().is_some());
    }
}
