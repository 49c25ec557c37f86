//! Numbers of Flink that rules ask for by name, and how they are named between source and rule.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose metric it is, in Flink's words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MetricScope {
    /// Of the job as a whole, kept by the `JobManager`: `lastCheckpointDuration`.
    Job,
    /// Of the tasks of a vertex: `busyTimeMsPerSecond`.
    Vertex,
    /// Of an operator inside a vertex: `pendingRecords`, `watermarkLag`.
    Operator,
    /// Of the `TaskManagers` of a cluster: `Status.JVM.Memory.Heap.Used`.
    Taskmanager,
    /// Of the `JobManager` of a cluster: `taskSlotsAvailable`.
    Jobmanager,
}

impl MetricScope {
    /// As written in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            MetricScope::Job => "job",
            MetricScope::Vertex => "vertex",
            MetricScope::Operator => "operator",
            MetricScope::Taskmanager => "taskmanager",
            MetricScope::Jobmanager => "jobmanager",
        }
    }

    /// It is a number of a Flink cluster, not of one job.
    pub const fn is_of_cluster(self) -> bool {
        matches!(self, MetricScope::Taskmanager | MetricScope::Jobmanager)
    }
}

/// How one number is made of those of all subtasks, operators or `TaskManagers`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Across {
    /// The worst of them.
    #[default]
    Max,
    /// The least of them.
    Min,
    /// Their mean.
    Avg,
    /// All together.
    Sum,
}

impl Across {
    /// As written in rules, and in Flink's `agg=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Across::Max => "max",
            Across::Min => "min",
            Across::Avg => "avg",
            Across::Sum => "sum",
        }
    }
}

/// Which vertices of the job's graph.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Vertices {
    /// All of them.
    #[default]
    All,
    /// Those without inputs.
    Sources,
    /// Those nothing reads from.
    Sinks,
}

impl Vertices {
    /// As written in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Vertices::All => "all",
            Vertices::Sources => "sources",
            Vertices::Sinks => "sinks",
        }
    }
}

/// One number a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MetricQuery {
    /// Whose.
    pub scope: MetricScope,
    /// Flink's id without subtask index and operator name; may hold `*`.
    pub id: String,
    /// Of several, which.
    pub across: Across,
    /// Of which vertices (scopes vertex and operator).
    pub vertices: Vertices,
}

impl MetricQuery {
    /// The name under which snapshots carry it: `vertex/sources/max/busyTimeMsPerSecond`.
    pub fn key(&self) -> MetricKey {
        let MetricQuery { scope, id, across, vertices } = self;
        let (scope, across, vertices) = (scope.as_str(), across.as_str(), vertices.as_str());
        MetricKey(format!("{scope}/{vertices}/{across}/{id}").into())
    }
}

/// A [`MetricQuery`] by name; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricKey(pub Arc<str>);

impl fmt::Display for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
