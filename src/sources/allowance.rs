//! What a look at a source may take.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::http::Pace;

/// What holds for a source that says nothing of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Longest time one request may take.
    pub timeout: Duration,
    /// How often a watched cluster may be asked.
    pub pace: Pace,
}

impl Allowance {
    /// Those of a source that may have a request rate of its own.
    pub(super) fn pace(self, requests_per_second: Option<NonZeroU32>) -> Pace {
        let requests_per_second = requests_per_second.unwrap_or(self.pace.requests_per_second);
        Pace { requests_per_second, ..self.pace }
    }
}

impl From<Duration> for Allowance {
    fn from(timeout: Duration) -> Allowance {
        Allowance { timeout, pace: Pace::default() }
    }
}
