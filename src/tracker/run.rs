//! One run of a job: its state and its witnesses.

use serde::{Deserialize, Serialize};

use super::CheckpointTrack;
use super::failures::{Added, FailureCount, Testimony};
use crate::model::{
    JobState, PlatformWait, RootCause, RunId, RunObservation, Seen, TaskCounts, Time, Ts,
};

/// A run as of its last sighting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// Flink's state.
    pub state: JobState,
    /// Its tasks.
    pub tasks: TaskCounts,
    /// End, raw source ms.
    pub end_time: Option<i64>,
    /// Distinct failures.
    pub failures: FailureCount,
    /// Was FAILED already when first seen at a first look.
    pub dead_at_first_look: bool,
    /// Checkpoints.
    pub checkpoints: CheckpointTrack,
    /// Flink's restart counter as last read.
    pub restarts: Option<u64>,
    /// Flink's page of the run.
    pub ui_url: Option<String>,
    /// Listed at the last complete look.
    pub listed: bool,
    /// Ended before its source was first looked at: no news.
    #[serde(default = "yes")]
    pub ended_at_first_look: bool,
    /// Steady time when all its tasks were first seen running.
    #[serde(default)]
    pub first_healthy: Option<Ts>,
    /// Looks that showed it alive and what its tasks do, up to a few.
    #[serde(default)]
    pub live_looks: u8,
    /// Steady time when it was first seen to have ended.
    #[serde(default)]
    pub ended: Option<Ts>,
    /// A batch job: it ends when its input does.
    #[serde(default)]
    pub batch: Option<bool>,
    /// Its Flink does not tell whether it is one.
    #[serde(default)]
    pub batch_untold: bool,
    /// What an earlier run left to be restored from when this one began: its path, empty where
    /// none is known.
    #[serde(default)]
    pub left_before: Option<String>,
    /// How it ended is an archive's word: that stays true whoever can be seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Weir stops it to start it again: its end is nobody's purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_stop: bool,
    /// What the platform keeps it waiting for.
    #[serde(default)]
    pub waits: Option<Box<PlatformWait>>,
}

fn yes() -> bool {
    true
}

/// More looks than this are not counted.
const MAX_LOOKS: u8 = 100;

/// What one sighting brought.
#[derive(Debug, Default)]
pub struct Sighting {
    /// New failures.
    pub added: Added,
    /// The newest exception in the history, if the history was read: (raw source ms, cause, gave up).
    pub cause: Option<(i64, RootCause, bool)>,
    /// Something worth keeping changed.
    pub changed: bool,
    /// A newer restorable path.
    pub checkpoint_moved: bool,
}

impl Run {
    /// A run never seen. `first_look_source`: the source's now if this is its first look.
    pub fn new(seen: &RunObservation, first_look_source: Option<i64>) -> Run {
        let failures = match first_look_source {
            Some(now) => FailureCount::found_running(now),
            None => FailureCount::from_start(),
        };
        Run {
            id: seen.run.clone(),
            state: seen.state,
            tasks: seen.tasks,
            end_time: seen.end_time,
            failures,
            ended_at_first_look: seen.state.is_terminal()
                && first_look_source.is_some_and(|first| seen.end_time.is_none_or(|e| e <= first)),
            first_healthy: None,
            live_looks: 0,
            ended: None,
            batch: None,
            batch_untold: false,
            left_before: None,
            archived: false,
            own_stop: false,
            waits: None,
            // Found later than at the first look, it may have died since: then that is news.
            dead_at_first_look: seen.state == JobState::Failed
                && first_look_source.is_some_and(|first| seen.end_time.is_none_or(|e| e <= first)),
            checkpoints: CheckpointTrack::default(),
            restarts: None,
            ui_url: seen.ui_url.clone(),
            listed: true,
        }
    }

    /// Takes in a sighting.
    pub fn observe(&mut self, time: Time, source_now: i64, seen: &RunObservation) -> Sighting {
        let mut sighting = Sighting {
            changed: self.state != seen.state || self.ui_url != seen.ui_url,
            ..Sighting::default()
        };
        sighting.changed |= self.observe_life(time, seen);
        self.archived &= seen.state.is_terminal();
        self.state = seen.state;
        self.tasks = seen.tasks;
        self.end_time = seen.end_time;
        self.ui_url.clone_from(&seen.ui_url);
        if self.waits.as_deref() != seen.waits.as_ref() {
            self.waits = seen.waits.clone().map(Box::new);
        }
        self.listed = true;
        let counters = seen.counters.fresh();
        if let Some(counters) = counters {
            if let Some(restarts) = counters.restarts {
                self.restarts = Some(restarts.max(self.restarts.unwrap_or(0)));
            }
            sighting.checkpoint_moved |=
                self.checkpoints.hear_counters(time.steady, source_now, counters);
        }
        let was = (self.checkpoints.failed.len(), self.checkpoints.not_applicable);
        sighting.checkpoint_moved |= self.checkpoints.hear_history(time.steady, &seen.checkpoints);
        sighting.changed |= was != (self.checkpoints.failed.len(), self.checkpoints.not_applicable);
        let stats = seen.checkpoints.fresh();
        let said = Testimony {
            restarts: counters.and_then(|c| {
                let rescales = c.rescales.unwrap_or(0);
                c.restarts.map(|r| r.saturating_sub(rescales) as i64)
            }),
            rescaled: counters.is_some_and(|c| c.rescales.unwrap_or(0) > 0),
            restores: stats.and_then(|s| s.restored).map(|r| r as i64),
            exceptions: match &seen.failures {
                Seen::Fresh(list) => Seen::Fresh(list.as_slice()),
                Seen::Unknown => Seen::Unknown,
                Seen::NotAsked => Seen::NotAsked,
                Seen::NotApplicable => Seen::NotApplicable,
            },
            truncated: seen.failures_truncated,
            source_now,
            died: self.state == JobState::Failed && !self.dead_at_first_look,
            running: self.state == JobState::Running,
        };
        let before = self.failures.clone();
        sighting.added = self.failures.hear(time.steady, &said);
        sighting.changed |= before != self.failures;
        if let Seen::Fresh(list) = &seen.failures {
            sighting.cause = cause_of(list);
        }
        sighting
    }

    /// What lasts of the states it went through; true if that changed.
    fn observe_life(&mut self, time: Time, seen: &RunObservation) -> bool {
        let before = (self.first_healthy, self.ended, self.batch, self.batch_untold);
        if seen.state.is_terminal() {
            self.ended_at_first_look &= !self.state.is_live();
            self.ended.get_or_insert(time.steady);
        } else {
            // RUNNING without a task is a platform's word for a Flink nobody can look into: it may
            // well run.
            if seen.state != JobState::Running || seen.tasks.total > 0 {
                self.live_looks = self.live_looks.saturating_add(1).min(MAX_LOOKS);
            }
            self.ended = None;
        }
        if seen.state == JobState::Running && seen.tasks.all_running() {
            self.first_healthy.get_or_insert(time.steady);
        }
        match seen.batch {
            Seen::Fresh(batch) => self.batch = Some(batch),
            Seen::NotApplicable => self.batch_untold = true,
            Seen::NotAsked | Seen::Unknown => {}
        }
        before != (self.first_healthy, self.ended, self.batch, self.batch_untold)
    }

    /// RUNNING with every task running.
    pub fn is_healthy(&self) -> bool {
        self.state == JobState::Running && self.tasks.all_running()
    }
}

fn cause_of(list: &[crate::model::Failure]) -> Option<(i64, RootCause, bool)> {
    let newest = list.iter().max_by_key(|f| f.at)?;
    let cause = RootCause {
        class: newest.class.clone(),
        message: newest.message.clone(),
        frame: newest.frame.clone(),
        taskmanager: newest.taskmanager.clone(),
        task: newest.task.clone(),
    };
    Some((newest.at, cause, newest.gave_up))
}
