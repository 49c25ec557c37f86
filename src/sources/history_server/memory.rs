//! Root causes that were read, as long as somebody asks for their runs. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Failure, JobState, RunId, Seen};

/// A root cause that cannot be read so often is not waited for.
const TRIES: u8 = 3;

/// What was read of runs that failed.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<RunId, Cause>);

#[derive(Debug)]
enum Cause {
    Read(Vec<Failure>),
    Missed(u8),
}

impl Memory {
    /// Forgets runs nobody asks for any more.
    pub(super) fn keep(&mut self, wanted: &BTreeSet<&str>) {
        self.0.retain(|run, _| wanted.contains(run.job_id.as_str()));
    }

    /// Its root cause is yet to be read.
    pub(super) fn wants_cause(&self, run: &RunId) -> bool {
        match self.0.get(run) {
            None => true,
            Some(Cause::Missed(times)) => *times < TRIES,
            Some(Cause::Read(_)) => false,
        }
    }

    /// What a try brought.
    pub(super) fn read(&mut self, run: &RunId, failures: Option<Vec<Failure>>) {
        let missed = match self.0.get(run) {
            Some(Cause::Missed(times)) => *times,
            _ => 0,
        };
        let cause = failures.map_or(Cause::Missed(missed.saturating_add(1)), Cause::Read);
        self.0.insert(run.clone(), cause);
    }

    /// What is to be said of a run that ended so; nothing while its root cause may still come: that
    /// it failed and why is one word.
    pub(super) fn word_on(&self, run: &RunId, state: JobState) -> Option<Seen<Vec<Failure>>> {
        if state != JobState::Failed {
            return Some(Seen::NotAsked);
        }
        match self.0.get(run)? {
            Cause::Read(failures) => Some(Seen::Fresh(failures.clone())),
            Cause::Missed(times) => (*times >= TRIES).then_some(Seen::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_run_is_told_with_its_cause_or_after_three_tries() {
        let run = RunId { start_time: 1, job_id: "a".to_owned() };
        let mut memory = Memory::default();
        assert_eq!(memory.word_on(&run, JobState::Canceled), Some(Seen::NotAsked));
        for _ in 0..TRIES {
            assert!(memory.wants_cause(&run));
            assert_eq!(memory.word_on(&run, JobState::Failed), None);
            memory.read(&run, None);
        }
        assert!(!memory.wants_cause(&run));
        assert_eq!(memory.word_on(&run, JobState::Failed), Some(Seen::Unknown));
        memory.keep(&BTreeSet::from(["b"]));
        assert!(memory.wants_cause(&run), "another time, from the beginning");
        memory.read(&run, Some(Vec::new()));
        assert_eq!(memory.word_on(&run, JobState::Failed), Some(Seen::Fresh(Vec::new())));
        assert!(!memory.wants_cause(&run));
    }
}
