//! What a cluster is and what happens to it. Times are the cluster's own, in milliseconds.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::json;

use super::VERTICES;
use super::checkpoints::Checkpoints;
use super::faults::Fault;
use super::version::Version;

/// How many failures `/exceptions` remembers.
const EXCEPTION_HISTORY: usize = 16;

/// One failure as the `JobManager` reports it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The exception's class.
    pub class: String,
    /// Its stack trace, first line included.
    pub stacktrace: String,
    /// The vertex that failed; `None` is a failure of the whole job.
    pub task: Option<String>,
}

impl Failure {
    /// A user function threw `class: message`.
    pub fn new(class: &str, message: &str) -> Self {
        let stacktrace = format!(
            "{class}: {message}\n\tat com.example.Orders$Parse.map(Orders.java:42)\n\tat \
             org.apache.flink.streaming.api.operators.StreamMap.processElement(StreamMap.java:38)\
             \n\tat org.apache.flink.runtime.taskmanager.Task.run(Task.java:575)\n\tat \
             java.base/java.lang.Thread.run(Thread.java:840)\n"
        );
        Self { class: class.to_owned(), stacktrace, task: Some(VERTICES[1].1.to_owned()) }
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Running again before anybody looks.
    AtOnce,
    /// RESTARTING for this long.
    AfterMs(i64),
    /// RESTARTING until told otherwise (`Fleet::recover_job`, another failure, an end).
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Failed,
    Canceled,
    Finished,
}

impl End {
    fn state(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) jid: String,
    pub(super) name: String,
    pub(super) start: i64,
    pub(super) ended: Option<(End, i64)>,
    pub(super) last_modification: i64,
    pub(super) restarts: i64,
    /// Attempts so far; the `JobManager`'s failover does not reset the tasks' own names.
    attempt: i64,
    pub(super) restarted_at: i64,
    /// Running again from here on.
    pub(super) running_from: i64,
    /// RUNNING without slots: every task waits.
    pub(super) starved: bool,
    pub(super) parallelism: i64,
    pub(super) backlog: Option<u64>,
    pub(super) busy_ms: f64,
    pub(super) backpressured_ms: f64,
    /// Further numbers by (vertex, id), of every subtask; `None` takes one away.
    pub(super) numbers: BTreeMap<(usize, String), Option<f64>>,
    /// Further metrics of the job by id.
    pub(super) texts: BTreeMap<String, String>,
    pub(super) checkpoints: Checkpoints,
    /// Rendered entries of `exceptionHistory`, newest first.
    pub(super) failures: VecDeque<String>,
    /// Stack trace and time of the newest failure.
    pub(super) root: Option<(String, i64)>,
    /// Rendered `all-exceptions` (up to 1.20), filled when the job gave up.
    pub(super) all_exceptions: String,
    /// Wall times: when the last scripted change happened, and when an answer first showed it.
    pub(super) changed: Option<i64>,
    pub(super) shown: Option<i64>,
}

impl Run {
    pub(super) fn path(jid: &str, id: i64) -> String {
        format!("file:/data/flink/ck/{jid}/chk-{id}")
    }

    pub(super) fn state(&self, now: i64) -> &'static str {
        match self.ended {
            Some((end, _)) => end.state(),
            None if self.running_from > now => "RESTARTING",
            None => "RUNNING",
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) fn tasks(&self) -> i64 {
        self.parallelism * VERTICES.len() as i64
    }

    /// How many tasks are in which state (lower case), the others being zero.
    pub(super) fn task_counts(&self, now: i64) -> [(&'static str, i64); 2] {
        let all = self.tasks();
        match self.state(now) {
            "RUNNING" if self.starved => [("scheduled", all), ("failed", 0)],
            "RUNNING" => [("running", all), ("failed", 0)],
            "FINISHED" => [("finished", all), ("failed", 0)],
            "CANCELED" => [("canceled", all), ("failed", 0)],
            _ => [("canceled", all - 1), ("failed", 1)],
        }
    }

    fn record(&mut self, version: Version, failure: &Failure, at: i64, giving_up: bool) {
        let mut entry = json!({
            "exceptionName": failure.class,
            "stacktrace": failure.stacktrace,
            "timestamp": at,
            "concurrentExceptions": [],
        });
        let fields = entry.as_object_mut().expect("just built as an object");
        if version.at_least(1, 18) {
            fields.insert("failureLabels".to_owned(), json!({}));
        }
        if let Some(task) = &failure.task {
            let task = format!("{task} (1/{}) - execution #{}", self.parallelism, self.attempt);
            fields.insert("taskName".to_owned(), json!(task));
            if !version.at_least(2, 0) {
                fields.insert("location".to_owned(), json!("localhost:40947"));
            }
            if version.at_least(1, 19) {
                fields.insert("endpoint".to_owned(), json!("localhost:40947"));
            }
            if version.at_least(1, 18) {
                fields.insert("taskManagerId".to_owned(), json!("localhost:46679-c45092"));
            }
        }
        self.root = Some((failure.stacktrace.clone(), at));
        if giving_up {
            let why = "org.apache.flink.runtime.JobException: Recovery is suppressed by \
                       FixedDelayRestartBackoffTimeStrategy(maxNumberRestartAttempts=2, \
                       backoffTimeMS=1000)";
            let frames = "\n\tat org.apache.flink.runtime.executiongraph.failover.\
                          ExecutionFailureHandler.handleFailure(ExecutionFailureHandler.java:219)\
                          \nCaused by: ";
            let stacktrace = format!("{why}{frames}{}", failure.stacktrace);
            let mut cause = entry;
            let fields = cause.as_object_mut().expect("just built as an object");
            fields.remove("concurrentExceptions");
            let mut flat = fields.clone();
            flat.remove("exceptionName");
            flat.remove("failureLabels");
            if let Some(trace) = flat.remove("stacktrace") {
                flat.insert("exception".to_owned(), trace);
            }
            flat.remove("taskName");
            let task = failure.task.as_deref().unwrap_or(VERTICES[1].1);
            flat.insert("task".to_owned(), json!(format!("{task} (1/{})", self.parallelism)));
            self.all_exceptions = json!([flat]).to_string();
            entry = json!({
                "exceptionName": "org.apache.flink.runtime.JobException",
                "stacktrace": stacktrace,
                "timestamp": at,
                "concurrentExceptions": [cause],
            });
            if version.at_least(1, 18) {
                entry["failureLabels"] = json!({});
            }
            self.root = Some((stacktrace, at));
        }
        self.failures.push_front(entry.to_string());
        self.failures.truncate(EXCEPTION_HISTORY);
    }

    pub(super) fn fail(&mut self, version: Version, failure: &Failure, now: i64, then: Recovery) {
        self.record(version, failure, now, false);
        self.restarts += 1;
        self.attempt += 1;
        self.restarted_at = now;
        self.last_modification = now;
        self.running_from = match then {
            Recovery::AtOnce => now,
            Recovery::AfterMs(ms) => now + ms,
            Recovery::Never => i64::MAX,
        };
        let jid = self.jid.clone();
        let running_from = if then == Recovery::Never { i64::MAX / 2 } else { self.running_from };
        self.checkpoints.restart(now, running_from, |id| Self::path(&jid, id));
    }

    pub(super) fn recover(&mut self, now: i64) {
        if self.running_from > now {
            self.running_from = now;
            self.last_modification = now;
            self.checkpoints.resume(now);
        }
    }

    pub(super) fn give_up(&mut self, version: Version, failure: &Failure, now: i64) {
        self.record(version, failure, now, true);
        self.end(End::Failed, now);
    }

    pub(super) fn end(&mut self, end: End, now: i64) {
        if self.is_live() {
            self.checkpoints.stop(now);
            self.ended = Some((end, now));
            self.last_modification = now;
        }
    }

    /// Another `JobManager` took over: same job id, new start time, everything counted anew.
    pub(super) fn fail_over(&mut self, now: i64) {
        if !self.is_live() {
            return;
        }
        let jid = self.jid.clone();
        self.checkpoints.fail_over(now, |id| Self::path(&jid, id));
        (self.start, self.running_from, self.last_modification) = (now, now, now);
        (self.restarts, self.restarted_at) = (0, 0);
        self.failures.clear();
        self.root = None;
    }
}

/// What the metric store of the `JobManager` last fetched.
pub(super) struct Store {
    pub(super) at: i64,
    pub(super) runs: HashMap<String, Run>,
}

pub(super) struct Cluster {
    pub(super) version: Version,
    /// The config answer, rendered once.
    pub(super) config: String,
    pub(super) number: usize,
    pub(super) runs: Vec<Run>,
    pub(super) by_jid: HashMap<String, usize>,
    /// The newest run of every scripted job.
    pub(super) jobs: Vec<usize>,
    pub(super) clock_offset: i64,
    pub(super) fault: Option<Fault>,
    pub(super) frozen: bool,
    pub(super) store: Option<Store>,
    pub(super) store_interval: i64,
    pub(super) taskmanagers: usize,
    pub(super) slots_per_taskmanager: i64,
    /// Metrics by id, of every `TaskManager`.
    pub(super) taskmanager_numbers: BTreeMap<String, f64>,
    /// Further metrics of the `JobManager`.
    pub(super) jobmanager_numbers: BTreeMap<String, f64>,
    pub(super) started: i64,
    submitted: u64,
}

/// How the jobs of a cluster begin.
#[derive(Clone, Copy)]
pub(super) struct JobShape {
    pub(super) parallelism: i64,
    pub(super) checkpoint_interval: Option<i64>,
    pub(super) metrics_update_ms: i64,
    /// How long the jobs have been running when the fleet starts.
    pub(super) age_ms: i64,
}

impl Cluster {
    pub(super) fn new(
        number: usize,
        version: Version,
        names: impl Iterator<Item = String>,
        shape: JobShape,
        now: i64,
    ) -> Self {
        let mut cluster = Self {
            version,
            config: version.config(),
            number,
            runs: Vec::new(),
            by_jid: HashMap::new(),
            jobs: Vec::new(),
            clock_offset: 0,
            fault: None,
            frozen: false,
            store: None,
            store_interval: shape.metrics_update_ms,
            taskmanagers: 1,
            slots_per_taskmanager: 0,
            taskmanager_numbers: super::metrics::taskmanager_defaults(version),
            jobmanager_numbers: BTreeMap::new(),
            started: now - shape.age_ms - 60_000,
            submitted: 0,
        };
        for name in names {
            let run = cluster.submit(
                name,
                shape.parallelism,
                shape.checkpoint_interval,
                now - shape.age_ms,
                1,
            );
            cluster.jobs.push(run);
        }
        cluster.slots_per_taskmanager = shape.parallelism * cluster.jobs.len() as i64;
        cluster
    }

    fn submit(
        &mut self,
        name: String,
        parallelism: i64,
        interval: Option<i64>,
        now: i64,
        first_checkpoint: i64,
    ) -> usize {
        self.submitted += 1;
        let jid = format!("{:08x}{:08x}{:016x}", self.number + 1, 0x00f1_1227, self.submitted);
        let index = self.runs.len();
        self.by_jid.insert(jid.clone(), index);
        self.runs.push(Run {
            jid,
            name,
            start: now,
            ended: None,
            last_modification: now,
            restarts: 0,
            attempt: 0,
            restarted_at: 0,
            running_from: now,
            starved: false,
            parallelism,
            backlog: None,
            numbers: BTreeMap::new(),
            texts: BTreeMap::new(),
            busy_ms: 120.0,
            backpressured_ms: 0.0,
            checkpoints: Checkpoints::starting(interval, now, first_checkpoint),
            failures: VecDeque::new(),
            root: None,
            all_exceptions: "[]".to_owned(),
            changed: None,
            shown: None,
        });
        index
    }

    /// Submits a job again, from its last checkpoint if there is one; the older run stays as it is.
    pub(super) fn submit_again(&mut self, job: usize, now: i64) -> String {
        let old = &self.runs[self.jobs[job]];
        let last = old.checkpoints.at(now).latest_completed().map(|r| r.id);
        let restored = last.map(|id| (id, Run::path(&old.jid, id)));
        let (name, parallelism) = (old.name.clone(), old.parallelism);
        let (interval, next) = (old.checkpoints.interval, old.checkpoints.next_id());
        let first = restored.as_ref().map_or(1, |(id, _)| next.max(id + 1));
        let index = self.submit(name, parallelism, interval, now, first);
        self.jobs[job] = index;
        if let Some((id, path)) = restored {
            self.runs[index].checkpoints.restored_from(id, now, path);
        }
        self.runs[index].jid.clone()
    }

    /// The `JobManager` forgets a run, as it does an hour after its end.
    pub(super) fn forget(&mut self, jid: &str) {
        if let Some(index) = self.by_jid.remove(jid) {
            self.runs[index].end(End::Canceled, 0);
        }
    }

    pub(super) fn job(&mut self, job: usize) -> &mut Run {
        let index = self.jobs[job];
        &mut self.runs[index]
    }

    /// Runs the `JobManager` still knows.
    pub(super) fn known(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|r| self.by_jid.contains_key(&r.jid))
    }

    /// A copy of what the metric store would hold now.
    pub(super) fn snapshot(&self, now: i64) -> Store {
        let runs = self.known().filter(|r| r.is_live());
        Store { at: now, runs: runs.map(|r| (r.jid.clone(), r.clone())).collect() }
    }
}
