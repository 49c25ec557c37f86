//! Other rules come into force while alerts are pending and firing.

use std::collections::BTreeMap;

use super::eval::forget;
use super::{LabelBook, Rule, RuleSet, Rules};
use crate::model::{AlertState, Aspect, Change, Labels, RuleId, Subject, matches_all};
use crate::tracker::Tracker;

impl Rule {
    /// Whether both come to the same judgement: what they say about it may differ.
    ///
    /// Every field is named, so that a new one has to be thought of here.
    pub fn judges_like(&self, other: &Rule) -> bool {
        let Rule {
            id,
            when,
            matchers,
            hold,
            active,
            aspect,
            enabled,
            variants,
            // Takes effect at the next judgement; nothing has to start anew for it.
            keep_firing_for: _,
            labels: _,
            annotations: _,
            // Follows from the condition.
            print: _,
            written: _,
            origin: _,
        } = self;
        (id, when, matchers, hold, active, aspect, enabled)
            == (
                &other.id,
                &other.when,
                &other.matchers,
                &other.hold,
                &other.active,
                &other.aspect,
                &other.enabled,
            )
            && variants.judge_like(&other.variants)
    }
}

/// Rules by every identity one of their forms has.
fn by_id(set: &RuleSet) -> BTreeMap<&RuleId, &Rule> {
    set.rules.iter().flat_map(|rule| rule.ids().map(move |id| (id, rule))).collect()
}

impl Rules {
    /// Puts other rules in force. Alerts of rules that judge as before stay as they are. Where the
    /// judgement changed, a pending alert starts anew, and a firing one keeps firing until a look
    /// judges it, or, with another condition, none could for long. Alerts of rules that are gone are dropped.
    pub fn reload(&mut self, set: RuleSet, book: LabelBook) -> Vec<Change> {
        let old = by_id(&self.set);
        let new = by_id(&set);
        let mut changes = Vec::new();
        self.late.retain(|id| new.contains_key(id));
        let as_before = |id: &RuleId, rule: &Rule| old.get(id).is_some_and(|o| o.judges_like(rule));
        let differs = new.iter().filter(|(id, rule)| !as_before(id, rule));
        self.late.extend(differs.map(|(id, _)| (*id).clone()));
        for (subject, alerts) in &mut self.alerts {
            alerts.retain(|id, alert| {
                let (before, after) = (old.get(id), new.get(id));
                let same = before.zip(after).is_some_and(|(a, b)| a.judges_like(b));
                // Another aspect is another incident: nothing of the alert fits there.
                let keep = after.is_some_and(|r| {
                    same || (alert.state == AlertState::Firing && r.aspect == alert.aspect)
                });
                if !keep {
                    changes.push(forget(id, subject));
                    return false;
                }
                if before.zip(after).is_none_or(|(a, b)| a.annotations != b.annotations) {
                    self.reworded.insert((subject.clone(), id.clone()));
                }
                keep
            });
        }
        self.alerts.retain(|_, alerts| !alerts.is_empty());
        let has = |key: &(Subject, RuleId)| {
            self.alerts.get(&key.0).is_some_and(|alerts| alerts.contains_key(&key.1))
        };
        self.outdated.reload(has);
        self.reworded.retain(has);
        self.judged.keep(|id| new.contains_key(id));
        self.set = set;
        self.book = book;
        changes
    }

    /// Whether this rule is in force and still about this subject in this aspect, and able to judge
    /// what it said before it changed.
    pub fn is_about(
        &self,
        rule: &RuleId,
        subject: &Subject,
        aspect: &Aspect,
        tracker: &Tracker,
    ) -> bool {
        if self.outdated.has_ended(rule, subject) {
            return false;
        }
        let found = self.set.rules.iter().find(|r| r.ids().any(|id| id == rule));
        let Some(found) = found.filter(|found| found.aspect == *aspect) else { return false };
        if found.matchers.is_empty() && found.variants.is_empty() {
            return found.enabled;
        }
        let labels = match subject {
            Subject::Job(key) => tracker.job(key).map(|job| self.book.of_job(job)),
            Subject::Source(name) => Some(self.book.of_source(name, None)),
            Subject::Cluster(name, cluster) => Some(self.book.of_source(name, Some(cluster))),
            Subject::Channel(_) | Subject::External(_) => None,
        };
        let form = |labels: Labels| {
            let form = found.variants.of(&labels).map_or(found, |form| &**form);
            matches_all(&found.matchers, &labels) && form.enabled && form.id == *rule
        };
        labels.is_some_and(form)
    }
}
