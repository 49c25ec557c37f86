use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::model::{ChannelId, IncidentState, SendOutcome};
use crate::notify::{
    Budget, ChannelPlan, Compose, Composed, Composers, GroupBy, Language, Route, Settings, Storm,
};
use crate::store::MemoryStore;
use crate::store::contract::samples;

/// Monday 2026-11-23 00:00 UTC.
const MONDAY: i64 = 1_795_392_000_000;
const HOUR: i64 = 3_600_000;

/// Says what it was given.
struct Plain;

impl Compose for Plain {
    fn compose(&self, view: &MessageView) -> Composed {
        let (title, body) = (format!("{:?}", view.kind), format!("{:?}", view.summary));
        Composed { frozen: crate::model::Frozen { body, title }, named: view.items.len() }
    }
}

fn at(hours: i64) -> Time {
    Time::at(MONDAY + hours * HOUR)
}

fn settings(summary: &[(&str, &str)], budget: Option<Budget>) -> Settings {
    let receiver = |(name, at): &(&str, &str)| {
        let id = ChannelId { receiver: (*name).to_owned(), channel: "c".to_owned() };
        let plan = ChannelPlan {
            endpoint: id.to_string(),
            id,
            kind: "plain".to_owned(),
            budgets: budget.into_iter().collect(),
            send_resolved: true,
            per_incident: false,
            resend: None,
            standby: false,
            marks: false,
            fallback: None,
            edits: None,
        };
        let plan = ReceiverPlan {
            name: (*name).to_owned(),
            language: Language::En,
            zone: TimeZone::UTC,
            shadow: *name == "shadow",
            storm: None,
            summary: at.parse().ok(),
            channels: vec![plan],
        };
        ((*name).to_owned(), plan)
    };
    Settings {
        receivers: summary.iter().map(receiver).collect(),
        shadow: false,
        route: Route {
            id: "0".to_owned(),
            receiver: "ops".to_owned(),
            matchers: Vec::new(),
            continues: false,
            group_by: GroupBy::Labels(Vec::new()),
            group_wait: Duration::ZERO,
            group_interval: Duration::from_secs(1),
            repeat_interval: Duration::from_hours(9_999),
            hours: crate::model::Hours::default(),
            hold_until: None,
            escalate: Vec::new(),
            routes: Vec::new(),
        },
        storm: Storm::default(),
        external_url: None,
        links: None,
    }
}

/// A pipeline over what it has committed, which can be killed at any time.
struct Bench {
    settings: Settings,
    store: MemoryStore,
    pipeline: Pipeline,
    composed: Vec<Message>,
}

impl Bench {
    fn new(settings: Settings) -> Bench {
        let store = MemoryStore::new("test");
        let pipeline = restore(&settings, &store);
        Bench { settings, store, pipeline, composed: Vec::new() }
    }

    /// The process dies: what was not committed is gone.
    fn kill(&mut self) {
        self.pipeline = restore(&self.settings, &self.store);
    }

    /// One turn with these changes; `committed` or lost with the process. What is sent arrives.
    fn turn(&mut self, time: Time, news: Vec<Change>, committed: bool) {
        let mut incidents = crate::model::Loaded::default();
        incidents.incidents = self.store.incidents.values().cloned().collect();
        let incidents = Incidents::restore(crate::incidents::Settings::default(), &incidents);
        let mut changes = news;
        let flushed = self.pipeline.flush(time, &incidents);
        changes.extend(flushed.changes);
        let labels = |key: &JobKey| Some(Labels::from([("job_name", key.0.as_str())]));
        self.pipeline.count_for_summaries(time, &incidents, &labels, &mut changes);
        if !committed {
            return self.kill();
        }
        for change in &changes {
            if let Change::Message(message) = change
                && message.kind == MessageKind::Summary
                && message.attempts == 0
            {
                self.composed.push((**message).clone());
            }
        }
        self.store.apply(changes);
        for message in flushed.sends {
            let done = self.pipeline.delivered(time, message.id, &SendOutcome::Delivered);
            self.store.apply(done);
        }
    }

    fn bodies(&self) -> Vec<&str> {
        self.composed.iter().map(|m| m.frozen.body.as_str()).collect()
    }
}

fn restore(settings: &Settings, store: &MemoryStore) -> Pipeline {
    let composers: Composers = settings
        .receivers
        .values()
        .flat_map(|r| &r.channels)
        .map(|c| (c.id.clone(), Arc::new(Plain) as Arc<dyn Compose>))
        .collect();
    Pipeline::restore(settings.clone(), composers, &store.load(Ts(MONDAY)))
}

fn failures(job: &str, count: u64) -> Change {
    Change::Failures { job: format!("prod/{job}"), at: Ts(0), count }
}

#[test]
fn it_counts_and_tells_once_also_when_all_was_quiet() {
    let mut bench = Bench::new(settings(&[("ops", "Mon 09:30")], None));
    bench.turn(at(0), Vec::new(), true);
    assert_eq!(bench.pipeline.next_summary(at(0)), Some(Ts(MONDAY + 9 * HOUR + HOUR / 2)));
    bench.turn(at(1), vec![failures("a", 3), failures("b", 1)], true);
    let opened = samples::incident(1, "a", IncidentState::Open, at(2).wall);
    bench.turn(at(2), vec![Change::Incident(Box::new(opened.clone()))], true);
    // The same incident again, as it goes on: it was counted.
    bench.turn(at(3), vec![Change::Incident(Box::new(opened)), failures("a", 2)], true);
    assert!(bench.composed.is_empty());
    bench.turn(at(10), Vec::new(), true);
    bench.turn(at(11), Vec::new(), true);
    let [said] = bench.bodies()[..] else { panic!("{:?}", bench.bodies()) };
    for part in [
        "failures: 6",
        "failing_jobs: 2",
        "mended_jobs: 1",
        "opened: BySeverity { critical: 1,",
        "open: BySeverity { critical: 1,",
        "name: \"prod/a\", incidents: 1, failures: 5",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    bench.turn(at(7 * 24 + 10), Vec::new(), true);
    let [_, quiet] = bench.bodies()[..] else { panic!("{:?}", bench.bodies()) };
    assert!(quiet.contains("failures: 0") && quiet.contains("opened: BySeverity { critical: 0"));
}

#[test]
fn a_kill_at_any_turn_neither_doubles_nor_loses_it() {
    // Which turn dies before its commit, and after which one the process is started anew.
    for lost in 0..14 {
        for killed in 0..14 {
            let mut bench = Bench::new(settings(&[("ops", "09:30")], None));
            for turn in 0..14 {
                let news = if turn == 1 { vec![failures("a", 4)] } else { Vec::new() };
                bench.turn(at(turn), news, turn != lost || turn == 1);
                if turn == killed {
                    bench.kill();
                }
            }
            let bodies = bench.bodies();
            assert_eq!(bodies.len(), 1, "lost {lost}, killed {killed}: {bodies:?}");
            assert!(bodies[0].contains("failures: 4"), "lost {lost}, killed {killed}: {bodies:?}");
            let sent = bench.store.messages.values().filter(|m| m.state == MessageState::Sent);
            assert_eq!(sent.count(), 1);
        }
    }
}

#[test]
fn what_was_missed_is_told_late_once_or_covered_by_the_next() {
    let mut bench = Bench::new(settings(&[("ops", "09:30")], None));
    bench.turn(at(8), vec![failures("a", 1)], true);
    bench.turn(at(9), vec![failures("a", 1)], true);
    bench.kill();
    bench.turn(at(15), Vec::new(), true);
    bench.kill();
    bench.turn(at(16), vec![failures("a", 5)], true);
    assert_eq!(bench.composed.len(), 1);
    bench.kill();
    // More than a day later, and hours after the time of that day.
    bench.turn(at(48 + 20), vec![failures("a", 1)], true);
    assert_eq!(bench.composed.len(), 1, "too late");
    bench.turn(at(72 + 10), Vec::new(), true);
    assert!(bench.bodies()[1].contains("failures: 6"), "{:?}", bench.bodies());
}

#[test]
fn another_time_or_no_summary_at_all() {
    let mut bench = Bench::new(settings(&[("ops", "09:30")], None));
    bench.turn(at(8), vec![failures("a", 1)], true);
    bench.turn(at(9), Vec::new(), true);
    // Its new time has passed today: no reason to tell at once.
    bench.settings = settings(&[("ops", "08:00")], None);
    bench.kill();
    bench.turn(at(10), Vec::new(), true);
    assert!(bench.composed.is_empty());
    bench.turn(at(24 + 8), Vec::new(), true);
    assert!(bench.bodies()[0].contains("failures: 1"), "{:?}", bench.bodies());
    bench.settings = settings(&[("ops", "never")], None);
    bench.kill();
    bench.turn(at(50), Vec::new(), true);
    let rows = bench.store.load(Ts(0)).meta;
    assert!(rows.iter().all(|(key, value)| !key.starts_with(ROW) || value.is_empty()), "{rows:?}");
}

#[test]
fn it_waits_for_the_budget_like_any_message_and_shadow_keeps_it() {
    let budget = Budget { messages: 1, per: Duration::from_hours(4) };
    let both = [("ops", "09:30"), ("shadow", "10:30")];
    let mut bench = Bench::new(settings(&both, Some(budget)));
    bench.turn(at(9), Vec::new(), true);
    let used = crate::model::Attempt {
        message: 1,
        number: 1,
        endpoint: "ops/c".to_owned(),
        at: at(9).steady,
    };
    bench.store.apply(vec![Change::Attempt(used)]);
    bench.kill();
    bench.turn(at(10), Vec::new(), true);
    bench.turn(at(11), Vec::new(), true);
    let states = |bench: &Bench| -> Vec<MessageState> {
        bench.store.messages.values().map(|m| m.state).collect()
    };
    assert_eq!(states(&bench), [MessageState::Due, MessageState::Shadow]);
    bench.turn(at(13), Vec::new(), true);
    assert_eq!(states(&bench), [MessageState::Sent, MessageState::Shadow]);
}
