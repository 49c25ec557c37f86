//! What sources that begin to look are told.

use super::*;
use crate::engine::Input;
use crate::model::{Completeness, JobKey, RunId, RunObservation};

const CONFIG: &str = "
sources:
  - flink: { name: prod, urls: [\"http://127.0.0.1:1\"] }
receivers:
  - { name: me, channels: [console] }
";

fn engine(loaded: &Loaded) -> Engine {
    let (config, _) = crate::config::parse(CONFIG, "weir.yaml", &|_| None).unwrap();
    let settings = crate::app::engine_settings(&config);
    Engine::new(settings, RuleSet::default(), Composers::new(), loaded)
}

fn run(name: &str, start_time: i64, state: JobState) -> RunObservation {
    RunObservation {
        key: JobKey::new("prod", "", "", name),
        name: name.to_owned(),
        flink_job_name: name.to_owned(),
        run: RunId { start_time, job_id: format!("{start_time}") },
        state,
        ui_url: Some(format!("http://jm/#/application/completed/{start_time}")),
        ..RunObservation::default()
    }
}

#[test]
fn jobs_whose_newest_run_failed_are_known_also_after_a_restart() {
    let time = Time { steady: Ts(1_000_000), wall: Ts(1_000_000) };
    let mut first = engine(&Loaded::default());
    let snapshot = Snapshot {
        completeness: Completeness::Complete,
        runs: vec![
            run("threw", 10, JobState::Failed),
            run("fixed", 20, JobState::Failed),
            run("fixed", 30, JobState::Finished),
            run("well", 40, JobState::Running),
        ],
        ..Snapshot::failed("prod", "test", String::new(), false)
    };
    let effects = first.step(time, Input::Snapshot(Box::new(snapshot)));
    let mut loaded = Loaded::default();
    for effect in effects {
        let Effect::Persist(changes) = effect else { continue };
        for change in changes {
            if let Change::Job { key, body } = change {
                loaded.jobs.push((key, body));
            }
        }
    }
    let expected = FailedRun {
        source: "prod".to_owned(),
        name: "threw".to_owned(),
        run: RunId { start_time: 10, job_id: "10".to_owned() },
        ui_url: Some("http://jm/#/application/completed/10".to_owned()),
    };
    for engine in [first, engine(&loaded)] {
        assert_eq!(engine.failed_runs(), std::slice::from_ref(&expected));
    }
}
