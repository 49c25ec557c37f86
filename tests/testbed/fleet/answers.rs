//! The bodies, field for field as recorded from real clusters (`tests/fixtures/flink-*`).

use std::fmt::Write as _;

use super::VERTICES;
use super::checkpoints::{Outcome, Progress, Row};
use super::state::{Cluster, Run};
use super::version::Version;

/// Writing to a `String` cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{ write!($out, $($arg)*).expect("a String takes any text"); }};
}

const TASK_STATES: [&str; 10] = [
    "created",
    "scheduled",
    "deploying",
    "running",
    "finished",
    "canceling",
    "canceled",
    "failed",
    "reconciling",
    "initializing",
];

pub(super) fn overview(c: &Cluster, now: i64) -> String {
    let count = |state| c.known().filter(|r| r.state(now) == state).count();
    let live = c.known().filter(|r| r.is_live()).count();
    let slots = c.taskmanagers as i64 * c.slots_per_taskmanager;
    let used: i64 = c.known().filter(|r| r.is_live()).map(|r| r.parallelism).sum();
    format!(
        r#"{{"taskmanagers":{},"slots-total":{slots},"slots-available":{},"jobs-running":{live},"jobs-finished":{},"jobs-cancelled":{},"jobs-failed":{},"flink-version":"{}","flink-commit":"0980485"}}"#,
        c.taskmanagers,
        (slots - used).max(0),
        count("FINISHED"),
        count("CANCELED"),
        count("FAILED"),
        c.version,
    )
}

pub(super) fn jobs_overview(c: &Cluster, now: i64) -> String {
    let mut out = String::with_capacity(400 * c.by_jid.len() + 16);
    out.push_str(r#"{"jobs":["#);
    for (i, run) in c.known().collect::<Vec<_>>().into_iter().rev().enumerate() {
        if i > 0 {
            out.push(',');
        }
        job_line(&mut out, c.version, run, now);
    }
    out.push_str("]}");
    out
}

fn job_line(out: &mut String, version: Version, run: &Run, now: i64) {
    let end = run.ended.map_or(-1, |(_, at)| at);
    put!(
        out,
        r#"{{"jid":"{}","name":{},"start-time":{},"end-time":{end},"duration":{},"state":"{}","last-modification":{},"tasks":{{"total":{}"#,
        run.jid,
        quoted(&run.name),
        run.start,
        if end < 0 { now } else { end } - run.start,
        run.state(now),
        run.last_modification,
        run.tasks()
    );
    let counts = run.task_counts(now);
    for state in TASK_STATES {
        put!(out, r#","{state}":{}"#, count_of(&counts, state));
    }
    out.push('}');
    if version.at_least(2, 0) {
        out.push_str(r#","pending-operators":0"#);
    }
    if version.at_least(2, 3) {
        out.push_str(r#","jobType":"STREAMING","schedulerType":"Default""#);
    }
    out.push('}');
}

fn count_of(counts: &[(&str, i64)], state: &str) -> i64 {
    counts.iter().find(|(name, _)| *name == state).map_or(0, |(_, n)| *n)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("any text is JSON")
}

pub(super) fn jobs(c: &Cluster, now: i64) -> String {
    let ids: Vec<_> =
        c.known().map(|r| format!(r#"{{"id":"{}","status":"{}"}}"#, r.jid, r.state(now))).collect();
    format!(r#"{{"jobs":[{}]}}"#, ids.join(","))
}

pub(super) fn job(version: Version, run: &Run, now: i64) -> String {
    let end = run.ended.map_or(-1, |(_, at)| at);
    let until = if end < 0 { now } else { end };
    let (name, state) = (quoted(&run.name), run.state(now));
    let mut out = String::with_capacity(4096);
    put!(out, r#"{{"jid":"{}","name":{name},"isStoppable":false,"state":"{state}""#, run.jid);
    if version.at_least(1, 20) {
        out.push_str(r#","job-type":"STREAMING""#);
    }
    put!(
        out,
        r#","start-time":{},"end-time":{end},"duration":{},"maxParallelism":-1,"now":{now},"timestamps":{{"INITIALIZING":{},"CREATED":{}"#,
        run.start,
        until - run.start,
        run.start,
        run.start + 10,
    );
    let since = |wanted: &str| if state == wanted { end } else { 0 };
    let running =
        if run.running_from <= now { run.running_from.max(run.start + 20) } else { run.start + 20 };
    put!(
        out,
        r#","RUNNING":{running},"RESTARTING":{},"FAILING":{},"FAILED":{},"CANCELLING":{},"CANCELED":{},"FINISHED":{},"SUSPENDED":0,"RECONCILING":0}},"vertices":["#,
        run.restarted_at,
        since("FAILED"),
        since("FAILED"),
        since("CANCELED"),
        since("CANCELED"),
        since("FINISHED"),
    );
    let counts = run.task_counts(now);
    let (mode, _) = counts[0];
    let one_failed = counts[1].1 > 0;
    for (i, (id, vertex)) in VERTICES.iter().enumerate() {
        let failed = i64::from(i == 1 && one_failed);
        let status = if failed > 0 { "failed" } else { mode }.to_uppercase();
        put!(out, r#"{}{{"id":"{id}""#, if i > 0 { "," } else { "" });
        if version.at_least(1, 20) {
            out.push_str(r#","slotSharingGroupId":"ad33bd508348dc19c2128b4145253f73""#);
        }
        put!(
            out,
            r#","name":"{vertex}","maxParallelism":128,"parallelism":{},"status":"{status}","start-time":{running},"end-time":{end},"duration":{},"tasks":{{"#,
            run.parallelism,
            until - running,
        );
        upper_counts(&mut out, &[(mode, run.parallelism - failed), ("failed", failed)]);
        let records = (until - running) / 10;
        put!(
            out,
            r#"}},"metrics":{{"read-bytes":{0},"read-bytes-complete":true,"write-bytes":{0},"write-bytes-complete":true,"read-records":{records},"read-records-complete":true,"write-records":{records},"write-records-complete":true"#,
            records * 23,
        );
        if version.at_least(1, 16) {
            out.push_str(r#","accumulated-backpressured-time":0,"accumulated-idle-time":119,"accumulated-busy-time":51226.0"#);
        }
        out.push_str("}}");
    }
    out.push_str(r#"],"status-counts":{"#);
    let failed = i64::from(one_failed);
    upper_counts(&mut out, &[(mode, VERTICES.len() as i64 - failed), ("failed", failed)]);
    put!(out, r#"}},"plan":{{"jid":"{}","name":{name},"type":"STREAMING","nodes":["#, run.jid);
    for i in (0..VERTICES.len()).rev() {
        let (id, vertex) = VERTICES[i];
        put!(
            out,
            r#"{{"id":"{id}","parallelism":{},"operator":"","operator_strategy":"","description":"{vertex}<br/>","#,
            run.parallelism
        );
        if i > 0 {
            put!(
                out,
                r#""inputs":[{{"num":0,"id":"{}","ship_strategy":"REBALANCE","exchange":"pipelined_bounded"}}],"#,
                VERTICES[i - 1].0
            );
        }
        put!(out, r#""optimizer_properties":{{}}}}{}"#, if i > 0 { "," } else { "" });
    }
    out.push_str("]}");
    if version.at_least(2, 0) {
        out.push_str(r#","pending-operators":0"#);
    }
    if version.at_least(2, 3) {
        put!(out, r#","application-id":"{}","schedulerType":"Default""#, run.jid);
    }
    out.push('}');
    out
}

fn upper_counts(out: &mut String, counts: &[(&str, i64)]) {
    for (i, state) in TASK_STATES.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        put!(out, r#"{comma}"{}":{}"#, state.to_uppercase(), count_of(counts, state));
    }
}

pub(super) fn exceptions(version: Version, run: &Run, most: usize) -> String {
    let mut out = String::from("{");
    let truncated = run.failures.len() > most;
    if !version.at_least(2, 0) {
        match &run.root {
            Some((trace, at)) => {
                put!(out, r#""root-exception":{},"timestamp":{at},"#, quoted(trace));
            }
            None => out.push_str(r#""root-exception":null,"timestamp":null,"#),
        }
        put!(out, r#""all-exceptions":{},"truncated":false,"#, run.all_exceptions);
    }
    out.push_str(r#""exceptionHistory":{"entries":["#);
    for (i, entry) in run.failures.iter().take(most).enumerate() {
        put!(out, "{}{entry}", if i > 0 { "," } else { "" });
    }
    put!(out, r#"],"truncated":{truncated}}}}}"#);
    out
}

pub(super) fn checkpoints(version: Version, run: &Run, now: i64) -> Option<String> {
    run.checkpoints.interval?;
    let progress = run.checkpoints.at(now);
    let mut out = String::with_capacity(6144);
    put!(
        out,
        r#"{{"counts":{{"restored":{},"total":{},"in_progress":{},"completed":{},"failed":{}}},"summary":{{"#,
        run.checkpoints.restored_count,
        progress.completed + progress.failed + progress.in_progress(),
        progress.in_progress(),
        progress.completed,
        progress.failed,
    );
    summary(&mut out, version, &progress);
    out.push_str(r#"},"latest":{"completed":"#);
    let gone = matches!(run.ended, Some((super::state::End::Finished, _)));
    match progress.latest_completed() {
        Some(found) => row(&mut out, version, run, found, now, gone),
        None => out.push_str("null"),
    }
    out.push_str(r#","savepoint":null,"failed":"#);
    match progress.latest(|o| matches!(o, Outcome::Failed { .. })) {
        Some(found) => row(&mut out, version, run, found, now, gone),
        None => out.push_str("null"),
    }
    out.push_str(r#","restored":"#);
    match &run.checkpoints.restored {
        Some(r) if r.at <= now => put!(
            out,
            r#"{{"id":{},"restore_timestamp":{},"is_savepoint":false,"external_path":"{}"}}"#,
            r.id,
            r.at,
            r.path
        ),
        _ => out.push_str("null"),
    }
    out.push_str(r#"},"history":["#);
    let newest = progress.latest_completed().map(|r| r.id);
    for (i, r) in progress.rows.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        row(&mut out, version, run, r, now, gone || newest != Some(r.id));
    }
    out.push_str("]}");
    Some(out)
}

fn summary(out: &mut String, version: Version, progress: &Progress) {
    let names = [
        "checkpointed_size",
        "state_size",
        "end_to_end_duration",
        "alignment_buffered",
        "processed_data",
        "persisted_data",
    ];
    let skip = usize::from(!version.at_least(1, 16));
    for (i, name) in names.iter().skip(skip).enumerate() {
        let value = match *name {
            _ if progress.completed == 0 => 0,
            "checkpointed_size" | "state_size" => STATE_BYTES,
            "end_to_end_duration" => 57,
            _ => 0,
        };
        put!(
            out,
            r#"{}"{name}":{{"min":{value},"max":{value},"avg":{value}"#,
            if i > 0 { "," } else { "" }
        );
        for p in ["p50", "p90", "p95", "p99", "p999"] {
            // The percentile of no sample is a text among numbers.
            if progress.completed == 0 && *name != "alignment_buffered" {
                put!(out, r#","{p}":"NaN""#);
            } else {
                put!(out, r#","{p}":{value}.0"#);
            }
        }
        out.push('}');
    }
}

const STATE_BYTES: i64 = 530;

fn row(out: &mut String, version: Version, run: &Run, row: &Row, now: i64, discarded: bool) {
    let tasks = run.tasks();
    let (class, acknowledged, duration) = match &row.outcome {
        Outcome::Completed => ("completed", tasks, row.ack - row.trigger),
        Outcome::Failed { at, .. } => ("failed", tasks / 2, at - row.trigger),
        Outcome::InProgress => ("in_progress", tasks / 2, now - row.trigger),
    };
    put!(
        out,
        r#"{{"className":"{class}","id":{},"status":"{}","is_savepoint":false"#,
        row.id,
        class.to_uppercase()
    );
    if version.at_least(1, 17) {
        out.push_str(r#","savepointFormat":null"#);
    }
    put!(out, r#","trigger_timestamp":{},"latest_ack_timestamp":{}"#, row.trigger, row.ack);
    if version.at_least(1, 16) {
        put!(out, r#","checkpointed_size":{STATE_BYTES}"#);
    }
    put!(
        out,
        r#","state_size":{STATE_BYTES},"end_to_end_duration":{duration},"alignment_buffered":0,"processed_data":210,"persisted_data":0,"num_subtasks":{tasks},"num_acknowledged_subtasks":{acknowledged},"checkpoint_type":"CHECKPOINT","tasks":{{}}"#,
    );
    match &row.outcome {
        Outcome::Completed => put!(
            out,
            r#","external_path":"{}","discarded":{discarded}}}"#,
            Run::path(&run.jid, row.id)
        ),
        Outcome::Failed { at, message } => {
            put!(out, r#","failure_timestamp":{at},"failure_message":{}}}"#, quoted(message));
        }
        Outcome::InProgress => out.push('}'),
    }
}

pub(super) fn checkpoint_config(version: Version, run: &Run) -> Option<String> {
    let interval = run.checkpoints.interval?;
    let changelog = if version.at_least(1, 16) {
        r#","state_changelog_enabled":false,"changelog_periodic_materialization_interval":600000,"changelog_storage":"memory""#
    } else {
        ""
    };
    Some(format!(
        r#"{{"mode":"exactly_once","interval":{interval},"timeout":600000,"min_pause":0,"max_concurrent":1,"externalization":{{"enabled":true,"delete_on_cancellation":false}},"state_backend":"HashMapStateBackend","checkpoint_storage":"FileSystemCheckpointStorage","unaligned_checkpoints":false,"tolerable_failed_checkpoints":0,"aligned_checkpoint_timeout":0,"checkpoints_after_tasks_finish":true{changelog}}}"#
    ))
}

pub(super) fn taskmanagers(c: &Cluster, now: i64) -> String {
    let assigned = if c.version.at_least(2, 3) { r#","assignedTasks":0"# } else { "" };
    let one = |i: usize| {
        let slots = c.slots_per_taskmanager;
        let resource = |cpus: i64| {
            format!(
                r#"{{"cpuCores":{cpus}.0,"taskHeapMemory":256,"taskOffHeapMemory":0,"managedMemory":128,"networkMemory":64,"extendedResources":{{}}}}"#
            )
        };
        format!(
            r#"{{"id":"localhost:{port}-c4509{i}","path":"pekko.tcp://flink@localhost:{port}/user/rpc/taskmanager_0","dataPort":40947,"jmxPort":-1,"timeSinceLastHeartbeat":{now},"slotsNumber":{slots},"freeSlots":0,"totalResource":{},"freeResource":{},"hardware":{{"cpuCores":2,"physicalMemory":25274793984,"freeMemory":734003200,"managedMemory":134217728}},"memoryConfiguration":{{"frameworkHeap":134217728,"taskHeap":268435456,"frameworkOffHeap":134217728,"taskOffHeap":0,"networkMemory":67108864,"managedMemory":134217728,"jvmMetaspace":268435456,"jvmOverhead":134217728,"totalFlinkMemory":738197504,"totalProcessMemory":1140850688}}{assigned}}}"#,
            resource(slots),
            resource(0),
            port = 46000 + i,
        )
    };
    let all: Vec<_> = (0..c.taskmanagers).map(one).collect();
    format!(r#"{{"taskmanagers":[{}]}}"#, all.join(","))
}
