//! `inhibit_rules`, as Alertmanager's.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::At;
use crate::incidents::InhibitRule;
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;

/// Labels alerts have without anybody setting them.
const OWN: [&str; 9] = [
    "alertname",
    "severity",
    "source",
    "cluster",
    "namespace",
    "flink_cluster",
    "job_name",
    "receiver",
    "channel",
];

/// As written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InhibitRuleConfig {
    /// For people.
    pub name: Option<At<String>>,
    /// While an alert with these labels fires …
    pub source_matchers: Vec<At<String>>,
    /// … those with these are not told, …
    pub target_matchers: Vec<At<String>>,
    /// … if both have these labels alike. A label both lack is alike.
    pub equal: Vec<At<String>>,
}

/// Builds them; `set` are the labels sources and `job_labels` set.
pub(crate) fn build(
    written: Vec<At<InhibitRuleConfig>>,
    set: &BTreeSet<&str>,
    findings: &mut Findings,
) -> Vec<InhibitRule> {
    let mut names = BTreeSet::new();
    let mut built = Vec::with_capacity(written.len());
    for (position, At { value: raw, place }) in written.into_iter().enumerate() {
        let name = match &raw.name {
            Some(name) => {
                if !names.insert(name.value.clone()) {
                    let what = format!("two inhibit rules are named `{}`", excerpt(&name.value));
                    findings.error(name.place, what, "give each its own name".to_owned());
                }
                name.value.clone()
            }
            None => format!("{}", position + 1),
        };
        if raw.source_matchers.is_empty() {
            findings.error(
                place,
                format!("inhibit rule `{}` has no `source_matchers`", excerpt(&name)),
                "without them everything would mute its targets: say what does".to_owned(),
            );
        }
        if raw.target_matchers.is_empty() && raw.equal.is_empty() {
            findings.warn(
                place,
                format!("inhibit rule `{}` mutes everything else", excerpt(&name)),
                "add `target_matchers`, or `equal` with labels both must share".to_owned(),
            );
        }
        for label in &raw.equal {
            let known = OWN.contains(&label.value.as_str()) || set.contains(label.value.as_str());
            if !known {
                findings.warn(
                    label.place,
                    format!(
                        "`equal` names label `{}`, which neither Weir, a source nor `job_labels` \
                         sets: alerts that both lack it count as equal",
                        excerpt(&label.value)
                    ),
                    "remove it, or set it under `labels` of a source or in `job_labels`".to_owned(),
                );
            }
        }
        built.push(InhibitRule {
            name,
            source: super::matchers(&raw.source_matchers, findings),
            target: super::matchers(&raw.target_matchers, findings),
            equal: raw.equal.into_iter().map(|label| label.value).collect(),
        });
    }
    built
}
