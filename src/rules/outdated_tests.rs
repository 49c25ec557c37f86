//! Firing alerts whose condition becomes another one: by a reload, by a restart, by labels.

use super::*;
use crate::model::{
    Alert, Completeness, Counters, JobKey, JobState, Labels, Loaded, RunId, RunObservation, Seen,
    Snapshot, SourceClock, Subject, TaskCounts, Time,
};
use crate::tracker::Tracker;

const START: i64 = 1_795_424_370_000;
const MINUTE: i64 = 60;

/// How a look goes.
#[derive(Clone, Copy, PartialEq)]
enum Sight {
    Runs,
    /// RUNNING with tasks that do not run.
    Waits,
    Restarts,
    Missing,
    /// A partial look without the job.
    CutOff,
    Frozen,
}

struct Watch {
    tracker: Tracker,
    rules: Rules,
    now: i64,
    labels: Labels,
}

fn set(text: &str) -> RuleSet {
    match parse(&[RuleSource { file: "r.yaml", text }]) {
        Ok(set) => set,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// A rule with this condition and these other fields.
fn rule(when: &str, others: &str) -> RuleSet {
    set(&format!("groups: [{{ name: g, rules: [{{ alert: A, when: {when} {others} }}] }}]"))
}

const RUNNING: &str = "{ job_state: { any_of: [RUNNING] } }, aspect: failure";
/// The job does not report this number.
const NOWHERE: &str = "{ metric: { scope: job, id: nowhere, above: 1 } }, aspect: failure";

impl Watch {
    /// It fires.
    fn firing(set: RuleSet) -> Watch {
        let (rules, _) = Rules::restore(set, LabelBook::default(), &Loaded::default());
        let labels = Labels::default();
        let mut watch = Watch { tracker: Tracker::default(), rules, now: START, labels };
        assert_eq!(watch.look(Sight::Runs).map(|a| a.outdated), Some(false));
        watch
    }

    fn reload(&mut self, set: RuleSet) {
        self.rules.reload(set, LabelBook::default());
    }

    /// Another process with these rules goes on; `edit` changes what was kept of the alert.
    fn restart(&mut self, set: RuleSet, edit: fn(&mut serde_json::Value)) {
        let through = |alert: &Alert| {
            let mut row = serde_json::to_value(alert).unwrap();
            edit(&mut row);
            serde_json::from_value(row).unwrap()
        };
        let alerts = self.rules.alerts().map(through).collect();
        let loaded = Loaded { alerts, ..Loaded::default() };
        self.rules = Rules::restore(set, LabelBook::default(), &loaded).0;
    }

    /// Looks once, ten seconds later.
    fn look(&mut self, sight: Sight) -> Option<Alert> {
        self.now += 10_000;
        let state = if sight == Sight::Restarts { JobState::Restarting } else { JobState::Running };
        let run = RunObservation {
            key: JobKey::new("s", "", "", "orders"),
            name: "orders".to_owned(),
            cluster: "s".to_owned(),
            flink_cluster: "s".to_owned(),
            flink_job_name: "orders".to_owned(),
            run: RunId { start_time: START - 3_600_000, job_id: "a".to_owned() },
            state,
            tasks: TaskCounts {
                total: 1,
                running: u32::from(!matches!(sight, Sight::Restarts | Sight::Waits)),
                ..TaskCounts::default()
            },
            labels: self.labels.clone(),
            counters: Seen::Fresh(Counters { restarts: Some(0), ..Counters::default() }),
            failures: Seen::Fresh(Vec::new()),
            ..RunObservation::default()
        };
        let listed = !matches!(sight, Sight::Missing | Sight::CutOff);
        let part = Completeness::Partial { reason: "t".to_owned() };
        let snapshot = Snapshot {
            completeness: if sight == Sight::CutOff { part } else { Completeness::Complete },
            clock: Some(SourceClock { now: self.now, offset_ms: 0 }),
            runs: if listed { vec![run] } else { Vec::new() },
            metrics_frozen: sight == Sight::Frozen,
            ..Snapshot::failed("s", "p", String::new(), false)
        };
        let time = Time::at(self.now);
        let folded = self.tracker.step(time, &snapshot);
        self.rules.step(time, &self.tracker, "s", &folded);
        let subject = Subject::Job(JobKey::new("s", "", "", "orders"));
        self.rules.alerts_of(&subject).next().cloned()
    }

    /// Looks for so many seconds; the alert after the last look.
    fn looks(&mut self, sight: Sight, seconds: i64) -> Option<Alert> {
        (0..seconds / 10).map(|_| self.look(sight)).last().flatten()
    }
}

#[test]
fn only_another_condition_makes_it_outdated() {
    let office = "time_intervals: [{ name: ever, time_intervals: [{ times: [{ start_time: \"00:00\", \
                  end_time: \"24:00\" }] }] }]\n";
    let unjudged = rule(NOWHERE, "");
    let mut same = Vec::new();
    for others in [", for: 1m", ", matchers: ['job_name=\"orders\"']", ", keep_firing_for: 1m"] {
        same.push((others, rule(RUNNING, others), rule(NOWHERE, others)));
    }
    let hours = |when: &str| {
        set(&format!(
            "{office}groups: [{{ name: g, rules: [{{ alert: A, when: {when}, \
             active_time_intervals: [ever] }}] }}]"
        ))
    };
    same.push(("hours", hours(RUNNING), hours(NOWHERE)));
    for (what, edited, both) in same {
        // Where the condition cannot be judged a while, it goes on for ever all the same.
        let mut watch = Watch::firing(rule(RUNNING, ""));
        watch.reload(edited.clone());
        let alert = watch.looks(Sight::CutOff, MINUTE).unwrap();
        assert!(!alert.outdated, "{what}");
        watch.restart(edited, |_| {});
        assert!(!watch.looks(Sight::CutOff, MINUTE).unwrap().outdated, "{what}");
        watch.reload(both);
        assert!(watch.look(Sight::Runs).unwrap().outdated, "{what} and the condition");
        watch.reload(unjudged.clone());
        assert!(watch.look(Sight::Runs).unwrap().outdated, "{what} back");
    }
}

#[test]
fn the_form_it_stands_on_takes_the_mark_away() {
    let mut watch = Watch::firing(rule(RUNNING, ""));
    watch.reload(rule(NOWHERE, ""));
    assert!(watch.looks(Sight::Runs, 4 * MINUTE).unwrap().outdated);
    watch.reload(rule(RUNNING, ", for: 2m"));
    assert!(!watch.look(Sight::CutOff).unwrap().outdated, "nothing judged it, and it is back");
    watch.reload(rule(NOWHERE, ""));
    assert!(watch.looks(Sight::Runs, 4 * MINUTE).is_some(), "its time begins anew");
    assert_eq!(watch.looks(Sight::Runs, 2 * MINUTE), None);
}

#[test]
fn time_counts_only_while_the_job_is_seen_running() {
    for sight in [Sight::Waits, Sight::Restarts, Sight::Missing, Sight::CutOff, Sight::Frozen] {
        let mut watch = Watch::firing(rule(RUNNING, ""));
        watch.reload(rule(NOWHERE, ""));
        assert!(watch.looks(sight, 20 * MINUTE).is_some_and(|a| a.outdated), "{}", sight as u8);
        assert!(watch.looks(Sight::Runs, 4 * MINUTE).is_some(), "{}", sight as u8);
        assert_eq!(watch.looks(Sight::Runs, 2 * MINUTE), None, "{}", sight as u8);
    }
}

#[test]
fn an_alert_that_comes_back_has_its_whole_time_again() {
    let off = "overrides: [{ alert: A, matchers: ['tier=\"off\"'], set: { enabled: false } }]\n";
    let with = |when: &str| {
        set(&format!("{off}groups: [{{ name: g, rules: [{{ alert: A, when: {when} }}] }}]"))
    };
    // True where the job restarts, else unknown.
    let mixed = |above: u32| {
        with(&format!(
            "{{ any: [{{ job_state: {{ any_of: [RESTARTING] }} }}, {{ metric: {{ scope: job, id: \
             nowhere, above: {above} }} }}] }}, aspect: failure"
        ))
    };
    let mut watch = Watch::firing(with(RUNNING));
    watch.reload(mixed(1));
    assert!(watch.looks(Sight::Runs, 4 * MINUTE).is_some_and(|a| a.outdated));
    watch.labels = Labels::from([("tier", "off")]);
    assert_eq!(watch.looks(Sight::Runs, 2 * MINUTE), None, "switched off for it");
    watch.labels = Labels::default();
    assert!(watch.look(Sight::Restarts).is_some_and(|a| !a.outdated), "back");
    watch.reload(mixed(2));
    assert!(watch.looks(Sight::Runs, 4 * MINUTE).is_some_and(|a| a.outdated));
    assert_eq!(watch.looks(Sight::Runs, 2 * MINUTE), None);
}

#[test]
fn a_rule_changed_across_a_restart_lets_go() {
    let mut watch = Watch::firing(rule(RUNNING, ""));
    watch.restart(rule(NOWHERE, ""), |_| {});
    assert!(watch.looks(Sight::Runs, 4 * MINUTE).is_some_and(|a| a.outdated));
    assert_eq!(watch.looks(Sight::Runs, 2 * MINUTE), None);
}

/// What was kept before alerts knew their condition counts as kept under the one in force.
#[test]
fn an_alert_of_an_older_store_is_not_outdated() {
    let mut watch = Watch::firing(rule(RUNNING, ""));
    watch.restart(rule(NOWHERE, ""), |row| {
        row.as_object_mut().unwrap().remove("condition");
    });
    assert!(watch.looks(Sight::Runs, 20 * MINUTE).is_some_and(|a| !a.outdated));
    watch.reload(rule("{ metric: { scope: job, id: nowhere, above: 2 } }, aspect: failure", ""));
    assert!(watch.look(Sight::Runs).unwrap().outdated);
}
