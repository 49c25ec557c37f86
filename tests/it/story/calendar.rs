//! Digests, summaries and hours of rest over the days on which clocks change, in a zone whose clocks
//! do and in one whose clocks do not, while Weir is started anew at the very hours.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use weir::model::*;
use weir::notify::{Route, Settings};
use weir::rules::{RuleSet, RuleSource, parse};

use super::bench::{Bench, CHANNELS, Kill, Received, Setup};
use super::world::{Fail, SimRun, World};
use super::{HOUR, MINUTE, SECOND};

/// Long stories: seldom looked at, and told of to the second all the same.
const POLL: i64 = 10 * MINUTE;

const DAYS: i64 = 5;
/// The days on which summer ends and begins in Europe lie in their middle.
const STARTS: [&str; 2] = ["2026-10-22T20:00:00Z", "2027-03-25T20:00:00Z"];

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn on_clock(at: i64, zone: &str) -> Zoned {
    Timestamp::from_millisecond(at).unwrap().to_zoned(TimeZone::get(zone).unwrap())
}

/// One rule, whose incidents can wait.
fn warns(rules: &mut RuleSet) {
    let text = "groups: [{ name: g, rules: [{ alert: Dead, labels: { severity: warning }, when: { \
                job_state: { any_of: [FAILED] } } }] }]";
    *rules = parse(&[RuleSource { file: "own.yaml", text }]).unwrap();
}

/// Every five hours one more job dies, to stay dead for thirty.
fn world(start: i64) -> World {
    let mut world = World::new("prod");
    world.jobs.insert("calm".to_owned(), vec![SimRun::healthy("calm", start - HOUR)]);
    for n in 0..14 {
        let died = start + 20 * MINUTE + n * 5 * HOUR;
        let fails = vec![Fail { at: died, back: None }];
        let run = SimRun { fails, ..SimRun::healthy(&format!("a{n}"), start - HOUR) };
        let next = SimRun::healthy(&format!("b{n}"), died + 30 * HOUR);
        world.jobs.insert(format!("job{n}"), vec![run, next]);
    }
    world
}

/// Two starts anew at each of these times, a process that dies with what it was about to send among
/// them.
fn played(start: i64, shape: fn(&mut Settings), hours: &[i64]) -> Bench {
    let setup =
        Setup { poll_ms: POLL, seen: false, edit: warns, shape, apart: true, ..Setup::default() };
    let mut bench = Bench::new(setup, vec![world(start)]);
    bench.begin(start);
    for (n, hour) in hours.iter().enumerate() {
        bench.run(hour - 1);
        match n % 4 {
            0 => bench.restart(hour - 1),
            1 => drop(bench.kills.insert(bench.turns + 1, Kill::BeforeSend)),
            2 => drop(bench.kills.insert(bench.turns + 1, Kill::BeforeCommit)),
            _ => {}
        }
        bench.run(hour + 30 * SECOND);
        bench.restart(hour + 30 * SECOND);
    }
    bench.run(start + DAYS * 24 * HOUR + 12 * HOUR);
    bench
}

/// Everything ended told or with a reason, each job's opening once and its end once to whom heard it.
fn accounted(bench: &Bench) {
    for notice in bench.kept.notices.values() {
        assert!(matches!(notice.outcome, Outcome::Sent | Outcome::Folded), "{notice:?}");
    }
    for channel in CHANNELS {
        for reason in [NoticeReason::Opened, NoticeReason::Resolved] {
            assert_eq!(bench.count(channel, reason), bench.kept.incidents.len(), "{reason:?}");
        }
    }
}

fn kinds<'a>(bench: &'a Bench, channel: &str, kind: MessageKind) -> Vec<&'a Received> {
    bench.told(channel).into_iter().filter(|r| r.kind == kind).collect()
}

fn shape(settings: &mut Settings, zone: &str) {
    settings.route.repeat_interval = std::time::Duration::from_hours(1_000);
    for receiver in settings.receivers.values_mut() {
        receiver.zone = TimeZone::get(zone).unwrap();
    }
}

fn digest(settings: &mut Settings, zone: &str, hour: &str) {
    shape(settings, zone);
    settings.route.hold_until = Some(DayTime::parse(hour).unwrap());
}

fn summary(settings: &mut Settings, zone: &str, hour: &str) {
    shape(settings, zone);
    for receiver in settings.receivers.values_mut() {
        receiver.summary = Some(hour.parse().unwrap());
    }
}

fn night(settings: &mut Settings, zone: &str) {
    shape(settings, zone);
    let zone = TimeZone::get(zone).unwrap();
    let times = vec![(22 * 60, 24 * 60), (0, 6 * 60)];
    let part = TimeInterval { times, zone, ..TimeInterval::default() };
    let mute = vec![Arc::new(TimeIntervals { name: "night".to_owned(), parts: vec![part] })];
    let hours = Hours { mute, ..Hours::default() };
    let below = Route { id: "0.0".to_owned(), hours, ..settings.route.clone() };
    settings.route.routes.push(below);
}

type Shape = fn(&mut Settings);

/// The instants of an hour on the days in question, written down by hand.
struct Table {
    zone: &'static str,
    hour: &'static str,
    digest: Shape,
    summary: Shape,
    /// When summer ends, when it begins.
    instants: [[&'static str; 4]; 2],
}

const TABLES: [Table; 3] = [
    Table {
        zone: "Europe/Berlin",
        hour: "09:00",
        digest: |s| digest(s, "Europe/Berlin", "09:00"),
        summary: |s| summary(s, "Europe/Berlin", "09:00"),
        instants: [
            ["2026-10-23T07:00Z", "2026-10-24T07:00Z", "2026-10-25T08:00Z", "2026-10-26T08:00Z"],
            ["2027-03-26T08:00Z", "2027-03-27T08:00Z", "2027-03-28T07:00Z", "2027-03-29T07:00Z"],
        ],
    },
    // It comes twice, and counts once; it does not come, and counts an hour later.
    Table {
        zone: "Europe/Berlin",
        hour: "02:30",
        digest: |s| digest(s, "Europe/Berlin", "02:30"),
        summary: |s| summary(s, "Europe/Berlin", "02:30"),
        instants: [
            ["2026-10-23T00:30Z", "2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"],
            ["2027-03-26T01:30Z", "2027-03-27T01:30Z", "2027-03-28T01:30Z", "2027-03-29T00:30Z"],
        ],
    },
    Table {
        zone: "Asia/Shanghai",
        hour: "09:00",
        digest: |s| digest(s, "Asia/Shanghai", "09:00"),
        summary: |s| summary(s, "Asia/Shanghai", "09:00"),
        instants: [
            ["2026-10-23T01:00Z", "2026-10-24T01:00Z", "2026-10-25T01:00Z", "2026-10-26T01:00Z"],
            ["2027-03-26T01:00Z", "2027-03-27T01:00Z", "2027-03-28T01:00Z", "2027-03-29T01:00Z"],
        ],
    },
];

fn instants(table: &Table, season: usize) -> Vec<i64> {
    table.instants[season].iter().map(|text| at(&text.replace('Z', ":00Z"))).collect()
}

/// What came in these days came at these instants, and once at each.
fn once_each(came: &[&Received], instants: &[i64], what: &str) {
    let last = *instants.last().unwrap() + HOUR;
    let times: Vec<i64> = came.iter().map(|r| r.at).filter(|at| *at < last).collect();
    assert_eq!(times.len(), instants.len(), "{what}: {times:?} for {instants:?}");
    for (time, instant) in times.iter().zip(instants) {
        let late = time - instant;
        assert!((0..=31 * SECOND).contains(&late), "{what}: {late} ms after {instant}");
    }
}

#[test]
fn a_digest_comes_once_a_day_when_clocks_change() {
    for table in &TABLES {
        for (season, start) in STARTS.into_iter().enumerate() {
            let instants = instants(table, season);
            let what = format!("{} in {} from {start}", table.hour, table.zone);
            let bench = played(at(start), table.digest, &instants);
            accounted(&bench);
            for channel in CHANNELS {
                once_each(&kinds(&bench, channel, MessageKind::Digest), &instants, &what);
                for told in bench.told(channel) {
                    assert_eq!(told.kind, MessageKind::Digest, "{what}: {told:?}");
                }
            }
        }
    }
}

#[test]
fn a_summary_comes_once_a_day_when_clocks_change() {
    for table in &TABLES {
        for (season, start) in STARTS.into_iter().enumerate() {
            let instants = instants(table, season);
            let what = format!("{} in {} from {start}", table.hour, table.zone);
            let bench = played(at(start), table.summary, &instants);
            accounted(&bench);
            for channel in CHANNELS {
                once_each(&kinds(&bench, channel, MessageKind::Summary), &instants, &what);
            }
        }
    }
}

#[test]
fn hours_of_rest_hold_when_clocks_change() {
    let zones: [(&str, Shape); 2] = [
        ("Europe/Berlin", |s| night(s, "Europe/Berlin")),
        ("Asia/Shanghai", |s| night(s, "Asia/Shanghai")),
    ];
    for (zone, shape) in zones {
        for (season, start) in STARTS.into_iter().enumerate() {
            let bench = played(at(start), shape, &instants(&TABLES[1], season));
            accounted(&bench);
            for channel in CHANNELS {
                let mut mornings = 0;
                for told in bench.told(channel) {
                    let shown = on_clock(told.at, zone);
                    assert!((6..22).contains(&shown.hour()), "told at {shown}");
                    mornings += usize::from(shown.hour() == 6 && shown.minute() == 0);
                }
                assert!(mornings >= 4, "what waited comes at six: {mornings}");
            }
        }
    }
}
