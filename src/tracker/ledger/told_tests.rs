use super::super::path::number_in;
use super::*;
use crate::model::{
    CheckpointStats, CheckpointSummary, JobState, RunId, RunObservation, Seen, TaskCounts,
};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccc";

fn path(run: &str, id: u64) -> String {
    format!("s3://b/ck/{run}/chk-{id}")
}

/// A run as Flink shows it, begun at `began`, with checkpoints that completed at these times.
fn shown(
    run: &str,
    began: i64,
    done: &[(u64, i64)],
    from: Option<(u64, String)>,
) -> RunObservation {
    let summary = |(id, at): &(u64, i64)| CheckpointSummary {
        id: *id,
        ended_at: Some(*at),
        path: Some(path(run, *id)),
        ..CheckpointSummary::default()
    };
    let restored_from = from.map(|(id, path)| CheckpointSummary {
        id,
        path: Some(path),
        ..CheckpointSummary::default()
    });
    RunObservation {
        run: RunId { start_time: began, job_id: run.to_owned() },
        state: JobState::Running,
        tasks: TaskCounts { total: 1, running: 1, ..TaskCounts::default() },
        checkpoints: Seen::Fresh(CheckpointStats {
            restored_from,
            recent_completed: done.iter().map(summary).collect(),
            retained_on_failure: Some(true),
            retained_on_cancel: Some(false),
            ..CheckpointStats::default()
        }),
        ..RunObservation::default()
    }
}

fn hear(ledger: &mut Ledger, seen: &RunObservation) {
    ledger.hear(seen, Ts(9_000_000), &Ts);
}

fn tell(ledger: &mut Ledger, rows: &[(String, i64)]) {
    let row = |(path, at): &'_ (String, i64)| (number_in(path), path.clone(), Ts(*at));
    let rows: Vec<_> = rows.iter().map(row).collect();
    let rows: Vec<Told<'_>> = rows
        .iter()
        .map(|(id, path, at)| {
            let savepoint = path.contains("/savepoint-");
            Told { id: *id, path, savepoint, at: *at, sure: true }
        })
        .collect();
    ledger.told("sp", &rows, &mut |_| true);
}

fn offered(ledger: &Ledger) -> Vec<String> {
    let offered = ledger.candidates().into_iter().filter(|e| e.standing != Standing::Gone);
    offered.map(|entry| entry.path.clone()).collect()
}

#[test]
fn a_row_says_that_there_was_one_not_that_it_is() {
    let mut ledger = Ledger::default();
    tell(&mut ledger, &[(path(A, 7), 700)]);
    let told = ledger.entries[0].clone();
    assert_eq!((told.standing, told.told_by.as_deref()), (Standing::Maybe, Some("sp")));
    assert_eq!((told.run.as_str(), told.completed_at), (A, Some(Ts(700))));
    assert_eq!(offered(&ledger), [path(A, 7)]);
    // Told again, it is the same, and no other spelling makes it two.
    ledger.dirty = false;
    tell(&mut ledger, &[(path(A, 7), 700)]);
    tell(&mut ledger, &[(path(A, 7).replace("s3:", "s3a:") + "/", 700)]);
    assert!(!ledger.dirty && ledger.entries.len() == 1);
    // Somebody looked.
    ledger.checked(&path(A, 7), false);
    tell(&mut ledger, &[(path(A, 7), 700)]);
    assert_eq!(offered(&ledger), [""; 0]);
}

#[test]
fn what_flink_shows_counts_more() {
    let mut ledger = Ledger::default();
    tell(&mut ledger, &[(path(A, 7), 690), (path(A, 6), 590)]);
    hear(&mut ledger, &shown(A, 10, &[(7, 700)], None));
    let of = |ledger: &Ledger, id| ledger.named(&format!("chk-{id}")).unwrap().clone();
    let seven = of(&ledger, 7);
    assert_eq!((seven.standing, seven.told_by), (Standing::Restorable, None));
    assert_eq!(seven.completed_at, Some(Ts(700)));
    assert_eq!(of(&ledger, 6).told_by.as_deref(), Some("sp"));
    tell(&mut ledger, &[(path(A, 7), 690)]);
    assert_eq!(of(&ledger, 7).completed_at, Some(Ts(700)), "its own time");
    // What Flink says is deleted is, however often it is told of.
    let mut gone = shown(A, 10, &[(6, 600)], None);
    if let Seen::Fresh(stats) = &mut gone.checkpoints {
        stats.recent_completed[0].discarded = true;
    }
    hear(&mut ledger, &gone);
    tell(&mut ledger, &[(path(A, 6), 590)]);
    assert_eq!(offered(&ledger), [path(A, 7)]);
}

#[test]
fn what_a_person_went_back_to_stays_whoever_tells_of_newer_ones() {
    let mut ledger = Ledger::default();
    hear(&mut ledger, &shown(A, 10, &[(1, 100), (2, 200)], None));
    // Somebody started it again from chk-1, at 300.
    let back = shown(B, 300, &[], Some((1, path(A, 1))));
    hear(&mut ledger, &back);
    tell(&mut ledger, &[(path(A, 3), 250), (path(A, 2), 195)]);
    assert_eq!(offered(&ledger), [path(A, 1)], "of the run that was given up");
    // A run Weir never saw, between the two: given up as well.
    tell(&mut ledger, &[(path(C, 4), 290)]);
    assert_eq!(offered(&ledger), [path(A, 1)]);
    // What the new run itself wrote is not.
    tell(&mut ledger, &[(path(B, 5), 400)]);
    assert_eq!(offered(&ledger), [path(B, 5), path(A, 1)]);
}

#[test]
fn a_run_nobody_saw_finds_its_place_by_its_time() {
    let mut ledger = Ledger::default();
    hear(&mut ledger, &shown(A, 10, &[(1, 100)], None));
    // Weir was away: StreamPark started it again meanwhile.
    tell(&mut ledger, &[(path(C, 9), 300), (path(C, 8), 250)]);
    assert_eq!(offered(&ledger), [path(C, 9), path(C, 8), path(A, 1)]);
    // Then it sees the next one, which has nothing of its own yet.
    let mut next = shown(B, 500, &[], None);
    next.checkpoints = Seen::NotAsked;
    hear(&mut ledger, &next);
    assert_eq!(offered(&ledger)[0], path(C, 9));
    let runs: Vec<&str> = ledger.runs.iter().map(|wrote| wrote.run.as_str()).collect();
    assert_eq!(runs, [A, C, B]);
    // One from before all that is known comes last, without a place among the runs.
    let mut ledger = Ledger::default();
    hear(&mut ledger, &shown(B, 500, &[(4, 600)], None));
    if let Some(wrote) = ledger.runs.first_mut() {
        wrote.origin = super::super::Origin::Unknown;
    }
    tell(&mut ledger, &[(path(A, 9), 300)]);
    assert_eq!(offered(&ledger), [path(B, 4), path(A, 9)]);
    assert_eq!(ledger.runs.len(), 1);
}

#[test]
fn what_may_be_older_than_it_seems_is_offered_last() {
    let mut ledger = Ledger::default();
    hear(&mut ledger, &shown(A, 10, &[(1, 100)], None));
    if let Some(wrote) = ledger.runs.first_mut() {
        wrote.origin = super::super::Origin::Unknown;
    }
    let path = path(C, 9);
    let row = Told { id: Some(9), path: &path, savepoint: false, at: Ts(300), sure: false };
    ledger.told("sp", &[row], &mut |_| true);
    assert_eq!(offered(&ledger), [self::path(A, 1), path]);
}

#[test]
fn a_lower_number_of_a_run_is_older_whatever_its_time_seems() {
    let mut ledger = Ledger::default();
    hear(&mut ledger, &shown(A, 10, &[(5, 500)], None));
    tell(&mut ledger, &[(path(A, 4), 2_000)]);
    assert_eq!(offered(&ledger), [path(A, 5), path(A, 4)]);
}

#[test]
fn what_a_run_deleted_at_its_end_is_not_taken() {
    let mut ledger = Ledger::default();
    hear(&mut ledger, &shown(A, 10, &[(1, 100)], None));
    hear(&mut ledger, &RunObservation { state: JobState::Canceled, ..shown(A, 10, &[], None) });
    let savepoint = "s3://b/sp/savepoint-aaaaaa-0123456789ab".to_owned();
    tell(&mut ledger, &[(path(A, 2), 200), (savepoint.clone(), 250)]);
    assert_eq!(offered(&ledger), [savepoint], "a cancel deletes checkpoints, not savepoints");
    assert_eq!(ledger.named("chk-2"), None);
    let of_run = ledger.entries.iter().find(|entry| entry.savepoint).unwrap();
    assert_eq!(of_run.run, A, "by the digits in its name");
}

#[test]
fn it_is_bounded_and_settles() {
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        hear(&mut ledger, &shown(A, 10, &[(1, 100), (2, 200), (3, 300)], None));
    }
    let rows: Vec<_> = (0..40).map(|n| (path(C, n), 1_000 + n.cast_signed())).collect();
    tell(&mut ledger, &rows);
    assert_eq!(ledger.entries.len(), MAX_PERIODIC);
    assert_eq!(offered(&ledger)[0], path(C, 39));
    assert!(ledger.has(&path(A, 3)), "Flink's own are not driven out");
    ledger.dirty = false;
    for _ in 0..3 {
        tell(&mut ledger, &rows);
        hear(&mut ledger, &shown(A, 10, &[(1, 100), (2, 200), (3, 300)], None));
    }
    assert!(!ledger.dirty, "the same again changes nothing");
    // A full ledger has a place for the newest of all, and for no other.
    let full: Vec<_> = (10_u64..16).map(|n| (n, 5_000 + n.cast_signed())).collect();
    for _ in 0..2 {
        hear(&mut ledger, &shown(B, 4_000, &full, None));
    }
    ledger.dirty = false;
    tell(&mut ledger, &rows);
    tell(&mut ledger, &[(path(B, 12), 5_011)]);
    assert!(!ledger.dirty && ledger.entries.len() == MAX_PERIODIC);
    tell(&mut ledger, &[(path(B, 17), 6_000), (path(B, 16), 5_900)]);
    assert_eq!(offered(&ledger)[0], path(B, 17));
    ledger.dirty = false;
    tell(&mut ledger, &[(path(B, 17), 6_000), (path(B, 16), 5_900)]);
    assert!(!ledger.dirty && ledger.entries.len() == MAX_PERIODIC);
}

#[test]
fn another_jobs_path_is_not_taken() {
    let mut ledger = Ledger::default();
    let (theirs, own) = (path(A, 1), path(B, 1));
    let row = |path| Told { id: Some(1), path, savepoint: false, at: Ts(1), sure: true };
    ledger.told("sp", &[row(&theirs), row(&own)], &mut |path| path != theirs);
    assert_eq!(offered(&ledger), [own]);
}

#[test]
fn a_ledger_of_an_older_weir_reads_and_this_one_reads_back() {
    let old = r#"{"entries":[{"id":1,"path":"s3://b/ck/x/chk-1","savepoint":false,"completed_at":5,
        "run":"x","standing":"maybe"}],"runs":[{"run":"x","origin":"unknown","ran":true,
        "on_failure":true,"on_cancel":null,"ended":null}]}"#;
    let mut ledger: Ledger = serde_json::from_str(old).unwrap();
    assert_eq!(ledger.entries[0].told_by, None);
    tell(&mut ledger, &[(path(A, 7), 700)]);
    let row = ledger.take_row(Ts(0)).unwrap();
    let read: Ledger = serde_json::from_str(&row).unwrap();
    assert_eq!((&read.entries, &read.runs), (&ledger.entries, &ledger.runs));
}
