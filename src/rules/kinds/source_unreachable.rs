//! `source_unreachable`: Weir cannot see a source.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Scope, evidence};
use crate::model::{Aspect, Demand, Truth, Verdict};

/// True while every look at a source fails. Its jobs are then unknown, not failed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceUnreachable {}

impl Kind for SourceUnreachable {
    fn scope(&self) -> Scope {
        Scope::Sources
    }

    fn aspect(&self) -> &'static str {
        Aspect::PLATFORM
    }

    fn demand(&self) -> Demand {
        Demand::default()
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let Facts::Source(facts) = facts else { return Verdict::bare(Truth::NotApplicable) };
        let source = facts.source;
        let down = source.failing_since.map_or(0, |t| facts.time.steady.since(t.steady).as_secs());
        let evidence = || evidence! {
            "jobs": facts.jobs,
            "down_seconds": down,
            "error": source.error.clone().unwrap_or_default(),
        };
        Verdict::of(source.failing_since.is_some(), evidence)
    }
}
