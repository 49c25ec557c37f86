//! Distinct failures, absence and identity, one table row per way of being fooled.

use super::failures::{FailureCount, Testimony};
use super::*;
use crate::model::{
    Counters, Failure, JobState, Labels, RunId, RunObservation, Seen, SourceClock, TaskCounts, Ts,
};

const T0: i64 = 1_000_000_000;

fn failure(at: i64, attempt: i64) -> Failure {
    Failure {
        at,
        task: (attempt >= 0).then(|| format!("map (1/1) - execution #{attempt}")),
        class: "E".to_owned(),
        message: String::new(),
        frame: None,
        taskmanager: None,
        gave_up: false,
    }
}

/// One poll: (second, restart counter, attempts in the history newest first with their second,
/// truncated, died).
struct Poll<'a> {
    at: i64,
    restarts: Option<i64>,
    history: Option<&'a [(i64, i64)]>,
    truncated: bool,
    died: bool,
}

fn poll(at: i64, restarts: Option<i64>, history: Option<&[(i64, i64)]>) -> Poll<'_> {
    Poll { at, restarts, history, truncated: false, died: false }
}

fn hear(count: &mut FailureCount, poll: &Poll<'_>) -> u64 {
    let list: Option<Vec<Failure>> =
        poll.history.map(|h| h.iter().map(|(s, n)| failure(T0 + s * 1000, *n)).collect());
    let said = Testimony {
        restarts: poll.restarts,
        exceptions: list.as_deref().map_or(Seen::NotAsked, Seen::Fresh),
        truncated: poll.truncated,
        source_now: T0 + poll.at * 1000,
        died: poll.died,
        running: !poll.died,
        ..Testimony::default()
    };
    count.hear(Ts(T0 + poll.at * 1000), &said);
    count.total
}

fn told(mut count: FailureCount, polls: &[Poll<'_>]) -> Vec<u64> {
    polls.iter().map(|p| hear(&mut count, p)).collect()
}

#[test]
fn three_witnesses_of_one_failure_count_it_once() {
    let one: &[(i64, i64)] = &[(5, 0)];
    let polls = [
        poll(0, Some(0), Some(&[])),
        poll(10, Some(0), Some(one)),
        poll(20, Some(1), Some(one)),
        poll(30, Some(1), None),
    ];
    assert_eq!(told(FailureCount::from_start(), &polls), [0, 1, 1, 1]);
}

#[test]
fn restarts_shorter_than_the_poll_are_all_counted() {
    let first: &[(i64, i64)] = &[(9, 3), (7, 2), (4, 1), (2, 0)];
    let polls =
        [poll(0, Some(0), Some(&[])), poll(10, Some(0), Some(first)), poll(20, Some(4), None)];
    assert_eq!(told(FailureCount::from_start(), &polls), [0, 4, 4]);
}

#[test]
fn a_stale_counter_at_the_first_look_counts_nothing() {
    let polls = [
        poll(0, Some(11), Some(&[])),
        poll(10, Some(89), None),
        poll(20, Some(89), None),
        poll(30, Some(89), None),
    ];
    assert_eq!(told(FailureCount::found_running(T0), &polls), [0, 0, 0, 0]);
}

#[test]
fn rescales_restart_without_a_failure() {
    let none: &[(i64, i64)] = &[];
    let polls = [
        poll(0, Some(0), Some(none)),
        poll(10, Some(1), Some(none)),
        poll(20, Some(2), Some(none)),
        poll(30, Some(2), None),
        poll(40, Some(3), Some(&[(35, 2)])),
    ];
    assert_eq!(told(FailureCount::from_start(), &polls), [0, 0, 0, 0, 1]);
}

#[test]
fn the_counter_tells_what_the_history_lost() {
    // Thirty failures between two looks; the list has sixteen, the counter is a poll late.
    let list: Vec<(i64, i64)> = (0..16).map(|n| (30 - n, 29 - n)).collect();
    let plain: Vec<(i64, i64)> = list.iter().map(|(s, _)| (*s, -1)).collect();
    let more: Vec<(i64, i64)> = [(40, -1), (35, -1)].into_iter().chain(plain.clone()).collect();
    let truncated = |p| Poll { truncated: true, ..p };
    let polls = [
        poll(0, Some(0), Some(&[])),
        truncated(poll(30, Some(0), Some(&plain))),
        poll(60, Some(30), Some(&more[..16])),
        poll(90, Some(32), None),
        poll(120, Some(32), None),
        poll(150, Some(33), Some(&[(149, -1), (40, -1)])),
    ];
    assert_eq!(told(FailureCount::from_start(), &polls), [0, 16, 30, 32, 32, 33]);
    // With attempt numbers nothing has to be waited for.
    let polls = [poll(0, Some(0), Some(&[])), truncated(poll(30, Some(0), Some(&list)))];
    assert_eq!(told(FailureCount::from_start(), &polls), [0, 30]);
}

#[test]
fn the_end_is_one_failure_with_its_entry_or_without() {
    let dead = |p| Poll { died: true, ..p };
    let list: &[(i64, i64)] = &[(9, -1), (6, 1), (3, 0)];
    let polls =
        [poll(0, Some(0), Some(&[])), dead(poll(10, None, Some(list))), dead(poll(20, None, None))];
    assert_eq!(told(FailureCount::from_start(), &polls), [0, 3, 3]);
    let unread = [dead(poll(10, None, Some(&[]))), dead(poll(20, None, None))];
    assert_eq!(told(FailureCount::from_start(), &unread), [1, 1]);
}

#[test]
fn frozen_metrics_leave_the_exceptions_and_a_clock_set_back_changes_nothing() {
    let polls = [
        poll(0, Some(0), Some(&[])),
        poll(10, None, Some(&[(8, 0)])),
        poll(20, None, Some(&[(18, 1), (8, 0)])),
    ];
    assert_eq!(told(FailureCount::found_running(T0), &polls), [0, 1, 2]);
    let back = [
        poll(0, Some(0), Some(&[(-50, 0)])),
        poll(-3590, Some(0), Some(&[(-3592, 1), (-50, 0)])),
        poll(-3580, Some(0), Some(&[(-3581, 2), (-3592, 1), (-50, 0)])),
    ];
    assert_eq!(told(FailureCount::found_running(T0), &back), [0, 1, 2]);
}

fn run(id: &str, start: i64, state: JobState) -> RunObservation {
    let running = state == JobState::Running;
    RunObservation {
        key: JobKey::new("s", "", "", "orders"),
        name: "orders".to_owned(),
        cluster: "s".to_owned(),
        namespace: String::new(),
        flink_cluster: "s".to_owned(),
        flink_job_name: "orders".to_owned(),
        run: RunId { start_time: T0 + start * 1000, job_id: id.to_owned() },
        state,
        end_time: None,
        tasks: TaskCounts { total: 1, running: u32::from(running), ..TaskCounts::default() },
        last_modification: None,
        labels: Labels::default(),
        counters: Seen::Fresh(Counters { restarts: Some(0), ..Counters::default() }),
        failures: Seen::Fresh(Vec::new()),
        ..RunObservation::default()
    }
}

fn look(at: i64, runs: Vec<RunObservation>) -> (Time, Snapshot) {
    let now = T0 + at * 1000;
    let snapshot = Snapshot {
        completeness: Completeness::Complete,
        clock: Some(SourceClock { now, offset_ms: 0 }),
        runs,
        ..Snapshot::failed("s", "p", String::new(), false)
    };
    (Time::at(now), snapshot)
}

fn watch(looks: Vec<(Time, Snapshot)>) -> Tracker {
    let mut tracker = Tracker::default();
    for (time, snapshot) in looks {
        tracker.step(time, &snapshot);
    }
    tracker
}

fn orders(tracker: &Tracker) -> &JobTrack {
    tracker.job(&JobKey::new("s", "", "", "orders")).unwrap()
}

#[test]
fn absence_counts_after_a_complete_look_and_only_for_the_living() {
    use JobState::{Canceled, Failed, Finished, Running};
    for (name, before, missing) in [
        ("alive", vec![run("a", 1, Running)], true),
        ("dead", vec![run("a", 1, Failed)], false),
        ("cancelled", vec![run("a", 1, Canceled)], false),
        ("finished, restarted and lost", vec![run("a", 1, Finished), run("b", 2, Running)], true),
    ] {
        let tracker = watch(vec![look(0, before.clone()), look(10, vec![])]);
        assert_eq!(orders(&tracker).missing_since.is_some(), missing, "{name}");
        let failed = Snapshot::failed("s", "p", "no".to_owned(), false);
        let tracker = watch(vec![look(0, before.clone()), (Time::at(T0 + 10_000), failed)]);
        assert!(orders(&tracker).missing_since.is_none(), "{name}: silence");
        let (time, mut partial) = look(10, vec![]);
        partial.completeness = Completeness::Partial { reason: String::new() };
        let tracker = watch(vec![look(0, before), (time, partial)]);
        assert!(orders(&tracker).missing_since.is_none(), "{name}: partial");
        let key = JobKey::new("s", "", "", "orders");
        assert!(!tracker.job_facts(&key, time).unwrap().is_fresh(), "{name}: not seen, not fresh");
    }
    // The live run is gone although an older one that ended is still listed.
    let (old, new) = (run("a", 1, Finished), run("b", 2, Running));
    let tracker = watch(vec![look(0, vec![old.clone(), new.clone()]), look(10, vec![old.clone()])]);
    assert!(orders(&tracker).missing_since.is_some());
    let tracker = watch(vec![
        look(0, vec![old.clone(), new.clone()]),
        look(10, vec![old.clone()]),
        look(20, vec![old, new]),
    ]);
    assert!(orders(&tracker).missing_since.is_none(), "back again");
}

/// A platform that lists jobs is one thing, the Flink they run in another: each may be seen without
/// the other.
#[test]
fn without_a_listing_what_is_looked_at_is_fresh_and_nothing_is_missing() {
    let key = JobKey::new("s", "", "", "orders");
    let unlisted = |at, runs| {
        let (time, mut snapshot) = look(at, runs);
        let error = "no ResourceManager".to_owned();
        snapshot.completeness = Completeness::Unlisted { error, starting: false };
        (time, snapshot)
    };
    let alive = || vec![run("a", 1, JobState::Running)];
    for (name, runs, fresh) in [("looked at", alive(), true), ("not", vec![], false)] {
        let tracker = watch(vec![look(0, alive()), unlisted(10, runs)]);
        let facts = tracker.job_facts(&key, Time::at(T0 + 10_000)).unwrap();
        assert_eq!(facts.is_fresh(), fresh, "{name}");
        assert!(orders(&tracker).missing_since.is_none(), "{name}");
        let source = tracker.source("s").unwrap();
        assert!(!source.is_up() && source.error.is_some(), "{name}: somebody has to know");
    }
    let dead = run("a", 1, JobState::Failed);
    let tracker = watch(vec![look(0, alive()), unlisted(10, vec![dead])]);
    assert_eq!(orders(&tracker).state(), JobState::Failed, "news by another way");
    let tracker = watch(vec![unlisted(0, alive())]);
    assert!(tracker.source("s").unwrap().first_look.is_none());
}

#[test]
fn a_flink_nobody_could_look_into_has_lost_no_job() {
    let key = JobKey::new("s", "", "", "orders");
    let unseen = |at, runs| {
        let (time, mut snapshot) = look(at, runs);
        snapshot.clusters = vec![crate::model::ClusterObservation {
            flink_cluster: "s".to_owned(),
            unseen: Some("it hangs".to_owned()),
            ..crate::model::ClusterObservation::default()
        }];
        (time, snapshot)
    };
    let alive = || vec![run("a", 5, JobState::Running)];
    // What the platform shows of it, under an id of its own, takes nothing from what Flink told.
    for shown in [vec![], vec![run("application_1", 1, JobState::Running)]] {
        let looks = || vec![look(0, alive()), unseen(10, shown.clone())];
        let tracker = watch(looks());
        assert!(orders(&tracker).missing_since.is_none(), "{shown:?}");
        assert!(!tracker.job_facts(&key, Time::at(T0 + 10_000)).unwrap().is_fresh(), "{shown:?}");
        assert!(orders(&tracker).runs.iter().any(|run| run.id.job_id == "a"), "{shown:?}");
        let tracker = watch(looks().into_iter().chain([look(20, alive())]).collect());
        assert!(tracker.job_facts(&key, Time::at(T0 + 20_000)).unwrap().is_fresh());
        assert_eq!(orders(&tracker).runs.len(), 1, "{shown:?}");
        let tracker = watch(looks().into_iter().chain([look(20, vec![])]).collect());
        assert!(orders(&tracker).missing_since.is_some(), "now it is: {shown:?}");
    }
}

/// A platform that has just begun may list more later: what it shows to have ended has ended.
#[test]
fn the_jobmanager_of_the_next_application_is_no_successor() {
    use JobState::{Failed, Running};
    let noticed = |between: Vec<RunObservation>| {
        let mut looks = vec![(0, vec![run("a", 0, Running)], Some(50)), (10, between, None)];
        looks.extend((2..6).map(|n| (n * 10, vec![run("b", 15, Running)], Some(n))));
        let tracker = watch(
            looks
                .into_iter()
                .map(|(at, runs, cpu)| {
                    let (time, mut seen) = look(at, runs);
                    seen.completeness = Completeness::Partial { reason: String::new() };
                    let cluster = |cpu: i64| crate::model::ClusterObservation {
                        flink_cluster: "s".to_owned(),
                        jobmanager_cpu: Some(cpu * 1_000_000_000),
                        ..Default::default()
                    };
                    seen.clusters = cpu.map(cluster).into_iter().collect();
                    (time, seen)
                })
                .collect(),
        );
        let source = tracker.source("s").unwrap();
        source.jobmanagers.get("s").is_some_and(|known| known.restarted.is_some())
    };
    assert!(!noticed(vec![run("a", 0, Failed)]), "it ended");
    assert!(noticed(Vec::new()), "it was not listed for once");
}

#[test]
fn runs_follow_each_other_under_one_key() {
    use JobState::{Failed, Restarting, Running};
    // A JobManager failover: the same job id with a newer start, even in a partial look.
    let (time, mut partial) = look(10, vec![run("a", 9, Running)]);
    partial.completeness = Completeness::Partial { reason: String::new() };
    let tracker = watch(vec![look(0, vec![run("a", 1, Restarting)]), (time, partial)]);
    assert_eq!(orders(&tracker).state(), Running);
    assert_eq!(orders(&tracker).runs.len(), 1);
    // What a platform had a name of its own for is what its Flink shows later, even in a partial look.
    let partly = |at, runs| {
        let (time, mut seen) = look(at, runs);
        seen.completeness = Completeness::Partial { reason: String::new() };
        (time, seen)
    };
    let named = || run("application_17_2", 1, JobState::Created);
    let looks = [partly(0, vec![named()]), partly(10, vec![run("a", 3, Failed)])];
    let tracker = watch(looks.to_vec());
    assert_eq!((orders(&tracker).state(), orders(&tracker).runs.len()), (Failed, 1));
    let looks = [partly(0, vec![named()]), partly(10, vec![run("a", 0, Failed)])];
    assert_eq!(orders(&watch(looks.to_vec())).state(), JobState::Created, "an older one is not it");
    // Two at once: the worse state counts; a failed restore beside a live run is an event.
    let tracker = watch(vec![look(0, vec![run("a", 1, Running), run("b", 2, Restarting)])]);
    assert_eq!((orders(&tracker).state(), orders(&tracker).live_runs), (Restarting, 2));
    let tracker = watch(vec![look(0, vec![run("a", 1, Running), run("b", 2, Failed)])]);
    assert_eq!(orders(&tracker).state(), Running);
    // Superseded, then forgotten by Flink.
    let looks = vec![look(0, vec![run("a", 1, Failed)]), look(10, vec![run("b", 9, Running)])];
    let tracker = watch(looks);
    assert_eq!((orders(&tracker).state(), orders(&tracker).runs.len()), (Running, 1));
    let tracker = watch(vec![look(0, vec![run("a", 1, Failed)]), look(10, vec![])]);
    assert_eq!(orders(&tracker).state(), Failed, "a terminal run keeps its state");
}

#[test]
fn dead_before_the_first_look_counts_nothing_dead_after_it_counts() {
    let dead = |end: i64| RunObservation {
        end_time: Some(T0 + end * 1000),
        ..run("a", -500, JobState::Failed)
    };
    let tracker = watch(vec![look(0, vec![dead(-100)])]);
    assert_eq!(orders(&tracker).failures_total, 0);
    // Begun before the first look, not listed then, dead since.
    let tracker = watch(vec![look(0, vec![]), look(10, vec![dead(5)])]);
    assert_eq!(orders(&tracker).failures_total, 1);
    let tracker = watch(vec![look(0, vec![]), look(10, vec![run("a", 3, JobState::Failed)])]);
    assert_eq!(orders(&tracker).failures_total, 1);
}

#[test]
fn a_clock_an_hour_off_survives_a_restart_of_weir() {
    let (time, mut snapshot) = look(0, vec![run("a", 3601, JobState::Running)]);
    snapshot.clock = Some(SourceClock { now: T0 + 3_600_000, offset_ms: 3_600_000 });
    let mut tracker = Tracker::default();
    let folded = tracker.step(time, &snapshot);
    let mut loaded = Loaded::default();
    for change in folded.changes {
        match change {
            Change::Source { name, body } => loaded.sources.push((name, body)),
            Change::Job { key, body } => loaded.jobs.push((key, body)),
            _ => {}
        }
    }
    let tracker = Tracker::restore(&loaded);
    assert_eq!(tracker.source("s").unwrap().offset_ms, Some(3_600_000));
    assert_eq!(orders(&tracker).state(), JobState::Running);
}

#[test]
fn a_cluster_that_lost_all_its_jobs_is_one_thing() {
    let other =
        RunObservation { key: JobKey::new("s", "", "", "b"), ..run("b", 1, JobState::Running) };
    let both = vec![run("a", 1, JobState::Running), other];
    let tracker = watch(vec![look(0, both.clone()), look(10, vec![])]);
    assert_eq!(tracker.source("s").unwrap().emptied.get("s"), Some(&2));
    let tracker = watch(vec![look(0, both.clone()), look(10, vec![]), look(20, both)]);
    assert!(tracker.source("s").unwrap().emptied.is_empty());
}

#[test]
fn failures_of_more_runs_than_are_kept_count_once() {
    let dead = |n: i64| RunObservation {
        failures: Seen::Fresh(vec![failure(T0 + (n * 10 + 5) * 1000, 0)]),
        end_time: Some(T0 + (n * 10 + 5) * 1000),
        ..run(&n.to_string(), n * 10, JobState::Failed)
    };
    let mut looks = vec![look(0, vec![])];
    looks.extend((1..=12).map(|n| look(n * 10 + 8, (1..=n).rev().map(dead).collect())));
    // Flink lists all of them for an hour.
    looks.extend((0..5).map(|n| look(200 + n * 10, (1..=12).rev().map(dead).collect())));
    assert_eq!(orders(&watch(looks)).failures_total, 12);
}
