//! Tells a metric store that stands still from one that merely changes slowly.
//!
//! After a `TaskManager` died hard, Flink (1.17 and later) may serve the same metrics for minutes:
//! every number looks fresh and none is. The `JobManager`'s own CPU time never stands still, so it
//! is the pulse of the store.

use std::time::Duration;

use crate::model::Ts;

/// The store refreshes every 10 s by default; twice that without a move is no coincidence.
const STILL: Duration = Duration::from_secs(20);
/// One repeated value may be one refresh seen twice, whatever the time between.
const REPEATS: u32 = 2;

/// The pulse of one `JobManager`'s metric store.
#[derive(Debug, Clone, Default)]
pub(super) struct FreezeDetector {
    last: Option<(i64, Ts)>,
    repeats: u32,
}

impl FreezeDetector {
    /// Takes in the `JobManager`'s CPU time as read now; `None`: not reported. True when frozen.
    pub(super) fn observe(&mut self, cpu: Option<i64>, now: Ts) -> bool {
        match (cpu, self.last) {
            (Some(value), Some((last, _))) if value == last => self.repeats += 1,
            (Some(value), _) => {
                self.last = Some((value, now));
                self.repeats = 0;
            }
            (None, _) => {}
        }
        self.frozen(now)
    }

    fn frozen(&self, now: Ts) -> bool {
        self.repeats >= REPEATS && self.last.is_some_and(|(_, since)| now.since(since) >= STILL)
    }

    /// Forgets: another `JobManager` answers, or nobody needed the pulse for a while.
    pub(super) fn reset(&mut self) {
        *self = FreezeDetector::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_still_only_after_two_repeats_and_twenty_seconds() {
        // (seconds, value, frozen)
        let cases: [&[(i64, Option<i64>, bool)]; 5] = [
            &[(0, Some(1), false), (10, Some(1), false), (20, Some(1), true), (30, Some(2), false)],
            &[
                (0, Some(1), false),
                (10, Some(2), false),
                (20, Some(2), false),
                (30, Some(3), false),
            ],
            &[(0, Some(1), false), (60, Some(1), false), (120, Some(1), true)],
            &[(0, Some(1), false), (5, Some(1), false), (10, Some(1), false), (19, Some(1), false)],
            &[(0, None, false), (30, None, false), (60, None, false)],
        ];
        for case in cases {
            let mut detector = FreezeDetector::default();
            for (at, value, frozen) in case {
                assert_eq!(detector.observe(*value, Ts(at * 1000)), *frozen, "{case:?} at {at}");
            }
        }
    }

    #[test]
    fn a_failed_read_neither_thaws_nor_freezes() {
        let mut detector = FreezeDetector::default();
        for at in [0, 10, 20] {
            detector.observe(Some(7), Ts(at * 1000));
        }
        assert!(detector.observe(None, Ts(30_000)));
        detector.reset();
        assert!(!detector.observe(Some(7), Ts(40_000)));
    }
}
