//! What a channel said after a try, and going on where a former process was.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use super::backoff::{GIVE_UP_AFTER, next_attempt};
use super::budget::Endpoint;
use super::cards::Cards;
use super::compose::is_fold;
use super::escalations::Escalations;
use super::fallback::Handovers;
use super::groups;
use super::ledger::Ledger;
use super::pipeline::{ChannelHealth, Composers, Pipeline};
use super::standing::Standing;
use super::storm;
use super::summary::Summaries;
use crate::model::{
    Change, ChannelId, KnownBy, Loaded, Message, MessageKind, MessageState, Notice, NoticeReason,
    Outcome, SendOutcome, Time,
};

/// Why an end is not told.
const UNHEARD: &str = "nothing of it was told before";

/// The message that told of an incident together with others, if this is how its channel knows it.
/// What a notice ended as says it for good; only a message that has not ended is looked at itself.
fn fold_of(notice: &Notice, messages: &BTreeMap<u64, &Message>) -> Option<u64> {
    match notice.known {
        Some(KnownBy::Itself) => return None,
        Some(KnownBy::Message(id)) => return Some(id),
        None => {}
    }
    let message = || notice.message.and_then(|id| messages.get(&id));
    let folded = notice.reason == NoticeReason::FirstLook
        || notice.outcome == Outcome::Folded
        || message().is_some_and(|m| is_fold(m.kind));
    notice.message.filter(|_| folded)
}

impl Pipeline {
    /// Goes on where a former process was: group timers, last-told state and budget use come from
    /// the stored notices, messages and attempts. A message that was on the wire is sent again,
    /// with the same bytes and the same key.
    pub fn restore(settings: Settings, composers: Composers, loaded: &Loaded) -> Pipeline {
        let mut notices: Vec<Notice> = loaded.notices.clone();
        notices.sort_by_key(|n| n.id);
        let messages: BTreeMap<u64, &Message> = loaded.messages.iter().map(|m| (m.id, m)).collect();
        let at = |n: &Notice| {
            let message = n.message.and_then(|id| messages.get(&id));
            message.map_or(n.at_steady, |m| m.at_steady)
        };
        let mut endpoints: BTreeMap<String, Endpoint> = BTreeMap::new();
        let mut health = BTreeMap::new();
        for plan in settings.receivers.values().flat_map(|r| &r.channels) {
            endpoints.entry(plan.endpoint.clone()).or_default().limit(&plan.budgets);
            if let Some(edits) = &plan.edits {
                endpoints.entry(plan.edit_endpoint()).or_default().limit(&edits.budgets);
            }
            health.insert(plan.id.clone(), ChannelHealth::default());
        }
        for attempt in &loaded.attempts {
            endpoints.entry(attempt.endpoint.clone()).or_default().attempt(attempt.at);
        }
        let every = |n: &Notice| settings.route.of_group(&n.group).repeat_interval;
        let ledger = Ledger::restore(&notices, &at, &every, &|n| fold_of(n, &messages));
        // A group nobody is told open in any more is over.
        let is_told = |n: &Notice| {
            n.message.is_some() && ledger.get(n.incident, &n.to).is_some_and(|t| t.open)
        };
        let alive: BTreeSet<(&ChannelId, &str)> =
            notices.iter().filter(|n| is_told(n)).map(|n| (&n.to, n.group.as_str())).collect();
        let is_alive = |n: &Notice| alive.contains(&(&n.to, n.group.as_str()));
        let groups = groups::restore(&notices, &at, &is_alive);
        let storms = storm::restore(&loaded.messages, &notices, settings.route.group_interval);
        let due = |m: &&Message| m.state == MessageState::Due;
        let handovers = Handovers::restore(&notices);
        let escalations = Escalations::restore(&notices, &at);
        let pending = notices.into_iter().filter(|n| n.outcome == Outcome::Pending);
        let notices: BTreeMap<u64, Notice> = pending.map(|n| (n.id, n)).collect();
        Pipeline {
            installation: loaded.installation.clone(),
            by_incident: notices.values().map(|n| (n.incident, n.id)).collect(),
            notices,
            messages: loaded.messages.iter().filter(due).map(|m| (m.id, m.clone())).collect(),
            in_flight: BTreeSet::new(),
            ledger,
            standing: Standing::restore(&loaded.meta),
            handovers,
            escalations,
            groups,
            left_groups: BTreeSet::new(),
            endpoints,
            health,
            leaving: BTreeMap::new(),
            free_again: BTreeMap::new(),
            cards: Cards::restore(&loaded.meta),
            edits_free_at: BTreeMap::new(),
            live_at: None,
            openings: BTreeMap::new(),
            storms,
            newest_look: None,
            counts: BTreeMap::new(),
            next_notice: loaded.max_notice + 1,
            next_message: loaded.max_message + 1,
            first_look_ready: None,
            jobs_watched: 0,
            summaries: Summaries::restore(loaded),
            settings,
            composers,
        }
    }

    /// Takes in the result of a try.
    pub fn delivered(&mut self, time: Time, id: u64, outcome: &SendOutcome) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.stood(time, id, outcome) {
            return changes;
        }
        self.in_flight.remove(&id);
        let Some(mut message) = self.messages.get(&id).cloned() else { return changes };
        if message.is_live() {
            return self.live_delivered(time, message, outcome);
        }
        let health = self.health.entry(message.to.clone()).or_default();
        match outcome {
            SendOutcome::Gone { error } => {
                self.tell_anew(time, &message, error, &mut changes);
                return changes;
            }
            SendOutcome::Delivered | SendOutcome::Accepted { .. } => {
                health.outage = std::mem::take(&mut health.failures);
                if health.failing_since.is_some() {
                    // What failed more often than the channel did waits on by itself.
                    let waited =
                        |m: &&mut Message| m.to == message.to && m.attempts <= health.outage;
                    let others = self.messages.values_mut().filter(waited);
                    others.for_each(|m| m.next_attempt = None);
                }
                health.failing_since = None;
                health.error = None;
                health.sent += 1;
                message.state = MessageState::Sent;
                message.error = None;
                message.receipt = Pipeline::receipt(outcome);
            }
            SendOutcome::Retry { after_ms, error } => {
                health.failing_since.get_or_insert(time);
                health.failed_at = Some(time.steady);
                health.error = Some(error.clone());
                message.error = Some(error.clone());
                if time.steady.since(message.at_steady) > GIVE_UP_AFTER {
                    message.state = MessageState::Failed;
                } else {
                    let own = next_attempt(time.steady, id, message.attempts, *after_ms);
                    let line = if message.manner.is_edit() {
                        own
                    } else {
                        health.failures = health.failures.saturating_add(1);
                        next_attempt(time.steady, id, health.failures, *after_ms)
                    };
                    message.next_attempt = Some(own.max(line));
                    // One message tries whether the channel is back: the others would only use up
                    // the budget they need then. The next to try may be another one.
                    let same = |m: &&mut Message| {
                        m.to == message.to && m.endpoint == message.endpoint && m.id != id
                    };
                    let others = self.messages.values_mut().filter(same);
                    for other in others.filter(|m| m.next_attempt.is_none_or(|due| due < line)) {
                        other.next_attempt = Some(line);
                    }
                }
            }
            SendOutcome::Rejected { error } => {
                health.failing_since.get_or_insert(time);
                health.failed_at = Some(time.steady);
                health.error = Some(error.clone());
                message.error = Some(error.clone());
                message.state = MessageState::Failed;
            }
        }
        if message.state == MessageState::Due {
            changes.push(Change::Message(Box::new(message.clone())));
            self.messages.insert(id, message);
            return changes;
        }
        message.done_at = Some(time.wall);
        self.messages.remove(&id);
        if message.state == MessageState::Sent {
            self.note_taken(time, &message, &mut changes);
        }
        let handed = self.settle(time, &message, &mut changes);
        self.follow(time, handed, &mut changes);
        changes.push(Change::Message(Box::new(message)));
        changes
    }

    /// A message that will never be sent.
    pub(super) fn give_up(&mut self, time: Time, id: u64, why: &str, changes: &mut Vec<Change>) {
        self.in_flight.remove(&id);
        let Some(mut message) = self.messages.remove(&id) else { return };
        message.state = MessageState::Failed;
        message.error = Some(why.to_owned());
        message.done_at = Some(time.wall);
        let handed = self.settle(time, &message, changes);
        self.follow(time, handed, changes);
        changes.push(Change::Message(Box::new(message)));
    }

    /// The notices of a message that reached its end reach theirs. Of what incidents it was handed
    /// over, from whom and to whom.
    pub(super) fn settle(
        &mut self,
        time: Time,
        message: &Message,
        changes: &mut Vec<Change>,
    ) -> Vec<(u64, ChannelId, ChannelId)> {
        let mut handed = BTreeSet::new();
        let failed = message.state == MessageState::Failed;
        let stand_in = failed.then(|| self.stand_in(&message.to)).flatten();
        let folds = matches!(message.kind, MessageKind::Digest | MessageKind::Storm);
        for (position, id) in message.notices.iter().enumerate() {
            let counted_only = position >= message.named as usize && message.notices.len() > 1;
            let mut incident = None;
            if let Some(notice) = self.notices.get_mut(id) {
                notice.attempts = message.attempts;
                notice.error.clone_from(&message.error);
                incident = Some(notice.incident);
                if message.state == MessageState::Failed {
                    self.ledger.untell(notice);
                }
            }
            if let Some(stand_in) = &stand_in {
                handed.extend(incident.map(|i| (i, message.to.clone(), stand_in.clone())));
                self.hand_over(time, *id, stand_in, changes);
                continue;
            }
            if let Some(incident) = incident.filter(|_| failed) {
                self.end_unheard(time, incident, &message.to, changes);
            }
            let outcome = match message.state {
                MessageState::Failed => Outcome::Failed,
                _ if folds || counted_only => Outcome::Folded,
                _ => Outcome::Sent,
            };
            self.finish(*id, outcome, time, changes);
        }
        handed.into_iter().collect()
    }

    /// Who was told nothing of an incident need not be told that it is over.
    fn end_unheard(
        &mut self,
        time: Time,
        incident: u64,
        to: &ChannelId,
        changes: &mut Vec<Change>,
    ) {
        if self.ledger.get(incident, to).is_some_and(|told| told.open) {
            return;
        }
        let end =
            |n: &&Notice| n.to == *to && n.message.is_none() && n.reason == NoticeReason::Resolved;
        let ends: Vec<u64> = self.of_incident(incident).filter(end).map(|n| n.id).collect();
        for id in ends {
            self.close(id, Outcome::Muted, UNHEARD, time, changes);
        }
    }
}
