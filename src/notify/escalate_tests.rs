//! Tables of the clock, and random stories against a model of what may be escalated when.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{Outcome, Severity};
use crate::notify::testing::{Bench, MINUTE, SECOND, plan};
use NoticeReason::{Escalated, Opened, Resolved, Worse};

fn step(minutes: u64, receiver: &str, severity: Severity) -> Escalation {
    Escalation { after: Duration::from_mins(minutes), receiver: receiver.to_owned(), severity }
}

fn steps() -> Vec<Escalation> {
    vec![step(15, "lead", Severity::Critical), step(45, "boss", Severity::Critical)]
}

fn bench() -> Bench {
    let plans = vec![plan("team/chat"), plan("lead/chat"), plan("boss/chat")];
    let mut bench = Bench::new(plans, vec!["team"]);
    bench.escalate = steps();
    bench.restart();
    bench
}

#[test]
fn a_step_is_due_so_long_after_it_was_known_and_nobodys() {
    let step = step(15, "lead", Severity::Critical);
    let minute = |m: i64| Ts(m * MINUTE);
    let at = |known: Option<i64>, nobodys: Option<i64>, gave_up: Option<i64>| {
        let since = waits_since(known.map(minute), nobodys.map(minute))?;
        let at = due_at(&step, since, gave_up.map(minute), nobodys.map(minute));
        Some(at.0 / MINUTE)
    };
    for (known, nobodys, gave_up, expected) in [
        (None, None, None, None),
        (None, Some(3), Some(4), None),
        (Some(1), None, None, Some(16)),
        (Some(1), Some(10), None, Some(25)),
        // Given back before that receiver knew.
        (Some(10), Some(1), None, Some(25)),
        // Weir gave up: a person is needed now, if one was told.
        (Some(1), None, Some(4), Some(4)),
        (Some(5), None, Some(4), Some(5)),
        (Some(1), None, Some(40), Some(16)),
        (Some(1), Some(3), Some(4), Some(4)),
        // Somebody had it since.
        (Some(1), Some(10), Some(4), Some(25)),
    ] {
        assert_eq!(at(known, nobodys, gave_up), expected, "{known:?} {nobodys:?} {gave_up:?}");
    }
}

#[test]
fn what_nobody_acknowledges_goes_on_once_per_step_and_then_belongs_to_all() {
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    bench.pass(15 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    bench.pass(10 * SECOND);
    assert_eq!(bench.told("lead/chat"), [(id, Escalated)]);
    bench.restart();
    bench.pass(40 * MINUTE);
    assert_eq!(bench.told("boss/chat"), [(id, Escalated)]);
    bench.edit(id, Worse, |incident| incident.given_up = true);
    bench.pass(10 * MINUTE);
    bench.restart();
    bench.resolve(id);
    bench.pass(10 * MINUTE);
    for receiver in ["lead/chat", "boss/chat"] {
        let told = [(id, Escalated), (id, Worse), (id, Resolved)];
        assert_eq!(bench.told(receiver), told, "{receiver}");
    }
    let first = bench.notices().into_iter().find(|n| n.reason == Escalated).unwrap();
    assert_eq!(first.unacknowledged_ms, Some(15 * 60_000));
}

#[test]
fn giving_up_takes_the_first_step_at_once_and_leaves_the_others_their_time() {
    for restarts in [false, true] {
        let mut bench = bench();
        let id = bench.open(Severity::Critical);
        bench.pass(2 * MINUTE);
        bench.edit(id, NoticeReason::GaveUp, |_| {});
        if restarts {
            bench.restart();
        }
        bench.pass(30 * SECOND);
        assert_eq!(bench.told("lead/chat"), [(id, Escalated)], "{restarts}");
        assert_eq!(bench.told("boss/chat"), [], "{restarts}");
        let first = bench.notices().into_iter().find(|n| n.reason == Escalated).unwrap();
        // Since its opening was told, a second after it began.
        assert_eq!(first.unacknowledged_ms, Some(2 * 60_000 - 1_000), "{restarts}");
        bench.pass(45 * MINUTE);
        assert_eq!(bench.told("boss/chat"), [(id, Escalated)], "{restarts}");
    }
    // Somebody has it: they hear of it, nobody else.
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    bench.pass(2 * MINUTE);
    bench.attend(id, Some("ann"));
    bench.edit(id, NoticeReason::GaveUp, |_| {});
    bench.pass(60 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    assert_eq!(bench.told("team/chat"), [(id, Opened), (id, NoticeReason::GaveUp)]);
}

#[test]
fn acknowledging_stops_it_and_giving_back_starts_the_clock_anew() {
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    bench.pass(14 * MINUTE);
    bench.attend(id, Some("ann"));
    bench.pass(60 * MINUTE);
    bench.attend(id, None);
    bench.pass(14 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    bench.pass(2 * MINUTE);
    assert_eq!(bench.told("lead/chat"), [(id, Escalated)]);
    assert_eq!(bench.told("boss/chat"), []);
    bench.attend(id, Some("lead"));
    bench.pass(120 * MINUTE);
    bench.attend(id, None);
    bench.pass(50 * MINUTE);
    // It was told of it before.
    let again = bench.told("lead/chat").iter().filter(|(_, reason)| *reason == Escalated).count();
    assert_eq!(again, 1);
    assert_eq!(bench.told("boss/chat"), [(id, Escalated)]);
}

#[test]
fn what_was_acknowledged_before_it_could_be_told_is_told_when_it_is_given_back() {
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    bench.pass(MINUTE);
    bench.quietly(id, |incident| incident.inhibited_by = Some(99));
    bench.pass(20 * MINUTE);
    let held = bench.notices().into_iter().find(|n| n.reason == Escalated).unwrap();
    assert_eq!(held.held_by.as_deref(), Some("inhibited by #99"));
    bench.attend(id, Some("ann"));
    let ended = bench.notices().into_iter().find(|n| n.id == held.id).unwrap();
    assert_eq!((ended.outcome, ended.held_by.as_deref()), (Outcome::Muted, Some("acknowledged")));
    bench.quietly(id, |incident| incident.inhibited_by = None);
    bench.restart();
    bench.attend(id, None);
    bench.pass(14 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    bench.pass(2 * MINUTE);
    assert_eq!(bench.told("lead/chat"), [(id, Escalated)]);
}

#[test]
fn only_what_is_severe_enough_goes_on_and_from_when_that_was_told() {
    let mut bench = bench();
    let id = bench.open(Severity::Warning);
    bench.pass(200 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    bench.edit(id, Worse, |incident| incident.severity = Severity::Critical);
    bench.pass(14 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    bench.restart();
    bench.pass(2 * MINUTE);
    assert_eq!(bench.told("lead/chat"), [(id, Escalated)]);
    assert_eq!(bench.told("boss/chat"), []);
}

#[test]
fn the_first_report_and_what_comes_and_goes_alarm_nobody() {
    let mut bench = bench();
    bench.pipeline.set_first_look_ready(Some(Ts(0)), 1);
    let id = bench.begin(Severity::Critical, NoticeReason::FirstLook);
    bench.pass(60 * MINUTE);
    assert_eq!(bench.told("team/chat").first(), Some(&(id, NoticeReason::FirstLook)));
    assert_eq!(bench.told("lead/chat"), []);
    let flapping = bench.open(Severity::Critical);
    bench.quietly(flapping, |incident| incident.flapping = true);
    bench.pass(60 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    bench.quietly(flapping, |incident| incident.flapping = false);
    bench.pass(MINUTE);
    assert_eq!(bench.told("lead/chat"), [(flapping, Escalated)]);
}

#[test]
fn what_only_records_wakes_nobody_and_what_is_recorded_only_is_not_sent() {
    for (team, lead, sent) in [(true, false, 0), (false, true, 0), (false, false, 1)] {
        let mut bench = bench();
        bench.shadow = [("team", team), ("lead", lead)]
            .into_iter()
            .filter(|(_, shadow)| *shadow)
            .map(|(name, _)| name)
            .collect();
        bench.restart();
        bench.open(Severity::Critical);
        bench.pass(20 * MINUTE);
        assert_eq!(bench.told("lead/chat").len(), sent, "{team} {lead}");
        let recorded = bench.notices().iter().filter(|n| n.reason == Escalated).count();
        assert_eq!(recorded, usize::from(!team), "{team} {lead}");
    }
}

#[test]
fn two_hundred_at_once_are_one_message() {
    let mut bench = bench();
    for _ in 0..200 {
        bench.open(Severity::Critical);
    }
    bench.pass(20 * MINUTE);
    let to_lead = bench.taken.iter().filter(|(_, m)| m.to.receiver == "lead").count();
    assert_eq!(to_lead, 1);
    assert_eq!(bench.told("lead/chat").len(), 200);
    let opened = bench.told("team/chat").iter().filter(|(_, r)| *r == Opened).count();
    assert_eq!(opened, 200);
}

#[test]
fn steps_that_change_while_an_incident_is_open_hold_from_then_on() {
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    bench.pass(10 * MINUTE);
    bench.escalate = vec![step(30, "boss", Severity::Critical)];
    bench.reload();
    bench.pass(15 * MINUTE);
    assert_eq!(bench.told("lead/chat"), []);
    bench.pass(6 * MINUTE);
    assert_eq!(bench.told("boss/chat"), [(id, Escalated)]);
    // What it was told of it hears the end of, by whatever routes.
    bench.escalate.clear();
    bench.reload();
    bench.resolve(id);
    bench.pass(10 * MINUTE);
    assert_eq!(bench.told("boss/chat"), [(id, Escalated), (id, Resolved)]);
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Open(bool),
    Worsen(usize),
    Take(usize),
    GiveBack(usize),
    End(usize),
    Return(usize),
    Inhibit(usize, bool),
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        any::<bool>().prop_map(Op::Open),
        (0_usize..6).prop_map(Op::Worsen),
        (0_usize..6).prop_map(Op::Take),
        (0_usize..6).prop_map(Op::GiveBack),
        (0_usize..6).prop_map(Op::End),
        (0_usize..6).prop_map(Op::Return),
        ((0_usize..6), any::<bool>()).prop_map(|(n, on)| Op::Inhibit(n, on)),
        (1_i64..40).prop_map(Op::Wait),
        (1_i64..40).prop_map(Op::Wait),
    ]
}

/// What a reader of the rules expects of one incident.
#[derive(Debug, Clone, Default)]
struct Expected {
    /// The team knows that it is critical since then.
    known: Option<i64>,
    nobodys: i64,
    escalated: BTreeMap<String, usize>,
}

struct Story {
    bench: Bench,
    expected: BTreeMap<u64, Expected>,
    seen: usize,
}

impl Story {
    fn play(restarts: bool, ops: &[Op]) -> Result<Story, TestCaseError> {
        let mut story = Story { bench: bench(), expected: BTreeMap::new(), seen: 0 };
        for op in ops {
            story.act(*op);
            story.bench.pass(SECOND);
            story.judge()?;
            if restarts {
                story.bench.restart();
            }
        }
        Ok(story)
    }

    fn incident(&self, n: usize) -> Option<&Incident> {
        self.bench.incidents.get(n)
    }

    fn act(&mut self, op: Op) {
        let now = self.bench.now;
        let find = |n: usize| self.incident(n).map(|i| (i.id, i.state, i.severity));
        let open = |n: usize| find(n).filter(|(_, state, _)| *state != IncidentState::Resolved);
        match op {
            Op::Open(critical) if self.bench.incidents.len() < 6 => {
                let severity = if critical { Severity::Critical } else { Severity::Warning };
                self.bench.open(severity);
            }
            Op::Worsen(n) => {
                if let Some((id, _, Severity::Warning)) = open(n) {
                    self.bench.edit(id, Worse, |i| i.severity = Severity::Critical);
                }
            }
            Op::Take(n) => {
                if let Some((id, IncidentState::Open, _)) = find(n) {
                    self.bench.attend(id, Some("ann"));
                }
            }
            Op::GiveBack(n) => {
                if let Some((id, IncidentState::Acknowledged, _)) = find(n) {
                    self.bench.attend(id, None);
                    self.expected.entry(id).or_default().nobodys = now;
                }
            }
            Op::End(n) => {
                if let Some((id, ..)) = open(n) {
                    self.bench.resolve(id);
                }
            }
            Op::Return(n) => {
                if let Some((id, IncidentState::Resolved, _)) = find(n) {
                    self.bench.reopen(id);
                    // Who has not heard of the end knows of it all along, and may be told again where
                    // others have: the team, and whom it was escalated to.
                    let last = |to: &str| {
                        let mut told = self.bench.told(&format!("{to}/chat")).into_iter().rev();
                        told.find(|(about, _)| *about == id).map(|(_, reason)| reason)
                    };
                    let expected = self.expected.entry(id).or_default();
                    expected.nobodys = now;
                    expected.escalated.retain(|to, _| last(to) != Some(Resolved));
                    expected.escalated.values_mut().for_each(|count| *count = 0);
                }
            }
            Op::Inhibit(n, on) => {
                if let Some((id, ..)) = open(n) {
                    self.bench.quietly(id, |i| i.inhibited_by = on.then_some(99));
                }
            }
            Op::Open(_) => {}
            Op::Wait(minutes) => self.bench.pass(minutes * MINUTE),
        }
    }

    /// What was told since the last look was to be told.
    fn judge(&mut self) -> Result<(), TestCaseError> {
        type Told = (i64, String, Vec<(u64, NoticeReason)>);
        let new: Vec<Told> = self.bench.taken[self.seen..]
            .iter()
            .map(|(at, m)| {
                (*at, m.to.receiver.clone(), serde_json::from_str(&m.frozen.body).unwrap())
            })
            .collect();
        self.seen = self.bench.taken.len();
        for (at, to, items) in new {
            for (id, reason) in items {
                let incident = self.bench.incidents[id as usize - 1].clone();
                let expected = self.expected.entry(id).or_default();
                let news = matches!(reason, Opened | Worse | NoticeReason::Reopened);
                if to == "team" && news && incident.severity == Severity::Critical {
                    expected.known.get_or_insert(at);
                }
                if reason != Escalated {
                    let knows = self.bench.told(&format!("{to}/chat")).contains(&(id, Escalated));
                    prop_assert!(to == "team" || knows, "#{} {:?} to {}", id, reason, to);
                    continue;
                }
                let after = if to == "lead" { 15 } else { 45 } * MINUTE;
                let Some(known) = expected.known else {
                    return Err(TestCaseError::fail(format!("#{id} was never told")));
                };
                let since = known.max(expected.nobodys);
                prop_assert!(at >= since + after, "#{id} at {at}, known since {since}");
                prop_assert_eq!(incident.severity, Severity::Critical);
                prop_assert_eq!(incident.inhibited_by, None);
                let count = expected.escalated.entry(to.clone()).or_default();
                *count += 1;
                prop_assert_eq!(*count, 1, "#{} twice in one episode", id);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Never too early, never twice, never lost; and a process that ends after each step changes
    /// nothing of it.
    #[test]
    fn it_is_told_once_in_time_and_to_its_end(ops in prop::collection::vec(op(), 1..40)) {
        let mut calm = Story::play(false, &ops)?;
        let broken = Story::play(true, &ops)?;
        let told = |story: &Story, to: &str| story.bench.told(to);
        for to in ["lead/chat", "boss/chat"] {
            let only = |story: &Story| {
                let mut all = told(story, to);
                all.retain(|(_, reason)| *reason != NoticeReason::Repeat);
                all
            };
            prop_assert_eq!(only(&calm), only(&broken), "{}", to);
        }
        // Whatever is nobody's for long enough has gone all the way.
        calm.bench.pass(120 * MINUTE);
        calm.judge()?;
        for incident in calm.bench.incidents.clone() {
            let waits = incident.state == IncidentState::Open
                && incident.severity == Severity::Critical
                && incident.inhibited_by.is_none();
            let told = calm.expected.get(&incident.id).cloned().unwrap_or_default();
            if waits && told.known.is_some() {
                prop_assert_eq!(told.escalated.len(), 2, "#{} went to {:?}", incident.id, told);
            }
            if incident.is_open() {
                calm.bench.resolve(incident.id);
            }
        }
        calm.bench.pass(120 * MINUTE);
        for to in ["team/chat", "lead/chat", "boss/chat"] {
            let mut open: BTreeMap<u64, bool> = BTreeMap::new();
            for (id, reason) in told(&calm, to) {
                open.insert(id, reason != Resolved);
            }
            prop_assert!(open.values().all(|open| !open), "{} {:?}", to, open);
        }
    }
}
