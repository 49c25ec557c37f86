//! What a source saw: one [`Snapshot`] per poll, made of raw facts in the source's own time.
//!
//! Whatever was not fetched, could not be read or cannot exist is said so with [`Seen`]; a missing
//! fact never looks like a zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    InventoryCheckpoint, InventoryEntry, JobKey, JobState, Labels, MetricKey, RunId, TaskCounts, Ts,
};

/// A fact as this poll saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen<T> {
    /// Not asked for at this poll; what was known before stays true.
    #[default]
    NotAsked,
    /// Asked for, but the answer failed, was frozen or made no sense.
    Unknown,
    /// This job cannot have it (no checkpointing, no source that reports lag).
    NotApplicable,
    /// A fresh answer.
    Fresh(T),
}

impl<T> Seen<T> {
    /// The fresh value, if there is one.
    pub fn fresh(&self) -> Option<&T> {
        match self {
            Seen::Fresh(value) => Some(value),
            _ => None,
        }
    }
}

/// How complete a look at a source was. Absence counts only after `Complete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// The full listing from a healthy source.
    Complete,
    /// Some jobs were seen, others may exist.
    Partial {
        /// What was missing, for people.
        reason: String,
    },
    /// The platform's listing could not be had, or is not to be believed; what is shown was looked
    /// at without it, and is fresh. The source counts as unreachable all the same.
    Unlisted {
        /// What went wrong, bounded, without secrets.
        error: String,
        /// It is expected to come back by itself.
        starting: bool,
    },
    /// Nothing could be seen; jobs become unknown, never lost.
    Failed {
        /// What went wrong, bounded, without secrets.
        error: String,
        /// A starting or leaderless source (503) that is expected to come back by itself.
        starting: bool,
    },
}

/// The source's clock at this poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceClock {
    /// The source's own now, in ms (start-time + duration of a live job).
    pub now: i64,
    /// Source time minus Weir's wall time, in ms, quantised to whole seconds.
    pub offset_ms: i64,
}

/// One look at one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Configured name of the source.
    pub source: String,
    /// Which poller took it (the replica's name).
    pub poller: String,
    /// How much of the source it shows.
    pub completeness: Completeness,
    /// The source's clock, when a live job let us read it.
    pub clock: Option<SourceClock>,
    /// Flink's version where known, such as `1.20.5`.
    pub version: Option<String>,
    /// The metric store of the cluster stands still: metric facts are unknown.
    pub metrics_frozen: bool,
    /// Flink clusters seen.
    pub clusters: Vec<ClusterObservation>,
    /// Runs seen, several per job possible.
    pub runs: Vec<RunObservation>,
    /// Jobs as an inventory knows them; a platform has none.
    #[serde(default)]
    pub inventory: Vec<InventoryEntry>,
    /// Checkpoints and savepoints an inventory has recorded, those of one job newest first.
    #[serde(default)]
    pub recorded: Vec<InventoryCheckpoint>,
    /// Time the poll took, in ms.
    pub took_ms: u32,
    /// Requests made.
    pub requests: u32,
    /// Body bytes received.
    pub bytes: u64,
}

/// Numbers rules asked for by name; one that is missing was not asked for.
pub type Metrics = BTreeMap<MetricKey, Seen<f64>>;

/// One Flink cluster as `/overview` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClusterObservation {
    /// Stable name of the Flink cluster.
    pub flink_cluster: String,
    /// Registered `TaskManagers`.
    pub taskmanagers: Option<u32>,
    /// All slots.
    pub slots_total: Option<u32>,
    /// Free slots.
    pub slots_available: Option<u32>,
    /// CPU time of the `JobManager`'s process in ns, where it was read fresh: it only goes back when
    /// the process is another one.
    #[serde(default)]
    pub jobmanager_cpu: Option<i64>,
    /// Metrics of its `TaskManagers` and of its `JobManager`.
    #[serde(default)]
    pub metrics: Metrics,
    /// Why it could not be looked into, though the platform says that it is there: its jobs are
    /// unknown, and absence says nothing about them.
    #[serde(default)]
    pub unseen: Option<String>,
    /// It is being changed on purpose (an upgrade, a scaling): that its `JobManager` is another one
    /// afterwards is no news.
    #[serde(default)]
    pub planned: bool,
}

/// One run of one job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunObservation {
    /// Stable identity of the job this run belongs to.
    pub key: JobKey,
    /// The job's name (the last part of the key, not encoded).
    pub name: String,
    /// What fails together: the source's configured name.
    pub cluster: String,
    /// Kubernetes namespace, else empty.
    pub namespace: String,
    /// Stable name of the Flink cluster inside it.
    pub flink_cluster: String,
    /// Flink's own job name.
    pub flink_job_name: String,
    /// Which execution.
    pub run: RunId,
    /// Flink's state.
    pub state: JobState,
    /// End of the run in source ms.
    pub end_time: Option<i64>,
    /// Tasks by state.
    pub tasks: TaskCounts,
    /// Latest state change of a current task, source ms; a restart moves it.
    pub last_modification: Option<i64>,
    /// Labels found out about the job, beyond the source's own.
    pub labels: Labels,
    /// Restart and checkpoint counters.
    pub counters: Seen<Counters>,
    /// Checkpoint history and configuration.
    pub checkpoints: Seen<CheckpointStats>,
    /// Exception history, newest first. `truncated`: the list was as long as asked for.
    pub failures: Seen<Vec<Failure>>,
    /// The exception history may have dropped entries we never saw.
    pub failures_truncated: bool,
    /// Lag of its sources.
    pub lag: Seen<Lag>,
    /// Flink's job type, where asked for: a batch job ends when its input does. `NotApplicable`
    /// where this Flink does not tell.
    #[serde(default)]
    pub batch: Seen<bool>,
    /// Metrics of the job, its vertices and operators.
    #[serde(default)]
    pub metrics: Metrics,
    /// Link to the run in Flink's web UI.
    pub ui_url: Option<String>,
    /// What the platform keeps it waiting for before Flink begins.
    #[serde(default)]
    pub waits: Option<PlatformWait>,
}

/// A run the platform has accepted and has no place for yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlatformWait {
    /// Queue it waits in; empty where there are none.
    pub queue: String,
    /// The limit is one for `ApplicationMasters`, not for everything that runs.
    pub of_masters: bool,
    /// The numbers are of the whole cluster, because none of the queue are known.
    pub of_cluster: bool,
    /// Memory in use, MB.
    pub used_mb: Option<u64>,
    /// Memory there may be in use, MB.
    pub most_mb: Option<u64>,
    /// Virtual cores in use.
    pub used_vcores: Option<u64>,
    /// Virtual cores there may be in use.
    pub most_vcores: Option<u64>,
}

/// The job metrics that matter (`/jobs/:id/metrics`); a missing one was not reported.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// `numRestarts`; counts rescales too.
    pub restarts: Option<u64>,
    /// `numRescales` (Flink ≥ 2.0).
    pub rescales: Option<u64>,
    /// `numberOfCompletedCheckpoints`.
    pub completed_checkpoints: Option<u64>,
    /// `numberOfFailedCheckpoints`; counts those a restart aborted too.
    pub failed_checkpoints: Option<u64>,
    /// `lastCompletedCheckpointId` (≥ 1.17); includes savepoints.
    pub last_checkpoint_id: Option<u64>,
    /// `lastCheckpointExternalPath`; `None` for `n/a`.
    pub last_checkpoint_path: Option<String>,
    /// `lastCheckpointCompletedTimestamp` (≥ 2.0), source ms.
    pub last_checkpoint_completed: Option<i64>,
}

/// What `/jobs/:id/checkpoints` and `…/config` say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CheckpointStats {
    /// Configured interval in ms; `None` where unknown or not periodic.
    pub interval_ms: Option<i64>,
    /// Configured timeout in ms.
    pub timeout_ms: Option<i64>,
    /// Whether checkpoints are taken periodically; `None` while the configuration was never read.
    #[serde(default)]
    pub periodic: Option<bool>,
    /// Checkpoints stay after FAILED/CANCELED (`externalization.enabled`).
    pub retained_on_cancel: Option<bool>,
    /// `counts.restored`: restores in this `JobManager`'s incarnation.
    pub restored: Option<u64>,
    /// `counts.completed`.
    pub completed: Option<u64>,
    /// `counts.failed`.
    pub failed: Option<u64>,
    /// Path and id this run was last restored from (`latest.restored`).
    pub restored_from: Option<CheckpointSummary>,
    /// Newest completed checkpoint, without savepoints.
    pub latest_completed: Option<CheckpointSummary>,
    /// Newest completed savepoint.
    pub latest_savepoint: Option<CheckpointSummary>,
    /// Recent failed checkpoints, newest first.
    pub recent_failed: Vec<CheckpointSummary>,
    /// Checkpoints in progress, newest first.
    pub in_progress: Vec<CheckpointSummary>,
    /// Completed checkpoints and savepoints of the history, newest first.
    #[serde(default)]
    pub recent_completed: Vec<CheckpointSummary>,
    /// Checkpoints stay after FAILED (`externalization.enabled`, whatever becomes of them when the job
    /// is cancelled).
    #[serde(default)]
    pub retained_on_failure: Option<bool>,
}

/// One checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckpointSummary {
    /// Checkpoint id; they only grow within a job.
    pub id: u64,
    /// Source ms of the trigger.
    pub triggered_at: Option<i64>,
    /// Source ms of the last acknowledgement (completion), failure or restore.
    pub ended_at: Option<i64>,
    /// `external_path`; `None` when not externally addressable.
    pub path: Option<String>,
    /// A savepoint.
    pub savepoint: bool,
    /// Deleted since.
    pub discarded: bool,
    /// Why it failed, bounded.
    pub failure: Option<String>,
    /// The savepoint of a stop: Flink ends the job with it (`checkpoint_type`).
    #[serde(default)]
    pub stops_job: bool,
    /// Subtasks that acknowledged.
    #[serde(default)]
    pub acknowledged: Option<u32>,
    /// Subtasks that have to.
    #[serde(default)]
    pub subtasks: Option<u32>,
    /// Bytes of state it refers to (`state_size`).
    #[serde(default)]
    pub size: Option<u64>,
}

/// One entry of the exception history, reduced to what a person needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Raw source ms: the key for telling failures apart.
    pub at: i64,
    /// `taskName`; `None` for a global failure.
    pub task: Option<String>,
    /// Class of the innermost useful cause.
    pub class: String,
    /// Message of that cause, one line, bounded.
    pub message: String,
    /// First stack frame outside java, scala and Flink: `OrderParser.parse(OrderParser.java:42)`.
    pub frame: Option<String>,
    /// `TaskManager` it happened on.
    pub taskmanager: Option<String>,
    /// The restart strategy gave up with this entry.
    pub gave_up: bool,
}

/// Lag of a job's sources.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Lag {
    /// Records not yet read (`pendingRecords`, summed over sources and subtasks).
    pub records: Option<f64>,
}

impl RunObservation {
    /// How a run ended, by an archive that does not know whose it is.
    pub fn is_archived(&self) -> bool {
        self.key.0.is_empty()
    }
}

impl Snapshot {
    /// Kinds of sources that name a job by its deployment: where several sources show a run, theirs
    /// is the name that counts.
    pub const PLATFORM_KINDS: [&str; 2] = ["yarn", "kubernetes"];

    /// A failed look.
    pub fn failed(source: &str, poller: &str, error: String, starting: bool) -> Snapshot {
        Snapshot {
            source: source.to_owned(),
            poller: poller.to_owned(),
            completeness: Completeness::Failed { error, starting },
            clock: None,
            version: None,
            metrics_frozen: false,
            clusters: Vec::new(),
            runs: Vec::new(),
            inventory: Vec::new(),
            recorded: Vec::new(),
            took_ms: 0,
            requests: 0,
            bytes: 0,
        }
    }

    /// The time it took in whole seconds, as the history keeps it: all that may be judged by.
    pub fn took_s(&self) -> u32 {
        self.took_ms / 1_000
    }

    /// Moves a raw source time to Weir's wall time.
    pub fn to_wall(&self, source_ms: i64) -> Ts {
        Ts(source_ms.saturating_sub(self.clock.map_or(0, |c| c.offset_ms)))
    }
}
