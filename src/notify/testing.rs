//! A pipeline in virtual time between news and vendors that fail as told, over a store that survives
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::render::probe;
use super::{
    ChannelPlan, Compose, Composed, Composers, Escalation, Fallback, GroupBy, Language,
    MessageView, Pipeline, ReceiverPlan, Route, Settings, Storm,
};
use crate::incidents::{Incidents, News};
use crate::model::{
    Acknowledgement, Change, ChannelId, EndReason, Frozen, Incident, IncidentState, Loaded,
    Message, Notice, NoticeReason, SendOutcome, Severity, Time, Ts,
};
use crate::store::MemoryStore;

pub(crate) const START: i64 = 1_700_000_000_000;
pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;

/// How a vendor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Up,
    Down,
    Refuses,
    /// It takes everything but what is about this incident.
    ChokesOn(u64),
}

pub(crate) fn channel(name: &str) -> ChannelId {
    let (receiver, channel) = name.split_once('/').unwrap();
    ChannelId { receiver: receiver.to_owned(), channel: channel.to_owned() }
}

/// A channel without anything special.
pub(crate) fn plan(name: &str) -> ChannelPlan {
    ChannelPlan {
        id: channel(name),
        kind: "plain".to_owned(),
        endpoint: name.to_owned(),
        budgets: Vec::new(),
        send_resolved: true,
        per_incident: false,
        resend: None,
        standby: false,
        marks: false,
        fallback: None,
        edits: None,
    }
}

/// The same with another that stands in after two minutes.
pub(crate) fn with_fallback(name: &str, to: &str) -> ChannelPlan {
    let fallback = Fallback { to: channel(to), after: Duration::from_mins(2) };
    ChannelPlan { fallback: Some(fallback), ..plan(name) }
}

/// Writes incident and reason of each item.
struct Plain;

impl Compose for Plain {
    fn compose(&self, view: &MessageView) -> Composed {
        let items: Vec<_> = view.items.iter().map(|i| (i.incident.id, i.reason)).collect();
        let body = serde_json::to_string(&items).unwrap();
        Composed { frozen: Frozen { body, title: String::new() }, named: items.len() }
    }
}

/// The whole.
pub(crate) struct Bench {
    pub(crate) plans: Vec<ChannelPlan>,
    /// Who is told by the routes.
    pub(crate) routed: Vec<&'static str>,
    /// Who is told next, on all routes.
    pub(crate) escalate: Vec<Escalation>,
    /// Receivers that only record.
    pub(crate) shadow: Vec<&'static str>,
    pub(crate) composer: Arc<dyn Compose>,
    pub(crate) pipeline: Pipeline,
    pub(crate) kept: MemoryStore,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) now: i64,
    pub(crate) modes: BTreeMap<ChannelId, Mode>,
    /// What vendors took: (when, message).
    pub(crate) taken: Vec<(i64, Message)>,
    /// What was sent again, whatever the vendor said: (when, message).
    pub(crate) resent: Vec<(i64, Message)>,
}

fn settings(
    plans: &[ChannelPlan],
    routed: &[&str],
    escalate: &[Escalation],
    shadow: &[&str],
) -> Settings {
    let mut receivers: BTreeMap<String, ReceiverPlan> = BTreeMap::new();
    for plan in plans {
        let name = plan.id.receiver.clone();
        let receiver = receivers.entry(name.clone()).or_insert_with(|| ReceiverPlan {
            name,
            language: Language::En,
            zone: TimeZone::UTC,
            shadow: shadow.contains(&plan.id.receiver.as_str()),
            storm: None,
            summary: None,
            channels: Vec::new(),
        });
        receiver.channels.push(plan.clone());
    }
    let node = |id: String, receiver: &str, routes| Route {
        id,
        receiver: receiver.to_owned(),
        matchers: Vec::new(),
        continues: true,
        group_by: GroupBy::Labels(vec!["cluster".to_owned()]),
        group_wait: Duration::from_secs(1),
        group_interval: Duration::from_secs(5),
        repeat_interval: Duration::from_hours(4),
        hours: crate::model::Hours::default(),
        hold_until: None,
        escalate: escalate.to_vec(),
        routes,
    };
    let each = routed.iter().enumerate();
    let children = each.map(|(n, to)| node(format!("0.{n}"), to, Vec::new())).collect();
    Settings {
        receivers,
        shadow: false,
        route: node("0".to_owned(), routed[0], children),
        storm: Storm::default(),
        external_url: None,
        links: None,
    }
}

impl Bench {
    pub(crate) fn new(plans: Vec<ChannelPlan>, routed: Vec<&'static str>) -> Bench {
        Bench::with(plans, routed, Arc::new(Plain))
    }

    pub(crate) fn with(
        plans: Vec<ChannelPlan>,
        routed: Vec<&'static str>,
        composer: Arc<dyn Compose>,
    ) -> Bench {
        let kept = MemoryStore::new("w");
        let pipeline = restored(&plans, &routed, &[], &[], &composer, &kept.load(Ts(START)));
        Bench {
            plans,
            routed,
            escalate: Vec::new(),
            shadow: Vec::new(),
            composer,
            pipeline,
            kept,
            incidents: Vec::new(),
            now: START,
            modes: BTreeMap::new(),
            taken: Vec::new(),
            resent: Vec::new(),
        }
    }

    fn incidents(&self) -> Incidents {
        let loaded = Loaded { incidents: self.incidents.clone(), ..Loaded::default() };
        Incidents::restore(crate::incidents::Settings::default(), &loaded)
    }

    pub(crate) fn set(&mut self, name: &str, mode: Mode) {
        self.modes.insert(channel(name), mode);
    }

    /// A new incident; its number.
    pub(crate) fn open(&mut self, severity: Severity) -> u64 {
        self.begin(severity, NoticeReason::Opened)
    }

    /// A new incident that is told for this reason; its number.
    pub(crate) fn begin(&mut self, severity: Severity, reason: NoticeReason) -> u64 {
        let id = self.incidents.len() as u64 + 1;
        let mut incident = probe::failing(id, &format!("job-{id}")).incident;
        incident.severity = severity;
        incident.opened_at = Ts(self.now);
        incident.opened_steady = Ts(self.now);
        self.incidents.push(incident);
        self.news(id, reason);
        id
    }

    pub(crate) fn edit(&mut self, id: u64, reason: NoticeReason, edit: impl FnOnce(&mut Incident)) {
        edit(&mut self.incidents[id as usize - 1]);
        self.news(id, reason);
    }

    pub(crate) fn resolve(&mut self, id: u64) {
        let now = Ts(self.now);
        self.edit(id, NoticeReason::Resolved, |incident| {
            incident.state = IncidentState::Resolved;
            incident.end_reason = Some(EndReason::Recovered);
            incident.resolved_at = Some(now);
            incident.resolved_steady = Some(now);
        });
    }

    pub(crate) fn reopen(&mut self, id: u64) {
        let now = Ts(self.now);
        self.edit(id, NoticeReason::Reopened, |incident| {
            incident.state = IncidentState::Open;
            incident.acknowledged = None;
            incident.nobodys_since = Some(now);
            incident.end_reason = None;
            incident.resolved_at = None;
            incident.resolved_steady = None;
        });
    }

    /// Something changes that is no news.
    pub(crate) fn quietly(&mut self, id: u64, edit: impl FnOnce(&mut Incident)) {
        let incident = &mut self.incidents[id as usize - 1];
        edit(incident);
        self.kept.apply(vec![Change::Incident(Box::new(incident.clone()))]);
        self.turn();
    }

    /// Somebody takes it, or gives it back.
    pub(crate) fn attend(&mut self, id: u64, by: Option<&str>) {
        let at = Ts(self.now);
        let incident = &mut self.incidents[id as usize - 1];
        incident.acknowledged =
            by.map(|by| Acknowledgement { by: by.to_owned(), at, comment: String::new() });
        incident.state = IncidentState::Acknowledged;
        if by.is_none() {
            incident.state = IncidentState::Open;
            incident.nobodys_since = Some(at);
        }
        let incident = incident.clone();
        let known = self.incidents();
        let mut changes = self.pipeline.attended(Time::at(self.now), &incident, &known);
        changes.push(Change::Incident(Box::new(incident)));
        self.kept.apply(changes);
        self.turn();
    }

    /// Other settings come into force.
    pub(crate) fn reload(&mut self) {
        let settings = settings(&self.plans, &self.routed, &self.escalate, &self.shadow);
        let composers = self.plans.iter().map(|p| (p.id.clone(), Arc::clone(&self.composer)));
        self.pipeline.reload(Time::at(self.now), settings, composers.collect());
        self.turn();
    }

    fn news(&mut self, id: u64, reason: NoticeReason) {
        let incident = self.incidents[id as usize - 1].clone();
        let incidents = self.incidents();
        let mut changes = vec![Change::Incident(Box::new(incident))];
        let news = [News { incident: id, reason }];
        changes.extend(self.pipeline.take_news(Time::at(self.now), &news, &incidents));
        self.kept.apply(changes);
        self.turn();
    }

    /// What is due, and the vendors' answers at once.
    pub(crate) fn turn(&mut self) {
        let incidents = self.incidents();
        for _ in 0..1_000 {
            let time = Time::at(self.now);
            let flushed = self.pipeline.flush(time, &incidents);
            self.kept.apply(flushed.changes);
            let resends = flushed.resends.iter();
            self.resent.extend(resends.map(|message| (self.now, message.clone())));
            let sends: Vec<Message> = flushed.sends.into_iter().chain(flushed.resends).collect();
            if sends.is_empty() {
                return;
            }
            for message in sends {
                let error = "as told".to_owned();
                let outcome = match self.modes.get(&message.to) {
                    Some(Mode::Down) => SendOutcome::Retry { after_ms: None, error },
                    Some(Mode::Refuses) => SendOutcome::Rejected { error },
                    Some(Mode::ChokesOn(id)) if self.is_about(&message, *id) => {
                        SendOutcome::Retry { after_ms: None, error }
                    }
                    None | Some(Mode::Up | Mode::ChokesOn(_)) => SendOutcome::Delivered,
                };
                if outcome == SendOutcome::Delivered && message.attempts > 0 {
                    self.taken.push((self.now, message.clone()));
                }
                let changes = self.pipeline.delivered(time, message.id, &outcome);
                self.kept.apply(changes);
            }
        }
        panic!("it sends without end");
    }

    fn is_about(&self, message: &Message, incident: u64) -> bool {
        let notices = message.notices.iter().filter_map(|id| self.kept.notices.get(id));
        notices.into_iter().any(|notice| notice.incident == incident)
    }

    /// Lets time pass, turn by turn.
    pub(crate) fn pass(&mut self, millis: i64) {
        let until = self.now + millis;
        for _ in 0..100_000 {
            let incidents = self.incidents();
            let next = self.pipeline.next_deadline(Time::at(self.now), &incidents);
            let Some(at) = next.filter(|at| at.0 <= until) else {
                self.now = until;
                self.turn();
                return;
            };
            assert!(at.0 > self.now, "a deadline in the past");
            self.now = at.0;
            self.turn();
        }
        panic!("it wakes itself without end");
    }

    /// A new process over what was kept.
    pub(crate) fn restart(&mut self) {
        let loaded = self.kept.load(Ts(self.now));
        let (escalate, shadow) = (&self.escalate, &self.shadow);
        self.pipeline =
            restored(&self.plans, &self.routed, escalate, shadow, &self.composer, &loaded);
        self.turn();
    }

    /// All notices ever, by id.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.kept.notices.values().cloned().collect()
    }

    /// What a channel was told: (incident, reason), in order.
    pub(crate) fn told(&self, name: &str) -> Vec<(u64, NoticeReason)> {
        let to = channel(name);
        let mine = self.taken.iter().filter(|(_, m)| m.to == to);
        let items = |m: &Message| serde_json::from_str::<Vec<(u64, NoticeReason)>>(&m.frozen.body);
        mine.flat_map(|(_, m)| items(m).unwrap()).collect()
    }
}

fn restored(
    plans: &[ChannelPlan],
    routed: &[&str],
    escalate: &[Escalation],
    shadow: &[&str],
    composer: &Arc<dyn Compose>,
    loaded: &Loaded,
) -> Pipeline {
    let composers: Composers =
        plans.iter().map(|plan| (plan.id.clone(), Arc::clone(composer))).collect();
    Pipeline::restore(settings(plans, routed, escalate, shadow), composers, loaded)
}
