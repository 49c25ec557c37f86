//! The pipeline: news become notices, notices wait for their reasons, due ones become messages.
//!
//! Order in which a notice may be held: inhibited → silenced → muted by time → held until an hour
//! (see `hold`) → group → budget. The first that holds it is its recorded reason. Whatever is held
//! stays a row and ends somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::budget::Endpoint;
use super::cards::Cards;
use super::escalations::Escalations;
use super::fallback::Handovers;
use super::groups::{Group, Look};
use super::hold::Hold;
use super::ledger::Ledger;
use super::standing::Standing;
use super::storm::Storms;
use super::summary::Summaries;
use super::{ChannelPlan, Compose, ReceiverPlan, Route, Settings};
use crate::incidents::{Incidents, News};
use crate::model::{
    Change, ChannelId, Doing, Incident, Message, Notice, NoticeReason, Outcome, Subject, Time, Ts,
};

/// What writes the messages of each channel.
pub type Composers = BTreeMap<ChannelId, Arc<dyn Compose>>;

/// Why news of what ended end.
const OVER: &str = "it was over before this was told";

/// How a channel of our own does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelHealth {
    /// Since when every try has failed.
    pub failing_since: Option<Time>,
    /// Steady time of the last try that failed.
    pub failed_at: Option<Ts>,
    /// The last error.
    pub error: Option<String>,
    /// Tries that failed since the last message that was taken, in this process.
    pub failures: u32,
    /// The same when a message was taken last.
    pub outage: u32,
    /// Accepted messages in this process.
    pub sent: u64,
    /// Tries in this process.
    pub attempts: u64,
}

/// What the pipeline wants after a turn.
#[derive(Debug, Default)]
pub struct Flushed {
    /// Rows to keep, before anything is sent.
    pub changes: Vec<Change>,
    /// Messages to try now.
    pub sends: Vec<Message>,
    /// What channels were told before and are told again, so that they do not forget it: kept
    /// nowhere, and no news.
    pub resends: Vec<Message>,
}

/// The pipeline's state.
pub struct Pipeline {
    pub(super) settings: Settings,
    pub(super) composers: Composers,
    pub(super) installation: String,
    /// Not yet at an outcome.
    pub(super) notices: BTreeMap<u64, Notice>,
    /// The same by incident: with thousands at once nobody may walk over all for each.
    pub(super) by_incident: BTreeSet<(u64, u64)>,
    /// Not yet accepted or given up.
    pub(super) messages: BTreeMap<u64, Message>,
    pub(super) in_flight: BTreeSet<u64>,
    pub(super) ledger: Ledger,
    pub(super) standing: Standing,
    pub(super) handovers: Handovers,
    pub(super) escalations: Escalations,
    /// By channel and group key.
    pub(super) groups: BTreeMap<(ChannelId, String), Group>,
    /// Groups something left that waited in them.
    pub(super) left_groups: BTreeSet<(ChannelId, String)>,
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    pub(super) health: BTreeMap<ChannelId, ChannelHealth>,
    /// Channels that left the configuration and still owe somebody the end of what they told:
    /// each as the only one of its receiver as it was.
    pub(super) leaving: BTreeMap<ChannelId, ReceiverPlan>,
    /// When the budget of a channel that had to wait is free again.
    pub(super) free_again: BTreeMap<ChannelId, Ts>,
    /// Messages that can be edited.
    pub(super) cards: Cards,
    /// When the budget of edits of a channel that had to wait is free again.
    pub(super) edits_free_at: BTreeMap<ChannelId, Ts>,
    /// When a message is to be brought up to date next.
    pub(super) live_at: Option<Ts>,
    /// Steady times of openings per receiver, for storms.
    pub(super) openings: BTreeMap<String, Vec<Ts>>,
    /// When a channel may speak of a storm again.
    pub(super) storms: Storms,
    /// The look the newest news are from.
    pub(super) newest_look: Option<Look>,
    pub(super) counts: BTreeMap<(ChannelId, Outcome, NoticeReason), u64>,
    pub(super) next_notice: u64,
    pub(super) next_message: u64,
    /// Steady time from which on the first report may be given; `None`: not yet.
    pub(super) first_look_ready: Option<Ts>,
    /// Jobs looked at, for the first report.
    pub(super) jobs_watched: usize,
    /// What is counted for summaries.
    pub(super) summaries: Summaries,
}

impl Pipeline {
    /// News become one notice per channel of every receiver the routes name.
    pub fn take_news(&mut self, time: Time, news: &[News], incidents: &Incidents) -> Vec<Change> {
        let mut changes = Vec::new();
        for item in news {
            let Some(incident) = incidents.get(item.incident) else { continue };
            if item.reason == NoticeReason::Resolved {
                self.note_end(time, incident, &mut changes);
                continue;
            }
            if is_opening(item.reason) {
                self.note_opening(time, incident, incidents);
                self.end_handovers(incident.id);
            }
            let unaware = self.take_back_resolution(time, incident.id, &mut changes);
            for to in unaware.keys() {
                self.mark(time, incident, to, incidents, &mut changes);
            }
            let is_there = |to: &ChannelId| self.channel(to).is_some();
            let targets = self.targets(incident);
            let mut targets = self.handovers.redirect(incident.id, targets, &is_there);
            let further = self.escalated(incident, item.reason, &|to| unaware.contains_key(to));
            for (to, group) in further {
                if !targets.iter().any(|(known, _)| *known == to) {
                    targets.push((to, group));
                }
            }
            for (to, group) in targets {
                let reason = match unaware.get(&to) {
                    None => item.reason,
                    // It hears neither of the end nor of the return, but of a rise meanwhile.
                    Some(rank) if incident.rank() > *rank => NoticeReason::Worse,
                    Some(_) => continue,
                };
                // What is still to be told of it says so, too.
                let knows = self.ledger.get(incident.id, &to).is_some_and(|told| told.open);
                if reason == NoticeReason::Approval && !knows {
                    continue;
                }
                self.add_notice(time, incident, reason, to, group, &mut changes);
            }
        }
        changes
    }

    /// It is back before its end was told: those who were to hear of the end need hear of neither.
    /// With the highest rank they were told of.
    fn take_back_resolution(
        &mut self,
        time: Time,
        incident: u64,
        changes: &mut Vec<Change>,
    ) -> BTreeMap<ChannelId, u8> {
        let is_untold = |n: &&Notice| n.reason == NoticeReason::Resolved && n.message.is_none();
        let untold = self.of_incident(incident).filter(is_untold);
        let untold: Vec<(u64, ChannelId)> = untold.map(|n| (n.id, n.to.clone())).collect();
        for (id, _) in &untold {
            self.close(*id, Outcome::Muted, "it was back before this was told", time, changes);
        }
        let told = |to: ChannelId| {
            let told = self.ledger.get(incident, &to).filter(|t| t.open)?;
            Some((to, told.rank))
        };
        untold.into_iter().filter_map(|(_, to)| told(to)).collect()
    }

    /// A resolution goes to exactly the channels that were told of the opening. Openings still
    /// waiting for their group are brief, unless it was Weir that ended it: nothing is restarted
    /// unsaid, so beginning and end are told as one. Those held by a budget or storm are counted in
    /// it; what was held before that, and is told to nobody any more, is muted.
    fn note_end(&mut self, time: Time, incident: &Incident, changes: &mut Vec<Change>) {
        let waiting = self.of_incident(incident.id).filter(|n| n.message.is_none());
        let waiting: Vec<u64> = waiting.map(|n| n.id).collect();
        let own_work = incident.doing.as_ref().is_some_and(Doing::was_sent);
        let mut counted = BTreeSet::new();
        for id in waiting {
            let Some(notice) = self.notices.get(&id) else { continue };
            let told = self.ledger.get(incident.id, &notice.to).is_some_and(|t| t.open);
            // The opening itself was told: it was no brief one.
            let is_step = notice.reason == NoticeReason::Escalated;
            let held = Hold::of(notice);
            if held.as_ref().is_some_and(Hold::is_limit) {
                if told {
                    self.close(id, Outcome::Muted, OVER, time, changes);
                } else {
                    counted.insert(notice.to.clone());
                }
                continue;
            }
            if held.is_some_and(|hold| hold.is_gate()) {
                self.finish(id, Outcome::Muted, time, changes);
            } else if told || is_step {
                self.close(id, Outcome::Muted, OVER, time, changes);
            } else if is_opening(notice.reason) && own_work {
                counted.insert(notice.to.clone());
            } else {
                self.finish(id, Outcome::Brief, time, changes);
            }
        }
        let mut to_tell = self.ledger.believers(incident.id);
        to_tell.extend(counted);
        for to in to_tell {
            let Some(plan) = self.plan(&to) else { continue };
            if plan.send_resolved {
                // What was only recorded while its receiver was tried out ends so.
                let silent = self.ledger.get(incident.id, &to).is_some_and(|told| told.silent);
                let sends = self.receiver_of(&to).is_some_and(|receiver| !receiver.shadow);
                let group = self.group_of(incident, &to.receiver);
                let (reason, id) = (NoticeReason::Resolved, self.next_notice);
                self.add_notice(time, incident, reason, to, group, changes);
                if silent && sends {
                    self.finish(id, Outcome::Shadow, time, changes);
                }
            }
        }
    }

    pub(super) fn add_notice(
        &mut self,
        time: Time,
        incident: &Incident,
        reason: NoticeReason,
        to: ChannelId,
        group: String,
        changes: &mut Vec<Change>,
    ) {
        let notice = self.new_notice(time, incident, reason, to, group);
        self.put_notice(notice, changes);
    }

    /// A notice that is on its way once it is put.
    pub(super) fn new_notice(
        &self,
        time: Time,
        incident: &Incident,
        reason: NoticeReason,
        to: ChannelId,
        group: String,
    ) -> Notice {
        Notice {
            id: self.next_notice,
            incident: incident.id,
            to,
            reason,
            rank: incident.rank(),
            outcome: Outcome::Pending,
            held_by: None,
            group,
            message: None,
            moved_to: None,
            known: None,
            unacknowledged_ms: None,
            at: time.wall,
            at_steady: time.steady,
            done_at: None,
            attempts: 0,
            error: None,
            steps: Vec::new(),
        }
    }

    pub(super) fn put_notice(&mut self, notice: Notice, changes: &mut Vec<Change>) {
        self.next_notice = notice.id + 1;
        self.join_groups(&notice, changes);
        self.handovers.note(&notice);
        self.escalations.note(&notice);
        changes.push(Change::Notice(Box::new(notice.clone())));
        self.by_incident.insert((notice.incident, notice.id));
        self.notices.insert(notice.id, notice);
    }

    /// Notices of an incident that have not ended, in order of their ids.
    pub(super) fn of_incident(&self, incident: u64) -> impl Iterator<Item = &Notice> {
        let of = self.by_incident.range((incident, 0)..=(incident, u64::MAX));
        of.filter_map(|(_, id)| self.notices.get(id))
    }

    pub(super) fn routes(&self, incident: &Incident) -> Vec<&Route> {
        self.settings.route.matching(&incident.routing_labels())
    }

    /// (channel, group key) of everybody the routes name.
    fn targets(&self, incident: &Incident) -> Vec<(ChannelId, String)> {
        if let Subject::Channel(broken) = &incident.subject {
            return self.around(broken);
        }
        let mut targets: Vec<(ChannelId, String)> = Vec::new();
        for route in self.routes(incident) {
            let Some(receiver) = self.settings.receivers.get(&route.receiver) else { continue };
            for plan in receiver.channels.iter().filter(|plan| !plan.standby) {
                if !targets.iter().any(|(to, _)| *to == plan.id) {
                    targets.push((plan.id.clone(), route.group_key(&incident.labels)));
                }
            }
        }
        targets
    }

    /// Who hears that a channel is broken: its own receiver and the root's, by what works; where
    /// nothing of that is left, whatever else works. Where all receivers only record, it is recorded.
    fn around(&self, broken: &ChannelId) -> Vec<(ChannelId, String)> {
        let endpoint = self.channel(broken).map(|p| p.endpoint.clone());
        let works = |plan: &&ChannelPlan| {
            plan.id != *broken
                && Some(&plan.endpoint) != endpoint.as_ref()
                && self.health.get(&plan.id).is_none_or(|h| h.failing_since.is_none())
        };
        let near = [broken.receiver.as_str(), self.settings.route.receiver.as_str()];
        let of = |names: &dyn Fn(&ReceiverPlan) -> bool| -> BTreeSet<ChannelId> {
            let receivers = self.settings.receivers.values().filter(|r| names(r));
            receivers.flat_map(|r| &r.channels).filter(works).map(|p| p.id.clone()).collect()
        };
        let is_near = |r: &ReceiverPlan| near.contains(&r.name.as_str());
        let by_choice: [&dyn Fn(&ReceiverPlan) -> bool; 3] =
            [&|r| !r.shadow && is_near(r), &|r| !r.shadow, &|r| is_near(r)];
        let found = by_choice.into_iter().map(of).find(|some| !some.is_empty());
        found.unwrap_or_default().into_iter().map(|to| (to, "weir:".to_owned())).collect()
    }

    pub(super) fn group_of(&self, incident: &Incident, receiver: &str) -> String {
        if matches!(incident.subject, Subject::Channel(_)) {
            return "weir:".to_owned();
        }
        let routes = self.routes(incident);
        let route = routes.iter().find(|r| r.receiver == receiver);
        let route = route.or_else(|| routes.iter().find(|r| r.escalates_to(receiver)));
        let route = route.copied();
        route.unwrap_or(&self.settings.route).group_key(&incident.labels)
    }

    /// The plan of a channel, while it is configured.
    pub fn channel(&self, id: &ChannelId) -> Option<&ChannelPlan> {
        let receiver = self.settings.receivers.get(&id.receiver)?;
        receiver.channels.iter().find(|c| c.id == *id)
    }

    /// Whether a channel is configured, and its receiver sends.
    pub fn sends(&self, id: &ChannelId) -> bool {
        let receiver = self.settings.receivers.get(&id.receiver);
        self.channel(id).is_some() && receiver.is_some_and(|r| !r.shadow)
    }

    /// The receiver of a channel that is configured, or leaving with something still to say.
    pub(super) fn receiver_of(&self, id: &ChannelId) -> Option<&ReceiverPlan> {
        if self.channel(id).is_some() {
            return self.settings.receivers.get(&id.receiver);
        }
        self.leaving.get(id)
    }

    /// The plan of a channel that is configured, or leaving with something still to say.
    pub fn plan(&self, id: &ChannelId) -> Option<&ChannelPlan> {
        self.receiver_of(id)?.channels.iter().find(|c| c.id == *id)
    }

    /// All channels that may still send.
    pub fn plans(&self) -> impl Iterator<Item = &ChannelPlan> {
        self.settings.receivers.values().chain(self.leaving.values()).flat_map(|r| &r.channels)
    }

    /// A notice reaches its end.
    pub(super) fn finish(
        &mut self,
        id: u64,
        outcome: Outcome,
        time: Time,
        changes: &mut Vec<Change>,
    ) {
        let Some(mut notice) = self.notices.remove(&id) else { return };
        self.by_incident.remove(&(notice.incident, id));
        notice.outcome = outcome;
        notice.done_at = Some(time.wall);
        if notice.message.is_none() {
            self.stop_timer(&notice);
        }
        self.escalations.ended(&notice);
        self.handovers.ended(&notice);
        *self.counts.entry((notice.to.clone(), outcome, notice.reason)).or_default() += 1;
        changes.push(Change::Notice(Box::new(notice)));
    }

    /// A notice ends unsent, for this reason.
    pub(super) fn close(
        &mut self,
        id: u64,
        outcome: Outcome,
        why: &str,
        time: Time,
        changes: &mut Vec<Change>,
    ) {
        if let Some(notice) = self.notices.get_mut(&id) {
            notice.held_by = Some(why.to_owned());
            if outcome == Outcome::Failed {
                notice.error = Some(why.to_owned());
            }
        }
        self.finish(id, outcome, time, changes);
    }

    /// Sources have been looked at for the first time: the first report may be given from `at` on.
    pub fn set_first_look_ready(&mut self, at: Option<Ts>, jobs_watched: usize) {
        self.first_look_ready = at;
        self.jobs_watched = jobs_watched;
    }

    /// How the channels do.
    pub fn health(&self) -> &BTreeMap<ChannelId, ChannelHealth> {
        &self.health
    }

    /// Settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Notices by outcome since the process started.
    pub fn counts(&self) -> &BTreeMap<(ChannelId, Outcome, NoticeReason), u64> {
        &self.counts
    }

    /// Incidents whose news wait, in a notice or in a message, or that are still spoken of.
    pub fn untold(&self) -> BTreeSet<u64> {
        let waiting = self.notices.values().map(|n| n.incident);
        waiting.chain(self.standing.incidents()).chain(self.cards.shared()).collect()
    }

    /// What holds the news of an incident back.
    pub fn held(&self, incident: u64) -> impl Iterator<Item = &str> {
        let of = self.notices.values().filter(move |n| n.incident == incident);
        of.filter_map(|n| n.held_by.as_deref())
    }

    /// Notices that wait, and messages that are due.
    pub fn backlog(&self) -> (usize, usize) {
        (self.notices.len(), self.messages.len())
    }
}

/// Reasons that open an incident for its readers.
pub(super) fn is_opening(reason: NoticeReason) -> bool {
    matches!(reason, NoticeReason::Opened | NoticeReason::Reopened | NoticeReason::Flapping)
}
