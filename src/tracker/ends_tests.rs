use super::*;
use crate::model::{Completeness, Failure, JobState, Seen, Ts};

const ZEROS: &str = "00000000000000000000000000000000";

fn at(seconds: i64) -> Time {
    Time { steady: Ts(seconds * 1_000), wall: Ts(seconds * 1_000) }
}

fn run(job_id: &str, start_time: i64, state: JobState) -> RunObservation {
    RunObservation {
        run: RunId { start_time, job_id: job_id.to_owned() },
        state,
        ..RunObservation::default()
    }
}

fn live(job_id: &str, start_time: i64) -> RunObservation {
    RunObservation {
        key: JobKey::new("prod", "", "", "orders"),
        name: "orders".to_owned(),
        flink_cluster: "prod".to_owned(),
        ..run(job_id, start_time, JobState::Running)
    }
}

fn failed(job_id: &str, start_time: i64, at: i64) -> RunObservation {
    let failure = Failure {
        at,
        task: None,
        class: "com.example.PoisonRecordException".to_owned(),
        message: "record 7".to_owned(),
        frame: None,
        taskmanager: None,
        gave_up: true,
    };
    RunObservation {
        failures: Seen::Fresh(vec![failure]),
        end_time: Some(at),
        ..run(job_id, start_time, JobState::Failed)
    }
}

fn look(source: &str, runs: Vec<RunObservation>) -> Snapshot {
    Snapshot {
        completeness: Completeness::Complete,
        runs,
        ..Snapshot::failed(source, "test", String::new(), false)
    }
}

fn blind() -> Snapshot {
    Snapshot::failed("prod", "test", "connection refused".to_owned(), false)
}

/// A job that was seen alive, and then what came of it.
fn watched(job_id: &str, then: &Snapshot) -> Tracker {
    let mut tracker = Tracker::default();
    tracker.step(at(10), &look("prod", vec![live(job_id, 5_000)]));
    tracker.step(at(20), then);
    tracker
}

fn key() -> JobKey {
    JobKey::new("prod", "", "", "orders")
}

#[test]
fn the_end_of_a_run_is_its_own_or_that_of_a_later_jobmanager() {
    // (id, archived starts, start believed)
    for (id, archived, expected) in [
        ("a", vec![5], Some(5)),
        ("a", vec![4], None),
        ("a", vec![9], Some(9)),
        ("a", vec![9, 5, 4], Some(5)),
        ("a", vec![7, 9], Some(9)),
        (ZEROS, vec![5], Some(5)),
        (ZEROS, vec![9], None),
        ("a", vec![], None),
    ] {
        let ends: Vec<RunObservation> =
            archived.iter().map(|start| run(id, *start, JobState::Canceled)).collect();
        let ends: Vec<&RunObservation> = ends.iter().collect();
        let known = RunId { start_time: 5, job_id: id.to_owned() };
        let found = end_of(&known, &ends).map(|end| end.run.start_time);
        assert_eq!(found, expected, "{id} {archived:?}");
    }
}

#[test]
fn a_missing_job_that_failed_has_failed_with_its_cause() {
    let mut tracker = watched("a", &look("prod", vec![]));
    assert!(tracker.job(&key()).unwrap().missing_since.is_some());
    let folded = tracker.step(at(30), &look("history", vec![failed("a", 5_000, 19_000)]));
    assert_eq!(folded.jobs, [key()], "judged now, not at the next look of its own source");
    assert_eq!(folded.failures, 1);
    let job = tracker.job(&key()).unwrap();
    assert_eq!((job.state(), job.missing_since, job.live_runs), (JobState::Failed, None, 0));
    assert!(job.gave_up);
    let cause = &job.last_cause.as_ref().unwrap().1;
    assert_eq!(cause.class, "com.example.PoisonRecordException");
    assert_eq!(job.runs[0].end_time, Some(19_000));
    // Said again, and not listed still: nothing new.
    let folded = tracker.step(at(40), &look("history", vec![failed("a", 5_000, 19_000)]));
    assert!(folded.jobs.is_empty() && folded.failures == 0);
    tracker.step(at(50), &look("prod", vec![]));
    let job = tracker.job(&key()).unwrap();
    assert_eq!((job.state(), job.missing_since), (JobState::Failed, None));
}

#[test]
fn a_job_out_of_sight_that_ended_on_purpose_is_not_lost() {
    for state in [JobState::Finished, JobState::Canceled] {
        let mut tracker = watched("a", &blind());
        assert!(!tracker.job_facts(&key(), at(25)).unwrap().is_fresh());
        tracker.step(at(30), &look("history", vec![run("a", 5_000, state)]));
        let facts = tracker.job_facts(&key(), at(31)).unwrap();
        assert_eq!(facts.state(), Some(state));
        assert!(facts.is_fresh(), "an end stays what it is, whoever can be seen");
        tracker.step(at(40), &look("prod", vec![]));
        assert!(tracker.job(&key()).unwrap().missing_since.is_none());
    }
}

#[test]
fn nothing_is_said_about_a_job_that_is_shown() {
    let shown = look("prod", vec![live("a", 5_000)]);
    let mut tracker = watched("a", &shown);
    let folded = tracker.step(at(30), &look("history", vec![failed("a", 5_000, 19_000)]));
    assert!(folded.jobs.is_empty());
    assert_eq!(tracker.job(&key()).unwrap().state(), JobState::Running);
    assert_eq!(tracker.job_count(), 1, "an archive shows no jobs");
}

#[test]
fn who_comes_back_is_alive_again() {
    let mut tracker = watched("a", &blind());
    tracker.step(at(30), &look("history", vec![failed("a", 5_000, 19_000)]));
    tracker.step(at(40), &look("prod", vec![live("a", 5_000)]));
    assert_eq!(tracker.job(&key()).unwrap().state(), JobState::Running);
    tracker.step(at(50), &blind());
    assert!(!tracker.job_facts(&key(), at(51)).unwrap().is_fresh());
}
