//! What people do to an incident, told as tables.

use super::super::tests::{alert, subject};
use super::*;
use crate::incidents::Settings;
use crate::model::{Alert, Loaded, Severity};

const MINUTE: i64 = 60_000;

struct Desk {
    incidents: Incidents,
    /// Rows as they are stored.
    meta: std::collections::BTreeMap<String, String>,
    events: Vec<String>,
    told: Vec<NoticeReason>,
}

impl Desk {
    fn open() -> Desk {
        let incidents = Incidents { next_id: 1, ..Incidents::default() };
        let mut desk = Desk {
            incidents,
            meta: std::collections::BTreeMap::new(),
            events: Vec::new(),
            told: Vec::new(),
        };
        desk.look(0, Some(Severity::Warning));
        desk
    }

    fn take(&mut self, stepped: Stepped) {
        for change in stepped.changes {
            match change {
                Change::Meta { key, value } if value.is_empty() => drop(self.meta.remove(&key)),
                Change::Meta { key, value } => drop(self.meta.insert(key, value)),
                Change::Event { what, .. } => self.events.push(what),
                _ => {}
            }
        }
        self.told.extend(stepped.news.into_iter().map(|n| n.reason));
    }

    fn look(&mut self, minute: i64, severity: Option<Severity>) {
        let alert: Option<Alert> = severity.map(|s| alert("A", s));
        let time = Time::at(minute * MINUTE);
        let stepped = self.incidents.step_own(time, &subject(), alert.as_ref());
        self.take(stepped);
    }

    fn act(
        &mut self,
        minute: i64,
        act: fn(&mut Incidents, Time, u64, Word<'_>) -> Result<Done, Refusal>,
        by: &str,
    ) -> Result<(String, bool), Refusal> {
        let word = Word { by, comment: "why" };
        let done = act(&mut self.incidents, Time::at(minute * MINUTE), 1, word)?;
        self.take(done.stepped);
        Ok((done.said, done.changed))
    }

    /// A new process over what was kept.
    fn restart(&mut self) {
        let loaded = Loaded {
            incidents: self.incidents.iter().cloned().collect(),
            meta: self.meta.clone().into_iter().collect(),
            max_incident: self.incidents.next_id - 1,
            ..Loaded::default()
        };
        self.incidents = Incidents::restore(Settings::default(), &loaded);
    }

    fn state(&self) -> IncidentState {
        self.incidents.get(1).unwrap().state
    }
}

#[test]
fn an_acknowledgement_is_written_down_and_can_be_taken_over_and_back() {
    let mut desk = Desk::open();
    assert!(desk.act(1, Incidents::acknowledge, "ann").unwrap().1);
    assert_eq!(desk.state(), IncidentState::Acknowledged);
    assert!(!desk.act(2, Incidents::acknowledge, "ann").unwrap().1, "so already");
    desk.act(3, Incidents::acknowledge, "bob").unwrap();
    let known = desk.incidents.get(1).unwrap().acknowledged.clone().unwrap();
    assert_eq!((known.by.as_str(), known.at.0, known.comment.as_str()), ("bob", 3 * MINUTE, "why"));
    desk.restart();
    assert_eq!(desk.incidents.get(1).unwrap().acknowledged.as_ref(), Some(&known));
    assert!(desk.act(4, Incidents::unacknowledge, "bob").unwrap().1);
    assert!(!desk.act(5, Incidents::unacknowledge, "bob").unwrap().1);
    assert_eq!(desk.state(), IncidentState::Open);
    assert_eq!(desk.incidents.get(1).unwrap().acknowledged, None);
    assert_eq!(
        desk.events[1..],
        [
            "acknowledged by ann: why",
            "acknowledged by bob: why, taken over from ann",
            "acknowledgement taken back by bob: why",
        ]
    );
    assert_eq!(desk.told, [NoticeReason::Opened]);
}

#[test]
fn what_somebody_has_still_gets_worse_and_over_and_comes_back_as_nobodys() {
    use NoticeReason::{Opened, Reopened, Resolved, Worse};
    let mut desk = Desk::open();
    desk.act(1, Incidents::acknowledge, "ann").unwrap();
    desk.look(2, Some(Severity::Critical));
    assert_eq!(desk.state(), IncidentState::Acknowledged, "worse, and hers still");
    desk.look(3, None);
    desk.look(6, None);
    assert_eq!(desk.state(), IncidentState::Resolved);
    assert!(desk.incidents.get(1).unwrap().acknowledged.is_some(), "she had it");
    assert_eq!(
        desk.act(7, Incidents::acknowledge, "bob"),
        Err(Refusal::Conflict("#1 is over already (recovered)".to_owned()))
    );
    desk.look(8, Some(Severity::Critical));
    assert_eq!(desk.state(), IncidentState::Open);
    assert_eq!(desk.incidents.get(1).unwrap().acknowledged, None);
    assert_eq!(desk.told, [Opened, Worse, Resolved, Reopened]);
}

#[test]
fn what_is_closed_stays_shut_until_it_has_stopped_once() {
    use NoticeReason::{Opened, Reopened, Resolved};
    for restarts in [false, true] {
        let mut desk = Desk::open();
        let (said, _) = desk.act(1, Incidents::close, "ann").unwrap();
        assert!(said.contains("A is still true"), "{said}");
        assert_eq!(desk.incidents.get(1).unwrap().end_reason, Some(EndReason::Closed));
        for minute in 2..10 {
            if restarts {
                desk.restart();
            }
            desk.look(minute, Some(Severity::Warning));
        }
        assert_eq!(desk.told, [Opened, Resolved], "restarts: {restarts}");
        desk.look(10, None);
        assert!(desk.meta.is_empty(), "{:?}", desk.meta);
        desk.look(11, Some(Severity::Warning));
        assert_eq!(desk.told, [Opened, Resolved, Reopened]);
        let stopped = "A stopped; it may open an incident again";
        assert!(desk.events.iter().any(|e| e == stopped), "{:?}", desk.events);
    }
}

#[test]
fn another_alert_opens_what_is_closed() {
    let mut desk = Desk::open();
    desk.act(1, Incidents::close, "ann").unwrap();
    // Another severity is another rule.
    desk.look(2, Some(Severity::Critical));
    assert_eq!(desk.told.len(), 3);
    assert_eq!(desk.state(), IncidentState::Open);
}

#[test]
fn nothing_is_shut_by_closing_what_was_quiet() {
    let mut desk = Desk::open();
    desk.look(1, None);
    let (said, _) = desk.act(2, Incidents::close, "ann").unwrap();
    assert_eq!(said, "#1 closed");
    assert!(desk.meta.is_empty());
    desk.look(3, Some(Severity::Warning));
    assert_eq!(desk.told.last(), Some(&NoticeReason::Reopened));
}

#[test]
fn an_unknown_incident_is_refused() {
    let mut incidents = Incidents::default();
    let word = Word { by: "ann", comment: "" };
    let refused = incidents.acknowledge(Time::at(0), 7, word).unwrap_err();
    assert_eq!(refused, Refusal::NotFound("no incident #7 is open".to_owned()));
}

/// A person who closes a failure has not asked to hear of what follows from it.
#[test]
fn a_closed_failure_explains_its_symptoms_until_it_has_stopped() {
    use crate::model::{Aspect, Completeness, RunObservation, Snapshot};
    use crate::store::contract::samples::incident;
    use crate::tracker::Tracker;

    let key = JobKey::new("prod", "", "", "orders");
    let run =
        RunObservation { key: key.clone(), name: "orders".to_owned(), ..RunObservation::default() };
    let look = Snapshot {
        completeness: Completeness::Complete,
        runs: vec![run],
        ..Snapshot::failed("prod", "1", String::new(), false)
    };
    let mut tracker = Tracker::default();
    tracker.step(Time::at(0), &look);
    let mut failure = incident(1, "orders", IncidentState::Open, crate::model::Ts(0));
    failure.end_reason = None;
    let lag = Incident { id: 2, aspect: Aspect::from(Aspect::LAG), ..failure.clone() };
    let loaded = Loaded { incidents: vec![failure, lag], max_incident: 2, ..Loaded::default() };
    let mut incidents = Incidents::restore(Settings::default(), &loaded);
    let explained = |incidents: &mut Incidents, minute: i64| {
        incidents.tick(Time::at(minute * MINUTE), &tracker);
        incidents.get(2).unwrap().inhibited_by
    };
    assert_eq!(explained(&mut incidents, 1), Some(1));
    incidents.close(Time::at(2 * MINUTE), 1, Word { by: "ann", comment: "" }).unwrap();
    for minute in [2, 10, 100, 1_000] {
        assert_eq!(explained(&mut incidents, minute), Some(1), "it is still true");
    }
    let (mut nothing, mut out) = (std::collections::BTreeMap::new(), Stepped::default());
    let subject = Subject::Job(key);
    incidents.shut.heed(Time::at(1_001 * MINUTE), &subject, &|_| true, &mut nothing, &mut out);
    assert_eq!(explained(&mut incidents, 1_001), Some(1), "a moment more");
    assert_eq!(explained(&mut incidents, 1_010), None);
}
