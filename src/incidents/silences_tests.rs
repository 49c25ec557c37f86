//! What a silence hides, and which are refused.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::IncidentState;
use crate::model::{RuleId, Severity};
use crate::store::contract::samples::incident;

const NOW: Ts = Ts(1_000_000);

fn wanted(matchers: &[&str], ends_at: i64) -> Silence {
    Silence {
        id: 0,
        matchers: matchers.iter().map(|text| Matcher::parse(text).unwrap()).collect(),
        only_work: false,
        maintenance: false,
        hold_restarts: false,
        starts_at: NOW,
        ends_at: Ts(ends_at),
        created_by: "ann".to_owned(),
        created_at: NOW,
        comment: String::new(),
    }
}

fn now() -> Time {
    Time::at(NOW.0)
}

/// An incident of members: (alert name, severity, firing).
fn of(members: &[(&str, Severity, bool)]) -> Incident {
    let mut incident = incident(1, "orders", IncidentState::Open, NOW);
    let member = |(name, severity, firing): &(&str, Severity, bool)| crate::model::Member {
        rule: RuleId { group: "g".to_owned(), alert: (*name).to_owned(), severity: *severity },
        firing: *firing,
        since: NOW,
        until: None,
        annotations: BTreeMap::new(),
        labels: Labels::from([
            ("alertname", *name),
            ("severity", severity.as_str()),
            ("team", "ro"),
        ]),
    };
    incident.members = members.iter().map(member).collect();
    incident
}

#[test]
fn all_that_fires_has_to_be_hidden() {
    use Severity::{Critical, Warning};
    let (a, b) = (("A", Warning, true), ("B", Critical, true));
    for (name, silences, members, hidden) in [
        ("by team", vec![wanted(&["team=ro"], 2_000_000)], vec![a, b], Some(1)),
        ("by one name", vec![wanted(&["alertname=A"], 2_000_000)], vec![a, b], None),
        (
            "what fires counts",
            vec![wanted(&["alertname=A"], 2_000_000)],
            vec![a, ("B", Critical, false)],
            Some(1),
        ),
        (
            "quiet, all count",
            vec![wanted(&["alertname=A"], 2_000_000)],
            vec![("A", Warning, false), ("B", Critical, false)],
            None,
        ),
        (
            "each by its own, until the first ends",
            vec![wanted(&["alertname=A"], 3_000_000), wanted(&["alertname=B"], 2_000_000)],
            vec![a, b],
            Some(2),
        ),
        (
            "the longer of two counts",
            vec![wanted(&["team=ro"], 2_000_000), wanted(&["alertname=A"], 3_000_000)],
            vec![a],
            Some(2),
        ),
        ("a rise is out of it", vec![wanted(&["severity=warning"], 2_000_000)], vec![b], None),
        ("all matchers", vec![wanted(&["team=ro", "alertname=B"], 2_000_000)], vec![a], None),
    ] {
        let mut book = Silences::default();
        for silence in silences {
            book.add(now(), silence, &mut Vec::new()).unwrap();
        }
        let hiding = book.hiding(&of(&members), NOW).map(|s| s.id);
        assert_eq!(hiding, hidden, "{name}");
        assert!(book.hiding(&of(&members), Ts(3_000_000)).is_none(), "{name}: over");
        assert!(book.hiding(&of(&members), Ts(NOW.0 - 1)).is_none(), "{name}: not yet");
    }
}

#[test]
fn what_nobody_can_mean_is_refused() {
    for (silence, said) in [
        (wanted(&[], 2_000_000), "everything"),
        (wanted(&["team=~\".*\""], 2_000_000), "everything"),
        (wanted(&["team!=ads"], 2_000_000), "everything"),
        (wanted(&["team=ro"], NOW.0), "ends after it starts"),
        (Silence { starts_at: Ts(0), ..wanted(&["team=ro"], 5) }, "in the past"),
        (wanted(&["team=ro"], NOW.0 + 367 * 86_400_000), "a year"),
        (wanted(&["a=b"; 51], 2_000_000), "50 matchers"),
    ] {
        let refused = Silences::default().add(now(), silence, &mut Vec::new()).unwrap_err();
        assert!(refused.to_string().contains(said), "{refused} / {said}");
    }
}

#[test]
fn numbers_are_never_given_again_and_old_ones_go() {
    let mut book = Silences::default();
    let mut changes = Vec::new();
    assert_eq!(book.add(now(), wanted(&["a=b"], 2_000_000), &mut changes).unwrap().id, 1);
    assert_eq!(book.add(now(), wanted(&["a=c"], 2_000_000), &mut changes).unwrap().id, 2);
    book.end(now(), 2, &mut changes).unwrap();
    assert!(book.end(now(), 2, &mut changes).is_err(), "twice");
    assert!(book.end(now(), 9, &mut changes).is_err(), "unknown");
    let later = Time::at(2_000_000 + 6 * 86_400_000);
    let next = Silence { ends_at: later.wall.shifted(60_000), ..wanted(&["a=d"], 0) };
    let mut changes = Vec::new();
    assert_eq!(book.add(later, next, &mut changes).unwrap().id, 3);
    let ids: Vec<u64> = book.iter().map(|s| s.id).collect();
    assert_eq!(ids, [2, 3], "the newest had its number kept");
    let gone = Change::Meta { key: "silence/1".to_owned(), value: String::new() };
    assert_eq!(changes[0], gone);
}

proptest! {
    /// What was kept is what is there after a start, and hides the same.
    #[test]
    fn silences_survive_a_start(
        values in proptest::collection::vec(("[a-c]", 1_i64..500_000, any::<bool>()), 1..8),
        at in 0_i64..600_000,
    ) {
        let mut book = Silences::default();
        let mut changes = Vec::new();
        for (value, length, ended) in &values {
            let silence = wanted(&[&format!("team={value}")], NOW.0 + length);
            let id = book.add(now(), silence, &mut changes).unwrap().id;
            if *ended {
                book.end(now(), id, &mut changes).unwrap();
            }
        }
        let mut meta = BTreeMap::new();
        for change in changes {
            if let Change::Meta { key, value } = change {
                meta.insert(key, value);
            }
        }
        let loaded = Loaded { meta: meta.into_iter().collect(), ..Loaded::default() };
        let again = Silences::restore(&loaded);
        prop_assert!(again.iter().eq(book.iter()));
        let at = NOW.shifted(at);
        let mut one = of(&[("A", Severity::Warning, true)]);
        one.members[0].labels.set("team", "b");
        let by = book.hiding(&one, at).map(|s| s.id);
        prop_assert_eq!(again.hiding(&one, at).map(|s| s.id), by);
        let any = values.iter().any(|(v, l, ended)| v == "b" && !ended && at < NOW.shifted(*l));
        prop_assert_eq!(by.is_some(), any);
        prop_assert!(book.next_change(at).is_none_or(|next| next > at));
    }
}
