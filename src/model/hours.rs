//! When the calendar mutes something, and when that changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{TimeIntervals, Ts};

/// Nobody plans further ahead than this.
const FAR: u16 = 400;
/// Days looked through at once.
const STRIDE: u16 = 8;

/// Named time intervals in which something is muted, or outside of which it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hours {
    /// Muted in any of them.
    pub mute: Vec<Arc<TimeIntervals>>,
    /// Muted outside of all of them; none: never for that.
    pub active: Vec<Arc<TimeIntervals>>,
}

impl Hours {
    /// Nothing is ever muted.
    pub fn is_empty(&self) -> bool {
        self.mute.is_empty() && self.active.is_empty()
    }

    /// What mutes at the wall time `at`: the name of an interval, or `outside of a, b`.
    pub fn muted_by(&self, at: Ts) -> Option<String> {
        if let Some(interval) = self.mute.iter().find(|interval| interval.contains(at)) {
            return Some(interval.name.clone());
        }
        if self.active.is_empty() || self.active.iter().any(|interval| interval.contains(at)) {
            return None;
        }
        let names: Vec<&str> = self.active.iter().map(|interval| interval.name.as_str()).collect();
        Some(format!("outside of {}", names.join(", ")))
    }

    /// When what is muted at the wall time `at` no longer is, or the other way round; `None` when
    /// that is more than a year away, or never.
    pub fn next_change(&self, at: Ts) -> Option<Ts> {
        if self.is_empty() {
            return None;
        }
        let now = self.muted_by(at).is_some();
        (0..FAR).step_by(usize::from(STRIDE)).find_map(|from| {
            let mut edges = BTreeSet::new();
            for interval in self.mute.iter().chain(&self.active) {
                for part in &interval.parts {
                    part.edges(at, from..=from.saturating_add(STRIDE), &mut edges);
                }
            }
            edges.into_iter().find(|edge| *edge > at && self.muted_by(*edge).is_some() != now)
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::model::TimeInterval;

    const MINUTE: i64 = 60_000;

    fn at(text: &str) -> Ts {
        Ts(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn named(name: &str, part: TimeInterval) -> Vec<Arc<TimeIntervals>> {
        vec![Arc::new(TimeIntervals { name: name.to_owned(), parts: vec![part] })]
    }

    fn part(times: &[(u16, u16)], weekdays: &[(i8, i8)], zone: &str) -> TimeInterval {
        let zone = TimeZone::get(zone).unwrap();
        let (times, weekdays) = (times.to_vec(), weekdays.to_vec());
        TimeInterval { times, weekdays, zone, ..TimeInterval::default() }
    }

    #[test]
    fn the_table_of_changes() {
        let night = part(&[(22 * 60, 1440), (0, 6 * 60)], &[], "Asia/Shanghai");
        let office = part(&[(9 * 60, 18 * 60)], &[(1, 5)], "Asia/Shanghai");
        let second = part(&[(2 * 60, 3 * 60)], &[], "Europe/Berlin");
        let night = Hours { mute: named("night", night), ..Hours::default() };
        let office = Hours { active: named("office", office), ..Hours::default() };
        let gap = Hours { mute: named("gap", second), ..Hours::default() };
        let short = part(&[(2 * 60 + 15, 2 * 60 + 30)], &[], "Europe/Berlin");
        let short = Hours { mute: named("short", short), ..Hours::default() };
        for (hours, time, muted, change) in [
            (&night, "2026-11-21T13:59:00Z", None, "2026-11-21T14:00:00Z"),
            (&night, "2026-11-21T14:00:00Z", Some("night"), "2026-11-21T22:00:00Z"),
            (&night, "2026-11-21T21:59:59Z", Some("night"), "2026-11-21T22:00:00Z"),
            // A Saturday: until Monday, nine in the morning there.
            (&office, "2026-11-21T12:00:00Z", Some("outside of office"), "2026-11-23T01:00:00Z"),
            (&office, "2026-11-23T01:00:00Z", None, "2026-11-23T10:00:00Z"),
            // The hour that does not exist mutes nothing; the one that comes twice mutes twice.
            (&gap, "2026-03-28T12:00:00Z", None, "2026-03-30T00:00:00Z"),
            (&gap, "2026-10-24T12:00:00Z", None, "2026-10-25T00:00:00Z"),
            (&gap, "2026-10-25T00:00:00Z", Some("gap"), "2026-10-25T02:00:00Z"),
            (&short, "2026-10-25T00:30:00Z", None, "2026-10-25T01:15:00Z"),
        ] {
            assert_eq!(hours.muted_by(at(time)).as_deref(), muted, "{time}");
            assert_eq!(hours.next_change(at(time)), Some(at(change)), "{time}");
        }
        let always = Hours { mute: named("ever", TimeInterval::default()), ..Hours::default() };
        assert_eq!(always.next_change(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(Hours::default().next_change(Ts(0)), None);
        assert_eq!(always.next_change(Ts(i64::MAX)), None);
    }

    #[test]
    fn a_year_ahead_is_found() {
        let later = TimeInterval { years: vec![(2027, 2027)], ..TimeInterval::default() };
        let hours = Hours { mute: named("next", later), ..Hours::default() };
        let change = hours.next_change(at("2026-01-15T00:00:00Z"));
        assert_eq!(change, Some(at("2027-01-01T00:00:00Z")));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// The same as looking at every single minute of three days.
        #[test]
        fn a_change_is_where_minutes_differ(
            from in 0_u16..1430,
            long in 1_u16..900,
            weekdays in prop::collection::vec((0_i8..4, 4_i8..7), 0..2),
            zone in prop::sample::select(vec![
                "UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                "America/Santiago", "Asia/Kolkata",
            ]),
            // Weeks around the changes of clocks as well as any other.
            day in prop::sample::select(vec![
                "2026-03-07T05:00:00Z", "2026-03-28T10:00:00Z", "2026-04-04T01:00:00Z",
                "2026-09-05T12:00:00Z", "2026-10-03T03:00:00Z", "2026-10-24T20:00:00Z",
                "2026-10-31T23:00:00Z", "2026-07-01T00:00:00Z",
            ]),
            active in any::<bool>(),
        ) {
            let interval = part(&[(from, (from + long).min(1440))], &weekdays, zone);
            let intervals = named("x", interval);
            let hours = if active {
                Hours { active: intervals, ..Hours::default() }
            } else {
                Hours { mute: intervals, ..Hours::default() }
            };
            let start = at(day);
            let now = hours.muted_by(start).is_some();
            let end = start.shifted(3 * 1440 * MINUTE);
            let mut minute = start.shifted(MINUTE);
            let mut seen = None;
            while minute <= end && seen.is_none() {
                seen = (hours.muted_by(minute).is_some() != now).then_some(minute);
                minute = minute.shifted(MINUTE);
            }
            let found = hours.next_change(start).filter(|at| *at <= end);
            prop_assert_eq!(found, seen);
        }
    }
}
