//! A job that is gone for good, and its ways of not being it.

use super::super::Folded;
use super::*;
use crate::model::{JobState, RunId, Snapshot};

fn run(state: JobState, start: i64) -> RunObservation {
    RunObservation {
        key: JobKey::new("prod", "", "", "orders"),
        name: "orders".to_owned(),
        run: RunId { start_time: start, job_id: format!("r{start}") },
        state,
        ..RunObservation::default()
    }
}

fn look(tracker: &mut Tracker, second: i64, runs: Vec<RunObservation>) -> Folded {
    let snapshot = Snapshot {
        completeness: Completeness::Complete,
        runs,
        ..Snapshot::failed("prod", "1", String::new(), false)
    };
    tracker.step(Time::at(second * 1_000), &snapshot)
}

use crate::model::Completeness;

fn meta(changes: &[Change]) -> Vec<(String, String)> {
    let rows = changes.iter().filter_map(|change| match change {
        Change::Meta { key, value } => Some((key.clone(), value.clone())),
        _ => None,
    });
    rows.filter(|(key, _)| key.starts_with(ROW)).collect()
}

/// With `orders` dead and retired; and the row that says so.
fn retired() -> (Tracker, Vec<(String, String)>) {
    let mut tracker = Tracker::default();
    look(&mut tracker, 0, vec![run(JobState::Running, 5)]);
    look(&mut tracker, 10, vec![run(JobState::Failed, 5)]);
    let changes = tracker.retire(Time::at(20_000), &JobKey::new("prod", "", "", "orders"));
    assert_eq!(tracker.job_count(), 0);
    assert!(changes.iter().any(|c| matches!(c, Change::ForgetJob { .. })));
    (tracker, meta(&changes))
}

#[test]
fn the_dead_runs_of_a_retired_job_are_not_taken_in_again() {
    let (mut tracker, rows) = retired();
    let loaded = Loaded { meta: rows, ..Loaded::default() };
    for tracker in [&mut tracker, &mut Tracker::restore(&loaded)] {
        for second in [30, 40] {
            let folded = look(tracker, second, vec![run(JobState::Failed, 5)]);
            assert_eq!((tracker.job_count(), folded.jobs.len()), (0, 0));
        }
    }
}

#[test]
fn a_run_that_is_alive_or_new_brings_it_back() {
    for (state, start) in [(JobState::Running, 5), (JobState::Restarting, 9), (JobState::Failed, 9)]
    {
        let (mut tracker, _) = retired();
        let runs = vec![run(JobState::Failed, 5), run(state, start)];
        let folded = look(&mut tracker, 30, runs);
        assert_eq!(tracker.job_count(), 1, "{state:?} since {start}");
        assert_eq!(meta(&folded.changes), [("retired/prod/orders".to_owned(), String::new())]);
        // And it stays, though it dies now.
        look(&mut tracker, 40, vec![run(JobState::Failed, start.max(9))]);
        assert_eq!(tracker.job_count(), 1);
    }
}

#[test]
fn what_is_not_listed_for_a_day_is_forgotten() {
    let (mut tracker, _) = retired();
    let day = 24 * 3_600;
    look(&mut tracker, day, vec![run(JobState::Failed, 5)]);
    assert!(meta(&look(&mut tracker, 2 * day, Vec::new()).changes).is_empty());
    let folded = look(&mut tracker, 2 * day + 60, Vec::new());
    assert_eq!(meta(&folded.changes), [("retired/prod/orders".to_owned(), String::new())]);
    assert!(tracker.retired.0.is_empty());
}
