//! Which schedule is whose: the labels say so, and the tracker is told.
//!
//! Nothing wakes the engine when the hours of a schedule begin or end. Whether a job runs is known
//! from looks alone, so the next look, a poll interval later at most, is soon enough to judge.

use std::sync::Arc;

use super::step::Engine;
use crate::model::JobKey;

impl Engine {
    /// Of the jobs that were just looked at.
    pub(super) fn schedule(&mut self, keys: &[JobKey]) {
        let (schedules, book) = (&self.settings.schedules, self.rules.book());
        if !schedules.is_empty() {
            self.tracker.schedule(keys, &|job| schedules.of(&book.of_job(job)).map(Arc::clone));
        }
    }

    /// Of all jobs: other schedules or labels are in force.
    pub(super) fn schedule_all(&mut self) {
        let (schedules, book) = (&self.settings.schedules, self.rules.book());
        let none = schedules.is_empty();
        self.tracker.schedule_all(&|job| {
            if none { None } else { schedules.of(&book.of_job(job)).map(Arc::clone) }
        });
        self.picture.set_schedules(schedules);
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
