//! A run that several sources show, in every order.

use proptest::prelude::*;

use super::*;
use crate::model::{Completeness, Failure, Loaded, RunId, Seen, TaskCounts};

const ZEROS: &str = "00000000000000000000000000000000";

fn at(seconds: i64) -> Time {
    Time::at(seconds * 1_000)
}

/// `orders` as a source shows it: the platform names it by its deployment.
fn run(source: &str, id: &str, start: i64, state: JobState) -> RunObservation {
    let name = if source == "emr" { "orders-app" } else { "orders" };
    RunObservation {
        key: JobKey::new(source, "", "", name),
        name: name.to_owned(),
        cluster: source.to_owned(),
        flink_cluster: source.to_owned(),
        flink_job_name: "orders".to_owned(),
        run: RunId { start_time: start, job_id: id.to_owned() },
        state,
        tasks: TaskCounts { total: 1, running: 1, ..TaskCounts::default() },
        ..RunObservation::default()
    }
}

fn live(source: &str, id: &str) -> RunObservation {
    run(source, id, 5_000, JobState::Running)
}

fn failed(source: &str, id: &str, at: i64) -> RunObservation {
    let failure = Failure {
        at,
        task: None,
        class: "E".to_owned(),
        message: String::new(),
        frame: None,
        taskmanager: None,
        gave_up: true,
    };
    RunObservation {
        failures: Seen::Fresh(vec![failure]),
        tasks: TaskCounts { total: 1, failed: 1, ..TaskCounts::default() },
        ..run(source, id, 5_000, JobState::Failed)
    }
}

fn look(source: &str, runs: Vec<RunObservation>) -> Snapshot {
    Snapshot {
        completeness: Completeness::Complete,
        runs,
        ..Snapshot::failed(source, "test", String::new(), false)
    }
}

fn blind(source: &str) -> Snapshot {
    Snapshot::failed(source, "test", "connection refused".to_owned(), false)
}

/// `emr` is a platform; `prod` and `quick` are Flink.
fn tracker() -> Tracker {
    let mut tracker = Tracker::default();
    tracker.set_platforms(BTreeSet::from(["emr".to_owned()]));
    tracker
}

fn keys(tracker: &Tracker) -> Vec<&str> {
    tracker.jobs().map(|(key, _)| key.0.as_str()).collect()
}

fn app() -> JobKey {
    JobKey::new("emr", "", "", "orders-app")
}

fn said(tracker: &Tracker, key: &JobKey) -> Vec<(String, JobState)> {
    let job = tracker.job(key).unwrap();
    job.seen_by.iter().map(|seen| (seen.source.clone(), seen.state)).collect()
}

#[test]
fn what_a_platform_names_is_its_job_and_the_other_word_stands_beside() {
    let mut tracker = tracker();
    tracker.step(at(1), &look("emr", vec![live("emr", "a")]));
    let folded = tracker.step(at(2), &look("prod", vec![live("prod", "a"), live("prod", "b")]));
    assert_eq!(keys(&tracker), ["emr/orders-app"], "the job of the other id shares the name");
    assert_eq!(folded.twins, [app()], "it is shown anew");
    assert_eq!(said(&tracker, &app()), [("prod".to_owned(), JobState::Running)]);
    assert_eq!(tracker.twin_of(&JobKey::new("prod", "", "", "orders")), Some(&app()));
    let folded = tracker.step(at(12), &look("prod", vec![live("prod", "a")]));
    assert!(folded.twins.is_empty(), "nothing new was said");
    tracker.step(at(22), &look("prod", vec![run("prod", "a", 5_000, JobState::Failing)]));
    assert_eq!(said(&tracker, &app()), [("prod".to_owned(), JobState::Failing)]);
    assert_eq!(tracker.job(&app()).unwrap().state(), JobState::Running, "its own source sees it");
    // A word that is not repeated is forgotten.
    tracker.step(at(322), &look("emr", vec![live("emr", "a")]));
    tracker.step(at(323), &look("emr", vec![live("emr", "a")]));
    assert!(said(&tracker, &app()).is_empty());
}

#[test]
fn a_job_waits_for_the_platform_that_may_show_it() {
    let mut tracker = tracker();
    let folded = tracker.step(at(1), &look("prod", vec![live("prod", "a")]));
    assert!(folded.first_look && folded.jobs.is_empty());
    tracker.step(at(2), &look("emr", vec![live("emr", "a")]));
    let folded = tracker.step(at(11), &look("prod", vec![live("prod", "a")]));
    assert!(folded.forgotten.is_empty(), "nobody had heard of it");
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
}

/// Looks of the platform; when the job began, and when it is known.
type Case = (Vec<(i64, Snapshot)>, i64, i64);

#[test]
fn a_job_no_platform_shows_is_named_by_its_own_source() {
    let ok = || look("emr", Vec::new());
    let slow = || Snapshot { took_ms: 4_000, ..ok() };
    let cases: Vec<Case> = vec![
        (vec![(0, ok()), (25, ok())], 20, 31),
        // That look began before the job did.
        (vec![(0, ok()), (23, slow()), (35, ok())], 20, 41),
        (vec![(0, ok()), (25, blind("emr"))], 20, 31),
        (vec![(0, blind("emr"))], 20, 21),
        // It never answers again, and never fails.
        (vec![(0, ok())], 20, 81),
        // At the first look: what is older than the platform's look is not waited for, and nothing
        // is for long.
        (vec![(0, ok())], -9, 1),
        (vec![(0, ok())], 0, 11),
        (vec![], -9, 11),
    ];
    for (looks, begins, expected) in cases {
        let mut tracker = tracker();
        let mut known = None;
        for second in 0..100 {
            for (_, snapshot) in looks.iter().filter(|(at, _)| *at == second) {
                tracker.step(at(second), snapshot);
            }
            if second % 10 == 1 {
                let job = run("prod", "a", begins * 1_000, JobState::Running);
                let shown = if begins <= second { vec![job] } else { Vec::new() };
                tracker.step(at(second), &look("prod", shown));
                if tracker.job_count() == 1 {
                    known.get_or_insert(second);
                }
            }
        }
        assert_eq!(known, Some(expected), "{looks:?}, began at {begins}");
        let job = tracker.job(&JobKey::new("prod", "", "", "orders")).unwrap();
        assert_eq!(job.since_first_look, begins <= 1, "{looks:?}, began at {begins}");
    }
}

#[test]
fn without_a_platform_nobody_waits() {
    let mut tracker = Tracker::default();
    tracker.step(at(1), &look("prod", vec![live("prod", "a")]));
    assert_eq!(keys(&tracker), ["prod/orders"]);
}

#[test]
fn a_platform_takes_a_job_over_that_it_shows_late() {
    let mut tracker = tracker();
    tracker.step(at(0), &blind("emr"));
    tracker.step(at(1), &look("prod", vec![live("prod", "a")]));
    assert_eq!(keys(&tracker), ["prod/orders"]);
    let folded = tracker.step(at(2), &look("emr", vec![live("emr", "a")]));
    assert_eq!(folded.forgotten, [JobKey::new("prod", "", "", "orders")]);
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
    let rows = folded.changes.iter().filter(|c| matches!(c, Change::ForgetJob { .. }));
    assert_eq!(rows.count(), 1, "its row goes with it");
}

#[test]
fn a_job_its_source_cannot_see_is_seen_by_the_other() {
    let mut tracker = tracker();
    tracker.step(at(10), &look("emr", vec![live("emr", "a")]));
    tracker.step(at(11), &look("prod", vec![live("prod", "a")]));
    tracker.step(at(20), &blind("emr"));
    assert!(!tracker.job_facts(&app(), at(20)).unwrap().is_fresh());
    let folded = tracker.step(at(21), &look("prod", vec![failed("prod", "a", 15_000)]));
    assert!(folded.jobs.contains(&app()), "to be judged now");
    assert_eq!(folded.failures, 1);
    let facts = tracker.job_facts(&app(), at(21)).unwrap();
    assert!(facts.is_fresh());
    assert_eq!(facts.state(), Some(JobState::Failed));
    assert_eq!((facts.job.name.as_str(), facts.job.flink_cluster.as_str()), ("orders-app", "emr"));
    // When both are blind nobody knows.
    tracker.step(at(31), &blind("prod"));
    assert!(!tracker.job_facts(&app(), at(31)).unwrap().is_fresh());
    // And when its own source sees again, the failure is the one that was counted.
    let folded = tracker.step(at(40), &look("emr", vec![failed("emr", "a", 15_000)]));
    assert_eq!(folded.failures, 0);
    let job = tracker.job(&app()).unwrap();
    assert_eq!((job.failures_total, &job.eyes), (1, &None));
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
}

/// Two jobs of one Flink cluster that the platform stops to list, as a filter would have it.
#[test]
fn what_another_source_shows_is_not_missing() {
    let bills = |source: &str| RunObservation {
        key: JobKey::new(source, "", "", "bills"),
        name: "bills".to_owned(),
        flink_job_name: "bills".to_owned(),
        ..live(source, "b")
    };
    let both = |source: &str| vec![live(source, "a"), bills(source)];
    let mut tracker = tracker();
    tracker.step(at(10), &look("emr", both("emr")));
    tracker.step(at(11), &look("prod", both("prod")));
    for second in [20, 30, 40] {
        let here = at(second);
        for (time, snapshot) in
            [(here, look("emr", Vec::new())), (at(second + 1), look("prod", both("prod")))]
        {
            tracker.step(time, &snapshot);
            let facts = tracker.job_facts(&app(), time).unwrap();
            assert_eq!((facts.is_fresh(), facts.state()), (true, Some(JobState::Running)));
            assert!(!facts.cluster_emptied() && facts.job.healthy_since.is_some());
        }
    }
    let folded =
        tracker.step(at(51), &look("prod", vec![failed("prod", "a", 50_000), bills("prod")]));
    assert_eq!(folded.failures, 1, "its failure is told");
    tracker.step(at(61), &look("prod", vec![live("prod", "c")]));
    tracker.step(at(70), &look("emr", Vec::new()));
    let bills = JobKey::new("emr", "", "", "bills");
    assert!(tracker.job(&bills).unwrap().missing_since.is_some(), "nobody shows it");
}

#[test]
fn what_the_platform_called_it_before_flink_began_joins_nothing_apart() {
    let accepted = RunObservation {
        flink_job_name: "orders-app".to_owned(),
        tasks: TaskCounts::default(),
        ..run("emr", "application_1", 4_000, JobState::Created)
    };
    for id in ["a", ZEROS] {
        let mut tracker = tracker();
        tracker.step(at(4), &look("emr", vec![accepted.clone()]));
        tracker.step(at(6), &look("prod", vec![live("prod", id)]));
        tracker.step(at(14), &look("emr", vec![live("emr", id)]));
        tracker.step(at(16), &look("prod", vec![live("prod", id)]));
        assert_eq!(keys(&tracker), ["emr/orders-app"], "{id}");
    }
}

#[test]
fn a_job_in_trouble_keeps_its_name_until_that_is_over() {
    let prod = JobKey::new("prod", "", "", "orders");
    let mut tracker = tracker();
    tracker.step(at(0), &blind("emr"));
    tracker.step(at(1), &look("prod", vec![live("prod", "a")]));
    let in_trouble = |key: &JobKey| *key == prod;
    for second in [10, 20] {
        tracker.step_beside(at(second), &look("emr", vec![live("emr", "a")]), &in_trouble);
        tracker.step_beside(at(second + 1), &look("prod", vec![live("prod", "a")]), &in_trouble);
        assert_eq!(keys(&tracker), ["prod/orders"]);
    }
    assert_eq!(said(&tracker, &prod), [("emr".to_owned(), JobState::Running)]);
    tracker.step(at(30), &look("emr", vec![live("emr", "a")]));
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
}

#[test]
fn the_next_run_is_seen_too_while_its_own_source_is_blind() {
    let next = || run("prod", "b", 22_000, JobState::Running);
    for shown in [vec![failed("prod", "a", 15_000), next()], vec![next()]] {
        let mut tracker = tracker();
        tracker.step(at(10), &look("emr", vec![live("emr", "a")]));
        tracker.step(at(11), &look("prod", vec![live("prod", "a")]));
        tracker.step(at(20), &blind("emr"));
        tracker.step(at(21), &look("prod", vec![failed("prod", "a", 15_000)]));
        assert_eq!(tracker.job(&app()).unwrap().state(), JobState::Failed);
        tracker.step(at(31), &look("prod", shown));
        let facts = tracker.job_facts(&app(), at(31)).unwrap();
        assert_eq!((facts.is_fresh(), facts.state()), (true, Some(JobState::Running)));
        assert_eq!(keys(&tracker), ["emr/orders-app"]);
    }
}

#[test]
fn an_old_run_says_nothing_of_the_one_that_counts() {
    let mut tracker = tracker();
    let next = run("emr", "b", 12_000, JobState::Running);
    tracker.step(at(10), &look("emr", vec![live("emr", "a")]));
    tracker.step(at(11), &look("prod", vec![live("prod", "a")]));
    tracker.step(at(20), &look("emr", vec![failed("emr", "a", 11_500), next]));
    tracker.step(at(30), &blind("emr"));
    tracker.step(at(31), &look("prod", vec![failed("prod", "a", 11_500)]));
    assert!(!tracker.job_facts(&app(), at(31)).unwrap().is_fresh(), "nobody sees the new run");
}

#[test]
fn two_jobs_of_one_name_are_each_seen_by_their_own_run() {
    let job = |name: &str, id: &str| RunObservation {
        key: JobKey::new("emr", "", "", name),
        name: name.to_owned(),
        ..live("emr", id)
    };
    let mut tracker = tracker();
    tracker.step(at(10), &look("emr", vec![job("one", "a"), job("two", "b")]));
    let shown = || vec![live("prod", "a"), run("prod", "b", 5_000, JobState::Restarting)];
    tracker.step(at(11), &look("prod", shown()));
    assert_eq!(keys(&tracker), ["emr/one", "emr/two"]);
    tracker.step(at(20), &blind("emr"));
    tracker.step(at(21), &look("prod", shown()));
    for (name, state) in [("one", JobState::Running), ("two", JobState::Restarting)] {
        let key = JobKey::new("emr", "", "", name);
        assert_eq!(said(&tracker, &key), [("prod".to_owned(), state)]);
        let facts = tracker.job_facts(&key, at(21)).unwrap();
        assert_eq!((facts.is_fresh(), facts.state()), (true, Some(state)));
    }
    // And when nobody shows them any more, both are missed.
    tracker.step(at(31), &look("prod", Vec::new()));
    tracker.step(at(40), &look("emr", Vec::new()));
    for name in ["one", "two"] {
        let job = tracker.job(&JobKey::new("emr", "", "", name)).unwrap();
        assert!(job.missing_since.is_some(), "{name}");
    }
}

#[test]
fn the_next_run_of_a_twin_is_nobodys_until_the_platform_has_looked() {
    let mut tracker = tracker();
    tracker.step(at(1), &look("emr", vec![live("emr", "a")]));
    tracker.step(at(2), &look("prod", vec![live("prod", "a")]));
    let next = |source: &str| run(source, "b", 12_000, JobState::Running);
    tracker.step(at(12), &look("prod", vec![next("prod")]));
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
    // A cluster that lists the run before, too, tells that it is the same job.
    tracker.step(at(13), &look("prod", vec![live("prod", "a"), next("prod")]));
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
    tracker.step(at(21), &look("emr", vec![next("emr")]));
    tracker.step(at(22), &look("prod", vec![next("prod")]));
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
    assert_eq!(said(&tracker, &app()).len(), 1);
}

#[test]
fn jobs_that_only_look_alike_are_two() {
    let other = |run: RunObservation| RunObservation { flink_job_name: "bills".into(), ..run };
    for (theirs, ours) in [
        // Another run of that name.
        (live("emr", "a"), live("prod", "b")),
        // The id of the same job, another start: not the same run, or not yet.
        (live("emr", "a"), run("prod", "a", 6_000, JobState::Running)),
        // Two highly available applications that began in one millisecond.
        (live("emr", ZEROS), other(live("prod", ZEROS))),
    ] {
        let mut tracker = tracker();
        tracker.step(at(1), &look("emr", vec![theirs.clone()]));
        tracker.step(at(2), &look("prod", vec![ours.clone()]));
        tracker.step(at(11), &look("emr", vec![theirs]));
        tracker.step(at(12), &look("prod", vec![ours.clone()]));
        assert_eq!(keys(&tracker), ["emr/orders-app", "prod/orders"], "{ours:?}");
    }
}

#[test]
fn of_two_that_name_alike_the_first_goes_on() {
    for (first, second) in [("prod", "quick"), ("quick", "prod")] {
        let mut tracker = Tracker::default();
        let mut seconds = 0..;
        let mut step = |tracker: &mut Tracker, source: &str, id: &str| {
            let start = seconds.next().unwrap_or_default();
            let seen = run(source, id, 5_000, JobState::Running);
            tracker.step(at(start), &look(source, vec![seen]));
        };
        step(&mut tracker, first, "a");
        step(&mut tracker, second, "a");
        assert_eq!(keys(&tracker), [format!("{first}/orders")]);
        let key = JobKey::new(first, "", "", "orders");
        assert_eq!(said(&tracker, &key), [(second.to_owned(), JobState::Running)]);
    }
}

#[test]
fn after_a_restart_they_are_still_one() {
    let mut tracker = tracker();
    let mut rows = tracker.step(at(1), &look("emr", vec![live("emr", "a")])).changes;
    rows.extend(tracker.step(at(2), &look("prod", vec![live("prod", "a")])).changes);
    let mut loaded = Loaded::default();
    for row in rows {
        match row {
            Change::Job { key, body } => loaded.jobs.push((key, body)),
            Change::Source { name, body } => loaded.sources.push((name, body)),
            _ => {}
        }
    }
    let mut tracker = Tracker::restore(&loaded);
    tracker.set_platforms(BTreeSet::from(["emr".to_owned()]));
    let folded = tracker.step(at(60), &look("prod", vec![failed("prod", "a", 30_000)]));
    assert_eq!(keys(&tracker), ["emr/orders-app"]);
    // Nobody has seen it by its own source since.
    assert!(folded.jobs.contains(&app()));
    assert_eq!(tracker.job(&app()).unwrap().state(), JobState::Failed);
}

#[test]
fn what_is_retired_does_not_come_back_under_another_name() {
    let mut tracker = tracker();
    tracker.step(at(1), &look("emr", vec![failed("emr", "a", 1_000)]));
    tracker.step(at(2), &look("prod", vec![failed("prod", "a", 1_000)]));
    tracker.retire(at(3), &app());
    for second in [10, 20, 100] {
        tracker.step(at(second), &look("emr", vec![failed("emr", "a", 1_000)]));
        tracker.step(at(second + 2), &look("prod", vec![failed("prod", "a", 1_000)]));
        assert!(keys(&tracker).is_empty());
    }
    tracker.step(at(110), &look("prod", vec![run("prod", "b", 105_000, JobState::Running)]));
    tracker.step(at(120), &look("emr", Vec::new()));
    tracker.step(at(130), &look("prod", vec![run("prod", "b", 105_000, JobState::Running)]));
    assert_eq!(keys(&tracker), ["prod/orders"], "a new run is another story");
    // Of more ended runs than are remembered, some tell whose all of them are.
    let mut tracker = self::tracker();
    let many = |source: &str| {
        let one = |n: i64| run(source, &format!("a{n}"), n * 1_000, JobState::Failed);
        (1..=12).map(one).collect::<Vec<_>>()
    };
    tracker.step(at(20), &look("emr", many("emr")));
    tracker.retire(at(21), &app());
    tracker.step(at(22), &look("prod", many("prod")));
    assert!(keys(&tracker).is_empty());
}

#[test]
fn when_its_source_leaves_the_other_names_it() {
    let mut tracker = tracker();
    tracker.step(at(1), &look("emr", vec![live("emr", "a")]));
    tracker.step(at(2), &look("prod", vec![live("prod", "a")]));
    tracker.set_platforms(BTreeSet::new());
    tracker.retain_sources(&BTreeSet::from(["prod".to_owned()]));
    tracker.step(at(12), &look("prod", vec![live("prod", "a")]));
    assert_eq!(keys(&tracker), ["prod/orders"]);
    // And of one that leaves while it names nothing, nothing is left.
    let mut tracker = self::tracker();
    tracker.step(at(1), &look("emr", vec![live("emr", "a")]));
    tracker.step(at(2), &look("prod", vec![live("prod", "a")]));
    tracker.retain_sources(&BTreeSet::from(["emr".to_owned()]));
    assert!(said(&tracker, &app()).is_empty());
}

/// A source, and the runs it shows: id, start, whether it lives. `None`: it is blind.
type Looked = (usize, Option<Vec<(usize, i64, bool)>>);

fn any_look() -> impl Strategy<Value = Looked> {
    let runs = prop::collection::vec((0..3_usize, 1..3_i64, any::<bool>()), 0..4);
    (0..3_usize, prop::option::weighted(0.8, runs))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is shown in whatever order: a run that lives is one job's.
    #[test]
    fn no_run_is_ever_two_jobs(looks in prop::collection::vec(any_look(), 1..24)) {
        let mut tracker = tracker();
        // What has ended does not live again.
        let mut ended = BTreeSet::new();
        for (n, (source, runs)) in looks.into_iter().enumerate() {
            let source = ["emr", "prod", "quick"][source];
            let mut shown = |(id, start, lives): (usize, i64, bool)| {
                if !lives {
                    ended.insert((source, id, start));
                }
                let state = if lives && !ended.contains(&(source, id, start)) { JobState::Running } else { JobState::Canceled };
                run(source, ["a", "b", ZEROS][id], start * 1_000, state)
            };
            let snapshot = match runs {
                Some(runs) => look(source, runs.into_iter().map(&mut shown).collect()),
                None => blind(source),
            };
            let time = at(5 * i64::try_from(n).unwrap());
            let folded = tracker.step(time, &snapshot);
            let mut seen: BTreeMap<&RunId, &JobKey> = BTreeMap::new();
            for (key, job) in tracker.jobs() {
                for live in job.runs.iter().filter(|run| run.listed && run.state.is_live()) {
                    let before = seen.insert(&live.id, key);
                    prop_assert!(before.is_none(), "{before:?} and {key} are both {:?}", live.id);
                }
            }
            for key in folded.jobs {
                prop_assert!(tracker.job(&key).is_some(), "{key} is to be judged and unknown");
            }
        }
    }
}
