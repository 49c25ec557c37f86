//! The sections of the file: each raw as written, and how it becomes what Weir works with.

pub mod escalate;
pub(in crate::config) mod fallback;
pub mod general;
pub mod heartbeat;
pub mod history;
pub mod inbound;
pub mod incidents;
pub mod inhibit;
pub mod job_labels;
pub mod later;
pub mod receivers;
pub mod restarts;
pub mod route;
mod route_hours;
pub mod rule_files;
pub mod schedules;
pub mod source_files;
pub mod sources;
pub mod store;
pub mod summary;
pub mod web;

use crate::config::de::At;
use crate::model::{Matcher, MatcherError};
use crate::yaml::findings::Findings;

/// Reads matchers, of which one text may hold several; those that cannot be read are reported and left out.
fn matchers(written: &[At<String>], findings: &mut Findings) -> Vec<Matcher> {
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
