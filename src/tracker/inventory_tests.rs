//! Looks at an inventory between looks at a platform.

use super::*;
use crate::model::{JobState, Labels, Loaded, RunId, RunObservation, Says, TaskCounts};
use crate::tracker::Fact;

fn platform(names: &[&str], labels: &Labels) -> Snapshot {
    let run = |name: &&str| RunObservation {
        key: JobKey::new("prod", "", "", name),
        name: (*name).to_owned(),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: (*name).to_owned(),
        run: RunId { start_time: 1, job_id: format!("{name}-1") },
        state: JobState::Running,
        tasks: TaskCounts { total: 1, running: 1, ..TaskCounts::default() },
        labels: labels.clone(),
        ..RunObservation::default()
    };
    Snapshot {
        completeness: Completeness::Complete,
        runs: names.iter().map(run).collect(),
        ..Snapshot::failed("prod", "t", String::new(), false)
    }
}

fn inventory(owners: &[(&str, &str)]) -> Snapshot {
    let entry = |(name, owner): &(&str, &str)| InventoryEntry {
        id: format!("10-{name}"),
        name: (*name).to_owned(),
        says: Says::Runs,
        owner: Some((*owner).to_owned()),
        ..InventoryEntry::default()
    };
    Snapshot {
        completeness: Completeness::Complete,
        inventory: owners.iter().map(entry).collect(),
        ..Snapshot::failed("sp", "t", String::new(), false)
    }
}

fn owner(tracker: &Tracker, name: &str) -> String {
    let job = tracker.job(&JobKey::new("prod", "", "", name)).unwrap();
    job.labels.get("owner").to_owned()
}

#[test]
fn an_inventory_enriches_and_names_nothing() {
    let mut tracker = Tracker::default();
    let none = Labels::default();
    tracker.step(Time::at(0), &platform(&["orders"], &none));
    let folded = tracker.step(Time::at(1_000), &inventory(&[("orders", "du"), ("clicks", "li")]));
    assert!(folded.jobs.is_empty(), "no job of its own");
    assert_eq!(folded.changes.len(), 2, "the source, and the job it says more about");
    assert_eq!(tracker.job_count(), 1);
    assert_eq!(owner(&tracker, "orders"), "du");
    assert_eq!(tracker.inventory("sp").unwrap().unseen, ["clicks"]);
    // A job that comes later has its owner at its first look.
    tracker.step(Time::at(10_000), &platform(&["orders", "clicks"], &none));
    assert_eq!(
        (owner(&tracker, "orders").as_str(), owner(&tracker, "clicks").as_str()),
        ("du", "li")
    );
    // The same again is nothing to write down.
    let again = inventory(&[("orders", "du"), ("clicks", "li")]);
    assert!(tracker.step(Time::at(31_000), &again).changes.is_empty());
}

#[test]
fn what_the_platform_says_counts() {
    let mut tracker = Tracker::default();
    let own = Labels::from([("owner", "platform")]);
    for _ in 0..2 {
        tracker.step(Time::at(0), &platform(&["orders"], &own));
        tracker.step(Time::at(0), &inventory(&[("orders", "du")]));
        assert_eq!(owner(&tracker, "orders"), "platform");
    }
}

#[test]
fn what_an_inventory_no_longer_says_is_gone_only_when_it_was_seen_in_full() {
    let mut tracker = Tracker::default();
    tracker.step(Time::at(0), &platform(&["orders"], &Labels::default()));
    tracker.step(Time::at(0), &inventory(&[("orders", "du")]));
    let failed = Snapshot::failed("sp", "t", "no answer".to_owned(), false);
    tracker.step(Time::at(1), &failed);
    let partial = Completeness::Partial { reason: "more than 1 job".to_owned() };
    let cut = Snapshot { completeness: partial, ..inventory(&[("clicks", "li")]) };
    tracker.step(Time::at(2), &cut);
    assert_eq!(owner(&tracker, "orders"), "du");
    let folded = tracker.step(Time::at(3), &inventory(&[("clicks", "li")]));
    assert_eq!((owner(&tracker, "orders").as_str(), folded.changes.len()), ("", 1));
}

#[test]
fn what_was_said_outlives_a_restart_but_is_not_fresh() {
    let mut tracker = Tracker::default();
    tracker.step(Time::at(0), &platform(&["orders"], &Labels::default()));
    let mut loaded = Loaded::default();
    for change in tracker.step(Time::at(0), &inventory(&[("orders", "du")])).changes {
        if let Change::Job { key, body } = change {
            loaded.jobs.push((key, body));
        }
    }
    let mut tracker = Tracker::restore(&loaded);
    tracker.step(Time::at(10_000), &platform(&["orders"], &Labels::default()));
    assert_eq!(owner(&tracker, "orders"), "du");
    let key = JobKey::new("prod", "", "", "orders");
    let fact = |tracker: &Tracker, at| {
        let facts = tracker.job_facts(&key, Time::at(at)).unwrap();
        facts.inventory().map(|found| found.entry.id.clone())
    };
    assert_eq!(fact(&tracker, 10_000), Fact::Unknown);
    tracker.step(Time::at(20_000), &inventory(&[("orders", "du")]));
    assert_eq!(fact(&tracker, 20_000), Fact::Known("10-orders".to_owned()));
    assert_eq!(fact(&tracker, 330_000), Fact::Unknown, "nobody has heard of it for long");
    // An inventory that is empty now takes all back, whatever was before this process.
    tracker.step(Time::at(340_000), &inventory(&[]));
    assert_eq!(owner(&tracker, "orders"), "");
}

#[test]
fn an_inventory_that_leaves_takes_its_labels_with_it() {
    let mut tracker = Tracker::default();
    tracker.step(Time::at(0), &platform(&["orders"], &Labels::default()));
    tracker.step(Time::at(0), &inventory(&[("orders", "du")]));
    tracker.retain_sources(&BTreeSet::from(["prod".to_owned()]));
    assert_eq!(owner(&tracker, "orders"), "");
    assert!(tracker.inventory("sp").is_none());
}

#[test]
fn an_inventory_is_known_for_one_before_it_was_ever_seen() {
    let mut tracker = Tracker::default();
    tracker.set_inventories(BTreeSet::from(["sp".to_owned()]));
    tracker.step(Time::at(0), &Snapshot::failed("sp", "t", "no answer".to_owned(), false));
    tracker.step(Time::at(0), &Snapshot::failed("prod", "t", "no answer".to_owned(), false));
    assert!(tracker.source("sp").unwrap().is_inventory);
    assert!(!tracker.source("prod").unwrap().is_inventory);
}
