use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::model::TimeInterval;

const MINUTE: i64 = 60_000;

fn at(text: &str) -> Ts {
    Ts(text.parse::<Timestamp>().unwrap().as_millisecond())
}

fn schedule(texts: &[&str], zone: &str) -> Schedule {
    Schedule {
        matchers: Vec::new(),
        hours: texts.iter().flat_map(|text| WeekHours::parse(text).unwrap()).collect(),
        text: texts.join(", "),
        zone: TimeZone::get(zone).unwrap(),
    }
}

#[test]
fn the_table_of_hours() {
    use Standing::{Inside, Outside};
    let office = schedule(&["Mon-Fri 08:00-24:00"], "Asia/Shanghai");
    let night = schedule(&["Fri 22:00-06:00"], "UTC");
    let parts = schedule(&["Mon-Fri 08:00-12:00,13:00-18:00", "Sat 10:00-11:00"], "UTC");
    let over_midnight = schedule(&["20:00-24:00", "00:00-04:00"], "UTC");
    for (schedule, time, standing, since, change) in [
        // Monday 07:59 and 08:00 in Shanghai; the end of Friday is Saturday's midnight.
        (&office, "2026-11-22T23:59:59.999Z", Outside, None, "2026-11-23T00:00:00Z"),
        (
            &office,
            "2026-11-23T00:00:00Z",
            Inside,
            Some("2026-11-23T00:00:00Z"),
            "2026-11-23T16:00:00Z",
        ),
        (
            &office,
            "2026-11-27T15:59:59Z",
            Inside,
            Some("2026-11-27T00:00:00Z"),
            "2026-11-27T16:00:00Z",
        ),
        (&office, "2026-11-27T16:00:00Z", Outside, None, "2026-11-30T00:00:00Z"),
        // It begins on Friday and ends on Saturday; Friday morning is Thursday's night.
        (&night, "2026-11-27T05:00:00Z", Outside, None, "2026-11-27T22:00:00Z"),
        (
            &night,
            "2026-11-28T05:59:59Z",
            Inside,
            Some("2026-11-27T22:00:00Z"),
            "2026-11-28T06:00:00Z",
        ),
        (&night, "2026-11-28T22:30:00Z", Outside, None, "2026-12-04T22:00:00Z"),
        (&parts, "2026-11-23T12:30:00Z", Outside, None, "2026-11-23T13:00:00Z"),
        (
            &parts,
            "2026-11-28T10:30:00Z",
            Inside,
            Some("2026-11-28T10:00:00Z"),
            "2026-11-28T11:00:00Z",
        ),
        // What follows on one another is one stretch.
        (
            &over_midnight,
            "2026-11-23T21:00:00Z",
            Inside,
            Some("2026-11-23T20:00:00Z"),
            "2026-11-24T04:00:00Z",
        ),
        (
            &over_midnight,
            "2026-11-24T01:00:00Z",
            Inside,
            Some("2026-11-23T20:00:00Z"),
            "2026-11-24T04:00:00Z",
        ),
    ] {
        assert_eq!(schedule.standing(at(time)), standing, "{time}");
        assert_eq!(schedule.inside_since(at(time)), since.map(at), "{time}");
        assert_eq!(schedule.next_change(at(time)), Some(at(change)), "{time}");
    }
    let ever = schedule(&["00:00-24:00"], "UTC");
    assert_eq!(ever.standing(at("2026-11-23T00:00:00Z")), Inside);
    assert_eq!(ever.next_change(at("2026-11-23T00:00:00Z")), None);
    assert_eq!(ever.inside_since(at("2026-11-23T00:00:00Z")), Some(Ts(i64::MIN)));
    let week = schedule(&["Mon-Fri 00:00-24:00"], "UTC");
    let monday = Some(at("2026-11-23T00:00:00Z"));
    assert_eq!(week.inside_since(at("2026-11-27T23:59:59Z")), monday);
    assert_eq!(week.next_change(at("2026-11-23T00:00:00Z")), Some(at("2026-11-28T00:00:00Z")));
    assert_eq!(ever.standing(Ts(i64::MAX)), Outside, "no calendar knows it");
    assert_eq!(office.words(), "Mon-Fri 08:00-24:00 Asia/Shanghai");
    assert_eq!(office.on_clock(at("2026-11-23T00:00:00Z")), "2026-11-23 08:00");
}

#[test]
fn clocks_that_jump_at_an_end_of_the_hours() {
    use Standing::{Either, Inside, Outside};
    let from = schedule(&["02:30-05:00"], "Europe/Berlin");
    let until = schedule(&["22:00-02:30"], "Europe/Berlin");
    let within = schedule(&["01:00-05:00"], "Europe/Berlin");
    let lost = schedule(&["02:10-02:50"], "Europe/Berlin");
    for (schedule, time, standing) in [
        // Spring: 01:59:59 is followed by 03:00; 02:30 is 03:00 to some and 03:30 to others.
        (&from, "2026-03-29T00:59:59Z", Outside),
        (&from, "2026-03-29T01:00:00Z", Either),
        (&from, "2026-03-29T01:29:59Z", Either),
        (&from, "2026-03-29T01:30:00Z", Inside),
        (&from, "2026-03-29T03:00:00Z", Outside),
        (&until, "2026-03-29T00:59:59Z", Inside),
        (&until, "2026-03-29T01:00:00Z", Either),
        (&until, "2026-03-29T01:30:00Z", Outside),
        (&within, "2026-03-29T00:59:59Z", Inside),
        (&within, "2026-03-29T01:00:00Z", Inside),
        (&within, "2026-03-29T03:00:00Z", Outside),
        // All of it is left out: nobody is missed, nobody is in the way.
        (&lost, "2026-03-29T01:00:00Z", Either),
        (&lost, "2026-03-29T01:50:00Z", Outside),
        // Autumn: 02:30 comes at 00:30Z and again at 01:30Z.
        (&from, "2026-10-25T00:29:59Z", Outside),
        (&from, "2026-10-25T00:30:00Z", Either),
        (&from, "2026-10-25T01:29:59Z", Either),
        (&from, "2026-10-25T01:30:00Z", Inside),
        (&from, "2026-10-25T04:00:00Z", Outside),
        (&until, "2026-10-25T00:29:59Z", Inside),
        (&until, "2026-10-25T00:30:00Z", Either),
        (&until, "2026-10-25T01:30:00Z", Outside),
        // An hour longer, without a break.
        (&within, "2026-10-25T00:59:59Z", Inside),
        (&within, "2026-10-25T01:00:00Z", Inside),
        (&within, "2026-10-25T03:59:59Z", Inside),
        (&within, "2026-10-25T04:00:00Z", Outside),
    ] {
        assert_eq!(schedule.standing(at(time)), standing, "{} at {time}", schedule.text);
    }
    // Midnight itself may be left out.
    let day = schedule(&["00:00-24:00"], "America/Santiago");
    assert_eq!(day.standing(at("2026-09-06T03:59:59Z")), Inside);
    assert_eq!(day.standing(at("2026-09-06T04:00:00Z")), Inside);
    assert_eq!(day.next_change(at("2026-09-06T03:59:59Z")), None);
}

#[test]
fn the_first_that_matches_is_the_schedule() {
    let of = |matcher: &str, text: &str| {
        let matchers = vec![Matcher::parse(matcher).unwrap()];
        Arc::new(Schedule { matchers, ..schedule(&[text], "UTC") })
    };
    let all = Schedules(vec![of("team=\"ads\"", "08:00-09:00"), of("env=\"prod\"", "10:00-11:00")]);
    let text = |labels: Labels| all.of(&labels).map(|schedule| schedule.text.clone());
    assert_eq!(
        text(Labels::from([("team", "ads"), ("env", "prod")])).as_deref(),
        Some("08:00-09:00")
    );
    assert_eq!(text(Labels::from([("env", "prod")])).as_deref(), Some("10:00-11:00"));
    assert_eq!(text(Labels::default()), None);
}

/// The same hours as Alertmanager reads them: by what the clock shows.
fn by_the_clock(from: u16, to: u16, days: &[i8], zone: &TimeZone) -> Vec<TimeInterval> {
    let part = |times, days: Vec<i8>| TimeInterval {
        times: vec![times],
        weekdays: days.into_iter().map(|day| (day, day)).collect(),
        zone: zone.clone(),
        ..TimeInterval::default()
    };
    if to > from {
        return vec![part((from, to), days.to_vec())];
    }
    let next = days.iter().map(|day| (day + 1) % 7).collect();
    vec![part((from, 1_440), days.to_vec()), part((0, to), next)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Where no clock jumps at an end of them, the hours are what the clock shows; and what is
    /// foretold as the next change is where minutes differ.
    #[test]
    fn hours_are_what_the_clock_shows(
        from in 0_u16..1_440,
        to in 0_u16..=1_440,
        days in prop::collection::btree_set(0_i8..7, 1..7),
        zone in prop::sample::select(vec![
            "UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
            "America/Santiago", "Asia/Kolkata", "Africa/Cairo",
        ]),
        day in prop::sample::select(vec![
            "2026-03-07T05:00:00Z", "2026-03-28T10:00:00Z", "2026-04-04T01:00:00Z",
            "2026-09-05T12:00:00Z", "2026-10-03T03:00:00Z", "2026-10-24T20:00:00Z",
            "2026-10-31T23:00:00Z", "2026-07-01T00:00:00Z",
        ]),
    ) {
        prop_assume!(from != to && !(from == 0 && to == 0));
        let names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        let days: Vec<i8> = days.into_iter().collect();
        let named: Vec<&str> = days.iter().map(|d| names[usize::try_from(*d).unwrap()]).collect();
        let clock = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
        let text = format!("{} {}-{}", named.join(","), clock(from), clock(to));
        let schedule = schedule(&[&text], zone);
        let shown = by_the_clock(from, to, &days, &schedule.zone);
        let first = at(day);
        let foretold = schedule.next_change(first);
        let mut found = None;
        let mut jumps: BTreeSet<i64> = BTreeSet::new();
        let start = Timestamp::from_millisecond(first.0).unwrap();
        let start = start.checked_sub(jiff::SignedDuration::from_hours(4)).unwrap();
        for change in schedule.zone.following(start).take(3) {
            jumps.insert(change.timestamp().as_millisecond());
        }
        for minute in 0..3 * 1_440 {
            let now = first.shifted(minute * MINUTE);
            let standing = schedule.standing(now);
            let reads = shown.iter().any(|part| part.contains(now));
            match standing {
                Standing::Inside => prop_assert!(reads, "{text} inside at {now:?}"),
                Standing::Outside => prop_assert!(!reads, "{text} outside at {now:?}"),
                Standing::Either => {
                    let near = |jump: &i64| (jump - now.0).abs() <= 120 * MINUTE;
                    prop_assert!(jumps.iter().any(near), "{text} either at {now:?}");
                }
            }
            if found.is_none() && standing != schedule.standing(first) {
                found = Some(now);
            }
        }
        if let Some(found) = found {
            prop_assert_eq!(foretold, Some(found), "{}", text);
        } else if let Some(foretold) = foretold {
            prop_assert!(foretold >= first.shifted(3 * 1_440 * MINUTE), "{}", text);
        }
    }
}
