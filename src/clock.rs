//! The only caller of "now". Everything else takes time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime};

use crate::model::{Time, Ts};

/// Where the shell reads the time of a turn.
pub trait Clock: Send + Sync {
    /// Both times, read once per turn.
    fn now(&self) -> Time;
}

/// The machine's clocks: steady time is the monotonic clock, anchored to wall time at the start.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    anchor: Ts,
}

impl SystemClock {
    /// Starts the steady clock at wall time, or at `last_steady` where a clock that was set back
    /// would make persisted times lie in the future. A persisted time absurdly far ahead (more
    /// than a day) is a broken clock of the past: then wall time is taken.
    pub fn anchored(last_steady: Option<Ts>) -> SystemClock {
        SystemClock { started: monotonic(), anchor: anchor(wall_now(), last_steady) }
    }
}

/// Where steady time begins, at this wall time and after `last_steady`; see
/// [`SystemClock::anchored`].
pub fn anchor(wall: Ts, last_steady: Option<Ts>) -> Ts {
    let limit = wall.shifted(24 * 3_600_000);
    last_steady.filter(|last| *last > wall && *last < limit).unwrap_or(wall)
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Time {
        Time { steady: self.anchor + self.started.elapsed(), wall: wall_now() }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall_now() -> Ts {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ts(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn monotonic() -> Instant {
    Instant::now()
}

/// A clock that stands still until it is told to move: tests and stories.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at `millis`.
    pub fn at(millis: i64) -> ManualClock {
        ManualClock(AtomicI64::new(millis))
    }

    /// Moves it.
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time::at(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_start_goes_on_from_where_it_was_unless_that_is_absurd() {
        let now = Ts(1_795_219_700_000);
        // (last steady time, what it starts from)
        for (last, from) in [
            (None, now),
            (Some(now.shifted(-HOUR)), now),
            // The clock was set back by an hour while Weir was down: no hold lasts an hour longer.
            (Some(now.shifted(HOUR)), now.shifted(HOUR)),
            // It was a year ahead once.
            (Some(now.shifted(365 * 24 * HOUR)), now),
        ] {
            assert_eq!(anchor(now, last), from, "{last:?}");
        }
    }
}
