use super::*;
use crate::model::{
    Change, CheckpointStats, CheckpointSummary, Completeness, DeployMode, InventoryEntry, JobKey,
    JobState, Loaded, RunId, RunObservation, Seen, Snapshot, TaskCounts,
};

const HOUR: i64 = 4 * QUARTER_MS;
/// 2023-11-14, a full quarter of an hour.
const DAY: i64 = 1_699_999_200_000;
const OLD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn now(ms: i64) -> Time {
    Time { steady: Ts(ms), wall: Ts(DAY + ms) }
}

fn path(run: &str, id: u64) -> String {
    format!("hdfs://nn/ck/{run}/chk-{id}")
}

fn run_of(name: &str) -> String {
    format!("{name:0<32}").replace(|c: char| !c.is_ascii_hexdigit(), "d")
}

/// Running jobs, each with these completed checkpoints.
fn platform(names: &[&str], done: &[(u64, i64)]) -> Snapshot {
    let run = |name: &&str| {
        let id = run_of(name);
        let summary = |(number, at): &(u64, i64)| CheckpointSummary {
            id: *number,
            ended_at: Some(DAY + at),
            path: Some(path(&id, *number)),
            ..CheckpointSummary::default()
        };
        RunObservation {
            key: JobKey::new("prod", "", "", name),
            name: (*name).to_owned(),
            cluster: "prod".to_owned(),
            flink_cluster: (*name).to_owned(),
            flink_job_name: (*name).to_owned(),
            run: RunId { start_time: DAY, job_id: id.clone() },
            state: JobState::Running,
            tasks: TaskCounts { total: 1, running: 1, ..TaskCounts::default() },
            checkpoints: Seen::Fresh(CheckpointStats {
                recent_completed: done.iter().map(summary).collect(),
                ..CheckpointStats::default()
            }),
            ..RunObservation::default()
        }
    };
    Snapshot {
        completeness: Completeness::Complete,
        runs: names.iter().map(run).collect(),
        ..Snapshot::failed("prod", "t", String::new(), false)
    }
}

/// Entries by name and Flink's id of the last run, and rows (name, path, local time).
fn inventory(entries: &[(&str, &str)], rows: &[(&str, String, i64)]) -> Snapshot {
    let entry = |(name, job_id): &(&str, &str)| InventoryEntry {
        id: format!("10-{name}"),
        name: (*name).to_owned(),
        mode: DeployMode::YarnSession,
        job_id: Some((*job_id).to_owned()).filter(|id| !id.is_empty()),
        ..InventoryEntry::default()
    };
    let row = |(name, path, at): &(&str, String, i64)| InventoryCheckpoint {
        entry: format!("10-{name}"),
        id: path.rsplit_once("chk-").and_then(|(_, id)| id.parse().ok()),
        path: path.clone(),
        savepoint: false,
        local_ms: Some(DAY + at),
    };
    Snapshot {
        completeness: Completeness::Complete,
        inventory: entries.iter().map(entry).collect(),
        recorded: rows.iter().map(row).collect(),
        ..Snapshot::failed("sp", "t", String::new(), false)
    }
}

/// What a job has on hearsay: path, and ms since the day began.
fn told(tracker: &Tracker, name: &str) -> Vec<(String, i64)> {
    let Some(ledger) = tracker.ledger(&JobKey::new("prod", "", "", name)) else {
        return Vec::new();
    };
    let told = ledger.entries().filter(|entry| entry.told_by.as_deref() == Some("sp"));
    told.map(|entry| (entry.path.clone(), entry.completed_at.unwrap().0 - DAY)).collect()
}

#[test]
fn the_zone_of_a_table_shows() {
    let hours = |hours: i64| Ts(DAY + hours * HOUR);
    let local = |hours: i64, ms: i64| DAY + hours * HOUR + ms;
    let both = |local: i64, wall: Ts| [(local, wall)].into_iter();
    for (both, newest, now, expected) in [
        // Triggered some seconds before it completed, or by a clock that is a little ahead.
        (Some((local(10, -3_000), hours(2))), local(10, -3_000), hours(2), 8 * HOUR),
        (Some((local(10, 20_000), hours(2))), local(10, 20_000), hours(3), 8 * HOUR),
        (Some((local(2, -700_000), hours(2))), local(2, 0), hours(2), 0),
        (Some((local(2, -3_000), hours(7))), local(2, 0), hours(7), -5 * HOUR),
        (
            Some((local(8, -3_000), Ts(DAY + 9 * QUARTER_MS))),
            local(8, 0),
            hours(3),
            23 * QUARTER_MS,
        ),
    ] {
        let (local, wall) = both.unwrap();
        let found = zone([(local, wall)].into_iter(), Some(newest), now);
        assert_eq!(found, Zone { ms: expected, sure: true }, "{local} {newest}");
    }
    // One of several took half an hour; one is of the time before the clock was put back.
    let several =
        [(local(10, -1_800_000), hours(2)), (local(9, 0), hours(1)), (local(-40, 0), hours(-49))];
    let found = zone(several.into_iter(), Some(local(10, 0)), hours(5));
    assert_eq!(found, Zone { ms: 8 * HOUR, sure: true });
    // Without Flink's word: no row is of the future, and that is all that is known.
    let none = || std::iter::empty();
    let found = zone(none(), Some(local(10, -40_000)), hours(2));
    assert_eq!(found, Zone { ms: 8 * HOUR, sure: false });
    let found = zone(none(), Some(local(10, 0)), hours(5));
    assert_eq!(found, Zone { ms: 5 * HOUR, sure: false });
    assert_eq!(zone(none(), None, hours(5)), Zone { ms: 0, sure: false });
    assert_eq!(zone(none(), Some(local(1, 0)), hours(900)).ms, ZONES[0]);
    // A checkpoint that took half an hour: what is known of the newest row counts too.
    let slow = both(local(10, -1_800_000), hours(2));
    assert_eq!(zone(slow, Some(local(10, 0)), hours(2)).ms, 8 * HOUR);
}

#[test]
fn a_job_is_given_what_was_recorded_of_it_at_its_own_time() {
    let mut tracker = Tracker::default();
    let id = run_of("orders");
    tracker.step(now(HOUR), &platform(&["orders"], &[(7, HOUR - 1_000)]));
    // The table is eight hours ahead.
    let rows = [
        ("orders", path(&id, 7), 9 * HOUR - 3_000),
        ("orders", path(OLD, 3), 7 * HOUR),
        ("clicks", path(&run_of("clicks"), 1), 9 * HOUR),
    ];
    let folded = tracker.step(now(HOUR + 31_000), &inventory(&[("orders", &id)], &rows));
    assert_eq!(told(&tracker, "orders"), [(path(OLD, 3), -HOUR)]);
    assert!(folded.changes.iter().any(|change| matches!(change, Change::Meta { .. })));
    // One path, one entry: Flink's.
    let key = JobKey::new("prod", "", "", "orders");
    assert_eq!(tracker.ledger(&key).unwrap().entries().count(), 2);
    // A process that comes after this one knows it, and a look that is the same writes nothing.
    let again = tracker.step(now(HOUR + 90_000), &inventory(&[("orders", &id)], &rows));
    assert!(again.changes.is_empty(), "{:?}", again.changes);
    let meta = |change: &Change| match change {
        Change::Meta { key, value } => Some((key.clone(), value.clone())),
        _ => None,
    };
    let loaded =
        Loaded { meta: folded.changes.iter().filter_map(meta).collect(), ..Loaded::default() };
    assert_eq!(told(&Tracker::restore(&loaded), "orders").len(), 1);
}

#[test]
fn an_inventory_that_was_heard_first_tells_of_jobs_that_come_later() {
    let mut tracker = Tracker::default();
    let id = run_of("orders");
    let rows = [("orders", path(OLD, 3), 30_000)];
    tracker.step(now(HOUR), &inventory(&[("orders", &id)], &rows));
    assert_eq!(told(&tracker, "orders"), []);
    tracker.step(now(HOUR), &platform(&["orders"], &[]));
    // No more is known of its time than that no row is of the future.
    assert_eq!(told(&tracker, "orders"), [(path(OLD, 3), 30_000 + HOUR)]);
}

#[test]
fn a_name_alone_is_no_proof_and_a_path_has_one_owner() {
    let mut tracker = Tracker::default();
    tracker.step(now(HOUR), &platform(&["orders", "clicks"], &[(7, HOUR - 1_000)]));
    let (orders, clicks) = (run_of("orders"), run_of("clicks"));
    // Known by name alone.
    let rows = [("orders", path(OLD, 3), HOUR)];
    tracker.step(now(HOUR), &inventory(&[("orders", "")], &rows));
    assert_eq!(told(&tracker, "orders"), []);
    // Known by its run, with a path that Flink has shown of another job.
    let rows = [
        ("orders", path(&clicks, 7), HOUR),
        ("orders", path(OLD, 3), HOUR),
        ("clicks", path(OLD, 3), HOUR),
    ];
    let both = [("orders", orders.as_str()), ("clicks", clicks.as_str())];
    tracker.step(now(HOUR), &inventory(&both, &rows));
    let all = [told(&tracker, "orders"), told(&tracker, "clicks")].concat();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].0, path(OLD, 3));
}
