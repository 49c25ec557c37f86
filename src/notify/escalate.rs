//! What nobody acknowledges goes on to the next receiver.
//!
//! The clock of a step starts when news of the incident, severe enough for it, went into a message
//! to the route's own receiver: what is muted, silenced or inhibited is not told, and starts none.
//! It starts anew when somebody gives the incident back, and when it reopens. A step is taken once
//! per channel and episode; the notice it becomes is held, grouped and limited as any other, so that
//! two hundred at once are one message. Where Weir gives up restarting a job, a person is needed now:
//! the first step does not wait any longer. From then on whom it went to hears what gets worse and how
//! it ends. The first report alarms nobody; a receiver that only records escalates to none that
//! sends.

use std::time::Duration;

use super::escalations::Next;
use super::pipeline::{Pipeline, is_opening};
use super::{Escalation, Route};
use crate::incidents::Incidents;
use crate::model::{Change, ChannelId, Incident, IncidentState, NoticeReason, Time, Ts};

/// Labels may change without a word, and with them the routes.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// A step on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Planned {
    at: Ts,
    /// Since when nobody acknowledges what its receiver knows.
    since: Ts,
    to: ChannelId,
    group: String,
}

/// Since when a receiver knows of an incident that is nobody's.
fn waits_since(known_since: Option<Ts>, nobodys_since: Option<Ts>) -> Option<Ts> {
    Some(known_since?.max(nobodys_since.unwrap_or(Ts(i64::MIN))))
}

/// When a step is due: so long after that; the first one no later than Weir gave up. What somebody had
/// since then waits as ever.
fn due_at(step: &Escalation, since: Ts, gave_up: Option<Ts>, nobodys_since: Option<Ts>) -> Ts {
    let usual = since + step.after;
    let pressing = gave_up.filter(|at| nobodys_since.is_none_or(|since| *at >= since));
    pressing.map_or(usual, |at| usual.min(at.max(since)))
}

/// Whether it is for somebody to take it: trouble now, and nobody has it.
fn waits_for_somebody(incident: &Incident) -> bool {
    incident.state == IncidentState::Open && !incident.flapping && incident.quiet_since.is_none()
}

impl Pipeline {
    /// Steps that are due become notices.
    pub(super) fn escalate(
        &mut self,
        time: Time,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        if !self.settings.route.has_escalations() {
            return;
        }
        for id in self.escalations.to_look_at(time.steady) {
            let Some(incident) = incidents.get(id).filter(|i| waits_for_somebody(i)) else {
                self.escalations.plan(id, Next::default());
                continue;
            };
            let planned = self.steps_of(incident);
            let (due, later): (Vec<Planned>, Vec<Planned>) =
                planned.into_iter().partition(|step| step.at <= time.steady);
            for step in due {
                self.escalate_to(time, incident, step, changes);
            }
            let due = later.iter().map(|step| step.at).min();
            let again = time.steady + LOOK_AGAIN;
            let look = Some(due.map_or(again, |at| at.min(again)));
            self.escalations.plan(id, Next { look, due });
        }
    }

    /// Steps of an incident that have not been taken.
    fn steps_of(&self, incident: &Incident) -> Vec<Planned> {
        let mut planned: Vec<Planned> = Vec::new();
        for route in self.routes(incident) {
            let group = route.group_key(&incident.labels);
            for (n, step) in route.escalations(incident.severity).enumerate() {
                let rank = step.severity.rank();
                let known = self.escalations.known_since(incident.id, &route.receiver, rank);
                let nobodys = incident.nobodys_since;
                let Some(since) = waits_since(known, nobodys) else { continue };
                let gave_up = self.escalations.gave_up(incident.id).filter(|_| n == 0);
                let at = due_at(step, since, gave_up, nobodys);
                for to in self.channels_of(route, step, incident.id) {
                    if !planned.iter().any(|other| other.to == to) {
                        planned.push(Planned { at, since, to, group: group.clone() });
                    }
                }
            }
        }
        planned
    }

    /// Channels a step leads to and that it was not taken on.
    fn channels_of(&self, route: &Route, step: &Escalation, incident: u64) -> Vec<ChannelId> {
        let Some(receiver) = self.settings.receivers.get(&step.receiver) else { return Vec::new() };
        let from = self.settings.receivers.get(&route.receiver);
        if from.is_some_and(|r| r.shadow) && !receiver.shadow {
            return Vec::new();
        }
        let own = receiver.channels.iter().filter(|plan| !plan.standby);
        let own = own.map(|plan| (plan.id.clone(), String::new())).collect();
        let is_there = |to: &ChannelId| self.channel(to).is_some();
        let targets = self.handovers.redirect(incident, own, &is_there).into_iter();
        targets.map(|(to, _)| to).filter(|to| !self.escalations.reached(incident, to)).collect()
    }

    fn escalate_to(
        &mut self,
        time: Time,
        incident: &Incident,
        step: Planned,
        changes: &mut Vec<Change>,
    ) {
        let waited = time.steady.since(step.since);
        let reason = NoticeReason::Escalated;
        let mut notice = self.new_notice(time, incident, reason, step.to, step.group);
        notice.unacknowledged_ms = Some(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
        self.put_notice(notice, changes);
    }

    /// Whom news of an incident go to beside those the routes name: the channels it was escalated
    /// to, while they believe it is open. A return is theirs only where they were to hear of the end.
    pub(super) fn escalated(
        &self,
        incident: &Incident,
        reason: NoticeReason,
        unaware: &dyn Fn(&ChannelId) -> bool,
    ) -> Vec<(ChannelId, String)> {
        let believes =
            |to: &&ChannelId| self.ledger.get(incident.id, to).is_some_and(|told| told.open);
        let ever = self.escalations.ever(incident.id).filter(believes);
        ever.filter(|to| !is_opening(reason) || unaware(to))
            .filter(|to| self.plan(to).is_some())
            .map(|to| (to.clone(), self.group_of(incident, &to.receiver)))
            .collect()
    }
}

#[cfg(test)]
#[path = "escalate_tests.rs"]
mod tests;
