use crate::engine::{Effect, Engine, Input};
use crate::model::{
    Change, Completeness, JobKey, JobState, Loaded, RunId, RunObservation, Snapshot, Time,
};
use crate::notify::Composers;
use crate::rules::RuleSet;

const CONFIG: &str = "
sources:
  - flink: { name: prod, urls: [\"http://127.0.0.1:1\"] }
receivers:
  - { name: me, channels: [console] }
schedules:
  - { matchers: ['job_name=~\"office.*\"'], running: \"Mon-Fri 08:00-18:00\" }
";
const HOUR: i64 = 3_600_000;

fn engine(loaded: &Loaded) -> Engine {
    let (config, _) = crate::config::parse(CONFIG, "weir.yaml", &|_| None).unwrap();
    let settings = crate::app::engine_settings(&config);
    Engine::new(settings, RuleSet::default(), Composers::new(), loaded)
}

fn look(engine: &mut Engine, hour: i64, names: &[&str]) -> Loaded {
    let run = |name: &&str| RunObservation {
        key: JobKey::new("prod", "", "", name),
        name: (*name).to_owned(),
        run: RunId { start_time: 10, job_id: (*name).to_owned() },
        state: JobState::Canceled,
        ..RunObservation::default()
    };
    let snapshot = Snapshot {
        completeness: Completeness::Complete,
        runs: names.iter().map(run).collect(),
        ..Snapshot::failed("prod", "test", String::new(), false)
    };
    let effects = engine.step(Time::at(hour * HOUR), Input::Snapshot(Box::new(snapshot)));
    let mut loaded = Loaded::default();
    for change in effects.into_iter().flat_map(|effect| match effect {
        Effect::Persist(changes) => changes,
        _ => Vec::new(),
    }) {
        match change {
            Change::Job { key, body } => loaded.jobs.push((key, body)),
            Change::Source { name, body } => loaded.sources.push((name, body)),
            _ => {}
        }
    }
    loaded
}

fn jobs(engine: &Engine) -> Vec<&str> {
    engine.tracker().jobs().map(|(_, job)| job.name.as_str()).collect()
}

#[test]
fn a_job_with_a_schedule_is_not_forgotten_also_after_a_restart() {
    let mut first = engine(&Loaded::default());
    let kept = look(&mut first, 1, &["office-report", "other"]);
    for mut engine in [first, engine(&kept)] {
        assert_eq!(jobs(&engine), ["office-report", "other"]);
        look(&mut engine, 70, &[]);
        assert_eq!(jobs(&engine), ["office-report"]);
    }
}
