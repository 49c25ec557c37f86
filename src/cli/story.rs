//! Simulated jobs for `weir demo`: the looks a source would have taken, in virtual time.

use crate::model::{
    CheckpointStats, CheckpointSummary, ClusterObservation, Completeness, Counters, Failure,
    JobKey, JobState, Labels, Lag, RunId, RunObservation, Seen, Snapshot, SourceClock, TaskCounts,
};

const SOURCE: &str = "prod";
const MINUTE: i64 = 60_000;

/// Four jobs over two hours: healthy, crash-looping until it dies and is started again,
/// checkpoints failing for a while, falling behind for a while.
pub(super) struct Story {
    start: i64,
    /// Failures of the looping job so far: (ms, which).
    failures: Vec<i64>,
    /// Its run: job number, start.
    run: (u32, i64),
}

/// What the looping job does at a minute of the story.
const FAILS_AT: [i64; 8] = [11, 13, 15, 17, 19, 21, 23, 25];
const RESTARTED_AT: i64 = 40;
const CHECKPOINTS_FAIL: std::ops::Range<i64> = 50..70;
const BACKLOG_GROWS: std::ops::Range<i64> = 60..95;
/// Length of the story in ms.
pub(super) const LENGTH: i64 = 120 * MINUTE;

impl Story {
    /// Begins at `start`, epoch ms.
    pub(super) fn new(start: i64) -> Story {
        Story { start, failures: Vec::new(), run: (1, start - 600 * MINUTE) }
    }

    /// The look at `now`.
    pub(super) fn look(&mut self, now: i64) -> Snapshot {
        let minute = (now - self.start) / MINUTE;
        for at in FAILS_AT.iter().map(|m| self.start + m * MINUTE) {
            if at <= now && !self.failures.contains(&at) {
                self.failures.push(at);
            }
        }
        if minute >= RESTARTED_AT && self.run.0 == 1 {
            self.run = (2, self.start + RESTARTED_AT * MINUTE);
        }
        let old = self.start - 600 * MINUTE;
        let mut runs = vec![
            job("user-profile", 10, old, now, JobState::Running),
            self.looping(now),
            job("ads-attribution", 12, old, now, JobState::Running),
            job("log-enrichment", 13, old, now, JobState::Running),
        ];
        if CHECKPOINTS_FAIL.contains(&minute) {
            let from = self.start + CHECKPOINTS_FAIL.start * MINUTE;
            runs[2].checkpoints = Seen::Fresh(failing_checkpoints(from, now));
            runs[2].counters = Seen::Fresh(counters(from, 0));
        }
        let backlog = if BACKLOG_GROWS.contains(&minute) {
            (minute - BACKLOG_GROWS.start) as f64 * 25_000.0
        } else {
            800.0
        };
        runs[3].lag = Seen::Fresh(Lag { records: Some(backlog) });
        Snapshot {
            source: SOURCE.to_owned(),
            poller: "demo".to_owned(),
            completeness: Completeness::Complete,
            clock: Some(SourceClock { now, offset_ms: 0 }),
            version: Some("2.2.1".to_owned()),
            metrics_frozen: false,
            clusters: vec![ClusterObservation {
                flink_cluster: SOURCE.to_owned(),
                taskmanagers: Some(4),
                slots_total: Some(16),
                slots_available: Some(8),
                ..ClusterObservation::default()
            }],
            runs,
            inventory: Vec::new(),
            recorded: Vec::new(),
            took_ms: 12,
            requests: 6,
            bytes: 3_400,
        }
    }

    fn looping(&self, now: i64) -> RunObservation {
        let dead = self.failures.len() == FAILS_AT.len() && self.run.0 == 1;
        let state = if dead { JobState::Failed } else { JobState::Running };
        let (number, start) = self.run;
        let mut run = job("ro-cn-sync", number, start, now, state);
        if number == 1 {
            let last_good = self.failures.last().map_or(now, |at| at - 20_000);
            let restarts = self.failures.len() as u64 - u64::from(dead);
            run.counters =
                Seen::Fresh(Counters { restarts: Some(restarts), ..counters(last_good, restarts) });
            run.checkpoints = Seen::Fresh(good_checkpoints(last_good));
            run.failures = Seen::Fresh(self.failures.iter().rev().map(|at| failure(*at)).collect());
        }
        run
    }
}

fn job(name: &str, number: u32, start: i64, now: i64, state: JobState) -> RunObservation {
    let running = if state == JobState::Running { 6 } else { 0 };
    RunObservation {
        key: JobKey::new(SOURCE, "", "", name),
        name: name.to_owned(),
        cluster: SOURCE.to_owned(),
        namespace: String::new(),
        flink_cluster: SOURCE.to_owned(),
        flink_job_name: name.to_owned(),
        run: RunId { start_time: start, job_id: format!("{number:032x}") },
        state,
        end_time: None,
        tasks: TaskCounts { total: 6, running, ..TaskCounts::default() },
        last_modification: Some(start),
        labels: Labels::default(),
        counters: Seen::Fresh(counters(now, 0)),
        checkpoints: Seen::Fresh(good_checkpoints(now)),
        failures: Seen::Fresh(Vec::new()),
        failures_truncated: false,
        lag: Seen::NotApplicable,
        ..RunObservation::default()
    }
}

/// A checkpoint a minute; the number follows from the time.
fn counters(until: i64, restarts: u64) -> Counters {
    let id = (until / MINUTE) as u64;
    Counters {
        restarts: Some(restarts),
        rescales: Some(0),
        completed_checkpoints: Some(id),
        failed_checkpoints: Some(0),
        last_checkpoint_id: Some(id),
        last_checkpoint_path: Some(path(id)),
        last_checkpoint_completed: Some(until - until % MINUTE),
    }
}

fn path(id: u64) -> String {
    format!("hdfs://nn/flink/ck/ro/chk-{id}")
}

fn good_checkpoints(until: i64) -> CheckpointStats {
    let id = (until / MINUTE) as u64;
    CheckpointStats {
        interval_ms: Some(MINUTE),
        retained_on_cancel: Some(true),
        latest_completed: Some(CheckpointSummary {
            id,
            ended_at: Some(until - until % MINUTE),
            path: Some(path(id)),
            ..CheckpointSummary::default()
        }),
        ..CheckpointStats::default()
    }
}

fn failing_checkpoints(from: i64, now: i64) -> CheckpointStats {
    let mut stats = good_checkpoints(from);
    let last = (from / MINUTE) as u64;
    let failed = ((now - from) / MINUTE) as u64;
    stats.recent_failed = (1..=failed.min(10))
        .rev()
        .map(|n| CheckpointSummary {
            id: last + n,
            failure: Some("Checkpoint expired before completing.".to_owned()),
            ..CheckpointSummary::default()
        })
        .collect();
    stats
}

fn failure(at: i64) -> Failure {
    Failure {
        at,
        task: Some("Source: orders -> parse-orders (1/2)".to_owned()),
        class: "com.example.orders.PoisonRecordException".to_owned(),
        message: "amount is not a number: 12,50".to_owned(),
        frame: Some("OrderParser.parseAmount(OrderParser.java:59)".to_owned()),
        taskmanager: Some("tm-3:6122".to_owned()),
        gave_up: false,
    }
}
