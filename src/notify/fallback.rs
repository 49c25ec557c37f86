//! Who is told instead when a channel is down, or refuses a message for good.
//!
//! A notice is handed over: it ends where it was, with the reason, and another one takes its place
//! on the channel that stands in. So each is told by at most one of both, also when the first one
//! works again, and none is lost: where nobody can stand in, it stays where it is. From then on what
//! else there is to say of that incident goes to whom its opening went, until that one was told the
//! end. A channel counts as down when every try has failed for `fallback_after`; what is composed
//! later is tried there once, which is how it is noticed that it works again.

use std::collections::{BTreeMap, BTreeSet};

use super::pipeline::{Pipeline, is_opening};
use crate::model::{Change, ChannelId, MessageState, Notice, NoticeReason, Outcome, Time, Ts};

/// Longest row of stand-ins for stand-ins; the configuration has no circles.
const LONGEST_ROW: usize = 8;
/// Why nobody stands in for what only marks something.
const NOBODY_ELSE: &str = "it says who has it, which is news for nobody else";

/// What was handed over, and what everybody was to be told.
#[derive(Debug, Default)]
pub(super) struct Handovers {
    /// Of this incident, this channel's news go to that one.
    taken: BTreeMap<(u64, ChannelId), ChannelId>,
    /// News that went to a channel, whoever they were meant for: by reason and time.
    known: BTreeMap<(u64, ChannelId), BTreeSet<(NoticeReason, Ts)>>,
}

impl Handovers {
    /// Rebuilds it from notices in order of their ids.
    pub(super) fn restore(notices: &[Notice]) -> Handovers {
        let mut handovers = Handovers::default();
        let to: BTreeMap<u64, &ChannelId> = notices.iter().map(|n| (n.id, &n.to)).collect();
        for notice in notices {
            handovers.note(notice);
            let key = (notice.incident, notice.to.clone());
            match notice.moved_to.and_then(|id| to.get(&id)) {
                Some(stand_in) => {
                    handovers.taken.insert(key, (*stand_in).clone());
                }
                // Told of by itself again: an episode later.
                None if is_opening(notice.reason) && notice.moved_to.is_none() => {
                    handovers.taken.remove(&key);
                }
                None => {}
            }
        }
        handovers
    }

    /// A notice is on its way to a channel.
    pub(super) fn note(&mut self, notice: &Notice) {
        let known = self.known.entry((notice.incident, notice.to.clone())).or_default();
        known.insert((notice.reason, notice.at_steady));
    }

    fn knows(&self, to: &ChannelId, notice: &Notice) -> bool {
        let known = self.known.get(&(notice.incident, to.clone()));
        known.is_some_and(|known| known.contains(&(notice.reason, notice.at_steady)))
    }

    /// Who hears news of an incident in place of whom the routes name; each once.
    pub(super) fn redirect(
        &self,
        incident: u64,
        targets: Vec<(ChannelId, String)>,
        is_there: &dyn Fn(&ChannelId) -> bool,
    ) -> Vec<(ChannelId, String)> {
        let mut redirected: Vec<(ChannelId, String)> = Vec::with_capacity(targets.len());
        for (to, group) in targets {
            let next = |of: &ChannelId| {
                self.taken.get(&(incident, of.clone())).filter(|to| is_there(to)).cloned()
            };
            let row = std::iter::successors(Some(to.clone()), next).take(LONGEST_ROW);
            let to = row.last().unwrap_or(to);
            if !redirected.iter().any(|(known, _)| *known == to) {
                redirected.push((to, group));
            }
        }
        redirected
    }

    /// Forgets incidents that are no longer kept.
    pub(super) fn retain(&mut self, keep: &dyn Fn(u64) -> bool) {
        self.taken.retain(|(incident, _), _| keep(*incident));
        self.known.retain(|(incident, _), _| keep(*incident));
    }
}

impl Pipeline {
    /// What is due on channels that are down goes to those that stand in for them.
    pub(super) fn fall_back(&mut self, time: Time, changes: &mut Vec<Change>) {
        let stuck: Vec<u64> = self
            .messages
            .values()
            .filter(|m| !self.in_flight.contains(&m.id) && self.is_down(&m.to, time.steady))
            // It was tried, or would have been but for another try that failed.
            .filter(|m| self.failed_since(&m.to, m.at_steady))
            .filter(|m| self.stand_in(&m.to).is_some_and(|to| !self.is_stuck(&to)))
            .map(|m| m.id)
            .collect();
        for id in stuck {
            let Some(mut message) = self.messages.remove(&id) else { continue };
            message.state = MessageState::Failed;
            message.next_attempt = None;
            message.done_at = Some(time.wall);
            if message.error.is_none() {
                // Another one was tried in its place.
                message.error = self.health.get(&message.to).and_then(|h| h.error.clone());
            }
            self.settle(time, &message, changes);
            changes.push(Change::Message(Box::new(message)));
        }
    }

    fn is_down(&self, to: &ChannelId, now: Ts) -> bool {
        let fallback = self.channel(to).and_then(|plan| plan.fallback.as_ref());
        let since = self.health.get(to).and_then(|h| h.failing_since);
        fallback.zip(since).is_some_and(|(f, since)| now.since(since.steady) >= f.after)
    }

    fn failed_since(&self, to: &ChannelId, at: Ts) -> bool {
        self.health.get(to).and_then(|h| h.failed_at).is_some_and(|failed| failed >= at)
    }

    /// The first of those who stand in for a channel that is not stuck itself, else the first.
    pub(super) fn stand_in(&self, to: &ChannelId) -> Option<ChannelId> {
        let next = |of: &ChannelId| Some(self.channel(of)?.fallback.as_ref()?.to.clone());
        if !self.sends(to) {
            return None;
        }
        let row: Vec<ChannelId> = std::iter::successors(next(to), next)
            .take(LONGEST_ROW)
            .filter(|candidate| candidate != to && self.sends(candidate))
            .collect();
        row.iter().find(|candidate| !self.is_stuck(candidate)).or(row.first()).cloned()
    }

    /// It has something to say and fails at it right now.
    fn is_stuck(&self, to: &ChannelId) -> bool {
        let failing = self.health.get(to).is_some_and(|h| h.failing_since.is_some());
        failing && self.messages.values().any(|m| m.to == *to && m.attempts > 0)
    }

    /// A notice that could not be told ends, and the one that takes its place begins.
    pub(super) fn hand_over(
        &mut self,
        time: Time,
        id: u64,
        stand_in: &ChannelId,
        changes: &mut Vec<Change>,
    ) {
        let Some(notice) = self.notices.get(&id).cloned() else { return };
        if notice.reason.is_mark() {
            return self.close(id, Outcome::Failed, NOBODY_ELSE, time, changes);
        }
        let believes = self.ledger.get(notice.incident, stand_in).is_some_and(|told| told.open);
        let known = self.handovers.knows(stand_in, &notice)
            || (notice.reason == NoticeReason::Repeat && believes);
        let mut why = format!("{stand_in} is told of it anyway");
        let mut moved_to = None;
        if !known {
            why = format!("sent by fallback {stand_in}");
            moved_to = Some(self.take_place(time, &notice, stand_in, changes));
        }
        self.handovers.taken.insert((notice.incident, notice.to.clone()), stand_in.clone());
        if let Some(old) = self.notices.get_mut(&id) {
            old.held_by = Some(why);
            old.moved_to = moved_to;
        }
        self.finish(id, Outcome::Failed, time, changes);
    }

    /// The same news for another channel; it has waited long enough.
    fn take_place(
        &mut self,
        time: Time,
        notice: &Notice,
        stand_in: &ChannelId,
        changes: &mut Vec<Change>,
    ) -> u64 {
        let successor = Notice {
            id: self.next_notice,
            to: stand_in.clone(),
            outcome: Outcome::Pending,
            held_by: None,
            message: None,
            moved_to: None,
            attempts: 0,
            error: None,
            ..notice.clone()
        };
        self.next_notice += 1;
        self.escalations.note(&successor);
        if notice.reason != NoticeReason::FirstLook {
            let key = (stand_in.clone(), notice.group.clone());
            self.groups.entry(key).or_default().next_flush = Some(time.steady);
        }
        self.handovers.note(&successor);
        changes.push(Change::Notice(Box::new(successor.clone())));
        let id = successor.id;
        self.by_incident.insert((successor.incident, id));
        self.notices.insert(id, successor);
        id
    }

    /// It begins anew: whoever stood in and does not speak of it any more need not go on.
    pub(super) fn end_handovers(&mut self, incident: u64) {
        let (ledger, notices) = (&self.ledger, &self.notices);
        let speaks = |to: &ChannelId| {
            ledger.get(incident, to).is_some_and(|told| told.open)
                || notices.values().any(|n| n.incident == incident && n.to == *to)
        };
        self.handovers.taken.retain(|(of, _), stand_in| *of != incident || speaks(stand_in));
    }

    /// When channels with something to say will count as down.
    pub(super) fn fallback_times(&self) -> impl Iterator<Item = Ts> {
        self.messages.values().filter_map(|message| {
            let fallback = self.channel(&message.to)?.fallback.as_ref()?;
            let since = self.health.get(&message.to)?.failing_since?;
            Some(since.steady + fallback.after)
        })
    }
}

#[cfg(test)]
#[path = "fallback_tests.rs"]
mod tests;
