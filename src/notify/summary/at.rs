//! When a summary is due. Pure: wall time and zone are arguments.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::{DayTime, Ts};

/// A summary missed by no more than this, since nobody was there to write it, is told late.
pub const LATE: Duration = Duration::from_hours(6);

/// A time of day, or of some days of the week, as the clock of a zone shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryAt(DayTime);

/// What is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time of a summary")]
pub struct NoSuchTime(String);

impl FromStr for SummaryAt {
    type Err = NoSuchTime;

    fn from_str(text: &str) -> Result<SummaryAt, NoSuchTime> {
        let wrong = |_| NoSuchTime(text.chars().take(40).collect());
        DayTime::parse(text).map(SummaryAt).map_err(wrong)
    }
}

impl fmt::Display for SummaryAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SummaryAt {
    /// Once a week and not on several days.
    pub fn is_weekly(self) -> bool {
        self.0.is_weekly()
    }

    /// The newest of its times that is not after `now`. A time the clock jumps over is the one it
    /// jumps to; of a time it shows twice it is the first.
    pub fn last(self, now: Ts, zone: &TimeZone) -> Option<Ts> {
        self.around(now, zone).filter(|at| *at <= now).max()
    }

    /// The first of its times after `now`.
    pub fn next(self, now: Ts, zone: &TimeZone) -> Option<Ts> {
        self.around(now, zone).filter(|at| *at > now).min()
    }

    /// Its times from a week before to a week after; none where no calendar reaches.
    fn around(self, now: Ts, zone: &TimeZone) -> impl Iterator<Item = Ts> {
        let today = Timestamp::from_millisecond(now.0).ok();
        let today = today.map(|now| now.to_zoned(zone.clone()).date());
        let days = (-8..=8).filter_map(move |days| today?.checked_add(days.days()).ok());
        let zone = zone.clone();
        days.filter_map(move |day| self.0.on(day, &zone))
    }
}

/// What is to be done about a summary now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its time has not come.
    Not,
    /// The one of this time is to be told.
    Tell(Ts),
    /// The one of this time was missed for too long; the next one covers its time.
    Skip(Ts),
}

/// Whether a summary is due at `now`, that of `told` having been the last one that was.
pub fn due(at: SummaryAt, zone: &TimeZone, told: Ts, now: Ts) -> Due {
    // A time beyond the next one was told by a clock that was far ahead: it tells nothing.
    let next = at.next(now, zone).unwrap_or(now);
    let Some(last) = at.last(now, zone).filter(|last| *last > told || told > next) else {
        return Due::Not;
    };
    if told > next {
        Due::Skip(last)
    } else if now.since(last) <= LATE {
        Due::Tell(last)
    } else {
        Due::Skip(last)
    }
}

#[cfg(test)]
#[path = "at_tests.rs"]
mod tests;
