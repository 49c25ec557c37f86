use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn ts(text: &str) -> Ts {
    Ts(text.parse::<Timestamp>().unwrap().as_millisecond())
}

fn utc(at: Option<Ts>) -> String {
    at.map_or_else(String::new, |at| Timestamp::from_millisecond(at.0).unwrap().to_string())
}

#[test]
fn times_are_read_as_people_write_them() {
    for (text, read) in [
        ("09:30", "09:30"),
        ("Mon 09:30", "Mon 09:30"),
        ("sun  00:00", "Sun 00:00"),
        (" 23:59 ", "23:59"),
        ("Mon-Fri 09:30", "Mon,Tue,Wed,Thu,Fri 09:30"),
        ("mon, thu 09:30", "Mon,Thu 09:30"),
        ("Sun-Sat 09:30", "09:30"),
    ] {
        let at: SummaryAt = text.parse().unwrap();
        let weekly = read.contains(' ') && !read.contains(',');
        assert_eq!((at.to_string(), at.is_weekly()), (read.to_owned(), weekly));
        // As it is kept.
        assert_eq!(read.parse(), Ok(at));
    }
    for wrong in
        ["", "9:30", "24:00", "09:60", "Monday 09:30", "09:30 Mon", "Mon", "09", "+9:30", "09:3０"]
    {
        assert!(wrong.parse::<SummaryAt>().is_err(), "{wrong}");
    }
}

#[test]
fn the_table_of_times() {
    for (name, at, of, now, last, next) in [
        (
            "a week later",
            "Mon 09:30",
            "Asia/Shanghai",
            "2026-11-23T01:30:00Z",
            "2026-11-23T01:30:00Z",
            "2026-11-30T01:30:00Z",
        ),
        (
            "a moment before",
            "Mon 09:30",
            "Asia/Shanghai",
            "2026-11-23T01:29:59Z",
            "2026-11-16T01:30:00Z",
            "2026-11-23T01:30:00Z",
        ),
        (
            "another day there than in UTC",
            "Mon 01:00",
            "Asia/Shanghai",
            "2026-11-22T17:00:00Z",
            "2026-11-22T17:00:00Z",
            "2026-11-29T17:00:00Z",
        ),
        (
            "on working days, over a weekend",
            "Mon-Fri 09:30",
            "Asia/Shanghai",
            "2026-11-21T08:00:00Z",
            "2026-11-20T01:30:00Z",
            "2026-11-23T01:30:00Z",
        ),
        (
            "on working days, within a week",
            "Mon-Fri 09:30",
            "Asia/Shanghai",
            "2026-11-24T08:00:00Z",
            "2026-11-24T01:30:00Z",
            "2026-11-25T01:30:00Z",
        ),
        (
            "spring: the clock jumps over it",
            "02:30",
            "Europe/Berlin",
            "2026-03-29T12:00:00Z",
            "2026-03-29T01:30:00Z",
            "2026-03-30T00:30:00Z",
        ),
        (
            "autumn: the first of two",
            "02:30",
            "Europe/Berlin",
            "2026-10-25T01:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ),
        (
            "the same hour on both sides of a change",
            "09:30",
            "America/New_York",
            "2026-03-08T12:00:00Z",
            "2026-03-07T14:30:00Z",
            "2026-03-08T13:30:00Z",
        ),
        (
            "a day that never was",
            "09:30",
            "Pacific/Apia",
            "2011-12-30T12:00:00Z",
            "2011-12-29T19:30:00Z",
            "2011-12-30T19:30:00Z",
        ),
    ] {
        let (at, zone, now) = (at.parse::<SummaryAt>().unwrap(), zone(of), ts(now));
        assert_eq!(utc(at.last(now, &zone)), last, "{name}");
        assert_eq!(utc(at.next(now, &zone)), next, "{name}");
    }
    let at: SummaryAt = "09:30".parse().unwrap();
    assert_eq!(at.last(Ts(i64::MAX), &TimeZone::UTC), None);
}

#[test]
fn what_was_missed_is_told_late_or_covered_by_the_next() {
    let (at, utc) = ("Mon 09:30".parse::<SummaryAt>().unwrap(), TimeZone::UTC);
    let of = ts("2026-11-23T09:30:00Z");
    let told = ts("2026-11-16T09:30:00Z");
    for (name, told, now, expected) in [
        ("not yet", told, "2026-11-23T09:29:59Z", Due::Not),
        ("now", told, "2026-11-23T09:30:00Z", Due::Tell(of)),
        ("not twice", of, "2026-11-23T09:30:00Z", Due::Not),
        ("not twice later", of, "2026-11-29T23:00:00Z", Due::Not),
        ("six hours late", told, "2026-11-23T15:30:00Z", Due::Tell(of)),
        ("later than that", told, "2026-11-23T15:30:01Z", Due::Skip(of)),
        ("weeks late", Ts(0), "2026-11-25T00:00:00Z", Due::Skip(of)),
        ("told by a clock an hour ahead", of, "2026-11-23T08:40:00Z", Due::Not),
        ("and not again when it is time", of, "2026-11-23T09:31:00Z", Due::Not),
        ("a clock a year ahead", ts("2027-11-22T09:30:00Z"), "2026-11-23T09:40:00Z", Due::Skip(of)),
    ] {
        assert_eq!(due(at, &utc, told, ts(now)), expected, "{name}");
    }
}

proptest! {
    /// Whenever one looks, and however often Weir is dead between two looks: each time is told at
    /// most once, never before it, in order, and within the hours it may be late; and while Weir
    /// looks at least every hour, none is missed.
    #[test]
    fn each_time_is_told_once(
        weekday in prop::option::of(prop::sample::select(vec!["Mon", "Sun", "Mon-Fri", "Sat,Tue"])),
        minute in 0..1440i32,
        of in prop::sample::select(vec!["Asia/Shanghai", "Europe/Berlin", "America/New_York",
            "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
        start in 0..730i64,
        steps in prop::collection::vec(1..180i64, 1..600),
        naps in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let day = weekday.map_or(String::new(), |day| format!("{day} "));
        let at: SummaryAt =
            format!("{day}{:02}:{:02}", minute / 60, minute % 60).parse().unwrap();
        let zone = zone(of);
        let mut now = ts("2026-01-01T00:00:00Z").shifted(start * 86_400_000);
        let began = now;
        let naps: Vec<usize> = naps.iter().map(|nap| nap.index(steps.len())).collect();
        let (mut known, mut told) = (now, Vec::new());
        for (step, minutes) in steps.iter().enumerate() {
            let minutes = if naps.contains(&step) { minutes * 50 } else { minutes % 60 + 1 };
            now = now.shifted(minutes * 60_000);
            match due(at, &zone, known, now) {
                Due::Not => {}
                Due::Skip(of) => {
                    prop_assert!(now.since(of) > LATE && of > known);
                    known = of;
                }
                Due::Tell(of) => {
                    prop_assert!(of <= now && now.since(of) <= LATE && of > known);
                    known = of;
                    told.push(of);
                }
            }
        }
        if naps.is_empty() {
            let mut expected = Vec::new();
            let mut after = began;
            while let Some(next) = at.next(after, &zone).filter(|next| *next <= now) {
                expected.push(next);
                after = next;
            }
            prop_assert_eq!(told, expected);
        }
    }
}
