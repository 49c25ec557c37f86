//! Metric answers: texts per job, numbers per vertex.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::state::{Cluster, Run};
use super::version::Version;
use super::{SOURCE_OPERATOR, VERTICES};

/// Ids of `/jobs/:id/metrics`, with the releases that have them.
const JOB_METRICS: [(&str, Since); 27] = [
    ("numberOfFailedCheckpoints", |_| true),
    ("cancellingTime", |_| true),
    ("lastCheckpointSize", |_| true),
    ("lastCheckpointExternalPath", |_| true),
    ("totalNumberOfCheckpoints", |_| true),
    ("lastCompletedCheckpointId", |v| v.at_least(1, 17)),
    ("lastCheckpointRestoreTimestamp", |_| true),
    ("failingTime", |_| true),
    ("runningTime", |_| true),
    ("uptime", |_| true),
    ("restartingTime", |_| true),
    ("initializingTime", |_| true),
    ("numberOfInProgressCheckpoints", |_| true),
    ("downtime", |_| true),
    ("lastCheckpointProcessedData", |_| true),
    ("numberOfCompletedCheckpoints", |_| true),
    ("numRestarts", |_| true),
    ("lastCheckpointFullSize", |_| true),
    ("deployingTime", |_| true),
    ("fullRestarts", |v| !v.at_least(2, 0)),
    ("createdTime", |_| true),
    ("lastCheckpointDuration", |_| true),
    ("lastCheckpointPersistedData", |_| true),
    ("numRescales", |v| v.at_least(2, 0)),
    ("lastCheckpointCompletedTimestamp", |v| v.at_least(2, 0)),
    ("lastCheckpointMetadataSize", |v| v.at_least(2, 2)),
    (ALL_RUNNING, |v| v.at_least(2, 2)),
];
const ALL_RUNNING: &str = "allSubTasksRunningOrFinishedTime";

type Since = fn(Version) -> bool;

fn has(version: Version, id: &str) -> bool {
    JOB_METRICS.iter().any(|(name, since)| *name == id && since(version))
}

fn ids<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<_> = names.map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    format!("[{}]", all.join(","))
}

/// `/jobs/:id/metrics`: unknown ids are left out, a job that ended has none.
pub(super) fn job(version: Version, run: Option<&Run>, get: Option<&str>, now: i64) -> String {
    let Some(run) = run.filter(|r| r.is_live()) else { return "[]".to_owned() };
    let Some(get) = get else {
        let names = JOB_METRICS.iter().map(|(name, _)| *name).filter(|id| has(version, id));
        let further = run.texts.keys().map(String::as_str).filter(|id| !has(version, id));
        return ids(names.chain(further));
    };
    let progress = run.checkpoints.at(now);
    let latest = progress.latest_completed();
    let running_ms = if run.state(now) == "RUNNING" { now - run.running_from } else { 0 };
    let or_none = |value: Option<i64>| value.unwrap_or(-1).to_string();
    let mut out = String::with_capacity(1024);
    out.push('[');
    let known = |id: &&str| has(version, id) || run.texts.contains_key(*id);
    for id in get.split(',').filter(known) {
        let value = match id {
            _ if run.texts.contains_key(id) => run.texts[id].clone(),
            "numberOfFailedCheckpoints" => progress.failed.to_string(),
            "numberOfCompletedCheckpoints" => progress.completed.to_string(),
            "numberOfInProgressCheckpoints" => progress.in_progress().to_string(),
            "totalNumberOfCheckpoints" => {
                (progress.completed + progress.failed + progress.in_progress()).to_string()
            }
            "lastCheckpointSize" | "lastCheckpointFullSize" => or_none(latest.map(|_| 530)),
            "lastCheckpointMetadataSize" => or_none(latest.map(|_| 1868)),
            "lastCheckpointProcessedData" => or_none(latest.map(|_| 210)),
            "lastCheckpointPersistedData" => or_none(latest.map(|_| 0)),
            "lastCheckpointExternalPath" => {
                latest.map_or_else(|| "n/a".to_owned(), |r| Run::path(&run.jid, r.id))
            }
            "lastCompletedCheckpointId" => or_none(latest.map(|r| r.id)),
            "lastCheckpointCompletedTimestamp" => or_none(latest.map(|r| r.ack)),
            "lastCheckpointDuration" => or_none(latest.map(|r| r.ack - r.trigger)),
            // Set even when there was nothing to restore from.
            "lastCheckpointRestoreTimestamp" => {
                let restored = run.checkpoints.restored.as_ref().map(|r| r.at);
                restored.filter(|at| *at <= now).unwrap_or(run.start + 15).to_string()
            }
            "numRestarts" | "fullRestarts" => run.restarts.to_string(),
            "runningTime" | "uptime" => running_ms.to_string(),
            ALL_RUNNING if run.starved => "0".to_owned(),
            ALL_RUNNING => running_ms.to_string(),
            "restartingTime" if run.state(now) == "RESTARTING" => {
                (now - run.restarted_at).to_string()
            }
            _ => "0".to_owned(),
        };
        let comma = if out.len() > 1 { "," } else { "" };
        write!(out, r#"{comma}{{"id":"{id}","value":"{value}"}}"#)
            .expect("a String takes any text");
    }
    out.push(']');
    out
}

/// `/jobmanager/metrics`.
pub(super) fn jobmanager(c: &Cluster, get: Option<&str>, now: i64) -> String {
    const IDS: [&str; 7] = [
        "Status.JVM.CPU.Time",
        "Status.JVM.Memory.Heap.Used",
        "Status.JVM.Memory.Heap.Max",
        "numRunningJobs",
        "numRegisteredTaskManagers",
        "taskSlotsAvailable",
        "taskSlotsTotal",
    ];
    let Some(get) = get else {
        let further = c.jobmanager_numbers.keys().map(String::as_str);
        return ids(IDS.into_iter().chain(further.filter(|id| !IDS.contains(id))));
    };
    let slots = c.taskmanagers as i64 * c.slots_per_taskmanager;
    let live = || c.known().filter(|r| r.is_live());
    let values = get.split(',').filter_map(|id| {
        if let Some(value) = c.jobmanager_numbers.get(id) {
            return Some(format!(r#"{{"id":"{id}","value":"{value}"}}"#));
        }
        let value = match id {
            // Nanoseconds; a JobManager always burns some.
            "Status.JVM.CPU.Time" => (now - c.started) * 50_000,
            "Status.JVM.Memory.Heap.Used" => 86_777_232,
            "Status.JVM.Memory.Heap.Max" => 838_860_800,
            "numRunningJobs" => live().count() as i64,
            "numRegisteredTaskManagers" => c.taskmanagers as i64,
            "taskSlotsTotal" => slots,
            "taskSlotsAvailable" => (slots - live().map(|r| r.parallelism).sum::<i64>()).max(0),
            _ => return None,
        };
        Some(format!(r#"{{"id":"{id}","value":"{value}"}}"#))
    });
    // Flink's order is that of its own map, never that of the question.
    let mut values: Vec<_> = values.collect();
    values.reverse();
    format!("[{}]", values.join(","))
}

/// `…/subtasks/metrics`: one unknown id and the whole answer is empty, as measured.
pub(super) fn subtasks(
    version: Version,
    run: Option<&Run>,
    vertex: &str,
    get: Option<&str>,
    agg: Option<&str>,
) -> String {
    let Some(run) = run.filter(|r| r.is_live()) else { return "[]".to_owned() };
    let is_source = vertex == VERTICES[0].0;
    let mut known = vec![
        ("busyTimeMsPerSecond".to_owned(), run.busy_ms),
        ("backPressuredTimeMsPerSecond".to_owned(), run.backpressured_ms),
        ("idleTimeMsPerSecond".to_owned(), (1000.0 - run.busy_ms - run.backpressured_ms).max(0.0)),
        ("numRecordsInPerSecond".to_owned(), if is_source { 0.0 } else { 100.0 }),
        ("numRecordsOutPerSecond".to_owned(), 100.0),
    ];
    if is_source {
        // Not built on Flink's own reader: what it reads is not counted, what it hands on is.
        known.push((format!("{SOURCE_OPERATOR}.numRecordsInPerSecond"), 0.0));
        known.push((format!("{SOURCE_OPERATOR}.numRecordsOutPerSecond"), 100.0));
        known.push((format!("{SOURCE_OPERATOR}.sourceIdleTime"), 0.0));
        // Absent, not zero, until the source reports it.
        if let Some(backlog) = run.backlog {
            let per_subtask = backlog as f64 / run.parallelism as f64;
            known.push((format!("{SOURCE_OPERATOR}.pendingRecords"), per_subtask));
        }
    }
    for ((index, id), value) in &run.numbers {
        if VERTICES.get(*index).is_some_and(|(known, _)| *known == vertex) {
            known.retain(|(name, _)| name != id);
            known.extend(value.map(|value| (id.clone(), value)));
        }
    }
    aggregated(version, &known, run.parallelism, get, agg)
}

/// `/taskmanagers/metrics`.
pub(super) fn taskmanagers(c: &Cluster, get: Option<&str>, agg: Option<&str>) -> String {
    if c.taskmanagers == 0 {
        return "[]".to_owned();
    }
    let known: Vec<_> = c.taskmanager_numbers.iter().map(|(id, n)| (id.clone(), *n)).collect();
    aggregated(c.version, &known, c.taskmanagers as i64, get, agg)
}

/// What a `TaskManager` reports by itself.
pub(super) fn taskmanager_defaults(version: Version) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::from(
        [
            ("Status.JVM.CPU.Load", 0.03),
            ("Status.JVM.Memory.Heap.Used", 39_681_616.0),
            ("Status.JVM.Memory.Heap.Max", 314_572_800.0),
            ("Status.JVM.Memory.Metaspace.Used", 42_000_000.0),
            ("Status.JVM.Memory.Metaspace.Max", 134_217_728.0),
            ("Status.JVM.GarbageCollector.G1_Young_Generation.Time", 120.0),
            ("Status.Flink.Memory.Managed.Used", 0.0),
        ]
        .map(|(id, value)| (id.to_owned(), value)),
    );
    if version.at_least(1, 19) {
        let id = "Status.JVM.GarbageCollector.All.TimeMsPerSecond";
        all.insert(id.to_owned(), 1.0);
    }
    all
}

/// Aggregates of `count` subtasks or `TaskManagers` that all report the same.
fn aggregated(
    version: Version,
    known: &[(String, f64)],
    count: i64,
    get: Option<&str>,
    agg: Option<&str>,
) -> String {
    let Some(get) = get else { return ids(known.iter().map(|(id, _)| id.as_str())) };
    let wants = |name: &str| agg.is_none_or(|a| a.split(',').any(|x| x.eq_ignore_ascii_case(name)));
    let mut items = Vec::new();
    for id in get.split(',') {
        let Some((_, value)) = known.iter().find(|(name, _)| name == id) else {
            return "[]".to_owned();
        };
        let mut item = format!(r#"{{"id":"{id}""#);
        let sum = value * count as f64;
        for (name, value) in [("min", *value), ("max", *value), ("avg", *value), ("sum", sum)] {
            if wants(name) {
                write!(item, r#","{name}":{value:?}"#).expect("a String takes any text");
            }
        }
        if version.at_least(1, 20) && wants("skew") {
            item.push_str(r#","skew":0.0"#);
        }
        item.push('}');
        items.push(item);
    }
    format!("[{}]", items.join(","))
}
