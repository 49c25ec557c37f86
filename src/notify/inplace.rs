//! One incident, one message: what becomes of news where a channel can edit what it sent.
//!
//! An edit rings nobody's phone. So news that somebody must notice also stand in a reply below the
//! message, and the message is brought up to date at once:
//!
//! | news | no message of it can be edited | one can: carried by | the message |
//! | --- | --- | --- | --- |
//! | opened, first look | a new message | a loud reply | is edited at once |
//! | worse, reopened, flapping | a new message | a loud reply | is edited at once |
//! | repeat, escalated | a new message | a loud reply | is edited at once |
//! | resolved | a new message | the edit itself | |
//! | resolved, with `reply_resolved` | a new message | a quiet reply | is edited at once |
//! | none, but it looks otherwise (count, state, checkpoint, acknowledged) | nothing | nobody | is edited, debounced |
//!
//! What follows from it:
//!
//! - **A message can be edited** once its vendor took it and said what it calls it (a receipt), for
//!   as long as the vendor allows, while its channel has the same address. Until it is taken, news
//!   of its incidents wait for it. What the vendor will not edit is told in a new message, which
//!   the timeline says.
//! - **Whatever a message tells of is edited as one**: a storm, digest or first report shows all its
//!   incidents until the last is over. The first message about an incident stays the one its news
//!   belong to; others that show it are kept up to date beside it.
//! - **An edit is a message** with notices of its own if it carries news: frozen, committed,
//!   retried, given up as any other. Without news it is *live* (`live.rs`): not retried, since a
//!   later one says more, one row of the store for all of them, and no notice.
//! - **Edits have their own budgets**, since vendors count them apart.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::Hold;
use super::pipeline::Pipeline;
use super::{ChannelPlan, compose};
use crate::incidents::Incidents;
use crate::model::{Change, ChannelId, Manner, Notice, NoticeReason, Time, Ts};

/// How news reach their readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By a message of its own.
    Fresh,
    /// By changing the message they know.
    Edit,
    /// By a reply below it.
    Reply { loud: bool },
}

/// The table above.
pub(super) fn way(reason: NoticeReason, editable: bool, reply_resolved: bool) -> Way {
    match reason {
        _ if !editable => Way::Fresh,
        NoticeReason::Resolved if reply_resolved => Way::Reply { loud: false },
        // Who has it is shown, and rings nobody's phone.
        NoticeReason::Resolved | NoticeReason::Acknowledged | NoticeReason::Unacknowledged => {
            Way::Edit
        }
        NoticeReason::Opened
        | NoticeReason::FirstLook
        | NoticeReason::Worse
        | NoticeReason::Reopened
        | NoticeReason::Flapping
        | NoticeReason::Repeat
        | NoticeReason::Escalated
        | NoticeReason::Approval
        | NoticeReason::GaveUp => Way::Reply { loud: true },
    }
}

impl Pipeline {
    /// The message a channel was told of an incident by, if it can still be edited.
    pub(super) fn editable(&self, now: Ts, incident: u64, to: &ChannelId) -> Option<u64> {
        let root = self.cards.of(incident, to)?;
        self.can_edit(now, root).then_some(root)
    }

    pub(super) fn can_edit(&self, now: Ts, root: u64) -> bool {
        let Some(card) = self.cards.get(root) else { return false };
        let Some(plan) = self.plan(&card.to) else { return false };
        let Some(edits) = &plan.edits else { return false };
        let shadow = self.receiver_of(&card.to).is_some_and(|r| r.shadow);
        card.endpoint == plan.endpoint
            && (shadow || !card.receipt.is_empty())
            && now.since(card.posted) < edits.within
    }

    fn way(&self, now: Ts, notice: &Notice) -> Way {
        let edits = self.plan(&notice.to).and_then(|p| p.edits.as_ref());
        let reply_resolved = edits.is_some_and(|e| e.reply_resolved);
        let editable = self.editable(now, notice.incident, &notice.to).is_some();
        way(notice.reason, editable, reply_resolved)
    }

    /// Incidents whose message the vendor has not taken yet.
    fn on_their_way(&self, to: &ChannelId) -> BTreeSet<u64> {
        let fresh = self.messages.values().filter(|m| m.to == *to && m.manner == Manner::Fresh);
        let notices = fresh.flat_map(|m| &m.notices).filter_map(|id| self.notices.get(id));
        notices.map(|n| n.incident).collect()
    }

    /// Where each incident has a thread of its own, what is told of one after a message about many
    /// depends on whether its vendor takes that one; returns the others.
    pub(super) fn wait_for_folds(
        &mut self,
        to: &ChannelId,
        ids: Vec<u64>,
        changes: &mut Vec<Change>,
    ) -> Vec<u64> {
        if !self.plan(to).is_some_and(|plan| plan.per_incident) {
            return ids;
        }
        let waits = |id: &u64| {
            let told = self.notices.get(id).and_then(|n| self.ledger.get(n.incident, to));
            let fold = told.and_then(|told| told.fold);
            fold.is_some_and(|message| self.messages.contains_key(&message))
        };
        let (waiting, free): (Vec<u64>, Vec<u64>) = ids.into_iter().partition(waits);
        for id in waiting {
            self.hold(id, Some(&Hold::OnItsWay), changes);
        }
        free
    }

    /// Takes care of news that only change a message, and of those that wait for it; returns the
    /// others.
    pub(super) fn edit_in_place(
        &mut self,
        time: Time,
        to: &ChannelId,
        ids: Vec<u64>,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) -> Vec<u64> {
        let Some(plan) = self.plan(to).filter(|p| p.edits.is_some()).cloned() else { return ids };
        let on_their_way = self.on_their_way(to);
        let mut by_card = BTreeMap::<u64, Vec<u64>>::new();
        let mut others = Vec::new();
        for id in ids {
            let Some(notice) = self.notices.get(&id) else { continue };
            if on_their_way.contains(&notice.incident) {
                self.hold(id, Some(&Hold::OnItsWay), changes);
                continue;
            }
            let root = self.editable(time.steady, notice.incident, to);
            match (self.way(time.steady, notice), root) {
                (Way::Edit, Some(root)) => by_card.entry(root).or_default().push(id),
                _ => others.push(id),
            }
        }
        for (root, ids) in by_card {
            let due = self.due_notices(time, to, &ids);
            if !due.is_empty() {
                self.compose_edit(time, &plan, root, &due, incidents, changes);
            }
        }
        others
    }

    fn compose_edit(
        &mut self,
        time: Time,
        plan: &ChannelPlan,
        root: u64,
        ids: &[u64],
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        let Some(card) = self.cards.get(root) else { return };
        let (kind, group) = (card.kind, card.group.clone());
        let manner = Manner::Edit { of: root, receipt: card.receipt.clone() };
        let name = plan.edit_endpoint();
        let ahead = self.promised(&name);
        let endpoint = self.endpoints.entry(name).or_default();
        let free = endpoint.free_at(time.steady, ahead, false);
        if free > time.steady {
            let why = Hold::Edits(format!("edits, {}", endpoint.describe()));
            self.edits_free_at.insert(plan.id.clone(), free);
            for id in ids {
                self.hold(*id, Some(&why), changes);
            }
            return;
        }
        compose::message(self, time, plan, kind, &group, ids, true, manner, incidents, changes);
    }

    /// What a message of these news does with an earlier one: a reply, if all of them are told
    /// below the same one.
    pub(super) fn manner_of(&self, now: Ts, to: &ChannelId, ids: &[u64]) -> Manner {
        let notices = || ids.iter().filter_map(|id| self.notices.get(id));
        let root = notices().next().and_then(|n| self.editable(now, n.incident, to));
        let Some(root) = root else { return Manner::Fresh };
        if !notices().all(|n| self.editable(now, n.incident, to) == Some(root)) {
            return Manner::Fresh;
        }
        let Some(card) = self.cards.get(root) else { return Manner::Fresh };
        let loud = notices().any(|n| self.way(now, n) == Way::Reply { loud: true });
        Manner::Reply { of: root, receipt: card.receipt.clone(), loud }
    }

    /// What belongs into one message where a channel has one per incident: the message that may be
    /// replied to, else the incident.
    pub(super) fn thread_of(&self, now: Ts, notice: &Notice) -> (u64, u64) {
        match self.editable(now, notice.incident, &notice.to) {
            Some(root) => (root, 0),
            None => (0, notice.incident),
        }
    }

    /// News go into a new message though there is an earlier one: it is no longer edited, and the
    /// timeline says so.
    pub(super) fn leave_old_cards(
        &mut self,
        time: Time,
        to: &ChannelId,
        ids: &[u64],
        changes: &mut Vec<Change>,
    ) {
        let about: BTreeSet<u64> =
            ids.iter().filter_map(|id| self.notices.get(id)).map(|n| n.incident).collect();
        for incident in about {
            let Some(root) = self.cards.of(incident, to) else { continue };
            if !self.can_edit(time.steady, root) {
                let what = format!(
                    "told in a new message on {to}: message {root} can no longer be edited"
                );
                changes.push(Change::Event { incident, at: time.wall, what });
                self.cards.remove(root, changes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Way, way};
    use crate::model::NoticeReason::{
        Acknowledged, Escalated, FirstLook, Flapping, Opened, Reopened, Repeat, Resolved, Worse,
    };

    #[test]
    fn the_table() {
        let loud = Way::Reply { loud: true };
        let quiet = Way::Reply { loud: false };
        for (reason, editable, asked) in [
            (Opened, loud, loud),
            (FirstLook, loud, loud),
            (Worse, loud, loud),
            (Reopened, loud, loud),
            (Flapping, loud, loud),
            (Repeat, loud, loud),
            (Escalated, loud, loud),
            (Acknowledged, Way::Edit, Way::Edit),
            (Resolved, Way::Edit, quiet),
        ] {
            assert_eq!(way(reason, true, false), editable, "{reason:?}");
            assert_eq!(way(reason, true, true), asked, "{reason:?}");
            for reply_resolved in [false, true] {
                assert_eq!(way(reason, false, reply_resolved), Way::Fresh, "{reason:?}");
            }
        }
    }
}
