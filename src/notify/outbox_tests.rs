use crate::model::{NoticeReason, Severity};
use crate::notify::ChannelPlan;
use crate::notify::testing::{Bench, MINUTE, Mode, SECOND, channel, plan};
use NoticeReason::{Opened, Resolved, Worse};

/// One channel with a message for each incident.
fn bench() -> Bench {
    let plan = ChannelPlan { per_incident: true, ..plan("team/a") };
    Bench::new(vec![plan], vec!["team"])
}

/// When a channel took something about an incident first, in seconds from the start of the story.
fn taken(bench: &Bench, incident: u64, from: i64) -> Option<i64> {
    let about = |body: &str| {
        serde_json::from_str::<Vec<(u64, NoticeReason)>>(body)
            .unwrap()
            .iter()
            .any(|i| i.0 == incident)
    };
    let first = bench.taken.iter().find(|(_, m)| about(&m.frozen.body));
    first.map(|(at, _)| (at - from) / SECOND)
}

#[test]
fn a_message_its_vendor_chokes_on_delays_nobody_else() {
    for poison in [Severity::Critical, Severity::Warning] {
        let mut bench = bench();
        bench.set("team/a", Mode::ChokesOn(1));
        let first = bench.open(poison);
        bench.pass(30 * MINUTE);
        assert_eq!(bench.told("team/a"), []);
        for severity in [Severity::Warning, Severity::Critical, Severity::Info] {
            let from = bench.now;
            let id = bench.open(severity);
            bench.pass(10 * SECOND);
            assert!(
                taken(&bench, id, from).is_some_and(|s| s <= 8),
                "{severity:?}: {:?}",
                bench.taken
            );
            bench.resolve(id);
            bench.pass(MINUTE);
        }
        assert_eq!(bench.told("team/a").len(), 6, "{:?}", bench.told("team/a"));
        // Now and then it is tried again, ever less often.
        let tries = bench.kept.messages.values().map(|m| m.attempts).max().unwrap();
        assert!((8..40).contains(&tries), "{tries}");
        bench.set("team/a", Mode::Up);
        bench.pass(10 * MINUTE);
        assert!(taken(&bench, first, 0).is_some(), "{:?}", bench.told("team/a"));
    }
}

#[test]
fn what_stays_in_order_is_one_incident() {
    let mut bench = bench();
    bench.set("team/a", Mode::ChokesOn(1));
    let id = bench.open(Severity::Warning);
    bench.pass(MINUTE);
    bench.edit(id, Worse, |i| i.severity = Severity::Critical);
    bench.pass(MINUTE);
    bench.resolve(id);
    bench.pass(MINUTE);
    assert_eq!(bench.told("team/a"), []);
    bench.set("team/a", Mode::Up);
    bench.pass(10 * MINUTE);
    assert_eq!(bench.told("team/a"), [(id, Opened), (id, Worse), (id, Resolved)]);
}

#[test]
fn after_an_outage_the_critical_goes_first_and_nothing_waits() {
    let mut bench = bench();
    bench.set("team/a", Mode::Down);
    for severity in [Severity::Info, Severity::Warning, Severity::Critical, Severity::Info] {
        bench.open(severity);
        bench.pass(7 * SECOND);
    }
    bench.pass(40 * MINUTE);
    let tries: u32 = bench.kept.messages.values().map(|m| m.attempts).sum();
    assert!((10..30).contains(&tries), "one try for all of them at a time: {tries}");
    bench.set("team/a", Mode::Up);
    bench.pass(6 * MINUTE);
    let told = bench.told("team/a");
    assert_eq!(told.len(), 4, "{told:?}");
    let moments: Vec<i64> = bench.taken.iter().map(|(at, _)| *at).collect();
    assert_eq!(moments.first(), moments.last(), "all at once: {moments:?}");
    let rest: Vec<u64> = told.iter().skip(1).map(|(id, _)| *id).collect();
    assert!(told[0].0 == 3 || rest[0] == 3, "the critical waits for one try at most: {told:?}");
    assert!(bench.pipeline.health()[&channel("team/a")].failing_since.is_none());
}
