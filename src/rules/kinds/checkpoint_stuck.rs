//! `checkpoint_stuck`: a checkpoint is on its way for too long, before anything failed.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job, known};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while a checkpoint (or savepoint) has been in progress for longer than `after`, for longer
/// than a share `of_timeout` of the job's own checkpoint timeout, or, where both are given, for
/// longer than either. Flink itself says nothing before the timeout, 10 minutes by default, and
/// under backpressure every checkpoint may go that way. Evidence: its id, seconds in progress, and
/// how many subtasks have acknowledged. n/a without periodic checkpoints; unknown with `of_timeout`
/// while the job's own configuration could not be read. Demands counters and checkpoints.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointStuck {
    /// In progress for longer than this (none by default).
    #[serde(default)]
    pub after: Option<Span>,
    /// In progress for longer than this share of the job's checkpoint timeout, above 0 and up to 1
    /// (none by default).
    #[serde(default)]
    pub of_timeout: Option<f64>,
}

impl Kind for CheckpointStuck {
    fn aspect(&self) -> &'static str {
        Aspect::CHECKPOINTS
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["checkpoint_id", "in_progress_seconds", "limit_seconds", "savepoint", "acknowledged", "subtasks"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let Some((way, age)) = known!(facts, job.in_progress(), "checkpointing") else {
            return facts.no(|| "no checkpoint was in progress at the last look".to_owned());
        };
        let own = match self.of_timeout {
            Some(share) => {
                let timeout = known!(facts, job.checkpoint_timeout(), "checkpoint timeout");
                (timeout as f64 * share) as i64
            }
            None => 0,
        };
        let limit = self.after.map_or(0, Span::millis).max(own);
        let evidence = || {
            let mut evidence = evidence! {
                "checkpoint_id": way.id,
                "in_progress_seconds": age.as_secs(),
                "limit_seconds": limit / 1000,
                "savepoint": way.savepoint,
            };
            if let Some((acknowledged, subtasks)) = way.acknowledged {
                evidence.insert("acknowledged".to_owned(), acknowledged.into());
                evidence.insert("subtasks".to_owned(), subtasks.into());
            }
            evidence
        };
        facts.verdict(age.as_millis() as i64 > limit, || {
            let (so_far, limit_s) = (age.as_secs(), limit / 1000);
            Why::from(evidence())
                .words(format!("checkpoint {} for {so_far} s; true above {limit_s} s", way.id))
                .near(age.as_millis() as f64, limit as f64)
        })
    }

    fn patience(&self) -> Option<(&'static str, Duration)> {
        self.after.map(|after| ("after", after.0))
    }

    fn problem(&self) -> Option<String> {
        match (self.after, self.of_timeout) {
            (None, None) => Some("checkpoint_stuck needs after, of_timeout or both".to_owned()),
            (Some(after), _) if after.0.is_zero() => {
                Some("checkpoint_stuck.after must be more than 0s".to_owned())
            }
            (_, Some(share)) if !(share > 0.0 && share <= 1.0) => Some(format!(
                "checkpoint_stuck.of_timeout must be above 0 and up to 1, is {share}"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::watch::{Watch, run};
    use super::*;
    use crate::model::{
        CheckpointStats, CheckpointSummary, Counters, JobState, RunObservation, Seen, Truth,
    };

    fn rule(after: Option<u64>, of_timeout: Option<f64>) -> CheckpointStuck {
        CheckpointStuck { after: after.map(|s| Span(Duration::from_secs(s))), of_timeout }
    }

    fn stats(timeout_ms: Option<i64>) -> CheckpointStats {
        let way = CheckpointSummary {
            id: 7,
            triggered_at: Some(10_000),
            acknowledged: Some(3),
            subtasks: Some(6),
            ..CheckpointSummary::default()
        };
        let newer = CheckpointSummary { id: 8, triggered_at: Some(90_000), ..way.clone() };
        CheckpointStats {
            timeout_ms,
            periodic: timeout_ms.map(|_| true),
            in_progress: vec![newer, way],
            ..CheckpointStats::default()
        }
    }

    fn seen(stats: CheckpointStats, completed: u64) -> RunObservation {
        let counters = Counters {
            completed_checkpoints: Some(completed),
            last_checkpoint_id: Some(completed),
            ..Counters::default()
        };
        let checkpoints = Seen::Fresh(stats);
        let counters = Seen::Fresh(counters);
        RunObservation { counters, checkpoints, ..run("a", 1, JobState::Running) }
    }

    #[test]
    fn the_oldest_in_progress_counts() {
        use Truth::{False, True, Unknown};
        for (timeout, rule, at, expected) in [
            (Some(600_000), rule(Some(100), None), 105, False),
            (Some(600_000), rule(Some(100), None), 115, True),
            (Some(600_000), rule(None, Some(0.5)), 305, False),
            (Some(600_000), rule(None, Some(0.5)), 315, True),
            (Some(600_000), rule(Some(100), Some(0.5)), 115, False),
            (None, rule(Some(100), None), 115, True),
            (None, rule(None, Some(0.5)), 999, Unknown),
        ] {
            let mut watch = Watch::new();
            watch.look(at, vec![seen(stats(timeout), 6)]);
            let verdict = watch.judge(&rule);
            assert_eq!(verdict.truth, expected, "{rule:?} at {at}");
            if expected == True {
                let told = ["checkpoint_id", "acknowledged", "subtasks"].map(|k| verdict.evidence[k].as_u64());
                assert_eq!(told, [Some(7), Some(3), Some(6)]);
            }
        }
        for bad in [rule(None, None), rule(None, Some(0.0)), rule(None, Some(f64::NAN)), rule(None, Some(2.0))] {
            assert!(bad.problem().is_some(), "{bad:?}");
        }
    }

    #[test]
    fn a_counter_that_moved_past_it_ends_it_and_a_look_long_ago_is_no_look() {
        let rule = rule(Some(60), None);
        let mut watch = Watch::new();
        watch.look(100, vec![seen(stats(None), 6)]);
        assert_eq!(watch.truth(&rule), Truth::True);
        let quiet = |completed| RunObservation {
            checkpoints: Seen::NotAsked,
            ..seen(CheckpointStats::default(), completed)
        };
        watch.look(110, vec![quiet(6)]);
        assert_eq!(watch.truth(&rule), Truth::True, "still as it was");
        watch.look(120, vec![quiet(7)]);
        assert_eq!(watch.truth(&rule), Truth::False);
        let mut watch = Watch::new();
        watch.look(100, vec![seen(stats(None), 6)]);
        watch.look(300, vec![quiet(6)]);
        assert_eq!(watch.truth(&rule), Truth::Unknown);
    }
}
