//! `any`: at least one member holds (Kleene's or; members that are n/a drop out).

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Facts, Kind, Scope, all};
use crate::model::{Demand, Truth, Verdict};

/// At least one member holds.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Any(pub Vec<Condition>);

impl Kind for Any {
    fn scope(&self) -> Scope {
        all::widest_scope(&self.0)
    }

    fn aspect(&self) -> &'static str {
        self.0.first().map_or(crate::model::Aspect::FAILURE, Condition::aspect)
    }

    fn demand(&self) -> Demand {
        self.0.iter().map(Condition::demand).fold(Demand::default(), |all, one| all.union(&one))
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        all::fold(&self.0, facts, Truth::True, Truth::False)
    }

    fn lasts(&self) -> Option<Duration> {
        let each: Option<Vec<Duration>> = self.0.iter().map(Condition::lasts).collect();
        each?.into_iter().max()
    }

    fn problem(&self) -> Option<String> {
        all::problem(&self.0, "any")
    }

    fn evidence(&self) -> Vec<&'static str> {
        self.0.iter().flat_map(Condition::evidence).collect()
    }

    fn members(&self) -> Vec<&Condition> {
        self.0.iter().collect()
    }
}
