//! Rules over looks at one job: hours, overrides and labels that change meanwhile.

use super::*;
use crate::model::{
    Alert, Completeness, Counters, JobKey, JobState, Labels, Loaded, RunId, RunObservation, Seen,
    Snapshot, SourceClock, Subject, TaskCounts, Time,
};
use crate::tracker::Tracker;

struct Watch {
    tracker: Tracker,
    rules: Rules,
    now: i64,
}

/// A Monday, 08:59:30 UTC.
const START: i64 = 1_795_424_370_000;

impl Watch {
    fn of(text: &str) -> Watch {
        let set = match parse(&[RuleSource { file: "r.yaml", text }]) {
            Ok(set) => set,
            Err(problems) => panic!("{problems:#?}"),
        };
        let (rules, _) = Rules::restore(set, LabelBook::default(), &Loaded::default());
        Watch { tracker: Tracker::default(), rules, now: START }
    }

    fn look(&mut self, after_s: i64, state: JobState, labels: Labels) -> Vec<Alert> {
        self.now += after_s * 1000;
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
                running: u32::from(state == JobState::Running),
                ..TaskCounts::default()
            },
            labels,
            counters: Seen::Fresh(Counters { restarts: Some(0), ..Counters::default() }),
            failures: Seen::Fresh(Vec::new()),
            ..RunObservation::default()
        };
        let snapshot = Snapshot {
            completeness: Completeness::Complete,
            clock: Some(SourceClock { now: self.now, offset_ms: 0 }),
            runs: vec![run],
            ..Snapshot::failed("s", "p", String::new(), false)
        };
        let time = Time::at(self.now);
        let folded = self.tracker.step(time, &snapshot);
        self.rules.step(time, &self.tracker, "s", &folded);
        let subject = Subject::Job(JobKey::new("s", "", "", "orders"));
        self.rules.alerts_of(&subject).cloned().collect()
    }
}

const RULES: &str = r#"
time_intervals:
  - { name: office, time_intervals: [ { times: [ { start_time: "09:00", end_time: "10:00" } ] } ] }
overrides:
  - { alert: Restarting, matchers: ['tier="1"'], set: { labels: { severity: critical } } }
  - { alert: Restarting, matchers: ['tier="off"'], set: { enabled: false } }
groups:
  - name: g
    rules:
      - alert: Restarting
        when: { job_state: { any_of: [RESTARTING] } }
      - alert: Office
        when: { job_state: { any_of: [FAILED] } }
        active_time_intervals: [office]
"#;

fn names(alerts: &[Alert]) -> Vec<String> {
    let name = |a: &Alert| format!("{}/{} {:?}", a.rule.alert, a.rule.severity.as_str(), a.state);
    alerts.iter().map(name).collect()
}

#[test]
fn outside_its_hours_a_rule_starts_nothing_and_only_a_false_ends_what_it_started() {
    use JobState::{Failed, Running};
    let mut watch = Watch::of(RULES);
    let none = Labels::default;
    assert_eq!(names(&watch.look(0, Failed, none())), [""; 0], "08:59:30");
    assert_eq!(names(&watch.look(29, Failed, none())), [""; 0], "08:59:59");
    assert_eq!(names(&watch.look(1, Failed, none())), ["Office/warning Firing"], "09:00:00");
    let late = watch.look(3600, Failed, none());
    assert_eq!(names(&late), ["Office/warning Firing"], "10:00:00 is out, and nothing ended");
    assert!(late[0].unknown_since.is_some());
    assert_eq!(names(&watch.look(10, Running, none())), [""; 0], "it did end");
    assert_eq!(names(&watch.look(10, Failed, none())), [""; 0], "and starts nothing");
}

#[test]
fn overrides_follow_the_labels_a_job_has_now() {
    use JobState::Restarting;
    let mut watch = Watch::of(RULES);
    let tier = |t: &str| Labels::from([("tier", t)]);
    assert_eq!(names(&watch.look(0, Restarting, tier("2"))), ["Restarting/warning Firing"]);
    let now = watch.look(10, Restarting, tier("1"));
    assert_eq!(names(&now), ["Restarting/critical Firing"], "the other form is gone");
    assert_eq!(now[0].labels.get("severity"), "critical");
    assert!(watch.rules.knows(&now[0].rule), "it outlives a restart");
    assert_eq!(names(&watch.look(10, Restarting, tier("off"))), [""; 0]);
    let own = Labels::from([("weir/Restarting.any_of", "FAILED SUSPENDED")]);
    assert_eq!(names(&watch.look(10, Restarting, own)), [""; 0]);
    assert_eq!(watch.rules.set.label_problems().count(), 0);
    let wrong = Labels::from([("weir/Restarting.any_of", "SLEEPING")]);
    let alerts = watch.look(10, Restarting, wrong);
    assert_eq!(names(&alerts), ["Restarting/warning Firing"], "the rule as it is");
    let said: Vec<&String> = watch.rules.set.label_problems().map(|(_, said)| said).collect();
    assert!(said[0].contains("label `weir/Restarting.any_of`: "), "{said:?}");
    watch.look(10, Restarting, Labels::default());
    assert_eq!(watch.rules.set.label_problems().count(), 0, "mended");
}

#[test]
fn rules_are_compared_by_what_decides() {
    let set = |text: &str| parse(&[RuleSource { file: "r.yaml", text }]).unwrap();
    let same = set(RULES);
    assert_eq!(set(RULES).rules, same.rules);
    let labelled =
        set(&RULES.replace("[RESTARTING] } }", "[RESTARTING] } }\n        labels: { a: b }"));
    assert!(labelled.rules[0].judges_like(&same.rules[0]));
    assert_ne!(labelled.rules[0], same.rules[0]);
    for (from, to) in [
        ("[RESTARTING] } }", "[FAILED] } }"),
        ("[RESTARTING] } }", "[RESTARTING] } }\n        for: 1m"),
        ("[RESTARTING] } }", "[RESTARTING] } }\n        matchers: [a=b]"),
    ] {
        let other = set(&RULES.replace(from, to));
        assert!(!other.rules[0].judges_like(&same.rules[0]), "{to}");
    }
    let hours = set(&RULES.replace("10:00", "11:00"));
    assert!(!hours.rules[1].judges_like(&same.rules[1]));
    let other = set(&RULES.replace("tier=\"1\"", "tier=\"3\""));
    assert_ne!(other.rules[0], same.rules[0]);
}
