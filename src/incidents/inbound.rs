//! Alerts from outside become incidents like all others: an incident per set of labels.
//!
//! Whether and until when an alert fires is decided in [`held`]; from there on it is what a firing
//! rule is: it opens, comes back, flaps, is closed by a person, and has its quiet time before it is
//! over. What nobody sends any more is over, as in Alertmanager: its sender is the only one who knows.

mod held;

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Health, Incidents, Stepped, transition};
use crate::model::{
    Alert, AlertState, Aspect, Change, Evidence, Incident, JobKey, Labels, Posted, RuleId, Subject,
    Time, Ts,
};
use crate::tracker::Tracker;
pub(super) use held::Inbound;
use held::Judged;

/// Rule group of what comes from outside.
const GROUP: &str = "inbound";

/// Validated settings of alerts from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundSettings {
    /// An alert that does not say when it ends ends after so long, unless it is sent again.
    pub resolve_timeout: Duration,
    /// So many fire at once; more are refused.
    pub max_alerts: usize,
}

impl Default for InboundSettings {
    fn default() -> Self {
        // Alertmanager's default; Prometheus says itself when its alerts end.
        InboundSettings { resolve_timeout: Duration::from_mins(5), max_alerts: 10_000 }
    }
}

/// Who sends, and which jobs are known.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// Name of the token.
    pub by: &'a str,
    /// The watched job that labels name.
    pub job: &'a dyn Fn(&Labels) -> Option<JobKey>,
}

impl std::fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("by", &self.by).finish_non_exhaustive()
    }
}

impl Incidents {
    /// The first turn of a process.
    pub fn begin_inbound(&mut self, time: Time) {
        self.inbound.begin(time, &self.settings.inbound);
        let open = self.by_id.values().filter(|i| i.is_open());
        let prints = open.filter_map(|i| match &i.subject {
            Subject::External(print) => Some(print.clone()),
            _ => None,
        });
        self.ending = prints.filter(|print| !self.inbound.is_held(print)).collect();
    }

    /// Leaves of what was sent what is news; says how many there is no room for.
    ///
    /// What is left out changes nothing, so the engine need not take a turn for it.
    pub fn thin(&self, time: Time, posted: &mut Vec<Posted>) -> usize {
        let mut no_room = 0;
        posted.retain(|posted| {
            let print = posted.fingerprint();
            let judged = self.inbound.judge(time, &self.settings.inbound, &print, posted);
            no_room += usize::from(judged == Judged::NoRoom);
            !matches!(judged, Judged::Nothing | Judged::NoRoom)
        });
        no_room
    }

    /// Takes in what was sent; says how many there was no room for.
    pub fn hear(&mut self, time: Time, posted: &[Posted], sender: Sender<'_>) -> (usize, Stepped) {
        let mut out = Stepped::default();
        let mut no_room = 0;
        for posted in posted {
            let print = posted.fingerprint();
            match self.inbound.judge(time, &self.settings.inbound, &print, posted) {
                Judged::Nothing => {}
                Judged::NoRoom => no_room += 1,
                Judged::Ends => self.end_inbound(time, &print, "ended by its sender", &mut out),
                Judged::Begins(until) => {
                    self.inbound.take(time, &print, posted, until, &mut out.changes);
                    self.fires(time, &print, Some(sender), &mut out);
                }
                Judged::GoesOn(until) => {
                    self.inbound.take(time, &print, posted, until, &mut out.changes);
                    self.fires(time, &print, None, &mut out);
                }
            }
        }
        (no_room, out)
    }

    /// Time has passed: what nobody has sent again is over, and so is what has been quiet for long.
    pub fn step_inbound(&mut self, time: Time, tracker: &Tracker) -> Stepped {
        let mut out = Stepped::default();
        for print in self.inbound.due(time, &self.settings.inbound) {
            self.end_inbound(time, &print, "no longer sent, so it counts as over", &mut out);
        }
        let settled = |print: &&String| self.quiet_until(print).is_none_or(|at| at <= time.steady);
        let settled: Vec<String> = self.ending.iter().filter(settled).cloned().collect();
        for print in settled {
            self.quiet(time, &print, &mut out);
        }
        if !out.changes.is_empty() {
            self.settle_causes(time, tracker, &mut out);
        }
        out
    }

    /// The next steady time at which something ends of itself.
    pub fn next_inbound(&self) -> Option<Ts> {
        let quiet = self.ending.iter().filter_map(|print| self.quiet_until(print));
        quiet.chain(self.inbound.next_end()).min()
    }

    /// When an incident that does not fire any more will have been quiet for long enough.
    fn quiet_until(&self, print: &str) -> Option<Ts> {
        let incident = self.external(print).filter(|i| i.is_open())?;
        Some(incident.quiet_since? + transition::quiet_for(incident, &self.settings))
    }

    fn external(&self, print: &str) -> Option<&Incident> {
        self.newest(&Subject::External(print.to_owned()), &Aspect::from(Aspect::EXTERNAL))
    }

    /// It is held and fires; `sender` where it begins.
    fn fires(&mut self, time: Time, print: &str, sender: Option<Sender<'_>>, out: &mut Stepped) {
        let Some(posted) = self.inbound.get(print).map(|held| held.posted.clone()) else { return };
        self.ending.remove(print);
        let alert = alert(time, print, &posted);
        let newest = self.external(print).map(|i| i.id);
        self.judge_external(time, print, Some(&alert), out);
        let Some(incident) = self.external(print).filter(|i| i.is_open()) else { return };
        let (id, opened) = (incident.id, newest != Some(incident.id));
        if let Some(Sender { by, job }) = sender {
            let mut say =
                |what| out.changes.push(Change::Event { incident: id, at: time.wall, what });
            say(sent_by(by, &posted));
            if let Some(word) = posted.unknown_severity().filter(|_| opened) {
                say(format!(
                    "severity {word:?} is none of critical, warning and info: taken as a warning"
                ));
            }
            let job = job(&posted.labels);
            self.fill(id, out, |incident| incident.named_job = job);
        }
        self.fill(id, out, |incident| incident.ui_url.clone_from(&posted.generator_url));
    }

    /// What an alert does not carry.
    fn fill(&mut self, id: u64, out: &mut Stepped, with: impl FnOnce(&mut Incident)) {
        let Some(incident) = self.by_id.get_mut(&id) else { return };
        let before = incident.clone();
        with(incident);
        if *incident != before {
            out.changes.push(Change::Incident(Box::new(incident.clone())));
        }
    }

    fn end_inbound(&mut self, time: Time, print: &str, why: &str, out: &mut Stepped) {
        self.inbound.end(print, &mut out.changes);
        self.ending.insert(print.to_owned());
        if let Some(incident) = self.external(print).filter(|i| i.is_open()) {
            let (incident, what) = (incident.id, why.to_owned());
            out.changes.push(Change::Event { incident, at: time.wall, what });
        }
        self.quiet(time, print, out);
    }

    /// It does not fire; asked on until its incident has had its quiet time.
    fn quiet(&mut self, time: Time, print: &str, out: &mut Stepped) {
        self.judge_external(time, print, None, out);
        if self.external(print).is_none_or(|incident| !incident.is_open()) {
            self.ending.remove(print);
        }
    }

    fn judge_external(
        &mut self,
        time: Time,
        print: &str,
        alert: Option<&Alert>,
        out: &mut Stepped,
    ) {
        let subject = Subject::External(print.to_owned());
        let aspect = Aspect::from(Aspect::EXTERNAL);
        let mut firing = std::collections::BTreeMap::new();
        firing.extend(alert.map(|alert| (aspect.clone(), vec![alert])));
        self.shut.heed(time, &subject, &|_| true, &mut firing, out);
        let alerts = firing.remove(&aspect).unwrap_or_default();
        self.apply(time, &subject, &aspect, &alerts, Health::Well, None, out);
    }
}

/// Fingerprints of what does not fire any more while its incident is still open.
pub(super) type Ending = BTreeSet<String>;

fn sent_by(by: &str, posted: &Posted) -> String {
    let since = posted.starts_at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    let since = since.map(|at| format!(", where it fires since {at}")).unwrap_or_default();
    format!("sent by {by}{since}")
}

/// What it is to an incident: a rule that fires. Its labels stay as they are.
fn alert(time: Time, print: &str, posted: &Posted) -> Alert {
    Alert {
        rule: RuleId {
            group: GROUP.to_owned(),
            alert: posted.name().to_owned(),
            severity: posted.severity(),
        },
        subject: Subject::External(print.to_owned()),
        aspect: Aspect::from(Aspect::EXTERNAL),
        state: AlertState::Firing,
        since: time.steady,
        last_true: time.steady,
        first_look: false,
        unknown_since: None,
        outdated: false,
        condition: None,
        evidence: Evidence::new(),
        labels: posted.labels.clone(),
        annotations: posted.annotations.clone(),
    }
}

#[cfg(test)]
#[path = "inbound_tests.rs"]
mod tests;
