//! An inventory beside a platform, through the whole engine.

use super::*;
use crate::model::{
    Completeness, InventoryCheckpoint, InventoryEntry, JobKey, JobState, Loaded, RunId,
    RunObservation, Says, Severity, Snapshot, TaskCounts, Time,
};
use crate::notify::Composers;
use crate::rules::{RuleSource, SHIPPED};
use crate::tracker::Standing;

const CONFIG: &str = "
sources:
  - flink: { name: prod, urls: ['http://127.0.0.1:1'], labels: { env: prod } }
  - streampark: { name: sp, database_url: 'mysql://127.0.0.1:1/sp', labels: { env: sp, region: cn } }
job_labels:
  - { matchers: ['owner=\"du\"'], labels: { lead: boss, team: core } }
receivers:
  - { name: me, channels: [console] }
";

fn engine() -> Engine {
    let (config, _) = crate::config::parse(CONFIG, "weir.yaml", &|_| None).unwrap();
    let files: Vec<RuleSource<'_>> =
        SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
    let rules = crate::rules::parse(&files).unwrap();
    Engine::new(crate::app::engine_settings(&config), rules, Composers::new(), &Loaded::default())
}

fn look(engine: &mut Engine, second: i64, snapshot: Snapshot) {
    engine.step(Time::at(second * 1000), Input::Snapshot(Box::new(snapshot)));
}

fn platform() -> Snapshot {
    let run = RunObservation {
        key: JobKey::new("prod", "", "", "orders"),
        name: "orders".to_owned(),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: "orders".to_owned(),
        run: RunId { start_time: 1, job_id: "a".to_owned() },
        state: JobState::Running,
        tasks: TaskCounts { total: 1, running: 1, ..TaskCounts::default() },
        ..RunObservation::default()
    };
    Snapshot {
        completeness: Completeness::Complete,
        runs: vec![run],
        ..Snapshot::failed("prod", "t", String::new(), false)
    }
}

fn inventory() -> Snapshot {
    let entry = InventoryEntry {
        id: "100001".to_owned(),
        name: "orders".to_owned(),
        says: Says::Runs,
        owner: Some("du".to_owned()),
        team: Some("ads".to_owned()),
        ..InventoryEntry::default()
    };
    Snapshot {
        completeness: Completeness::Complete,
        inventory: vec![entry],
        ..Snapshot::failed("sp", "t", String::new(), false)
    }
}

/// Weir comes when it is all over: what only the inventory has recorded is what there is.
#[test]
fn a_dead_job_goes_on_from_what_only_the_inventory_has_recorded() {
    let mut engine = engine();
    let path = "hdfs://nn/ck/5fb8c1a2d3e4f5061728394a5b6c7d8e/chk-9";
    let row = InventoryCheckpoint {
        entry: "100001".to_owned(),
        id: Some(9),
        path: path.to_owned(),
        savepoint: false,
        local_ms: Some(1_000),
    };
    let mut known = inventory();
    known.inventory[0].job_id = Some("a".to_owned());
    known.recorded = vec![row];
    let mut dead = platform();
    dead.runs[0].state = JobState::Failed;
    look(&mut engine, 60, known);
    look(&mut engine, 61, dead);
    let found = engine.checkpoints("orders").unwrap();
    assert_eq!(found.next.as_deref(), Some(path));
    let [told] = &found.entries[..] else { panic!("{found:?}") };
    assert_eq!((told.told_by.as_deref(), told.standing), (Some("sp"), Standing::Maybe));
}

#[test]
fn labels_come_from_all_and_the_platform_names_the_job() {
    let mut engine = engine();
    look(&mut engine, 1_000, inventory());
    look(&mut engine, 1_001, platform());
    let job = engine.tracker().job(&JobKey::new("prod", "", "", "orders")).unwrap();
    let labels = engine.rules().book().of_job(job);
    for (name, value) in [
        ("source", "prod"),
        ("cluster", "prod"),
        ("job_name", "orders"),
        ("env", "prod"),
        ("region", "cn"),
        ("inventory", "sp"),
        ("owner", "du"),
        ("lead", "boss"),
        ("team", "core"),
    ] {
        assert_eq!(labels.get(name), value, "{name} of {labels:?}");
    }
    assert_eq!(engine.tracker().job_count(), 1, "an inventory names no job");
}

#[test]
fn an_inventory_that_cannot_be_read_is_no_cluster() {
    let mut engine = engine();
    look(&mut engine, 1_000, platform());
    let failed = |name| Snapshot::failed(name, "t", "no answer".to_owned(), false);
    for second in [1_000, 1_300, 1_600, 1_900] {
        look(&mut engine, second, failed("sp"));
        look(&mut engine, second, platform());
    }
    let told = |engine: &Engine| -> Vec<(String, Severity)> {
        engine.incidents().iter().map(|i| (i.rule.clone(), i.severity)).collect()
    };
    assert_eq!(told(&engine), [("WeirCannotReach".to_owned(), Severity::Warning)]);
    // The platform's own silence is as critical as ever.
    for second in [2_000, 2_300] {
        look(&mut engine, second, failed("prod"));
    }
    let unreachable = ("ClusterUnreachable".to_owned(), Severity::Critical);
    assert!(told(&engine).contains(&unreachable), "{:?}", told(&engine));
}
