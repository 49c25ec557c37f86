//! What a pager keeps open is what it was told is open: random stories, with storms, digests, first
//! reports, lost answers, refusals and restarts, played against a vendor that keeps alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;

use super::channels::{ChannelConfig, testing::parts};
use super::pipeline::{Composers, Pipeline};
use super::render::probe;
use super::{Budget, ChannelPlan, GroupBy, Language, ReceiverPlan, Route, Settings, Storm};
use crate::incidents::{Incidents, News};
use crate::model::{
    Change, ChannelId, EndReason, Incident, IncidentState, Loaded, Message, MessageState, Notice,
    NoticeReason, SendOutcome, Time, Ts,
};

const JOBS: u64 = 12;

#[derive(Debug, Clone, Copy)]
enum Op {
    /// Something begins: (which, by the first look).
    Begin(u64, bool),
    Worsen(u64),
    End(u64),
    /// Somebody takes it, or gives it back.
    Attend(u64, bool),
    /// Some seconds pass.
    Wait(u64),
    Restart,
}

/// What the vendor does with one message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Luck {
    Takes,
    /// It takes it, but nobody hears that it did.
    TakesSilently,
    Fails,
    Refuses,
}

struct World {
    now: Ts,
    incidents: BTreeMap<u64, Incident>,
    pipeline: Pipeline,
    notices: BTreeMap<u64, Notice>,
    messages: BTreeMap<u64, Message>,
    /// Keys of open alerts.
    alerts: BTreeSet<String>,
    /// Those of them somebody has, as far as they were told.
    taken: BTreeSet<String>,
    luck: Vec<Luck>,
    /// Messages that were taken without anybody hearing of it.
    silent: BTreeSet<u64>,
}

fn settings() -> Settings {
    let id = ChannelId { receiver: "me".to_owned(), channel: "pagerduty".to_owned() };
    let channel = ChannelPlan {
        id,
        kind: "pagerduty".to_owned(),
        endpoint: "service".to_owned(),
        budgets: vec![Budget { messages: 6, per: Duration::from_mins(1) }],
        send_resolved: true,
        per_incident: true,
        resend: None,
        standby: false,
        marks: true,
        fallback: None,
        edits: None,
    };
    let receiver = ReceiverPlan {
        name: "me".to_owned(),
        language: Language::En,
        zone: TimeZone::UTC,
        shadow: false,
        storm: None,
        summary: None,
        channels: vec![channel],
    };
    let route = Route {
        id: "0".to_owned(),
        receiver: "me".to_owned(),
        matchers: Vec::new(),
        continues: false,
        group_by: GroupBy::Labels(vec!["cluster".to_owned()]),
        group_wait: Duration::from_secs(2),
        group_interval: Duration::from_secs(20),
        repeat_interval: Duration::from_mins(10),
        hours: crate::model::Hours::default(),
        hold_until: None,
        escalate: Vec::new(),
        routes: Vec::new(),
    };
    Settings {
        receivers: BTreeMap::from([("me".to_owned(), receiver)]),
        shadow: false,
        route,
        storm: Storm::default(),
        external_url: None,
        links: None,
    }
}

static COMPOSERS: LazyLock<Composers> = LazyLock::new(|| {
    let key = serde_json::json!({"pagerduty": {"routing_key": "0".repeat(32)}});
    let config: ChannelConfig = serde_json::from_value(key).unwrap();
    let composer = Arc::from(config.composer(&parts().0).unwrap());
    let id = ChannelId { receiver: "me".to_owned(), channel: "pagerduty".to_owned() };
    Composers::from([(id, composer)])
});

impl World {
    fn new(luck: Vec<Luck>) -> World {
        let loaded = Loaded { installation: "k3p9".to_owned(), ..Loaded::default() };
        let mut world = World {
            now: Ts(1_000_000),
            incidents: BTreeMap::new(),
            pipeline: Pipeline::restore(settings(), COMPOSERS.clone(), &loaded),
            notices: BTreeMap::new(),
            messages: BTreeMap::new(),
            alerts: BTreeSet::new(),
            taken: BTreeSet::new(),
            luck,
            silent: BTreeSet::new(),
        };
        world.pipeline.set_first_look_ready(Some(world.now), 7);
        world
    }

    fn time(&self) -> Time {
        Time { steady: self.now, wall: self.now }
    }

    fn known(&self) -> Incidents {
        let incidents = self.incidents.values().cloned().collect();
        Incidents::restore(
            crate::incidents::Settings::default(),
            &Loaded { incidents, ..Loaded::default() },
        )
    }

    fn keep(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Notice(notice) => drop(self.notices.insert(notice.id, *notice)),
                Change::Message(message) => drop(self.messages.insert(message.id, *message)),
                _ => {}
            }
        }
    }

    fn news(&mut self, incident: u64, reason: NoticeReason) {
        let incidents = self.known();
        let changes =
            self.pipeline.take_news(self.time(), &[News { incident, reason }], &incidents);
        self.keep(changes);
    }

    fn play(&mut self, op: Op) {
        match op {
            Op::Begin(job, first) => {
                let old = self.incidents.get(&(job + 1)).cloned();
                if old.as_ref().is_some_and(Incident::is_open) {
                    return;
                }
                let mut incident = probe::failing(job + 1, &format!("job-{job}")).incident;
                incident.labels.set("cluster", format!("c{}", job % 3));
                (incident.opened_at, incident.opened_steady) = (self.now, self.now);
                self.incidents.insert(incident.id, incident);
                let reason = match (old, first) {
                    (Some(_), _) => NoticeReason::Reopened,
                    (None, true) => NoticeReason::FirstLook,
                    (None, false) => NoticeReason::Opened,
                };
                self.news(job + 1, reason);
            }
            Op::Worsen(job) => {
                if self.incidents.get(&(job + 1)).is_some_and(Incident::is_open) {
                    self.news(job + 1, NoticeReason::Worse);
                }
            }
            Op::End(job) => {
                let now = self.now;
                let Some(incident) = self.incidents.get_mut(&(job + 1)).filter(|i| i.is_open())
                else {
                    return;
                };
                incident.state = IncidentState::Resolved;
                incident.end_reason = Some(EndReason::Recovered);
                (incident.resolved_at, incident.resolved_steady) = (Some(now), Some(now));
                self.news(job + 1, NoticeReason::Resolved);
            }
            Op::Attend(job, taken) => {
                let Some(incident) = self.incidents.get_mut(&(job + 1)).filter(|i| i.is_open())
                else {
                    return;
                };
                let state = if taken { IncidentState::Acknowledged } else { IncidentState::Open };
                if incident.state == state {
                    return;
                }
                incident.state = state;
                let incident = incident.clone();
                let known = self.known();
                let changes = self.pipeline.attended(self.time(), &incident, &known);
                self.keep(changes);
            }
            Op::Wait(seconds) => self.now = self.now + Duration::from_secs(seconds),
            Op::Restart => self.restart(),
        }
        self.flush();
    }

    /// Only what is due is loaded of the messages: the others are long ago.
    fn restart(&mut self) {
        let due = |m: &&Message| m.state == MessageState::Due;
        let loaded = Loaded {
            installation: "k3p9".to_owned(),
            notices: self.notices.values().cloned().collect(),
            messages: self.messages.values().filter(due).cloned().collect(),
            max_notice: self.notices.keys().max().copied().unwrap_or(0),
            max_message: self.messages.keys().max().copied().unwrap_or(0),
            ..Loaded::default()
        };
        self.pipeline = Pipeline::restore(settings(), COMPOSERS.clone(), &loaded);
        self.pipeline.set_first_look_ready(Some(self.now), 7);
    }

    fn flush(&mut self) {
        loop {
            let flushed = self.pipeline.flush(self.time(), &self.known());
            self.keep(flushed.changes);
            if flushed.sends.is_empty() {
                return;
            }
            for message in flushed.sends {
                self.send(&message);
            }
        }
    }

    fn send(&mut self, message: &Message) {
        let mut luck = self.luck.pop().unwrap_or(Luck::Takes);
        if luck == Luck::Refuses && self.silent.contains(&message.id) {
            // Who takes something does not refuse the very same.
            luck = Luck::Takes;
        }
        if message.frozen.body == "[]" {
            // Nothing goes out.
            luck = Luck::Takes;
        }
        if luck == Luck::Refuses && message.frozen.body.contains("\"resolve\"") {
            // The channel does not take no for an answer to an end.
            luck = Luck::Fails;
        }
        if luck == Luck::TakesSilently {
            self.silent.insert(message.id);
        }
        if matches!(luck, Luck::Takes | Luck::TakesSilently) {
            self.take(&message.frozen.body);
        }
        let outcome = match luck {
            Luck::Takes => SendOutcome::Delivered,
            Luck::Refuses => SendOutcome::Rejected { error: "no".to_owned() },
            Luck::TakesSilently | Luck::Fails => {
                SendOutcome::Retry { after_ms: None, error: "lost".to_owned() }
            }
        };
        let changes = self.pipeline.delivered(self.time(), message.id, &outcome);
        self.keep(changes);
    }

    /// As the vendor does it.
    fn take(&mut self, body: &str) {
        for event in serde_json::from_str::<Vec<Value>>(body).unwrap() {
            let key = event["dedup_key"].as_str().unwrap().to_owned();
            let reason = event["payload"]["custom_details"]["reason"].as_str();
            match event["event_action"].as_str().unwrap() {
                "trigger" => {
                    if reason == Some("unacknowledged") || !self.alerts.contains(&key) {
                        self.taken.remove(&key);
                    }
                    self.alerts.insert(key);
                }
                "acknowledge" => drop(self.taken.insert(key)),
                "resolve" => {
                    self.taken.remove(&key);
                    self.alerts.remove(&key);
                }
                other => panic!("{other}"),
            }
        }
    }

    fn settle(&mut self) {
        self.luck.clear();
        self.settle_with_luck();
    }

    fn settle_with_luck(&mut self) {
        for _ in 0..60 {
            self.play(Op::Wait(60));
            if self.pipeline.backlog() == (0, 0) {
                return;
            }
        }
        panic!("never settles: {:?}", self.pipeline.backlog());
    }
}

#[test]
fn a_storm_is_one_alert_until_its_last_incident_is_over() {
    for restarts in [false, true] {
        let mut world = World::new(Vec::new());
        let restart = |world: &mut World| {
            if restarts {
                world.play(Op::Restart);
            }
        };
        for job in 0..6 {
            world.play(Op::Begin(job, false));
        }
        world.settle();
        restart(&mut world);
        assert_eq!(world.alerts.len(), 1, "{:?}", world.alerts);
        let storm = world.alerts.clone();
        // One that comes later has its own.
        world.play(Op::Wait(600));
        world.play(Op::Begin(9, false));
        world.settle();
        assert_eq!(world.alerts.len(), 2, "{:?}", world.alerts);
        for job in [1, 0, 9, 2, 3, 4] {
            restart(&mut world);
            world.play(Op::End(job));
            world.play(Op::Wait(120));
        }
        world.settle();
        assert_eq!(world.alerts, storm);
        // What comes back while the others last is news of its own.
        world.play(Op::Begin(0, false));
        world.settle();
        restart(&mut world);
        assert_eq!(world.alerts.len(), 2, "{:?}", world.alerts);
        world.play(Op::End(5));
        world.settle();
        assert_eq!(world.alerts, BTreeSet::from(["weir-k3p9-1".to_owned()]));
        world.play(Op::End(0));
        world.settle();
        assert_eq!(world.alerts, BTreeSet::new());
    }
}

#[test]
fn a_first_report_that_is_refused_leaves_no_alert_behind_its_news() {
    let mut world = World::new(vec![Luck::Refuses]);
    for op in [Op::Begin(0, true), Op::Worsen(0), Op::Wait(10), Op::Restart, Op::End(0)] {
        world.play(op);
    }
    world.settle();
    assert_eq!(world.alerts, BTreeSet::new());
}

#[test]
fn a_reminder_refused_after_it_is_over_and_back_does_not_make_it_unknown() {
    for restarts in [false, true] {
        let mut world = World::new(Vec::new());
        world.play(Op::Begin(0, false));
        world.play(Op::Wait(2));
        world.luck = vec![Luck::Fails; 9];
        for op in [Op::Wait(700), Op::End(0), Op::Wait(30), Op::Begin(0, false), Op::Wait(30)] {
            world.play(op);
        }
        if restarts {
            world.play(Op::Restart);
        }
        world.luck = vec![Luck::Refuses];
        world.settle_with_luck();
        assert_eq!(world.alerts.len(), 1, "{restarts}");
        world.play(Op::End(0));
        world.settle();
        assert_eq!(world.alerts, BTreeSet::new(), "{restarts}");
    }
}

#[test]
fn what_was_told_beside_something_refused_later_keeps_its_key() {
    use Luck::{Refuses, Takes, TakesSilently};
    // The vendor takes the first and refuses the next; meanwhile more is told together.
    let begin = |n| Op::Begin(n, false);
    let ops = [
        begin(0),
        begin(1),
        Op::Wait(2),
        begin(6),
        begin(9),
        Op::Begin(2, true),
        begin(7),
        Op::Wait(1),
        Op::Restart,
        Op::Wait(19),
        Op::End(6),
        Op::Worsen(7),
        Op::End(9),
        Op::Wait(700),
        Op::Wait(60),
        Op::Restart,
    ];
    let luck = [Refuses, TakesSilently, Takes, Takes, TakesSilently, Takes, TakesSilently, Takes];
    let mut world = World::new(luck.to_vec());
    for op in ops {
        world.play(op);
    }
    world.settle();
    let keys: BTreeSet<String> = ["1", "2", "8", "m3"].map(|k| format!("weir-k3p9-{k}")).into();
    assert_eq!(world.alerts, keys);
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..JOBS, prop::bool::weighted(0.2)).prop_map(|(job, first)| Op::Begin(job, first)),
        4 => (0..JOBS).prop_map(Op::End),
        2 => (0..JOBS, any::<bool>()).prop_map(|(job, taken)| Op::Attend(job, taken)),
        1 => (0..JOBS).prop_map(Op::Worsen),
        3 => prop_oneof![0_u64..10, 10_u64..100, Just(700)].prop_map(Op::Wait),
        1 => Just(Op::Restart),
    ];
    prop::collection::vec(op, 1..80)
}

fn luck() -> impl Strategy<Value = Vec<Luck>> {
    let luck = prop_oneof![
        6 => Just(Luck::Takes),
        1 => Just(Luck::TakesSilently),
        1 => Just(Luck::Fails),
        1 => Just(Luck::Refuses),
    ];
    prop::collection::vec(luck, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_stays_open_that_is_over(ops in ops(), luck in luck()) {
        let refuses = luck.contains(&Luck::Refuses);
        let mut world = World::new(luck);
        for op in ops {
            world.play(op);
        }
        world.settle();
        let open = world.incidents.values().filter(|i| i.is_open()).count();
        // Whom a refusal left untold is told by the next news only.
        prop_assert!(refuses || (world.alerts.is_empty() == (open == 0)), "{:?}", world.alerts);
        prop_assert!(world.alerts.len() <= open, "{open} open: {:?}", world.alerts);
        for incident in world.incidents.values().filter(|_| !refuses) {
            let key = format!("weir-k3p9-{}", incident.id);
            if world.alerts.contains(&key) {
                let taken = incident.state == IncidentState::Acknowledged;
                prop_assert_eq!(world.taken.contains(&key), taken, "{}", key);
            }
        }
        for job in 0..JOBS {
            world.play(Op::End(job));
        }
        world.settle();
        prop_assert!(world.alerts.is_empty(), "{:?}", world.alerts);
    }
}
