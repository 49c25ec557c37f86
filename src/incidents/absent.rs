//! One reminder of a job that somebody stopped and that is still absent.
//!
//! A job that somebody cancelled may be gone for good, or forgotten: who knows which is asked once.
//! The reminder is an incident of its own with severity info: told once, never repeated, over when
//! the job runs or is retired. A job with a schedule is not spoken of: that says when it is to be
//! back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Health, Incidents, OWN_GROUP, Stepped, transition};
use crate::model::{
    Alert, AlertState, Aspect, Change, EndReason, Evidence, Incident, JobKey, JobState, Labels,
    RuleId, Severity, Subject, Time, Ts,
};
use crate::tracker::{Fact, JobFacts, JobTrack, Tracker};

const ALERT: &str = "JobStillStopped";
const ASPECT: &str = "absence";
/// Whoever was not reminded by so long after the hour is not reminded of what is old.
const WITHIN: Duration = Duration::from_hours(2);

impl Incidents {
    /// Judges these jobs, which were just looked at; `labels` are those of alerts about a job.
    pub fn remind(
        &mut self,
        time: Time,
        jobs: &[JobKey],
        tracker: &Tracker,
        labels: &dyn Fn(&JobTrack) -> Labels,
    ) -> Stepped {
        let mut out = Stepped::default();
        for key in jobs {
            let Some(job) = tracker.job(key) else { continue };
            let subject = Subject::Job(key.clone());
            let reminded = self.newest(&subject, &Aspect::from(ASPECT));
            let open = reminded.is_some_and(Incident::is_open);
            if !open && (!job.ended_on_purpose() || job.schedule.is_some()) {
                continue;
            }
            let Some(facts) = tracker.job_facts(key, time).filter(JobFacts::is_fresh) else {
                continue;
            };
            if job.ended_on_purpose() {
                if !open && let Some(alert) = self.due(time, &subject, &facts) {
                    let alert = alert.of(&subject, labels(job), time);
                    self.absence(time, &subject, Some(&alert), tracker, &mut out);
                }
            } else if job.current().is_some_and(crate::tracker::Run::is_healthy) {
                self.absence(time, &subject, None, tracker, &mut out);
            }
        }
        self.end_forgotten(time, tracker, &mut out);
        out
    }

    /// Whether an ended incident may still be asked for.
    pub(super) fn may_remind(&self, incident: &Incident, time: Time) -> bool {
        let until = self.settings.remind_after + WITHIN;
        let recent = |at: Ts| time.steady.since(at) < until;
        incident.end_reason == Some(EndReason::Ended)
            && incident.subject.job().is_some()
            && incident.resolved_steady.is_some_and(recent)
    }

    fn due(&self, time: Time, subject: &Subject, facts: &JobFacts<'_>) -> Option<Reminder> {
        let after = self.settings.remind_after;
        let run = facts.run().filter(|run| run.is_fresh_end())?;
        let ended = run.ended?;
        let absent = time.steady.since(ended);
        if after.is_zero() || absent < after || absent >= after + WITHIN {
            return None;
        }
        let known = self.newest(subject, &Aspect::from(ASPECT));
        if known.is_some_and(|i| i.opened_steady >= ended) {
            return None;
        }
        let ended_by_it = |i: &&Incident| {
            i.end_reason == Some(EndReason::Ended)
                && i.opened_steady < ended
                && i.resolved_steady.is_some_and(|at| at >= ended)
        };
        // What finishes of itself was stopped by nobody.
        let cancelled = facts.state() == Some(JobState::Canceled);
        let of_subject = self.current.get(subject).into_iter().flatten();
        let mut newest = of_subject.filter_map(|(_, id)| self.by_id.get(id));
        let trouble = newest.find(ended_by_it).filter(|_| cancelled).map(|i| i.id);
        let stopped = facts.is_stopped() == Fact::Known(true);
        (stopped || cancelled).then_some(Reminder { absent, trouble, stopped })
    }

    fn absence(
        &mut self,
        time: Time,
        subject: &Subject,
        alert: Option<&Alert>,
        tracker: &Tracker,
        out: &mut Stepped,
    ) {
        let alerts: Vec<&Alert> = alert.into_iter().collect();
        let aspect = Aspect::from(ASPECT);
        self.apply(time, subject, &aspect, &alerts, Health::Well, Some(tracker), out);
    }

    /// Nobody waits for the end of a reminder: that the job is known no more is no news.
    fn end_forgotten(&mut self, time: Time, tracker: &Tracker, out: &mut Stepped) {
        let gone = |i: &Incident| {
            i.is_open()
                && i.aspect.as_str() == ASPECT
                && i.rule == ALERT
                && i.subject.job().is_some_and(|key| tracker.job(key).is_none())
        };
        for incident in self.by_id.values_mut().filter(|i| gone(i)) {
            transition::end(incident, time, EndReason::Unwatched);
            let (id, what) = (incident.id, transition::over(incident));
            out.changes.push(Change::Event { incident: id, at: time.wall, what });
            out.changes.push(Change::Incident(Box::new(incident.clone())));
        }
    }
}

/// Why somebody is reminded.
struct Reminder {
    absent: Duration,
    /// What was wrong when it was cancelled.
    trouble: Option<u64>,
    /// With a savepoint.
    stopped: bool,
}

impl Reminder {
    fn of(&self, subject: &Subject, mut labels: Labels, time: Time) -> Alert {
        let severity = Severity::Info;
        labels.set("alertname", ALERT);
        labels.set("severity", severity.as_str());
        let hours = self.absent.as_secs() / 3_600;
        let (why, why_zh) = match self.trouble {
            Some(id) => (format!("cancelled during #{id}"), format!("在 #{id} 期间被取消")),
            None if self.stopped => {
                ("stopped with a savepoint".to_owned(), "带 savepoint 停止".to_owned())
            }
            None => ("cancelled".to_owned(), "被取消".to_owned()),
        };
        let retire = match subject.job() {
            Some(key) => format!("`weir retire {}`", key.0),
            None => "`weir retire`".to_owned(),
        };
        let texts = [
            ("headline", format!("{why} {hours} h ago and not back")),
            ("headline_zh", format!("{why_zh}，已过 {hours} 小时仍未恢复运行")),
            ("summary", format!("was {why} {hours} h ago and has not been started again")),
            ("summary_zh", format!("作业{why_zh}，已过 {hours} 小时仍未重新启动")),
            (
                "description",
                format!("Start it again, or if it is gone for good: {retire}. This is said once."),
            ),
            ("description_zh", format!("请重新启动；若已不再需要：{retire}。此提醒只发一次。")),
        ];
        Alert {
            rule: RuleId { group: OWN_GROUP.to_owned(), alert: ALERT.to_owned(), severity },
            subject: subject.clone(),
            aspect: Aspect::from(ASPECT),
            state: AlertState::Firing,
            since: time.steady,
            last_true: time.steady,
            first_look: false,
            unknown_since: None,
            outdated: false,
            condition: None,
            evidence: Evidence::new(),
            labels,
            annotations: texts
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}
