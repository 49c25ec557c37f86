//! When a receiver is told what happened.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::At;
use crate::notify::SummaryAt;
use crate::yaml::findings::Findings;

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SummaryConfig {
    /// `"09:30"` daily, or `"Mon 09:30"` weekly; in the zone of the receiver.
    pub at: At<String>,
}

impl SummaryConfig {
    pub(in crate::config) fn build(self, findings: &mut Findings) -> Option<SummaryAt> {
        match self.at.value.parse() {
            Ok(at) => Some(at),
            Err(error) => {
                let hint =
                    "write \"09:30\" for every day, or \"Mon 09:30\" for one day of the week";
                findings.error(self.at.place, error.to_string(), Some(hint.to_owned()));
                None
            }
        }
    }
}
