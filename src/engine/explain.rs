//! Why rules are what they are now: a question about the state, which it leaves as it is.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use super::Engine;
use super::find::{self, NotFound};
use crate::model::{Aspect, IncidentState, JobKey, RuleId, Subject, Time, Truth};
use crate::rules::{Reason, Rule, Standing};

/// Explanations in one answer at most.
pub const MAX_EXPLANATIONS: usize = 1_000;
/// Judgements for one question at most: the loop waits while they are made.
const MAX_JUDGEMENTS: usize = 50_000;

/// What somebody wants explained; nothing given: what is nearest to firing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Any unambiguous part of a job's key.
    pub job: Option<String>,
    /// A source and its Flink clusters.
    pub source: Option<String>,
    /// `alert`, `group/alert` or `group/alert/severity`.
    pub rule: Option<String>,
    /// At most so many explanations.
    pub limit: usize,
}

/// One rule for one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// About what.
    pub subject: Subject,
    /// Which rule.
    pub rule: RuleId,
    /// Name of its kind.
    pub kind: &'static str,
    /// `for`.
    pub hold: Duration,
    /// `keep_firing_for`.
    pub keep_firing_for: Duration,
    /// In which respect.
    pub aspect: Aspect,
    /// What was judged, and why.
    pub reason: Reason,
    /// The incident its alert belongs to.
    pub incident: Option<OfIncident>,
}

/// The incident of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfIncident {
    /// Number.
    pub id: u64,
    /// Where it stands.
    pub state: IncidentState,
    /// The open incident that explains it and mutes its messages.
    pub inhibited_by: Option<u64>,
}

/// How many (subject, rule) pairs there are of each sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Firing.
    pub firing: usize,
    /// Pending, or true since the last look.
    pub pending: usize,
    /// Not true.
    pub not_true: usize,
    /// Unknown.
    pub unknown: usize,
    /// Not applicable.
    pub not_applicable: usize,
    /// Kept out by matchers.
    pub excluded: usize,
    /// Not looked at: there are more than one question may cost.
    pub not_judged: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// When it was judged.
    pub at: Time,
    /// Firing and pending first, then by nearness, then unknown, then what does not apply.
    pub explanations: Vec<Explanation>,
    /// Of all that were judged, those left out included.
    pub counts: Counts,
}

/// One rule as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleReport {
    /// The rule.
    pub rule: RuleId,
    /// Name of its kind.
    pub kind: &'static str,
    /// `for`.
    pub hold: Duration,
    /// `keep_firing_for`.
    pub keep_firing_for: Duration,
    /// In which respect.
    pub aspect: Aspect,
    /// Which subjects it is about.
    pub matchers: Vec<String>,
    /// How it stands, over all subjects.
    pub counts: Counts,
}

impl Engine {
    /// Why the rules in question are what they are for the subjects in question at `time`.
    ///
    /// # Errors
    /// When no job, source or rule is named so, or more than one job is.
    pub fn explain(&self, time: Time, question: &Question) -> Result<Answer, NotFound> {
        self.explain_within(MAX_JUDGEMENTS, time, question)
    }

    fn explain_within(
        &self,
        judgements: usize,
        time: Time,
        question: &Question,
    ) -> Result<Answer, NotFound> {
        let named = question.rule.as_deref();
        let wanted: Vec<&Rule> = self
            .rules()
            .set
            .rules
            .iter()
            .filter(|rule| named.is_none_or(|n| find::names_rule(n, &rule.id)))
            .collect();
        if let (Some(typed), true) = (named, wanted.is_empty()) {
            let ids: Vec<&RuleId> = self.rules().set.rules.iter().map(|rule| &rule.id).collect();
            return Err(find::no_rule(typed, &ids));
        }
        let limit = question.limit.min(MAX_EXPLANATIONS);
        // Whoever names a subject and a rule hears that they have nothing to do with each other.
        let tells_scope = named.is_some() && (question.job.is_some() || question.source.is_some());
        let mut counts = Counts::default();
        let mut found: Vec<Explanation> = Vec::new();
        let mut left = judgements;
        for subject in self.subjects_of(question)? {
            let Some(rest) = left.checked_sub(wanted.len()) else {
                left = 0;
                counts.not_judged += wanted.len();
                continue;
            };
            left = rest;
            let Some(asked) = self.rules().ask_about(time, self.tracker(), &subject) else {
                continue;
            };
            for rule in &wanted {
                let reason = self.rules().explain(time, rule, &subject, &asked);
                if reason.other_scope && !tells_scope {
                    continue;
                }
                counts.add(&reason);
                found.push(Explanation {
                    subject: subject.clone(),
                    rule: rule.id.clone(),
                    kind: rule.when.name(),
                    hold: rule.hold,
                    keep_firing_for: rule.keep_firing_for,
                    aspect: rule.aspect.clone(),
                    reason,
                    incident: None,
                });
            }
            // However many jobs there are, only the foremost are kept.
            if found.len() > limit * 4 + 1_000 {
                found.sort_by(foremost);
                found.truncate(limit);
            }
        }
        found.sort_by(foremost);
        found.truncate(limit);
        for explanation in &mut found {
            explanation.incident = self.incident_of(explanation);
        }
        Ok(Answer { at: time, explanations: found, counts })
    }

    /// All rules, and how many subjects each is true, unknown or nothing for at `time`.
    pub fn rule_reports(&self, time: Time) -> Vec<RuleReport> {
        self.rule_reports_within(MAX_JUDGEMENTS, time)
    }

    fn rule_reports_within(&self, judgements: usize, time: Time) -> Vec<RuleReport> {
        let rules = &self.rules().set.rules;
        let mut counts = vec![Counts::default(); rules.len()];
        let mut left = judgements;
        for subject in self.all_subjects() {
            let Some(rest) = left.checked_sub(rules.len()) else {
                left = 0;
                for counts in &mut counts {
                    counts.not_judged += 1;
                }
                continue;
            };
            left = rest;
            let Some(asked) = self.rules().ask_about(time, self.tracker(), &subject) else {
                continue;
            };
            for (rule, counts) in rules.iter().zip(&mut counts) {
                counts.add_truth(self.rules().truth_of(time, rule, &asked));
            }
        }
        for alert in self.rules().alerts() {
            let at = rules.iter().position(|rule| rule.id == alert.rule);
            if let Some(counts) = at.and_then(|at| counts.get_mut(at)) {
                match alert.state {
                    crate::model::AlertState::Pending => counts.pending += 1,
                    crate::model::AlertState::Firing => counts.firing += 1,
                }
            }
        }
        let report = |(rule, counts): (&Rule, Counts)| RuleReport {
            rule: rule.id.clone(),
            kind: rule.when.name(),
            hold: rule.hold,
            keep_firing_for: rule.keep_firing_for,
            aspect: rule.aspect.clone(),
            matchers: rule.matchers.iter().map(ToString::to_string).collect(),
            counts,
        };
        rules.iter().zip(counts).map(report).collect()
    }

    fn subjects_of(&self, question: &Question) -> Result<Vec<Subject>, NotFound> {
        if let Some(typed) = &question.job {
            return Ok(vec![Subject::Job(self.find_job(typed)?)]);
        }
        let all = self.all_subjects();
        let Some(typed) = &question.source else { return Ok(all) };
        let names: Vec<&str> = self.tracker().sources().map(|(name, _)| name.as_str()).collect();
        let wanted = find::key(("source", "sources"), &names, typed)?;
        let of_source = |subject: &Subject| match subject {
            Subject::Source(name) | Subject::Cluster(name, _) => name == wanted,
            Subject::Job(_) | Subject::Channel(_) | Subject::External(_) => false,
        };
        Ok(all.into_iter().filter(of_source).collect())
    }

    /// The one job meant by a part of its key.
    pub(super) fn find_job(&self, typed: &str) -> Result<JobKey, NotFound> {
        let tracker = self.tracker();
        let twin = tracker.twin_of(&JobKey(typed.to_owned()));
        find::job(tracker.jobs().map(|(key, _)| key), twin, typed)
    }

    /// Everything rules can be about: what has alerts first, each in order.
    fn all_subjects(&self) -> Vec<Subject> {
        let mut all: BTreeSet<Subject> =
            self.tracker().jobs().map(|(key, _)| Subject::Job(key.clone())).collect();
        for (name, source) in self.tracker().sources() {
            all.insert(Subject::Source(name.clone()));
            let clusters = source.clusters.iter().map(|c| &c.flink_cluster);
            for cluster in clusters.chain(source.emptied.keys()) {
                all.insert(Subject::Cluster(name.clone(), cluster.clone()));
            }
        }
        all.extend(self.rules().subjects().cloned());
        let mut all: Vec<Subject> = all.into_iter().collect();
        all.sort_by_key(|subject| self.rules().alerts_of(subject).next().is_none());
        all
    }

    fn incident_of(&self, explanation: &Explanation) -> Option<OfIncident> {
        if !matches!(explanation.reason.standing, Standing::Firing { .. }) {
            return None;
        }
        let incident = self.incidents().iter().find(|incident| {
            incident.is_open()
                && incident.subject == explanation.subject
                && incident.members.iter().any(|member| member.rule == explanation.rule)
        })?;
        Some(OfIncident {
            id: incident.id,
            state: incident.state,
            inhibited_by: incident.inhibited_by,
        })
    }
}

/// The place of an explanation among others: firing, pending, then not true, unknown, nothing.
fn rank(reason: &Reason) -> u8 {
    match (&reason.standing, reason.truth) {
        (Standing::Firing { .. }, _) => 0,
        (Standing::Pending { .. }, _) | (_, Truth::True) => 1,
        (_, Truth::False) if reason.why.near.is_some() => 2,
        (_, Truth::False) => 3,
        (_, Truth::Unknown) => 4,
        (_, Truth::NotApplicable) if reason.excluded_by.is_none() => 5,
        (_, Truth::NotApplicable) => 6,
    }
}

fn foremost(a: &Explanation, b: &Explanation) -> Ordering {
    let near = |e: &Explanation| e.reason.why.near.unwrap_or(0.0);
    rank(&a.reason)
        .cmp(&rank(&b.reason))
        .then_with(|| near(b).total_cmp(&near(a)))
        .then_with(|| a.subject.cmp(&b.subject))
        .then_with(|| a.rule.cmp(&b.rule))
}

impl Counts {
    fn add(&mut self, reason: &Reason) {
        let count = match rank(reason) {
            0 => &mut self.firing,
            1 => &mut self.pending,
            2 | 3 => &mut self.not_true,
            4 => &mut self.unknown,
            5 => &mut self.not_applicable,
            _ => &mut self.excluded,
        };
        *count += 1;
    }

    /// None: the rule is not about the subject. What is true is counted by its alert.
    fn add_truth(&mut self, truth: Option<Truth>) {
        match truth {
            Some(Truth::False) => self.not_true += 1,
            Some(Truth::Unknown) => self.unknown += 1,
            Some(Truth::NotApplicable) => self.not_applicable += 1,
            Some(Truth::True) | None => {}
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
