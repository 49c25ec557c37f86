//! Why a rule is what it is for a subject now. Looks, and changes nothing.

use std::sync::Arc;
use std::time::Duration;

use super::applies::{excluded_by, fits};
use super::kinds::{About, Facts, Scope};
use super::picks::Pick;
use super::{Rule, Rules};
use crate::model::{Alert, AlertState, Labels, Subject, Time, Truth, Ts, Why};
use crate::tracker::{ClusterFacts, Tracker};

/// Where the alert of a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Inactive,
    /// True, but not yet for `for`.
    Pending {
        /// Steady time since when it has been true.
        since: Ts,
        /// Steady time from which it fires if it is still true; none while that is unknown.
        fires_at: Option<Ts>,
    },
    /// It fires.
    Firing {
        /// Steady time since when it has been true.
        since: Ts,
        /// Steady time until which `keep_firing_for` holds it, where it is not true any more.
        kept_until: Option<Ts>,
    },
}

/// Why a rule is what it is for a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// What was judged now; n/a where the rule is not about the subject.
    pub truth: Truth,
    /// Where its alert stands.
    pub standing: Standing,
    /// The matcher that keeps the rule from this subject.
    pub excluded_by: Option<String>,
    /// The rule's kind is about other subjects.
    pub other_scope: bool,
    /// Values, words, nearness.
    pub why: Why,
}

/// A subject with what is needed to judge rules on it.
pub struct Asked<'a> {
    facts: Facts<'a>,
    scope: Scope,
    labels: Labels,
    subject: &'a Subject,
}

impl Rules {
    /// Gathers what is known about a subject; none where nothing is.
    pub fn ask_about<'a>(
        &self,
        time: Time,
        tracker: &'a Tracker,
        subject: &'a Subject,
    ) -> Option<Asked<'a>> {
        let (about, scope, labels) = match subject {
            Subject::Job(key) => {
                let facts = tracker.job_facts(key, time)?;
                (About::Job(facts), Scope::Jobs, self.book().of_job(facts.job))
            }
            Subject::Source(name) => {
                let facts = tracker.source_facts(name, time)?;
                (About::Source(facts), Scope::Sources, self.book().of_source(name, None))
            }
            Subject::Cluster(name, cluster) => {
                let source = tracker.source(name)?;
                let facts = ClusterFacts { source, flink_cluster: cluster, time };
                let labels = self.book().of_source(name, Some(cluster));
                (About::Cluster(facts), Scope::Clusters, labels)
            }
            Subject::Channel(_) | Subject::External(_) => return None,
        };
        Some(Asked { facts: Facts { asks_why: true, ..Facts::of(about) }, scope, labels, subject })
    }

    /// Why a rule is what it is for a subject.
    pub fn explain(&self, time: Time, rule: &Rule, subject: &Subject, asked: &Asked<'_>) -> Reason {
        let silent = |words: String| Reason {
            truth: Truth::NotApplicable,
            standing: Standing::Inactive,
            excluded_by: None,
            other_scope: false,
            why: Why::default().words(words),
        };
        if !fits(rule, asked.scope) {
            let words = format!("this rule is about {}", about(rule.when.scope()));
            return Reason { other_scope: true, ..silent(words) };
        }
        if let Some(matcher) = excluded_by(rule, &asked.labels) {
            let matcher = matcher.to_string();
            let words = format!("the rule's matcher {matcher} keeps it from this subject");
            return Reason { excluded_by: Some(matcher), ..silent(words) };
        }
        let form = self.form(rule, asked);
        let rule = form.as_deref().unwrap_or(rule);
        if !rule.enabled {
            return silent("an override switches the rule off for this subject".to_owned());
        }
        let labels = || asked.labels.clone();
        let verdict = rule.judge(&asked.facts.with_labels(&labels), time.wall);
        let mut why = verdict.why.map(|why| *why).unwrap_or_default();
        if why.evidence.is_empty() {
            why.evidence = verdict.evidence;
        }
        why.near = match verdict.truth {
            Truth::True => Some(1.0),
            // Under the limit by less than a number shows is not yet at it.
            Truth::False => why.near.filter(|n| n.is_finite()).map(|near| near.clamp(0.0, 0.999)),
            Truth::Unknown | Truth::NotApplicable => None,
        };
        let alert = self.alerts_of(subject).find(|alert| alert.rule == rule.id);
        let standing =
            alert.map_or(Standing::Inactive, |alert| standing(time, rule, alert, verdict.truth));
        Reason { truth: verdict.truth, standing, excluded_by: None, other_scope: false, why }
    }

    /// The form of a rule that counts for the subject; none: the rule's own.
    fn form(&self, rule: &Rule, asked: &Asked<'_>) -> Option<Arc<Rule>> {
        let picked = match (asked.subject, asked.facts.about) {
            (Subject::Job(key), About::Job(facts)) => {
                let index = self.set.rules.iter().position(|r| std::ptr::eq(r, rule))?;
                self.set.picks.known(&facts.job.source, key, index)
            }
            _ => None,
        };
        match picked {
            Some(Pick::Own) => None,
            Some(Pick::Form(form)) => Some(form),
            Some(Pick::No) | None => rule.variants.of(&asked.labels).cloned(),
        }
    }

    /// Whether a rule holds for a subject, without the reason; none where it is not about it.
    pub fn truth_of(&self, time: Time, rule: &Rule, asked: &Asked<'_>) -> Option<Truth> {
        let judged = fits(rule, asked.scope) && excluded_by(rule, &asked.labels).is_none();
        let labels = || asked.labels.clone();
        let facts = Facts::of(asked.facts.about).with_labels(&labels);
        let form = self.form(rule, asked);
        let rule = form.as_deref().unwrap_or(rule);
        (judged && rule.enabled).then(|| rule.judge(&facts, time.wall).truth)
    }
}

fn standing(time: Time, rule: &Rule, alert: &Alert, truth: Truth) -> Standing {
    match alert.state {
        AlertState::Pending => {
            // What outlasted `for` unknown starts anew with the next true.
            let anew = alert.unknown_since.is_some_and(|u| time.steady.since(u) > rule.hold);
            let from = if anew { time.steady } else { alert.since };
            let fires_at = (truth == Truth::True).then(|| from + rule.hold);
            Standing::Pending { since: alert.since, fires_at }
        }
        AlertState::Firing => {
            let paused =
                alert.unknown_since.map_or(Duration::ZERO, |since| time.steady.since(since));
            let until = alert.last_true + paused + rule.keep_firing_for;
            let kept_until = (truth == Truth::False).then_some(until);
            Standing::Firing { since: alert.since, kept_until }
        }
    }
}

fn about(scope: Scope) -> &'static str {
    match scope {
        Scope::Jobs => "jobs",
        Scope::JobsAndClusters => "jobs and Flink clusters",
        Scope::Clusters => "Flink clusters",
        Scope::Sources => "sources",
    }
}
