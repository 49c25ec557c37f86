//! A JobManager's address that has become another application's.

use super::*;

fn unseen<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a str> {
    snapshot.clusters.iter().find(|c| c.flink_cluster == name)?.unseen.as_deref()
}

#[tokio::test]
async fn a_port_that_went_to_another_application_is_not_the_old_one() {
    let yarn = Yarn::start().await;
    let jm = Jm::start("yarn-application", &["x"]).await;
    let id = |number: u32| format!("application_{BEGAN}_{number:04}");
    let become_of = |number, first, jobs: &[&str]| {
        *jm.says.lock().unwrap() = Says::of("yarn-application", &id(number), first, jobs);
    };
    become_of(1, 1, &["x"]);
    let old = app(1, "old", "RUNNING/UNDEFINED", &jm.rpc);
    yarn.set(|rm| rm.alive = vec![old.clone()]);
    let mut source = source(&[&yarn.url]);
    assert_eq!(keys(&poll(&mut source, 0).await), [("emr/old", JobState::Running)]);
    // Its JobManager is gone, and the next application has its port before YARN has noticed.
    become_of(2, 7, &["y"]);
    yarn.set(|rm| rm.alive = vec![old, app(2, "new", "RUNNING/UNDEFINED", &jm.rpc)]);
    for second in [10, 20, 30] {
        let snapshot = poll(&mut source, second).await;
        assert_eq!(keys(&snapshot), [("emr/new", JobState::Running)], "{second}");
        let why = unseen(&snapshot, "old").unwrap();
        assert!(why.contains(&id(2)), "{why}");
        assert_eq!(unseen(&snapshot, "new"), None);
    }
    // Nor does it keep alive what YARN does not list any more.
    yarn.set(|rm| drop(rm.alive.remove(0)));
    let mut snapshot = poll(&mut source, 40).await;
    for second in [50, 60, 70] {
        snapshot = poll(&mut source, second).await;
    }
    assert_eq!(keys(&snapshot), [("emr/new", JobState::Running)]);
    assert!(!snapshot.clusters.iter().any(|c| c.flink_cluster == "old"), "{snapshot:?}");
    assert!(!source.apps.contains_key(&id(1)));
}

#[tokio::test]
async fn settings_are_asked_for_once_and_when_all_jobs_are_others() {
    let yarn = Yarn::start().await;
    let jm = Jm::start("yarn-session", &["a"]).await;
    yarn.set(|rm| rm.alive = vec![app(1, "team", "RUNNING/UNDEFINED", &jm.rpc)]);
    let mut source = source(&[&yarn.url]);
    for (second, first, jobs, asked) in [
        (0, 1, vec!["a"], 1),
        (10, 1, vec!["a"], 0),
        (20, 1, vec!["a", "b"], 0),
        (30, 2, vec!["b"], 0),
        (40, 3, vec!["c"], 1),
        (50, 3, vec!["c"], 0),
    ] {
        let application = format!("application_{BEGAN}_0001");
        *jm.says.lock().unwrap() = Says::of("yarn-session", &application, first, &jobs);
        let snapshot = poll(&mut source, second).await;
        assert_eq!(snapshot.runs.len(), jobs.len(), "{second}");
        assert_eq!(jm.says.lock().unwrap().asked, asked, "{second}");
    }
}
