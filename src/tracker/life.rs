//! What rules may ask about a run's beginning and end, and about the checkpoints in between.

use std::time::Duration;

use super::{Fact, InProgress, JobFacts, JobManagerTrack, Run};
use crate::model::{RootCause, Ts};

/// Flink's answers about checkpoints are up to 3 s old: what is read this long after a change was
/// made after it.
const CACHED_MS: u128 = 3_000;
/// Whatever is not known so long after the end of a run will not be known.
const GIVE_UP_MS: u128 = 60_000;
/// Looks at a live run that make it sure that it never ran, if it was not running at any.
const SURE_LOOKS: u8 = 3;

/// A run that began with nothing though there was something to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FromScratch<'a> {
    /// The path it could have been restored from; empty where none is known.
    pub left: &'a str,
    /// How long it has been running.
    pub age: Duration,
}

impl<'a> JobFacts<'a> {
    /// Whether it is a batch job, by Flink: n/a where this Flink does not tell.
    pub fn is_batch(&self) -> Fact<bool> {
        let known = self.run().and_then(|run| run.batch);
        let known = known.or_else(|| self.job.runs.iter().rev().find_map(|run| run.batch));
        match known {
            Some(batch) => Fact::Known(batch),
            None if self.job.runs.iter().any(|run| run.batch_untold) => Fact::NotApplicable,
            None if self.ended_for().is_some_and(|d| d.as_millis() > GIVE_UP_MS) => {
                Fact::NotApplicable
            }
            None => Fact::Unknown,
        }
    }

    /// How long ago the run that counts was first seen to have ended.
    pub fn ended_for(&self) -> Option<Duration> {
        Some(self.time.steady.since(self.run()?.ended?))
    }

    /// Whether a FINISHED run was stopped with a savepoint, by a person or a tool. Unknown until
    /// checkpoints were read late enough after the end for Flink's caches to show its last one.
    pub fn is_stopped(&self) -> Fact<bool> {
        let Some(run) = self.run() else { return Fact::Unknown };
        let Some(ended) = run.ended else { return Fact::Unknown };
        let read = run.checkpoints.history_heard;
        let late = read.is_some_and(|at| at >= ended && at.since(ended).as_millis() >= CACHED_MS);
        let waited = self.time.steady.since(ended).as_millis() > GIVE_UP_MS;
        match run.checkpoints.is_stopped() {
            true => Fact::Known(true),
            false if late || waited => Fact::Known(false),
            false => Fact::Unknown,
        }
    }

    /// Time since the start of the run that counts, by the source's clock.
    pub fn since_start(&self) -> Option<Duration> {
        let start = self.run()?.id.start_time;
        let age = self.source.source_now(self.time).saturating_sub(start).max(0);
        Some(Duration::from_millis(age.unsigned_abs()))
    }

    /// The newest root cause, if it is one of the run that counts.
    pub fn run_cause(&self) -> Option<&'a RootCause> {
        let start = self.run()?.id.start_time;
        self.job.last_cause.as_ref().filter(|(at, _)| *at >= start).map(|(_, cause)| cause)
    }

    /// Whether the run that counts has run with all its tasks at any time. Known to be false only
    /// where Flink never made tasks of it, or where it was looked at often enough.
    pub fn has_run(&self) -> Fact<bool> {
        let Some(run) = self.run() else { return Fact::Unknown };
        if run.first_healthy.is_some() || run.checkpoints.has_completed() {
            Fact::Known(true)
        } else if run.state.is_live()
            || run.tasks.total == 0
            || run.live_looks >= SURE_LOOKS
            || self.run_cause().is_some_and(is_of_start)
        {
            Fact::Known(false)
        } else {
            Fact::Unknown
        }
    }

    /// Whether the run that counts began with nothing although an earlier run had left a checkpoint:
    /// known once its tasks have run for as long as Flink caches its answers.
    pub fn from_scratch(&self) -> Fact<Option<FromScratch<'a>>> {
        let Some(run) = self.listed_run() else { return Fact::Unknown };
        let Some(left) = run.left_before.as_deref() else { return Fact::Known(None) };
        if run.state.is_terminal() {
            return Fact::Known(None);
        }
        let Some(began) = run.first_healthy else { return Fact::Known(None) };
        if run.checkpoints.not_applicable {
            // It will not be restored from what it does not take.
            return Fact::NotApplicable;
        }
        let read = run.checkpoints.history_heard;
        let late = read.is_some_and(|at| at >= began && at.since(began).as_millis() >= CACHED_MS);
        let restored = run.checkpoints.restored_from.is_some()
            || run.checkpoints.restored.is_some_and(|n| n > 0);
        if restored {
            return Fact::Known(None);
        }
        if !late || run.checkpoints.restored.is_none() {
            return Fact::Unknown;
        }
        let age = self.since_start().unwrap_or_default();
        Fact::Known(Some(FromScratch { left, age }))
    }

    /// The oldest checkpoint in progress and for how long it has been, by the source's clock.
    pub fn in_progress(&self) -> Fact<Option<(InProgress, Duration)>> {
        let Some(run) = self.listed_run() else { return Fact::Unknown };
        if run.state.is_terminal() || run.checkpoints.not_applicable {
            return Fact::NotApplicable;
        }
        let Some(way) = run.checkpoints.in_progress else {
            let known = self.is_good(run.checkpoints.heard);
            return if known { Fact::Known(None) } else { Fact::Unknown };
        };
        if !self.is_good(run.checkpoints.history_heard) {
            return Fact::Unknown;
        }
        let age = self.source.source_now(self.time).saturating_sub(way.triggered_at).max(0);
        Fact::Known(Some((way, Duration::from_millis(age.unsigned_abs()))))
    }
}

impl super::ClusterFacts<'_> {
    /// When another `JobManager` was noticed, and how many jobs began anew with it.
    pub fn restarted(&self) -> Option<(Ts, u32)> {
        let known: &JobManagerTrack = self.source.jobmanagers.get(self.flink_cluster)?;
        Some((known.restarted?, known.jobs))
    }
}

/// Causes that only the way to a running job has: classes or state that are not there, plans that
/// cannot be made, slots that do not come.
fn is_of_start(cause: &RootCause) -> bool {
    let simple = cause.class.rsplit(['.', '$']).next().unwrap_or(&cause.class);
    [
        "ClassNotFoundException",
        "NoClassDefFoundError",
        "NoSuchMethodError",
        "NoResourceAvailableException",
        "JobInitializationException",
        "JobSubmissionException",
        "ProgramInvocationException",
        "StateMigrationException",
        "ValidationException",
        "TableException",
        "SqlParserException",
    ]
    .contains(&simple)
        || (simple == "StreamTaskException" && cause.message.contains("Cannot"))
}

impl Run {
    /// It ended, and that is news: not before its source was first looked at.
    pub fn is_fresh_end(&self) -> bool {
        self.state.is_terminal() && !self.ended_at_first_look
    }
}
