//! When a summary is due. Pure: wall time and zone are arguments.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::Ts;

/// A summary missed by no more than this, since nobody was there to write it, is told late.
pub const LATE: Duration = Duration::from_hours(6);

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// A time of day, or of a day of the week, as the clock of a zone shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryAt {
    weekday: Option<Weekday>,
    hour: i8,
    minute: i8,
}

/// What is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time of a summary")]
pub struct NoSuchTime(String);

impl FromStr for SummaryAt {
    type Err = NoSuchTime;

    fn from_str(text: &str) -> Result<SummaryAt, NoSuchTime> {
        let wrong = || NoSuchTime(text.chars().take(40).collect());
        let (day, clock) = match text.trim().split_once(char::is_whitespace) {
            Some((day, clock)) => (Some(day), clock.trim_start()),
            None => (None, text.trim()),
        };
        let named = |name: &str| DAYS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
        let weekday = match day {
            None => None,
            Some(day) => Some(named(day).ok_or_else(wrong)?.1),
        };
        let (hour, minute) = clock.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str, below: i8| {
            let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i8>().ok().filter(|n| digits && *n < below).ok_or_else(wrong)
        };
        Ok(SummaryAt { weekday, hour: number(hour, 24)?, minute: number(minute, 60)? })
    }
}

impl fmt::Display for SummaryAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = DAYS.iter().find(|(_, day)| Some(*day) == self.weekday);
        if let Some((name, _)) = day {
            write!(f, "{name} ")?;
        }
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl SummaryAt {
    /// Once a week and not daily.
    pub fn is_weekly(self) -> bool {
        self.weekday.is_some()
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
        let days = days.filter(move |day| self.weekday.is_none_or(|of| of == day.weekday()));
        let zone = zone.clone();
        days.filter_map(move |day| {
            let at = day.at(self.hour, self.minute, 0, 0).to_zoned(zone.clone()).ok()?;
            Some(Ts(at.timestamp().as_millisecond()))
        })
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
