//! Numbers of Flink that rules ask for by name, and how they are named between source and rule.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// Whose metric it is, in Flink's words.
    MetricScope {
        /// Of the job as a whole, kept by the `JobManager`: `lastCheckpointDuration`.
        Job = "job",
        /// Of the tasks of a vertex: `busyTimeMsPerSecond`.
        Vertex = "vertex",
        /// Of an operator inside a vertex: `pendingRecords`, `watermarkLag`.
        Operator = "operator",
        /// Of the `TaskManagers` of a cluster: `Status.JVM.Memory.Heap.Used`.
        Taskmanager = "taskmanager",
        /// Of the `JobManager` of a cluster: `taskSlotsAvailable`.
        Jobmanager = "jobmanager",
    }
}

impl MetricScope {
    /// It is a number of a Flink cluster, not of one job.
    pub const fn is_of_cluster(self) -> bool {
        matches!(self, MetricScope::Taskmanager | MetricScope::Jobmanager)
    }
}

words! {
    /// How one number is made of those of all subtasks, operators or `TaskManagers`.
    #[derive(Default)]
    // The words are those of Flink's `agg=`, too.
    Across {
        /// The worst of them.
        #[default]
        Max = "max",
        /// The least of them.
        Min = "min",
        /// Their mean.
        Avg = "avg",
        /// All together.
        Sum = "sum",
    }
}

words! {
    /// Which vertices of the job's graph.
    #[derive(Default)]
    Vertices {
        /// All of them.
        #[default]
        All = "all",
        /// Those without inputs.
        Sources = "sources",
        /// Those nothing reads from.
        Sinks = "sinks",
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
