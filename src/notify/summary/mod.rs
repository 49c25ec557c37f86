//! The summary: what happened to the jobs of a receiver since the last one, also when all was quiet.
//!
//! Counted as it happens and kept in one row per receiver. The row that says a summary was told
//! commits together with the message, so that each is told once, whenever Weir is killed.

mod at;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

pub use at::{Due, LATE, NoSuchTime, SummaryAt, due};
use tally::Tally;

use super::pipeline::Pipeline;
use super::{ChannelPlan, MessageView, ReceiverPlan};
use crate::incidents::Incidents;
use crate::model::{
    BySeverity, Change, Incident, JobKey, Labels, Loaded, Manner, Message, MessageKind,
    MessageState, Noisy, Outcome, Severity, Subject, Time, Ts,
};

/// Name of a receiver's row, followed by its name.
const ROW: &str = "summary/";

/// What a summary says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SummaryView {
    /// Since this wall time.
    pub since: Ts,
    /// It comes once a week and not daily.
    pub weekly: bool,
    /// Distinct failures.
    pub failures: u64,
    /// Jobs that failed.
    pub failing_jobs: u64,
    /// Of these, jobs that recovered without an incident.
    pub mended_jobs: u64,
    /// Incidents opened.
    pub opened: BySeverity,
    /// Incidents that ended.
    pub ended: u64,
    /// Incidents over before they were to be told.
    pub brief: u64,
    /// Incidents open now, whenever they began.
    pub open: BySeverity,
    /// Messages sent.
    pub sent: u64,
    /// Messages that would have gone but for `delivery: shadow`.
    pub shadow: u64,
    /// Messages given up.
    pub unsent: u64,
    /// The jobs with the most trouble, bounded.
    pub jobs: Vec<Noisy>,
}

impl SummaryView {
    /// Nothing happened and nothing is open.
    pub fn is_quiet(&self) -> bool {
        self.failures == 0 && self.opened.total() == 0 && self.open.total() == 0
    }
}

/// What is counted for each receiver with a summary.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    of: BTreeMap<String, Counted>,
    /// The highest incident that was counted.
    seen: u64,
}

#[derive(Debug, Default)]
struct Counted {
    tally: Tally,
    dirty: bool,
    /// Wall times: it need not be looked at between them.
    rests: Option<(Ts, Ts)>,
}

impl Summaries {
    /// Goes on counting where a former process was.
    pub(super) fn restore(loaded: &Loaded) -> Summaries {
        let row = |(key, value): &(String, String)| {
            let receiver = key.strip_prefix(ROW)?.to_owned();
            // A row that cannot be read begins anew, which costs counts and no summary twice.
            let tally = serde_json::from_str(value).unwrap_or_default();
            Some((receiver, Counted { tally, ..Counted::default() }))
        };
        Summaries { of: loaded.meta.iter().filter_map(row).collect(), seen: loaded.max_incident }
    }

    /// Begins to count for receivers that are new or want it at another time, and forgets others.
    fn align(
        &mut self,
        now: Ts,
        receivers: &BTreeMap<String, ReceiverPlan>,
        changes: &mut Vec<Change>,
    ) {
        let wants = |name: &String| receivers.get(name).is_some_and(|r| r.summary.is_some());
        self.of.retain(|name, _| {
            let stays = wants(name);
            if !stays {
                changes.push(Change::Meta { key: format!("{ROW}{name}"), value: String::new() });
            }
            stays
        });
        for (name, receiver) in receivers {
            let Some(at) = receiver.summary else { continue };
            let zone = receiver.zone.iana_name().unwrap_or_default();
            let known = self.of.entry(name.clone()).or_default();
            let tally = &mut known.tally;
            if same_spec(&tally.spec, at, zone) {
                continue;
            }
            let spec = format!("{at} {zone}");
            if tally.spec.is_empty() {
                *tally = Tally::from(&spec, now, now);
            } else {
                // Another time is no reason to forget, nor to tell at once.
                (tally.spec, tally.told) = (spec, now);
            }
            (known.dirty, known.rests) = (true, None);
        }
    }

    fn has_any(&self) -> bool {
        !self.of.is_empty()
    }
}

/// Compared at every turn: without making a text of it.
fn same_spec(spec: &str, at: SummaryAt, zone: &str) -> bool {
    let day_and_clock = spec.strip_suffix(zone).and_then(|rest| rest.strip_suffix(' '));
    day_and_clock.is_some_and(|text| text.parse() == Ok(at))
}

impl Pipeline {
    /// Writes the summaries that are due.
    pub(super) fn tell_summaries(
        &mut self,
        time: Time,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        self.summaries.align(time.wall, &self.settings.receivers, changes);
        if !self.summaries.has_any() {
            return;
        }
        let receivers: Vec<ReceiverPlan> =
            self.settings.receivers.values().filter(|r| r.summary.is_some()).cloned().collect();
        for receiver in receivers {
            let Some(at) = receiver.summary else { continue };
            let Some(counted) = self.summaries.of.get_mut(&receiver.name) else { continue };
            let now = time.wall;
            if counted.rests.is_some_and(|(from, until)| from <= now && now < until) {
                continue;
            }
            let next = at.next(now, &receiver.zone);
            counted.rests = next.map(|next| (now, next));
            match due(at, &receiver.zone, counted.tally.told, now) {
                Due::Not => {}
                Due::Skip(of) => {
                    counted.tally.told = of;
                    counted.dirty = true;
                }
                Due::Tell(of) => {
                    let fresh = Tally::from(&counted.tally.spec, of, now);
                    let tally = std::mem::replace(&mut counted.tally, fresh);
                    counted.dirty = true;
                    let view = self.summary_of(&receiver, &tally, at, incidents);
                    // Machines that keep alerts take no report, and who stands in is told none.
                    let takes = |p: &&ChannelPlan| p.resend.is_none() && !p.standby;
                    for plan in receiver.channels.iter().filter(takes) {
                        self.write_summary(time, &receiver, plan, view.clone(), changes);
                    }
                }
            }
        }
    }

    fn summary_of(
        &self,
        receiver: &ReceiverPlan,
        tally: &Tally,
        at: SummaryAt,
        incidents: &Incidents,
    ) -> SummaryView {
        let mut open = BySeverity::default();
        for incident in incidents.iter().filter(|i| i.is_open()) {
            if self.concerned(incident).contains(&receiver.name) {
                open.add(incident.severity, 1);
            }
        }
        SummaryView {
            since: tally.since,
            weekly: at.is_weekly(),
            failures: tally.failures,
            failing_jobs: tally.failing_jobs(),
            mended_jobs: tally.mended_jobs(),
            opened: tally.opened,
            ended: tally.ended,
            brief: tally.brief,
            open,
            sent: tally.sent,
            shadow: tally.shadow,
            unsent: tally.unsent,
            jobs: tally.noisiest(),
        }
    }

    /// One message like any other: it waits for its endpoint's budget, and is tried until it is
    /// accepted or given up.
    fn write_summary(
        &mut self,
        time: Time,
        receiver: &ReceiverPlan,
        plan: &ChannelPlan,
        summary: SummaryView,
        changes: &mut Vec<Change>,
    ) {
        let Some(composer) = self.composers.get(&plan.id).cloned() else { return };
        let id = self.next_message;
        self.next_message += 1;
        let view = MessageView {
            id,
            installation: self.installation.clone(),
            key: format!("{}-{id}", self.installation),
            kind: MessageKind::Summary,
            receiver: receiver.name.clone(),
            group_key: "summary".to_owned(),
            group_labels: Labels::default(),
            language: receiver.language,
            zone: receiver.zone.clone(),
            now: time.wall,
            external_url: self.settings.external_url.clone(),
            items: Vec::new(),
            jobs_watched: self.jobs_watched,
            is_reply: false,
            summary: Some(summary),
        };
        let shadow = receiver.shadow;
        let message = Message {
            id,
            to: plan.id.clone(),
            endpoint: plan.endpoint.clone(),
            channel_kind: plan.kind.clone(),
            kind: MessageKind::Summary,
            group: "summary".to_owned(),
            notices: Vec::new(),
            named: 0,
            urgent: false,
            frozen: composer.compose(&view).frozen,
            state: if shadow { MessageState::Shadow } else { MessageState::Due },
            at: time.wall,
            at_steady: time.steady,
            attempts: 0,
            next_attempt: None,
            done_at: shadow.then_some(time.wall),
            error: None,
            manner: Manner::Fresh,
            receipt: None,
            print: 0,
        };
        changes.push(Change::Message(Box::new(message.clone())));
        if !shadow {
            self.messages.insert(id, message);
        }
    }

    /// When the next summary is due, in steady time.
    pub fn next_summary(&self, time: Time) -> Option<Ts> {
        let rests = self.summaries.of.values().filter_map(|counted| counted.rests);
        let next = rests.map(|(_, until)| until).min()?;
        Some(time.steady + next.since(time.wall))
    }

    /// Counts what a turn brought for the receivers whose routes take it, and keeps the counts.
    /// `labels` are those of a job.
    pub fn count_for_summaries(
        &mut self,
        time: Time,
        incidents: &Incidents,
        labels: &dyn Fn(&JobKey) -> Option<Labels>,
        changes: &mut Vec<Change>,
    ) {
        let mut seen = self.summaries.seen;
        if self.summaries.has_any() {
            let mut summaries = std::mem::take(&mut self.summaries);
            let mut counting = Counting {
                pipeline: self,
                incidents,
                labels,
                time,
                before: seen,
                of: &mut summaries.of,
                done: BTreeSet::new(),
            };
            for change in changes.iter() {
                counting.change(change);
            }
            self.summaries = summaries;
        }
        for change in changes.iter() {
            if let Change::Incident(incident) = change {
                seen = seen.max(incident.id);
            }
        }
        self.summaries.seen = seen;
        for (name, counted) in self.summaries.of.iter_mut().filter(|(_, c)| c.dirty) {
            counted.dirty = false;
            if let Ok(value) = serde_json::to_string(&counted.tally) {
                changes.push(Change::Meta { key: format!("{ROW}{name}"), value });
            }
        }
    }

    /// Receivers whose routes take an incident.
    fn concerned(&self, incident: &Incident) -> BTreeSet<String> {
        self.receivers(&incident.routing_labels())
    }

    fn taking(&self, labels: &Labels, severity: Severity) -> BTreeSet<String> {
        let mut labels = labels.clone();
        labels.set("severity", severity.as_str());
        self.receivers(&labels)
    }

    fn receivers(&self, labels: &Labels) -> BTreeSet<String> {
        let routes = self.settings.route.matching(labels);
        routes.into_iter().map(|route| route.receiver.clone()).collect()
    }
}

/// Counting the changes of one turn.
struct Counting<'a> {
    pipeline: &'a Pipeline,
    incidents: &'a Incidents,
    labels: &'a dyn Fn(&JobKey) -> Option<Labels>,
    time: Time,
    /// The highest incident counted before this turn.
    before: u64,
    of: &'a mut BTreeMap<String, Counted>,
    /// A row may be written more than once in a turn, and a receiver may have several channels.
    done: BTreeSet<(&'static str, u64, String)>,
}

impl Counting<'_> {
    fn change(&mut self, change: &Change) {
        match change {
            Change::Failures { job, count, .. } => self.failures(job, *count),
            Change::Incident(incident) => self.incident(incident),
            Change::Notice(notice) if notice.outcome == Outcome::Brief => {
                let to = BTreeSet::from([notice.to.receiver.clone()]);
                self.each("brief", notice.incident, to, |tally| tally.brief += 1);
            }
            Change::Message(message) => self.message(message),
            _ => {}
        }
    }

    fn each(
        &mut self,
        what: &'static str,
        id: u64,
        receivers: BTreeSet<String>,
        count: impl Fn(&mut Tally),
    ) {
        for name in receivers {
            if let Some(counted) = self.of.get_mut(&name)
                && self.done.insert((what, id, name))
            {
                count(&mut counted.tally);
                counted.dirty = true;
            }
        }
    }

    fn failures(&mut self, job: &str, count: u64) {
        let key = JobKey(job.to_owned());
        let Some(labels) = (self.labels)(&key) else { return };
        let troubled = self.incidents.is_open(&Subject::Job(key));
        for name in self.pipeline.taking(&labels, Severity::Critical) {
            if let Some(counted) = self.of.get_mut(&name) {
                counted.tally.failed(job, count, troubled);
                counted.dirty = true;
            }
        }
    }

    fn incident(&mut self, incident: &Incident) {
        let opened = incident.id > self.before;
        let ended = !incident.is_open() && incident.resolved_steady == Some(self.time.steady);
        if !opened && !ended {
            return;
        }
        let concerned = self.pipeline.concerned(incident);
        if opened {
            let job = incident.job().map(|key| key.0.clone());
            self.each("opened", incident.id, concerned.clone(), |tally| {
                tally.opened.add(incident.severity, 1);
                if let Some(job) = &job {
                    tally.opened_for(job);
                }
            });
        }
        if ended {
            self.each("ended", incident.id, concerned, |tally| tally.ended += 1);
        }
    }

    fn message(&mut self, message: &Message) {
        if matches!(message.kind, MessageKind::Summary | MessageKind::Test) {
            return;
        }
        let to = BTreeSet::from([message.to.receiver.clone()]);
        let state = message.state;
        let count = |tally: &mut Tally| match state {
            MessageState::Sent => tally.sent += 1,
            MessageState::Shadow => tally.shadow += 1,
            MessageState::Failed => tally.unsent += 1,
            MessageState::Due => {}
        };
        if state != MessageState::Due {
            self.each("message", message.id, to, count);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
