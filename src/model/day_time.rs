//! A time of day on some days of the week, such as `Mon-Fri 09:00`.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Ts;

pub(super) const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// A time of day on some days of the week, wherever the clock hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayTime {
    /// Minute of the day, below 1440.
    minute: u16,
    /// On which days; Sunday first.
    days: [bool; 7],
}

/// That a text is no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time of day such as \"09:00\", \"Mon 09:00\" or \"Mon-Fri 09:00\"")]
pub struct DayTimeError;

impl DayTime {
    /// Reads `09:00`, `Mon 09:00`, `Mon-Fri 09:00`, `Sat,Sun 10:30`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<DayTime, DayTimeError> {
        let text = text.trim();
        let (days, time) = match text.rsplit_once(char::is_whitespace) {
            Some((days, time)) => (read_days(days.trim())?, time),
            None => ([true; 7], text),
        };
        let (hour, minute) = time.split_once(':').ok_or(DayTimeError)?;
        let number = |part: &str, below: u16| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u16>().ok().filter(|n| digits && *n < below).ok_or(DayTimeError)
        };
        Ok(DayTime { minute: number(hour, 24)? * 60 + number(minute, 60)?, days })
    }

    /// The first such instant after the wall time `at` on clocks of this zone. Where a change of
    /// clocks leaves the time out, as much later as it leaves out; where it comes twice, the first.
    pub fn next_after(&self, at: Ts, zone: &TimeZone) -> Option<Ts> {
        let start = Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone.clone());
        let mut day = start.date();
        // A week and a day: today's may be over, and a zone may leave a day out.
        for _ in 0..=9 {
            if let Some(found) = self.on(day, zone).filter(|found| *found > at) {
                return Some(found);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The instant of this day on clocks of this zone, as in [`DayTime::next_after`]; `None` on days
    /// it is not of.
    pub fn on(&self, day: Date, zone: &TimeZone) -> Option<Ts> {
        let weekday = usize::try_from(day.weekday().to_sunday_zero_offset()).ok()?;
        self.days.get(weekday).filter(|is_one| **is_one)?;
        let hour = i8::try_from(self.minute / 60).ok()?;
        let minute = i8::try_from(self.minute % 60).ok()?;
        let found = zone.to_ambiguous_timestamp(day.at(hour, minute, 0, 0)).compatible().ok()?;
        Some(Ts(found.as_millisecond()))
    }

    /// It is on one day of the week only.
    pub fn is_weekly(&self) -> bool {
        self.days.iter().filter(|is_one| **is_one).count() == 1
    }
}

impl fmt::Display for DayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != [true; 7] {
            let named = DAYS.iter().zip(self.days).filter(|(_, on)| *on).map(|(name, _)| *name);
            write!(f, "{} ", named.collect::<Vec<_>>().join(","))?;
        }
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

pub(super) fn read_days(text: &str) -> Result<[bool; 7], DayTimeError> {
    let day = |name: &str| {
        let name = name.trim();
        DAYS.iter().position(|d| d.eq_ignore_ascii_case(name)).ok_or(DayTimeError)
    };
    let mut days = [false; 7];
    for range in text.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (mut at, to) = (day(from)?, day(to)?);
        // Over the end of the week, too: Sat-Mon.
        loop {
            if let Some(on) = days.get_mut(at) {
                *on = true;
            }
            if at == to {
                break;
            }
            at = (at + 1) % 7;
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Ts {
        Ts(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn the_table_of_texts() {
        for (text, shown) in [
            ("09:00", "09:00"),
            (" 23:59 ", "23:59"),
            ("Mon 09:30", "Mon 09:30"),
            ("mon-FRI 08:00", "Mon,Tue,Wed,Thu,Fri 08:00"),
            ("Sat-Mon 08:00", "Sun,Mon,Sat 08:00"),
            ("Mon, Wed 08:00", "Mon,Wed 08:00"),
            ("Mon-Sun 00:00", "00:00"),
        ] {
            let read = DayTime::parse(text).unwrap();
            assert_eq!(read.to_string(), shown, "{text}");
            assert_eq!(DayTime::parse(shown), Ok(read), "{text}");
        }
        let bad =
            ["", "9:00", "24:00", "09:60", "09", "Mon", "Funday 09:00", "Mon- 09:00", "09:00 Mon"];
        for text in bad {
            assert_eq!(DayTime::parse(text), Err(DayTimeError), "{text}");
        }
    }

    #[test]
    fn the_table_of_next_times() {
        for (text, zone, after, expected) in [
            ("09:00", "UTC", "2026-11-21T08:59:59Z", "2026-11-21T09:00:00Z"),
            ("09:00", "UTC", "2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z"),
            ("09:00", "Asia/Shanghai", "2026-11-21T20:00:00Z", "2026-11-22T01:00:00Z"),
            ("Mon-Fri 09:00", "UTC", "2026-11-21T08:00:00Z", "2026-11-23T09:00:00Z"),
            ("Sat 09:00", "UTC", "2026-11-21T09:00:00Z", "2026-11-28T09:00:00Z"),
            // Summer begins: there is no 02:30.
            ("02:30", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"),
            // Winter begins: the first of the two.
            ("02:30", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
            ("02:30", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            // The same hour on the clock, whatever it is in UTC.
            ("09:00", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T08:00:00Z"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let next = DayTime::parse(text).unwrap().next_after(at(after), &zone);
            assert_eq!(next, Some(at(expected)), "{text} after {after}");
        }
        assert_eq!(DayTime::parse("09:00").unwrap().next_after(Ts(i64::MAX), &TimeZone::UTC), None);
    }

    proptest! {
        /// It is always later, never more than nine days, and nothing is left out between.
        #[test]
        fn the_next_one_is_the_next_one(
            minute in 0_u16..1440,
            days in prop::array::uniform7(any::<bool>()).prop_filter("a day", |d| d.contains(&true)),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
            after in 1_770_000_000_000_i64..1_800_000_000_000,
            back in 1_i64..9 * 86_400_000,
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let time = DayTime { minute, days };
            let next = time.next_after(Ts(after), &zone).unwrap();
            prop_assert!(next > Ts(after));
            prop_assert!(next.since(Ts(after)).as_millis() <= 8 * 86_400_000);
            let earlier = time.next_after(Ts(after - back), &zone).unwrap();
            prop_assert!(earlier <= next);
            prop_assert!(earlier == next || earlier <= Ts(after));
        }
    }
}
