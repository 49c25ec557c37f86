//! When a source is looked at: first looks a little after one another, later ones in a phase of the
//! source's own, so that equal intervals never fall into step. Pure.

use std::time::Duration;

use crate::model::Ts;

/// Between two first looks.
const STEP: Duration = Duration::from_millis(200);

/// When the source of this place is looked at for the first time: soon, but not all in the same
/// instant, and within one interval however many there are.
pub(super) fn first(index: usize, count: usize, interval: Duration) -> Duration {
    let step = (interval / u32::try_from(count.max(1)).unwrap_or(u32::MAX)).min(STEP);
    step * u32::try_from(index).unwrap_or(u32::MAX)
}

/// Where in the interval a source of this name is looked at, always the same.
pub(super) fn phase(name: &str, interval: Duration) -> Duration {
    // FNV-1a, and the last bits spread over all: names differ in their last letters.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let share = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
    interval.mul_f64(f64::from(share) / (f64::from(u32::MAX) + 1.0))
}

/// Time from a look to the next one. Never longer than the interval, and never shorter than half of
/// it: a source finds its phase by coming early once or twice. `looked`: steady time of the look.
pub(super) fn until_next(looked: Ts, phase: Duration, interval: Duration) -> Duration {
    if interval.is_zero() {
        return interval;
    }
    let nanos = |time: Duration| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
    let into = (i128::from(looked.0) * 1_000_000 - nanos(phase)).rem_euclid(nanos(interval));
    let into = Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX));
    let left = interval.saturating_sub(into);
    if left >= interval / 2 { left } else { (left + interval) / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn first_looks_are_soon_and_never_all_at_once() {
        for (index, count, expected) in
            [(0, 1, 0), (0, 200, 0), (1, 2, 200), (49, 50, 9_800), (199, 200, 9_950)]
        {
            assert_eq!(first(index, count, TEN), ms(expected), "{index} of {count}");
        }
    }

    #[test]
    fn phases_are_spread_and_stay() {
        let mut tenths = [0; 10];
        for n in 0..200 {
            let name = format!("cluster-{n}");
            let phase = phase(&name, TEN);
            assert!(phase < TEN);
            assert_eq!(phase, super::phase(&name, TEN));
            tenths[usize::try_from(phase.as_millis() / 1_000).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|n| (8..=35).contains(n)), "{tenths:?}");
        // Another release must not shift them: a restart of all Weirs would be a herd.
        assert_eq!(phase("prod", TEN).as_millis(), phase("prod", TEN * 2).as_millis() / 2);
    }

    #[test]
    fn a_source_comes_early_until_it_is_in_its_phase() {
        // (looked, phase, next after)
        for (looked, phase, expected) in [
            (0, 0, 10_000),
            (0, 9_999, 9_999),
            (0, 5_000, 5_000),
            (0, 4_000, 7_000),
            (7_000, 4_000, 7_000),
            (14_000, 4_000, 10_000),
            // A little late: a little early the next time.
            (14_300, 4_000, 9_700),
            (200, 100, 9_900),
        ] {
            assert_eq!(until_next(Ts(looked), ms(phase), TEN), ms(expected), "{looked}, {phase}");
        }
        assert_eq!(until_next(Ts(10), Duration::ZERO, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn no_two_looks_are_further_apart_than_the_interval() {
        for start in (0..10_000).step_by(37) {
            for own in (0..10_000).step_by(239) {
                let mut at = Ts(start);
                for _ in 0..3 {
                    let wait = until_next(at, ms(own), TEN);
                    assert!(wait >= TEN / 2 && wait <= TEN, "{start}, {own}: {wait:?}");
                    // What is left of a millisecond is slept to its end.
                    at = Ts(at.0 + i64::try_from(wait.as_micros().div_ceil(1_000)).unwrap());
                }
                assert_eq!(at.0 % 10_000, i64::try_from(own).unwrap(), "{start}");
            }
        }
    }
}
