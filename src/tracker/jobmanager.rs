//! Whether the `JobManager` of a Flink cluster is still the one it was.

use serde::{Deserialize, Serialize};

use crate::model::Ts;

/// Signs of one restart come within this time of each other: the jobs begin anew a while after the
/// process.
const ONE_RESTART_MS: i64 = 5 * 60_000;

/// A `JobManager` as of its last sighting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobManagerTrack {
    /// CPU time of its process, ns. It only grows.
    #[serde(skip)]
    cpu: Option<i64>,
    /// Steady time when another one was noticed.
    pub restarted: Option<Ts>,
    /// Jobs that began anew with it under their old ids.
    pub jobs: u32,
}

impl JobManagerTrack {
    /// Takes in the CPU time; true if the process is another one.
    pub(super) fn hear_cpu(&mut self, now: Ts, cpu: i64) -> bool {
        let is_new = self.cpu.is_some_and(|known| cpu < known);
        self.cpu = Some(cpu);
        if is_new {
            self.note(now);
        }
        is_new
    }

    /// A job began anew under its old id.
    pub(super) fn note_job(&mut self, now: Ts) {
        self.note(now);
        self.jobs = self.jobs.saturating_add(1);
    }

    fn note(&mut self, now: Ts) {
        if self.restarted.is_none_or(|at| now.0 - at.0 > ONE_RESTART_MS) {
            self.restarted = Some(now);
            self.jobs = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_that_goes_back_is_another_process_and_its_jobs_are_no_second_restart() {
        let mut track = JobManagerTrack::default();
        for (at, cpu, is_new) in [(0, 50, false), (10, 60, false), (20, 7, true), (30, 8, false)] {
            assert_eq!(track.hear_cpu(Ts(at * 1000), cpu), is_new, "at {at}");
        }
        track.note_job(Ts(40_000));
        track.note_job(Ts(40_000));
        assert_eq!((track.restarted, track.jobs), (Some(Ts(20_000)), 2));
        track.note_job(Ts(20_000 + ONE_RESTART_MS + 1));
        assert_eq!((track.restarted, track.jobs), (Some(Ts(20_001 + ONE_RESTART_MS)), 1));
    }
}
