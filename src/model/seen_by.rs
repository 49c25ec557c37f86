//! A job as another source shows it than the one that names it.

use super::{JobKey, JobState, Ts};

/// What another source says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBy {
    /// Configured name of that source.
    pub source: String,
    /// The job's key, had that source named it.
    pub key: JobKey,
    /// Its state there.
    pub state: JobState,
    /// Steady time of its word.
    pub heard: Ts,
}

impl SeenBy {
    /// It says what the other one says, whenever that was.
    pub fn is_same(&self, other: &SeenBy) -> bool {
        (&self.source, &self.key, self.state) == (&other.source, &other.key, other.state)
    }
}
