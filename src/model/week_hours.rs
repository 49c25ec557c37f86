//! Hours of some days of the week, such as `Mon-Fri 08:00-24:00`, on the clock of a place.

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::Ts;
use super::day_time::read_days;

/// Minutes of a day.
const DAY: u16 = 1_440;

/// Hours that begin on some days of the week. Where they end at or before their beginning they end
/// on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekHours {
    /// On which days they begin; Sunday first.
    days: [bool; 7],
    /// Minute of the day they begin at, below 1440.
    from: u16,
    /// Minute they end at, counted from the midnight before they begin: up to 2879.
    to: u16,
}

/// That a text names no hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeekHoursError {
    /// It cannot be read.
    #[error("not hours such as \"08:00-24:00\" or \"Mon-Fri 08:00-24:00\"")]
    Unreadable,
    /// They end where they begin.
    #[error("hours that end when they begin")]
    Empty,
}

/// One occurrence as instants. Where the clock jumps at an end of it, that end is two of them, and
/// what lies between may be either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) begins: (Ts, Ts),
    pub(super) ends: (Ts, Ts),
}

impl WeekHours {
    /// Reads `08:00-24:00`, `Mon-Fri 08:00-24:00`, `Sat,Sun 22:00-06:00`, and several hours of the
    /// same days: `Mon-Fri 08:00-12:00,13:00-18:00`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Vec<WeekHours>, WeekHoursError> {
        let text = text.trim();
        let (days, hours) = match text.rsplit_once(char::is_whitespace) {
            Some((days, hours)) => {
                (read_days(days.trim()).map_err(|_| WeekHoursError::Unreadable)?, hours)
            }
            None => ([true; 7], text),
        };
        hours.split(',').map(|range| of_day(days, range)).collect()
    }

    /// Those occurrences that begin on these days, counted from the one of `at`, in order.
    pub(super) fn spans(
        &self,
        at: Ts,
        days: RangeInclusive<i32>,
        zone: &TimeZone,
    ) -> impl Iterator<Item = Span> + '_ {
        let today =
            Timestamp::from_millisecond(at.0).ok().map(|at| at.to_zoned(zone.clone()).date());
        let zone = zone.clone();
        days.filter_map(move |day| {
            let day = today?.checked_add(day.days()).ok()?;
            let weekday = usize::try_from(day.weekday().to_sunday_zero_offset()).ok()?;
            if !self.days.get(weekday).copied().unwrap_or(false) {
                return None;
            }
            let begins = instant(day, self.from, &zone)?;
            let ends = instant(day, self.to, &zone)?;
            Some(Span { begins, ends })
        })
    }
}

fn of_day(days: [bool; 7], range: &str) -> Result<WeekHours, WeekHoursError> {
    let (from, to) = range.split_once('-').ok_or(WeekHoursError::Unreadable)?;
    let (from, to) = (minute(from)?, minute(to)?);
    // No day begins at its end.
    if from >= DAY {
        return Err(WeekHoursError::Unreadable);
    }
    if from == to {
        return Err(WeekHoursError::Empty);
    }
    Ok(WeekHours { days, from, to: if to > from { to } else { to + DAY } })
}

/// `HH:MM` up to `24:00`.
fn minute(text: &str) -> Result<u16, WeekHoursError> {
    let read = || {
        let (hour, minute) = text.split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(hour) || !digits(minute) {
            return None;
        }
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60).then_some(hour * 60 + minute).filter(|at| *at <= DAY)
    };
    read().ok_or(WeekHoursError::Unreadable)
}

/// When the clock shows this minute of the day. What it shows twice is both times. What it leaves
/// out is from the jump until as much later as it leaves out: who starts a job then is right, be it
/// at once or at the time the clock would have shown.
fn instant(day: Date, minute: u16, zone: &TimeZone) -> Option<(Ts, Ts)> {
    let day = day.checked_add(i32::from(minute / DAY).days()).ok()?;
    let minute = minute % DAY;
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let shown: DateTime = day.at(hour, minute, 0, 0);
    let on_clock = zone.to_ambiguous_timestamp(shown);
    let later = on_clock.later().ok()?;
    let earlier = if matches!(on_clock.offset(), AmbiguousOffset::Gap { .. }) {
        // What is left out first is the jump itself.
        let after = later.checked_add(1.second()).ok()?;
        zone.preceding(after).next().map_or(later, |jump| jump.timestamp())
    } else {
        on_clock.earlier().ok()?
    };
    Some((Ts(earlier.as_millisecond()), Ts(later.as_millisecond())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_texts() {
        let week = [false, true, true, true, true, true, false];
        let ends = [true, false, false, false, false, false, true];
        let hours = |days, from, to| WeekHours { days, from, to };
        for (text, expected) in [
            ("08:00-24:00", vec![hours([true; 7], 480, 1_440)]),
            ("00:00-24:00", vec![hours([true; 7], 0, 1_440)]),
            (" Mon-Fri  08:00-24:00 ", vec![hours(week, 480, 1_440)]),
            ("sat,SUN 22:00-06:00", vec![hours(ends, 1_320, 1_800)]),
            ("Sat-Sun 23:30-00:00", vec![hours(ends, 1_410, 1_440)]),
            (
                "Mon-Fri 08:00-12:00,13:00-18:00",
                vec![hours(week, 480, 720), hours(week, 780, 1_080)],
            ),
        ] {
            assert_eq!(WeekHours::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "Mon",
            "Mon-Fri",
            "8:00-9:00",
            "08:00",
            "08:00-",
            "08:00-24:01",
            "24:00-06:00",
            "08:60-09:00",
            "Funday 08:00-09:00",
            "Mon-Fri 08:00 - 24:00",
            "08:00-09:00,",
            "08:00–09:00",
            "+8:00-09:00",
            "25:00-26:00",
        ] {
            assert_eq!(WeekHours::parse(text), Err(WeekHoursError::Unreadable), "{text}");
        }
        assert_eq!(WeekHours::parse("Mon 08:00-08:00"), Err(WeekHoursError::Empty));
    }
}
