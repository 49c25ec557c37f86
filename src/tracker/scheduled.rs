//! Jobs that are meant to run at some hours only.
//!
//! Which schedule is a job's follows from its labels, which the engine puts together; it says so
//! here after each look. Decides nothing but whether a job may be absent, or may run, at a time.

use std::sync::Arc;

use super::{JobFacts, JobTrack, Tracker};
use crate::model::{JobKey, Schedule, Standing, Subject, Ts};

impl JobTrack {
    /// How the wall time `at` stands to its hours; `None` where no schedule is about it.
    pub fn standing(&self, at: Ts) -> Option<Standing> {
        self.schedule.as_ref().map(|schedule| schedule.standing(at))
    }

    /// It need not run at the wall time `at`.
    pub fn may_be_absent(&self, at: Ts) -> bool {
        matches!(self.standing(at), Some(Standing::Outside | Standing::Either))
    }
}

impl JobFacts<'_> {
    /// It is not alive, and need not be now.
    pub fn is_excused(&self) -> bool {
        self.job.may_be_absent(self.time.wall)
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

    /// The subject is a Flink cluster with jobs that are gone, none of which needs to be there at the
    /// wall time `at`.
    pub fn are_excused(&self, subject: &Subject, at: Ts) -> bool {
        let Subject::Cluster(source, flink_cluster) = subject else { return false };
        let keys = self.by_source.get(source).into_iter().flatten();
        let gone = keys
            .filter_map(|key| self.jobs.get(key))
            .filter(|job| job.flink_cluster == *flink_cluster && job.missing_since.is_some());
        let mut excused = gone.map(|job| job.may_be_absent(at)).peekable();
        excused.peek().is_some() && excused.all(|excused| excused)
    }
}
