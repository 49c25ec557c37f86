//! Checkpoints of a simulated run: all of them are known before the story begins.

use super::times::Spans;
use crate::model::{CheckpointStats, CheckpointSummary};

/// Checkpoints of one run. Times are ms of the story.
#[derive(Debug, Clone, Default)]
pub(super) struct Checkpoints {
    pub(super) disabled: bool,
    pub(super) every: i64,
    pub(super) timeout: i64,
    pub(super) retained: bool,
    pub(super) folder: String,
    /// Subtasks that have acknowledged the one in progress.
    pub(super) acknowledged: Option<u32>,
    /// When the savepoint completes with which the job is stopped.
    pub(super) stopped: Option<i64>,
    /// In the order they ended.
    pub(super) done: Vec<One>,
    pub(super) failed: Vec<One>,
    /// In the order they began.
    pub(super) begun: Vec<One>,
}

/// How they go.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) first_id: u64,
    pub(super) starts: i64,
    pub(super) until: i64,
    pub(super) takes: i64,
    pub(super) fail: Spans,
    pub(super) failure: &'a str,
    pub(super) hang: Spans,
    pub(super) pause: Spans,
    pub(super) savepoints: Vec<i64>,
    /// Times of the run's failures, in order.
    pub(super) failures: Vec<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct One {
    id: u64,
    begun: i64,
    ended: i64,
    savepoint: bool,
    failure: Option<String>,
}

const EXPIRED: &str = "Checkpoint expired before completing.";
const CUT_OFF: &str = "Checkpoint Coordinator is suspending.";
/// Those of a job, which all have to acknowledge.
const SUBTASKS: u32 = 4;
/// Flink lists so many.
const LISTED: usize = 10;

impl Checkpoints {
    /// Plays them all; `runs` says whether the run can begin one at a time.
    pub(super) fn play(&mut self, plan: &Plan<'_>, runs: impl Fn(i64) -> bool) {
        let mut id = plan.first_id;
        let mut at = plan.starts + self.every;
        let mut savepoints = plan.savepoints.iter().copied().peekable();
        while at <= plan.until {
            while let Some(saved) = savepoints.next_if(|saved| *saved <= at) {
                let (begun, ended, failure) = (saved, saved, None);
                self.done.push(One { id, begun, ended, savepoint: true, failure });
                id += 1;
            }
            if !runs(at) || plan.pause.contain(at) {
                at += self.every;
                continue;
            }
            let one = self.one(id, at, plan);
            id += 1;
            // One at a time: the next begins on the grid, after this one has ended.
            let past = (one.ended - at).max(1);
            at += self.every * past.div_euclid(self.every).max(1)
                + if past > self.every && past % self.every > 0 { self.every } else { 0 };
            self.begun.push(one.clone());
            if one.failure.is_some() { &mut self.failed } else { &mut self.done }.push(one);
        }
        self.done.sort_by_key(|one| one.ended);
    }

    fn one(&self, id: u64, begun: i64, plan: &Plan<'_>) -> One {
        let hangs = plan
            .hang
            .0
            .iter()
            .find(|(from, to)| from.0 <= begun && to.is_none_or(|to| begun < to.0));
        let expires = begun + self.timeout;
        let (mut ended, mut failure) = match hangs {
            Some((_, Some(to))) if to.0 <= expires => (to.0.max(begun + plan.takes), None),
            Some(_) => (expires, Some(EXPIRED)),
            None if plan.fail.contain(begun) => (begun + plan.takes, Some(plan.failure)),
            None if plan.takes > self.timeout => (expires, Some(EXPIRED)),
            None => (begun + plan.takes, None),
        };
        let next = plan.failures.partition_point(|at| *at <= begun);
        if let Some(cut) = plan.failures.get(next).filter(|at| **at <= ended) {
            (ended, failure) = (*cut, Some(CUT_OFF));
        }
        One { id, begun, ended, savepoint: false, failure: failure.map(str::to_owned) }
    }

    fn ended(list: &[One], t: i64) -> &[One] {
        list.get(..list.partition_point(|one| one.ended <= t)).unwrap_or_default()
    }

    /// Completed and failed until `t`.
    pub(super) fn counts(&self, t: i64) -> (u64, u64) {
        (Self::ended(&self.done, t).len() as u64, Self::ended(&self.failed, t).len() as u64)
    }

    /// The newest one completed until `t`.
    pub(super) fn latest(&self, t: i64, epoch: i64) -> Option<CheckpointSummary> {
        Self::ended(&self.done, t).last().map(|one| self.summary(one, epoch))
    }

    /// What the checkpoint page says at `t`; restores are the run's business.
    pub(super) fn stats(&self, t: i64, epoch: i64) -> CheckpointStats {
        let done = Self::ended(&self.done, t);
        let failed = Self::ended(&self.failed, t);
        let newest = |savepoint| {
            let found = done.iter().rev().find(|one| one.savepoint == savepoint);
            found.map(|one| self.summary(one, epoch))
        };
        let from = self.begun.partition_point(|one| one.begun <= t);
        let begun = self.begun.get(..from).unwrap_or_default();
        let (completed, failures) = self.counts(t);
        CheckpointStats {
            interval_ms: Some(self.every),
            timeout_ms: Some(self.timeout),
            retained_on_cancel: Some(self.retained),
            periodic: Some(true),
            completed: Some(completed),
            failed: Some(failures),
            latest_completed: newest(false),
            latest_savepoint: newest(true),
            recent_failed: failed
                .iter()
                .rev()
                .take(LISTED)
                .map(|one| self.summary(one, epoch))
                .collect(),
            in_progress: begun
                .iter()
                .rev()
                .take(1)
                .filter(|one| one.ended > t)
                .map(|one| CheckpointSummary {
                    ended_at: None,
                    failure: None,
                    path: None,
                    acknowledged: self.acknowledged,
                    subtasks: self.acknowledged.map(|_| SUBTASKS),
                    ..self.summary(one, epoch)
                })
                .collect(),
            ..CheckpointStats::default()
        }
    }

    fn summary(&self, one: &One, epoch: i64) -> CheckpointSummary {
        let word = if one.savepoint { "savepoint" } else { "chk" };
        let path = format!("{}/{word}-{}", self.folder, one.id);
        CheckpointSummary {
            id: one.id,
            triggered_at: Some(epoch + one.begun),
            ended_at: Some(epoch + one.ended),
            path: one.failure.is_none().then_some(path),
            savepoint: one.savepoint,
            stops_job: one.savepoint && self.stopped == Some(one.ended),
            discarded: false,
            failure: one.failure.clone(),
            ..CheckpointSummary::default()
        }
    }
}
