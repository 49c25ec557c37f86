//! Sequences of turns: what a row does when people, entries and looks change under it.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::actions::Mode;
use crate::actions::drivers::Traits;
use crate::actions::testing::{Scene, key, policy, restart};
use crate::incidents::Incidents;
use crate::model::{
    Acknowledgement, AskedBy, IncidentState, JobState, Labels, Loaded, RuleId, Subject, Task,
};
use crate::notify::render::probe;
use crate::tracker::JobTrack;

/// The open incident about the job.
fn incident() -> Incident {
    let mut incident = probe::failing(5, "orders").incident;
    incident.subject = Subject::Job(key());
    incident.acknowledged = None;
    for member in &mut incident.members {
        member.rule.alert = "JobFailed".to_owned();
        member.firing = true;
    }
    incident
}

fn settings(policy: Policy) -> Settings {
    let fresh_for = Duration::from_secs(30);
    Settings { policies: vec![Arc::new(policy)], fresh_for, ..Settings::default() }
}

fn restarts(policy: Policy, rows: Vec<Restart>) -> Restarts {
    let max_restart = rows.iter().map(|row| row.id).max().unwrap_or_default();
    let loaded = Loaded { restarts: rows, max_restart, ..Loaded::default() };
    Restarts::restore(settings(policy), &loaded)
}

/// With rules of these names true at the last look.
fn in_world<T>(
    scene: &Scene,
    incident: &Incident,
    true_now: &[&str],
    look: impl FnOnce(&World<'_>) -> T,
) -> T {
    let loaded = Loaded { incidents: vec![incident.clone()], ..Loaded::default() };
    let incidents = Incidents::restore(crate::incidents::Settings::default(), &loaded);
    let labels = |_: &JobTrack| Labels::from([("job_name", "orders"), ("cluster", "prod")]);
    let last_true = |_: &Subject, rule: &RuleId| {
        let now = true_now.contains(&rule.alert.as_str());
        Some(if now { scene.now.steady } else { Ts(0) })
    };
    look(&World {
        tracker: &scene.tracker,
        incidents: &incidents,
        labels: &labels,
        held_by: &|_: &Labels| None,
        last_true: &last_true,
    })
}

fn with_world<T>(scene: &Scene, incident: &Incident, look: impl FnOnce(&World<'_>) -> T) -> T {
    in_world(scene, incident, &["JobFailed"], look)
}

fn turn(scene: &Scene, incident: &Incident, restarts: &mut Restarts) -> Stepped {
    with_world(scene, incident, |world| restarts.step(scene.now, world))
}

fn tasks(stepped: &Stepped) -> Vec<&Task> {
    stepped.errands.iter().map(|errand| &errand.task).collect()
}

/// One that waits for a person's word.
fn waiting(scene: &Scene) -> Restart {
    Restart {
        at_steady: scene.now.steady,
        due: scene.now.steady,
        from: None,
        ..restart(1, RestartState::Approval)
    }
}

fn paused(restarts: &mut Restarts, scene: &Scene) {
    let (by, comment) = ("bob".to_owned(), String::new());
    restarts.pause(Some(Paused { by, at: scene.now.wall, comment }));
}

#[test]
fn what_a_person_approves_is_held_no_more_than_what_they_ask_for() {
    let (scene, incident) = (Scene::failed(), incident());
    let mut restarts = restarts(Policy { mode: Mode::Approve, ..policy() }, vec![waiting(&scene)]);
    paused(&mut restarts, &scene);
    assert!(turn(&scene, &incident, &mut restarts).errands.is_empty(), "nobody has said so");
    let asked = with_world(&scene, &incident, |world| {
        restarts.ask(scene.now, world, &key(), None, "ann", false)
    });
    assert!(!asked.refused, "{asked:?}");
    assert_eq!(restarts.get(1).unwrap().approved.as_deref(), Some("ann"));
    let stepped = turn(&scene, &incident, &mut restarts);
    assert!(matches!(tasks(&stepped)[..], [Task::Check(_)]), "{stepped:?}");
}

#[test]
fn an_old_word_is_no_word() {
    let (scene, incident) = (Scene::failed(), incident());
    let mut row = waiting(&scene);
    (row.state, row.approved) = (RestartState::Planned, Some("ann".to_owned()));
    for (ago, state) in [(9, RestartState::Planned), (11, RestartState::Dropped)] {
        // Long after it was planned, so long after it was approved.
        row.at_steady = scene.now.steady.shifted(-86_400_000);
        row.due = scene.now.steady.shifted(-ago * 60_000);
        let mut restarts = restarts(policy(), vec![row.clone()]);
        let unseen = Scene::failed().then_unseen();
        turn(&unseen, &incident, &mut restarts);
        assert_eq!(restarts.get(1).unwrap().state, state, "{ago}");
    }
}

#[test]
fn whoever_has_the_incident_is_asked_first_and_once() {
    let (scene, mut taken) = (Scene::failed(), incident());
    let (by, at, comment) = ("ann".to_owned(), scene.now.wall, String::new());
    taken.state = IncidentState::Acknowledged;
    taken.acknowledged = Some(Acknowledgement { by, at, comment });
    let mut row = waiting(&scene);
    row.state = RestartState::Planned;
    let mut restarts = restarts(policy(), vec![row]);
    let stepped = turn(&scene, &taken, &mut restarts);
    assert_eq!((stepped.wanted, restarts.get(1).unwrap().state), (vec![5], RestartState::Approval));
    assert!(turn(&scene, &taken, &mut restarts).wanted.is_empty());
    with_world(&scene, &taken, |world| restarts.approve(scene.now, world, 1, "ann"));
    let stepped = turn(&scene, &taken, &mut restarts);
    assert!(matches!(tasks(&stepped)[..], [Task::Check(_)]), "{stepped:?}");
}

#[test]
fn a_renamed_entry_is_followed_by_its_driver() {
    let (scene, incident) = (Scene::failed(), incident());
    let open = [RestartState::Approval, RestartState::Submitted, RestartState::Running];
    for (state, driver, expected) in
        open.map(|state| (state, "flink_jar", state)).into_iter().chain([
            (RestartState::Approval, "command", RestartState::Dropped),
            (RestartState::Submitted, "command", RestartState::Unknown),
        ])
    {
        let renamed = Policy {
            name: "renamed".to_owned(),
            driver: driver.to_owned(),
            mode: Mode::Approve,
            ..policy()
        };
        let row = Restart { state, taken: Some(scene.now.steady), ..waiting(&scene) };
        let mut restarts = restarts(renamed, vec![row]);
        let stepped = turn(&scene, &incident, &mut restarts);
        let row = restarts.get(1).unwrap();
        assert_eq!(row.state, expected, "{state:?} {driver}");
        let followed = state == expected;
        assert_eq!(row.policy == "renamed", followed, "{state:?} {driver}");
        assert!(stepped.errands.iter().all(|errand| errand.policy == "renamed"), "{stepped:?}");
    }
}

#[test]
fn without_a_handle_what_began_after_the_order_is_taken_for_it() {
    let incident = incident();
    for (handle, expected) in [(false, RestartState::Running), (true, RestartState::Submitted)] {
        let scene = Scene::failed().then_started("bb");
        let mut row = waiting(&scene);
        row.state = RestartState::Submitted;
        // It was ordered just before that run began.
        row.submitted = Some(scene.now.steady.shifted(-10_000));
        row.submitted_at = Some(scene.now.wall.shifted(-10_000));
        let traits = Traits { handle, ..Traits::default() };
        let mut restarts = restarts(Policy { traits, ..policy() }, vec![row]);
        let stepped = turn(&scene, &incident, &mut restarts);
        let row = restarts.get(1).unwrap();
        assert_eq!(row.state, expected, "{handle}: {stepped:?}");
        let started = (!handle).then_some("bb");
        assert_eq!(row.started.as_deref(), started, "{handle}");
    }
}

#[test]
fn the_breaker_compares_the_cause_that_was_known_when_it_was_sent() {
    let (scene, incident) = (Scene::failed_of("a.Boom", "boom"), incident());
    let mut row = waiting(&scene);
    (row.state, row.cause) = (RestartState::Planned, None);
    row.asked_by = AskedBy::Person("ann".to_owned());
    let mut restarts = restarts(policy(), vec![row]);
    let stepped = turn(&scene, &incident, &mut restarts);
    let Some(Task::Check(paths)) = stepped.errands.first().map(|errand| errand.task.clone()) else {
        panic!("{stepped:?}");
    };
    let told = crate::model::Told::Checked(paths.into_iter().map(|p| (p, Some(true))).collect());
    with_world(&scene, &incident, |world| restarts.told(scene.now, world, 1, told));
    let stepped = turn(&scene, &incident, &mut restarts);
    assert!(matches!(tasks(&stepped)[..], [Task::Start]), "{stepped:?}");
    assert_eq!(restarts.get(1).unwrap().cause, Some(scene.cause()));
}

#[test]
fn a_run_is_sick_only_while_an_alert_of_its_entry_is_true() {
    let mut incident = incident();
    incident.doing = Some(Doing::Restarted { from: None, attempt: 1 });
    let replaced = |incident: &Incident, true_now: &[&str]| {
        let scene = Scene::in_state(JobState::Running);
        let traits = Traits { handle: true, stops: true, ..Traits::default() };
        let policy = Policy { replace: true, mode: Mode::Approve, traits, ..policy() };
        let mut restarts = restarts(policy, Vec::new());
        let out = in_world(&scene, incident, true_now, |world| restarts.step(scene.now, world));
        assert_eq!(out.wanted.is_empty(), restarts.rows().next().is_none(), "{out:?}");
        restarts.rows().next().is_some_and(|row| row.replaces)
    };
    assert!(replaced(&incident, &["JobFailed"]));
    assert!(!replaced(&incident, &[]), "it only goes on firing for a while");
    incident.members[0].rule.alert = "JobUnstable".to_owned();
    assert!(!replaced(&incident, &["JobUnstable"]), "its entry says nothing of that");
}

#[test]
fn what_a_reload_says_holds_for_rows_that_wait() {
    let (scene, incident) = (Scene::failed(), incident());
    let about = |name: &str| vec![crate::model::Matcher::parse(name).unwrap()];
    for (changed, state) in [
        (Policy { mode: Mode::DryRun, ..policy() }, RestartState::Dropped),
        (Policy { mode: Mode::Approve, ..policy() }, RestartState::Approval),
        // The entry of this name is about another job now, and nothing is about this one.
        (Policy { matchers: about("job_name=\"payments\""), ..policy() }, RestartState::Dropped),
        (policy(), RestartState::Planned),
    ] {
        let mut row = waiting(&scene);
        (row.state, row.due) = (RestartState::Planned, scene.now.steady.shifted(5_000));
        let mut restarts = restarts(policy(), vec![row]);
        restarts.reload(settings(changed));
        assert!(turn(&scene, &incident, &mut restarts).errands.is_empty());
        assert_eq!(restarts.get(1).unwrap().state, state);
    }
    // And the other way round: it needs nobody's word any more.
    let mut restarts = restarts(policy(), vec![waiting(&scene)]);
    let stepped = turn(&scene, &incident, &mut restarts);
    assert!(matches!(tasks(&stepped)[..], [Task::Check(_)]), "{stepped:?}");
}

#[test]
fn what_was_told_to_stop_is_waited_for_and_a_person_told() {
    let (scene, incident) = (Scene::in_state(JobState::Running), incident());
    let mut row = waiting(&scene);
    (row.state, row.replaces) = (RestartState::Stopping, true);
    row.dead = with_world(&scene, &incident, |world| world.current(&key()));
    row.stopping = Some(scene.now.steady.shifted(-11 * 60_000));
    let mut restarts = restarts(Policy { replace: true, ..policy() }, vec![row]);
    let first = turn(&scene, &incident, &mut restarts);
    assert!(matches!(tasks(&first)[..], [Task::Stop]), "{first:?}");
    let told = crate::model::Told::Stopped(crate::model::Stopped::Ending { savepoint: None });
    let stepped = with_world(&scene, &incident, |world| {
        restarts.told(scene.now, world, 1, told);
        restarts.step(scene.now, world)
    });
    assert_eq!(restarts.get(1).unwrap().state, RestartState::Stopping, "it may end yet");
    assert!(stepped.goes_on.is_empty(), "{stepped:?}");
    assert_eq!(stepped.gave_up, [(5, key())]);
    // It keeps no other job of its cluster waiting; one that was told just now does.
    assert_eq!(restarts.on_way(scene.now.steady, "prod", 0), (0, 0));
    assert_eq!(restarts.on_way(scene.now.steady.shifted(-2 * 60_000), "prod", 0), (1, 1));
}

#[test]
fn that_a_person_is_needed_stays_said_while_nobody_can_see() {
    let mut incident = incident();
    let needed = Doing::GaveUp(Hold::Exhausted(3).words());
    incident.doing = Some(needed);
    let unseen = Scene::failed().then_unseen();
    let mut restarts = restarts(policy(), Vec::new());
    let stepped = turn(&unseen, &incident, &mut restarts);
    assert!(stepped.doing.is_empty() && stepped.gave_up.is_empty(), "{stepped:?}");
}

#[test]
fn what_was_dead_at_the_first_look_alarms_nobody() {
    let (scene, incident) = (Scene::dead_at_first_look(), incident());
    let mut restarts = restarts(policy(), Vec::new());
    let stepped = turn(&scene, &incident, &mut restarts);
    assert!(matches!(stepped.doing[..], [(5, Doing::GaveUp(_))]), "{stepped:?}");
    assert!(stepped.gave_up.is_empty(), "{stepped:?}");
}

#[test]
fn a_job_of_a_cluster_that_came_back_without_it_is_still_restarted() {
    let scene = Scene::missing_for(90);
    let mut cluster = incident();
    cluster.subject = Subject::Cluster("prod".to_owned(), "prod".to_owned());
    cluster.members[0].firing = false;
    let wanted = |incident: &Incident| {
        let mut restarts = restarts(policy(), Vec::new());
        turn(&scene, incident, &mut restarts);
        restarts.rows().count()
    };
    assert_eq!(wanted(&cluster), 0, "nothing fires, and nothing was tried");
    cluster.doing = Some(Doing::Several(crate::model::Tally { on_way: 2, ..Default::default() }));
    assert_eq!(wanted(&cluster), 1);
}

#[test]
fn a_persons_no_holds_whatever_incident_speaks_of_the_same_death() {
    let scene = Scene::failed();
    let mut other = incident();
    other.id = 6;
    let dead = with_world(&scene, &other, |world| world.current(&key()));
    for (dead, rows) in [(dead, 1), (None, 2)] {
        let mut row = waiting(&scene);
        (row.state, row.declined) = (RestartState::Dropped, Some("ann".to_owned()));
        row.dead = dead;
        let mut restarts = restarts(policy(), vec![row]);
        turn(&scene, &other, &mut restarts);
        assert_eq!(restarts.rows().count(), rows);
    }
}

#[test]
fn the_incident_of_a_cluster_stays_open_while_one_of_its_jobs_is_restarted() {
    use crate::rules::{RuleSource, Rules, SHIPPED};
    let files: Vec<_> = SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
    let mut rules = Rules::default();
    rules.set = crate::rules::parse(&files).unwrap();
    let mut known = rules.set.rules.iter().flat_map(crate::rules::Rule::ids);
    let failed = known.find(|id| id.alert == "JobFailed").unwrap();
    for at_work in [true, false] {
        let mut scene = Scene::failed();
        let mut cluster = incident();
        cluster.subject = Subject::Cluster("prod".to_owned(), "prod".to_owned());
        cluster.members[0].firing = false;
        cluster.members[0].rule = failed.clone();
        let loaded = Loaded { incidents: vec![cluster.clone()], ..Loaded::default() };
        let mut incidents = Incidents::restore(crate::incidents::Settings::default(), &loaded);
        let rows = if at_work { vec![waiting(&scene)] } else { Vec::new() };
        scene.tracker.set_in_work(restarts(policy(), rows).in_work(&incidents));
        for minute in 0..10 {
            let time = Time::at(scene.now.steady.0 + minute * 60_000);
            incidents.step(time, std::slice::from_ref(&cluster.subject), &rules, &scene.tracker);
        }
        assert_eq!(incidents.get(5).is_some_and(Incident::is_open), at_work);
    }
}
