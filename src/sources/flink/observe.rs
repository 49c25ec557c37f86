//! From Flink's answers to facts: pure, so that a recorded answer gives the same facts again.

use std::collections::BTreeSet;

use crate::http::one_line;
use crate::model::{
    CheckpointStats, CheckpointSummary, ClusterObservation, Counters, Failure, JobState, RunId,
    SourceClock, TaskCounts, Ts,
};

use super::named::Node;
use super::root_cause::{self, Cause};
use super::wire;

/// What Flink reports as interval when checkpoints are not periodic.
const NOT_PERIODIC: i64 = i64::MAX;
/// A longer name is cut: it is a key, a label and a line on a page.
const MAX_NAME: usize = 500;
/// History entries and checkpoints kept.
const MAX_ENTRIES: usize = 32;
/// Flink caches graphs and checkpoint statistics for 3 s.
const CACHE_MS: i64 = 3_200;
/// A root exception with the cause of the newest entry and no later than this is that entry.
const SAME_FAILURE_MS: i64 = 500;

/// A job of `/jobs/overview`, read.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) run: RunId,
    pub(super) name: String,
    pub(super) state: JobState,
    pub(super) tasks: TaskCounts,
    pub(super) end_time: Option<i64>,
    pub(super) last_modification: Option<i64>,
    /// The `JobManager`'s now, as a live job shows it.
    pub(super) now: Option<i64>,
    /// A batch job, where the listing tells.
    pub(super) batch: Option<bool>,
}

impl Row {
    /// Running with every task running.
    pub(super) fn is_healthy(&self) -> bool {
        self.state == JobState::Running && self.tasks.all_running()
    }

    /// Nothing about it has changed for longer than Flink caches its answers.
    pub(super) fn is_settled(&self) -> bool {
        let changed = self.last_modification.unwrap_or(self.run.start_time);
        self.now.is_some_and(|now| now.saturating_sub(changed) > CACHE_MS)
    }
}

/// Reads a row; one without a usable id is none.
pub(super) fn row(row: wire::JobRow) -> Option<Row> {
    let job_id = row.jid.filter(|j| is_id(j))?;
    let state = JobState::parse(row.state.as_deref().unwrap_or(""));
    let start_time = row.start_time.filter(|t| *t >= 0).unwrap_or(0);
    let live = !state.is_terminal() && start_time > 0;
    Some(Row {
        name: name(row.name, &job_id),
        run: RunId { start_time, job_id },
        state,
        tasks: row.tasks.as_ref().map(tasks).unwrap_or_default(),
        end_time: time(row.end_time),
        last_modification: time(row.last_modification),
        now: row.duration.filter(|d| live && *d >= 0).map(|d| start_time.saturating_add(d)),
        batch: row.job_type.as_deref().and_then(batch),
    })
}

/// A name that is not too long; the id where there is none.
pub(super) fn name(name: Option<String>, id: &str) -> String {
    let name = name.filter(|n| !n.is_empty()).unwrap_or_else(|| id.to_owned());
    if name.len() > MAX_NAME { name.chars().take(MAX_NAME).collect() } else { name }
}

fn batch(job_type: &str) -> Option<bool> {
    match job_type {
        "BATCH" => Some(true),
        "STREAMING" => Some(false),
        _ => None,
    }
}

/// Whether `/jobs/:id` is about a batch job: `job-type` from 1.20 on, the plan's type before.
pub(super) fn is_batch(detail: &wire::JobDetail) -> Option<bool> {
    let of_plan = || detail.plan.as_ref().and_then(|plan| plan.kind.as_deref());
    detail.job_type.as_deref().or_else(of_plan).and_then(batch)
}

/// Fit to be part of a path.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn tasks(t: &wire::Tasks) -> TaskCounts {
    let count = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    TaskCounts {
        total: count(t.total),
        // Sums are taken of these: no garbage may overflow them.
        running: count(t.running).min(u32::MAX / 4),
        finished: count(t.finished).min(u32::MAX / 4),
        failed: count(t.failed),
        scheduled: count(t.scheduled),
        created: count(t.created),
    }
}

/// A source time; `-1` is none.
pub(super) fn time(ms: Option<i64>) -> Option<i64> {
    ms.filter(|t| *t > 0)
}

fn count(n: Option<i64>) -> Option<u64> {
    n.and_then(|n| u64::try_from(n).ok())
}

/// `/overview` as a cluster.
pub(super) fn cluster(name: &str, overview: Option<&wire::ClusterOverview>) -> ClusterObservation {
    let number = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
    ClusterObservation {
        flink_cluster: name.to_owned(),
        taskmanagers: overview.and_then(|o| number(o.taskmanagers)),
        slots_total: overview.and_then(|o| number(o.slots_total)),
        slots_available: overview.and_then(|o| number(o.slots_available)),
        ..ClusterObservation::default()
    }
}

/// The source's clock: the median over live jobs, its offset in whole seconds. The offset only
/// moves when it is off by more than a second, so that rounding never makes it jitter.
pub(super) fn clock(rows: &[Row], wall: Ts, last_offset: Option<i64>) -> Option<SourceClock> {
    let mut nows: Vec<i64> = rows.iter().filter_map(|r| r.now).collect();
    nows.sort_unstable();
    let Some(now) = nows.get(nows.len() / 2).copied() else {
        let offset_ms = last_offset?;
        return Some(SourceClock { now: wall.0.saturating_add(offset_ms), offset_ms });
    };
    let raw = now.saturating_sub(wall.0);
    let offset_ms = match last_offset {
        Some(last) if raw.abs_diff(last) <= 1500 => last,
        _ if raw.unsigned_abs() <= 1500 => 0,
        _ => raw.saturating_add(500).div_euclid(1000).saturating_mul(1000),
    };
    Some(SourceClock { now, offset_ms })
}

/// Job metrics; `None` when the answer holds none of them.
pub(super) fn counters(metrics: &[wire::Metric]) -> Option<Counters> {
    let mut c = Counters::default();
    let mut any = false;
    for metric in metrics {
        let (Some(id), Some(value)) = (&metric.id, &metric.value) else { continue };
        let number = || value.parse::<u64>().ok();
        match id.as_str() {
            "numRestarts" => c.restarts = number(),
            "numRescales" => c.rescales = number(),
            "numberOfCompletedCheckpoints" => c.completed_checkpoints = number(),
            "numberOfFailedCheckpoints" => c.failed_checkpoints = number(),
            "lastCompletedCheckpointId" => c.last_checkpoint_id = number(),
            "lastCheckpointExternalPath" => c.last_checkpoint_path = path(Some(value)),
            "lastCheckpointCompletedTimestamp" => {
                c.last_checkpoint_completed = time(value.parse().ok());
            }
            _ => continue,
        }
        any = true;
    }
    any.then_some(c)
}

/// The `JobManager`'s CPU time, if it is there. Flink answers in an order of its own.
pub(super) fn cpu_time(metrics: &[wire::Metric]) -> Option<i64> {
    let pulse = |m: &&wire::Metric| m.id.as_deref() == Some(super::wanted::CPU_TIME);
    metrics.iter().find(pulse)?.value.as_deref()?.parse().ok()
}

fn path(text: Option<&str>) -> Option<String> {
    text.filter(|p| !p.is_empty() && *p != "n/a" && !p.starts_with('<') && p.len() <= 4096)
        .map(str::to_owned)
}

/// What `/checkpoints/config` says, kept once per run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CheckpointPolicy {
    pub(super) interval_ms: Option<i64>,
    pub(super) timeout_ms: Option<i64>,
    pub(super) min_pause_ms: Option<i64>,
    pub(super) retained_on_cancel: Option<bool>,
    pub(super) retained_on_failure: Option<bool>,
    /// Checkpoints are not taken periodically.
    pub(super) off: bool,
}

pub(super) fn policy(config: &wire::CheckpointConfig) -> CheckpointPolicy {
    let kept = config.externalization.as_ref();
    let retained =
        kept.and_then(|e| e.enabled.map(|on| on && !e.delete_on_cancellation.unwrap_or(false)));
    CheckpointPolicy {
        interval_ms: config.interval.filter(|i| *i > 0 && *i < NOT_PERIODIC),
        timeout_ms: config.timeout.filter(|t| *t > 0 && *t < NOT_PERIODIC),
        min_pause_ms: config.min_pause.filter(|t| *t > 0 && *t < NOT_PERIODIC),
        retained_on_cancel: retained,
        retained_on_failure: kept.and_then(|e| e.enabled),
        off: config.interval.is_some_and(|i| i <= 0 || i == NOT_PERIODIC),
    }
}

/// Checkpoint history; `None` when the job takes no checkpoints and never took one.
pub(super) fn checkpoints(
    answer: wire::Checkpoints,
    policy: Option<CheckpointPolicy>,
) -> Option<CheckpointStats> {
    let known = policy;
    let policy = policy.unwrap_or_default();
    let counts = answer.counts.unwrap_or_default();
    let latest = answer.latest.unwrap_or_default();
    let mut stats = CheckpointStats {
        interval_ms: policy.interval_ms,
        timeout_ms: policy.timeout_ms,
        periodic: known.map(|policy| !policy.off),
        retained_on_cancel: policy.retained_on_cancel,
        retained_on_failure: policy.retained_on_failure,
        restored: count(counts.restored),
        completed: count(counts.completed),
        failed: count(counts.failed),
        restored_from: latest.restored.and_then(summary),
        latest_completed: latest.completed.and_then(summary),
        latest_savepoint: latest.savepoint.and_then(summary),
        recent_failed: Vec::new(),
        in_progress: Vec::new(),
        recent_completed: Vec::new(),
    };
    for checkpoint in answer.history.into_iter().take(MAX_ENTRIES) {
        let list = match checkpoint.status.as_deref() {
            Some("FAILED") => &mut stats.recent_failed,
            Some("IN_PROGRESS") => &mut stats.in_progress,
            Some("COMPLETED") => &mut stats.recent_completed,
            _ => continue,
        };
        list.extend(summary(checkpoint));
    }
    let ever = stats.latest_completed.is_some()
        || stats.latest_savepoint.is_some()
        || stats.completed.is_some_and(|n| n > 0);
    (ever || !policy.off).then_some(stats)
}

fn summary(c: wire::Checkpoint) -> Option<CheckpointSummary> {
    let failed = c.status.as_deref() == Some("FAILED");
    let in_progress = c.status.as_deref() == Some("IN_PROGRESS");
    let ended_at = if failed {
        time(c.failure_timestamp)
    } else if in_progress {
        None
    } else {
        time(c.restore_timestamp).or(time(c.latest_ack_timestamp))
    };
    Some(CheckpointSummary {
        id: count(c.id)?,
        triggered_at: time(c.trigger_timestamp),
        ended_at,
        path: path(c.external_path.as_deref()),
        savepoint: c.is_savepoint.unwrap_or(false),
        discarded: c.discarded.unwrap_or(false),
        failure: c.failure_message.map(|m| one_line(&m, 300)),
        stops_job: c.kind.as_deref() == Some("SYNC_SAVEPOINT"),
        acknowledged: c.num_acknowledged_subtasks.and_then(|n| u32::try_from(n).ok()),
        subtasks: c.num_subtasks.and_then(|n| u32::try_from(n).ok()),
        size: count(c.state_size),
    })
}

/// Exception history, newest first. Up to 1.18 a failure enters it when its restart happens; before,
/// only `root-exception` tells of it, with the same timestamp and without its task.
pub(super) fn failures(answer: wire::Exceptions) -> Vec<Failure> {
    let entries = answer.history.map(|h| h.entries).unwrap_or_default();
    let mut found: Vec<Failure> = entries.iter().take(MAX_ENTRIES).filter_map(failure).collect();
    found.sort_by_key(|f| std::cmp::Reverse(f.at));
    if let Some(trace) = answer.root_exception.filter(|t| !t.trim().is_empty())
        && let Some(at) = time(answer.timestamp)
    {
        let root = assemble(at, root_cause::extract(None, &trace), &wire::Entry::default());
        if found.first().is_none_or(|newest| is_after(&root, newest)) {
            found.insert(0, root);
        }
    }
    found
}

/// Whether a root exception is another failure than the newest of the history: the adaptive
/// scheduler stamps the same one a moment later.
fn is_after(root: &Failure, newest: &Failure) -> bool {
    let same = (&root.class, &root.message) == (&newest.class, &newest.message);
    root.at > newest.at && (!same || root.at - newest.at > SAME_FAILURE_MS)
}

fn failure(entry: &wire::Entry) -> Option<Failure> {
    let at = time(entry.timestamp)?;
    let cause = cause_of(entry);
    let others = entry.concurrent_exceptions.as_deref().unwrap_or_default();
    if cause.hollow
        && let Some((other, true_cause)) =
            others.iter().map(|o| (o, cause_of(o))).find(|(_, c)| !c.hollow)
    {
        let gave_up = cause.gave_up || true_cause.gave_up;
        // The entry's own task tells failures apart; concurrent ones may be added to it later.
        let place = if entry.task_name.is_some() { entry } else { other };
        return Some(assemble(at, Cause { gave_up, ..true_cause }, place));
    }
    // Global entries name no task; where the same failure hit one task, that is the place.
    let place = if entry.task_name.is_none() { others.first().unwrap_or(entry) } else { entry };
    Some(assemble(at, cause, place))
}

fn cause_of(entry: &wire::Entry) -> Cause {
    root_cause::extract(entry.exception_name.as_deref(), entry.stacktrace.as_deref().unwrap_or(""))
}

fn assemble(at: i64, cause: Cause, place: &wire::Entry) -> Failure {
    let known = |text: &Option<String>| {
        text.as_deref().filter(|t| !t.is_empty() && !t.starts_with('(')).map(|t| one_line(t, 200))
    };
    let taskmanager = known(&place.endpoint)
        .or_else(|| known(&place.location))
        .or_else(|| known(&place.task_manager_id));
    Failure {
        at,
        task: known(&place.task_name),
        class: if cause.class.is_empty() { "unknown".to_owned() } else { cause.class },
        message: cause.message,
        frame: cause.frame,
        taskmanager,
        gave_up: cause.gave_up,
    }
}

/// The vertices of a job, with their place in its graph; where the plan is missing, every one may
/// read from outside and write there.
pub(super) fn graph(detail: &wire::JobDetail) -> Vec<Node> {
    let plan = detail.plan.as_ref().map(|p| p.nodes.as_slice()).unwrap_or_default();
    let read: BTreeSet<&str> = plan
        .iter()
        .flat_map(|n| n.inputs.as_deref().unwrap_or_default())
        .filter_map(|i| i.id.as_deref())
        .collect();
    let mut sources: BTreeSet<&str> = BTreeSet::new();
    for node in plan.iter().filter(|n| n.inputs.as_ref().is_none_or(Vec::is_empty)) {
        sources.extend(node.id.as_deref());
    }
    let known =
        |v: &wire::Vertex| v.id.clone().filter(|id| is_id(id)).map(|id| (id, v.parallelism));
    let mut listed: Vec<(String, Option<i64>)> = detail.vertices.iter().filter_map(known).collect();
    if listed.is_empty() {
        let ids = plan.iter().filter_map(|n| n.id.clone()).filter(|id| is_id(id));
        listed = ids.map(|id| (id, None)).collect();
    }
    let node = |(id, parallelism): (String, Option<i64>)| Node {
        is_source: plan.is_empty() || sources.contains(id.as_str()),
        is_sink: plan.is_empty() || !read.contains(id.as_str()),
        parallelism: parallelism.and_then(|p| u32::try_from(p).ok()).unwrap_or(1),
        id,
        ..Node::default()
    };
    listed.into_iter().map(node).collect()
}
