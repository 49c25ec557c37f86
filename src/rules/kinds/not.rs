//! `not`: the member does not hold; unknown stays unknown, n/a stays n/a.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Facts, Kind, Scope};
use crate::model::{Demand, Truth, Verdict};

/// The member does not hold.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Not(pub Box<Condition>);

impl Kind for Not {
    fn scope(&self) -> Scope {
        self.0.scope()
    }

    fn aspect(&self) -> &'static str {
        self.0.aspect()
    }

    fn demand(&self) -> Demand {
        self.0.demand()
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let mut verdict = self.0.judge(facts);
        verdict.truth = match verdict.truth {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            other => other,
        };
        if let Some(why) = &mut verdict.why {
            why.words = format!("not: {}", why.words);
            why.near = None;
        }
        verdict
    }

    fn problem(&self) -> Option<String> {
        self.0.problem()
    }

    fn members(&self) -> Vec<&Condition> {
        vec![&*self.0]
    }
}
