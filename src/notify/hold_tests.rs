//! What holds a notice, one by one and in random stories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::incidents::{OWN_GROUP, Settings as IncidentSettings, Stepped};
use crate::model::{
    Alert, AlertState, Aspect, ChannelId, DayTime, Evidence, Frozen, Hours, Labels, Loaded,
    Matcher, MessageKind, Outcome, RuleId, SendOutcome, TimeInterval, TimeIntervals,
};
use crate::notify::{
    ChannelPlan, Compose, Composed, Composers, GroupBy, Language, MessageView, ReceiverPlan,
    Settings, Storm,
};
use crate::store::MemoryStore;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A Saturday, midnight in UTC.
const START: i64 = 1_795_219_200_000;

#[test]
fn what_is_recorded_is_read_again() {
    for hold in [
        Hold::Inhibited(12),
        Hold::Silenced("#3 until 09:00".to_owned()),
        Hold::MutedByTime("outside of office: #1".to_owned()),
        Hold::Until(Ts(START + 5 * HOUR)),
        Hold::Storm,
        Hold::Budget("budget 80/60s".to_owned()),
    ] {
        assert_eq!(Hold::parse(&hold.to_string()), Some(hold.clone()), "{hold}");
    }
    for other in ["", "group_wait", "inhibited by", "inhibited by #x", "held until noon"] {
        assert_eq!(Hold::parse(other), None, "{other}");
    }
}

#[test]
fn the_first_that_holds_is_recorded() {
    let all = Facts {
        inhibited_by: Some(1),
        silenced_by: Some("#2 until 09:00".to_owned()),
        muted_by: Some("night".to_owned()),
        until: Some(Ts(9)),
    };
    let without = |n: usize| Facts {
        inhibited_by: all.inhibited_by.filter(|_| n < 1),
        silenced_by: all.silenced_by.clone().filter(|_| n < 2),
        muted_by: all.muted_by.clone().filter(|_| n < 3),
        until: all.until.filter(|_| n < 4),
    };
    let expected = [
        Some(Hold::Inhibited(1)),
        Some(Hold::Silenced("#2 until 09:00".to_owned())),
        Some(Hold::MutedByTime("night".to_owned())),
        Some(Hold::Until(Ts(9))),
        None,
    ];
    for (n, hold) in expected.into_iter().enumerate() {
        assert_eq!(without(n).first(), hold, "{n}");
    }
}

#[test]
fn the_table_of_what_follows_what() {
    let (budget, night) =
        (Hold::Budget("budget 1/60s".to_owned()), Hold::MutedByTime("night".to_owned()));
    let until = |at| Hold::Until(Ts(at));
    for (name, was, found, expected) in [
        ("nothing", None, None, None),
        ("it begins", None, Some(night.clone()), Some(night.clone())),
        ("it ends", Some(night.clone()), None, None),
        ("a limit stays", Some(budget.clone()), None, Some(budget.clone())),
        ("the calendar comes first", Some(budget.clone()), Some(night.clone()), Some(night)),
        ("an hour to come", Some(Hold::Storm), Some(until(200)), Some(until(200))),
        ("an hour that is over", Some(budget.clone()), Some(until(50)), Some(budget)),
        ("an hour that has come", Some(until(100)), Some(until(100)), Some(until(100))),
    ] {
        assert_eq!(next(was, Ts(100), found), expected, "{name}");
    }
}

/// Names every item, in the order of the view.
struct Names;

impl Compose for Names {
    fn compose(&self, view: &MessageView) -> Composed {
        let items = view.items.iter().map(|i| format!("{} #{}", i.reason.as_str(), i.incident.id));
        let body = items.collect::<Vec<_>>().join(", ");
        Composed { frozen: Frozen { body, title: String::new() }, named: view.items.len() }
    }
}

fn hours(name: &str, from: u16, to: u16) -> Vec<Arc<TimeIntervals>> {
    let part = TimeInterval { times: vec![(from * 60, to * 60)], ..TimeInterval::default() };
    vec![Arc::new(TimeIntervals { name: name.to_owned(), parts: vec![part] })]
}

fn route(id: &str, receiver: &str, matchers: &[&str]) -> Route {
    Route {
        id: id.to_owned(),
        receiver: receiver.to_owned(),
        matchers: matchers.iter().map(|m| Matcher::parse(m).unwrap()).collect(),
        continues: false,
        group_by: GroupBy::Labels(vec!["team".to_owned()]),
        group_wait: Duration::from_secs(30),
        group_interval: Duration::from_mins(5),
        repeat_interval: Duration::from_hours(4),
        hours: Hours::default(),
        hold_until: None,
        escalate: Vec::new(),
        routes: Vec::new(),
    }
}

/// Incidents of sources that come and go, a pipeline, and all it said.
struct World {
    incidents: Incidents,
    pipeline: Pipeline,
    parts: (Settings, Composers),
    now: i64,
    /// What was committed.
    store: MemoryStore,
    /// (when, channel, kind, text).
    said: Vec<(i64, String, MessageKind, String)>,
    deadline: Option<Ts>,
}

impl World {
    fn new(root: Route) -> World {
        let mut names = BTreeSet::new();
        let mut left = vec![&root];
        while let Some(route) = left.pop() {
            names.insert(route.receiver.clone());
            left.extend(&route.routes);
        }
        let receiver = |name: &String| {
            let id = ChannelId { receiver: name.clone(), channel: "c".to_owned() };
            let channel = ChannelPlan {
                id,
                kind: "console".to_owned(),
                endpoint: name.clone(),
                budgets: Vec::new(),
                send_resolved: true,
                per_incident: false,
                resend: None,
                standby: false,
                marks: false,
                fallback: None,
                edits: None,
            };
            ReceiverPlan {
                name: name.clone(),
                language: Language::En,
                zone: TimeZone::UTC,
                shadow: false,
                storm: None,
                summary: None,
                channels: vec![channel],
            }
        };
        let settings = Settings {
            receivers: names.iter().map(|name| (name.clone(), receiver(name))).collect(),
            shadow: false,
            route: root,
            storm: Storm { incidents: 1_000, ..Storm::default() },
            external_url: None,
            links: None,
        };
        let composers: Composers = settings
            .receivers
            .values()
            .flat_map(|r| &r.channels)
            .map(|c| (c.id.clone(), Arc::new(Names) as Arc<dyn Compose>))
            .collect();
        let loaded = Loaded::default();
        World {
            incidents: Incidents::restore(IncidentSettings::default(), &loaded),
            pipeline: Pipeline::restore(settings.clone(), composers.clone(), &loaded),
            parts: (settings, composers),
            now: START,
            store: MemoryStore::new("w"),
            said: Vec::new(),
            deadline: None,
        }
    }

    /// A new process over what was committed.
    fn restart(&mut self) {
        let loaded = self.store.load(Ts(self.now));
        let (settings, composers) = self.parts.clone();
        self.incidents = Incidents::restore(IncidentSettings::default(), &loaded);
        self.pipeline = Pipeline::restore(settings, composers, &loaded);
        self.turn(&Stepped::default());
    }

    /// What a step would do after its news.
    fn turn(&mut self, stepped: &Stepped) {
        let time = Time::at(self.now);
        let mut changes = stepped.changes.clone();
        changes.extend(self.pipeline.take_news(time, &stepped.news, &self.incidents));
        loop {
            let flushed = self.pipeline.flush(time, &self.incidents);
            changes.extend(flushed.changes);
            if flushed.sends.is_empty() {
                break;
            }
            for message in flushed.sends {
                let to = message.to.receiver.clone();
                self.said.push((self.now, to, message.kind, message.frozen.body.clone()));
                changes.extend(self.pipeline.delivered(time, message.id, &SendOutcome::Delivered));
            }
        }
        self.store.apply(changes);
        self.deadline = self.pipeline.next_deadline(time, &self.incidents);
        assert!(self.deadline.is_none_or(|at| at > time.steady), "a deadline in the past");
    }

    /// Lets time pass, with turns only at the deadlines the pipeline names.
    fn run(&mut self, until: i64) {
        for _ in 0..10_000 {
            let Some(at) = self.deadline.filter(|at| at.0 <= until) else {
                self.now = until;
                return;
            };
            self.now = at.0;
            self.turn(&Stepped::default());
        }
        panic!("it wakes itself without end");
    }

    /// One source is as bad as this now.
    fn set(&mut self, name: &str, severity: Option<Severity>) {
        let subject = Subject::Source(name.to_owned());
        let team = if name < "c" { "ads" } else { "ro" };
        let firing = severity.map(|severity| alert(&subject, severity, team));
        let time = Time::at(self.now);
        let mut stepped = self.incidents.step_own(time, &subject, firing.as_ref());
        if firing.is_none() {
            // Quiet is believed only after a while.
            self.now += 2 * MINUTE;
            let more = self.incidents.step_own(Time::at(self.now), &subject, None);
            stepped.news.extend(more.news);
            stepped.changes.extend(more.changes);
        }
        self.turn(&stepped);
    }

    fn told(&self, receiver: &str) -> Vec<(i64, &str)> {
        let to = self.said.iter().filter(|(_, to, ..)| to == receiver);
        to.map(|(at, _, _, text)| ((at - START) / MINUTE, text.as_str())).collect()
    }
}

fn alert(subject: &Subject, severity: Severity, team: &str) -> Alert {
    let rule = RuleId { group: OWN_GROUP.to_owned(), alert: "A".to_owned(), severity };
    Alert {
        rule,
        subject: subject.clone(),
        aspect: Aspect::from(Aspect::PLATFORM),
        state: AlertState::Firing,
        since: Ts(0),
        last_true: Ts(0),
        first_look: false,
        unknown_since: None,
        outdated: false,
        condition: None,
        evidence: Evidence::new(),
        labels: Labels::from([("team", team), ("severity", severity.as_str())]),
        annotations: BTreeMap::new(),
    }
}

fn at(hour: i64) -> i64 {
    START + hour * HOUR
}

const WARNING: Option<Severity> = Some(Severity::Warning);
const CRITICAL: Option<Severity> = Some(Severity::Critical);

fn with_night() -> World {
    let mut root = route("0", "all", &[]);
    let mut night = route("0.0", "ads", &["team=ads"]);
    night.hours.mute = hours("night", 1, 6);
    root.routes.push(night);
    World::new(root)
}

#[test]
fn a_mute_that_ends_while_it_is_open_tells_the_opening_then() {
    let mut world = with_night();
    world.run(at(2));
    world.set("a", CRITICAL);
    world.run(at(4));
    world.restart();
    world.run(at(5));
    assert_eq!(world.told("ads"), []);
    let held: Vec<_> = world.store.notices.values().filter_map(|n| n.held_by.as_deref()).collect();
    assert_eq!(held, ["muted by time: night"]);
    assert_eq!(world.pipeline.muted()[&1], "muted by time: night");
    world.run(at(7));
    assert_eq!(world.told("ads"), [(6 * 60, "opened #1")]);
    assert!(world.pipeline.muted().is_empty());
}

#[test]
fn what_ended_in_a_mute_is_recorded_and_never_sent() {
    let mut world = with_night();
    world.run(at(2));
    world.set("a", CRITICAL);
    world.run(at(3));
    world.set("a", None);
    world.run(at(24));
    assert_eq!(world.told("ads"), []);
    let ends: Vec<_> =
        world.store.notices.values().map(|n| (n.outcome, n.held_by.as_deref().unwrap())).collect();
    assert_eq!(ends, [(Outcome::Muted, "muted by time: night")]);
}

#[test]
fn an_end_in_a_mute_is_told_after_it_to_who_knows_of_the_opening() {
    let mut world = with_night();
    world.set("a", CRITICAL);
    world.run(at(2));
    world.set("a", None);
    world.run(at(24));
    assert_eq!(world.told("ads"), [(0, "opened #1"), (6 * 60, "resolved #1")]);
}

#[test]
fn an_end_waits_for_no_route_that_never_speaks() {
    let mut root = route("0", "all", &[]);
    let mut never = route("0.0", "ads", &["severity!=critical"]);
    never.hours.mute = hours("ever", 0, 24);
    root.routes.extend([never, route("0.1", "ads", &[])]);
    let mut world = World::new(root);
    world.set("a", CRITICAL);
    world.run(at(1));
    world.set("a", WARNING);
    world.set("a", None);
    world.run(at(2));
    assert_eq!(world.told("ads"), [(0, "opened #1"), (62, "resolved #1")]);
}

#[test]
fn another_route_to_the_same_receiver_lets_it_pass() {
    let mut root = route("0", "all", &[]);
    let mut day = route("0.0", "ads", &["team=ads"]);
    day.hours.active = hours("office", 9, 18);
    day.continues = true;
    let mut night = route("0.1", "ads", &["team=ads", "severity=critical"]);
    night.hours.mute = hours("office", 9, 18);
    root.routes.extend([day, night]);
    let mut world = World::new(root);
    world.run(at(2));
    world.set("a", CRITICAL);
    world.set("b", WARNING);
    world.run(at(8));
    assert_eq!(world.told("ads"), [(2 * 60, "opened #1"), (6 * 60 + 1, "repeat #1")]);
    assert!(world.store.notices.values().any(|n| n.group.starts_with("0.1:")));
    world.run(at(10));
    assert_eq!(world.told("ads").last(), Some(&(9 * 60, "opened #2")));
}

fn with_digest() -> World {
    let mut root = route("0", "all", &[]);
    root.hold_until = Some(DayTime::parse("09:00").unwrap());
    World::new(root)
}

#[test]
fn an_hour_gathers_one_digest_and_critical_passes() {
    let mut world = with_digest();
    world.run(at(1));
    for name in ["a", "b", "c", "d", "e", "f"] {
        world.set(name, WARNING);
    }
    world.run(at(2));
    world.set("x", CRITICAL);
    world.run(at(3));
    world.set("b", None);
    world.run(at(12));
    let told = world.told("all");
    let digest = "opened #1, opened #3, opened #4, opened #5, opened #6";
    assert_eq!(told[0], (2 * 60, "opened #7"));
    assert!(told.contains(&(9 * 60, digest)), "{told:?}");
    let digests = world.said.iter().filter(|s| s.2 == MessageKind::Digest).count();
    assert_eq!(digests, 1);
    // It ended before its hour.
    let b: Vec<_> = world.store.notices.values().filter(|n| n.incident == 2).collect();
    assert_eq!(b.iter().map(|n| n.outcome).collect::<Vec<_>>(), [Outcome::Muted]);
    assert!(b[0].held_by.as_deref().unwrap().starts_with("held until 2026-11-21T09:00:00Z"));
}

#[test]
fn what_gets_worse_waits_for_no_hour() {
    let mut world = with_digest();
    world.run(at(1));
    world.set("a", WARNING);
    world.run(at(2));
    world.set("a", CRITICAL);
    world.run(at(3));
    assert_eq!(world.told("all"), [(2 * 60, "opened #1")]);
    world.set("a", None);
    world.run(at(4));
    assert_eq!(world.told("all").last().unwrap().1, "resolved #1");
}

#[test]
fn a_clock_that_is_set_loses_nothing() {
    let mut world = with_digest();
    world.run(at(1));
    world.set("a", WARNING);
    // From the year 2036, as steady time goes on.
    let wall = START + 3_650 * DAY;
    let time = |steady: i64, wall: i64| Time { steady: Ts(steady), wall: Ts(wall) };
    let flushed = world.pipeline.flush(time(at(1) + MINUTE, wall), &world.incidents);
    assert_eq!(flushed.sends.len(), 1, "its hour is long over");
    for message in flushed.sends {
        let at = time(at(1) + MINUTE, wall);
        drop(world.pipeline.delivered(at, message.id, &SendOutcome::Delivered));
    }
    // And back: what became news then is not kept for ten years.
    let subject = Subject::Source("b".to_owned());
    let news = alert(&subject, Severity::Warning, "ads");
    let then = time(at(2), wall);
    let stepped = world.incidents.step_own(then, &subject, Some(&news));
    drop(world.pipeline.take_news(then, &stepped.news, &world.incidents));
    assert_eq!(world.pipeline.flush(then, &world.incidents).sends.len(), 0);
    let flushed = world.pipeline.flush(time(at(3), at(3)), &world.incidents);
    assert_eq!(flushed.sends.len(), 1);
}

#[derive(Debug, Clone)]
struct Leaf {
    receiver: &'static str,
    matcher: Option<&'static str>,
    continues: bool,
    mute: Option<(u16, u16)>,
    active: Option<(u16, u16)>,
    hold: Option<u16>,
    child: bool,
}

fn leaf() -> impl Strategy<Value = Leaf> {
    let span = || prop::option::of((0_u16..12, 1_u16..12));
    (
        prop::sample::select(vec!["x", "y", "z"]),
        prop::option::of(prop::sample::select(vec![
            "team=ads",
            "team=ro",
            "severity=critical",
            "severity!=critical",
        ])),
        any::<bool>(),
        span(),
        span(),
        prop::option::of(0_u16..24),
        any::<bool>(),
    )
        .prop_map(|(receiver, matcher, continues, mute, active, hold, child)| Leaf {
            receiver,
            matcher,
            continues,
            mute,
            active,
            hold,
            child,
        })
}

fn tree(leaves: &[Leaf]) -> Route {
    let mut root = route("0", "x", &[]);
    for leaf in leaves {
        let matchers: Vec<&str> = leaf.matcher.into_iter().collect();
        let under = if leaf.child { root.routes.last_mut() } else { None };
        let parent = match under {
            Some(last) => last,
            None => &mut root,
        };
        let id = format!("{}.{}", parent.id, parent.routes.len());
        let mut made = route(&id, leaf.receiver, &matchers);
        made.continues = leaf.continues;
        made.hold_until = leaf.hold.map(|h| DayTime::parse(&format!("{h:02}:00")).unwrap());
        if let Some((from, long)) = leaf.mute {
            made.hours.mute = hours("m", from, from + long);
        }
        if let Some((from, long)) = leaf.active {
            made.hours.active = hours("a", from, from + long);
        }
        parent.routes.push(made);
    }
    root
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    /// Random trees and times, and processes that die: no notice vanishes without a recorded reason, a resolution goes
    /// exactly to whom the opening went, and there is at most one digest per hour mark.
    #[test]
    fn nothing_vanishes(
        leaves in prop::collection::vec(leaf(), 0..6),
        events in prop::collection::vec(
            (
                1_i64..9 * 60,
                0_usize..5,
                prop::sample::select(vec![None, WARNING, CRITICAL]),
                prop::bool::weighted(0.2),
            ),
            1..24,
        ),
    ) {
        let mut world = World::new(tree(&leaves));
        let names = ["a", "b", "c", "d", "e"];
        for (wait, who, severity, dies) in events {
            let until = world.now + wait * MINUTE;
            world.run(until);
            if dies {
                world.restart();
            }
            world.set(names[who], severity);
        }
        for name in names {
            world.set(name, None);
        }
        let until = world.now + 10 * DAY;
        world.run(until);
        let mut told = Vec::new();
        for notice in world.store.notices.values() {
            prop_assert!(notice.outcome != Outcome::Pending, "{notice:?}");
            let said = matches!(notice.outcome, Outcome::Sent | Outcome::Folded);
            let reason = notice.held_by.is_some() || notice.outcome == Outcome::Brief;
            let superseded = notice.outcome == Outcome::Muted;
            prop_assert!(said == notice.message.is_some(), "{notice:?}");
            prop_assert!(said || reason || superseded, "{notice:?}");
            told.extend(notice.message.map(|message| (message, notice)));
        }
        told.sort_by_key(|(message, notice)| (*message, notice.id));
        let mut open = BTreeSet::new();
        for (_, notice) in &told {
            let key = (notice.incident, &notice.to);
            if notice.reason == NoticeReason::Resolved {
                prop_assert!(open.remove(&key), "an end nobody knows the beginning of: {notice:?}");
            } else {
                open.insert(key);
            }
        }
        prop_assert!(open.is_empty(), "told of and not of the end: {open:?}");
        let mut digests = BTreeSet::new();
        for (at, to, kind, text) in &world.said {
            if *kind == MessageKind::Digest {
                prop_assert!(digests.insert((*at, to.clone())), "two digests at {at}: {text}");
            }
        }
    }
}

#[test]
fn whom_it_was_escalated_to_hears_the_rest_by_the_same_hours() {
    let mut root = route("0", "all", &[]);
    let mut team = route("0.0", "team", &["team=ads"]);
    team.continues = true;
    team.escalate = vec![crate::notify::Escalation {
        after: Duration::from_mins(15),
        receiver: "lead".to_owned(),
        severity: Severity::Warning,
    }];
    // By day everything is copied to him.
    let mut lead = route("0.1", "lead", &["team=ads"]);
    lead.hours.mute = hours("night", 1, 6);
    root.routes.extend([team, lead]);
    let mut world = World::new(root);
    world.run(at(2));
    world.set("a", WARNING);
    world.run(at(2) + 30 * MINUTE);
    assert_eq!(world.told("lead").len(), 1, "{:?}", world.said);
    world.set("a", CRITICAL);
    world.run(at(4));
    let told = world.told("lead");
    assert!(told.iter().any(|(at, text)| *text == "worse #1" && *at < 2 * 60 + 40), "{told:?}");
}
