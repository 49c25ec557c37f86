//! Who mutes whom: tables after Alertmanager's, and what no set of rules may do.

use proptest::prelude::*;

use super::*;
use crate::incidents::{Incidents, OWN_GROUP, Settings};
use crate::model::Change;
use crate::model::{
    Alert, AlertState, Aspect, ChannelId, Evidence, Loaded, RuleId, Severity, Time, Ts,
};
use crate::tracker::Tracker;

fn rule(source: &[&str], target: &[&str], equal: &[&str]) -> InhibitRule {
    let read = |texts: &[&str]| texts.iter().map(|t| Matcher::parse(t).unwrap()).collect();
    InhibitRule {
        name: "r".to_owned(),
        source: read(source),
        target: read(target),
        equal: equal.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn alert(subject: &Subject, name: &str, severity: Severity, labels: &[(&str, &str)]) -> Alert {
    let mut all = Labels::from([("alertname", name), ("severity", severity.as_str())]);
    for (label, value) in labels {
        all.set(label, *value);
    }
    Alert {
        rule: RuleId { group: OWN_GROUP.to_owned(), alert: name.to_owned(), severity },
        subject: subject.clone(),
        aspect: Aspect::from(Aspect::PLATFORM),
        state: AlertState::Firing,
        since: Ts(0),
        last_true: Ts(0),
        first_look: false,
        unknown_since: None,
        outdated: false,
        condition: None,
        evidence: Evidence::new(),
        labels: all,
        annotations: BTreeMap::new(),
    }
}

/// (alertname, labels) per incident, whose ids count from 1.
type Open<'a> = &'a [(&'a str, &'a [(&'a str, &'a str)])];

fn world(rules: Vec<InhibitRule>, open: Open<'_>) -> Incidents {
    let settings = Settings { inhibit: rules, ..Settings::default() };
    let mut incidents = Incidents::restore(settings, &Loaded::default());
    for (n, (name, labels)) in open.iter().enumerate() {
        let subject = Subject::Source(format!("s{n}"));
        let firing = alert(&subject, name, Severity::Critical, labels);
        incidents.step_own(Time::at(0), &subject, Some(&firing));
    }
    incidents.tick(Time::at(0), &Tracker::restore(&Loaded::default()));
    incidents
}

/// What it is about, its rules, what is open, and (target, root) of what is muted.
type Case<'a> = (&'a str, Vec<InhibitRule>, Open<'a>, Vec<(u64, u64)>);

/// (target, root) of all that are muted.
fn muted(incidents: &Incidents) -> Vec<(u64, u64)> {
    incidents.iter().filter_map(|i| Some((i.id, i.inhibited_by?))).collect()
}

#[test]
fn the_table_of_rules() {
    let by_cluster = || vec![rule(&["alertname=Down"], &["alertname=Slow"], &["cluster"])];
    let cases: Vec<Case<'_>> = vec![
        ("no rules", vec![], &[("Down", &[]), ("Slow", &[])], vec![]),
        (
            "in the same cluster",
            by_cluster(),
            &[
                ("Slow", &[("cluster", "a")]),
                ("Down", &[("cluster", "a")]),
                ("Slow", &[("cluster", "b")]),
            ],
            vec![(1, 2)],
        ),
        ("a label both lack is alike", by_cluster(), &[("Down", &[]), ("Slow", &[])], vec![(2, 1)]),
        (
            "a label one lacks is not",
            by_cluster(),
            &[("Down", &[]), ("Slow", &[("cluster", "a")])],
            vec![],
        ),
        (
            "across clusters",
            vec![rule(&["alertname=Down"], &["alertname=~\"S.*\""], &[])],
            &[("Down", &[("cluster", "a")]), ("Slow", &[("cluster", "b")]), ("Other", &[])],
            vec![(2, 1)],
        ),
        (
            "not itself, and not what matches both sides either",
            vec![rule(&["severity=critical"], &["severity=critical"], &[])],
            &[("Down", &[]), ("Slow", &[])],
            vec![],
        ),
        (
            "what matches both is muted by what matches one",
            vec![rule(&["team=~\"a|b\""], &["team=~\"b|c\""], &[])],
            &[("X", &[("team", "b")]), ("Y", &[("team", "a")]), ("Z", &[("team", "c")])],
            // By the oldest that does: 3 by 1, which 2 mutes.
            vec![(1, 2), (3, 2)],
        ),
        (
            "a chain names its beginning",
            vec![
                rule(&["alertname=A"], &["alertname=B"], &[]),
                rule(&["alertname=B"], &["alertname=C"], &[]),
            ],
            &[("C", &[]), ("B", &[]), ("A", &[])],
            vec![(1, 3), (2, 3)],
        ),
        (
            "two that mute each other: the older is told",
            vec![
                rule(&["alertname=A"], &["alertname=B"], &[]),
                rule(&["alertname=B"], &["alertname=A"], &[]),
            ],
            &[("B", &[]), ("A", &[])],
            vec![(2, 1)],
        ),
        (
            "a circle of three with somebody who follows",
            vec![
                rule(&["alertname=A"], &["alertname=B"], &[]),
                rule(&["alertname=B"], &["alertname=C"], &[]),
                rule(&["alertname=C"], &["alertname=A"], &[]),
                rule(&["alertname=A"], &["alertname=D"], &[]),
            ],
            &[("D", &[]), ("C", &[]), ("B", &[]), ("A", &[])],
            vec![(1, 2), (3, 2), (4, 2)],
        ),
    ];
    for (name, rules, open, expected) in cases {
        assert_eq!(muted(&world(rules, open)), expected, "{name}");
    }
}

#[test]
fn an_incident_is_muted_when_all_its_alerts_are() {
    let rules = vec![rule(&["alertname=Down"], &["alertname=Slow"], &[])];
    let mut incidents = world(rules, &[("Down", &[])]);
    let subject = Subject::Job(crate::model::JobKey("prod/a".to_owned()));
    let slow = alert(&subject, "Slow", Severity::Warning, &[]);
    let failed = alert(&subject, "Failed", Severity::Critical, &[]);
    let aspect = Aspect::from(Aspect::PLATFORM);
    let tracker = Tracker::restore(&Loaded::default());
    let mut step = |alerts: &[&Alert]| {
        let mut out = crate::incidents::Stepped::default();
        let health = crate::incidents::Health::Well;
        incidents.apply(Time::at(0), &subject, &aspect, alerts, health, None, &mut out);
        incidents.tick(Time::at(0), &tracker);
        muted(&incidents)
    };
    assert_eq!(step(&[&slow]), [(2, 1)]);
    // Its release takes a moment, as when the root is over; then it is told.
    assert_eq!(step(&[&slow, &failed]), [(2, 1)]);
    let later = Time::at(600_000);
    incidents.tick(later, &tracker);
    assert_eq!(muted(&incidents), []);
}

#[test]
fn that_weir_cannot_deliver_is_never_muted() {
    let mut incidents = world(vec![rule(&["alertname=Down"], &[], &[])], &[("Down", &[])]);
    let id = ChannelId { receiver: "r".to_owned(), channel: "c".to_owned() };
    let subject = Subject::Channel(id);
    let failing = alert(&subject, "WeirChannelFailing", Severity::Critical, &[]);
    incidents.step_own(Time::at(0), &subject, Some(&failing));
    incidents.tick(Time::at(0), &Tracker::restore(&Loaded::default()));
    assert_eq!(muted(&incidents), []);
}

#[test]
fn a_symptom_stays_muted_for_a_while_after_its_root() {
    let rules = vec![rule(&["alertname=Down"], &["alertname=Slow"], &[])];
    let mut incidents = world(rules, &[("Down", &[]), ("Slow", &[])]);
    let tracker = Tracker::restore(&Loaded::default());
    let root = Subject::Source("s0".to_owned());
    for minute in [1, 3] {
        incidents.step_own(Time::at(minute * 60_000), &root, None);
    }
    incidents.tick(Time::at(180_000), &tracker);
    assert_eq!(muted(&incidents), [(2, 1)]);
    assert_eq!(incidents.get(2).unwrap().inhibited_until, Some(Ts(180_000 + 300_000)));
    incidents.tick(Time::at(480_000), &tracker);
    assert_eq!(muted(&incidents), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever the rules: somebody is told, everybody who is not names one who is, the same
    /// facts give the same answer, and who is not muted by any rule is told.
    #[test]
    fn nobody_is_muted_by_what_nobody_hears_of(
        rules in prop::collection::vec((0_u8..4, 0_u8..4, any::<bool>()), 0..7),
        open in prop::collection::vec((0_u8..4, prop::option::of(0_u8..2)), 1..10),
    ) {
        let name = |n: &u8| format!("alertname=A{n}");
        let built: Vec<InhibitRule> = rules
            .iter()
            .map(|(from, to, equal)| {
                let equal: &[&str] = if *equal { &["cluster"] } else { &[] };
                rule(&[&name(from)], &[&name(to)], equal)
            })
            .collect();
        let named: Vec<(String, Vec<(&str, &str)>)> = open
            .iter()
            .map(|(n, cluster)| {
                let cluster = cluster.map(|c| if c == 0 { "x" } else { "y" });
                (format!("A{n}"), cluster.map(|c| ("cluster", c)).into_iter().collect())
            })
            .collect();
        let rows: Vec<(&str, &[(&str, &str)])> =
            named.iter().map(|(n, labels)| (n.as_str(), labels.as_slice())).collect();
        let incidents = world(built.clone(), &rows);
        let found = muted(&incidents);
        prop_assert!(found.len() < rows.len(), "all vanished: {found:?}");
        for (target, root) in &found {
            prop_assert!(target != root);
            prop_assert!(found.iter().all(|(id, _)| id != root), "#{root} is muted itself");
        }
        prop_assert_eq!(&found, &muted(&world(built, &rows)));
        for (n, (kind, cluster)) in open.iter().enumerate() {
            let id = n as u64 + 1;
            // As Alertmanager would say it, alert by alert.
            let mutes = |(from, to, equal): &(u8, u8, bool)| {
                to == kind
                    && from != to
                    && open.iter().enumerate().any(|(m, (other, theirs))| {
                        m != n && other == from && (!equal || theirs == cluster)
                    })
            };
            if !rules.iter().any(mutes) {
                prop_assert!(found.iter().all(|(target, _)| *target != id), "#{id} is muted");
            }
        }
    }
}

#[test]
fn who_is_muted_by_whom_stands_in_the_timeline() {
    let rules = vec![rule(&["alertname=Down"], &["alertname=Slow"], &[])];
    let mut incidents = world(rules, &[("Slow", &[])]);
    let tracker = Tracker::restore(&Loaded::default());
    let down = Subject::Source("down".to_owned());
    let alert = alert(&down, "Down", Severity::Critical, &[]);
    let said = |incidents: &mut Incidents, second: i64| {
        let stepped = incidents.tick(Time::at(second * 1_000), &tracker);
        let lines = stepped.changes.into_iter().filter_map(|change| match change {
            Change::Event { incident: 1, what, .. } => Some(what),
            _ => None,
        });
        lines.collect::<Vec<_>>()
    };
    incidents.step_own(Time::at(0), &down, Some(&alert));
    assert_eq!(said(&mut incidents, 1), ["inhibited by #2"]);
    assert_eq!(said(&mut incidents, 2), Vec::<String>::new());
    let unwatched = incidents.unwatch(Time::at(2_000), &|subject| *subject != down);
    let over = |c: &Change| matches!(c, Change::Event { incident: 2, what, .. } if what == "over: unwatched");
    assert!(unwatched.changes.iter().any(over), "{:?}", unwatched.changes);
    assert_eq!(said(&mut incidents, 3), Vec::<String>::new(), "it may need a moment");
    assert_eq!(said(&mut incidents, 3_600), ["no longer inhibited by #2"]);
}
