//! What a source is told of jobs that failed before it began to look.

use super::RunId;

/// The newest run of a job, when it is FAILED.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRun {
    /// Source that showed it.
    pub source: String,
    /// Flink's name of the job.
    pub name: String,
    /// Which run.
    pub run: RunId,
    /// Flink's page of it, as the source gave it.
    pub ui_url: Option<String>,
}
