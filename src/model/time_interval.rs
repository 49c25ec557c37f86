//! Alertmanager's time intervals: which hours, days, months and years are meant.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::Ts;

/// Both ends belong to it.
pub type Range<T> = (T, T);

/// Every list that is not empty must hold the time; within a list, one range is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeInterval {
    /// Minutes of the day; the end does not belong to it (24:00 is 1440).
    pub times: Vec<Range<u16>>,
    /// Days of the week, Sunday is 0.
    pub weekdays: Vec<Range<i8>>,
    /// Days of the month from 1; negative ones count from its end.
    pub days_of_month: Vec<Range<i8>>,
    /// Months from 1.
    pub months: Vec<Range<i8>>,
    /// Years.
    pub years: Vec<Range<i16>>,
    /// Where the clock hangs.
    pub zone: TimeZone,
}

impl Default for TimeInterval {
    fn default() -> Self {
        TimeInterval {
            times: Vec::new(),
            weekdays: Vec::new(),
            days_of_month: Vec::new(),
            months: Vec::new(),
            years: Vec::new(),
            zone: TimeZone::UTC,
        }
    }
}

impl TimeInterval {
    /// Whether the wall time `at` is in it.
    pub fn contains(&self, at: Ts) -> bool {
        let Ok(at) = Timestamp::from_millisecond(at.0) else { return false };
        let at: Zoned = at.to_zoned(self.zone.clone());
        let minute =
            u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
        let weekday = at.weekday().to_sunday_zero_offset();
        let last = at.days_in_month();
        let of_month = |&(from, to): &Range<i8>| {
            let day = |d: i8| if d < 0 { last + d + 1 } else { d };
            // Beyond the end of a short month nothing is meant, not its last day.
            day(from) <= last && (day(from)..=day(to)).contains(&at.day())
        };
        any(&self.times, |(from, to)| (*from..*to).contains(&minute))
            && any(&self.weekdays, |(from, to)| (*from..=*to).contains(&weekday))
            && any(&self.days_of_month, of_month)
            && any(&self.months, |(from, to)| (*from..=*to).contains(&at.month()))
            && any(&self.years, |(from, to)| (*from..=*to).contains(&at.year()))
    }

    /// Instants at which it may begin or end, on these days counted from the one of `at`: midnights,
    /// ends of its times of day, and changes of its clock.
    pub(super) fn edges(&self, at: Ts, days: RangeInclusive<u16>, found: &mut BTreeSet<Ts>) {
        let Ok(at) = Timestamp::from_millisecond(at.0) else { return };
        let today = at.to_zoned(self.zone.clone()).date();
        let mut keep = |at: Timestamp| found.insert(Ts(at.as_millisecond()));
        let mut minutes: BTreeSet<u16> = self.times.iter().flat_map(|(f, t)| [*f, *t]).collect();
        minutes.insert(0);
        let (first, last) = (*days.start(), *days.end());
        for day in days {
            let Ok(day) = today.checked_add(i32::from(day).days()) else { return };
            for minute in minutes.range(..1440) {
                let (Ok(hour), Ok(minute)) = (i8::try_from(minute / 60), i8::try_from(minute % 60))
                else {
                    continue;
                };
                // On the clock once, twice or never.
                let on_clock = self.zone.to_ambiguous_timestamp(day.at(hour, minute, 0, 0));
                for at in [on_clock.earlier(), on_clock.later()].into_iter().flatten() {
                    keep(at);
                }
            }
        }
        let noon = |day: u16| {
            let day = today.checked_add(i32::from(day).days()).ok()?;
            self.zone.to_ambiguous_timestamp(day.at(12, 0, 0, 0)).compatible().ok()
        };
        let (Some(first), Some(last)) = (noon(first), noon(last)) else { return };
        let Ok(first) = first.checked_sub(24.hours()) else { return };
        let changes = self.zone.following(first).map(|change| change.timestamp());
        for change in changes.take_while(|change| *change <= last) {
            keep(change);
        }
    }
}

fn any<T>(ranges: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(holds)
}

/// A named time interval: any of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeIntervals {
    /// How it is referred to.
    pub name: String,
    /// Its parts.
    pub parts: Vec<TimeInterval>,
}

impl TimeIntervals {
    /// Whether the wall time `at` is in one of its parts; an interval without parts holds nothing.
    pub fn contains(&self, at: Ts) -> bool {
        self.parts.iter().any(|part| part.contains(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ts {
        Ts(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn the_table_of_times() {
        let any = TimeInterval::default;
        let office = TimeInterval {
            times: vec![(9 * 60, 18 * 60)],
            weekdays: vec![(1, 5)],
            zone: zone("Asia/Shanghai"),
            ..any()
        };
        let last_days = TimeInterval { days_of_month: vec![(-2, -1)], ..any() };
        let late = TimeInterval { days_of_month: vec![(30, 31)], ..any() };
        let all_month = TimeInterval { days_of_month: vec![(1, -1)], ..any() };
        let winter = TimeInterval { months: vec![(12, 12), (1, 2)], ..any() };
        let year = TimeInterval { years: vec![(2026, 2027)], ..any() };
        let evening = TimeInterval { times: vec![(23 * 60, 1440)], ..any() };
        for (name, interval, time, expected) in [
            ("everything", any(), "2026-01-01T00:00:00Z", true),
            ("Monday 9:00 in Shanghai", office.clone(), "2026-11-23T01:00:00Z", true),
            ("a minute before", office.clone(), "2026-11-23T00:59:59Z", false),
            ("the end is out", office.clone(), "2026-11-23T10:00:00Z", false),
            ("a second before the end", office.clone(), "2026-11-23T09:59:59Z", true),
            ("Saturday there, Friday in UTC", office, "2026-11-27T17:00:00Z", false),
            ("29th of 30", last_days.clone(), "2026-11-29T12:00:00Z", true),
            ("28th of 30", last_days.clone(), "2026-11-28T12:00:00Z", false),
            ("27th of February", last_days.clone(), "2026-02-27T12:00:00Z", true),
            ("27th of a leap February", last_days, "2028-02-27T12:00:00Z", false),
            ("no 30th in February", late.clone(), "2026-02-28T12:00:00Z", false),
            ("the 30th of 30", late, "2026-11-30T12:00:00Z", true),
            ("a whole month", all_month, "2026-02-28T12:00:00Z", true),
            ("January is winter", winter.clone(), "2026-01-31T23:59:59Z", true),
            ("March is not", winter, "2026-03-01T00:00:00Z", false),
            ("this year", year.clone(), "2026-12-31T23:59:59Z", true),
            ("in two years", year, "2028-01-01T00:00:00Z", false),
            ("24:00 is the end of the day", evening.clone(), "2026-01-01T23:59:59Z", true),
            ("and not the next", evening, "2026-01-02T00:00:00Z", false),
        ] {
            assert_eq!(interval.contains(at(time)), expected, "{name}");
        }
    }

    #[test]
    fn clocks_that_change_are_read_as_they_hang() {
        let night = TimeInterval {
            times: vec![(2 * 60, 3 * 60)],
            zone: zone("Europe/Berlin"),
            ..TimeInterval::default()
        };
        for (name, time, expected) in [
            ("spring: 02:00 … 03:00 does not exist", "2026-03-29T01:00:00Z", false),
            ("spring: the minute before is 01:59", "2026-03-29T00:59:00Z", false),
            ("autumn: 02:30 comes once in summer time", "2026-10-25T00:30:00Z", true),
            ("autumn: and once more in winter time", "2026-10-25T01:30:00Z", true),
            ("autumn: 03:00", "2026-10-25T02:00:00Z", false),
            ("summer: two hours ahead", "2026-07-01T00:30:00Z", true),
            ("winter: one hour ahead", "2026-01-01T01:30:00Z", true),
            ("winter: not two", "2026-01-01T00:30:00Z", false),
        ] {
            assert_eq!(night.contains(at(time)), expected, "{name}");
        }
    }

    #[test]
    fn times_no_calendar_knows_are_in_no_interval() {
        assert!(!TimeInterval::default().contains(Ts(i64::MAX)));
        let none = TimeIntervals { name: "none".to_owned(), parts: Vec::new() };
        assert!(!none.contains(Ts(0)));
    }
}
