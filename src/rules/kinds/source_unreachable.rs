//! `source_unreachable`: Weir cannot see a source.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{About, Facts, Kind, Scope, evidence};
use crate::model::{Aspect, Demand, Verdict};

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
        let About::Source(about) = facts.about else {
            return facts.not_applicable(|| "this condition is about sources".to_owned());
        };
        let source = about.source;
        let down = source.failing_since.map_or(0, |t| about.time.steady.since(t.steady).as_secs());
        let evidence = || evidence! {
            "jobs": about.jobs,
            "down_seconds": down,
            "error": source.error.clone().unwrap_or_default(),
        };
        facts.verdict(source.failing_since.is_some(), evidence)
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["jobs", "down_seconds", "error"]
    }
}
