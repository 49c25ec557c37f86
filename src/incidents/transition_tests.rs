//! What a turn writes into the timeline.

use super::*;
use crate::model::{IncidentState, RunId, Ts};
use crate::store::contract::samples::incident;

fn lines(before: &Incident, change: impl Fn(&mut Incident)) -> Vec<String> {
    let mut after = before.clone();
    change(&mut after);
    let mut out = Stepped::default();
    events(before, &after, Time::at(1), &mut out);
    let said = out.changes.into_iter().map(|change| match change {
        Change::Event { what, .. } => what,
        other => panic!("{other:?}"),
    });
    said.collect()
}

fn run(start_time: i64, job_id: &str) -> RunId {
    RunId { start_time, job_id: job_id.to_owned() }
}

#[test]
fn what_differs_between_two_turns_is_said() {
    let mut before = incident(1, "orders", IncidentState::Open, Ts(0));
    before.severity = Severity::Warning;
    before.run = Some(run(5, "aaaa"));
    before.restored_from = Some("s3://c/chk-7".to_owned());
    let none: [&str; 0] = [];
    assert_eq!(lines(&before, |_| {}), none);
    assert_eq!(lines(&before, |i| i.severity = Severity::Info), none, "a fall is no line");
    assert_eq!(lines(&before, |i| i.run = None), none);
    assert_eq!(lines(&before, |i| i.restored_from = None), none);
    assert_eq!(
        lines(&before, |i| i.severity = Severity::Critical),
        ["severity warning → critical"]
    );
    assert_eq!(lines(&before, |i| i.run = Some(run(9, "bbbb"))), ["new run bbbb"]);
    assert_eq!(lines(&before, |i| i.run = Some(run(9, "aaaa"))), ["run aaaa began anew"]);
    assert_eq!(
        lines(&before, |i| {
            i.run = Some(run(9, "bbbb"));
            i.restored_from = Some("s3://c/chk-8".to_owned());
        }),
        ["new run bbbb, restored from s3://c/chk-8"]
    );
    assert_eq!(
        lines(&before, |i| i.restored_from = Some("s3://c/chk-8".to_owned())),
        ["restored from s3://c/chk-8"]
    );
    before.run = None;
    assert_eq!(lines(&before, |i| i.run = Some(run(9, "bbbb"))), none, "the first that is known");
}

#[test]
fn coming_and_going_begins_and_settles() {
    let mut over = incident(1, "orders", IncidentState::Resolved, Ts(0));
    over.end_reason = Some(EndReason::Recovered);
    over.reopened = 1;
    let back = |incident: &mut Incident| {
        reopen(incident, Time::at(1));
    };
    assert_eq!(
        lines(&over, back),
        ["back (re-opening 2)", "flapping: no more is told until it settles"]
    );
    let mut flapping = over.clone();
    reopen(&mut flapping, Time::at(1));
    let ended = |reason| move |incident: &mut Incident| end(incident, Time::at(1), reason);
    assert_eq!(
        lines(&flapping, ended(EndReason::Recovered)),
        ["settled: no longer flapping", "over: recovered"]
    );
    assert_eq!(lines(&flapping, ended(EndReason::Closed)), ["over: closed"]);
}
