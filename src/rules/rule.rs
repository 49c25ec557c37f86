//! A rule, ready to be judged, and the set of all of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Annotations;
use super::kinds::{Condition, Facts, Print};
use super::picks::Picks;
use super::variants::Variants;
use crate::model::{
    Aspect, Demand, Labels, Matcher, Problem, RuleId, TimeIntervals, Truth, Ts, Verdict,
};
use crate::yaml::Place;
use crate::yaml::tree::Node;

/// One rule, ready to be judged.
#[derive(Debug, Clone)]
pub struct Rule {
    /// (group, alert, severity).
    pub id: RuleId,
    /// What must hold.
    pub when: Condition,
    /// The print of `when`.
    pub(super) print: Print,
    /// Which subjects it is about.
    pub matchers: Vec<Matcher>,
    /// How long it must hold.
    pub hold: Duration,
    /// How long it stays firing after it was last true.
    pub keep_firing_for: Duration,
    /// When it is judged; none: always.
    pub active: Vec<Arc<TimeIntervals>>,
    /// Labels added to the subject's.
    pub labels: Labels,
    /// Templates of its annotations.
    pub annotations: Annotations,
    /// In which respect.
    pub aspect: Aspect,
    /// Not switched off by an override.
    pub enabled: bool,
    /// How it is for the subjects of overrides.
    pub variants: Variants,
    /// `when` as written, for changes to it.
    pub(super) written: Option<Arc<Node>>,
    /// The file it stands in, and where.
    pub(super) origin: (Arc<str>, Place),
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.judges_like(other)
            && self.keep_firing_for == other.keep_firing_for
            && self.labels == other.labels
            && self.annotations == other.annotations
            && self.variants == other.variants
    }
}

impl Rule {
    /// What stands for its condition in alerts: equal for equal conditions.
    pub(super) fn print(&self) -> &str {
        self.print.get(&self.when)
    }

    /// All identities it can have: an override may change its severity.
    pub fn ids(&self) -> impl Iterator<Item = &RuleId> {
        let others = self.variants.rules().map(|v| &v.id).filter(|id| **id != self.id);
        std::iter::once(&self.id).chain(others)
    }

    /// Whether jobs are among its subjects.
    pub fn is_about_jobs(&self) -> bool {
        super::applies::fits(self, super::kinds::Scope::Jobs)
    }

    /// Whether it is judged at this wall time.
    pub fn is_active(&self, wall: Ts) -> bool {
        self.active.is_empty() || self.active.iter().any(|interval| interval.contains(wall))
    }

    /// Whether it holds. Outside of its `active_time_intervals` a condition that holds is unknown:
    /// it starts nothing and keeps what it started frozen; one that does not hold ends it. So no
    /// end of office hours is ever told as the end of a trouble.
    pub fn judge(&self, facts: &Facts<'_>, wall: Ts) -> Verdict {
        let verdict = self.when.judge(facts);
        if verdict.truth != Truth::True || self.is_active(wall) {
            return verdict;
        }
        facts.unknown(|| "it holds, outside of the rule's active_time_intervals".to_owned())
    }

    /// What it needs from the sources, for all subjects.
    pub fn demand(&self) -> Demand {
        self.variants.rules().fold(self.when.demand(), |all, v| all.union(&v.when.demand()))
    }
}

/// All rules.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// In order of files, groups and rules.
    pub rules: Vec<Rule>,
    /// What is worth a word, but keeps nothing from starting.
    pub warnings: Vec<Problem>,
    /// Which form of each rule counts for which job.
    pub(super) picks: Picks,
}

impl RuleSet {
    /// What all rules together need from the sources.
    pub fn demand(&self) -> Demand {
        self.rules.iter().fold(Demand::default(), |all, rule| all.union(&rule.demand()))
    }

    /// Names of all alerts.
    pub fn alerts(&self) -> BTreeSet<&str> {
        self.rules.iter().map(|r| r.id.alert.as_str()).collect()
    }

    /// Labels of jobs that should change a rule and cannot, each with the way out.
    pub fn label_problems(&self) -> impl Iterator<Item = (&crate::model::JobKey, &String)> {
        self.picks.problems()
    }
}
