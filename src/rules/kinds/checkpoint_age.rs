//! `checkpoint_age`: the last completed checkpoint is too old.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job, known, words};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while no checkpoint has completed for longer than `above`, for longer than `intervals` of
/// the job's own checkpoint intervals, or, where both are given, for longer than either, so that a
/// job that checkpoints every half hour on purpose is left alone. Counted from the start of the run
/// where none has completed yet, in the source's own time. n/a without periodic checkpoints; unknown
/// with `intervals` while the job's own configuration could not be read. Demands counters and
/// checkpoints.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointAge {
    /// Older than this (none by default).
    #[serde(default)]
    pub above: Option<Span>,
    /// Older than so many of the job's own intervals, 1 or more (none by default).
    #[serde(default)]
    pub intervals: Option<u32>,
}

impl Kind for CheckpointAge {
    fn aspect(&self) -> &'static str {
        Aspect::CHECKPOINTS
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["age_seconds", "above_seconds", "failed_checkpoints"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let age = known!(facts, job.checkpoint_age(), "checkpointing");
        let own = match self.intervals {
            Some(intervals) => {
                let interval = known!(facts, job.checkpoint_interval(), "checkpoint interval");
                interval.saturating_mul(i64::from(intervals))
            }
            None => 0,
        };
        let limit = self.above.map_or(0, Span::millis).max(own);
        let failed = job.run().map_or(0, |r| r.checkpoints.failed.len());
        let evidence = || evidence! {
            "age_seconds": age.as_secs(),
            "above_seconds": limit / 1000,
            "failed_checkpoints": failed,
        };
        facts.verdict(age.as_millis() as i64 > limit, || {
            let whole = std::time::Duration::from_millis(limit.max(0) as u64);
            let none = job.run().is_some_and(|r| !r.checkpoints.has_completed());
            let what = if none {
                "no checkpoint since the start of the run"
            } else {
                "last checkpoint completed"
            };
            let own = match self.intervals {
                Some(intervals) if own == limit => {
                    format!(" ({intervals} of the job's own intervals)")
                }
                _ => String::new(),
            };
            let next = if age > whole {
                "a completed checkpoint ends it".to_owned()
            } else {
                let at = words::at(job.time, job.time.steady + whole.saturating_sub(age));
                format!("true from {at} on if none completes")
            };
            let (age_words, limit_words) = (words::span(age), words::span(whole));
            Why::from(evidence())
                .near(age.as_millis() as f64, limit as f64)
                .words(format!("{what} {age_words} ago; the limit is {limit_words}{own}; {next}"))
        })
    }

    fn problem(&self) -> Option<String> {
        match (self.above, self.intervals) {
            (None, None) => Some("checkpoint_age needs above, intervals or both".to_owned()),
            (Some(above), _) if above.0.is_zero() => {
                Some("checkpoint_age.above must be more than 0s".to_owned())
            }
            (_, Some(0)) => Some("checkpoint_age.intervals must be 1 or more".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::watch::{Watch, checkpoint, run};
    use super::*;
    use crate::model::{
        CheckpointStats, CheckpointSummary, JobState, RunObservation, Seen, TaskCounts, Truth,
    };

    fn rule(above: Option<u64>, intervals: Option<u32>) -> CheckpointAge {
        CheckpointAge { above: above.map(|s| Span(Duration::from_secs(s))), intervals }
    }

    #[test]
    fn absolute_in_intervals_and_both() {
        use Truth::{False, NotApplicable, True, Unknown};
        let stats = |interval_ms, periodic| CheckpointStats {
            interval_ms,
            periodic,
            latest_completed: Some(CheckpointSummary { ended_at: Some(10_000), ..checkpoint(4) }),
            ..CheckpointStats::default()
        };
        // A minute between checkpoints; configuration never read; by hand only.
        let read = stats(Some(60_000), Some(true));
        let unread = stats(None, None);
        let by_hand = stats(None, Some(false));
        for (stats, rule, at, expected) in [
            (&read, rule(Some(100), None), 105, False),
            (&read, rule(Some(100), None), 115, True),
            (&read, rule(None, Some(3)), 185, False),
            (&read, rule(None, Some(3)), 195, True),
            (&read, rule(Some(100), Some(3)), 115, False),
            (&read, rule(Some(100), Some(3)), 195, True),
            (&read, rule(Some(300), Some(3)), 195, False),
            (&unread, rule(Some(100), None), 115, True),
            (&unread, rule(None, Some(3)), 999, Unknown),
            (&unread, rule(Some(100), Some(3)), 999, Unknown),
            (&by_hand, rule(Some(100), None), 999, NotApplicable),
        ] {
            let mut watch = Watch::new();
            let checkpoints = Seen::Fresh(stats.clone());
            let seen = RunObservation { checkpoints, ..run("a", 1, JobState::Running) };
            watch.look(at, vec![seen]);
            assert_eq!(watch.truth(&rule), expected, "{rule:?} at {at}");
        }
        assert!(rule(None, None).problem().is_some() && rule(None, Some(0)).problem().is_some());
    }

    /// Where none completed, the age counts from the start of the run, but only once it has run: one
    /// that waits for slots could not take any.
    #[test]
    fn the_age_of_no_checkpoint_is_unknown_until_the_run_has_run() {
        let stats = CheckpointStats {
            interval_ms: Some(10_000),
            periodic: Some(true),
            completed: Some(0),
            ..CheckpointStats::default()
        };
        let rule = rule(Some(100), None);
        let mut watch = Watch::new();
        for (at, running, expected) in
            [(50, 0, Truth::Unknown), (500, 0, Truth::Unknown), (510, 1, Truth::True)]
        {
            let tasks = TaskCounts { total: 1, running, ..TaskCounts::default() };
            let checkpoints = Seen::Fresh(stats.clone());
            watch.look(
                at,
                vec![RunObservation { tasks, checkpoints, ..run("a", 1, JobState::Running) }],
            );
            assert_eq!(watch.truth(&rule), expected, "at {at}");
        }
    }

    #[test]
    fn nothing_gets_old_in_a_run_that_is_gone() {
        let stats = CheckpointStats {
            interval_ms: Some(10_000),
            periodic: Some(true),
            latest_completed: Some(checkpoint(10)),
            ..CheckpointStats::default()
        };
        let seen = |state| RunObservation {
            checkpoints: Seen::Fresh(stats.clone()),
            ..run("a", 1, state)
        };
        let rule = rule(Some(14), None);
        let mut watch = Watch::new();
        watch.look(12, vec![seen(JobState::Running)]);
        assert_eq!(watch.truth(&rule), Truth::False);
        watch.look(30, vec![]);
        assert_eq!(watch.truth(&rule), Truth::Unknown, "gone");
        let mut watch = watch.restarted();
        watch.look(32, vec![]);
        assert_eq!(watch.truth(&rule), Truth::Unknown, "still gone");
        watch.look(34, vec![seen(JobState::Running)]);
        assert_eq!(watch.truth(&rule), Truth::True, "back");
        watch.look(36, vec![seen(JobState::Failed)]);
        watch.look(38, vec![]);
        assert_eq!(watch.truth(&rule), Truth::NotApplicable, "it ended, and was forgotten");
    }
}
