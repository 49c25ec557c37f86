use super::*;
use crate::model::{Seen, TaskCounts};

const NOW: Ts = Ts(1_000_000);

fn summary(id: u64, run: &str, discarded: bool) -> CheckpointSummary {
    CheckpointSummary {
        id,
        ended_at: Some(1_000 + id as i64),
        path: Some(format!("file:/ck/{run}/chk-{id}")),
        discarded,
        size: Some(100),
        ..CheckpointSummary::default()
    }
}

fn savepoint(id: u64, run: &str) -> CheckpointSummary {
    let path = Some(format!("file:/sp/savepoint-{run}-{id}"));
    CheckpointSummary { path, savepoint: true, ..summary(id, run, false) }
}

fn seen(run: &str, state: JobState, read: Option<CheckpointStats>) -> RunObservation {
    RunObservation {
        run: RunId { start_time: 1, job_id: run.to_owned() },
        state,
        tasks: TaskCounts { total: 2, running: 2, ..TaskCounts::default() },
        checkpoints: read.map_or(Seen::NotAsked, Seen::Fresh),
        ..RunObservation::default()
    }
}

fn history(done: Vec<CheckpointSummary>, from: Option<CheckpointSummary>) -> CheckpointStats {
    CheckpointStats {
        restored_from: from,
        recent_completed: done,
        retained_on_failure: Some(true),
        retained_on_cancel: Some(false),
        ..CheckpointStats::default()
    }
}

fn hear(ledger: &mut Ledger, seen: &RunObservation) {
    ledger.hear(seen, NOW, &Ts);
}

fn offered(ledger: &Ledger) -> Vec<&str> {
    let offered = ledger.candidates().into_iter().filter(|e| e.standing != Standing::Gone);
    offered.filter_map(|entry| entry.path.rsplit('/').next()).collect()
}

fn running(ledger: &mut Ledger, run: &str, done: &[u64], from: Option<CheckpointSummary>) {
    let done = done.iter().map(|id| summary(*id, run, false)).collect();
    hear(ledger, &seen(run, JobState::Running, Some(history(done, from))));
}

#[test]
fn the_end_of_a_run_tells_what_stays() {
    let retention = [
        (Some(true), Some(true)),
        (Some(true), Some(false)),
        (Some(false), Some(false)),
        (None, None),
    ];
    let expected = [
        // FINISHED, CANCELED, FAILED
        [Standing::Gone, Standing::Restorable, Standing::Restorable],
        [Standing::Gone, Standing::Gone, Standing::Restorable],
        [Standing::Gone, Standing::Gone, Standing::Gone],
        [Standing::Gone, Standing::Maybe, Standing::Maybe],
    ];
    for ((on_failure, on_cancel), expected) in retention.into_iter().zip(expected) {
        for (state, expected) in
            [JobState::Finished, JobState::Canceled, JobState::Failed].into_iter().zip(expected)
        {
            let mut ledger = Ledger::default();
            let stats = CheckpointStats {
                latest_savepoint: Some(savepoint(2, "a")),
                retained_on_failure: on_failure,
                retained_on_cancel: on_cancel,
                ..history(vec![summary(1, "a", false)], None)
            };
            hear(&mut ledger, &seen("a", JobState::Running, Some(stats.clone())));
            hear(&mut ledger, &seen("a", state, Some(stats)));
            let standing: Vec<_> = ledger.entries().map(|e| (e.savepoint, e.standing)).collect();
            let what = format!("{state} {on_failure:?} {on_cancel:?}");
            assert_eq!(standing, [(true, Standing::Restorable), (false, expected)], "{what}");
        }
    }
}

#[test]
fn a_newer_one_makes_older_ones_doubtful_until_the_history_speaks() {
    let mut ledger = Ledger::default();
    let mut look = seen("a", JobState::Running, None);
    for id in [1, 2] {
        look.counters = Seen::Fresh(Counters {
            last_checkpoint_id: Some(id),
            last_checkpoint_path: Some(format!("file:/ck/a/chk-{id}")),
            ..Counters::default()
        });
        hear(&mut ledger, &look);
    }
    let standing = |ledger: &Ledger| -> Vec<(Option<u64>, Standing)> {
        ledger.candidates().iter().map(|e| (e.id, e.standing)).collect()
    };
    assert_eq!(standing(&ledger), [(Some(2), Standing::Restorable), (Some(1), Standing::Maybe)]);
    let kept = history(vec![summary(2, "a", false), summary(1, "a", false)], None);
    hear(&mut ledger, &seen("a", JobState::Running, Some(kept)));
    assert_eq!(standing(&ledger)[1].1, Standing::Restorable, "two are retained");
    let one = history(vec![summary(2, "a", false), summary(1, "a", true)], None);
    hear(&mut ledger, &seen("a", JobState::Running, Some(one)));
    assert_eq!(offered(&ledger), ["chk-2"]);
    ledger.checked("file:/ck/a/chk-2", false);
    assert_eq!(offered(&ledger), [""; 0], "somebody looked");
    let old = history(vec![summary(2, "a", false)], None);
    hear(&mut ledger, &seen("a", JobState::Running, Some(old)));
    assert_eq!(offered(&ledger), [""; 0], "what was deleted does not come back");
}

#[test]
fn what_a_person_went_back_to_is_gone_back_to_again() {
    let mut ledger = Ledger::default();
    running(&mut ledger, "a", &[1, 2, 3], None);
    hear(&mut ledger, &seen("a", JobState::Failed, None));
    assert_eq!(offered(&ledger), ["chk-3", "chk-2", "chk-1"]);
    // Started from an older one on purpose, and failed before its first checkpoint.
    running(&mut ledger, "b", &[], Some(summary(2, "a", false)));
    assert_eq!(offered(&ledger), ["chk-2", "chk-1"]);
    running(&mut ledger, "b", &[4], Some(summary(2, "a", false)));
    assert_eq!(offered(&ledger), ["chk-4", "chk-2", "chk-1"]);
    // From nothing, on purpose: what was before is not offered any more.
    running(&mut ledger, "c", &[], None);
    assert_eq!(offered(&ledger), [""; 0]);
}

#[test]
fn a_run_that_never_ran_says_nothing_about_what_came_before() {
    let mut ledger = Ledger::default();
    running(&mut ledger, "a", &[7], None);
    let mut broken = seen("x", JobState::Failed, Some(history(Vec::new(), None)));
    broken.tasks = TaskCounts::default();
    hear(&mut ledger, &broken);
    assert_eq!(offered(&ledger), ["chk-7"], "the trace of a restore that failed");
}

#[test]
fn a_failover_is_no_new_beginning() {
    let mut ledger = Ledger::default();
    running(&mut ledger, "a", &[7, 8], Some(savepoint(1, "old")));
    running(&mut ledger, "a", &[9], Some(summary(8, "a", false)));
    assert_eq!(offered(&ledger), ["chk-9", "chk-8", "chk-7", "savepoint-old-1"]);
}

#[test]
fn what_a_run_began_with_is_offered_though_nobody_saw_it_complete() {
    let mut ledger = Ledger::default();
    running(&mut ledger, "a", &[], Some(savepoint(5, "old")));
    assert_eq!(offered(&ledger), ["savepoint-old-5"]);
    assert_eq!(ledger.candidates()[0].standing, Standing::Maybe);
}

#[test]
fn it_is_bounded_and_the_deleted_go_first() {
    let mut ledger = Ledger::default();
    for id in 1..=100 {
        running(&mut ledger, "a", &[id], None);
        hear(
            &mut ledger,
            &seen(
                "a",
                JobState::Running,
                Some(CheckpointStats {
                    latest_savepoint: Some(savepoint(1_000 + id, "a")),
                    ..history(Vec::new(), None)
                }),
            ),
        );
        hear(&mut ledger, &seen(&format!("run{id}"), JobState::Running, None));
    }
    assert_eq!(ledger.entries().filter(|e| !e.savepoint).count(), MAX_PERIODIC);
    assert_eq!(ledger.entries().filter(|e| e.savepoint).count(), MAX_SAVEPOINTS);
    assert_eq!(ledger.runs.len(), MAX_RUNS);
    let body = serde_json::to_string(&ledger).unwrap();
    assert!(body.len() < 4_096, "{}", body.len());
    let mut read: Ledger = serde_json::from_str(&body).unwrap();
    read.dirty = ledger.dirty;
    assert_eq!(read.entries, ledger.entries);
}

#[test]
fn rows_are_written_when_something_changed_now_and_then_and_at_an_end() {
    let mut ledger = Ledger::default();
    running(&mut ledger, "a", &[1], None);
    assert!(ledger.take_row(Ts(0)).is_some());
    assert!(ledger.take_row(Ts(60_000)).is_none(), "nothing is new");
    running(&mut ledger, "a", &[60_001], None);
    assert!(ledger.take_row(Ts(29_999)).is_none());
    assert!(ledger.take_row(Ts(30_000)).is_some());
    running(&mut ledger, "a", &[70_001], None);
    assert!(ledger.take_row(Ts(149_999)).is_none(), "they come each ten seconds");
    assert!(ledger.take_row(Ts(150_000)).is_some());
    running(&mut ledger, "a", &[80_001], None);
    hear(&mut ledger, &seen("a", JobState::Failed, None));
    assert!(ledger.take_row(Ts(150_001)).is_some(), "the end of a run");
    hear(&mut ledger, &seen("a", JobState::Failed, None));
    assert!(ledger.take_row(Ts(270_000)).is_none());
}

#[test]
fn people_name_one_by_path_or_number() {
    let mut ledger = Ledger::default();
    running(&mut ledger, "a", &[7, 8], None);
    running(&mut ledger, "b", &[8], Some(summary(7, "a", false)));
    for (text, path) in [
        ("8", "file:/ck/b/chk-8"),
        ("chk-7", "file:/ck/a/chk-7"),
        ("file:///ck/a/chk-8/", "file:/ck/a/chk-8"),
        ("/ck/a/chk-8", "file:/ck/a/chk-8"),
    ] {
        assert_eq!(ledger.named(text).map(|e| e.path.as_str()), Some(path), "{text}");
    }
    assert_eq!(ledger.named("9"), None);
    assert_eq!(ledger.named("s3://other/chk-8"), None);
}

#[test]
fn one_place_has_many_names() {
    for (a, b, same) in [
        ("file:/x/chk-1", "file:///x/chk-1", true),
        ("file:/x/chk-1", "/x/chk-1/", true),
        ("s3://b/x", "s3a://b/x", true),
        ("s3://b/x", "s3://c/x", false),
        ("hdfs://nn/x", "hdfs://nn/x/", true),
        ("hdfs://nn/x", "file://nn/x", false),
        ("/a:b/c", "file:/a:b/c", true),
    ] {
        assert_eq!(same_path(a, b), same, "{a} {b}");
    }
}

#[test]
fn a_path_is_a_jobs_by_what_it_recorded_and_by_the_run_it_names() {
    let (run, zeros) = ("ab".repeat(16), "0".repeat(32));
    let mut ledger = Ledger::default();
    running(&mut ledger, &run, &[1], None);
    running(&mut ledger, &zeros, &[2], None);
    for (path, owned) in [
        (format!("file:/ck/{run}/chk-1"), true),
        // Between two looks nobody saw it.
        (format!("s3://b/prod/{run}/chk-9"), true),
        (format!("s3://b/prod/{run}1/chk-9"), false),
        (format!("file:/ck/{zeros}/chk-2"), true),
        (format!("file:/ck/{zeros}/chk-9"), false),
    ] {
        assert_eq!(ledger.owns(&path), owned, "{path}");
    }
}
