//! Alerts whose rule came to judge otherwise while they were firing.
//!
//! Such an alert goes on until the rule has judged anew. Where the new condition is unknown, that
//! may be never: unknown freezes what a condition began, and this one began nothing. So it ends
//! after a while, and its incident with it, as one nobody looks after any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Rule;
use crate::model::{Alert, RuleId, Subject, Truth, Ts};

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
    /// Takes in a judgement; true if the alert ends with it. `seen`: the subject could be looked at,
    /// so that an unknown is the condition's own.
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
