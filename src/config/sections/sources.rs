//! Where jobs are looked at.

use std::collections::BTreeSet;

use crate::config::de::At;
use crate::sources::SourceConfig;
use crate::yaml::findings::Findings;

/// What is wrong with those of one file; `names`: of all there are so far.
pub(in crate::config) fn build(
    written: Vec<At<SourceConfig>>,
    names: &mut BTreeSet<String>,
    findings: &mut Findings,
) -> Vec<SourceConfig> {
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
