//! Whether a job is a stream or a batch: it decides whether its end is news.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Facts;
use crate::tracker::{Fact, JobFacts};

/// What kind of job it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    /// Meant to run for ever.
    #[default]
    Streaming,
    /// Ends when its input does.
    Batch,
}

/// The type of a job: its label `batch` (`"true"` or `"false"`) over what Flink says; `otherwise`
/// where neither tells. Unknown only while the source is still to be asked.
pub(super) fn of(facts: &Facts<'_>, job: &JobFacts<'_>, otherwise: JobType) -> Fact<JobType> {
    let told = |batch| if batch { JobType::Batch } else { JobType::Streaming };
    match facts.label("batch").as_str() {
        "true" => return Fact::Known(JobType::Batch),
        "false" => return Fact::Known(JobType::Streaming),
        _ => {}
    }
    match job.is_batch() {
        Fact::Known(batch) => Fact::Known(told(batch)),
        Fact::NotApplicable => Fact::Known(otherwise),
        Fact::Unknown => Fact::Unknown,
    }
}
