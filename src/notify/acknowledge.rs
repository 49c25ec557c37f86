//! Somebody has it, or nobody any more: what only reminds of it need not be said; messages that can
//! be edited show it at once; and a channel that keeps it open elsewhere is told by a mark.
//!
//! A mark is a notice that is no news for people: nothing but a budget holds it, it stands in no
//! group, and nobody is told instead.

use std::collections::BTreeMap;

use super::pipeline::Pipeline;
use crate::incidents::Incidents;
use crate::model::{
    Change, ChannelId, Incident, IncidentState, MessageKind, Notice, NoticeReason, Outcome, Time,
};

/// Why a reminder ends unsent.
const ACKNOWLEDGED: &str = "acknowledged";
/// Why a mark ends unsent.
const OUTDATED: &str = "it is otherwise again";

impl Pipeline {
    /// Somebody has an incident now, or nobody any more. Reminders and escalations that are in no
    /// message yet end when it is acknowledged; everything else about it is told as ever: who has not
    /// heard of it yet hears of it once.
    pub fn attended(
        &mut self,
        time: Time,
        incident: &Incident,
        incidents: &Incidents,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let taken = incident.state == IncidentState::Acknowledged;
        if taken {
            self.end_reminders(time, incident.id, &mut changes);
        }
        self.cards.hurry(incident.id);
        self.end_marks(time, incident.id, &mut changes);
        for to in self.ledger.believers(incident.id) {
            self.mark(time, incident, &to, incidents, &mut changes);
        }
        changes
    }

    /// Tells a channel that keeps an incident open elsewhere whether somebody has it, if it believes
    /// otherwise.
    pub(super) fn mark(
        &mut self,
        time: Time,
        incident: &Incident,
        to: &ChannelId,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        let taken = incident.state == IncidentState::Acknowledged;
        let Some(told) = self.ledger.get(incident.id, to).filter(|told| told.open) else { return };
        if told.marked == taken
            || !self.plan(to).is_some_and(|plan| plan.marks)
            || (taken && !self.speaks_for_all(incident.id, to, told.fold, incidents))
        {
            return;
        }
        let reason = if taken { NoticeReason::Acknowledged } else { NoticeReason::Unacknowledged };
        let group = self.group_of(incident, &to.receiver);
        self.add_notice(time, incident, reason, to.clone(), group, changes);
    }

    /// Marks that were not told yet are no longer so.
    fn end_marks(&mut self, time: Time, incident: u64, changes: &mut Vec<Change>) {
        let waits = |n: &&Notice| n.reason.is_mark() && n.message.is_none();
        let waiting: Vec<u64> = self.of_incident(incident).filter(waits).map(|n| n.id).collect();
        for id in waiting {
            self.close(id, Outcome::Muted, OUTDATED, time, changes);
        }
    }

    fn end_reminders(&mut self, time: Time, incident: u64, changes: &mut Vec<Change>) {
        let reminds = |n: &&Notice| {
            let reminds = matches!(n.reason, NoticeReason::Repeat | NoticeReason::Escalated);
            reminds && n.message.is_none()
        };
        let reminders: Vec<u64> =
            self.of_incident(incident).filter(reminds).map(|n| n.id).collect();
        for id in reminders {
            self.close(id, Outcome::Muted, ACKNOWLEDGED, time, changes);
        }
    }

    /// What was told together is one thing there: somebody has it when somebody has all of it.
    fn speaks_for_all(
        &self,
        incident: u64,
        to: &ChannelId,
        fold: Option<u64>,
        incidents: &Incidents,
    ) -> bool {
        let mut others = self.ledger.open().filter(|(id, channel, told)| {
            fold.is_some() && *id != incident && *channel == to && told.fold == fold
        });
        others.all(|(id, ..)| incidents.get(id).is_none_or(|i| i.state != IncidentState::Open))
    }

    /// Marks go at once, each by itself; returns the other notices.
    pub(super) fn tell_marks(
        &mut self,
        time: Time,
        to: &ChannelId,
        ids: Vec<u64>,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) -> Vec<u64> {
        let mut marks: BTreeMap<u64, (String, Vec<u64>)> = BTreeMap::new();
        let mut others = Vec::with_capacity(ids.len());
        for id in ids {
            match self.notices.get(&id).filter(|notice| notice.reason.is_mark()) {
                Some(mark) => {
                    let group = mark.group.clone();
                    marks.entry(mark.incident).or_insert((group, Vec::new())).1.push(id);
                }
                None => others.push(id),
            }
        }
        for (group, ids) in marks.into_values() {
            let kind = MessageKind::Incident;
            self.compose(time, to, kind, &group, &ids, incidents, changes);
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;
    use crate::notify::ChannelPlan;
    use crate::notify::testing::{Bench, MINUTE, Mode, plan};
    use NoticeReason::{Acknowledged, Opened, Reopened, Resolved, Unacknowledged};

    fn bench() -> Bench {
        let pager = ChannelPlan { marks: true, per_incident: true, ..plan("team/pager") };
        let mut bench = Bench::new(vec![pager, plan("team/chat")], vec!["team"]);
        bench.restart();
        bench
    }

    #[test]
    fn only_what_keeps_it_open_hears_who_has_it_and_at_once() {
        let mut bench = bench();
        let id = bench.open(Severity::Critical);
        bench.pass(MINUTE);
        let before = bench.now;
        bench.attend(id, Some("ann"));
        bench.attend(id, Some("bob"));
        bench.restart();
        bench.attend(id, None);
        assert_eq!(bench.now, before);
        bench.pass(MINUTE);
        let marked = [(id, Opened), (id, Acknowledged), (id, Unacknowledged)];
        assert_eq!(bench.told("team/pager"), marked);
        assert_eq!(bench.told("team/chat"), [(id, Opened)]);
    }

    #[test]
    fn what_somebody_has_before_it_is_told_is_marked_after_it() {
        let mut bench = bench();
        let id = bench.open(Severity::Critical);
        bench.attend(id, Some("ann"));
        bench.pass(MINUTE);
        assert_eq!(bench.told("team/pager"), [(id, Opened), (id, Acknowledged)]);
    }

    #[test]
    fn a_mark_that_is_outdated_is_not_told_and_nobody_stands_in_for_one() {
        let pager = crate::notify::testing::with_fallback("team/pager", "team/chat");
        let pager = ChannelPlan { marks: true, ..pager };
        let standby = ChannelPlan { standby: true, ..plan("team/chat") };
        let mut bench = Bench::new(vec![pager, standby], vec!["team"]);
        let id = bench.open(Severity::Critical);
        bench.pass(MINUTE);
        bench.set("team/pager", Mode::Refuses);
        bench.attend(id, Some("ann"));
        bench.pass(MINUTE);
        assert_eq!(bench.told("team/chat"), []);
        bench.set("team/pager", Mode::Up);
        bench.resolve(id);
        bench.pass(10 * MINUTE);
        assert_eq!(bench.told("team/chat"), []);
        assert_eq!(bench.told("team/pager"), [(id, Opened), (id, Resolved)]);
    }

    #[test]
    fn of_what_was_told_together_somebody_has_all_or_it_is_nobodys() {
        let mut bench = bench();
        let ids: Vec<u64> = (0..6).map(|_| bench.open(Severity::Critical)).collect();
        bench.pass(MINUTE);
        let marks = |bench: &Bench| {
            let told = bench.told("team/pager").into_iter();
            told.filter(|(_, reason)| reason.is_mark()).map(|(_, r)| r).collect::<Vec<_>>()
        };
        for id in &ids[..5] {
            bench.attend(*id, Some("ann"));
        }
        assert_eq!(marks(&bench), []);
        bench.attend(ids[5], Some("ann"));
        assert_eq!(marks(&bench), [Acknowledged]);
        bench.restart();
        // Another one than the last.
        bench.attend(ids[0], None);
        assert_eq!(marks(&bench), [Acknowledged, Unacknowledged]);
        bench.attend(ids[0], Some("bob"));
        assert_eq!(marks(&bench), [Acknowledged, Unacknowledged, Acknowledged]);
    }

    #[test]
    fn what_comes_back_before_its_end_was_told_is_nobodys_there_too() {
        let mut bench = bench();
        let id = bench.open(Severity::Critical);
        bench.pass(MINUTE);
        bench.attend(id, Some("ann"));
        bench.set("team/pager", Mode::Down);
        let other = bench.open(Severity::Critical);
        bench.resolve(id);
        bench.reopen(id);
        bench.set("team/pager", Mode::Up);
        bench.pass(60 * MINUTE);
        let told = bench.told("team/pager");
        let of_it: Vec<NoticeReason> =
            told.iter().filter(|(of, _)| *of == id).map(|(_, reason)| *reason).collect();
        assert!(told.contains(&(other, Opened)));
        let heard = [
            vec![Opened, Acknowledged, Unacknowledged],
            vec![Opened, Acknowledged, Resolved, Reopened],
        ];
        assert!(heard.contains(&of_it), "{of_it:?}");
    }
}
