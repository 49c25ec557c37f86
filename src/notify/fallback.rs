//! Who is told instead when a channel is down, or refuses a message for good.
//!
//! A notice is handed over: it ends where it was, with the reason, and another one takes its place
//! on the channel that stands in. So each is told by at most one of both, also when the first one
//! works again, and none is lost: where nobody can stand in, it stays where it is. From then on what
//! else there is to say of that incident goes to whom its opening went, until that one was told the
//! end. A channel counts as down when every try has failed for `fallback_after`; what is composed
//! later is tried there once, which is how it is noticed that it works again.

use std::collections::{BTreeMap, BTreeSet};

use super::closed::Closed;
use super::hold::Hold;
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
        let named: BTreeMap<String, &ChannelId> =
            to.values().map(|to| (to.to_string(), *to)).collect();
        for notice in notices {
            handovers.note(notice);
            handovers.ended(notice);
            let key = (notice.incident, notice.to.clone());
            let anyway = match notice.held_by.as_deref().and_then(Closed::parse) {
                Some(Closed::ToldAnyway(stand_in)) => named.get(&stand_in),
                _ => None,
            };
            match notice.moved_to.and_then(|id| to.get(&id)).or(anyway) {
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

    /// A notice reached its end. What was not told is not known.
    pub(super) fn ended(&mut self, notice: &Notice) {
        let untold = matches!(notice.outcome, Outcome::Failed | Outcome::Muted | Outcome::Brief);
        let known = self.known.get_mut(&(notice.incident, notice.to.clone()));
        if let Some(known) = known.filter(|_| untold) {
            known.remove(&(notice.reason, notice.at_steady));
        }
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
        let mut beside = Vec::new();
        for id in self.stuck(time) {
            let Some(mut message) = self.messages.remove(&id) else { continue };
            message.state = MessageState::Failed;
            message.next_attempt = None;
            message.done_at = Some(time.wall);
            if message.error.is_none() {
                // Another one was tried in its place.
                message.error = self.health.get(&message.to).and_then(|h| h.error.clone());
            }
            beside.extend(self.settle(time, &message, changes));
            changes.push(Change::Message(Box::new(message)));
        }
        self.follow(time, beside, changes);
    }

    /// Messages that go to whoever stands in. What concerns one incident stays together and in order:
    /// it goes along with what failed, and waits for the answer to what is on the wire.
    fn stuck(&self, time: Time) -> Vec<u64> {
        let mut channels = BTreeMap::<&ChannelId, bool>::new();
        let mut on_wire = BTreeSet::<(&ChannelId, u64)>::new();
        let mut going = BTreeSet::<(&ChannelId, u64)>::new();
        let mut stuck = Vec::new();
        for message in self.messages.values() {
            let to = &message.to;
            let open = *channels.entry(to).or_insert_with(|| {
                self.is_down(to, time.steady)
                    && self.stand_in(to).is_some_and(|to| !self.is_stuck(&to))
            });
            if !open {
                continue;
            }
            let notices = message.notices.iter().filter_map(|id| self.notices.get(id));
            let about: BTreeSet<(&ChannelId, u64)> = notices.map(|n| (to, n.incident)).collect();
            if self.in_flight.contains(&message.id) || !about.is_disjoint(&on_wire) {
                on_wire.extend(about);
            } else if self.failed_since(to, message.at_steady) || !about.is_disjoint(&going) {
                // It was tried, or would have been but for another try that failed.
                going.extend(about);
                stuck.push(message.id);
            }
        }
        stuck
    }

    /// What waits to be told of incidents goes where what was composed of them went.
    pub(super) fn follow(
        &mut self,
        time: Time,
        handed: Vec<(u64, ChannelId, ChannelId)>,
        changes: &mut Vec<Change>,
    ) {
        for (incident, from, stand_in) in handed {
            let waits = |n: &&Notice| n.to == from && n.message.is_none() && !n.reason.is_mark();
            let waiting: Vec<u64> =
                self.of_incident(incident).filter(waits).map(|n| n.id).collect();
            for id in waiting {
                self.hand_over(time, id, &stand_in, changes);
            }
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
        if known {
            self.speak_now(time, &notice, stand_in, changes);
        }
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

    /// The stand-in has the same news, but its own route keeps them for another hour: it hears them
    /// now, by the hours of the route whose channel is down.
    fn speak_now(
        &mut self,
        time: Time,
        notice: &Notice,
        stand_in: &ChannelId,
        changes: &mut Vec<Change>,
    ) {
        let by_hours = |n: &Notice| {
            matches!(Hold::of(n), Some(Hold::MutedByTime(_) | Hold::Until(_)))
                && n.to == *stand_in
                && (n.reason, n.at_steady) == (notice.reason, notice.at_steady)
        };
        let kept = self.of_incident(notice.incident).find(|n| by_hours(n)).map(|n| n.id);
        let Some(kept) = kept.and_then(|id| self.notices.get_mut(&id)) else { return };
        kept.held_by = None;
        kept.group.clone_from(&notice.group);
        changes.push(Change::Notice(Box::new(kept.clone())));
        let key = (stand_in.clone(), notice.group.clone());
        self.groups.entry(key).or_default().next_flush = Some(time.steady);
    }

    /// The same news for another channel; it has waited long enough, unless something else than a
    /// limit holds it.
    fn take_place(
        &mut self,
        time: Time,
        notice: &Notice,
        stand_in: &ChannelId,
        changes: &mut Vec<Change>,
    ) -> u64 {
        let gate = Hold::of(notice).filter(Hold::is_gate).filter(|_| notice.message.is_none());
        let successor = Notice {
            id: self.next_notice,
            to: stand_in.clone(),
            outcome: Outcome::Pending,
            held_by: gate.as_ref().map(ToString::to_string),
            message: None,
            known: None,
            moved_to: None,
            attempts: 0,
            error: None,
            ..notice.clone()
        };
        self.next_notice += 1;
        self.escalations.note(&successor);
        if notice.reason != NoticeReason::FirstLook && gate.is_none() {
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
        let none = ChannelId { receiver: String::new(), channel: String::new() };
        let speaks = |to: &ChannelId| {
            self.ledger.get(incident, to).is_some_and(|told| told.open)
                || self.of_incident(incident).any(|n| n.to == *to)
        };
        let taken = self.handovers.taken.range((incident, none)..);
        let over: Vec<(u64, ChannelId)> = taken
            .take_while(|((of, _), _)| *of == incident)
            .filter(|(_, stand_in)| !speaks(stand_in))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.handovers.taken.remove(&key);
        }
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
