//! Flink in virtual time: jobs that fail by plan, and a poller that sees them as a real one would:
//! metrics that are late, a short exception history, answers from a cache.

use std::collections::BTreeMap;

use weir::model::*;

/// Flink keeps so many exceptions.
const RING: usize = 16;
const METRICS_EVERY: i64 = 10_000;
const CACHE: i64 = 3_000;

/// One planned failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fail {
    pub(super) at: i64,
    /// Back again; `None`: given up.
    pub(super) back: Option<i64>,
}

/// One run by plan.
#[derive(Debug, Clone)]
pub(super) struct SimRun {
    pub(super) id: String,
    pub(super) start: i64,
    pub(super) fails: Vec<Fail>,
    /// Ended on purpose.
    pub(super) canceled: Option<i64>,
    /// Gone without a word.
    pub(super) vanished: Option<i64>,
}

impl SimRun {
    pub(super) fn healthy(id: &str, start: i64) -> SimRun {
        SimRun { id: id.to_owned(), start, fails: Vec::new(), canceled: None, vanished: None }
    }

    fn state(&self, t: i64) -> JobState {
        if self.canceled.is_some_and(|c| c <= t) {
            return JobState::Canceled;
        }
        match self.fails.iter().rev().find(|f| f.at <= t) {
            Some(Fail { back: None, .. }) => JobState::Failed,
            Some(Fail { back: Some(back), .. }) if *back > t => JobState::Restarting,
            _ => JobState::Running,
        }
    }

    fn restarts(&self, t: i64) -> u64 {
        self.fails.iter().filter(|f| f.back.is_some_and(|b| b <= t)).count() as u64
    }

    fn modified(&self, t: i64) -> i64 {
        let moves = self.fails.iter().flat_map(|f| [Some(f.at), f.back]).flatten();
        moves.filter(|at| *at <= t).max().unwrap_or(self.start)
    }

    /// Checkpoints complete every ten seconds of undisturbed work.
    fn checkpoints(&self, t: i64) -> u64 {
        let until = self.fails.last().filter(|f| f.back.is_none()).map_or(t, |f| f.at.min(t));
        let tick = |at: i64| (at - self.start).div_euclid(10_000);
        let mut calm_from = self.start;
        let mut count = 0;
        for fail in self.fails.iter().filter(|f| f.at <= until) {
            count += (tick(fail.at - 1) - tick(calm_from)).max(0);
            calm_from = fail.back.map_or(until, |back| back + 3_000);
        }
        count += (tick(until) - tick(calm_from)).max(0);
        count as u64
    }

    /// Newest first.
    fn exceptions(&self, t: i64, offset: i64) -> Vec<Failure> {
        let past = self.fails.iter().enumerate().filter(|(_, f)| f.at <= t);
        let entry = |(n, f): (usize, &Fail)| Failure {
            at: f.at + offset,
            task: f.back.map(|_| format!("map (1/1) - execution #{n}")),
            class: "com.acme.PoisonRecordException".to_owned(),
            message: "bad price".to_owned(),
            frame: Some("OrderParser.parse(OrderParser.java:42)".to_owned()),
            taskmanager: None,
            gave_up: f.back.is_none(),
        };
        let mut list: Vec<Failure> = past.map(entry).collect();
        list.reverse();
        list.truncate(RING);
        list
    }
}

/// What the poller remembers of a run, as the Flink source does.
#[derive(Debug, Clone, Default)]
struct Memory {
    shape: Option<(JobState, i64, Option<u64>)>,
    newest: Option<i64>,
    /// The exceptions were read before, none perhaps.
    read: bool,
    again: Option<i64>,
    terminal_looks: u8,
    store: Option<(i64, (u64, u64))>,
    cached: Option<(i64, Vec<Failure>)>,
}

/// One Flink cluster and who polls it.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) source: String,
    pub(super) jobs: BTreeMap<String, Vec<SimRun>>,
    /// Source clock minus ours.
    pub(super) offset: i64,
    /// Our wall clock minus the steady one.
    pub(super) wall: i64,
    /// Unreachable between these times.
    pub(super) silent: Option<(i64, i64)>,
    /// No metrics between these times.
    pub(super) frozen: Option<(i64, i64)>,
    /// Lists its jobs in another order at each look, by this seed.
    pub(super) order: Option<u64>,
    memory: BTreeMap<(String, i64), Memory>,
}

fn within(span: Option<(i64, i64)>, t: i64) -> bool {
    span.is_some_and(|(from, to)| (from..to).contains(&t))
}

impl World {
    pub(super) fn new(source: &str) -> World {
        World {
            source: source.to_owned(),
            jobs: BTreeMap::new(),
            offset: 0,
            wall: 0,
            silent: None,
            frozen: None,
            order: None,
            memory: BTreeMap::new(),
        }
    }

    /// The poller starts anew.
    pub(super) fn forget(&mut self) {
        self.memory.clear();
    }

    pub(super) fn poll(&mut self, t: i64) -> Snapshot {
        if within(self.silent, t) {
            return Snapshot::failed(&self.source, "p", "connection refused".to_owned(), false);
        }
        let mut runs = Vec::new();
        for (name, of_job) in &self.jobs {
            for run in of_job.iter().filter(|r| r.start <= t && r.vanished.is_none_or(|v| v > t)) {
                let memory = self.memory.entry((run.id.clone(), run.start)).or_default();
                let frozen = within(self.frozen, t);
                runs.push(look(run, memory, t, self.offset, frozen, &self.source, name));
            }
        }
        if let Some(seed) = self.order {
            runs.sort_by_cached_key(|run: &RunObservation| {
                let name = run
                    .run
                    .job_id
                    .bytes()
                    .fold(seed % 65_521, |sum, b| sum * 31 % 65_521 + u64::from(b));
                super::draw(name, t as u64, u64::MAX)
            });
        }
        Snapshot {
            completeness: Completeness::Complete,
            clock: Some(SourceClock { now: t + self.offset, offset_ms: self.offset - self.wall }),
            runs,
            // Some looks are slow.
            took_ms: super::draw(t as u64, 3, 4_000) as u32,
            ..Snapshot::failed(&self.source, "p", String::new(), false)
        }
    }
}

fn look(
    run: &SimRun,
    memory: &mut Memory,
    t: i64,
    offset: i64,
    frozen: bool,
    source: &str,
    name: &str,
) -> RunObservation {
    let state = run.state(t);
    let running = state == JobState::Running;
    let counters = (!state.is_terminal() && !frozen).then(|| metrics(run, memory, t));
    let restarts = counters.map(|c| c.0).or(memory.shape.and_then(|s| s.2));
    let shape = (state, run.modified(t), restarts);
    let again = memory.again.is_some_and(|at| t >= at);
    let ask = if state.is_terminal() {
        memory.terminal_looks < 4 && (memory.terminal_looks == 0 || again)
    } else {
        memory.shape != Some(shape) || again
    };
    let (mut failures, mut truncated) = (Seen::NotAsked, false);
    if ask {
        let joined = |list: &[Failure], newest: Option<i64>| {
            newest.is_some_and(|seen| list.last().is_none_or(|f| f.at <= seen))
        };
        let all = cached(run, memory, t, offset);
        let mut list: Vec<Failure> = all.iter().take(5).cloned().collect();
        let mut full = list.len() >= 5;
        if full && memory.read && !joined(&list, memory.newest) {
            full = all.len() >= RING;
            list = all;
        }
        memory.read = true;
        truncated = full && !joined(&list, memory.newest);
        let newest = list.first().map(|f| f.at);
        let expected = memory.newest.is_some() || !running;
        let silent = newest <= memory.newest;
        let retry = expected && silent && memory.again.is_none() && memory.shape.is_some();
        memory.again =
            (retry || memory.terminal_looks == 0 && state.is_terminal()).then_some(t + 3_200);
        memory.newest = newest.max(memory.newest);
        if state.is_terminal() {
            memory.terminal_looks += 1;
        }
        failures = Seen::Fresh(list);
    }
    memory.shape = Some(shape);
    RunObservation {
        key: JobKey::new(source, "", "", name),
        name: name.to_owned(),
        cluster: source.to_owned(),
        namespace: String::new(),
        flink_cluster: source.to_owned(),
        flink_job_name: name.to_owned(),
        run: RunId { start_time: run.start + offset, job_id: run.id.clone() },
        state,
        end_time: state.is_terminal().then(|| run.modified(t) + offset),
        tasks: TaskCounts {
            total: 2,
            running: if running { 2 } else { 0 },
            ..TaskCounts::default()
        },
        last_modification: Some(run.modified(t) + offset),
        labels: Labels::default(),
        counters: match counters {
            Some((restarts, completed)) => Seen::Fresh(Counters {
                restarts: Some(restarts),
                completed_checkpoints: Some(completed),
                last_checkpoint_path: (completed > 0).then(|| format!("file:/ck/chk-{completed}")),
                ..Counters::default()
            }),
            None if frozen => Seen::Unknown,
            None => Seen::NotAsked,
        },
        checkpoints: Seen::NotAsked,
        failures,
        failures_truncated: truncated,
        ..RunObservation::default()
    }
}

/// The store is refreshed by being read, and answers with what it had.
fn metrics(run: &SimRun, memory: &mut Memory, t: i64) -> (u64, u64) {
    let now = (run.restarts(t), run.checkpoints(t));
    let (at, had) = memory.store.unwrap_or((i64::MIN / 2, now));
    if t - at >= METRICS_EVERY {
        memory.store = Some((t, now));
    }
    had
}

fn cached(run: &SimRun, memory: &mut Memory, t: i64, offset: i64) -> Vec<Failure> {
    match &memory.cached {
        Some((at, list)) if t - at < CACHE => list.clone(),
        _ => {
            let list = run.exceptions(t, offset);
            memory.cached = Some((t, list.clone()));
            list
        }
    }
}
