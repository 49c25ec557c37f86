//! What the web, the metrics endpoint and the CLI see: an immutable picture after each step.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    ChannelId, CheckpointRef, Incident, JobKey, JobState, Labels, NoticeReason, Outcome, Time, Ts,
};

/// The picture after a step.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// When it was taken.
    pub at: Option<Time>,
    /// Jobs by key.
    pub jobs: BTreeMap<JobKey, Arc<JobView>>,
    /// Open incidents and recently ended ones, by id.
    pub incidents: BTreeMap<u64, Arc<Incident>>,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceView>,
    /// Channels by id.
    pub channels: BTreeMap<ChannelId, ChannelView>,
    /// Notices that reached an outcome since the process started: counters.
    pub notice_counts: BTreeMap<(ChannelId, Outcome, NoticeReason), u64>,
    /// Notices still pending.
    pub pending_notices: usize,
    /// Messages due.
    pub due_messages: usize,
    /// Distinct failures counted since the process started.
    pub failures_seen: u64,
    /// Rules: alert name, how many subjects are pending, firing, unknown, n/a.
    pub rules: Vec<RuleView>,
    /// Times the wire guard behind the exact budget tripped: a bug if not 0.
    pub guard_trips: u64,
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// Stable identity.
    pub key: JobKey,
    /// Source that names it.
    pub source: String,
    /// What fails together.
    pub cluster: String,
    /// Kubernetes namespace or empty.
    pub namespace: String,
    /// Flink cluster.
    pub flink_cluster: String,
    /// The job's name.
    pub name: String,
    /// Flink's own name of it.
    pub flink_job_name: String,
    /// Last known state.
    pub state: JobState,
    /// All tasks run.
    pub all_running: bool,
    /// The source cannot be seen: the state is the last known one, not the present one.
    pub stale: bool,
    /// It was alive and is gone from complete listings.
    pub missing: bool,
    /// Live runs under this name.
    pub live_runs: u32,
    /// Flink job id of the run that counts.
    pub job_id: String,
    /// Its start (wall time).
    pub start_time: Ts,
    /// Distinct failures counted since Weir knows the job.
    pub failures_total: u64,
    /// Restarts of the current run as Flink counts them.
    pub restarts: Option<u64>,
    /// Last restorable checkpoint.
    pub last_checkpoint: Option<CheckpointRef>,
    /// Age of the last completed checkpoint in seconds at the time of the picture; `None` when
    /// unknown or not applicable.
    pub checkpoint_age_seconds: Option<f64>,
    /// Records behind.
    pub lag_records: Option<f64>,
    /// All labels.
    pub labels: Labels,
    /// Flink's page of the run.
    pub ui_url: Option<String>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceView {
    /// `flink`, `yarn`, …
    pub kind: String,
    /// The last poll saw everything.
    pub up: bool,
    /// The last error, bounded, redacted.
    pub error: Option<String>,
    /// Flink version.
    pub version: Option<String>,
    /// Wall time of the last successful poll.
    pub last_success: Option<Ts>,
    /// Wall time since when it has failed.
    pub failing_since: Option<Ts>,
    /// The metric store stands still.
    pub metrics_frozen: bool,
    /// Source clock minus Weir's, in ms.
    pub clock_offset_ms: Option<i64>,
    /// Jobs known.
    pub jobs: usize,
    /// `TaskManagers` registered.
    pub taskmanagers: Option<u32>,
    /// Free slots.
    pub slots_available: Option<u32>,
    /// Duration of the last poll in ms.
    pub poll_ms: u32,
    /// Requests of the last poll.
    pub poll_requests: u32,
    /// Bytes of the last poll.
    pub poll_bytes: u64,
    /// Polls so far: ok and failed.
    pub polls_ok: u64,
    /// Polls that failed.
    pub polls_failed: u64,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChannelView {
    /// `feishu_bot`, `email`, …
    pub kind: String,
    /// Wall time since when every try has failed.
    pub failing_since: Option<Ts>,
    /// The last error, redacted.
    pub error: Option<String>,
    /// Messages accepted since the process started.
    pub sent: u64,
    /// Tries begun since the process started.
    pub attempts: u64,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleView {
    /// Group.
    pub group: String,
    /// Alert name.
    pub alert: String,
    /// Severity word.
    pub severity: String,
    /// The kind's name.
    pub kind: String,
    /// Subjects pending.
    pub pending: usize,
    /// Subjects firing.
    pub firing: usize,
}
