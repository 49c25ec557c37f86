//! What a job could be restored from, when somebody asks.

use super::find::NotFound;
use super::step::Engine;
use crate::model::JobKey;
use crate::tracker::Recorded;

/// The ledger of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoints {
    /// The job.
    pub job: JobKey,
    /// Newest first.
    pub entries: Vec<Recorded>,
    /// Path of the one a restart would take now.
    pub next: Option<String>,
}

impl Engine {
    /// The ledger of the job that is meant.
    pub(super) fn checkpoints(&self, typed: &str) -> Result<Checkpoints, NotFound> {
        let job = self.job_named(typed)?;
        let ledger = self.tracker.ledger(&job);
        let entries = ledger.into_iter().flat_map(|ledger| ledger.entries().cloned()).collect();
        let next = ledger.and_then(|ledger| self.restarts.best(&job, ledger));
        Ok(Checkpoints { job, entries, next })
    }
}
