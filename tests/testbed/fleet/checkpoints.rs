//! Checkpoints that happen by themselves as time passes.
//!
//! Nothing ticks: how many there are at a moment follows from when the run last started running.

use std::collections::VecDeque;

/// How many rows `/checkpoints` shows.
const HISTORY: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    Failed { at: i64, message: String },
    InProgress,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) trigger: i64,
    /// End of the last acknowledgement; of one in progress the latest so far.
    pub(super) ack: i64,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug)]
pub(super) struct Restored {
    pub(super) id: i64,
    pub(super) at: i64,
    pub(super) path: String,
}

#[derive(Clone, Debug)]
pub(super) struct Checkpoints {
    /// `None`: the job has no checkpointing.
    pub(super) interval: Option<i64>,
    anchor: i64,
    next_id: i64,
    completed: i64,
    failed: i64,
    pub(super) restored_count: i64,
    pub(super) restored: Option<Restored>,
    frozen_at: Option<i64>,
    stopped: bool,
    past: VecDeque<Row>,
}

/// What `/checkpoints` says at a moment.
pub(super) struct Progress {
    pub(super) completed: i64,
    pub(super) failed: i64,
    /// Newest first, as in the answer.
    pub(super) rows: Vec<Row>,
}

impl Progress {
    pub(super) fn latest(&self, wanted: impl Fn(&Outcome) -> bool) -> Option<&Row> {
        self.rows.iter().find(|r| wanted(&r.outcome))
    }

    pub(super) fn latest_completed(&self) -> Option<&Row> {
        self.latest(|o| *o == Outcome::Completed)
    }

    pub(super) fn in_progress(&self) -> i64 {
        i64::from(self.rows.first().is_some_and(|r| r.outcome == Outcome::InProgress))
    }
}

impl Checkpoints {
    pub(super) fn starting(interval: Option<i64>, at: i64, first_id: i64) -> Self {
        Self {
            interval,
            anchor: at,
            next_id: first_id,
            completed: 0,
            failed: 0,
            restored_count: 0,
            restored: None,
            frozen_at: None,
            stopped: false,
            past: VecDeque::new(),
        }
    }

    pub(super) fn next_id(&self) -> i64 {
        self.next_id
    }

    fn duration(interval: i64, id: i64) -> i64 {
        (27 + (id * 17).rem_euclid(60)).min(interval / 2)
    }

    /// Rows since the anchor that exist at `now`, oldest first, and how many of them completed.
    fn since_anchor(&self, now: i64) -> (Vec<Row>, i64) {
        let Some(interval) = self.interval.filter(|_| !self.stopped) else {
            return (Vec::new(), 0);
        };
        let horizon = self.frozen_at.map_or(now, |f| f.min(now));
        let triggered = ((now - self.anchor) / interval).max(0);
        let row = |k: i64| {
            let (id, trigger) = (self.next_id + k - 1, self.anchor + k * interval);
            let ack = trigger + Self::duration(interval, id);
            Row { id, trigger, ack, outcome: Outcome::Completed }
        };
        let mut completed = ((horizon - self.anchor) / interval).max(0);
        if completed > 0 && row(completed).ack > horizon {
            completed -= 1;
        }
        let first = (completed - HISTORY as i64 + 1).max(1);
        let mut rows: Vec<_> = (first..=completed).map(row).collect();
        if triggered > completed {
            let ack = row(completed + 1).trigger + 20;
            rows.push(Row { ack, outcome: Outcome::InProgress, ..row(completed + 1) });
        }
        (rows, completed)
    }

    pub(super) fn at(&self, now: i64) -> Progress {
        let (recent, completed) = self.since_anchor(now);
        let rows = recent.into_iter().rev().chain(self.past.iter().rev().cloned());
        Progress {
            completed: self.completed + completed,
            failed: self.failed,
            rows: rows.take(HISTORY).collect(),
        }
    }

    /// Turns what happened until `now` into history; what was in progress fails with `message`.
    fn settle(&mut self, now: i64, message: &str) {
        let (rows, completed) = self.since_anchor(now);
        self.completed += completed;
        self.next_id += completed;
        for mut row in rows {
            if row.outcome == Outcome::InProgress {
                row.outcome = Outcome::Failed { at: now, message: message.to_owned() };
                self.failed += 1;
                self.next_id += 1;
            }
            self.past.push_back(row);
        }
        while self.past.len() > HISTORY {
            self.past.pop_front();
        }
        self.anchor = now;
    }

    /// The job fails at `now` and runs again, restored, at `running_at`.
    pub(super) fn restart(&mut self, now: i64, running_at: i64, path: impl Fn(i64) -> String) {
        self.settle(now, "Checkpoint Coordinator is suspending.");
        self.anchor = running_at;
        if let Some(id) = self.at(now).latest_completed().map(|r| r.id) {
            self.restored = Some(Restored { id, at: running_at.max(now), path: path(id) });
            self.restored_count += 1;
        }
    }

    /// The restart that [`Checkpoints::restart`] began is over, at `now`.
    pub(super) fn resume(&mut self, now: i64) {
        self.anchor = now;
        if let Some(restored) = &mut self.restored {
            restored.at = now;
        }
    }

    /// The coordinator lives on, in another process: counts and history start anew, ids do not.
    pub(super) fn fail_over(&mut self, now: i64, path: impl Fn(i64) -> String) {
        self.restart(now, now, path);
        self.past.clear();
        (self.completed, self.failed, self.restored_count) = (0, 0, self.restored_count.min(1));
    }

    pub(super) fn stop(&mut self, now: i64) {
        self.settle(now, "Checkpoint Coordinator is suspending.");
        self.stopped = true;
    }

    pub(super) fn fail_one(&mut self, now: i64, message: &str) {
        self.settle(now, message);
        let outcome = Outcome::Failed { at: now, message: message.to_owned() };
        self.past.push_back(Row { id: self.next_id, trigger: now, ack: -1, outcome });
        self.failed += 1;
        self.next_id += 1;
    }

    /// No checkpoint completes any more; the next one hangs in progress.
    pub(super) fn freeze(&mut self, now: i64) {
        self.frozen_at.get_or_insert(now);
    }

    pub(super) fn thaw(&mut self, now: i64) {
        if self.frozen_at.is_some() {
            self.settle(now, "Checkpoint expired before completing.");
            self.frozen_at = None;
        }
    }

    pub(super) fn restored_from(&mut self, id: i64, at: i64, path: String) {
        self.restored = Some(Restored { id, at, path });
        self.restored_count += 1;
    }
}
