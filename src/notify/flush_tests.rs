use std::time::Duration;

use crate::model::{MessageKind, NoticeReason, Severity};
use crate::notify::testing::{Bench, SECOND, plan};
use crate::notify::{Budget, ChannelPlan};

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
