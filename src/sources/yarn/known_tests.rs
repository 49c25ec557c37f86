use super::*;
use crate::model::{Completeness, Failure, JobKey};

use super::super::app::{Outcome, State};

const START: i64 = 1_000_000;

fn app(state: State, outcome: Outcome) -> App {
    App {
        id: "application_9_1".to_owned(),
        name: "orders".to_owned(),
        user: "flink".to_owned(),
        queue: "root.prod".to_owned(),
        state,
        outcome,
        started: START,
        ..App::default()
    }
}

fn running() -> App {
    app(State::Running, Outcome::Undefined)
}

fn turn() -> Turn<'static> {
    Turn { cluster: "emr", ui: "http://rm", steady: true, metrics: None, now: Ts(0) }
}

/// A run as a look of Flink's own source shows it.
fn flink(job: &str, id: &str, state: JobState) -> RunObservation {
    RunObservation {
        key: JobKey::new("emr", "", "", job),
        name: job.to_owned(),
        cluster: "emr".to_owned(),
        flink_cluster: "emr".to_owned(),
        flink_job_name: job.to_owned(),
        run: RunId { start_time: START + 5_000, job_id: id.to_owned() },
        state,
        tasks: TaskCounts { total: 2, running: 2, ..TaskCounts::default() },
        lag: Seen::Unknown,
        ..RunObservation::default()
    }
}

fn said(runs: Vec<RunObservation>, target: &str) -> Answer {
    let snapshot = Snapshot {
        completeness: Completeness::Complete,
        clusters: vec![ClusterObservation {
            flink_cluster: "emr".to_owned(),
            taskmanagers: Some(1),
            ..ClusterObservation::default()
        }],
        runs,
        ..Snapshot::failed("emr", "t", String::new(), false)
    };
    let target = Some(target.to_owned()).filter(|target| !target.is_empty());
    Answer::Flink(Box::new(snapshot), Some(Ok(target)))
}

fn silent() -> Answer {
    Answer::Silent("connection refused".to_owned())
}

/// Key, job id and state of each run.
fn seen(shown: &Shown) -> Vec<(&str, &str, JobState)> {
    shown.runs.iter().map(|r| (r.key.0.as_str(), r.run.job_id.as_str(), r.state)).collect()
}

/// An application whose job was seen running.
fn watched() -> Known {
    let mut known = Known::new(running());
    let shown = known.show(
        said(vec![flink("insert-into", "f1", JobState::Running)], "yarn-application"),
        turn(),
    );
    assert_eq!(seen(&shown), [("emr/orders", "f1", JobState::Running)]);
    known
}

#[test]
fn the_job_of_an_application_has_its_name_and_yarns_labels() {
    let mut known = Known::new(running());
    let shown = known
        .show(said(vec![flink("insert-into", "f1", JobState::Running)], "yarn-per-job"), turn());
    let [run] = &shown.runs[..] else { panic!("{shown:?}") };
    assert_eq!((run.name.as_str(), run.flink_cluster.as_str()), ("orders", "orders"));
    assert_eq!(run.flink_job_name, "insert-into");
    assert_eq!((run.labels.get("yarn_user"), run.labels.get("yarn_queue")), ("flink", "root.prod"));
    assert_eq!(shown.clusters[0].flink_cluster, "orders");
    assert_eq!(shown.clusters[0].taskmanagers, Some(1));
}

#[test]
fn the_jobs_of_a_session_keep_their_names() {
    let mut known = Known::new(running());
    let runs = vec![flink("a", "f1", JobState::Running), flink("b", "f2", JobState::Failed)];
    let shown = known.show(said(runs, "yarn-session"), turn());
    let expected =
        [("emr/orders/a", "f1", JobState::Running), ("emr/orders/b", "f2", JobState::Failed)];
    assert_eq!(seen(&shown), expected);
    assert!(shown.runs.iter().all(|run| run.flink_cluster == "orders"));
    assert!(known.is_session());
}

#[test]
fn how_it_ended_is_told_of_the_run_flink_told_of() {
    for (state, outcome, expected) in [
        (State::Finished, Outcome::Failed, JobState::Failed),
        (State::Failed, Outcome::Failed, JobState::Failed),
        (State::Finished, Outcome::Killed, JobState::Canceled),
        (State::Killed, Outcome::Killed, JobState::Canceled),
        (State::Finished, Outcome::Succeeded, JobState::Finished),
    ] {
        let mut known = watched();
        known.update(App {
            finished: Some(START + 60_000),
            diagnostics: "java.io.IOException: disk gone".to_owned(),
            ..app(state, outcome)
        });
        for _ in 0..2 {
            let shown = known.show(Answer::NotYet, turn());
            assert_eq!(seen(&shown), [("emr/orders", "f1", expected)], "{state:?} {outcome:?}");
            let run = &shown.runs[0];
            assert_eq!((run.end_time, run.tasks.total), (Some(START + 60_000), 2));
            let why = run.failures.fresh().and_then(|list| list.first());
            let why = why.map(|failure| failure.class.as_str());
            let failed = expected == JobState::Failed;
            assert_eq!(why, failed.then_some("java.io.IOException"));
        }
    }
}

#[test]
fn what_flink_said_of_its_end_counts_more_than_yarns_word() {
    let failure = Failure {
        at: START + 50_000,
        task: None,
        class: "x.Poison".to_owned(),
        message: "bad".to_owned(),
        frame: None,
        taskmanager: None,
        gave_up: true,
    };
    let dead = RunObservation {
        failures: Seen::Fresh(vec![failure]),
        end_time: Some(START + 51_000),
        ..flink("insert-into", "f1", JobState::Failed)
    };
    let mut known = watched();
    known.show(said(vec![dead], "yarn-application"), turn());
    known.update(App {
        finished: Some(START + 60_000),
        diagnostics: "java.io.IOException: what YARN says".to_owned(),
        ..app(State::Finished, Outcome::Failed)
    });
    let shown = known.show(Answer::NotYet, turn());
    let run = &shown.runs[0];
    assert_eq!((run.state, run.end_time), (JobState::Failed, Some(START + 51_000)));
    assert_eq!(run.failures.fresh().unwrap()[0].class, "x.Poison");
}

#[test]
fn one_that_failed_before_flink_answered_is_told_by_its_name() {
    let mut known = Known::new(App {
        finished: Some(START + 20_000),
        diagnostics:
            "Application x failed 1 times due to AM Container for y exited with exitCode: 1"
                .to_owned(),
        ..app(State::Failed, Outcome::Failed)
    });
    let shown = known.show(Answer::NotYet, turn());
    assert_eq!(seen(&shown), [("emr/orders", "application_9_1", JobState::Failed)]);
    let run = &shown.runs[0];
    assert_eq!((run.run.start_time, run.tasks.total), (START, 0), "it never ran");
    assert!(run.failures.fresh().unwrap()[0].message.contains("exited with 1"));
    // What lasted for hours did, and is newer than any run known from before.
    let old = App { finished: Some(START + 7_200_000), ..known.app.clone() };
    let shown = Known::new(old).show(Answer::NotYet, turn());
    let run = &shown.runs[0];
    assert_eq!((run.run.start_time, run.tasks.total), (START + 7_200_000, 1));
    // The same of one that was told as running: it is that run.
    let mut told = Known::new(running());
    told.show(silent(), turn());
    told.update(App { finished: Some(START + 7_200_000), ..app(State::Failed, Outcome::Failed) });
    let shown = told.show(Answer::NotYet, turn());
    let run = &shown.runs[0];
    assert_eq!((run.run.start_time, run.tasks.total), (START, 1));
}

#[test]
fn nobody_knows_how_it_ended_then_it_is_missing() {
    let mut known = watched();
    known.update(app(State::Finished, Outcome::Undefined));
    assert_eq!(known.show(Answer::NotYet, turn()), Shown::default());
    // A session that is gone takes its jobs with it, however it ended.
    let mut session = Known::new(running());
    session.show(said(vec![flink("a", "f1", JobState::Running)], "yarn-session"), turn());
    session.update(app(State::Killed, Outcome::Killed));
    assert_eq!(session.show(Answer::NotYet, turn()), Shown::default());
}

#[test]
fn one_that_waits_says_for_what() {
    let mut known = Known::new(app(State::Waiting, Outcome::Undefined));
    let metrics = Metrics { allocated_mb: Some(9), total_mb: Some(10), ..Metrics::default() };
    let shown = known.show(Answer::NotYet, Turn { metrics: Some(&metrics), ..turn() });
    assert_eq!(seen(&shown), [("emr/orders", "application_9_1", JobState::Created)]);
    let waits = shown.runs[0].waits.as_ref().unwrap();
    assert_eq!(
        (waits.queue.as_str(), waits.used_mb, waits.most_mb),
        ("root.prod", Some(9), Some(10))
    );
    // It gets its place: what Flink tells comes under the same name.
    known.update(running());
    let shown =
        known.show(said(vec![flink("x", "f1", JobState::Running)], "yarn-application"), turn());
    assert_eq!(seen(&shown), [("emr/orders", "f1", JobState::Running)]);
    assert!(shown.runs[0].waits.is_none());
}

#[test]
fn a_session_that_waited_is_no_job_afterwards() {
    let mut known = Known::new(app(State::Waiting, Outcome::Undefined));
    known.show(Answer::NotYet, turn());
    known.update(running());
    let look = || said(vec![flink("a", "f1", JobState::Running)], "yarn-session");
    let shown = known.show(look(), turn());
    let over = ("emr/orders", "application_9_1", JobState::Finished);
    assert_eq!(seen(&shown), [("emr/orders/a", "f1", JobState::Running), over]);
    let later = Turn { now: Ts(600_000), ..turn() };
    assert_eq!(known.show(look(), later).runs.len(), 1);
}

#[test]
fn a_second_job_makes_it_a_session_and_ends_the_name_of_the_first() {
    let mut known = watched();
    let runs =
        vec![flink("insert-into", "f1", JobState::Running), flink("more", "f2", JobState::Running)];
    let shown = known.show(said(runs, "yarn-application"), turn());
    let expected = [
        ("emr/orders/insert-into", "f1", JobState::Running),
        ("emr/orders/more", "f2", JobState::Running),
        ("emr/orders", "f1", JobState::Finished),
    ];
    assert_eq!(seen(&shown), expected);
}

#[test]
fn one_nobody_named_has_the_name_of_its_job() {
    let nameless = |app: App| App { name: "Flink per-job cluster".to_owned(), ..app };
    let mut known = Known::new(nameless(app(State::Waiting, Outcome::Undefined)));
    assert_eq!(known.show(Answer::NotYet, turn()), Shown::default(), "nothing to call it by yet");
    known.update(nameless(running()));
    let shown =
        known.show(said(vec![flink("sync", "f1", JobState::Running)], "yarn-per-job"), turn());
    assert_eq!(seen(&shown), [("emr/sync", "f1", JobState::Running)]);
    let shown = known.show(silent(), turn());
    assert_eq!(shown.clusters[0].flink_cluster, "sync", "unseen under the same name");
}

#[test]
fn a_silent_flink_is_unknown_and_not_lost() {
    let mut known = watched();
    for _ in 0..10 {
        let shown = known.show(silent(), turn());
        assert!(shown.runs.is_empty() && !shown.lost);
        assert_eq!(shown.clusters[0].flink_cluster, "orders");
        assert_eq!(shown.clusters[0].unseen.as_deref(), Some("connection refused"));
    }
    let shown = Known::new(running()).show(Answer::NotYet, turn());
    assert!(shown.runs.is_empty() && shown.clusters[0].unseen.is_some(), "it may be a session");
    // Never seen: YARN's word is shown, and that nobody looked into it.
    let shown = Known::new(running()).show(silent(), turn());
    assert_eq!(seen(&shown), [("emr/orders", "application_9_1", JobState::Running)]);
    assert!(shown.clusters[0].unseen.is_some());
}

#[test]
fn what_yarn_does_not_list_lives_while_it_answers_and_is_lost_when_it_is_silent() {
    let mut known = watched();
    known.listed = false;
    let alive = || said(vec![flink("insert-into", "f1", JobState::Running)], "yarn-application");
    let shown = known.show(alive(), turn());
    assert_eq!(seen(&shown), [("emr/orders", "f1", JobState::Running)]);
    assert!(known.is_unmanaged());
    let shaky = Turn { steady: false, ..turn() };
    for _ in 0..9 {
        let shown = known.show(silent(), shaky);
        assert!(!shown.lost && shown.clusters[0].unseen.is_some(), "YARN is not steady");
    }
    assert!(!known.is_unmanaged());
    known.show(alive(), turn());
    let lost: Vec<bool> = (0..3).map(|_| known.show(silent(), turn()).lost).collect();
    assert_eq!(lost, [false, false, true]);
    let mut known = watched();
    known.listed = false;
    known.give_up();
    assert!(known.show(silent(), turn()).lost, "it was given time");
}

#[test]
fn a_dead_jobmanager_whose_successor_waits_is_restarting() {
    let mut known = watched();
    known.update(app(State::Waiting, Outcome::Undefined));
    assert!(known.waits_again() && known.is_asked());
    let shown = known.show(silent(), turn());
    assert_eq!(seen(&shown), [("emr/orders", "f1", JobState::Restarting)]);
    assert!(shown.runs[0].waits.is_some() && shown.runs[0].tasks.total == 0);
    // YARN was restarted: the JobManager may be alive all the same.
    let shown = known.show(silent(), Turn { steady: false, ..turn() });
    assert!(shown.runs.is_empty() && shown.clusters[0].unseen.is_some());
    // The next one goes on with the same job id.
    known.update(running());
    let next = RunObservation {
        run: RunId { start_time: START + 90_000, job_id: "f1".to_owned() },
        ..flink("insert-into", "f1", JobState::Running)
    };
    let shown = known.show(said(vec![next], "yarn-application"), turn());
    assert_eq!(seen(&shown), [("emr/orders", "f1", JobState::Running)]);
}

#[test]
fn jobs_are_not_named_before_it_is_known_what_they_run_in() {
    let mut known = Known::new(running());
    let look = || {
        let Answer::Flink(snapshot, _) = said(vec![flink("a", "f1", JobState::Running)], "") else {
            panic!()
        };
        Answer::Flink(snapshot, Some(Err(())))
    };
    for _ in 0..2 {
        let shown = known.show(look(), turn());
        assert!(shown.clusters[0].unseen.is_some(), "{shown:?}");
    }
    let shown = known.show(look(), turn());
    assert!(seen(&shown).contains(&("emr/orders", "f1", JobState::Running)), "its name has to do");
    assert!(!known.asks_target());
}

#[test]
fn what_ended_unseen_and_nameless_is_told_only_if_it_failed() {
    for (state, outcome, expected) in [
        (State::Killed, Outcome::Killed, 0),
        (State::Finished, Outcome::Succeeded, 0),
        (State::Failed, Outcome::Failed, 1),
    ] {
        let name = "Flink session cluster".to_owned();
        let mut known = Known::new(App { name, ..app(state, outcome) });
        assert_eq!(known.show(Answer::NotYet, turn()).runs.len(), expected, "{state:?}");
    }
}

#[test]
fn one_that_was_never_reached_waits_for_nothing_while_yarn_comes_back() {
    let mut known = Known::new(running());
    let running = [("emr/orders", "application_9_1", JobState::Running)];
    assert_eq!(seen(&known.show(silent(), turn())), running);
    known.update(app(State::Waiting, Outcome::Undefined));
    assert!(known.waits_again() && known.is_alive());
    let shown = known.show(silent(), Turn { steady: false, ..turn() });
    assert_eq!(seen(&shown), running);
    assert!(shown.clusters[0].unseen.is_some());
    // YARN is steady: it waits for its next ApplicationMaster.
    let shown = known.show(silent(), turn());
    assert_eq!(seen(&shown), [("emr/orders", "application_9_1", JobState::Created)]);
}
