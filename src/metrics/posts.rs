//! Alerts from outside, counted as they come in: most say nothing new and never reach the engine.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the process started.
#[derive(Debug, Default)]
pub struct Posts {
    taken: AtomicU64,
    invalid: AtomicU64,
    refused: AtomicU64,
}

impl Posts {
    /// So many were taken, or said nothing new.
    pub fn taken(&self, count: usize) {
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// So many make no sense.
    pub fn invalid(&self, count: usize) {
        self.invalid.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// So many could not be taken now.
    pub fn refused(&self, count: usize) {
        self.refused.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// By outcome, in order.
    pub(super) fn counts(&self) -> [(&'static str, u64); 3] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("invalid", read(&self.invalid)),
            ("refused", read(&self.refused)),
            ("taken", read(&self.taken)),
        ]
    }
}
