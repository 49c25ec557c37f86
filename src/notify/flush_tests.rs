use std::time::Duration;

use crate::model::{Doing, MessageKind, NoticeReason, Outcome, Severity, Ts};
use crate::notify::testing::{Bench, MINUTE, SECOND, plan};
use crate::notify::{Budget, ChannelPlan, Edits};

/// One message in ten seconds; each incident has its own.
fn bench() -> Bench {
    let budgets = vec![Budget { messages: 1, per: Duration::from_secs(10) }];
    let plan = ChannelPlan { budgets, per_incident: true, ..plan("team/a") };
    Bench::new(vec![plan], vec!["team"])
}

fn kinds(bench: &Bench) -> Vec<MessageKind> {
    bench.taken.iter().map(|(_, message)| message.kind).collect()
}

#[test]
fn what_waited_for_its_budget_is_a_digest_only_if_it_is_several_messages() {
    let mut bench = bench();
    let id = bench.open(Severity::Warning);
    bench.pass(2 * SECOND);
    bench.edit(id, NoticeReason::Worse, |i| i.severity = Severity::Critical);
    bench.pass(30 * SECOND);
    assert_eq!(kinds(&bench), [MessageKind::Incident, MessageKind::Incident]);
    bench.open(Severity::Warning);
    bench.pass(2 * SECOND);
    bench.open(Severity::Warning);
    bench.open(Severity::Warning);
    bench.pass(30 * SECOND);
    assert_eq!(kinds(&bench)[2..], [MessageKind::Incident, MessageKind::Digest]);
}

#[test]
fn what_begins_is_not_buried_among_ends() {
    let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
    let mut old = Vec::new();
    for _ in 0..2 {
        old.extend([(); 3].map(|()| bench.open(Severity::Warning)));
        bench.pass(40 * SECOND);
    }
    let before = bench.taken.len();
    for id in old {
        bench.resolve(id);
    }
    let new = bench.open(Severity::Critical);
    bench.pass(40 * SECOND);
    let about: Vec<(MessageKind, usize)> =
        bench.taken[before..].iter().map(|(_, m)| (m.kind, m.notices.len())).collect();
    assert_eq!(about.len(), 2, "{about:?}");
    assert!(about.contains(&(MessageKind::Incident, 1)), "{about:?}");
    assert!(about.contains(&(MessageKind::Storm, 6)), "{about:?}");
    assert!(bench.told("team/a").contains(&(new, NoticeReason::Opened)));
}

#[test]
fn ends_hold_back_nothing_that_begins() {
    for restarts in [false, true] {
        let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
        let mut old = Vec::new();
        for _ in 0..2 {
            old.extend([(); 3].map(|()| bench.open(Severity::Warning)));
            bench.pass(40 * SECOND);
        }
        for id in old {
            bench.resolve(id);
        }
        bench.pass(2 * SECOND);
        if restarts {
            bench.restart();
        }
        let (before, from) = (bench.taken.len(), bench.now);
        assert_eq!(kinds(&bench).last(), Some(&MessageKind::Storm));
        for _ in 0..6 {
            bench.open(Severity::Critical);
        }
        bench.pass(SECOND);
        // The next ones wait, for they follow a storm of their kind.
        for _ in 0..6 {
            bench.open(Severity::Critical);
        }
        bench.pass(20 * SECOND);
        let later: Vec<(i64, MessageKind)> =
            bench.taken[before..].iter().map(|(at, m)| ((at - from) / SECOND, m.kind)).collect();
        assert_eq!(later, [(1, MessageKind::Storm), (6, MessageKind::Storm)], "{restarts}");
    }
}

#[test]
fn a_rise_is_told_though_it_ended_and_came_back_before_that() {
    for restarts in [false, true] {
        let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
        bench.open(Severity::Critical);
        let id = bench.open(Severity::Warning);
        bench.pass(2 * SECOND);
        bench.edit(id, NoticeReason::Worse, |i| i.severity = Severity::Critical);
        bench.pass(SECOND);
        bench.resolve(id);
        if restarts {
            bench.restart();
        }
        bench.pass(SECOND);
        bench.reopen(id);
        bench.pass(20 * SECOND);
        assert!(bench.told("team/a").contains(&(id, NoticeReason::Worse)), "{restarts}");
    }
}

#[test]
fn the_reminders_of_a_storm_are_one_message_and_leave_the_reserve_alone() {
    let budgets = vec![Budget { messages: 60, per: Duration::from_hours(1) }];
    let alone = ChannelPlan { per_incident: true, budgets, ..plan("team/a") };
    let mut bench = Bench::new(vec![alone], vec!["team"]);
    for _ in 0..200 {
        bench.open(Severity::Critical);
    }
    bench.pass(10 * SECOND);
    let before = bench.taken.len();
    bench.pass(4 * 60 * MINUTE);
    assert_eq!(kinds(&bench)[before..], [MessageKind::Digest]);
    assert!(!bench.taken[before].1.urgent);
    assert_eq!(bench.taken[before].1.notices.len(), 200);
}

#[test]
fn what_is_shown_as_over_is_not_said_to_be_worse() {
    let edits = Edits {
        budgets: Vec::new(),
        within: Duration::from_hours(9),
        debounce: Duration::from_secs(30),
        reply_resolved: false,
    };
    let mut bench =
        Bench::new(vec![ChannelPlan { edits: Some(edits), ..plan("team/a") }], vec!["team"]);
    bench.shadow = vec!["team"];
    bench.restart();
    let ids: Vec<u64> = (0..5).map(|_| bench.open(Severity::Critical)).collect();
    bench.pass(2 * SECOND);
    for id in &ids {
        bench.edit(*id, NoticeReason::Worse, |i| {
            i.given_up = true;
            i.labels.set("cluster", "c2");
        });
    }
    bench.pass(2 * SECOND);
    bench.resolve(ids[0]);
    bench.pass(20 * SECOND);
    let of = |reason| {
        let notices = bench.kept.notices.values();
        notices.into_iter().find(|n| n.incident == ids[0] && n.reason == reason).unwrap()
    };
    let (worse, end) = (of(NoticeReason::Worse), of(NoticeReason::Resolved));
    assert!(worse.message.is_none_or(|m| end.message.is_some_and(|end| m < end)), "{worse:?}");
}

#[test]
fn who_was_only_tried_out_does_not_hear_of_the_end() {
    for restarts in [false, true] {
        let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
        bench.shadow = vec!["team"];
        bench.restart();
        let id = bench.open(Severity::Critical);
        bench.pass(MINUTE);
        bench.shadow.clear();
        if restarts {
            bench.restart();
        } else {
            bench.reload();
        }
        bench.resolve(id);
        bench.pass(MINUTE);
        assert_eq!(bench.told("team/a"), [], "{restarts}");
        let all_recorded = |n: &crate::model::Notice| n.outcome == Outcome::Shadow;
        assert!(bench.kept.notices.values().all(all_recorded), "{restarts}");
        // From then on it is told of all there is.
        bench.reopen(id);
        bench.pass(MINUTE);
        bench.resolve(id);
        bench.pass(MINUTE);
        assert_eq!(bench.told("team/a").len(), 2, "{restarts}");
    }
}

#[test]
fn the_first_report_leaves_out_what_was_told_since() {
    let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
    bench.pipeline.set_first_look_ready(Some(Ts(bench.now + MINUTE)), 1);
    let id = bench.begin(Severity::Warning, NoticeReason::FirstLook);
    let other = bench.begin(Severity::Warning, NoticeReason::FirstLook);
    bench.pass(20 * SECOND);
    bench.edit(id, NoticeReason::Worse, |i| i.severity = Severity::Critical);
    bench.pass(2 * MINUTE);
    let about: Vec<Vec<u64>> = bench
        .taken
        .iter()
        .map(|(_, m)| m.notices.iter().map(|n| bench.kept.notices[n].incident).collect())
        .collect();
    assert_eq!(about, [vec![id, id], vec![other]]);
}

#[test]
fn what_weir_ended_itself_before_it_was_told_is_told_as_one() {
    let doing = || Doing::Watching { from: Some("chk-42".to_owned()), attempt: 1, of: 3 };
    for (restarts, send_resolved) in [(false, true), (true, true), (false, false), (true, false)] {
        let plan = ChannelPlan { send_resolved, ..plan("team/a") };
        let mut bench = Bench::new(vec![plan], vec!["team"]);
        let id = bench.open(Severity::Critical);
        bench.pass(SECOND / 2);
        bench.quietly(id, |incident| incident.doing = Some(doing()));
        bench.resolve(id);
        if restarts {
            bench.restart();
        }
        bench.pass(MINUTE);
        let why = format!("{restarts} {send_resolved}: {:?}", bench.notices());
        assert_eq!(bench.taken.len(), 1, "{why}");
        let reason = if send_resolved { NoticeReason::Resolved } else { NoticeReason::Opened };
        assert_eq!(bench.told("team/a"), [(id, reason)], "{why}");
        assert!(bench.notices().iter().all(|n| n.outcome == Outcome::Sent), "{why}");
        // It is spoken of no more, and the next one waits for nothing.
        let from = bench.now;
        bench.open(Severity::Critical);
        bench.pass(2 * SECOND);
        assert_eq!(bench.taken.last().map(|(at, _)| at - from), Some(SECOND), "{why}");
        assert!(!bench.pipeline.untold().contains(&id), "{why}");
    }
    // What ended by itself is brief as ever.
    let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
    let id = bench.open(Severity::Critical);
    let held = crate::model::Both::new("paused", "已暂停");
    bench.quietly(id, |incident| incident.doing = Some(Doing::Held(held)));
    bench.resolve(id);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/a"), []);
    assert_eq!(bench.notices()[0].outcome, Outcome::Brief);
}

#[test]
fn that_a_restart_waits_for_approval_is_told_to_who_knows_of_it() {
    let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
    let id = bench.open(Severity::Critical);
    let waits = || Doing::Approval { restart: 7, from: Some("chk-42".to_owned()) };
    bench.edit(id, NoticeReason::Approval, |incident| incident.doing = Some(waits()));
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/a"), [(id, NoticeReason::Opened)], "the opening says it");
    bench.edit(id, NoticeReason::Approval, |_| {});
    bench.pass(MINUTE);
    let told = [(id, NoticeReason::Opened), (id, NoticeReason::Approval)];
    assert_eq!(bench.told("team/a"), told);
}
