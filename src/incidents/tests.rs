//! One incident from turn to turn: severity, quiet, coming back, and what explains it.

use super::*;
use crate::model::{Evidence, Labels, RuleId, Severity};

pub(super) fn alert(name: &str, severity: Severity) -> Alert {
    let rule = RuleId { group: OWN_GROUP.to_owned(), alert: name.to_owned(), severity };
    Alert {
        rule,
        subject: subject(),
        aspect: Aspect::from(Aspect::PLATFORM),
        state: AlertState::Firing,
        since: Ts(0),
        last_true: Ts(0),
        first_look: false,
        unknown_since: None,
        outdated: false,
        condition: None,
        evidence: Evidence::new(),
        labels: Labels::from([("cluster", "prod"), ("alertname", name)]),
        annotations: BTreeMap::new(),
    }
}

pub(super) fn subject() -> Subject {
    Subject::Source("prod".to_owned())
}

/// (minute, alert or not) … → reasons in order.
fn story(steps: &[(i64, Option<Severity>)]) -> (Incidents, Vec<NoticeReason>) {
    let mut incidents = Incidents { next_id: 1, ..Incidents::default() };
    let mut told = Vec::new();
    for (minute, severity) in steps {
        let alert = severity.map(|s| alert("A", s));
        let time = Time::at(minute * 60_000);
        let stepped = incidents.step_own(time, &subject(), alert.as_ref());
        told.extend(stepped.news.into_iter().map(|n| n.reason));
    }
    (incidents, told)
}

#[test]
fn the_table_of_episodes() {
    use NoticeReason::{Flapping, Opened, Reopened, Resolved, Worse};
    let (warning, critical) = (Some(Severity::Warning), Some(Severity::Critical));
    for (name, steps, expected) in [
        ("quiet has to last", vec![(0, critical), (1, None), (2, None)], vec![Opened]),
        ("and then it is over", vec![(0, critical), (1, None), (3, None)], vec![Opened, Resolved]),
        (
            "a rise is told once",
            vec![(0, warning), (1, critical), (2, warning), (3, critical)],
            vec![Opened, Worse],
        ),
        (
            "back within half an hour",
            vec![(0, critical), (1, None), (3, None), (30, critical)],
            vec![Opened, Resolved, Reopened],
        ),
        (
            "back later is another one",
            vec![(0, critical), (1, None), (3, None), (34, critical)],
            vec![Opened, Resolved, Opened],
        ),
        (
            "what flaps and gets worse is told",
            vec![
                (0, warning),
                (1, None),
                (3, None),
                (4, warning),
                (5, None),
                (7, None),
                (8, warning),
                (9, critical),
                (10, warning),
                (11, critical),
            ],
            vec![Opened, Resolved, Reopened, Resolved, Flapping, Worse],
        ),
        (
            "what flaps has to settle for half an hour",
            vec![
                (0, critical),
                (1, None),
                (3, None),
                (4, critical),
                (5, None),
                (7, None),
                (8, critical),
                (9, None),
                (12, None),
                (13, critical),
                (14, None),
                (44, None),
            ],
            vec![Opened, Resolved, Reopened, Resolved, Flapping, Resolved],
        ),
    ] {
        let (incidents, told) = story(&steps);
        assert_eq!(told, expected, "{name}");
        let count = told.iter().filter(|r| **r == Opened).count();
        assert_eq!(incidents.iter().count(), count, "{name}");
    }
}

#[test]
fn the_oldest_resolved_are_forgotten_first() {
    let (mut incidents, _) = story(&[(0, Some(Severity::Info)), (1, None), (3, None)]);
    let first = incidents.by_id[&1].clone();
    for id in 2..=MAX_RESOLVED as u64 + 10 {
        let at = Ts(180_000 + id as i64);
        let next = Incident { id, resolved_steady: Some(at), ..first.clone() };
        incidents.by_id.insert(id, next);
    }
    incidents.forget_old(Time::at(240_000), &[]);
    assert_eq!(incidents.by_id.len(), MAX_RESOLVED);
    assert!(incidents.by_id.contains_key(&(MAX_RESOLVED as u64 + 10)), "the newest stay");
}

#[test]
fn what_has_just_ended_is_remembered_however_much_it_is() {
    let (mut incidents, _) = story(&[(0, Some(Severity::Info)), (1, None), (3, None)]);
    let first = incidents.by_id[&1].clone();
    let mut news = Vec::new();
    for id in 2..=MAX_RESOLVED as u64 + 10 {
        let next = Incident { id, resolved_steady: Some(Ts(240_000)), ..first.clone() };
        incidents.by_id.insert(id, next);
        news.push(News { incident: id, reason: NoticeReason::Resolved });
    }
    incidents.forget_old(Time::at(240_000), &news);
    assert!(news.iter().all(|news| incidents.get(news.incident).is_some()));
}

/// As Alertmanager routes the alert of that rule alone.
#[test]
fn its_labels_are_those_of_its_worst_member_and_of_the_newest_of_these() {
    let mut incidents = Incidents { next_id: 1, ..Incidents::default() };
    let aspect = Aspect::from(Aspect::PLATFORM);
    let of = |name: &str, severity, team: &str| {
        let mut alert = alert(name, severity);
        alert.labels.set("team", team);
        alert
    };
    let first = of("First", Severity::Warning, "a");
    let second = of("Second", Severity::Critical, "b");
    let third = of("Third", Severity::Critical, "c");
    let mut at = |minute: i64, alerts: &[&Alert]| {
        let time = Time::at(minute * 60_000);
        let mut out = Stepped::default();
        incidents.apply(time, &subject(), &aspect, alerts, Health::Well, None, &mut out);
        let labels = &incidents.get(1).unwrap().labels;
        ["alertname", "severity", "team"].map(|name| labels.get(name).to_owned())
    };
    assert_eq!(at(0, &[&first]), ["First", "warning", "a"]);
    assert_eq!(at(1, &[&first, &second]), ["Second", "critical", "b"]);
    assert_eq!(at(2, &[&first, &second, &third]), ["Third", "critical", "c"]);
    assert_eq!(at(3, &[&first]), ["First", "warning", "a"]);
    assert_eq!(at(4, &[]), ["First", "warning", "a"], "as it was last");
}
