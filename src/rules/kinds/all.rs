//! `all`: every member holds (Kleene's and; members that are n/a drop out).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Facts, Kind, Scope};
use crate::model::{Demand, Evidence, Truth, Verdict};

/// Every member holds.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct All(pub Vec<Condition>);

impl Kind for All {
    fn scope(&self) -> Scope {
        first_scope(&self.0)
    }

    fn aspect(&self) -> &'static str {
        self.0.first().map_or(crate::model::Aspect::FAILURE, Condition::aspect)
    }

    fn demand(&self) -> Demand {
        self.0.iter().map(Condition::demand).fold(Demand::default(), |all, one| all.union(&one))
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        fold(&self.0, facts, Truth::False, Truth::True)
    }

    fn problem(&self) -> Option<String> {
        problem(&self.0, "all")
    }
}

/// Scope of the members; a rule that mixes scopes is refused by `problem`.
pub(super) fn first_scope(members: &[Condition]) -> Scope {
    members.first().map_or(Scope::Jobs, Condition::scope)
}

/// `decisive` wins as soon as one member has it; otherwise unknown wins over `neutral`.
pub(super) fn fold(
    members: &[Condition],
    facts: &Facts<'_>,
    decisive: Truth,
    neutral: Truth,
) -> Verdict {
    let mut truth = Truth::NotApplicable;
    let mut evidence = Evidence::new();
    for member in members {
        let verdict = member.judge(facts);
        for (key, value) in verdict.evidence {
            evidence.entry(key).or_insert(value);
        }
        truth = match (truth, verdict.truth) {
            (known, _) if known == decisive => known,
            (_, new) if new == decisive => new,
            (known, Truth::NotApplicable) => known,
            (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
            _ => neutral,
        };
    }
    Verdict { truth, evidence }
}

/// What is wrong with a list of members.
pub(super) fn problem(members: &[Condition], name: &str) -> Option<String> {
    if members.is_empty() {
        return Some(format!("{name} has no members (give at least one condition)"));
    }
    let sources = members.iter().filter(|m| m.scope() == Scope::Sources).count();
    if sources != 0 && sources != members.len() {
        return Some(format!("{name} mixes conditions about jobs and about sources"));
    }
    members.iter().find_map(Condition::problem)
}
