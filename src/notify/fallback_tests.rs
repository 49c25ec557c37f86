use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::model::{Notice, NoticeReason, Outcome, Severity};
use crate::notify::ChannelPlan;
use crate::notify::testing::{Bench, MINUTE, Mode, SECOND, channel, plan, with_fallback};
use NoticeReason::{Opened, Reopened, Resolved, Worse};

/// One channel, and one of another receiver that stands in for it.
fn two() -> Bench {
    Bench::new(vec![with_fallback("team/a", "backup/b"), plan("backup/b")], vec!["team"])
}

fn to(bench: &Bench, name: &str) -> Vec<Notice> {
    bench.notices().into_iter().filter(|n| n.to == channel(name)).collect()
}

#[test]
fn nobody_stands_in_while_it_works_or_has_only_just_failed() {
    let mut bench = two();
    bench.open(Severity::Critical);
    bench.pass(MINUTE);
    bench.set("team/a", Mode::Down);
    bench.open(Severity::Critical);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/a"), [(1, Opened)]);
    assert_eq!(bench.told("backup/b"), []);
    bench.set("team/a", Mode::Up);
    bench.pass(5 * MINUTE);
    assert_eq!(bench.told("team/a"), [(1, Opened), (2, Opened)]);
    assert_eq!(bench.told("backup/b"), []);
}

#[test]
fn what_is_due_goes_to_the_stand_in_after_two_minutes_and_stays_there() {
    let mut bench = two();
    bench.set("team/a", Mode::Down);
    let id = bench.open(Severity::Critical);
    bench.pass(119 * SECOND);
    assert_eq!(bench.told("backup/b"), []);
    bench.pass(5 * SECOND);
    assert_eq!(bench.told("backup/b"), [(id, Opened)]);
    let [old] = &to(&bench, "team/a")[..] else { panic!("{:?}", bench.notices()) };
    assert_eq!(old.outcome, Outcome::Failed);
    assert_eq!(old.held_by.as_deref(), Some("sent by fallback backup/b"));
    assert_eq!(old.error.as_deref(), Some("as told"));
    assert_eq!(old.moved_to, Some(to(&bench, "backup/b")[0].id));
    // The first one works again: nothing twice, and the end where the beginning was told.
    bench.set("team/a", Mode::Up);
    bench.pass(10 * MINUTE);
    bench.edit(id, Worse, |incident| incident.given_up = true);
    bench.pass(MINUTE);
    bench.resolve(id);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/a"), []);
    assert_eq!(bench.told("backup/b"), [(id, Opened), (id, Worse), (id, Resolved)]);
    // The next one is the first channel's again.
    let next = bench.open(Severity::Critical);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/a"), [(next, Opened)]);
}

#[test]
fn what_comes_later_is_tried_once_before_it_goes_to_the_stand_in() {
    let mut bench = two();
    bench.set("team/a", Mode::Down);
    bench.open(Severity::Critical);
    bench.pass(5 * MINUTE);
    let id = bench.open(Severity::Critical);
    bench.pass(10 * SECOND);
    assert_eq!(bench.told("backup/b"), [(1, Opened), (id, Opened)]);
    let mine = to(&bench, "team/a");
    assert_eq!(mine.last().unwrap().attempts, 1, "{mine:?}");
}

#[test]
fn a_refusal_for_good_goes_to_the_stand_in_at_once() {
    let mut bench = two();
    bench.set("team/a", Mode::Refuses);
    let id = bench.open(Severity::Critical);
    bench.pass(2 * SECOND);
    assert_eq!(bench.told("backup/b"), [(id, Opened)]);
}

#[test]
fn the_end_of_what_the_first_one_told_reaches_somebody_when_it_is_down() {
    let mut bench = two();
    let id = bench.open(Severity::Critical);
    bench.pass(MINUTE);
    bench.set("team/a", Mode::Down);
    bench.resolve(id);
    bench.pass(10 * MINUTE);
    assert_eq!(bench.told("team/a"), [(id, Opened)]);
    assert_eq!(bench.told("backup/b"), [(id, Resolved)]);
}

#[test]
fn reopened_after_its_end_it_is_the_first_channels_again() {
    for restart in [false, true] {
        let mut bench = two();
        bench.set("team/a", Mode::Refuses);
        let id = bench.open(Severity::Critical);
        bench.pass(MINUTE);
        bench.set("team/a", Mode::Up);
        bench.resolve(id);
        bench.pass(MINUTE);
        bench.reopen(id);
        bench.pass(MINUTE);
        if restart {
            bench.restart();
        }
        bench.edit(id, Worse, |incident| incident.given_up = true);
        bench.pass(MINUTE);
        assert_eq!(bench.told("backup/b"), [(id, Opened), (id, Resolved)]);
        assert_eq!(bench.told("team/a"), [(id, Reopened), (id, Worse)], "{restart}");
    }
}

#[test]
fn one_that_is_told_anyway_is_not_told_twice() {
    // Both receivers are routed to, and both channels of the first fail.
    let plans = vec![
        with_fallback("team/a", "backup/b"),
        with_fallback("team/c", "backup/b"),
        plan("backup/b"),
    ];
    for (routed, expected) in [(vec!["team", "backup"], 1), (vec!["team"], 1)] {
        let mut bench = Bench::new(plans.clone(), routed);
        bench.set("team/a", Mode::Refuses);
        bench.set("team/c", Mode::Down);
        let id = bench.open(Severity::Critical);
        bench.pass(10 * MINUTE);
        assert_eq!(bench.told("backup/b").len(), expected);
        bench.resolve(id);
        bench.pass(10 * MINUTE);
        assert_eq!(bench.told("backup/b"), [(id, Opened), (id, Resolved)]);
        let anyway = to(&bench, "team/c");
        assert_eq!(anyway[0].held_by.as_deref(), Some("backup/b is told of it anyway"));
        assert_eq!(anyway[0].moved_to, None);
    }
}

#[test]
fn what_was_not_tried_itself_says_why_its_channel_is_down() {
    let alone = ChannelPlan { per_incident: true, ..with_fallback("team/a", "backup/b") };
    let mut bench = Bench::new(vec![alone, plan("backup/b")], vec!["team"]);
    bench.set("team/a", Mode::Down);
    let mut ids = vec![bench.open(Severity::Critical)];
    bench.pass(10 * MINUTE);
    ids.extend([(); 3].map(|()| bench.open(Severity::Critical)));
    bench.pass(10 * MINUTE);
    let handed = to(&bench, "team/a");
    assert_eq!(bench.told("backup/b").len(), ids.len());
    assert!(handed.iter().any(|n| n.attempts == 0), "all were tried: {handed:#?}");
    for notice in handed {
        assert!(notice.error.is_some(), "{notice:?}");
    }
}

#[test]
fn a_stand_in_of_the_same_receiver_is_told_nothing_else() {
    let mut standby = plan("team/b");
    standby.standby = true;
    let plans = vec![with_fallback("team/a", "team/b"), standby];
    let mut bench = Bench::new(plans, vec!["team"]);
    bench.open(Severity::Critical);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/b"), []);
    bench.set("team/a", Mode::Refuses);
    let id = bench.open(Severity::Critical);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/b"), [(id, Opened)]);
}

#[test]
fn a_stand_in_that_is_stuck_is_passed_over() {
    let plans = vec![
        with_fallback("team/a", "backup/b"),
        with_fallback("backup/b", "last/c"),
        plan("last/c"),
    ];
    let mut bench = Bench::new(plans, vec!["team"]);
    bench.set("team/a", Mode::Down);
    bench.set("backup/b", Mode::Down);
    let id = bench.open(Severity::Critical);
    bench.pass(10 * MINUTE);
    assert_eq!(bench.told("last/c"), [(id, Opened)]);
}

#[test]
fn where_nobody_can_stand_in_it_waits_for_whoever_is_back_first() {
    let mut bench = two();
    bench.set("team/a", Mode::Down);
    bench.set("backup/b", Mode::Down);
    let id = bench.open(Severity::Critical);
    bench.pass(20 * MINUTE);
    bench.set("backup/b", Mode::Up);
    bench.pass(20 * MINUTE);
    assert_eq!(bench.told("backup/b"), [(id, Opened)]);
    bench.set("team/a", Mode::Up);
    bench.pass(20 * MINUTE);
    assert_eq!(bench.told("team/a"), []);
}

/// The notices that took each other's place, first to last.
fn chains(notices: &[Notice]) -> Vec<Vec<&Notice>> {
    let by_id: BTreeMap<u64, &Notice> = notices.iter().map(|n| (n.id, n)).collect();
    let successors: BTreeSet<u64> = notices.iter().filter_map(|n| n.moved_to).collect();
    let roots = notices.iter().filter(|n| !successors.contains(&n.id));
    let chain = |root| {
        std::iter::successors(Some(root), |n: &&Notice| {
            n.moved_to.map(|id| *by_id.get(&id).expect("moved to nowhere"))
        })
        .collect()
    };
    roots.map(chain).collect()
}

fn is_told(notice: &Notice) -> bool {
    matches!(notice.outcome, Outcome::Sent | Outcome::Folded)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever fails, refuses, recovers and restarts when: no notice vanishes, each is told by at
    /// most one of both, and whoever was told of a beginning hears of the end.
    #[test]
    fn no_notice_vanishes_and_none_is_told_twice(
        steps in prop::collection::vec((0_u8..12, any::<u8>(), 0_i64..200), 1..60),
        standby in any::<bool>(),
        also_routed in any::<bool>(),
    ) {
        let stand_in = if standby { "team/b" } else { "backup/b" };
        let mut second = plan(stand_in);
        second.standby = standby;
        let plans = vec![with_fallback("team/a", stand_in), second];
        let routed = if also_routed && !standby { vec!["team", "backup"] } else { vec!["team"] };
        let mut bench = Bench::new(plans, routed);
        for (what, which, seconds) in steps {
            let modes = [Mode::Up, Mode::Down, Mode::Refuses];
            let mode = modes[usize::from(which) % 3];
            let count = bench.incidents.len() as u64;
            let id = if count == 0 { 0 } else { u64::from(which) % count + 1 };
            let is_open = id > 0 && bench.incidents[id as usize - 1].is_open();
            match what {
                0..=2 => {
                    bench.open(Severity::Critical);
                }
                3..=4 if is_open => bench.resolve(id),
                5 if is_open && !bench.incidents[id as usize - 1].given_up => {
                    bench.edit(id, Worse, |incident| incident.given_up = true);
                }
                6 if id > 0 && !is_open => bench.reopen(id),
                7..=8 => bench.set("team/a", mode),
                9 => bench.set(stand_in, if which % 3 == 2 { Mode::Up } else { mode }),
                10 => bench.restart(),
                _ => {}
            }
            bench.pass(seconds * SECOND);
        }
        for name in ["team/a", stand_in] {
            bench.set(name, Mode::Up);
        }
        bench.pass(20 * MINUTE);
        for id in 1..=bench.incidents.len() as u64 {
            if bench.incidents[id as usize - 1].is_open() {
                bench.resolve(id);
            }
        }
        bench.pass(20 * MINUTE);

        let notices = bench.notices();
        for chain in chains(&notices) {
            let told: Vec<_> = chain.iter().filter(|n| is_told(n)).collect();
            prop_assert!(told.len() <= 1, "told twice: {chain:?}");
            let last = chain.last().unwrap();
            prop_assert!(last.outcome != Outcome::Pending, "ended nowhere: {chain:?}");
            // Nobody refused for good on the stand-in: what failed there is told by another.
            let anyway = last.held_by.as_deref().is_some_and(|h| h.ends_with("anyway"));
            let fine = last.outcome != Outcome::Failed || anyway;
            prop_assert!(fine, "lost: {chain:?}");
        }
        for id in 1..=bench.incidents.len() as u64 {
            let of = |name: &str, reason: NoticeReason| {
                bench.told(name).iter().filter(|told| **told == (id, reason)).count()
            };
            let opened = (of("team/a", Opened), of(stand_in, Opened));
            let routed_to_both = also_routed && !standby;
            prop_assert!(opened.0 + opened.1 <= if routed_to_both { 2 } else { 1 }, "{opened:?}");
            prop_assert!(opened.0 <= 1 && opened.1 <= 1, "{opened:?}");
            for name in ["team/a", stand_in] {
                let told = bench.told(name);
                let last = told.iter().rev().find(|(of, _)| *of == id);
                let over = last.is_none_or(|(_, reason)| *reason == Resolved);
                // Its end may have had to go by the other one.
                let by_other = notices.iter().any(|n| {
                    n.incident == id
                        && n.to == channel(name)
                        && n.reason == Resolved
                        && n.held_by.as_deref().is_some_and(|h| h.contains("backup/b") || h.contains("team/b"))
                });
                prop_assert!(over || by_other, "{name} was never told the end of {id}: {told:?}");
            }
        }
    }
}

#[test]
fn what_waits_goes_where_its_opening_went() {
    let mut bench = two();
    bench.set("team/a", Mode::Down);
    let id = bench.open(Severity::Critical);
    bench.pass(118 * SECOND);
    bench.resolve(id);
    // Its end is composed in a moment, when the opening goes to the other one.
    bench.pass(2 * SECOND);
    bench.set("team/a", Mode::Up);
    bench.pass(20 * MINUTE);
    assert_eq!(bench.told("team/a"), []);
    assert_eq!(bench.told("backup/b").last(), Some(&(id, Resolved)));
}

#[test]
fn who_refused_the_opening_does_not_hear_of_the_end() {
    let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
    bench.set("team/a", Mode::Down);
    let id = bench.open(Severity::Critical);
    bench.pass(2 * SECOND);
    bench.resolve(id);
    bench.set("team/a", Mode::Refuses);
    bench.pass(2 * SECOND);
    bench.set("team/a", Mode::Up);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/a"), []);
    let end = to(&bench, "team/a").into_iter().find(|n| n.reason == Resolved);
    let why = end.and_then(|n| n.held_by);
    assert_eq!(why.as_deref(), Some("nothing of it was told before"));
}

#[test]
fn it_is_told_anyway_only_where_it_is_told() {
    let plans = || vec![with_fallback("team/a", "backup/b"), plan("backup/b")];
    let mut bench = Bench::new(plans(), vec!["team", "backup"]);
    bench.set("backup/b", Mode::Refuses);
    bench.set("team/a", Mode::Down);
    let id = bench.open(Severity::Critical);
    bench.pass(MINUTE);
    bench.set("backup/b", Mode::Up);
    bench.pass(10 * MINUTE);
    assert_eq!(bench.told("backup/b"), [(id, Opened)]);
    for restarts in [false, true] {
        let mut bench = Bench::new(plans(), vec!["team", "backup"]);
        bench.set("team/a", Mode::Refuses);
        let id = bench.open(Severity::Critical);
        bench.pass(MINUTE);
        bench.set("team/a", Mode::Up);
        if restarts {
            bench.restart();
        }
        bench.edit(id, Worse, |incident| incident.given_up = true);
        bench.pass(MINUTE);
        assert_eq!(bench.told("team/a"), [], "{restarts}");
        assert_eq!(bench.told("backup/b"), [(id, Opened), (id, Worse)], "{restarts}");
    }
}
