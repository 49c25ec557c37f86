//! In which minutes a job failed: what its flap value is made of.
//!
//! A ring of minutes and not of failures, so that a loop of many failures a minute does not push
//! out what came before it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::Ts;

/// Minutes remembered; the longest window rules may ask for is as long.
pub const MAX_FLAP_MINUTES: usize = 60;
/// Parts of a window, as in Nagios and Icinga.
pub(super) const PARTS: i64 = 20;

const MINUTE_MS: i64 = 60_000;
/// Weights of the oldest and of the newest part.
const WEIGHTS: (f64, f64) = (0.75, 1.25);

/// Minutes of steady time with at least one failure, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flaps(VecDeque<i64>);

/// A flap value and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flapping {
    /// 0 … 100.
    pub percent: f64,
    /// Went above `high` and not yet down to `low`.
    pub on: bool,
    /// Parts of the window with failures, of `PARTS`.
    pub parts: u32,
}

impl Flaps {
    /// Remembers that the job failed.
    pub(super) fn note(&mut self, at: Ts) {
        let minute = at.0.div_euclid(MINUTE_MS);
        if let Err(place) = self.0.binary_search(&minute) {
            self.0.insert(place, minute);
        }
        while self.0.len() > MAX_FLAP_MINUTES {
            self.0.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The flap value at `now`: of `PARTS` parts of `window_ms`, those with failures, the newest
    /// weighing most, in percent. It is on from `high` up to when it is `low` or less; the way there
    /// is gone through again at each call, so that nothing but the failures decides.
    pub fn value(&self, now: Ts, window_ms: i64, low: f64, high: f64) -> Flapping {
        let part_ms = (window_ms / PARTS).max(MINUTE_MS);
        let part_of = |minute: &i64| (minute * MINUTE_MS).div_euclid(part_ms);
        let mut parts: Vec<i64> = self.0.iter().map(part_of).collect();
        parts.dedup();
        let last = now.0.div_euclid(part_ms);
        let mut found = Flapping { percent: 0.0, on: false, parts: 0 };
        let Some(first) = parts.first() else { return found };
        // What is more than all remembered minutes ago has left every window.
        let from = (*first).max(last - PARTS - MAX_FLAP_MINUTES as i64);
        for part in from..=last {
            let ages = parts.iter().map(|p| part - p).filter(|age| (0..PARTS).contains(age));
            let (mut sum, mut count) = (0.0, 0);
            for age in ages {
                let step = (WEIGHTS.1 - WEIGHTS.0) / (PARTS - 1) as f64;
                sum += WEIGHTS.1 - step * age as f64;
                count += 1;
            }
            found.percent = sum * 100.0 / PARTS as f64;
            found.parts = count;
            found.on = if found.on { found.percent > low } else { found.percent >= high };
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: i64 = 20 * MINUTE_MS;

    fn failing(minutes: &[i64]) -> Flaps {
        let mut flaps = Flaps::default();
        for minute in minutes {
            for second in [1, 20, 40] {
                flaps.note(Ts(minute * MINUTE_MS + second * 1000));
            }
        }
        flaps
    }

    #[test]
    fn six_minutes_in_a_row_are_needed_and_most_of_the_window_to_calm_down() {
        let every: Vec<i64> = (1..=6).collect();
        // (failing minutes, now, on)
        for (minutes, now, on) in [
            (&every[..5], 5, false),
            (&every[..], 6, true),
            (&every[..], 12, true),
            (&every[..], 21, true),
            (&every[..], 22, false),
            (&[1, 30, 60][..], 60, false),
            (&[1, 4, 7, 10, 13, 16, 19][..], 19, true),
            (&[1, 6, 11, 16, 21][..], 21, false),
        ] {
            let value = failing(minutes).value(Ts(now * MINUTE_MS + 50_000), WINDOW, 20.0, 30.0);
            assert_eq!(value.on, on, "{minutes:?} at {now}: {value:?}");
        }
    }

    #[test]
    fn the_values_are_those_of_nagios() {
        for (count, percent) in [(5, 29.9), (6, 35.5), (20, 100.0)] {
            let minutes: Vec<i64> = (1..=count).collect();
            let now = Ts(count * MINUTE_MS);
            let value = failing(&minutes).value(now, WINDOW, 20.0, 30.0);
            assert!((value.percent - percent).abs() < 0.1, "{count}: {value:?}");
        }
    }

    #[test]
    fn a_loop_of_a_second_does_not_push_out_the_past() {
        let mut flaps = Flaps::default();
        for second in 0..6 * 3600 {
            flaps.note(Ts(second * 1000));
        }
        assert_eq!(flaps.0.len(), MAX_FLAP_MINUTES);
        assert!(flaps.value(Ts(6 * 3_600_000), 60 * MINUTE_MS, 20.0, 30.0).percent > 90.0);
    }
}
