//! What rules need from the sources: the only thing that flows back.

use serde::{Deserialize, Serialize};

/// The union of what all rules need. A source fetches this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Demand {
    /// Restart and checkpoint counters of every live job.
    pub counters: bool,
    /// Checkpoint history where a counter moved unexpectedly, and every five minutes.
    pub checkpoints: bool,
    /// Exception history on change.
    pub failures: bool,
    /// Lag of the sources of every live job.
    pub lag: bool,
}

impl Demand {
    /// Everything either side needs.
    pub fn union(self, other: &Demand) -> Demand {
        let Demand { counters, checkpoints, failures, lag } = *other;
        Demand {
            counters: self.counters || counters,
            checkpoints: self.checkpoints || checkpoints,
            failures: self.failures || failures,
            lag: self.lag || lag,
        }
    }
}
