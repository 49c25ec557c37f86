//! From a job as written to its simulated run.

use super::build::source_of;
use super::checkpoints::{Checkpoints, Plan};
use super::job::{Failed, SimRun, Tasks};
use super::metrics;
use super::raw::{RawFailure, RawJob};
use super::series::Sample;
use super::timeline::{Line, Timeline};
use super::times::Moment;
use super::world::{BEFORE, World};
use crate::model::{Demand, Failure, JobState, Labels};
use crate::rules::kinds::Span;
use crate::yaml::findings::Findings;
use crate::yaml::{At, Place, suggest};

/// Failures of one job: more than any rule can count.
const MAX_FAILURES: usize = 10_000;
/// Checkpoints of one job.
const MAX_CHECKPOINTS: i64 = 500_000;

/// Where the story stands in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) interval: i64,
    pub(super) until: i64,
}

/// Builds a run; `all` are the jobs of the story, by which it gets its number.
pub(super) fn build(
    job: &At<RawJob>,
    all: &[At<RawJob>],
    Places { interval, until }: Places,
    world: &World,
    demand: &Demand,
    findings: &mut Findings,
) -> Option<SimRun> {
    let raw = &job.value;
    let source = source_of(raw.source.as_ref(), &world.sources, findings);
    let source_name = world.sources.get(source)?.name.clone();
    let number = all.iter().position(|other| other.place == job.place).unwrap_or(0) + 1;
    if raw.name.value.is_empty() {
        findings.error(raw.name.place, "a job has an empty name", None);
    }
    if let Some(state) = &raw.state {
        check_states(state, findings);
    }
    let numbers = |written: &Option<At<Timeline>>, findings: &mut Findings| {
        written.as_ref().map(|at| {
            metrics::check_numbers(at, findings);
            Line::new(&at.value, interval)
        })
    };
    let starts = raw.starts.map_or(-BEFORE, |m| m.0);
    let checkpoints = raw.checkpoints.as_ref();
    let plan = checkpoints.map(|c| c.value.clone()).unwrap_or_default();
    let mut run = SimRun {
        source,
        name: raw.name.value.clone(),
        cluster: source_name.clone(),
        namespace: raw.namespace.clone().unwrap_or_default(),
        flink_cluster: raw.cluster.clone().unwrap_or(source_name),
        job_id: format!("{number:032x}"),
        labels: Labels(raw.labels.clone()),
        starts,
        state: raw.state.as_ref().map(|s| Line::new(&s.value, interval)).unwrap_or_default(),
        tasks: Tasks {
            total: numbers(&raw.tasks.total, findings),
            running: numbers(&raw.tasks.running, findings),
            finished: numbers(&raw.tasks.finished, findings),
            failed: numbers(&raw.tasks.failed, findings),
            scheduled: numbers(&raw.tasks.scheduled, findings),
            created: numbers(&raw.tasks.created, findings),
        },
        failures: failures(raw, job.place, findings),
        restarts: numbers(&raw.restarts, findings),
        rescales: numbers(&raw.rescales, findings),
        checkpoints: Checkpoints {
            disabled: plan.disabled,
            every: plan.every.map_or(60_000, Span::millis).max(1),
            timeout: plan.timeout.map_or(600_000, Span::millis).max(1),
            retained: plan.retained.unwrap_or(true),
            folder: plan
                .path
                .clone()
                .unwrap_or_else(|| format!("s3://flink/checkpoints/{}", raw.name.value)),
            acknowledged: plan.acknowledged,
            stopped: plan.stopped.map(|m| m.0),
            ..Checkpoints::default()
        },
        restored_from: plan.restored_from.clone(),
        restarts_from_scratch: plan.restarts_from_scratch,
        lag: numbers(&raw.lag, findings),
        batch: raw.batch,
        inventory: raw.inventory.as_ref().map(|at| Line::new(&at.value, interval)),
        metrics: metrics::lines(&raw.metrics, false, interval, demand, findings),
    };
    if (until - starts) / run.checkpoints.every > MAX_CHECKPOINTS {
        let what = format!("the story has more than {MAX_CHECKPOINTS} checkpoints of this job");
        let hint = "make them rarer with `every`, or end the story sooner".to_owned();
        findings.error(checkpoints.map_or(job.place, |c| c.place), what, hint);
        return Some(run);
    }
    if !plan.disabled {
        let first = plan.restored_from.as_deref().and_then(number_of).map_or(1, |n| n + 1);
        let savepoints = plan.savepoints.iter().chain(&plan.stopped);
        let mut savepoints: Vec<i64> = savepoints.map(|m| m.0).collect();
        savepoints.sort_unstable();
        let plan = Plan {
            first_id: first,
            starts,
            until,
            takes: plan.takes.map_or(1_000, Span::millis),
            fail: plan.fail,
            failure: plan.failure.as_deref().unwrap_or("Checkpoint was declined."),
            hang: plan.hang,
            pause: plan.pause,
            savepoints,
            failures: run.failures.iter().map(|f| f.at).collect(),
        };
        let mut checkpoints = run.checkpoints.clone();
        checkpoints.play(&plan, |t| run.is_healthy(t));
        run.checkpoints = checkpoints;
    }
    Some(run)
}

/// The number in `…/chk-42`.
fn number_of(path: &str) -> Option<u64> {
    path.rsplit_once('-')?.1.parse().ok()
}

fn check_states(state: &At<Timeline>, findings: &mut Findings) {
    let names = || JobState::ALL.into_iter().filter(|s| *s != JobState::Unknown);
    for sample in state.value.samples() {
        let wrong = match sample {
            Sample::Word(word) => names().all(|known| known.as_str() != word),
            Sample::Number(_) => true,
            Sample::Gap | Sample::Stale => false,
        };
        if wrong {
            let word = sample.to_string();
            let near = suggest::nearest(&word, names().map(JobState::as_str));
            let all: Vec<&str> = names().map(JobState::as_str).collect();
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("Flink's: {}; `_` while it is not listed", all.join(", ")),
            };
            findings.error(state.place, format!("`{word}` is no state of a job"), hint);
            return;
        }
    }
}

fn failures(raw: &RawJob, place: Place, findings: &mut Findings) -> Vec<Failed> {
    let mut found: Vec<Failed> = Vec::new();
    for written in &raw.failures {
        let RawFailure { at, every, times, .. } = &written.value;
        let times = times.unwrap_or(1);
        if times > 1 && every.is_none() {
            let hint = "add `every: 2m`".to_owned();
            findings.error(written.place, "`times` without the time between them", hint);
            continue;
        }
        if found.len() + times as usize > MAX_FAILURES {
            let what = format!("more than {MAX_FAILURES} failures of one job");
            findings.error(place, what, "no rule counts so many".to_owned());
            return Vec::new();
        }
        let every = every.map_or(0, Span::millis);
        for n in 0..times {
            let at = at.0.saturating_add(every.saturating_mul(i64::from(n)));
            found.push(failure(&written.value, at, n + 1 == times));
        }
    }
    found.sort_by_key(|failed| failed.at);
    found
}

fn failure(raw: &RawFailure, at: i64, last: bool) -> Failed {
    let cause = raw.cause.as_deref().unwrap_or("java.lang.RuntimeException: simulated failure");
    let (class, message) = cause.split_once(": ").unwrap_or((cause, ""));
    Failed {
        at,
        until: at.saturating_add(raw.restarts_after.map_or(0, |m| m.0)),
        unlisted: raw.unlisted,
        entry: Failure {
            at,
            task: raw.task.clone(),
            class: class.trim().to_owned(),
            message: message.trim().to_owned(),
            frame: raw.frame.clone(),
            taskmanager: raw.taskmanager.clone(),
            gave_up: raw.gives_up && last,
        },
    }
}

/// The last time a job names.
pub(super) fn last_named(raw: &RawJob, interval: i64) -> Moment {
    let mut last = raw.starts.unwrap_or_default();
    let tasks = &raw.tasks;
    let lines = [
        &raw.state,
        &raw.restarts,
        &raw.rescales,
        &raw.lag,
        &tasks.total,
        &tasks.running,
        &tasks.finished,
        &tasks.failed,
        &tasks.scheduled,
        &tasks.created,
    ];
    for line in lines.into_iter().flatten().chain(raw.metrics.values()) {
        last = last.max(line.value.last(interval));
    }
    for failure in &raw.failures {
        let RawFailure { at, every, times, restarts_after, .. } = &failure.value;
        let more = i64::from(times.unwrap_or(1).saturating_sub(1));
        let until = every.map_or(0, Span::millis).saturating_mul(more);
        let until = at.0.saturating_add(until).saturating_add(restarts_after.map_or(0, |m| m.0));
        last = last.max(Moment(until));
    }
    if let Some(checkpoints) = &raw.checkpoints {
        let spans = [&checkpoints.value.fail, &checkpoints.value.hang, &checkpoints.value.pause];
        let spans = spans.into_iter().map(super::times::Spans::last);
        let saved = checkpoints.value.savepoints.iter().chain(&checkpoints.value.stopped);
        last = spans.chain(saved.copied()).fold(last, Moment::max);
    }
    last
}
