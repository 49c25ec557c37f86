//! Whether the `JobManager` of a Flink cluster is still the one it was.
//!
//! Its process is known by its CPU time, which only grows. Behind one address several `JobManager`s
//! may answer, each with a process or at least with a cache of its own: a lower number alone says
//! nothing. It is another process when it stays low and grows, look after look, while none of those
//! known to answer there can have said it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Ts;

/// Signs of one restart come within this time of each other: the jobs begin anew a while after the
/// process.
const ONE_RESTART_MS: i64 = 5 * 60_000;
/// A lower number has to grow so often, nothing else being answered in between.
const GROWTHS: u8 = 2;
/// More than this per second since the known process was last seen no new one can have used: it is
/// older, and was only not seen so far.
const CORES: u32 = 8;
/// What another one said this long ago explains nothing any more.
const EXPLAINS: Duration = Duration::from_mins(10);
/// Others remembered.
const MAX_OTHERS: usize = 4;

/// A `JobManager` as of its last sighting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobManagerTrack {
    /// The process, as far as it is known.
    #[serde(skip)]
    known: Option<Process>,
    /// Others that answer beside it.
    #[serde(skip)]
    others: Vec<Process>,
    /// What may be its successor.
    #[serde(skip)]
    suspect: Option<Suspect>,
    /// What was taken for its successor before: gone since, or beside it.
    #[serde(skip)]
    displaced: Vec<Process>,
    /// Steady time when it became certain that there is another one.
    pub restarted: Option<Ts>,
    /// Jobs that began anew with it under their old ids.
    pub jobs: u32,
}

/// A process that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    /// CPU time, ns.
    cpu: i64,
    /// Steady time of that answer.
    seen: Ts,
}

/// A process that may have followed the known one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Suspect {
    process: Process,
    first: Ts,
    growths: u8,
}

impl JobManagerTrack {
    /// Takes in the CPU time; true if it is certain now that the process is another one.
    pub(super) fn hear_cpu(&mut self, now: Ts, cpu: i64) -> bool {
        let heard = Process { cpu, seen: now };
        let Some(known) = self.known.filter(|known| cpu < known.cpu) else {
            self.known = Some(heard);
            // It is still there: what was lower is another one beside it.
            let beside = self.suspect.take().map(|suspect| suspect.process);
            self.others.extend(self.displaced.drain(..).chain(beside));
            keep_newest(&mut self.others);
            return false;
        };
        self.others.retain(|other| now.since(other.seen) < EXPLAINS);
        let explains = self.others.iter_mut().filter(|other| other.cpu <= cpu);
        if let Some(other) = explains.max_by_key(|other| other.cpu) {
            *other = heard;
            return false;
        }
        match &mut self.suspect {
            Some(suspect) if suspect.process.cpu <= cpu => {
                suspect.growths += u8::from(suspect.process.cpu < cpu);
                suspect.process = heard;
            }
            _ if heard.is_older_than(known) => {
                self.others.push(heard);
                keep_newest(&mut self.others);
            }
            _ => {
                // Not known to be beside it yet: a successor may have died as well.
                let suspect = Suspect { process: heard, first: now, growths: 0 };
                self.displaced.extend(self.suspect.replace(suspect).map(|former| former.process));
                keep_newest(&mut self.displaced);
            }
        }
        let Some(suspect) = self.suspect.take_if(|suspect| suspect.growths >= GROWTHS) else {
            return false;
        };
        self.known = Some(suspect.process);
        self.others.clear();
        self.displaced.clear();
        self.note(suspect.first, now);
        true
    }

    /// A job began anew under its old id.
    pub(super) fn note_job(&mut self, now: Ts) {
        self.note(now, now);
        self.jobs = self.jobs.saturating_add(1);
    }

    /// It began to show at `first`, and is certain `now`.
    fn note(&mut self, first: Ts, now: Ts) {
        if self.restarted.is_none_or(|at| first.0 - at.0 > ONE_RESTART_MS) {
            self.restarted = Some(now);
            self.jobs = 0;
        }
    }
}

fn keep_newest(processes: &mut Vec<Process>) {
    processes.drain(..processes.len().saturating_sub(MAX_OTHERS));
}

impl Process {
    /// Whether it must have run before that one was last seen.
    fn is_older_than(self, known: Process) -> bool {
        let most = self.seen.since(known.seen).saturating_mul(CORES).as_nanos();
        u128::try_from(self.cpu).is_ok_and(|cpu| cpu > most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every ten seconds a reading in seconds: those at which another process was noticed.
    fn noticed(readings: &[i64]) -> Vec<usize> {
        let mut track = JobManagerTrack::default();
        let hear = |(n, cpu): (usize, &i64)| {
            let is_new = track.hear_cpu(Ts(n as i64 * 10_000), cpu * 1_000_000_000);
            is_new.then_some(n)
        };
        readings.iter().enumerate().filter_map(hear).collect()
    }

    #[test]
    fn cpu_time_that_goes_back_is_another_process_only_if_no_other_jobmanager_explains_it() {
        for (name, readings, expected) in [
            ("it stays low and grows", vec![50, 60, 7, 8, 9, 10], vec![4]),
            ("it stands for a while", vec![50, 7, 7, 7, 8, 8, 9], vec![6]),
            ("it begins where nothing was used", vec![50, 0, 1, 2], vec![3]),
            ("two restarts", vec![50, 7, 8, 9, 30, 2, 3, 4], vec![3, 7]),
            ("one low reading", vec![50, 7, 51, 52], vec![]),
            ("an older answer, told twice", vec![50, 48, 49, 51, 52], vec![]),
            ("an answer that stands still", vec![50, 48, 48, 48, 48], vec![]),
            ("two take turns", vec![50, 7, 51, 8, 52, 9, 53, 10, 54], vec![]),
            ("two in any order", vec![50, 7, 51, 8, 9, 10, 11, 52, 12, 13, 14], vec![]),
            ("three take turns", vec![50, 7, 3, 51, 8, 4, 52, 9, 5, 53, 10, 11, 6, 7], vec![]),
            ("too much for a process that is new", vec![1_000, 500, 501, 502, 503], vec![]),
            ("a restart behind two", vec![50, 7, 51, 8, 2, 3, 4], vec![6]),
            ("it dies again at once", vec![50, 7, 9, 6, 8, 10, 12], vec![5]),
            ("and once more", vec![50, 7, 9, 6, 8, 5, 6, 7, 8], vec![7]),
            ("three, all seen before one comes back", vec![50, 7, 3, 51, 8, 4, 9, 5, 52], vec![]),
        ] {
            assert_eq!(noticed(&readings), expected, "{name}");
        }
    }

    /// What another one said long ago explains nothing: its process may be gone.
    #[test]
    fn another_jobmanager_that_was_not_seen_for_long_explains_nothing() {
        let mut readings = vec![50, 7, 51];
        readings.extend(52..120);
        readings.extend([10, 11, 12]);
        assert_eq!(noticed(&readings), [readings.len() - 1]);
    }

    #[test]
    fn jobs_that_begin_anew_with_it_are_no_second_restart() {
        let mut track = JobManagerTrack::default();
        for (at, cpu) in [(10, 60), (20, 7), (30, 8), (40, 9)] {
            track.hear_cpu(Ts(at * 1000), cpu * 1_000_000_000);
        }
        track.note_job(Ts(40_000));
        track.note_job(Ts(40_000));
        assert_eq!((track.restarted, track.jobs), (Some(Ts(40_000)), 2));
        track.note_job(Ts(40_000 + ONE_RESTART_MS + 1));
        assert_eq!((track.restarted, track.jobs), (Some(Ts(40_001 + ONE_RESTART_MS)), 1));
    }

    /// However seldom it is looked at: what is certain later is told from then on, and is the same
    /// restart as that of the jobs.
    #[test]
    fn it_is_told_from_when_it_is_certain() {
        let seldom = [(0, 50), (160, 7), (320, 8), (480, 9)];
        for jobs in [false, true] {
            let mut track = JobManagerTrack::default();
            for (at, cpu) in seldom {
                track.hear_cpu(Ts(at * 1000), cpu * 1_000_000_000);
                if jobs && at == 160 {
                    track.note_job(Ts(at * 1000));
                }
            }
            let expected = if jobs { 160_000 } else { 480_000 };
            assert_eq!((track.restarted, track.jobs), (Some(Ts(expected)), u32::from(jobs)));
        }
    }
}
