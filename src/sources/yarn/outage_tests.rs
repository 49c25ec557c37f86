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

/// Weir's decisions about what one source shows.
struct Play {
    engine: Engine,
    source: YarnSource,
    /// Subjects of all incidents so far, and whether they are open.
    incidents: Vec<(String, bool)>,
}

impl Play {
    /// Polls until this minute; the incidents then.
    async fn until(&mut self, from: i64, to: i64) -> &[(String, bool)] {
        let steps = (from * 60 / STEP)..(to * 60 / STEP);
        for step in steps {
            let time = Time::at(T0 + step * STEP * 1_000);
            let snapshot = self.source.poll(&self.engine.demand(), time).await;
            for effect in self.engine.step(time, Input::Snapshot(Box::new(snapshot))) {
                if let Effect::Publish(view) = effect {
                    let incidents = view.incidents.values();
                    self.incidents =
                        incidents.map(|i| (i.subject.to_string(), i.is_open())).collect();
                }
            }
        }
        &self.incidents
    }
}

/// Sixty applications vanish with a ResourceManager that is restarted, and come back with it.
#[tokio::test]
async fn sixty_jobs_that_vanish_with_a_restart_are_one_incident() {
    let yarn = Yarn::start().await;
    // One Flink is real enough to be looked into; of the others YARN alone knows.
    let real = Jm::start("yarn-application", &["insert-into_orders"]).await;
    let alive: Vec<String> = (1..=60)
        .map(|n| (n, if n == 1 { real.rpc.as_str() } else { "127.0.0.1:1" }))
        .map(|(n, rpc)| app(n, &format!("job-{n}"), "RUNNING/UNDEFINED", rpc))
        .collect();
    yarn.set(|rm| rm.alive.clone_from(&alive));
    // A busy machine is no outage: nothing here is to run into a limit of time.
    let config = YarnConfig::at("emr", vec![yarn.url.clone()]);
    let source = YarnSource::new(config, Duration::from_mins(1), "test").unwrap();
    let mut play = Play { engine: engine(), source, incidents: Vec::new() };
    assert!(play.until(0, 5).await.is_empty(), "all is well");
    yarn.set(|rm| rm.status = 500);
    assert!(play.until(5, 6).await.is_empty(), "no answer for a minute");
    yarn.set(|rm| {
        (rm.status, rm.began) = (200, T0 + 360_000);
        rm.alive.clear();
    });
    let one = |open| [("source:emr".to_owned(), open)];
    assert_eq!(play.until(6, 10).await, one(true));
    yarn.set(|rm| rm.alive.clone_from(&alive));
    assert_eq!(play.until(10, 20).await, one(false));
    assert_eq!(play.until(20, 25).await, one(false), "no job was lost");
}
