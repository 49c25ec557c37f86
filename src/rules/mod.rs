//! Rule files, the kinds of conditions, and the life of an alert: inactive, pending, firing.
//!
//! Decides: whether a rule holds for a subject. Never decides whether anybody hears of it.

mod annotate;
mod eval;
mod file;
pub mod kinds;
mod lifecycle;
mod reload;
mod shipped;

pub use annotate::Annotations;
pub use eval::{Judged, LabelBook, Rules};
pub use file::{RawFile, RuleSource, parse};
pub use shipped::SHIPPED;

use std::time::Duration;

use crate::model::{Aspect, Demand, Labels, Matcher, RuleId};
use kinds::Condition;

/// One rule, ready to be judged.
#[derive(Debug, Clone)]
pub struct Rule {
    /// (group, alert, severity).
    pub id: RuleId,
    /// What must hold.
    pub when: Condition,
    /// Which subjects it is about.
    pub matchers: Vec<Matcher>,
    /// How long it must hold.
    pub hold: Duration,
    /// How long it stays firing after it was last true.
    pub keep_firing_for: Duration,
    /// Labels added to the subject's.
    pub labels: Labels,
    /// Templates of its annotations.
    pub annotations: Annotations,
    /// In which respect.
    pub aspect: Aspect,
}

/// All rules.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// In order of files, groups and rules.
    pub rules: Vec<Rule>,
}

impl RuleSet {
    /// What all rules together need from the sources.
    pub fn demand(&self) -> Demand {
        let all = self.rules.iter().map(|r| r.when.demand());
        all.fold(Demand::default(), |all, one| all.union(&one))
    }
}
