//! Entries and jobs as they come.

use super::*;
use crate::model::{DeployMode, JobKey, Says};

const APP: &str = "application_1700000000000_0042";
const OTHER: &str = "application_1700000000000_0043";
const ID: &str = "0123456789abcdef0123456789abcdef";
const ZEROS: &str = "00000000000000000000000000000000";

fn entry(name: &str) -> InventoryEntry {
    InventoryEntry {
        id: format!("id-{name}"),
        name: name.to_owned(),
        says: Says::Runs,
        ..InventoryEntry::default()
    }
}

fn on_yarn(name: &str, application: &str, mode: DeployMode) -> InventoryEntry {
    InventoryEntry { application_id: Some(application.to_owned()), mode, ..entry(name) }
}

struct Job {
    key: JobKey,
    name: &'static str,
    cluster: &'static str,
    namespace: &'static str,
    application: Option<&'static str>,
    id: &'static str,
}

fn job(name: &'static str) -> Job {
    let key = JobKey::new("c", "", "", name);
    Job { key, name, cluster: "c", namespace: "", application: None, id: ZEROS }
}

fn run(entries: &[InventoryEntry], jobs: &[Job]) -> Matched {
    let candidates: Vec<Candidate<'_>> = jobs.iter().map(candidate).collect();
    let entries: Vec<Arc<InventoryEntry>> = entries.iter().cloned().map(Arc::new).collect();
    matched(&entries, &candidates)
}

fn candidate(job: &Job) -> Candidate<'_> {
    Candidate {
        key: &job.key,
        names: [job.name, job.name],
        namespace: job.namespace,
        flink_cluster: job.cluster,
        application_id: job.application,
        job_id: job.id,
    }
}

#[test]
fn the_stronger_mark_wins() {
    use DeployMode::{KubernetesApplication, KubernetesSession, YarnApplication, YarnSession};
    let yarn = |mode| on_yarn("orders", APP, mode);
    let in_app = |name| Job { application: Some(APP), ..job(name) };
    let kubernetes = |mode| InventoryEntry {
        mode,
        cluster_id: Some("orders".to_owned()),
        namespace: Some("flink".to_owned()),
        ..entry("orders")
    };
    let pod = |name, cluster| Job { namespace: "flink", cluster, ..job(name) };
    let with_id = |id: &str| InventoryEntry { job_id: Some(id.to_owned()), ..entry("x") };
    for (case, entry, job, expected) in [
        (
            "application, renamed in the code",
            yarn(YarnApplication),
            in_app("main"),
            Some(By::Application),
        ),
        ("a session says nothing alone", yarn(YarnSession), in_app("main"), None),
        ("a session and the name", yarn(YarnSession), in_app("orders"), Some(By::Application)),
        (
            "resubmitted by hand",
            yarn(YarnApplication),
            Job { application: Some(OTHER), ..job("orders") },
            Some(By::Name),
        ),
        (
            "cluster-id is the name",
            kubernetes(KubernetesApplication),
            pod("orders", "orders"),
            Some(By::Cluster),
        ),
        (
            "another namespace",
            kubernetes(KubernetesApplication),
            Job { namespace: "test", ..job("orders") },
            None,
        ),
        (
            "a namespace that is not known",
            kubernetes(KubernetesApplication),
            job("orders"),
            Some(By::Name),
        ),
        (
            "session and name",
            kubernetes(KubernetesSession),
            pod("orders", "orders"),
            Some(By::Cluster),
        ),
        ("session of another job", kubernetes(KubernetesSession), pod("clicks", "orders"), None),
        ("job id", with_id(ID), Job { id: ID, ..job("y") }, Some(By::JobId)),
        ("all zeros tell nothing", with_id(ZEROS), job("y"), None),
        ("nothing in common", self::entry("x"), job("y"), None),
    ] {
        let found = run(&[entry], &[job]);
        assert_eq!(found.pairs.first().map(|pair| pair.2), expected, "{case}: {found:?}");
    }
}

#[test]
fn what_is_not_clear_is_left_alone_and_named() {
    let here = job("orders");
    let there = Job { key: JobKey::new("d", "", "", "orders"), cluster: "d", ..job("orders") };
    let found = run(&[entry("orders")], &[here, there]);
    assert!(found.pairs.is_empty(), "{found:?}");
    assert_eq!(
        found.conflicts,
        ["`orders` (id-orders) fits 2 jobs by name: c/orders, d/orders; none taken"]
    );

    let twice = [entry("orders"), InventoryEntry { id: "7".into(), ..entry("orders") }];
    let found = run(&twice, &[job("orders")]);
    assert!(found.pairs.is_empty(), "{found:?}");
    assert_eq!(
        found.conflicts,
        ["job c/orders fits 2 entries by name: `orders` (id-orders), `orders` (7); none taken"]
    );
}

#[test]
fn of_two_entries_the_one_that_lives_is_meant() {
    let dead = InventoryEntry { says: Says::Ended, ..entry("orders") };
    let found = run(&[dead, entry("orders")], &[job("orders")]);
    assert_eq!(found.pairs, [(1, 0, By::Name)]);
}

#[test]
fn two_jobs_of_one_name_are_told_apart_by_what_identifies_them() {
    use DeployMode::YarnApplication;
    let entries =
        [on_yarn("orders", APP, YarnApplication), on_yarn("orders", OTHER, YarnApplication)];
    let at = |cluster, application| Job {
        key: JobKey::new(cluster, "", "", "orders"),
        application: Some(application),
        ..job("orders")
    };
    let found = run(&entries, &[at("d", OTHER), at("c", APP)]);
    assert_eq!(found.pairs, [(0, 1, By::Application), (1, 0, By::Application)]);
    assert!(found.conflicts.is_empty());
}

#[test]
fn a_namesake_of_another_job_is_named() {
    let entries = [on_yarn("orders", APP, DeployMode::YarnApplication)];
    let jobs = [Job { application: Some(APP), ..job("clicks") }, job("orders")];
    let found = run(&entries, &jobs);
    assert_eq!(found.pairs, [(0, 0, By::Application)]);
    assert_eq!(
        found.conflicts,
        [
            "`orders` (id-orders) is job c/clicks by its application id, though c/orders has its name"
        ]
    );
}

#[test]
fn a_job_that_was_renamed_there_keeps_its_entry() {
    let mode = DeployMode::YarnApplication;
    let running = || Job { application: Some(APP), ..job("orders") };
    let found = run(&[on_yarn("orders-v2", APP, mode)], &[running()]);
    assert_eq!(found, Matched { pairs: vec![(0, 0, By::Application)], conflicts: Vec::new() });
    // Another job has got the old name since, there and here.
    let entries = [on_yarn("orders-v2", APP, mode), entry("orders")];
    let found = run(&entries, &[running()]);
    assert_eq!(found.pairs, [(0, 0, By::Application)], "{found:?}");
}

/// As many as an inventory has, all of them renamed: none is compared with all others.
#[test]
fn thousands_are_told_apart() {
    let texts: Vec<(String, String)> = (0..10_000)
        .map(|n| (format!("job-{n}"), format!("application_1700000000000_{n:05}")))
        .collect();
    let keys: Vec<JobKey> = texts.iter().map(|(name, _)| JobKey::new("c", "", "", name)).collect();
    let jobs: Vec<Candidate<'_>> = texts
        .iter()
        .zip(&keys)
        .map(|((name, application), key)| Candidate {
            key,
            names: [name, name],
            namespace: "",
            flink_cluster: application,
            application_id: Some(application),
            job_id: ZEROS,
        })
        .collect();
    let entries: Vec<Arc<InventoryEntry>> = texts
        .iter()
        .rev()
        .map(|(name, id)| {
            Arc::new(on_yarn(&format!("new-{name}"), id, DeployMode::YarnApplication))
        })
        .collect();
    let found = matched(&entries, &jobs);
    assert_eq!((found.pairs.len(), found.conflicts.len()), (10_000, 0));
    assert!(
        found.pairs.iter().all(|(entry, job, by)| entry + job == 9_999 && *by == By::Application)
    );
}

#[test]
fn the_order_of_jobs_and_entries_changes_nothing() {
    let entries: Vec<_> = ["a", "b", "c", "a"].into_iter().map(entry).collect();
    let jobs = || ["a", "b", "c"].into_iter().map(job).collect::<Vec<_>>();
    let names = |entries: &[InventoryEntry], jobs: Vec<Job>| {
        let found = run(entries, &jobs);
        let pair = |(e, j, _): &(usize, usize, By)| (entries[*e].name.clone(), jobs[*j].name);
        let mut pairs: Vec<_> = found.pairs.iter().map(pair).collect();
        pairs.sort();
        pairs
    };
    let expected = names(&entries, jobs());
    assert_eq!(expected.len(), 2, "two entries are called a");
    let reversed: Vec<_> = entries.iter().rev().cloned().collect();
    assert_eq!(names(&reversed, jobs().into_iter().rev().collect()), expected);
}

#[test]
fn application_ids_are_found_in_addresses() {
    for (text, expected) in [
        (APP, Some(APP)),
        ("http://rm:8088/proxy/application_1700000000000_0042/#/job/x", Some(APP)),
        ("application_x_1", None),
        ("application_1", None),
        ("application_1_", None),
        ("http://jm:8081/#/job/x", None),
        ("", None),
    ] {
        assert_eq!(application_in(text), expected, "{text}");
    }
}
