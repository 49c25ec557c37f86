//! Labels and matchers as written in rules and overrides.

use crate::model::{Matcher, MatcherError};
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;
use crate::yaml::{At, Place};

/// Labels every alert about a job has, and what annotations may say of any of them.
pub(super) const KNOWN: [&str; 12] = [
    "alertname",
    "severity",
    "source",
    "cluster",
    "namespace",
    "flink_cluster",
    "job_name",
    "name",
    "root_cause",
    "checkpoint_path",
    "state",
    "this",
];

/// Whether a label may have this name; if not, it is reported.
pub(super) fn check_name(name: &str, place: Place, findings: &mut Findings) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(fine) {
        let what = format!("`{}` cannot be the name of a label", excerpt(name));
        findings.error(place, what, "use letters, digits and `_`".to_owned());
        return false;
    }
    if name == "alertname" {
        let hint = "it is the rule's `alert`; choose another name".to_owned();
        findings.error(place, "label `alertname` cannot be set", hint);
        return false;
    }
    true
}

/// Reads matchers, of which one text may hold several; those that cannot be read are reported and left out.
pub(super) fn matchers(written: &[At<String>], findings: &mut Findings) -> Vec<Matcher> {
    let mut read = Vec::with_capacity(written.len());
    for text in written {
        match Matcher::parse_all(&text.value) {
            Ok(matchers) => read.extend(matchers),
            Err(error) => {
                let hint = matches!(error, MatcherError::Regex(..))
                    .then(|| "regular expressions are anchored on both sides".to_owned());
                findings.error(text.place, error.to_string(), hint);
            }
        }
    }
    read
}
