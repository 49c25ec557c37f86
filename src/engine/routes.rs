//! Who would hear of it: a question about the routes, which it leaves as they are.

use super::Engine;
use super::find::{self, NotFound};
use crate::model::{JobKey, Labels, Severity, Time};
use crate::notify::Way;

/// An alert somebody thinks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteQuestion {
    /// Any unambiguous part of a job's key: its labels are the alert's.
    pub job: Option<String>,
    /// Labels beside those, or instead of them.
    pub labels: Labels,
}

/// Who would hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteAnswer {
    /// When it was asked.
    pub at: Time,
    /// The job.
    pub job: Option<JobKey>,
    /// Labels of the alert, without the severity if several are answered for.
    pub labels: Labels,
    /// By severity, the worst first: the one that was asked for, or that of the alert's rule, or all.
    pub ways: Vec<(String, Vec<Way>)>,
}

impl Engine {
    /// By which ways an alert would reach people at `time`.
    ///
    /// # Errors
    /// When no job is named so, or more than one.
    pub fn routes(&self, time: Time, question: &RouteQuestion) -> Result<RouteAnswer, NotFound> {
        let job = question.job.as_deref().map(|typed| self.job_named(typed)).transpose()?;
        let mut labels = Labels::default();
        if let Some(track) = job.as_ref().and_then(|key| self.tracker.job(key)) {
            labels = self.rules.book().of_job(track);
        }
        // What the rule itself says of its alerts.
        let alert = question.labels.get("alertname");
        let rule = self.rules.set.rules.iter().find(|rule| rule.id.alert == alert);
        if let Some(rule) = rule {
            labels.extend(&rule.labels);
            labels.set("severity", rule.id.severity.as_str());
        }
        labels.extend(&question.labels);
        let asked = labels.get("severity").to_owned();
        let severities = if asked.is_empty() {
            [Severity::Critical, Severity::Warning, Severity::Info]
                .map(|s| s.as_str().to_owned())
                .to_vec()
        } else {
            vec![asked]
        };
        let settings = self.pipeline.settings();
        let ways = severities.into_iter().map(|severity| {
            let mut of_alert = labels.clone();
            of_alert.set("severity", severity.as_str());
            let ways = settings.ways(&of_alert, time.wall);
            (severity, ways)
        });
        Ok(RouteAnswer { at: time, job, ways: ways.collect(), labels: labels.clone() })
    }

    /// Jobs nobody would ever hear of: all routes of a critical alert about them lead to receivers
    /// without channels, or to such that send nothing (`delivery: shadow`).
    pub fn unowned(&self) -> Vec<JobKey> {
        let settings = self.pipeline.settings();
        let is_unowned = |labels: &Labels| !settings.reaches_somebody(labels);
        let of_job = |track| {
            let mut labels = self.rules.book().of_job(track);
            labels.set("severity", Severity::Critical.as_str());
            labels
        };
        let jobs = self.tracker.jobs();
        jobs.filter(|(_, track)| is_unowned(&of_job(track))).map(|(key, _)| key.clone()).collect()
    }

    /// The job somebody means who types a part of its key.
    pub(super) fn job_named(&self, typed: &str) -> Result<JobKey, NotFound> {
        let twin = self.tracker.twin_of(&JobKey(typed.to_owned()));
        find::job(self.tracker.jobs().map(|(key, _)| key), twin, typed)
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
