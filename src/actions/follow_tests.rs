use super::*;
use crate::actions::drivers::Traits;
use crate::actions::settings::Settings;
use crate::actions::testing::{Scene, T0, key, policy, restart, run};
use crate::incidents::Incidents;
use crate::model::{JobState, Labels};

/// What a turn makes of a restart whose run `bb` lives beside somebody else's `cc`.
fn beside_a_stranger(traits: Traits) -> (Restart, Stepped) {
    let mut scene = Scene::ran();
    let dead = run("aa", T0 - 60_000, JobState::Failed);
    let live = |id, at| run(id, T0 + at, JobState::Running);
    scene.look(5, vec![dead, live("bb", 1_000), live("cc", 2_000)]);
    let policies = vec![Policy { traits, ..policy() }.into()];
    let fresh_for = Duration::from_secs(30);
    let settings = Settings { policies, fresh_for, ..Settings::default() };
    let mut restarts = Restarts::default();
    restarts.reload(settings);
    restarts.insert(Restart {
        handle: "bb".to_owned(),
        started: Some("bb".to_owned()),
        taken: Some(scene.now.steady),
        ..restart(1, RestartState::Running)
    });
    in_the_world(&scene, |world| {
        let mut out = Stepped::default();
        restarts.go_on(scene.now, world, 1, &mut out);
        (restarts.get(1).unwrap().clone(), out)
    })
}

fn in_the_world<T>(scene: &Scene, look: impl FnOnce(&World<'_>) -> T) -> T {
    let labels = |_: &crate::tracker::JobTrack| Labels::default();
    let incidents = Incidents::default();
    let held_by = |_: &Labels| None;
    let last_true = |_: &crate::model::Subject, _: &crate::model::RuleId| None;
    look(&World {
        tracker: &scene.tracker,
        incidents: &incidents,
        labels: &labels,
        held_by: &held_by,
        last_true: &last_true,
    })
}

#[test]
fn beside_a_strangers_run_its_own_is_cancelled_and_owed_if_that_ends_too() {
    let (row, out) = beside_a_stranger(Traits { handle: true, ..Traits::default() });
    assert!(row.cancelling && row.state == RestartState::Running, "{row:?}");
    let tasks: Vec<&Task> = out.errands.iter().map(|errand| &errand.task).collect();
    assert_eq!(tasks, [&Task::Cancel("bb".to_owned())]);
    assert_eq!(out.stops, [(key(), "bb".to_owned())]);
}

#[test]
fn what_cannot_be_proved_to_be_its_own_goes_on_and_is_named() {
    let (row, out) = beside_a_stranger(Traits::default());
    assert_eq!(row.state, RestartState::Failed);
    assert_eq!(
        row.note.as_deref(),
        Some(
            "somebody else started it meanwhile (cc); the run Weir started, bb, goes on: cancel \
             one by hand"
        )
    );
    assert!(out.errands.is_empty() && out.stops.is_empty());
}

#[test]
fn that_nobody_knows_is_said_once_however_often_it_is_looked_for() {
    let scene = Scene::failed();
    let mut restarts = Restarts::default();
    let submitted = restart(1, RestartState::Submitted);
    restarts.insert(Restart { incident: Some(7), note: None, ..submitted });
    let told = [
        Told::Started(Started::Unclear { error: "401".to_owned() }),
        Told::LookedUp(LookedUp::Undecided { error: "no route".to_owned() }),
        Told::LookedUp(LookedUp::Undecided { error: "401".to_owned() }),
    ];
    let said: Vec<(u64, String)> = in_the_world(&scene, |world| {
        told.into_iter().flat_map(|told| restarts.told(scene.now, world, 1, told).events).collect()
    });
    let line = "restart 1: not known yet whether it was taken: 401";
    assert_eq!(said, [(7, line.to_owned())]);
    assert_eq!(restarts.get(1).unwrap().note.as_deref(), Some("401"));
}
