//! `all`: every member holds (Kleene's and; members that are n/a drop out).

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Facts, Kind, Scope};
use crate::model::{Demand, Evidence, Truth, Verdict, Why};

/// Every member holds.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct All(pub Vec<Condition>);

impl Kind for All {
    fn scope(&self) -> Scope {
        common_scope(&self.0)
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

    fn lasts(&self) -> Option<Duration> {
        self.0.iter().filter_map(Condition::lasts).min()
    }

    fn problem(&self) -> Option<String> {
        problem(&self.0, "all")
    }

    fn evidence(&self) -> Vec<&'static str> {
        self.0.iter().flat_map(Condition::evidence).collect()
    }

    fn members(&self) -> Vec<&Condition> {
        self.0.iter().collect()
    }
}

/// The scope all members share; what is about jobs and clusters alike stands beside either. A rule
/// that mixes others is refused by `problem`.
fn common_scope(members: &[Condition]) -> Scope {
    let narrow = members.iter().map(Condition::scope).find(|s| *s != Scope::JobsAndClusters);
    narrow.or_else(|| members.first().map(Condition::scope)).unwrap_or(Scope::Jobs)
}

/// The scope of any of the members: one about jobs and clusters alike makes it about both.
pub(super) fn widest_scope(members: &[Condition]) -> Scope {
    let both = members.iter().map(Condition::scope).find(|s| *s == Scope::JobsAndClusters);
    let of_jobs = members.iter().all(|m| m.scope() != Scope::Clusters);
    both.filter(|_| of_jobs).unwrap_or_else(|| common_scope(members))
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
    let mut reasons = Vec::new();
    for member in members {
        let verdict = member.judge(facts);
        if let Some(why) = verdict.why {
            reasons.push((member.name(), verdict.truth, why.words, why.near));
        }
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
    let why = facts.asks_why.then(|| {
        let said = reasons.iter().map(|(name, truth, words, _)| format!("{name} is {truth}: {words}"));
        let near = reasons.iter().filter_map(|r| r.3);
        // `all` is as near as its farthest member, `any` as its nearest.
        let near = if decisive == Truth::False {
            // A member that is false for a reason that is no number keeps it at no distance.
            let numbers = reasons.iter().all(|r| r.1 != Truth::False || r.3.is_some());
            near.reduce(f64::min).filter(|_| numbers)
        } else {
            near.reduce(f64::max)
        };
        Box::new(Why {
            evidence: evidence.clone(),
            words: said.collect::<Vec<_>>().join("; "),
            near,
        })
    });
    Verdict { truth, evidence, why }
}

/// What is wrong with a list of members.
pub(super) fn problem(members: &[Condition], name: &str) -> Option<String> {
    if members.is_empty() {
        return Some(format!("{name} has no members (give at least one condition)"));
    }
    let about = |m: &Condition| match m.scope() {
        Scope::Jobs | Scope::JobsAndClusters => "jobs",
        Scope::Clusters => "clusters",
        Scope::Sources => "sources",
    };
    // What is about both fits whatever the others are about, but for sources.
    let narrow = members.iter().find(|m| m.scope() != Scope::JobsAndClusters);
    let of_clusters = narrow.filter(|m| m.scope() == Scope::Clusters);
    let first = of_clusters.or(members.first()).map(about);
    let fits = |m: &&Condition| {
        Some(about(m)) == first
            || (m.scope() == Scope::JobsAndClusters && first == Some("clusters"))
    };
    if let Some(other) = members.iter().find(|m| !fits(m)) {
        let first = first.unwrap_or_default();
        return Some(format!("{name} mixes conditions about {first} and about {}", about(other)));
    }
    members.iter().find_map(Condition::problem)
}

#[cfg(test)]
mod tests {
    use super::super::{Any, Condition};
    use super::*;
    use Scope::{Clusters, Jobs, JobsAndClusters, Sources};

    fn condition(scope: Scope) -> Condition {
        let kind = match scope {
            Jobs => "job_state: { any_of: [FAILED] }",
            JobsAndClusters => "job_missing: {}",
            Clusters => "jobmanager_restarted: {}",
            Sources => "source_unreachable: {}",
        };
        let condition: Condition = serde_saphyr::from_str(kind).unwrap();
        assert_eq!(condition.scope(), scope);
        condition
    }

    /// What `all` and `any` of members of these scopes are about; none: refused.
    #[test]
    fn members_decide_what_it_is_about() {
        for (members, all, any) in [
            (vec![Jobs, Jobs], Some(Jobs), Some(Jobs)),
            (vec![Clusters], Some(Clusters), Some(Clusters)),
            (vec![Sources], Some(Sources), Some(Sources)),
            (vec![JobsAndClusters], Some(JobsAndClusters), Some(JobsAndClusters)),
            // All of them can only hold for what all of them are about, any also for the rest.
            (vec![Jobs, JobsAndClusters], Some(Jobs), Some(JobsAndClusters)),
            (vec![JobsAndClusters, Jobs], Some(Jobs), Some(JobsAndClusters)),
            (vec![Clusters, JobsAndClusters], Some(Clusters), Some(Clusters)),
            (vec![JobsAndClusters, Clusters], Some(Clusters), Some(Clusters)),
            (vec![JobsAndClusters, Clusters, Clusters], Some(Clusters), Some(Clusters)),
            (vec![Jobs, Clusters], None, None),
            (vec![JobsAndClusters, Jobs, Clusters], None, None),
            (vec![Sources, JobsAndClusters], None, None),
            (vec![JobsAndClusters, Sources], None, None),
            (vec![Jobs, Sources], None, None),
        ] {
            let conditions = || members.iter().map(|s| condition(*s)).collect::<Vec<_>>();
            let scope = |kind: &dyn Kind| kind.problem().is_none().then(|| kind.scope());
            assert_eq!(scope(&All(conditions())), all, "all of {members:?}");
            assert_eq!(scope(&Any(conditions())), any, "any of {members:?}");
        }
    }
}
