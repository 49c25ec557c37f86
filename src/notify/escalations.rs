//! What escalation has to remember of each incident: since when a receiver knows of it, and whom it
//! was escalated to. Rebuilt from the stored notices, so that nothing is escalated twice or lost.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChannelId, Notice, NoticeReason, Outcome, Ts};

use super::pipeline::is_opening;

/// All of it, by incident.
#[derive(Debug, Default)]
pub(super) struct Escalations(BTreeMap<u64, Episode>);

/// One incident, since it opened or came back.
#[derive(Debug, Default)]
struct Episode {
    /// Steady time of the news that began it.
    since: Option<Ts>,
    /// When news of it were first written for a receiver, and of which rank: again for each rise.
    told: BTreeMap<String, Vec<(Ts, u8)>>,
    /// Channels it was escalated to.
    to: BTreeSet<ChannelId>,
    /// The same in all episodes.
    ever: BTreeSet<ChannelId>,
    /// Steady time when Weir gave up restarting its job.
    gave_up: Option<Ts>,
    next: Next,
}

/// When there may be something to do about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Next {
    /// Nothing before this, if nothing is told of it meanwhile.
    pub(super) look: Option<Ts>,
    /// Steady time of its next step.
    pub(super) due: Option<Ts>,
}

impl Escalations {
    /// Rebuilds it from notices in order of their ids; `at`: when its message was written.
    pub(super) fn restore(notices: &[Notice], at: &dyn Fn(&Notice) -> Ts) -> Escalations {
        let mut all = Escalations::default();
        for notice in notices {
            all.note(notice);
            if notice.message.is_some() {
                all.told(notice, at(notice));
            }
            all.ended(notice);
        }
        all
    }

    /// A notice is on its way.
    pub(super) fn note(&mut self, notice: &Notice) {
        let episode = self.0.entry(notice.incident).or_default();
        episode.next = Next::default();
        // One that is handed over late belongs to the episode it began.
        let newer = episode.since.is_none_or(|since| notice.at_steady > since);
        if is_opening(notice.reason) && newer {
            episode.since = Some(notice.at_steady);
            episode.told.clear();
            episode.to.clear();
            episode.gave_up = None;
        }
        if notice.reason == NoticeReason::GaveUp {
            episode.gave_up = Some(notice.at_steady);
        }
        if notice.reason == NoticeReason::Escalated {
            episode.to.insert(notice.to.clone());
            episode.ever.insert(notice.to.clone());
        }
    }

    /// A notice went into a message. A first report alarms nobody, and starts no clock.
    pub(super) fn told(&mut self, notice: &Notice, at: Ts) {
        // Who heard that it is over has to hear again that nobody has it.
        if notice.reason == NoticeReason::Resolved
            && let Some(episode) = self.0.get_mut(&notice.incident)
        {
            episode.to.remove(&notice.to);
            episode.next = Next::default();
        }
        if !is_opening(notice.reason) && notice.reason != NoticeReason::Worse {
            return;
        }
        let episode = self.0.entry(notice.incident).or_default();
        let told = episode.told.entry(notice.to.receiver.clone()).or_default();
        // A start reads notices in order of their ids, which need not be that of the messages.
        if !told.iter().any(|(known, rank)| *known <= at && *rank >= notice.rank) {
            told.push((at, notice.rank));
            episode.next = Next::default();
        }
    }

    /// A notice reached its end: what somebody acknowledged before it was told may yet be told.
    pub(super) fn ended(&mut self, notice: &Notice) {
        let untold = matches!(notice.outcome, Outcome::Muted | Outcome::Brief);
        if untold
            && notice.reason == NoticeReason::Escalated
            && let Some(episode) = self.0.get_mut(&notice.incident)
        {
            episode.to.remove(&notice.to);
            episode.next = Next::default();
        }
    }

    /// Since when a receiver knows of an incident of at least this rank.
    pub(super) fn known_since(&self, incident: u64, receiver: &str, rank: u8) -> Option<Ts> {
        let told = self.0.get(&incident)?.told.get(receiver)?;
        told.iter().filter(|(_, of)| *of >= rank).map(|(at, _)| *at).min()
    }

    /// Since when Weir does no more about it.
    pub(super) fn gave_up(&self, incident: u64) -> Option<Ts> {
        self.0.get(&incident)?.gave_up
    }

    /// Whether it was escalated to a channel, and not taken back.
    pub(super) fn reached(&self, incident: u64, to: &ChannelId) -> bool {
        self.0.get(&incident).is_some_and(|episode| episode.to.contains(to))
    }

    /// Channels an incident was ever escalated to.
    pub(super) fn ever(&self, incident: u64) -> impl Iterator<Item = &ChannelId> {
        self.0.get(&incident).into_iter().flat_map(|episode| &episode.ever)
    }

    /// Incidents somebody was told of that may be due to be looked at.
    pub(super) fn to_look_at(&self, now: Ts) -> Vec<u64> {
        let is_due = |e: &Episode| !e.told.is_empty() && e.next.look.is_none_or(|at| at <= now);
        self.0.iter().filter(|(_, episode)| is_due(episode)).map(|(id, _)| *id).collect()
    }

    /// What was found out about when to do something.
    pub(super) fn plan(&mut self, incident: u64, next: Next) {
        if let Some(episode) = self.0.get_mut(&incident) {
            episode.next = next;
        }
    }

    /// Everything has to be looked at again: other settings are in force.
    pub(super) fn replan(&mut self) {
        self.0.values_mut().for_each(|episode| episode.next = Next::default());
    }

    /// When steps are due, as far as known.
    pub(super) fn due_times(&self) -> impl Iterator<Item = Ts> {
        self.0.values().filter_map(|episode| episode.next.due)
    }

    /// Forgets incidents that are no longer kept.
    pub(super) fn retain(&mut self, keep: &dyn Fn(u64) -> bool) {
        self.0.retain(|incident, _| keep(*incident));
    }
}
