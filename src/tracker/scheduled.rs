//! Jobs that are meant to run at some hours only.
//!
//! Which schedule is a job's follows from its labels, which the engine puts together; it says so
//! here after each look. Decides nothing but whether a job that is gone is missed.

use std::sync::Arc;

use super::{JobTrack, Tracker};
use crate::model::{JobKey, Schedule, Subject, Time};

impl JobTrack {
    /// It vanished alive while it was to run, and still is to: in the same hours. One that vanished
    /// outside of them was ended, and when they begin it is absent like any other that was.
    pub fn is_missed(&self, time: Time) -> bool {
        let Some(since) = self.missing_since else { return false };
        let Some(schedule) = &self.schedule else { return true };
        let since = time.wall.shifted(since.0.saturating_sub(time.steady.0));
        schedule.inside_since(time.wall).is_some_and(|from| since >= from)
    }
}

impl Tracker {
    /// Says which schedule is whose.
    pub fn schedule(
        &mut self,
        keys: &[JobKey],
        schedule_of: &dyn Fn(&JobTrack) -> Option<Arc<Schedule>>,
    ) {
        for key in keys {
            if let Some(job) = self.jobs.get_mut(key) {
                job.schedule = schedule_of(job);
            }
        }
    }

    /// Says the same of all jobs.
    pub fn schedule_all(&mut self, schedule_of: &dyn Fn(&JobTrack) -> Option<Arc<Schedule>>) {
        for job in self.jobs.values_mut() {
            job.schedule = schedule_of(job);
        }
    }

    /// The subject is a Flink cluster with jobs that are gone, none of which is missed.
    pub fn are_excused(&self, subject: &Subject, time: Time) -> bool {
        let Subject::Cluster(source, flink_cluster) = subject else { return false };
        let keys = self.by_source.get(source).into_iter().flatten();
        let gone = keys
            .filter_map(|key| self.jobs.get(key))
            .filter(|job| job.flink_cluster == *flink_cluster && job.missing_since.is_some());
        let mut missed = gone.map(|job| job.is_missed(time)).peekable();
        missed.peek().is_some() && !missed.any(|missed| missed)
    }
}
