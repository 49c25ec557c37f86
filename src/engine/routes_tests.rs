//! Who would hear: of a job, of an alert by its rule, of labels alone.

use super::*;
use crate::engine::Input;
use crate::model::{Completeness, JobState, Loaded, RunId, RunObservation, Snapshot};
use crate::notify::Composers;
use crate::rules::{RuleSource, parse};

const T0: i64 = 1_700_000_000_000;

const RULES: &str = "
groups:
  - name: g
    rules:
      - alert: Failed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: warning, tier: gold }
";

const CONFIG: &str = "
sources:
  - flink: { name: prod, urls: [\"http://127.0.0.1:1\"], labels: { env: prod } }
job_labels:
  - { matchers: ['job_name=\"orders\"'], labels: { team: ads } }
  - { matchers: ['job_name=\"orphan\"'], labels: { team: none } }
  - { matchers: ['job_name=\"dark\"'], labels: { team: dark } }
route:
  receiver: all
  routes:
    - { matchers: ['team=\"none\"'], receiver: none }
    - { matchers: ['team=\"dark\"'], receiver: dark }
    - { matchers: ['team=\"ads\"', 'severity=\"critical\"'], receiver: ads }
    - { matchers: ['tier=\"gold\"'], receiver: gold }
receivers:
  - { name: all, channels: [console] }
  - { name: ads, channels: [console] }
  - { name: gold, channels: [console] }
  - { name: dark, channels: [console], delivery: shadow }
  - { name: none, channels: [] }
";

fn engine() -> Engine {
    let (config, _) = crate::config::parse(CONFIG, "weir.yaml", &|_| None).unwrap();
    let rules = parse(&[RuleSource { file: "rules.yaml", text: RULES }]).unwrap();
    let settings = crate::app::engine_settings(&config);
    let mut engine = Engine::new(settings, rules, Composers::new(), &Loaded::default());
    let run = |name: &str| RunObservation {
        key: JobKey::new("prod", "", "", name),
        name: name.to_owned(),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: name.to_owned(),
        run: RunId { start_time: T0, job_id: name.to_owned() },
        state: JobState::Running,
        ..RunObservation::default()
    };
    let look = Snapshot {
        completeness: Completeness::Complete,
        runs: ["orders", "orphan", "dark", "users"].map(run).to_vec(),
        ..Snapshot::failed("prod", "p", String::new(), false)
    };
    engine.step(Time::at(T0), Input::Snapshot(Box::new(look)));
    engine
}

fn told(engine: &Engine, job: Option<&str>, labels: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut asked = Labels::default();
    for (name, value) in labels {
        asked.set(name, *value);
    }
    let question = RouteQuestion { job: job.map(str::to_owned), labels: asked };
    let answer = engine.routes(Time::at(T0), &question).unwrap();
    let last = |ways: Vec<Way>| ways.into_iter().map(|w| w.receiver).collect::<Vec<_>>().join("+");
    answer.ways.into_iter().map(|(severity, ways)| (severity, last(ways))).collect()
}

#[test]
fn the_table_of_questions() {
    let engine = engine();
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let three =
        |critical, other| pairs(&[("critical", critical), ("warning", other), ("info", other)]);
    for (job, labels, expected) in [
        (Some("orders"), &[][..], three("ads", "all")),
        (Some("users"), &[], three("all", "all")),
        (Some("orders"), &[("severity", "critical")], pairs(&[("critical", "ads")])),
        // The rule's own severity and labels.
        (Some("orders"), &[("alertname", "Failed")], pairs(&[("warning", "gold")])),
        (
            Some("orders"),
            &[("alertname", "Failed"), ("severity", "critical")],
            pairs(&[("critical", "ads")]),
        ),
        (None, &[("team", "none")], three("none", "none")),
    ] {
        assert_eq!(told(&engine, job, labels), expected, "{job:?} {labels:?}");
    }
    let nobody = RouteQuestion { job: Some("nothing".to_owned()), ..RouteQuestion::default() };
    assert!(engine.routes(Time::at(T0), &nobody).is_err());
}

#[test]
fn jobs_nobody_hears_of_are_named() {
    let keys: Vec<String> = engine().unowned().into_iter().map(|key| key.0).collect();
    assert_eq!(keys, ["prod/dark", "prod/orphan"]);
}
