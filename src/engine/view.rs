//! What the web, the metrics endpoint and the CLI see: an immutable picture after each step.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    ChannelId, CheckpointRef, Incident, InventoryEntry, JobKey, JobState, Labels, NoticeReason,
    Outcome, RestartState, Schedule, Schedules, SeenBy, Silence, Time, Ts,
};

/// The picture after a step.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// When it was taken.
    pub at: Option<Time>,
    /// Jobs by key.
    pub jobs: JobViews,
    /// Open incidents and recently ended ones, by id.
    pub incidents: BTreeMap<u64, Arc<Incident>>,
    /// Why the calendar keeps news of an incident back now, by its id.
    pub muted: BTreeMap<u64, String>,
    /// Open incidents that are muted by another one, by the id of that one.
    pub mutes: BTreeMap<u64, Vec<u64>>,
    /// Silences by number, also those that are over or to come.
    pub silences: Arc<[Silence]>,
    /// Sources by name.
    pub sources: BTreeMap<String, Arc<SourceView>>,
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
    /// Restarts by Weir.
    pub restarts: RestartCounts,
    /// Rules: alert name, how many subjects are pending, firing, unknown, n/a.
    pub rules: Vec<RuleView>,
    /// Jobs whose labels should change a rule and cannot: what, and the way out.
    pub label_problems: Arc<[String]>,
    /// When jobs are meant to run.
    pub schedules: Schedules,
    /// Times the wire guard behind the exact budget tripped: a bug if not 0.
    pub guard_trips: u64,
}

/// Restarts by Weir, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestartCounts {
    /// Those that are not over, by state.
    pub open: BTreeMap<RestartState, u64>,
    /// Those that ended since the process started, by state: counters.
    pub ended: BTreeMap<RestartState, u64>,
    /// Somebody has paused all automatic ones.
    pub paused: bool,
    /// Those that wait for a person's word, by number.
    pub waiting: Arc<BTreeMap<u64, Waiting>>,
}

/// A restart that waits for a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub job: JobKey,
    /// The incident it belongs to.
    pub incident: Option<u64>,
}

impl View {
    /// The silence that hides an open incident.
    pub fn silenced_by(&self, incident: &Incident) -> Option<&Silence> {
        let now = self.at?.wall;
        if !incident.is_open() {
            return None;
        }
        Silence::hiding(self.silences.iter(), incident, now)
    }
}

impl View {
    /// Schedules that are about no job, once every source was seen: their number from 1, and them.
    pub fn idle_schedules(&self) -> Vec<(usize, &Schedule)> {
        if self.sources.values().any(|source| source.last_success.is_none()) {
            return Vec::new();
        }
        let used = |schedule: &Arc<Schedule>| {
            let same = |of: &Arc<Schedule>| Arc::ptr_eq(of, schedule);
            self.jobs.values().any(|job| job.schedule.as_ref().is_some_and(same))
        };
        let all = self.schedules.0.iter().enumerate();
        all.filter(|(_, s)| !used(s)).map(|(at, s)| (at + 1, &**s)).collect()
    }
}

/// Jobs in order of their keys. A picture is copied at every step while somebody still holds the
/// one before, so a copy must cost no more than a pointer per job.
#[derive(Debug, Clone, Default)]
pub struct JobViews(Vec<Arc<JobView>>);

impl JobViews {
    /// Puts in a job, in the place of the one of that key.
    pub fn insert(&mut self, job: Arc<JobView>) {
        match self.find(&job.key) {
            Ok(at) => self.0[at] = job,
            Err(at) => self.0.insert(at, job),
        }
    }

    /// A job.
    pub fn get(&self, key: &JobKey) -> Option<&Arc<JobView>> {
        self.find(key).ok().and_then(|at| self.0.get(at))
    }

    /// All of them.
    pub fn values(&self) -> std::slice::Iter<'_, Arc<JobView>> {
        self.0.iter()
    }

    /// Those whose keys come after this one; all without one.
    pub fn after(&self, key: Option<&JobKey>) -> std::slice::Iter<'_, Arc<JobView>> {
        let from = key.map_or(0, |key| self.0.partition_point(|job| job.key <= *key));
        self.0.get(from..).unwrap_or_default().iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps some.
    pub(super) fn retain(&mut self, keep: impl Fn(&JobView) -> bool) {
        self.0.retain(|job| keep(job));
    }

    fn find(&self, key: &JobKey) -> Result<usize, usize> {
        self.0.binary_search_by(|job| job.key.cmp(key))
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// Wall time the age of the last completed checkpoint counts from; `None` when unknown or not
    /// applicable. See [`JobView::checkpoint_age_seconds`].
    pub checkpoint_from: Option<Ts>,
    /// Records behind.
    pub lag_records: Option<f64>,
    /// All labels.
    pub labels: Labels,
    /// What the inventory named by its label `inventory` says about it.
    pub inventory: Option<Arc<InventoryEntry>>,
    /// What other sources say of it.
    pub seen_by: Vec<SeenBy>,
    /// When it is meant to run; `None`: always.
    pub schedule: Option<Arc<Schedule>>,
    /// Flink's page of the run.
    pub ui_url: Option<String>,
}

impl JobView {
    /// Age of the last completed checkpoint at wall time `now`.
    pub fn checkpoint_age_seconds(&self, now: Ts) -> Option<f64> {
        self.checkpoint_from.map(|from| now.since(from).as_secs_f64())
    }
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
    /// What is to be said of an inventory; `None` for a platform.
    pub inventory: Option<InventoryView>,
}

/// How an inventory goes together with the jobs that platforms show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InventoryView {
    /// Jobs it knows.
    pub entries: usize,
    /// Those of them that a platform shows.
    pub matched: usize,
    /// Jobs it takes for running that no platform shows, by name, up to a few.
    pub unseen: Vec<String>,
    /// What could not be joined or looks strange, in words, up to a few.
    pub conflicts: Vec<String>,
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
