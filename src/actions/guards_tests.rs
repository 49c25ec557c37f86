use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::actions::drivers::Traits;
use crate::actions::testing::{Scene, T0, key, policy, restart, run};
use crate::model::{Matcher, TimeInterval, TimeIntervals};

/// What holds a job that failed a minute ago, with everything else as it should be.
fn held<'a>(change: impl FnOnce(&mut Case<'a>)) -> Vec<&'static str> {
    held_in(Box::leak(Box::new(Scene::failed())), change)
}

fn held_in<'a>(scene: &'a Scene, change: impl FnOnce(&mut Case<'a>)) -> Vec<&'static str> {
    let policy = Box::leak(Box::new(policy()));
    let mut case = scene.case(policy);
    change(&mut case);
    holds(&case).iter().map(Hold::guard).collect()
}

#[test]
fn a_dead_job_with_nothing_against_it_is_restarted() {
    assert_eq!(held(|_| {}), [""; 0]);
}

#[test]
fn every_guard_holds_for_its_reason() {
    let long_past: Vec<Restart> = (1..=3).map(|id| restart(id, RestartState::Failed)).collect();
    assert_eq!(held(|case| case.past = long_past.iter().collect()), ["attempts"]);
    let unknown = restart(1, RestartState::Unknown);
    assert_eq!(held(|case| case.past = vec![&unknown]), ["unknown"]);
    assert_eq!(held(|case| case.paused = Some("ann")), ["paused"]);
    assert_eq!(held(|case| case.maintenance = Some(7)), ["maintenance"]);
    assert_eq!(held(|case| case.declined = Some("ann")), ["declined"]);
    assert_eq!(held(|case| case.on_way = (1, 1)), ["limits"]);
    assert_eq!(held(|case| case.on_way = (2, 0)), ["limits"]);
    assert_eq!(held(|case| case.on_way = (1, 0)), [""; 0]);

    let mut never = policy();
    never.never_on = vec![regex::Regex::new("ClassNotFoundException").unwrap()];
    let scene = Scene::failed_of("java.lang.ClassNotFoundException", "com.example.Orders");
    assert_eq!(held_in(&scene, |_| {}), [""; 0]);
    let case = scene.case(&never);
    assert_eq!(holds(&case), [Hold::NeverOn("ClassNotFoundException".to_owned())]);

    let mut night = policy();
    let always = TimeIntervals { name: "night".to_owned(), parts: vec![TimeInterval::default()] };
    night.hours.mute = vec![Arc::new(always)];
    let scene = Scene::failed();
    let case = scene.case(&night);
    assert_eq!(holds(&case), [Hold::Hours("night".to_owned())]);

    let mut needs = policy();
    needs.traits = Traits { inventory: true, ..Traits::default() };
    let case = scene.case(&needs);
    assert_eq!(holds(&case), [Hold::NotInInventory]);
}

#[test]
fn only_what_is_proven_dead_is_restarted() {
    use JobState::*;
    for (state, guard) in [
        (Failed, None),
        (Canceled, Some("ended")),
        (Finished, Some("ended")),
        (Running, Some("runs")),
        (Initializing, Some("runs")),
        (Created, Some("runs")),
        (Restarting, Some("runs")),
        (Failing, Some("proof_of_death")),
        (Cancelling, Some("proof_of_death")),
        (Suspended, Some("proof_of_death")),
        (Reconciling, Some("proof_of_death")),
        (Unknown, Some("proof_of_death")),
    ] {
        let found = held_in(&Scene::in_state(state), |_| {});
        assert_eq!(found.first().copied(), guard, "{state}");
    }
}

#[test]
fn a_source_that_cannot_be_seen_proves_nothing() {
    assert_eq!(held_in(&Scene::failed().then_unseen(), |_| {}), ["unseen"]);
}

#[test]
fn two_live_runs_are_never_made_three() {
    assert_eq!(held_in(&Scene::twice(), |_| {}), ["duplicate"]);
}

#[test]
fn a_job_gone_from_the_listing_is_dead_after_a_while() {
    let gone = |seconds: i64| held_in(&Scene::missing_for(seconds), |_| {});
    assert_eq!(gone(10), ["proof_of_death"]);
    assert_eq!(gone(59), ["proof_of_death"]);
    assert_eq!(gone(60), [""; 0]);
}

#[test]
fn what_it_left_is_read_before_it_is_restarted() {
    assert_eq!(held_in(&Scene::failed_just_now(), |_| {}), ["proof_of_death"]);
    assert_eq!(held_in(&Scene::failed_just_now().read_after(5), |_| {}), [""; 0]);
    assert_eq!(held_in(&Scene::failed_just_now().waited(30), |_| {}), [""; 0], "nobody tells");
}

#[test]
fn what_was_dead_at_the_first_look_is_for_a_person() {
    let scene = Scene::dead_at_first_look();
    assert_eq!(held_in(&scene, |_| {}), ["first_look"]);
    assert_eq!(held_in(&scene, |case| case.by_person = true), [""; 0]);
}

#[test]
fn weirs_own_stop_is_no_persons() {
    for state in [JobState::Canceled, JobState::Finished] {
        assert_eq!(held_in(&Scene::in_state(state), |_| {}), ["ended"]);
        assert_eq!(held_in(&Scene::in_state(state).stopped_by_weir(), |_| {}), [""; 0]);
    }
}

/// Two Weirs that know nothing of each other start it at once, and both cancel their own run.
#[test]
fn where_both_gave_way_the_one_whose_run_is_the_newest_starts_it_again() {
    let gave_way = |own: &str, seconds: [i64; 2]| {
        let (mut scene, [first, second]) = (Scene::ran(), seconds);
        let live = |id, at| run(id, T0 + at, JobState::Running);
        let over = |id, at| run(id, T0 + at, JobState::Canceled);
        let dead = || run("aa", T0 - 60_000, JobState::Failed);
        scene.look(5, vec![dead(), live("bb", 1), live("cc", 2)]);
        scene.tracker.note_own_stop(&key(), own);
        scene.look(first, vec![dead(), live("bb", 1), over("cc", 2)]);
        for at in [second, second + 40] {
            scene.look(at, vec![dead(), over("bb", 1), over("cc", 2)]);
        }
        held_in(Box::leak(Box::new(scene)), |_| {})
    };
    assert_eq!(gave_way("cc", [10, 12]), [""; 0], "its run is the newest");
    assert_eq!(gave_way("bb", [10, 12]), ["ended"], "the other one's Weir does it");
    assert_eq!(gave_way("cc", [10, 100]), ["ended"], "somebody cancelled the other one later");
}

#[test]
fn a_sick_job_is_replaced_only_where_that_is_meant_and_can_be() {
    let scene = Scene::in_state(JobState::Running);
    assert_eq!(held_in(&scene, |_| {}), ["runs"]);
    assert_eq!(held_in(&scene, |case| case.replaces = true), ["driver"]);
    let mut stops = policy();
    stops.traits.stops = true;
    let mut case = scene.case(&stops);
    case.replaces = true;
    assert_eq!(holds(&case), []);
}

#[test]
fn attempts_come_back_when_it_was_well_and_like_causes_break_the_loop() {
    let scene = Scene::failed_of("PoisonRecordException", "bad price 17");
    let cause = scene.cause();
    let mut past: Vec<Restart> = (1..=4).map(|id| restart(id, RestartState::Verified)).collect();
    for (row, message) in past.iter_mut().zip(["bad price 1", "bad price 2", "bad price 3", "x"]) {
        let mut of_row = cause.clone();
        of_row.message = message.to_owned();
        row.cause = Some(of_row);
    }
    let guards = |past: &[Restart], change: &dyn Fn(&mut Policy)| {
        let mut policy = policy();
        policy.attempts = 10;
        change(&mut policy);
        let mut facts = scene.case(&policy);
        facts.past = past.iter().collect();
        holds(&facts).iter().map(Hold::guard).collect::<Vec<_>>()
    };
    // The same exception from the same place, whatever its message says.
    assert_eq!(guards(&past[..2], &|_| {}), [""; 0]);
    assert_eq!(guards(&past[..3], &|_| {}), ["same_cause"]);
    let always = |policy: &mut Policy| {
        policy.always_on = vec![regex::Regex::new("Poison").unwrap()];
    };
    assert_eq!(guards(&past, &always), [""; 0]);
    // What could not be read says nothing about the job, and what was well in between begins anew.
    past[2].unreadable = true;
    assert_eq!(guards(&past[..3], &|_| {}), [""; 0]);
    past[2].unreadable = false;
    past[0].settled = true;
    assert_eq!(guards(&past[..3], &|_| {}), [""; 0]);
    assert_eq!(guards(&past, &|policy| policy.attempts = 3), ["attempts", "same_cause"]);
    past[1].settled = true;
    assert_eq!(guards(&past, &|policy| policy.attempts = 3), [""; 0]);
}

#[test]
fn an_entry_is_a_jobs_by_its_matchers() {
    let mut policy = policy();
    policy.matchers = vec![Matcher::parse("job_name=\"orders\"").unwrap()];
    assert!(policy.is_about(&crate::model::Labels::from([("job_name", "orders")])));
    assert!(!policy.is_about(&crate::model::Labels::from([("job_name", "orders-2")])));
}

proptest! {
    /// Whatever else is true: a job that lives, or of which nobody knows whether it does, is held, for
    /// a person, too.
    #[test]
    fn no_order_is_ever_given_for_what_may_live(
        state in prop::sample::select(JobState::ALL.to_vec()),
        person in any::<bool>(),
        unseen in any::<bool>(),
        twice in any::<bool>(),
        sent in prop::collection::vec(prop::sample::select(RestartState::ALL.to_vec()), 0..5),
    ) {
        let mut scene = if twice { Scene::twice() } else { Scene::in_state(state) };
        if unseen {
            scene = scene.then_unseen();
        }
        let policy = policy();
        let past: Vec<Restart> =
            sent.into_iter().enumerate().map(|(id, state)| restart(id as u64, state)).collect();
        let mut case = scene.case(&policy);
        case.past = past.iter().collect();
        case.by_person = person;
        let free = holds(&case).is_empty();
        let ended = matches!(state, JobState::Canceled | JobState::Finished);
        let dead = state == JobState::Failed || (person && ended);
        if free {
            prop_assert!(dead && !unseen && !twice, "{state} {unseen} {twice}");
        }
    }
}
