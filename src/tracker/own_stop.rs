//! Whose word ended a job: a person's, or Weir's own, which starts it again.

use std::time::Duration;

use super::{JobTrack, Run};
use crate::model::Ts;

/// Two that each cancel their own run because of the other's do so within this.
const BOTH_GAVE_WAY: Duration = Duration::from_mins(1);

impl JobTrack {
    /// Its last run was cancelled or finished.
    pub fn ended_on_purpose(&self) -> bool {
        self.state().is_deliberate_end() && !self.is_stopped_by_weir()
    }

    /// Weir has stopped its last run, and nobody has ended another one since.
    pub fn is_stopped_by_weir(&self) -> bool {
        let Some(last) = self.current().filter(|run| run.own_stop) else { return false };
        let later = |at: Ts| last.ended.is_some_and(|own| at.since(own) > BOTH_GAVE_WAY);
        let by_others = |run: &Run| {
            !run.own_stop && run.state.is_deliberate_end() && run.ended.is_some_and(later)
        };
        last.state.is_deliberate_end() && !self.runs.iter().any(by_others)
    }

    pub(super) fn forget_own_stop(&mut self, job_id: &str) {
        for run in self.runs.iter_mut().filter(|run| run.id.job_id == job_id) {
            self.dirty |= run.own_stop;
            run.own_stop = false;
        }
    }

    pub(super) fn note_own_stop(&mut self, job_id: &str) {
        for run in self.runs.iter_mut().filter(|run| run.id.job_id == job_id) {
            self.dirty |= !run.own_stop;
            run.own_stop = true;
        }
    }
}
