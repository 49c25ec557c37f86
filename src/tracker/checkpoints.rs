//! Checkpoints of one run: when the last one completed, which failed since, what can be restored.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{CheckpointStats, Counters, Seen, Ts};

/// Failed checkpoint ids remembered.
const MAX_FAILED: usize = 64;

/// A checkpoint on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InProgress {
    /// Its id.
    pub id: u64,
    /// Raw source ms of its trigger.
    pub triggered_at: i64,
    /// Subtasks that acknowledged, of how many.
    pub acknowledged: Option<(u32, u32)>,
    /// A savepoint.
    pub savepoint: bool,
}

/// Checkpoints of one run, by id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CheckpointTrack {
    /// The job has no periodic checkpoints.
    pub not_applicable: bool,
    /// Configured interval, ms.
    pub interval_ms: Option<i64>,
    /// Configured timeout, ms.
    #[serde(default)]
    pub timeout_ms: Option<i64>,
    /// The job's own checkpoint configuration was read.
    #[serde(default)]
    pub policy_read: bool,
    /// Newest completed id.
    pub last_id: Option<u64>,
    /// Completed so far, by Flink's counter.
    completed: Option<u64>,
    /// Source time of the newest completion, raw ms. Exact from the history, else the poll's.
    pub last_completed: Option<i64>,
    /// Ids that failed since the newest completion.
    pub failed: BTreeSet<u64>,
    /// Why the newest one failed.
    pub last_failure: Option<String>,
    /// Steady time of the last word on checkpoints.
    pub heard: Option<Ts>,
    /// Where this run was restored from.
    pub restored_from: Option<String>,
    /// How often it was restored, by Flink's count.
    #[serde(default)]
    pub restored: Option<u64>,
    /// Steady time of the last look into the history.
    #[serde(default)]
    pub history_heard: Option<Ts>,
    /// The newest completed checkpoint that is no savepoint.
    #[serde(default)]
    periodic_id: Option<u64>,
    /// The newest savepoint of a stop.
    #[serde(default)]
    stop_id: Option<u64>,
    /// The oldest one in progress, as of the last look into the history.
    #[serde(skip)]
    pub in_progress: Option<InProgress>,
    /// Newest path that could be restored: (id, path, source ms of completion, savepoint).
    pub restorable: Option<(Option<u64>, String, i64, bool)>,
}

impl CheckpointTrack {
    /// Takes in the counters of a poll; true if the restorable path changed.
    pub fn hear_counters(&mut self, now: Ts, source_now: i64, counters: &Counters) -> bool {
        let Some(completed) = counters.completed_checkpoints else { return false };
        self.heard = Some(now);
        let progressed = match self.completed {
            // First word on this run: the time comes from the timestamp metric or the history.
            None => counters.last_checkpoint_completed.is_some() && completed > 0,
            Some(known) => completed > known,
        };
        let more = self.completed.is_some_and(|known| completed > known);
        self.completed = Some(completed.max(self.completed.unwrap_or(0)));
        if more
            && let Some(known) = self.in_progress
            && counters.last_checkpoint_id.is_none_or(|id| id >= known.id)
        {
            self.in_progress = None;
        }
        if !progressed {
            return false;
        }
        let at = counters.last_checkpoint_completed.unwrap_or(source_now);
        self.complete(counters.last_checkpoint_id, at);
        match &counters.last_checkpoint_path {
            Some(path) => {
                self.offer(counters.last_checkpoint_id, path, at, path.contains("/savepoint-"))
            }
            None => false,
        }
    }

    /// The newest one is the savepoint of a stop: if the run is FINISHED, somebody stopped it.
    pub fn is_stopped(&self) -> bool {
        self.stop_id.is_some() && self.stop_id > self.periodic_id
    }

    /// At least one has completed, by Flink's counter.
    pub fn has_completed(&self) -> bool {
        self.completed.is_some_and(|n| n > 0)
    }

    /// Takes in the checkpoint history; true if the restorable path changed.
    pub fn hear_history(&mut self, now: Ts, history: &Seen<CheckpointStats>) -> bool {
        match history {
            Seen::NotApplicable => {
                self.not_applicable = true;
                self.policy_read = true;
                self.heard = Some(now);
                self.history_heard = Some(now);
                self.in_progress = None;
                false
            }
            Seen::Fresh(stats) => self.hear_stats(now, stats),
            Seen::NotAsked | Seen::Unknown => false,
        }
    }

    fn hear_stats(&mut self, now: Ts, stats: &CheckpointStats) -> bool {
        self.heard = Some(now);
        self.history_heard = Some(now);
        // A savepoint by hand is no periodic checkpointing.
        self.not_applicable = stats.periodic == Some(false);
        self.policy_read |= stats.periodic.is_some() || stats.interval_ms.is_some();
        if stats.interval_ms.is_some() {
            self.interval_ms = stats.interval_ms;
        }
        if stats.timeout_ms.is_some() {
            self.timeout_ms = stats.timeout_ms;
        }
        self.restored = stats.restored.max(self.restored);
        self.hear_ends(stats);
        if let Some(completed) = stats.completed {
            self.completed = Some(completed.max(self.completed.unwrap_or(0)));
        }
        if let Some(restored) = &stats.restored_from {
            self.restored_from.clone_from(&restored.path);
        }
        let mut changed = false;
        for done in [&stats.latest_savepoint, &stats.latest_completed].into_iter().flatten() {
            if let Some(at) = done.ended_at {
                self.complete(Some(done.id), at);
                if let (Some(path), false) = (&done.path, done.discarded) {
                    changed |= self.offer(Some(done.id), path, at, done.savepoint);
                }
            }
        }
        for failed in &stats.recent_failed {
            let aborted = failed.failure.as_deref().is_some_and(is_restart_abort);
            if self.last_id.is_none_or(|last| failed.id > last) && !aborted {
                if self.failed.last().is_none_or(|newest| failed.id > *newest) {
                    self.last_failure.clone_from(&failed.failure);
                }
                self.failed.insert(failed.id);
                if self.failed.len() > MAX_FAILED {
                    self.failed.pop_first();
                }
            }
        }
        changed
    }

    fn hear_ends(&mut self, stats: &CheckpointStats) {
        if let Some(done) = &stats.latest_completed {
            self.periodic_id = self.periodic_id.max(Some(done.id));
        }
        if let Some(done) = stats.latest_savepoint.as_ref().filter(|done| done.stops_job) {
            self.stop_id = self.stop_id.max(Some(done.id));
        }
        let ways = stats.in_progress.iter().filter_map(|way| {
            Some(InProgress {
                id: way.id,
                triggered_at: way.triggered_at?,
                acknowledged: way.acknowledged.zip(way.subtasks),
                savepoint: way.savepoint,
            })
        });
        self.in_progress = ways.min_by_key(|way| (way.triggered_at, way.id));
    }

    fn complete(&mut self, id: Option<u64>, at: i64) {
        if let (Some(id), Some(known)) = (id, self.last_id)
            && id < known
        {
            return;
        }
        match id {
            Some(id) => {
                self.last_id = Some(id);
                self.failed.retain(|failed| *failed > id);
            }
            None => self.failed.clear(),
        }
        if self.failed.is_empty() {
            self.last_failure = None;
        }
        // The same checkpoint told twice: the history's time is exact, the counter's is late.
        self.last_completed = Some(match self.last_completed {
            Some(known) if id.is_none() => known.max(at),
            _ => at,
        });
    }

    fn offer(&mut self, id: Option<u64>, path: &str, at: i64, savepoint: bool) -> bool {
        if path.starts_with('<') || path == "n/a" || path.is_empty() {
            return false;
        }
        if let Some((known_id, known, known_at, _)) = &self.restorable {
            let older = match (id, known_id) {
                (Some(id), Some(known_id)) => id < *known_id,
                _ => at < *known_at,
            };
            if older || known == path {
                return false;
            }
        }
        self.restorable = Some((id, path.to_owned(), at, savepoint));
        true
    }
}

/// Checkpoints a restart cut off say nothing about checkpointing
/// (`facts: numberOfFailedCheckpoints counts those aborted by restarts`).
fn is_restart_abort(message: &str) -> bool {
    [
        "Checkpoint Coordinator is suspending",
        "Checkpoint Coordinator is shutting down",
        "job failover",
    ]
    .iter()
    .any(|sign| message.to_ascii_lowercase().contains(&sign.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckpointSummary;

    fn failed(id: u64, why: &str) -> CheckpointSummary {
        CheckpointSummary { id, failure: Some(why.to_owned()), ..CheckpointSummary::default() }
    }

    fn done(id: u64, at: i64) -> CheckpointSummary {
        CheckpointSummary {
            id,
            ended_at: Some(at),
            path: Some(format!("file:/ck/chk-{id}")),
            ..CheckpointSummary::default()
        }
    }

    #[test]
    fn failures_count_by_distinct_id_and_end_with_a_completion() {
        let mut track = CheckpointTrack::default();
        let mut stats = CheckpointStats {
            latest_completed: Some(done(3, 1000)),
            recent_failed: vec![
                failed(5, "Checkpoint expired"),
                failed(4, "declined"),
                failed(2, "x"),
            ],
            ..CheckpointStats::default()
        };
        track.hear_history(Ts(1), &Seen::Fresh(stats.clone()));
        track.hear_history(Ts(2), &Seen::Fresh(stats.clone()));
        assert_eq!(track.failed.len(), 2);
        assert_eq!(track.last_failure.as_deref(), Some("Checkpoint expired"));
        stats.recent_failed.insert(0, failed(6, "Checkpoint Coordinator is suspending."));
        track.hear_history(Ts(3), &Seen::Fresh(stats.clone()));
        assert_eq!(track.failed.len(), 2, "a restart's abort is no checkpoint failure");
        stats.latest_completed = Some(done(7, 9000));
        track.hear_history(Ts(4), &Seen::Fresh(stats));
        assert!(track.failed.is_empty());
        assert_eq!(track.last_completed, Some(9000));
        assert_eq!(track.restorable.as_ref().map(|r| r.1.as_str()), Some("file:/ck/chk-7"));
    }

    #[test]
    fn an_older_or_unaddressable_path_is_never_offered() {
        let mut track = CheckpointTrack::default();
        assert!(track.offer(Some(9), "file:/ck/chk-9", 10, false));
        assert!(!track.offer(Some(8), "file:/ck/chk-8", 20, false));
        assert!(!track.offer(Some(10), "<checkpoint-not-externally-addressable>", 30, false));
        assert_eq!(track.restorable.as_ref().map(|r| r.1.as_str()), Some("file:/ck/chk-9"));
    }

    #[test]
    fn a_savepoint_by_hand_is_no_periodic_checkpointing() {
        let mut track = CheckpointTrack::default();
        track.hear_history(Ts(1), &Seen::NotApplicable);
        let counters = Counters {
            completed_checkpoints: Some(1),
            last_checkpoint_id: Some(1),
            ..Counters::default()
        };
        track.hear_counters(Ts(2), 2000, &counters);
        track.hear_history(Ts(3), &Seen::NotApplicable);
        assert!(track.not_applicable);
    }

    #[test]
    fn counters_alone_move_the_time() {
        let mut track = CheckpointTrack::default();
        let counters = |n| Counters { completed_checkpoints: Some(n), ..Counters::default() };
        track.hear_counters(Ts(1), 1000, &counters(5));
        assert_eq!(track.last_completed, None, "when the fifth completed is not known yet");
        track.hear_counters(Ts(2), 2000, &counters(6));
        assert_eq!(track.last_completed, Some(2000));
        track.hear_counters(Ts(3), 3000, &counters(4));
        assert_eq!(track.last_completed, Some(2000), "another JobManager's older store");
    }
}
