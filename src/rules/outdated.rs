//! Alerts whose condition became another one while they were firing: by a reload, a restart, or
//! labels that lead to another form of the rule.
//!
//! Such an alert goes on until the rule has judged anew, or has the old condition again. Where the
//! new condition is unknown, that may be never: unknown freezes what a condition began, and this one
//! began nothing. So it ends after a while, and its incident with it, as one nobody looks after any
//! more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Rule;
use crate::model::{Alert, AlertState, RuleId, Subject, Truth, Ts};
use crate::tracker::JobFacts;

/// The new condition gets this long to be judged at least …
const LEAST: Duration = Duration::from_mins(5);
/// … and at most.
const MOST: Duration = Duration::from_hours(1);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Outdated {
    /// Since when looks at the subject have not been enough to judge it.
    unknown: BTreeMap<(Subject, RuleId), Ts>,
    /// Ended that way; their rules have come to no judgement since.
    ended: BTreeSet<(Subject, RuleId)>,
}

impl Outdated {
    /// Takes in a judgement; true if the alert ends with it. `seen`: the subject could be looked at
    /// and does what it is there for, so that an unknown is the condition's own.
    pub(super) fn ends(
        &mut self,
        now: Ts,
        rule: &Rule,
        subject: &Subject,
        alert: Option<&Alert>,
        truth: Truth,
        seen: bool,
    ) -> bool {
        if truth != Truth::Unknown && !self.ended.is_empty() {
            self.ended.remove(&(subject.clone(), rule.id.clone()));
        }
        if !alert.is_some_and(|alert| alert.outdated) {
            self.forget_alert(subject, &rule.id);
            return false;
        }
        let key = (subject.clone(), rule.id.clone());
        if truth != Truth::Unknown || !seen {
            self.unknown.remove(&key);
            return false;
        }
        let since = *self.unknown.entry(key.clone()).or_insert(now);
        let ends = now.since(since) >= rule.time_to_judge();
        if ends {
            self.unknown.remove(&key);
            self.ended.insert(key);
        }
        ends
    }

    /// An alert is gone or stands on its own condition: should that change, its time begins anew.
    pub(super) fn forget_alert(&mut self, subject: &Subject, rule: &RuleId) {
        if !self.unknown.is_empty() {
            self.unknown.remove(&(subject.clone(), rule.clone()));
        }
    }

    /// Whether an alert of this rule ended because the rule cannot judge the subject.
    pub(super) fn has_ended(&self, rule: &RuleId, subject: &Subject) -> bool {
        !self.ended.is_empty() && self.ended.contains(&(subject.clone(), rule.clone()))
    }

    /// Forgets what is not an alert any more, and what other rules could not judge.
    pub(super) fn reload(&mut self, is_alert: impl Fn(&(Subject, RuleId)) -> bool) {
        self.ended.clear();
        self.unknown.retain(|key, _| is_alert(key));
    }

    /// Forgets a subject.
    pub(super) fn forget(&mut self, subject: &Subject) {
        self.unknown.retain(|(known, _), _| known != subject);
        self.ended.retain(|(known, _)| known != subject);
    }
}

impl Rule {
    /// How long its condition may be unknown before an alert it did not begin ends: what it has to
    /// look back on and to hold for, within bounds.
    fn time_to_judge(&self) -> Duration {
        let window = self.when.span().unwrap_or_default();
        window.saturating_add(self.hold).clamp(LEAST, MOST)
    }
}

/// Notes whether an alert still stands on the condition of its rule. One of an older version, which
/// did not keep its condition, is taken to stand on the present one.
pub(super) fn mark(alert: &mut Alert, rule: &Rule) {
    let now = rule.print();
    alert.outdated = match &alert.condition {
        Some(before) => alert.state == AlertState::Firing && *before != now,
        None => alert.outdated,
    };
    if alert.condition.is_none() && !alert.outdated {
        alert.condition = Some(now.to_owned());
    }
}

/// Whether a job was just seen running as it should, its numbers moving: nothing but the condition
/// is to blame for an unknown.
pub(super) fn runs(facts: &JobFacts<'_>) -> bool {
    let listed = facts.listed_run().is_some_and(|run| run.listed && run.is_healthy());
    listed && facts.is_fresh() && !facts.source.frozen
}
