//! The parts of a look, field by field. The order of the fields is the format.

use super::bytes::{Bytes, Damaged, put_u64};
use super::delta::{Delta, Identified, fields};
use crate::model::{
    CheckpointStats, CheckpointSummary, ClusterObservation, Counters, Failure, JobKey, JobState,
    Labels, Lag, Metrics, PlatformWait, RunId, RunObservation, Seen, TaskCounts,
};

fields!(RunObservation as RunMemory {
    key: JobKey,
    name: String,
    cluster: String,
    namespace: String,
    flink_cluster: String,
    flink_job_name: String,
    run: RunId,
    state: JobState,
    end_time: Option<i64>,
    tasks: TaskCounts,
    last_modification: Option<i64>,
    labels: Labels,
    counters: Seen<Counters>,
    checkpoints: Seen<CheckpointStats>,
    failures: Seen<Vec<Failure>>,
    failures_truncated: bool,
    lag: Seen<Lag>,
    batch: Seen<bool>,
    metrics: Metrics,
    ui_url: Option<String>,
    waits: Option<PlatformWait>,
});

impl Identified for RunObservation {
    fn is(&self, memory: &RunMemory) -> bool {
        self.run.same(&memory.run) && self.key.same(&memory.key)
    }
}

fields!(ClusterObservation as ClusterMemory {
    flink_cluster: String,
    taskmanagers: Option<u32>,
    slots_total: Option<u32>,
    slots_available: Option<u32>,
    jobmanager_cpu: Option<i64>,
    metrics: Metrics,
    unseen: Option<String>,
    planned: bool,
});

impl Identified for ClusterObservation {
    fn is(&self, memory: &ClusterMemory) -> bool {
        self.flink_cluster == memory.flink_cluster
    }
}

fields!(PlatformWait as WaitMemory {
    queue: String,
    of_masters: bool,
    of_cluster: bool,
    used_mb: Option<u64>,
    most_mb: Option<u64>,
    used_vcores: Option<u64>,
    most_vcores: Option<u64>,
});

fields!(RunId as RunIdMemory { start_time: i64, job_id: String });

fields!(TaskCounts as TaskMemory {
    total: u32,
    running: u32,
    finished: u32,
    failed: u32,
    scheduled: u32,
    created: u32,
});

fields!(Counters as CounterMemory {
    restarts: Option<u64>,
    rescales: Option<u64>,
    completed_checkpoints: Option<u64>,
    failed_checkpoints: Option<u64>,
    last_checkpoint_id: Option<u64>,
    last_checkpoint_path: Option<String>,
    last_checkpoint_completed: Option<i64>,
});

fields!(CheckpointStats as StatsMemory {
    interval_ms: Option<i64>,
    timeout_ms: Option<i64>,
    retained_on_cancel: Option<bool>,
    periodic: Option<bool>,
    restored: Option<u64>,
    completed: Option<u64>,
    failed: Option<u64>,
    restored_from: Option<CheckpointSummary>,
    latest_completed: Option<CheckpointSummary>,
    latest_savepoint: Option<CheckpointSummary>,
    recent_failed: Vec<CheckpointSummary>,
    in_progress: Vec<CheckpointSummary>,
    recent_completed: Vec<CheckpointSummary>,
    retained_on_failure: Option<bool>,
});

fields!(CheckpointSummary as CheckpointMemory {
    id: u64,
    triggered_at: Option<i64>,
    ended_at: Option<i64>,
    path: Option<String>,
    savepoint: bool,
    discarded: bool,
    failure: Option<String>,
    stops_job: bool,
    acknowledged: Option<u32>,
    subtasks: Option<u32>,
    size: Option<u64>,
});

impl Identified for CheckpointSummary {
    fn is(&self, memory: &CheckpointMemory) -> bool {
        self.id == memory.id
    }
}

fields!(Failure as FailureMemory {
    at: i64,
    task: Option<String>,
    class: String,
    message: String,
    frame: Option<String>,
    taskmanager: Option<String>,
    gave_up: bool,
});

impl Identified for Failure {
    fn is(&self, memory: &FailureMemory) -> bool {
        self.at == memory.at && self.task.same(&memory.task)
    }
}

fields!(Lag as LagMemory { records: Option<f64> });
