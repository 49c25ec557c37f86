//! Which rules have come to a judgement on which subjects since the first look: what they find from
//! then on is news.

use std::collections::BTreeMap;

use crate::model::{RuleId, Subject};

/// First judgements. Rules are numbered: at a first look there are as many entries as jobs times
/// rules, and what they take stays with the process.
#[derive(Debug, Default)]
pub(super) struct FirstJudgements {
    numbers: BTreeMap<RuleId, u32>,
    next: u32,
    /// In order.
    of_subject: BTreeMap<Subject, Vec<u32>>,
}

impl FirstJudgements {
    /// Notes a judgement; true if it is the first one of this rule on this subject.
    pub(super) fn note(&mut self, subject: &Subject, rule: &RuleId) -> bool {
        let known = self.numbers.get(rule).copied();
        let number = known.unwrap_or_else(|| {
            let number = self.next;
            self.next += 1;
            self.numbers.insert(rule.clone(), number);
            number
        });
        if let Some(known) = self.of_subject.get_mut(subject) {
            let place = known.binary_search(&number);
            if let Err(place) = place {
                known.insert(place, number);
            }
            place.is_err()
        } else {
            self.of_subject.insert(subject.clone(), vec![number]);
            true
        }
    }

    /// Forgets the rules that are gone: should one come back, it begins anew.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&RuleId) -> bool) {
        let gone: Vec<u32> =
            self.numbers.iter().filter(|(id, _)| !is_kept(id)).map(|(_, number)| *number).collect();
        self.numbers.retain(|id, _| is_kept(id));
        for known in self.of_subject.values_mut() {
            known.retain(|number| !gone.contains(number));
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = FirstJudgements::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JobKey, Severity};

    #[test]
    fn each_rule_is_first_once_per_subject() {
        let job = |name: &str| Subject::Job(JobKey(name.to_owned()));
        let rule = |alert: &str| RuleId {
            group: "g".to_owned(),
            alert: alert.to_owned(),
            severity: Severity::Info,
        };
        let mut first = FirstJudgements::default();
        for (subject, alert, is_first) in [
            ("a", "B", true),
            ("a", "A", true),
            ("a", "C", true),
            ("a", "A", false),
            ("b", "A", true),
            ("a", "B", false),
            ("b", "A", false),
        ] {
            assert_eq!(first.note(&job(subject), &rule(alert)), is_first, "{subject} {alert}");
        }
        first.keep(|id| id.alert != "A");
        assert!(!first.note(&job("a"), &rule("B")) && !first.note(&job("a"), &rule("C")));
        assert!(first.note(&job("a"), &rule("A")), "it went and came back");
        first.clear();
        assert!(first.note(&job("a"), &rule("B")));
    }
}
