//! Points in time as whole milliseconds, and the pair of times a turn of the engine has.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, the unit Flink's REST API uses too.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ts(pub i64);

impl Ts {
    /// Time from `earlier` to `self`; zero when `earlier` is the later one.
    pub fn since(self, earlier: Ts) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `self` moved by a signed number of milliseconds.
    pub fn shifted(self, millis: i64) -> Ts {
        Ts(self.0.saturating_add(millis))
    }
}

impl Add<Duration> for Ts {
    type Output = Ts;
    fn add(self, span: Duration) -> Ts {
        Ts(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Ts {
    type Output = Ts;
    fn sub(self, span: Duration) -> Ts {
        Ts(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// The two times of one turn, read once by the shell.
///
/// `steady` never goes back and drives `for`, grouping, budgets and back-off. `wall` is what the
/// calendar says: for display, silences and time intervals only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Monotonic, anchored to wall time when the process started.
    pub steady: Ts,
    /// The system clock.
    pub wall: Ts,
}

impl Time {
    /// Both times at the same instant: tests, replay and stories in virtual time.
    pub fn at(millis: i64) -> Time {
        Time { steady: Ts(millis), wall: Ts(millis) }
    }
}
