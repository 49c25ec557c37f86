//! Other receivers, channels and routes come into force while news wait and people know things.

use std::collections::{BTreeMap, BTreeSet};

use super::budget::join;
use super::pipeline::{Composers, Pipeline};
use super::{Budget, ReceiverPlan, Settings};
use crate::model::{Change, ChannelId, MessageState, NoticeReason, Time};

/// Why a message of a channel that is of another kind now is written anew.
const OTHER_KIND: &str = "its channel is of another kind now; what it said is told anew";

impl Pipeline {
    /// Puts other settings in force. New news go by the new routes; what already waits goes to whom
    /// it was meant for. A channel that left is kept for what it still owes: news that wait, and the
    /// end of what it told. What was sent to an endpoint counts in its budget, whoever uses it.
    pub fn reload(
        &mut self,
        time: Time,
        settings: Settings,
        mut composers: Composers,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let kinds: BTreeMap<ChannelId, String> =
            self.plans().map(|p| (p.id.clone(), p.kind.clone())).collect();
        let mut known = std::mem::take(&mut self.leaving);
        for receiver in self.settings.receivers.values() {
            for plan in &receiver.channels {
                let alone = ReceiverPlan { channels: vec![plan.clone()], ..receiver.clone() };
                known.insert(plan.id.clone(), alone);
            }
        }
        self.settings = settings;
        let stays: BTreeSet<ChannelId> = self.plans().map(|p| p.id.clone()).collect();
        known.retain(|id, receiver| !stays.contains(id) && self.owes(id, receiver));
        for id in known.keys() {
            if let Some(composer) = self.composers.get(id) {
                composers.entry(id.clone()).or_insert_with(|| composer.clone());
            }
        }
        self.leaving = known;
        self.composers = composers;
        self.redirect(time, &kinds, &mut changes);
        self.limit_endpoints(time);
        self.health.retain(|id, _| stays.contains(id) || self.leaving.contains_key(id));
        for id in stays {
            self.health.entry(id).or_default();
        }
        changes
    }

    /// Channels that have said all they owed are forgotten.
    pub(super) fn let_go(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        let mut leaving = std::mem::take(&mut self.leaving);
        leaving.retain(|id, receiver| {
            let owes = self.owes(id, receiver);
            if !owes {
                self.health.remove(id);
                self.composers.remove(id);
            }
            owes
        });
        self.leaving = leaving;
    }

    fn owes(&self, id: &ChannelId, receiver: &ReceiverPlan) -> bool {
        let tells_ends = receiver.channels.iter().any(|c| c.send_resolved);
        let waits = self.notices.values().any(|n| n.to == *id);
        waits
            || self.messages.values().any(|m| m.to == *id)
            || (tells_ends && self.ledger.open().any(|(_, to, _)| to == id))
    }

    /// Messages that are due go where their channel leads now; where that speaks another language
    /// than their bytes, they are written anew.
    fn redirect(
        &mut self,
        time: Time,
        kinds: &BTreeMap<ChannelId, String>,
        changes: &mut Vec<Change>,
    ) {
        let waiting = self.messages.keys().filter(|id| !self.in_flight.contains(id));
        let waiting: Vec<u64> = waiting.copied().collect();
        for id in waiting {
            let Some(message) = self.messages.get(&id) else { continue };
            let Some(plan) = self.plan(&message.to) else { continue };
            let endpoint = plan.endpoint.clone();
            if kinds.get(&message.to).is_some_and(|kind| *kind != plan.kind) {
                self.write_anew(time, id, changes);
            } else if message.endpoint != endpoint
                && let Some(message) = self.messages.get_mut(&id)
            {
                // Another address may work at once.
                message.endpoint = endpoint;
                message.next_attempt = None;
                changes.push(Change::Message(Box::new(message.clone())));
            }
        }
    }

    fn write_anew(&mut self, time: Time, id: u64, changes: &mut Vec<Change>) {
        let Some(mut message) = self.messages.remove(&id) else { return };
        message.state = MessageState::Failed;
        message.error = Some(OTHER_KIND.to_owned());
        message.done_at = Some(time.wall);
        for notice in &message.notices {
            if let Some(notice) = self.notices.get_mut(notice) {
                if notice.reason != NoticeReason::Resolved {
                    self.ledger.untell(notice);
                }
                notice.message = None;
                changes.push(Change::Notice(Box::new(notice.clone())));
            }
        }
        changes.push(Change::Message(Box::new(message)));
    }

    /// New limits where there are some; an endpoint nobody uses is kept with its old ones for as
    /// long as what was sent to it counts: it may come back.
    fn limit_endpoints(&mut self, time: Time) {
        let mut limits: BTreeMap<String, Vec<Budget>> = BTreeMap::new();
        for plan in self.plans() {
            join(limits.entry(plan.endpoint.clone()).or_default(), &plan.budgets);
        }
        self.endpoints.retain(|name, e| limits.contains_key(name) || !e.is_idle(time.steady));
        for (name, limits) in limits {
            self.endpoints.entry(name).or_default().set_limits(limits);
        }
    }
}
