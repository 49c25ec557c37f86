//! What an incident is about, and in which respect.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChannelId, JobKey};

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A job.
    Job(JobKey),
    /// A Flink cluster: its source and its `flink_cluster`.
    Cluster(String, String),
    /// A source Weir looks at.
    Source(String),
    /// A channel of Weir's own: people would otherwise not hear that they hear nothing.
    Channel(ChannelId),
    /// Whatever an alert from outside is about: the fingerprint of its labels.
    External(String),
}

impl Subject {
    /// The job, if it is one.
    pub fn job(&self) -> Option<&JobKey> {
        match self {
            Subject::Job(key) => Some(key),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Job(key) => write!(f, "job:{key}"),
            Subject::Cluster(source, name) => write!(f, "cluster:{source}/{name}"),
            Subject::Source(name) => write!(f, "source:{name}"),
            Subject::Channel(id) => write!(f, "channel:{id}"),
            Subject::External(print) => write!(f, "external:{print}"),
        }
    }
}

/// In which respect a subject is in trouble: alerts on the same (subject, aspect) are one incident.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Aspect(pub String);

impl Aspect {
    /// The job does not run or keeps failing.
    pub const FAILURE: &'static str = "failure";
    /// Checkpoints are late or fail.
    pub const CHECKPOINTS: &'static str = "checkpoints";
    /// The job falls behind its input.
    pub const LAG: &'static str = "lag";
    /// Memory, slots, CPU.
    pub const RESOURCES: &'static str = "resources";
    /// What jobs stand on: clusters, sources, Weir itself.
    pub const PLATFORM: &'static str = "platform";
    /// What an alert from outside speaks of: nobody here knows.
    pub const EXTERNAL: &'static str = "external";

    /// The job does not run though its schedule says it should.
    pub const SCHEDULE: &'static str = "schedule";
    /// The job runs though its schedule says it should not.
    pub const HOURS: &'static str = "hours";

    /// The label value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Aspect {
    fn from(text: &str) -> Self {
        Aspect(text.to_owned())
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
