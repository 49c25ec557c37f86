//! What is kept standing: a channel such as Alertmanager forgets an alert nobody repeats, so what it
//! was told open is sent again at its interval, and what it was told over for some minutes more.
//!
//! That is no news: no notice, no row of its own, no budget. What is kept is the name each alert
//! goes by, since an incident's labels change with its members while an alert is its labels.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pipeline::{Flushed, Pipeline};
use super::{Affected, ChannelPlan, ItemView, Known, MessageView, compose};
use crate::incidents::Incidents;
use crate::model::{
    Change, ChannelId, EndReason, Incident, IncidentState, Labels, Manner, Message, MessageKind,
    MessageState, NoticeReason, SendOutcome, Severity, Time, Ts,
};

/// Numbers of these sends: no message ever has one.
const FIRST_ID: u64 = 1 << 62;
/// What is over is repeated for so long: Alertmanager's API asks for it.
const AFTER_END: Duration = Duration::from_mins(5);
/// Alerts in one request.
pub(super) const AT_ONCE: usize = 256;
/// A send whose answer has not come by then is lost.
const LOST_AFTER: Duration = Duration::from_mins(5);
/// What the names of kept values begin with.
const KEPT: &str = "standing/";

/// The name an incident goes by on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Alert {
    to: ChannelId,
    incident: u64,
    labels: Labels,
    severity: Severity,
    /// Steady time when its end was told.
    over: Option<Ts>,
}

impl Alert {
    fn of(to: &ChannelId, incident: &Incident) -> Alert {
        let mut labels = incident.routing_labels();
        labels.set("alertname", incident.rule.clone());
        let severity = incident.severity;
        Alert { to: to.clone(), incident: incident.id, labels, severity, over: None }
    }

    fn key(&self) -> String {
        format!("{KEPT}{}/{}", self.incident, self.to)
    }

    fn kept(&self) -> Change {
        // Strings, numbers and string-keyed maps: this cannot fail.
        let value = serde_json::to_string(self).unwrap_or_default();
        Change::Meta { key: self.key(), value }
    }

    fn forgotten(&self) -> Change {
        Change::Meta { key: self.key(), value: String::new() }
    }
}

/// How far the sending to one channel is.
#[derive(Debug, Clone, Default)]
struct Round {
    /// When the next begins; none: now.
    next: Option<Ts>,
    /// In the middle of one: what has been sent so far, by incident.
    after: Option<u64>,
    /// On the wire: its number, and since when.
    in_flight: Option<(u64, Ts)>,
    /// How the last one failed.
    error: Option<String>,
}

/// Everything that is kept standing.
#[derive(Debug, Default)]
pub(super) struct Standing {
    alerts: BTreeMap<(ChannelId, u64), Alert>,
    rounds: BTreeMap<ChannelId, Round>,
    sent: u64,
}

impl Standing {
    /// Goes on where a former process was; the first round begins at once.
    pub(super) fn restore(kept: &[(String, String)]) -> Standing {
        let read = |(key, value): &(String, String)| {
            let alert: Alert = serde_json::from_str(value).ok()?;
            key.starts_with(KEPT).then(|| ((alert.to.clone(), alert.incident), alert))
        };
        let alerts: BTreeMap<(ChannelId, u64), Alert> = kept.iter().filter_map(read).collect();
        let rounds = alerts.keys().map(|(to, _)| (to.clone(), Round::default())).collect();
        Standing { alerts, rounds, sent: 0 }
    }

    /// Incidents that are still spoken of.
    pub(super) fn incidents(&self) -> impl Iterator<Item = u64> {
        self.alerts.keys().map(|(_, incident)| *incident)
    }

    /// Channels with a send on the wire.
    pub(super) fn busy(&self, now: Ts) -> impl Iterator<Item = &ChannelId> {
        let is_busy = move |round: &Round| {
            round.in_flight.is_some_and(|(_, since)| now.since(since) < LOST_AFTER)
        };
        self.rounds.iter().filter(move |(_, round)| is_busy(round)).map(|(to, _)| to)
    }

    /// When rounds begin.
    pub(super) fn due_times(&self) -> impl Iterator<Item = Ts> {
        self.rounds.values().filter_map(|round| round.next)
    }

    /// Puts the names of alerts into what is about to be told, and keeps them. An alert that got
    /// worse is another one to Alertmanager, whose routes go by severity: the former one ends.
    pub(super) fn name(
        &mut self,
        now: Time,
        (to, interval): (&ChannelId, Duration),
        items: Vec<ItemView>,
        changes: &mut Vec<Change>,
    ) -> Vec<ItemView> {
        let first = Round { next: Some(now.steady + interval), ..Round::default() };
        self.rounds.entry(to.clone()).or_insert(first);
        let mut named = Vec::with_capacity(items.len());
        for mut item in items {
            let key = (to.clone(), item.incident.id);
            let fresh = Alert::of(to, &item.incident);
            let known = self.alerts.get(&key).filter(|known| known.over.is_none()).cloned();
            let alert = match known {
                Some(known) if item.incident.is_open() && fresh.severity > known.severity => {
                    let mut former = ended(&item, now.wall);
                    former.incident.labels = known.labels;
                    named.push(former);
                    fresh
                }
                Some(known) => known,
                None => fresh,
            };
            let over = (!item.incident.is_open()).then_some(now.steady);
            let alert = Alert { over, ..alert };
            item.incident.labels = alert.labels.clone();
            named.push(item);
            if self.alerts.get(&key) != Some(&alert) {
                changes.push(alert.kept());
                self.alerts.insert(key, alert);
            }
        }
        named
    }

    /// Takes in the answer to a send of ours: whose it is, unless nobody waits for it.
    fn answered(&mut self, id: u64, outcome: &SendOutcome) -> Option<ChannelId> {
        let of = |round: &Round| round.in_flight.is_some_and(|(number, _)| number == id);
        let (to, round) = self.rounds.iter_mut().find(|(_, round)| of(round))?;
        round.in_flight = None;
        round.error = match outcome {
            SendOutcome::Delivered | SendOutcome::Accepted { .. } => None,
            SendOutcome::Retry { error, .. }
            | SendOutcome::Rejected { error }
            | SendOutcome::Gone { error } => {
                // The rest would fail alike: the next round begins with all of it.
                if matches!(outcome, SendOutcome::Retry { .. }) {
                    round.after = None;
                }
                Some(error.clone())
            }
        };
        Some(to.clone())
    }
}

/// The same, over now.
fn ended(item: &ItemView, now: Ts) -> ItemView {
    let mut over = item.clone();
    over.reason = NoticeReason::Resolved;
    over.incident.state = IncidentState::Resolved;
    over.incident.end_reason = Some(EndReason::Recovered);
    over.incident.resolved_at = Some(now);
    over
}

impl Pipeline {
    /// Sends again what has to stand, where the time has come.
    pub(super) fn stand(&mut self, time: Time, incidents: &Incidents, out: &mut Flushed) {
        self.let_fall(time, incidents, &mut out.changes);
        let due: Vec<(ChannelPlan, Duration)> =
            self.plans().filter_map(|plan| Some((plan.clone(), plan.resend?))).collect();
        for (plan, interval) in due {
            if self.receiver_of(&plan.id).is_none_or(|r| r.shadow) {
                continue;
            }
            if let Some(message) = self.resend(time, &plan, interval, incidents) {
                out.resends.push(message);
            }
        }
    }

    /// Forgets what is over for long, was never told after all, or has no channel any more.
    fn let_fall(&mut self, time: Time, incidents: &Incidents, changes: &mut Vec<Change>) {
        let falls = |alert: &Alert| {
            let repeats = self.plan(&alert.to).is_some_and(|plan| plan.resend.is_some());
            let told = self.ledger.get(alert.incident, &alert.to).is_some_and(|t| t.open);
            let stands = match alert.over {
                Some(at) => time.steady.since(at) < AFTER_END,
                None => told,
            };
            !repeats || !stands || incidents.get(alert.incident).is_none()
        };
        let gone: Vec<(ChannelId, u64)> =
            self.standing.alerts.iter().filter(|(_, a)| falls(a)).map(|(k, _)| k.clone()).collect();
        for key in gone {
            changes.extend(self.standing.alerts.remove(&key).map(|alert| alert.forgotten()));
        }
        let left = &self.standing.alerts;
        let used =
            |to: &ChannelId| left.range((to.clone(), 0)..=(to.clone(), u64::MAX)).count() > 0;
        self.standing.rounds.retain(|to, round| round.in_flight.is_some() || used(to));
    }

    fn resend(
        &mut self,
        time: Time,
        plan: &ChannelPlan,
        interval: Duration,
        incidents: &Incidents,
    ) -> Option<Message> {
        let to = &plan.id;
        let all = self.standing.alerts.range((to.clone(), 0)..=(to.clone(), u64::MAX));
        let alerts: Vec<Alert> = all.map(|(_, alert)| alert.clone()).collect();
        if alerts.is_empty() {
            return None;
        }
        // One at a time: what is said later must not arrive earlier.
        let news_on_the_wire =
            self.in_flight.iter().filter_map(|id| self.messages.get(id)).any(|m| m.to == *to);
        let busy = self.standing.busy(time.steady).any(|channel| channel == to);
        let round = self.standing.rounds.entry(to.clone()).or_default();
        // A time further off than the interval is from a clock that was set back since.
        let early =
            round.next.is_some_and(|at| at > time.steady && at.since(time.steady) <= interval);
        if busy || news_on_the_wire || (early && round.after.is_none()) {
            return None;
        }
        if round.after.is_none() {
            round.next = Some(time.steady + interval);
        }
        let after = round.after.take();
        let mut left = alerts.into_iter().filter(|a| after.is_none_or(|id| a.incident > id));
        let part: Vec<Alert> = left.by_ref().take(AT_ONCE).collect();
        let last = part.last().map(|alert| alert.incident)?;
        round.after = left.next().map(|_| last);
        let error = round.error.clone();
        self.standing.sent += 1;
        let id = FIRST_ID + self.standing.sent;
        let message = self.write(time, plan, id, &part, error, incidents)?;
        let round = self.standing.rounds.entry(to.clone()).or_default();
        round.in_flight = Some((id, time.steady));
        Some(message)
    }

    fn write(
        &self,
        time: Time,
        plan: &ChannelPlan,
        id: u64,
        part: &[Alert],
        error: Option<String>,
        incidents: &Incidents,
    ) -> Option<Message> {
        let receiver = self.receiver_of(&plan.id)?;
        let composer = self.composers.get(&plan.id)?;
        let item = |alert: &Alert| {
            let incident = incidents.get(alert.incident)?.clone();
            let mut item = ItemView {
                reason: NoticeReason::Repeat,
                name: compose::name_of(&incident),
                sequence: 1,
                action: None,
                affected: Affected::default(),
                unacknowledged: None,
                link: None,
                approve_link: None,
                known: Known::Alone,
                incident,
            };
            // What it was told is said again, whatever became of it meanwhile: that is news.
            match alert.over {
                Some(_) if item.incident.is_open() => item = ended(&item, time.wall),
                None if !item.incident.is_open() => {
                    item.incident.state = IncidentState::Open;
                    item.incident.resolved_at = None;
                }
                _ => {}
            }
            item.incident.labels = alert.labels.clone();
            Some(item)
        };
        let view = MessageView {
            id,
            installation: self.installation.clone(),
            key: format!("{}-{id}", self.installation),
            kind: MessageKind::Group,
            receiver: plan.id.receiver.clone(),
            group_key: String::new(),
            group_labels: Labels::default(),
            language: receiver.language,
            zone: receiver.zone.clone(),
            now: time.wall,
            external_url: self.settings.external_url.clone(),
            items: part.iter().filter_map(item).collect(),
            jobs_watched: self.jobs_watched,
            is_reply: false,
            summary: None,
        };
        Some(Message {
            id,
            to: plan.id.clone(),
            endpoint: plan.endpoint.clone(),
            channel_kind: plan.kind.clone(),
            kind: MessageKind::Group,
            group: String::new(),
            notices: Vec::new(),
            named: 0,
            urgent: true,
            frozen: composer.compose(&view).frozen,
            state: MessageState::Due,
            at: time.wall,
            at_steady: time.steady,
            attempts: 0,
            next_attempt: None,
            done_at: None,
            error,
            manner: Manner::Fresh,
            receipt: None,
            print: 0,
        })
    }

    /// Takes in the answer to a send of this kind; false: it is another.
    pub(super) fn stood(&mut self, time: Time, id: u64, outcome: &SendOutcome) -> bool {
        if id < FIRST_ID {
            return false;
        }
        let Some(to) = self.standing.answered(id, outcome) else { return true };
        let health = self.health.entry(to.clone()).or_default();
        match outcome {
            SendOutcome::Delivered | SendOutcome::Accepted { .. } => {
                if health.failing_since.take().is_some() {
                    let others = self.messages.values_mut().filter(|m| m.to == to);
                    others.for_each(|m| m.next_attempt = None);
                }
                health.error = None;
            }
            SendOutcome::Retry { error, .. }
            | SendOutcome::Rejected { error }
            | SendOutcome::Gone { error } => {
                health.failing_since.get_or_insert(time);
                health.failed_at = Some(time.steady);
                health.error = Some(error.clone());
            }
        }
        true
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
