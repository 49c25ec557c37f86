//! Messages follow their incidents: what changed without being news is shown, debounced.
//!
//! Such an edit is best effort. It is never retried, since by then a later one says more: what is
//! not shown still differs, and is tried again. It stands in nobody's way: it is made only while
//! nothing else waits for its channel, one at a time, and takes nothing from the budgets' reserves.

use std::collections::{BTreeMap, BTreeSet};

use super::cards::{Card, MAX_INCIDENTS};
use super::pipeline::Pipeline;
use super::{compose, print};
use crate::incidents::Incidents;
use crate::model::{
    Change, ChannelId, Incident, MAX_RECEIPT, Manner, Message, MessageKind, MessageState,
    NoticeReason, SendOutcome, Time, Ts,
};

/// Why an edit that was not sent is not sent.
const OUTDATED: &str = "a later edit says more";

impl Pipeline {
    /// Edits that wait, from before a restart or for a place in a budget, are made anew.
    pub(super) fn drop_waiting_edits(&mut self, time: Time, changes: &mut Vec<Change>) {
        let waiting: Vec<u64> = self
            .messages
            .values()
            .filter(|m| m.is_live() && !self.in_flight.contains(&m.id))
            .map(|m| m.id)
            .collect();
        for id in waiting {
            self.give_up(time, id, OUTDATED, changes);
        }
    }

    /// Brings messages up to date whose incidents look otherwise now.
    pub(super) fn show_changes(
        &mut self,
        time: Time,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        self.live_at = None;
        let mut gone = Vec::new();
        let mut open = Vec::new();
        let mut due: BTreeMap<ChannelId, (Ts, u64)> = BTreeMap::new();
        // What it ended by is shown when it is told; it may yet be back before.
        let ends = self.notices.values().filter(|n| n.reason == NoticeReason::Resolved);
        let ending: BTreeSet<(u64, &ChannelId)> = ends.map(|n| (n.incident, &n.to)).collect();
        for (root, card) in self.cards.iter() {
            let known: Vec<&Incident> =
                card.incidents.iter().filter_map(|id| incidents.get(*id)).collect();
            if known.is_empty() {
                gone.push(root);
                continue;
            }
            let is_open = known.iter().any(|i| i.is_open());
            if is_open != card.open {
                open.push((root, is_open));
            }
            if known.iter().any(|i| ending.contains(&(i.id, &card.to))) {
                continue;
            }
            let Some(at) = self.out_of_date(time.steady, root, card, &known) else { continue };
            if at > time.steady {
                self.live_at = Some(self.live_at.map_or(at, |first| first.min(at)));
            } else {
                let first = due.entry(card.to.clone()).or_insert((card.shown_at, root));
                *first = (*first).min((card.shown_at, root));
            }
        }
        for (root, is_open) in open {
            if let Some(card) = self.cards.get_mut(root) {
                card.open = is_open;
            }
        }
        for root in gone {
            self.cards.remove(root, changes);
        }
        for (to, (_, root)) in due {
            // Its answer, or that of what is before it, brings us back here.
            if !self.messages.values().any(|m| m.to == to) {
                self.edit_live(time, root, incidents, changes);
            }
        }
    }

    /// When a message is to be edited for what changed; `None`: never, as things are.
    fn out_of_date(&self, now: Ts, root: u64, card: &Card, known: &[&Incident]) -> Option<Ts> {
        let edits = self.plan(&card.to)?.edits.as_ref()?;
        if self.receiver_of(&card.to)?.shadow || !self.can_edit(now, root) {
            return None;
        }
        // The lines of what is long over stay as they are.
        if !card.open && known.len() < card.incidents.len() {
            return None;
        }
        let differs = print::of(known.iter().copied()) != card.shown;
        differs.then(|| card.next_edit(now, edits.debounce))
    }

    fn edit_live(
        &mut self,
        time: Time,
        root: u64,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        let Some(card) = self.cards.get(root) else { return };
        let Some(plan) = self.plan(&card.to).cloned() else { return };
        let endpoint = self.endpoints.entry(plan.edit_endpoint()).or_default();
        let free = endpoint.free_at(time.steady, 0, true);
        if free > time.steady {
            self.live_at = Some(self.live_at.map_or(free, |first| first.min(free)));
            return;
        }
        let id = card.slot.unwrap_or(self.next_message);
        self.next_message = self.next_message.max(id + 1);
        let Some(message) = compose::live(self, time, &plan, root, id, incidents) else { return };
        if let Some(card) = self.cards.get_mut(root) {
            card.slot = Some(id);
            card.tries = message.attempts + 1;
            card.hurry = false;
            card.shown_at = time.steady;
        }
        self.cards.keep(root, changes);
        changes.push(Change::Message(Box::new(message.clone())));
        self.messages.insert(id, message);
    }

    /// What a channel said to an edit without news.
    pub(super) fn live_delivered(
        &mut self,
        time: Time,
        mut message: Message,
        outcome: &SendOutcome,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        self.messages.remove(&message.id);
        message.done_at = Some(time.wall);
        let Some(root) = message.manner.of() else { return changes };
        let (state, error) = match outcome {
            SendOutcome::Delivered | SendOutcome::Accepted { .. } => (MessageState::Sent, None),
            SendOutcome::Retry { error, .. }
            | SendOutcome::Rejected { error }
            | SendOutcome::Gone { error } => (MessageState::Failed, Some(error.clone())),
        };
        (message.state, message.error) = (state, error);
        if let Some(card) = self.cards.get_mut(root) {
            card.shown_at = time.steady;
            if message.state == MessageState::Sent {
                (card.shown, card.misses) = (message.print, 0);
            } else {
                card.misses = card.misses.saturating_add(1);
            }
        }
        if matches!(outcome, SendOutcome::Gone { .. }) {
            self.cards.remove(root, &mut changes);
        } else {
            self.cards.keep(root, &mut changes);
        }
        changes.push(Change::Message(Box::new(message)));
        changes
    }

    /// A vendor took a message: from now on it can be edited, or it shows what its edit shows.
    pub(super) fn note_taken(&mut self, time: Time, message: &Message, changes: &mut Vec<Change>) {
        match &message.manner {
            Manner::Fresh => self.keep_card(message, changes),
            Manner::Edit { of, .. } => {
                if let Some(card) = self.cards.get_mut(*of) {
                    card.shown = message.print;
                    card.shown_at = time.steady;
                    card.misses = 0;
                }
                self.cards.keep(*of, changes);
            }
            Manner::Reply { of, .. } => {
                if let Some(card) = self.cards.get_mut(*of) {
                    card.hurry = true;
                }
            }
        }
    }

    fn keep_card(&mut self, message: &Message, changes: &mut Vec<Change>) {
        let Some(plan) = self.plan(&message.to) else { return };
        let shadow = message.state == MessageState::Shadow;
        let receipt = message.receipt.clone().filter(|_| !shadow);
        if plan.edits.is_none() || message.kind == MessageKind::Test {
            return;
        }
        let Some(receipt) = receipt.or_else(|| shadow.then(String::new)) else { return };
        let mut incidents: Vec<u64> = Vec::new();
        for notice in message.notices.iter().filter_map(|id| self.notices.get(id)) {
            if !incidents.contains(&notice.incident) {
                incidents.push(notice.incident);
            }
        }
        incidents.sort_unstable();
        if incidents.is_empty() || incidents.len() > MAX_INCIDENTS {
            return;
        }
        let card = Card {
            to: message.to.clone(),
            endpoint: plan.endpoint.clone(),
            kind: message.kind,
            group: message.group.clone(),
            receipt,
            incidents,
            posted: message.at_steady,
            shown: message.print,
            shown_at: message.at_steady,
            slot: None,
            tries: 0,
            misses: 0,
            hurry: false,
            open: true,
        };
        self.cards.put(message.id, card, changes);
    }

    /// What an edit or a reply is about is gone: what it had to say is told in a new message.
    pub(super) fn tell_anew(
        &mut self,
        time: Time,
        message: &Message,
        error: &str,
        changes: &mut Vec<Change>,
    ) {
        if let Some(root) = message.manner.of() {
            self.cards.remove(root, changes);
        }
        let about: BTreeSet<u64> = message
            .notices
            .iter()
            .filter_map(|n| self.notices.get(n))
            .map(|n| n.incident)
            .collect();
        for incident in about {
            let what = format!("told in a new message on {}: {error}", message.to);
            changes.push(Change::Event { incident, at: time.wall, what });
        }
        let why = format!("{error}; what it said is told in a new message");
        self.write_anew(time, message.id, &why, changes);
    }

    /// What a vendor calls a message, if that can be kept.
    pub(super) fn receipt(outcome: &SendOutcome) -> Option<String> {
        match outcome {
            SendOutcome::Accepted { receipt } => {
                Some(receipt.clone()).filter(|r| !r.is_empty() && r.len() <= MAX_RECEIPT)
            }
            _ => None,
        }
    }
}
