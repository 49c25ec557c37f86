//! `checkpoint_age`: the last completed checkpoint is too old.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job, known};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while no checkpoint has completed for longer than `above`, and for longer than `intervals`
/// of the job's own checkpoint intervals, so that a job that checkpoints every half hour on purpose
/// is left alone. Counted from the start of the run where none has completed yet, in the source's
/// own time. n/a without checkpointing.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointAge {
    /// Older than this.
    pub above: Span,
    /// And older than so many of the job's own intervals.
    #[serde(default = "three")]
    pub intervals: u32,
}

fn three() -> u32 {
    3
}

impl Kind for CheckpointAge {
    fn aspect(&self) -> &'static str {
        Aspect::CHECKPOINTS
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, ..Demand::default() }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let age = known!(facts, job.checkpoint_age(), "checkpointing");
        let interval = job.run().and_then(|r| r.checkpoints.interval_ms).unwrap_or(0);
        let own = interval.saturating_mul(i64::from(self.intervals));
        let limit = self.above.millis().max(own);
        let failed = job.run().map_or(0, |r| r.checkpoints.failed.len());
        let evidence = || evidence! {
            "age_seconds": age.as_secs(),
            "above_seconds": limit / 1000,
            "failed_checkpoints": failed,
        };
        facts.verdict(age.as_millis() as i64 > limit, || {
            Why::from(evidence()).near(age.as_millis() as f64, limit as f64)
        })
    }

    fn problem(&self) -> Option<String> {
        self.above.0.is_zero().then(|| "checkpoint_age.above must be more than 0s".to_owned())
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["age_seconds", "above_seconds", "failed_checkpoints"]
    }
}
