//! Flink's REST answers, 1.15 to 2.3, as narrowly as Weir needs them. Every field is optional,
//! unknown ones are skipped.

use serde::Deserialize;

use super::lenient::{float, int, text};

/// `/config`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct ClusterConfig {
    #[serde(deserialize_with = "text")]
    pub(super) flink_version: Option<String>,
    pub(super) features: Option<Features>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Features {
    pub(super) web_history: Option<bool>,
}

/// An element of `/jobmanager/config`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Setting {
    #[serde(deserialize_with = "text")]
    pub(super) key: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) value: Option<String>,
}

/// `/overview`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct ClusterOverview {
    #[serde(deserialize_with = "int")]
    pub(super) taskmanagers: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) slots_total: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) slots_available: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(super) flink_version: Option<String>,
}

/// `/jobs/overview`; without `jobs` it is not one.
#[derive(Debug, Deserialize)]
pub(super) struct JobsOverview {
    pub(super) jobs: Vec<JobRow>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct JobRow {
    #[serde(deserialize_with = "text")]
    pub(super) jid: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "int")]
    pub(super) start_time: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) end_time: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) duration: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(super) state: Option<String>,
    #[serde(deserialize_with = "int")]
    pub(super) last_modification: Option<i64>,
    /// From 2.3 on.
    #[serde(rename = "jobType", deserialize_with = "text")]
    pub(super) job_type: Option<String>,
    pub(super) tasks: Option<Tasks>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tasks {
    #[serde(deserialize_with = "int")]
    pub(super) total: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) running: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) finished: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) failed: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) scheduled: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) created: Option<i64>,
}

/// `/applications/overview`, from 2.3 on; without `applications` it is not one.
#[derive(Debug, Deserialize)]
pub(super) struct ApplicationsOverview {
    pub(super) applications: Vec<ApplicationRow>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct ApplicationRow {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "int")]
    pub(super) start_time: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) end_time: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(super) status: Option<String>,
    /// Jobs by state; empty where `main()` has not made one (yet).
    pub(super) jobs: Option<serde_json::Value>,
}

/// An element of `/jobs/:id/metrics?get=…`; values are always strings.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metric {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) value: Option<String>,
}

/// An element of `…/subtasks/metrics?get=…&agg=…`, of `/taskmanagers/metrics?…`, or of their lists
/// of ids.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Aggregate {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "float")]
    pub(super) min: Option<f64>,
    #[serde(deserialize_with = "float")]
    pub(super) max: Option<f64>,
    #[serde(deserialize_with = "float")]
    pub(super) avg: Option<f64>,
    #[serde(deserialize_with = "float")]
    pub(super) sum: Option<f64>,
}

/// `/jobs/:id`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobDetail {
    /// From 1.20 on.
    #[serde(rename = "job-type", deserialize_with = "text")]
    pub(super) job_type: Option<String>,
    pub(super) vertices: Vec<Vertex>,
    pub(super) plan: Option<Plan>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Vertex {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "int")]
    pub(super) parallelism: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Plan {
    /// The job type too, in every version there is.
    #[serde(rename = "type", deserialize_with = "text")]
    pub(super) kind: Option<String>,
    pub(super) nodes: Vec<PlanNode>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PlanNode {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
    pub(super) inputs: Option<Vec<PlanInput>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PlanInput {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
}

/// `/jobs/:id/exceptions`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Exceptions {
    #[serde(rename = "exceptionHistory")]
    pub(super) history: Option<History>,
    #[serde(rename = "root-exception", deserialize_with = "text")]
    pub(super) root_exception: Option<String>,
    #[serde(deserialize_with = "int")]
    pub(super) timestamp: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct History {
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Entry {
    #[serde(deserialize_with = "text")]
    pub(super) exception_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) stacktrace: Option<String>,
    #[serde(deserialize_with = "int")]
    pub(super) timestamp: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(super) task_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) location: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) endpoint: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) task_manager_id: Option<String>,
    pub(super) concurrent_exceptions: Option<Vec<Entry>>,
}

/// `/jobs/:id/checkpoints`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Checkpoints {
    pub(super) counts: Option<Counts>,
    pub(super) latest: Option<Latest>,
    pub(super) history: Vec<Checkpoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    #[serde(deserialize_with = "int")]
    pub(super) restored: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) completed: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) failed: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Latest {
    pub(super) completed: Option<Checkpoint>,
    pub(super) savepoint: Option<Checkpoint>,
    pub(super) restored: Option<Checkpoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Checkpoint {
    #[serde(deserialize_with = "int")]
    pub(super) id: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(super) status: Option<String>,
    pub(super) is_savepoint: Option<bool>,
    #[serde(rename = "checkpoint_type", deserialize_with = "text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "int")]
    pub(super) num_subtasks: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) num_acknowledged_subtasks: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) trigger_timestamp: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) latest_ack_timestamp: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) restore_timestamp: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) failure_timestamp: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(super) failure_message: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) external_path: Option<String>,
    pub(super) discarded: Option<bool>,
    #[serde(deserialize_with = "int")]
    pub(super) state_size: Option<i64>,
}

/// `/jobs/:id/checkpoints/config`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CheckpointConfig {
    #[serde(deserialize_with = "int")]
    pub(super) interval: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) timeout: Option<i64>,
    #[serde(deserialize_with = "int")]
    pub(super) min_pause: Option<i64>,
    pub(super) externalization: Option<Externalization>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Externalization {
    pub(super) enabled: Option<bool>,
    pub(super) delete_on_cancellation: Option<bool>,
}
