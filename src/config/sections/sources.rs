//! Where jobs are looked at.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::At;
use crate::sources::flink::FlinkConfig;
use crate::yaml::findings::Findings;

/// One source: its kind and its configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceConfig {
    /// A Flink cluster, reached by REST.
    Flink(FlinkConfig),
}

impl SourceConfig {
    /// Its configured name.
    pub fn name(&self) -> &str {
        match self {
            SourceConfig::Flink(flink) => &flink.name,
        }
    }

    fn problems(&self) -> Vec<(String, String)> {
        match self {
            SourceConfig::Flink(flink) => flink.problems(),
        }
    }
}

pub(in crate::config) fn build(
    written: Vec<At<SourceConfig>>,
    findings: &mut Findings,
) -> Vec<SourceConfig> {
    let mut names = BTreeSet::new();
    for At { value: source, place } in &written {
        // Addresses were looked at in the tree already, where their places are known.
        if !findings.marked(*place) {
            for (what, hint) in source.problems() {
                findings.error(*place, what, Some(hint));
            }
        }
        if !names.insert(source.name().to_owned()) {
            findings.error(
                *place,
                format!("two sources are named `{}`", source.name()),
                Some("the name is the `cluster` of its jobs: give each its own".to_owned()),
            );
        }
    }
    written.into_iter().map(|s| s.value).collect()
}
