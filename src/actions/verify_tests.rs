use super::*;
use crate::actions::testing::{T0, history, key, look, policy, restart, run};
use crate::model::{RestartState, RestoreFrom, RunObservation, Seen, Ts};

const FRESH: Duration = Duration::from_secs(30);
const PATH: &str = "file:/ck/aa/chk-7";

/// A restart that was taken a second after the first look, from chk-7 of run `aa`.
fn taken() -> Restart {
    Restart {
        handle: "bb".to_owned(),
        started: Some("bb".to_owned()),
        from: Some(RestoreFrom {
            path: PATH.to_owned(),
            id: Some(7),
            savepoint: false,
            completed_at: None,
        }),
        submitted_at: Some(Ts(T0 + 500)),
        taken: Some(Ts(T0 + 1_000)),
        ..restart(1, RestartState::Running)
    }
}

/// What is said after these looks, each so many seconds after the restart.
fn after(looks: Vec<(i64, Vec<RunObservation>)>) -> Verdict {
    let mut tracker = Tracker::default();
    let first = run("aa", T0 - 60_000, JobState::Running);
    tracker.step(Time::at(T0 - 1_000), &look(T0 - 1_000, vec![first]));
    let mut now = Time::at(T0);
    for (seconds, runs) in looks {
        now = Time::at(T0 + seconds * 1_000);
        tracker.step(now, &look(now.steady.0, runs));
    }
    judge(now, &taken(), &policy(), FRESH, &tracker)
}

fn dead() -> RunObservation {
    run("aa", T0 - 60_000, JobState::Failed)
}

fn new(state: JobState, done: u64, from: Option<&str>) -> RunObservation {
    let mut new = run("bb", T0 + 1_000, state);
    new.checkpoints = Seen::Fresh(history("bb", done, from));
    new
}

#[test]
fn it_is_verified_by_its_path_its_tasks_and_a_new_checkpoint() {
    let running = |done, from| vec![(60, vec![dead(), new(JobState::Running, done, from)])];
    assert_eq!(after(running(0, Some(PATH))), Verdict::Watch { runs: true });
    assert_eq!(after(running(1, Some(PATH))), Verdict::Verified);
    assert_eq!(after(running(1, Some("file:///ck/aa/chk-7"))), Verdict::Verified);
    assert_eq!(after(running(1, None)), Verdict::Watch { runs: true }, "not read yet");
    let wrong = after(running(1, Some("file:/ck/aa/chk-5")));
    assert!(matches!(wrong, Verdict::Failed { unreadable: false, .. }), "{wrong:?}");
    let own = after(running(3, Some("file:/ck/bb/chk-2")));
    assert_eq!(own, Verdict::Verified, "after a failover it is one of its own");
}

#[test]
fn what_does_not_come_in_time_has_failed() {
    let late = 11 * 60;
    let failed = |verdict: Verdict| matches!(verdict, Verdict::Failed { .. });
    assert_eq!(after(vec![(60, vec![dead()])]), Verdict::Watch { runs: false });
    assert!(failed(after(vec![(late, vec![dead()])])), "nothing started");
    let waits = || vec![dead(), new(JobState::Created, 0, None)];
    assert_eq!(after(vec![(60, waits())]), Verdict::Watch { runs: false });
    assert!(failed(after(vec![(60, waits()), (late, waits())])), "it waits for slots");
    let runs = || vec![dead(), new(JobState::Running, 0, Some(PATH))];
    let no_checkpoint = after(vec![(60, runs()), (60 + 16 * 60, runs())]);
    assert!(failed(no_checkpoint));
    let dies = after(vec![(60, vec![dead(), new(JobState::Failed, 0, None)])]);
    assert!(failed(dies));
    let cancelled = after(vec![(60, vec![dead(), new(JobState::Canceled, 0, None)])]);
    assert!(failed(cancelled));
}

#[test]
fn a_strangers_run_beside_it_is_seen_and_another_job_too() {
    let other = run("cc", T0 + 2_000, JobState::Running);
    let both = after(vec![(60, vec![dead(), new(JobState::Running, 0, Some(PATH)), other])]);
    assert_eq!(both, Verdict::Stranger("cc".to_owned()));
    let misnamed = RunObservation {
        key: JobKey::new("prod", "", "", "payments"),
        name: "payments".to_owned(),
        ..new(JobState::Running, 0, Some(PATH))
    };
    let found = after(vec![(60, vec![dead(), misnamed])]);
    assert_eq!(found, Verdict::Misnamed(JobKey::new("prod", "", "", "payments")));
    assert_ne!(found, Verdict::Misnamed(key()));
}

#[test]
fn while_nobody_looks_nothing_is_late() {
    let mut tracker = Tracker::default();
    let first = run("aa", T0 - 60_000, JobState::Running);
    tracker.step(Time::at(T0), &look(T0, vec![first]));
    let later = Time::at(T0 + 3_600_000);
    let said = judge(later, &taken(), &policy(), FRESH, &tracker);
    assert_eq!(said, Verdict::Watch { runs: false });
}

/// What a platform calls a run before its Flink answers is nobody's id.
#[test]
fn a_run_is_known_once_its_flink_is_heard() {
    const FLINKS: &str = "e8ba35e6cc1e37b48bd4d951ddcffc67";
    let submitted = Restart { started: None, ..taken() };
    let shown = |id: &str, state| {
        let mut tracker = Tracker::default();
        tracker.step(Time::at(T0), &look(T0, vec![dead()]));
        let now = Time::at(T0 + 60_000);
        tracker.step(now, &look(now.steady.0, vec![dead(), run(id, T0 + 1_000, state)]));
        (started(&submitted, &tracker), judge(now, &submitted, &policy(), FRESH, &tracker))
    };
    let waits = shown("application_17_2", JobState::Running);
    assert_eq!(waits, (None, Verdict::Watch { runs: false }));
    let (id, _) = shown(FLINKS, JobState::Running);
    assert_eq!(id.as_deref(), Some(FLINKS));
    // It ended before anybody heard its Flink.
    let (id, verdict) = shown("application_17_2", JobState::Failed);
    assert_eq!(id.as_deref(), Some("application_17_2"));
    assert!(matches!(verdict, Verdict::Failed { .. }), "{verdict:?}");
}
