//! An outage of YARN, from a stand-in's answers to incidents by the shipped rules.

use super::*;
use crate::engine::{Effect, Engine, Input};
use crate::model::Loaded;
use crate::notify::Composers;
use crate::rules::{RuleSource, SHIPPED};

const CONFIG: &str = "
sources:
  - yarn: { name: emr, resource_managers: [\"http://127.0.0.1:1\"] }
receivers:
  - { name: me, channels: [console] }
";
const STEP: i64 = 30;

fn engine() -> Engine {
    let (config, _) = crate::config::parse(CONFIG, "weir.yaml", &|_| None).unwrap();
    let files: Vec<_> = SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
    let rules = crate::rules::parse(&files).unwrap();
    let settings = crate::app::engine_settings(&config);
    Engine::new(settings, rules, Composers::new(), &Loaded::default())
}

/// Polls from one minute to another; incidents so far, with whether they are open.
async fn live(
    engine: &mut Engine,
    source: &mut YarnSource,
    minutes: std::ops::Range<i64>,
) -> Vec<(String, bool)> {
    let mut seen = Vec::new();
    let mut second = minutes.start * 60;
    while second < minutes.end * 60 {
        let time = Time::at(T0 + second * 1_000);
        let snapshot = source.poll(&engine.demand(), time).await;
        for effect in engine.step(time, Input::Snapshot(Box::new(snapshot))) {
            if let Effect::Publish(view) = effect {
                let incidents = view.incidents.values();
                seen = incidents.map(|i| (i.subject.to_string(), i.is_open())).collect();
            }
        }
        second += STEP;
    }
    seen
}

/// Sixty applications vanish with a ResourceManager that is restarted, and come back with it.
#[tokio::test]
async fn sixty_jobs_that_vanish_with_a_restart_are_one_incident() {
    let yarn = Yarn::start().await;
    let alive: Vec<String> =
        (1..=60).map(|n| app(n, &format!("job-{n}"), "RUNNING/UNDEFINED", "127.0.0.1:1")).collect();
    yarn.set(|rm| rm.alive.clone_from(&alive));
    let (mut engine, mut source) = (engine(), source(&[&yarn.url]));
    assert_eq!(live(&mut engine, &mut source, 0..5).await, [], "all is well");
    yarn.set(|rm| rm.status = 500);
    assert_eq!(live(&mut engine, &mut source, 5..6).await, [], "no answer for a minute");
    yarn.set(|rm| {
        (rm.status, rm.began) = (200, T0 + 360_000);
        rm.alive.clear();
    });
    let one = |open| [("source:emr".to_owned(), open)];
    assert_eq!(live(&mut engine, &mut source, 6..10).await, one(true));
    yarn.set(|rm| rm.alive.clone_from(&alive));
    assert_eq!(live(&mut engine, &mut source, 10..20).await, one(false));
    assert_eq!(live(&mut engine, &mut source, 20..25).await, one(false), "no job was lost");
}
