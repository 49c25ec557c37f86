//! What is due now: repetitions, groups, storms, the first report, digests; then the sending.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::hold::{self, Hold};
use super::pipeline::{Flushed, Pipeline};
use super::storm::{StormOf, Storming};
use super::{HELD_DIGEST, compose, standing};
use crate::incidents::Incidents;
use crate::model::{
    Change, ChannelId, Incident, IncidentState, Manner, MessageKind, Notice, NoticeReason, Outcome,
    Severity, Time, Ts,
};

/// Why news for a channel that is gone ends.
const NO_CHANNEL: &str = "its channel left the configuration";
/// The first report waits at least this long for the facts that take a second look.
const FIRST_LOOK_WAIT: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Composes what is due and says what to send now.
    pub fn flush(&mut self, time: Time, incidents: &Incidents) -> Flushed {
        let mut out = Flushed::default();
        self.ledger.retain(&|id| incidents.get(id).is_some());
        self.handovers.retain(&|id| incidents.get(id).is_some());
        self.escalations.retain(&|id| incidents.get(id).is_some());
        self.let_go();
        self.end_homeless(time, incidents, &mut out.changes);
        self.drop_waiting_edits(time, &mut out.changes);
        self.revise(time, &mut out.changes);
        self.repeat(time, incidents, &mut out.changes);
        self.escalate(time, incidents, &mut out.changes);
        self.hold_back(time, incidents, &mut out.changes);
        self.fall_back(time, &mut out.changes);
        self.stop_timers(time);
        let channels: BTreeSet<ChannelId> = self.waiting().map(|(_, to)| to).collect();
        for to in channels {
            self.flush_channel(time, &to, incidents, &mut out.changes);
        }
        self.show_changes(time, incidents, &mut out.changes);
        self.tell_summaries(time, incidents, &mut out.changes);
        self.send_due(time, &mut out);
        self.stand(time, incidents, &mut out);
        out
    }

    /// News for channels that left the configuration, or about incidents nobody remembers, will
    /// never be told: that is recorded, not waited for.
    fn end_homeless(&mut self, time: Time, incidents: &Incidents, changes: &mut Vec<Change>) {
        let gone: Vec<u64> =
            self.messages.values().filter(|m| self.plan(&m.to).is_none()).map(|m| m.id).collect();
        for id in gone {
            self.give_up(time, id, NO_CHANNEL, changes);
        }
        let waiting: Vec<(u64, ChannelId, u64)> = self
            .notices
            .values()
            .filter(|n| n.message.is_none_or(|m| !self.messages.contains_key(&m)))
            .map(|n| (n.id, n.to.clone(), n.incident))
            .collect();
        for (id, to, incident) in waiting {
            if self.plan(&to).is_none() {
                self.close(id, Outcome::Failed, NO_CHANNEL, time, changes);
            } else if incidents.get(incident).is_none() {
                self.close(id, Outcome::Muted, "its incident is long over", time, changes);
            }
        }
    }

    /// Notices that are not in a message yet: (id, channel).
    fn waiting(&self) -> impl Iterator<Item = (u64, ChannelId)> + '_ {
        self.notices.values().filter(|n| n.message.is_none()).map(|n| (n.id, n.to.clone()))
    }

    /// Open incidents nobody has been reminded of for long enough.
    fn repeat(&mut self, time: Time, incidents: &Incidents, changes: &mut Vec<Change>) {
        let due: Vec<(u64, ChannelId)> = self
            .reminders(incidents)
            .filter(|(_, _, at)| *at <= time.steady)
            // Asked again when the silence ends.
            .filter(|(i, _, _)| incidents.silences().hiding(i, time.wall).is_none())
            .map(|(incident, to, _)| (incident.id, to.clone()))
            .collect();
        for (id, to) in due {
            if let Some(incident) = incidents.get(id) {
                let group = self.group_of(incident, &to.receiver);
                self.add_notice(time, incident, NoticeReason::Repeat, to, group, changes);
            }
        }
    }

    /// Whom to remind of what, and when: nobody of what is over, acknowledged, explained by
    /// something else, settling or already waiting to be told.
    fn reminders<'a>(
        &'a self,
        incidents: &'a Incidents,
    ) -> impl Iterator<Item = (&'a Incident, &'a ChannelId, Ts)> {
        let waiting: BTreeSet<(u64, &ChannelId)> =
            self.notices.values().map(|n| (n.incident, &n.to)).collect();
        self.ledger.open().filter_map(move |(id, to, told)| {
            let incident = incidents.get(id)?;
            let quiet = incident.state != IncidentState::Open
                || incident.flapping
                // Nobody has to do anything about it: once is enough.
                || incident.severity == Severity::Info
                || incident.inhibited_by.is_some()
                || incident.quiet_since.is_some();
            if quiet || waiting.contains(&(id, to)) || self.channel(to).is_none() {
                return None;
            }
            Some((incident, to, told.repeat_at()))
        })
    }

    /// Notices of a channel nothing but time and limits can hold.
    fn eligible(&self, to: &ChannelId, now: Ts) -> Vec<u64> {
        self.notices
            .values()
            .filter(|n| n.to == *to && n.message.is_none() && Pipeline::may_speak(n, now))
            .map(|n| n.id)
            .collect()
    }

    fn flush_channel(
        &mut self,
        time: Time,
        to: &ChannelId,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        if self.plan(to).is_some_and(|plan| plan.resend.is_some()) {
            self.tell_at_once(time, to, incidents, changes);
            return;
        }
        let eligible = self.eligible(to, time.wall);
        let eligible = self.tell_marks(time, to, eligible, incidents, changes);
        self.leave_first_report(&eligible, changes);
        let (first, rest): (Vec<u64>, Vec<u64>) =
            eligible.into_iter().partition(|id| self.is_first_look(*id));
        if !first.is_empty() && self.first_report_due(&first).is_some_and(|at| at <= time.steady) {
            self.compose(
                time,
                to,
                MessageKind::FirstLook,
                "first_look",
                &first,
                incidents,
                changes,
            );
        }
        let (kept, rest): (Vec<u64>, Vec<u64>) =
            rest.into_iter().partition(|id| matches!(self.hold_of(*id), Some(Hold::Until(_))));
        if !kept.is_empty() {
            // Their hour has come: one digest, however many they are.
            let digest = MessageKind::Digest;
            self.compose(time, to, digest, HELD_DIGEST, &kept, incidents, changes);
        }
        let rest = self.edit_in_place(time, to, rest, incidents, changes);
        let rest = self.wait_for_folds(to, rest, changes);
        if rest.is_empty() {
            return;
        }
        let due = self.due_notices(time, to, &rest);
        if due.is_empty() {
            return;
        }
        let (ends, news) = self.ends_among(&rest);
        match self.storm(time, to, &news) {
            Storming::No => {}
            // Too few for a storm message, but what follows them waits for one.
            Storming::Few => self.begin_storm(time, to, StormOf::News),
            Storming::Told => {
                self.wait_for_storm(&due, changes);
                return;
            }
            Storming::Many => {
                // Everything that waits for this channel goes into the one storm message.
                if self.compose(time, to, MessageKind::Storm, "storm", &rest, incidents, changes) {
                    self.begin_storm(time, to, StormOf::News);
                }
                return;
            }
        }
        let due = self.tell_ends(time, to, due, &ends, incidents, changes);
        let due = self.remind(time, to, due, incidents, changes);
        let held_back = due.iter().any(|id| self.hold_of(*id).is_some_and(|hold| hold.is_limit()));
        let split = self.plan(to).is_some_and(|c| c.per_incident);
        let parts = parts(self, time.steady, &due, split, incidents);
        // What fits one message anyway needs no digest.
        if held_back && parts.len() > 1 {
            self.compose(time, to, MessageKind::Digest, "digest", &due, incidents, changes);
            return;
        }
        for (group, part) in parts {
            let several = part.iter().filter_map(|id| self.notices.get(id)).map(|n| n.incident);
            let several = several.collect::<BTreeSet<u64>>().len() > 1;
            let kind = if several { MessageKind::Group } else { MessageKind::Incident };
            self.compose(time, to, kind, &group, &part, incidents, changes);
        }
    }

    /// Ends of many incidents are one message, and what begins meanwhile is not buried in it; returns
    /// what is left to tell.
    fn tell_ends(
        &mut self,
        time: Time,
        to: &ChannelId,
        due: Vec<u64>,
        ends: &[u64],
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) -> Vec<u64> {
        let (over, left): (Vec<u64>, Vec<u64>) = due.iter().partition(|id| ends.contains(id));
        match self.storm_of_ends(time, to, ends) {
            Storming::No | Storming::Few => return due,
            _ if over.is_empty() => {}
            Storming::Told => self.wait_for_storm(&over, changes),
            Storming::Many => {
                if self.compose(time, to, MessageKind::Storm, "storm", ends, incidents, changes) {
                    self.begin_storm(time, to, StormOf::Ends);
                }
            }
        }
        left
    }

    /// What would be as many reminders as a storm has incidents is one; returns what is left to tell.
    fn remind(
        &mut self,
        time: Time,
        to: &ChannelId,
        due: Vec<u64>,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) -> Vec<u64> {
        let reminds =
            |id: &u64| self.notices.get(id).is_some_and(|n| n.reason == NoticeReason::Repeat);
        let (reminders, news): (Vec<u64>, Vec<u64>) = due.iter().partition(|id| reminds(id));
        let split = self.plan(to).is_some_and(|c| c.per_incident);
        let messages = parts(self, time.steady, &reminders, split, incidents).len();
        if messages < self.storm_size(to) {
            return due;
        }
        self.compose(time, to, MessageKind::Digest, "digest", &reminders, incidents, changes);
        news
    }

    fn wait_for_storm(&mut self, ids: &[u64], changes: &mut Vec<Change>) {
        for id in ids {
            self.hold(*id, Some(&Hold::Storm), changes);
        }
    }

    fn hold_of(&self, id: u64) -> Option<Hold> {
        self.notices.get(&id).and_then(Hold::of)
    }

    /// A machine that groups by itself hears all news at once, in pieces it can take.
    fn tell_at_once(
        &mut self,
        time: Time,
        to: &ChannelId,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        for part in self.eligible(to, time.wall).chunks(standing::AT_ONCE) {
            let kind = if part.len() > 1 { MessageKind::Group } else { MessageKind::Incident };
            self.compose(time, to, kind, "at_once", part, incidents, changes);
        }
    }

    fn is_first_look(&self, id: u64) -> bool {
        self.notices.get(&id).is_some_and(|n| n.reason == NoticeReason::FirstLook)
    }

    /// What there is further news of is told with them, as what it has become: nobody hears that it is
    /// worse, and then that it was found.
    fn leave_first_report(&mut self, eligible: &[u64], changes: &mut Vec<Change>) {
        let (first, others): (Vec<u64>, Vec<u64>) =
            eligible.iter().partition(|id| self.is_first_look(**id));
        if first.is_empty() {
            return;
        }
        let of = |id: &u64| self.notices.get(id).map(|n| n.incident);
        let further: BTreeSet<u64> = others.iter().filter_map(of).collect();
        for id in first {
            if let Some(notice) = self.notices.get_mut(&id)
                && further.contains(&notice.incident)
            {
                notice.reason = NoticeReason::Opened;
                changes.push(Change::Notice(Box::new(notice.clone())));
            }
        }
    }

    fn first_report_due(&self, ids: &[u64]) -> Option<Ts> {
        let ready = self.first_look_ready?;
        let first = ids.iter().filter_map(|id| self.notices.get(id)).map(|n| n.at_steady).min()?;
        let wait = self.settings.route.group_wait.max(FIRST_LOOK_WAIT);
        Some(ready.max(first + wait))
    }

    /// Makes one message of these notices if the endpoint's budget allows it; says whether.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    pub(super) fn compose(
        &mut self,
        time: Time,
        to: &ChannelId,
        kind: MessageKind,
        group: &str,
        ids: &[u64],
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) -> bool {
        let Some(plan) = self.plan(to).cloned() else { return false };
        let urgent = ids.iter().filter_map(|id| self.notices.get(id)).any(|n| {
            n.reason == NoticeReason::Resolved
                || n.reason != NoticeReason::Repeat
                    && incidents.get(n.incident).is_some_and(|i| i.severity == Severity::Critical)
        });
        let ahead = self.promised(&plan.endpoint);
        let endpoint = self.endpoints.entry(plan.endpoint.clone()).or_default();
        let free = endpoint.free_at(time.steady, ahead, !urgent);
        if free > time.steady {
            let budget = Hold::Budget(endpoint.describe());
            self.free_again.insert(to.clone(), free);
            for id in ids {
                self.hold(*id, Some(&budget), changes);
            }
            return false;
        }
        let manner = match kind {
            MessageKind::Incident | MessageKind::Group => self.manner_of(time.steady, to, ids),
            _ => Manner::Fresh,
        };
        self.leave_old_cards(time, to, ids, changes);
        compose::message(self, time, &plan, kind, group, ids, urgent, manner, incidents, changes);
        true
    }

    /// When something may be due next without anything else happening. What was due by `now` and
    /// still waits, waits for an answer, a look or another message: it names no time, or it would be
    /// asked for again and again.
    pub fn next_deadline(&self, now: Time, incidents: &Incidents) -> Option<Ts> {
        let notices = self.due_times(now, incidents);
        let tries = self.messages.values().filter_map(|m| m.next_attempt);
        let reminders = self.reminders(incidents).map(|(_, _, at)| at);
        let rounds = self.standing.due_times().chain(self.fallback_times());
        let all = notices.chain(tries).chain(reminders).chain(rounds).chain(self.live_at);
        let steps = self.escalations.due_times();
        all.chain(steps).filter(|at| *at > now.steady).min()
    }

    fn due_times(&self, now: Time, incidents: &Incidents) -> impl Iterator<Item = Ts> {
        let waiting = self.notices.values().filter(|n| n.message.is_none());
        // Many may wait for the same hour.
        let mut hours = BTreeMap::new();
        waiting.filter_map(move |n| self.notice_due(now, n, incidents, &mut hours))
    }

    /// When news that wait now will be told, if nothing else happens.
    pub fn next_news(&self, now: Time, incidents: &Incidents) -> Option<Ts> {
        self.due_times(now, incidents).filter(|at| *at > now.steady).min()
    }

    fn notice_due<'a>(
        &self,
        now: Time,
        notice: &'a Notice,
        incidents: &Incidents,
        hours: &mut BTreeMap<&'a str, Option<Ts>>,
    ) -> Option<Ts> {
        let hold = Hold::of(notice);
        match &hold {
            Some(Hold::Inhibited(_)) => return incidents.get(notice.incident)?.inhibited_until,
            // Whoever silences it says when that ends.
            Some(Hold::Silenced(_)) => return None,
            Some(Hold::MutedByTime(_)) => {
                let found = hours.entry(hold::route_id(&notice.group));
                return *found.or_insert_with(|| self.calendar_changes(notice, now));
            }
            Some(Hold::Until(at)) => return Some(hold::steady(now, *at)),
            Some(Hold::Storm | Hold::Budget(_) | Hold::OnItsWay | Hold::Edits(_)) | None => {}
        }
        let mut at = if notice.reason == NoticeReason::FirstLook {
            self.first_report_due(&[notice.id])?
        } else {
            let key = (notice.to.clone(), notice.group.clone());
            self.groups.get(&key).and_then(|g| g.next_flush).unwrap_or(notice.at_steady)
        };
        if hold == Some(Hold::Storm) {
            at = at.max(self.storm_over(now.steady, &notice.to).unwrap_or(at));
        }
        if matches!(hold, Some(Hold::Budget(_))) {
            at = at.max(self.free_again.get(&notice.to).copied().unwrap_or(at));
        }
        if matches!(hold, Some(Hold::Edits(_))) {
            at = at.max(self.edits_free_at.get(&notice.to).copied().unwrap_or(at));
        }
        Some(at)
    }
}

/// What goes into one message together: a group, or one incident of it where the channel threads by
/// incident. The worst comes first, so that a budget that ends midway has told what matters.
fn parts(
    pipeline: &Pipeline,
    now: Ts,
    ids: &[u64],
    split: bool,
    incidents: &Incidents,
) -> Vec<(String, Vec<u64>)> {
    let mut parts: BTreeMap<(String, (u64, u64)), Vec<u64>> = BTreeMap::new();
    for id in ids {
        if let Some(notice) = pipeline.notices.get(id) {
            let thread = if split { pipeline.thread_of(now, notice) } else { (0, 0) };
            parts.entry((notice.group.clone(), thread)).or_default().push(*id);
        }
    }
    let worst = |ids: &Vec<u64>| {
        let notices = ids.iter().filter_map(|id| pipeline.notices.get(id));
        notices.filter_map(|n| Some(incidents.get(n.incident)?.rank())).max()
    };
    let mut parts: Vec<(String, Vec<u64>)> =
        parts.into_iter().map(|((group, _), ids)| (group, ids)).collect();
    parts.sort_by_key(|(_, ids)| std::cmp::Reverse(worst(ids)));
    parts
}

#[cfg(test)]
#[path = "flush_tests.rs"]
mod tests;
