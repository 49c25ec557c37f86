//! `checkpoint_failures`: several checkpoints in a row failed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job, known, words};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while at least `count` distinct checkpoints (by id) have failed since the last one that
/// completed. Checkpoints that a restart cut off do not count. n/a without checkpointing.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointFailures {
    /// So many in a row (1 … 10: Flink lists no more).
    pub count: usize,
}

impl CheckpointFailures {
    fn said(&self, failed: usize) -> String {
        let so_far = match failed {
            0 => "no checkpoint failed since the last one that completed".to_owned(),
            n => format!("{} failed in a row", words::count(n, "checkpoint")),
        };
        if failed >= self.count {
            format!("{so_far}; a completed checkpoint ends it")
        } else {
            format!("{so_far}; {} make it true", words::count(self.count - failed, "more failure"))
        }
    }
}

impl Kind for CheckpointFailures {
    fn aspect(&self) -> &'static str {
        Aspect::CHECKPOINTS
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, ..Demand::default() }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let failed = known!(facts, job.failed_checkpoints(), "checkpointing");
        let why = || job.run().and_then(|r| r.checkpoints.last_failure.clone()).unwrap_or_default();
        facts.verdict(failed >= self.count, || {
            Why::from(evidence! { "failed_checkpoints": failed, "checkpoint_failure": why() })
                .words(self.said(failed))
                .near(failed as f64, self.count as f64)
        })
    }

    fn problem(&self) -> Option<String> {
        (!(1..=10).contains(&self.count)).then(|| {
            format!("checkpoint_failures.count must be 1 … 10, is {}", self.count)
        })
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["failed_checkpoints", "checkpoint_failure"]
    }
}
