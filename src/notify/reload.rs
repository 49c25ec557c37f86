//! Other receivers, channels and routes come into force while news wait and people know things.

use std::collections::{BTreeMap, BTreeSet};

use super::budget::join;
use super::pipeline::{Composers, Pipeline};
use super::{Budget, ReceiverPlan, Settings};
use crate::model::{ChannelId, Time};

impl Pipeline {
    /// Puts other settings in force. New news go by the new routes; what already waits goes to whom
    /// it was meant for. A channel that left is kept for what it still owes: news that wait, and the
    /// end of what it told. What was sent to an endpoint counts in its budget, whoever uses it.
    /// Messages that are due follow their channel with the next flush.
    pub fn reload(&mut self, time: Time, settings: Settings, mut composers: Composers) {
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
        for (id, receiver) in &mut known {
            // What is silent now is silent for those that leave it, too.
            let now = self.settings.receivers.get(&id.receiver).map(|r| r.shadow);
            receiver.shadow = now.unwrap_or(receiver.shadow || self.settings.shadow);
        }
        for id in known.keys() {
            if let Some(composer) = self.composers.get(id) {
                composers.entry(id.clone()).or_insert_with(|| composer.clone());
            }
        }
        self.leaving = known;
        self.composers = composers;
        self.escalations.replan();
        self.limit_endpoints(time);
        self.health.retain(|id, _| stays.contains(id) || self.leaving.contains_key(id));
        for id in stays {
            let sends = self.sends(&id);
            let health = self.health.entry(id).or_default();
            if !sends {
                // Nothing is tried any more: nobody would ever hear that it works again.
                (health.failing_since, health.error) = (None, None);
            }
        }
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

    /// New limits where there are some; an endpoint nobody uses is kept with its old ones for as
    /// long as what was sent to it counts: it may come back.
    fn limit_endpoints(&mut self, time: Time) {
        let mut limits: BTreeMap<String, Vec<Budget>> = BTreeMap::new();
        for plan in self.plans() {
            join(limits.entry(plan.endpoint.clone()).or_default(), &plan.budgets);
            if let Some(edits) = &plan.edits {
                join(limits.entry(plan.edit_endpoint()).or_default(), &edits.budgets);
            }
        }
        self.endpoints.retain(|name, e| limits.contains_key(name) || !e.is_idle(time.steady));
        for (name, limits) in limits {
            self.endpoints.entry(name).or_default().set_limits(limits);
        }
    }
}
